/*
 * loader/image/png_plain.h
 *	  PNG files of the usual kind, in 70 % of libpng's time; a part of png.c.
 */
#ifndef MMRD_PNG_PLAIN_H
#define MMRD_PNG_PLAIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/base/raster.h"

/*
 * Read the samples of a PNG that is grey or RGB, of 8 or 16 bits, without
 * interlacing and transparency, and whole, every checksum of what is read
 * included.
 *
 * bytes, len	the file, whose header was checked and agrees with image
 * image		all but the contents of data is set, for that header
 *
 * True: data has what libpng would have put there.  False: the file is of
 * another kind, or broken, or memory is short; nothing is known about it,
 * data has anything in it, and libpng is to be asked.  Any thread.
 */
bool mmrd_png_plain_read(const uint8_t *bytes, size_t len, mmrd_raster *image);

#endif /* MMRD_PNG_PLAIN_H */
