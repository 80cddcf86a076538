/*
 * loader/bytes/utf8.h
 *	  Is it UTF-8?  As RFC 3629 defines it.
 */
#ifndef MMRD_UTF8_H
#define MMRD_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Bytes of the character that begins at p, of which n exist; 0 when it is
 * cut short, overlong, a surrogate, beyond U+10FFFF, or n is 0.
 */
size_t mmrd_utf8_length(const uint8_t *p, size_t n);

/* Is all of it? */
bool mmrd_utf8_valid(const uint8_t *p, size_t n);

/* Write the character (no surrogate, at most U+10FFFF); 1 to 4 bytes. */
size_t mmrd_utf8_write(uint32_t character, uint8_t *out);

#endif /* MMRD_UTF8_H */
