/*
 * loader/image/tiff_kind.c
 *	  What of TIFF we read, and the names of the rest.
 */
#include "loader/image/tiff_kind.h"

#include <stddef.h>

/* The numbers of TIFF 6.0 and its supplements. */
enum
{
	COMPRESSION_NONE = 1,
	COMPRESSION_LZW = 5,
	COMPRESSION_DEFLATE_8 = 8,
	COMPRESSION_PACKBITS = 32773,
	COMPRESSION_DEFLATE_OLD = 32946
};

enum
{
	COLOUR_MINISWHITE = 0,
	COLOUR_MINISBLACK = 1,
	COLOUR_RGB = 2,
	COLOUR_MASK = 4,
	COLOUR_SEPARATED = 5,
	COLOUR_YCBCR = 6,
	COLOUR_CIELAB = 8
};

enum
{
	FORMAT_UNSIGNED = 1,
	FORMAT_SIGNED = 2,
	FORMAT_FLOAT = 3,
	FORMAT_UNDEFINED = 4
};

static mmrd_status
fail_unsupported(mmrd_error *err, const char *what, uint32_t value,
                 const char *name)
{
	mmrd_fail(err, MMRD_UNSUPPORTED, "TIFF file has a %s that is not read",
	          what);
	mmrd_detail(err, "It is %u%s%s%s.", value, name[0] ? " (" : "", name,
	            name[0] ? ")" : "");
	return mmrd_hint(err, "Read are 8 and 16 bit unsigned and 32 and 64 bit "
	                      "float samples of 1 or 3 channels, uncompressed or "
	                      "with LZW, Deflate or PackBits.");
}

static const char *
compression_name(uint32_t compression)
{
	static const struct
	{
		uint32_t code;
		const char *name;
	} names[] = {{2, "CCITT modified Huffman"},
	             {3, "CCITT group 3"},
	             {4, "CCITT group 4"},
	             {5, "LZW"},
	             {6, "old-style JPEG"},
	             {7, "JPEG"},
	             {8, "Deflate"},
	             {32773, "PackBits"},
	             {32809, "ThunderScan"},
	             {32946, "Deflate"},
	             {34661, "JBIG"},
	             {34676, "SGI Log"},
	             {34677, "SGI Log 24 bit"},
	             {34712, "JPEG 2000"},
	             {34887, "LERC"},
	             {34925, "LZMA"},
	             {50000, "Zstandard"},
	             {50001, "WebP"},
	             {50002, "JPEG XL"}};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (names[i].code == compression)
			return names[i].name;
	return "";
}

static const char *
photometric_name(uint32_t photometric)
{
	switch (photometric)
	{
		case COLOUR_MINISWHITE:
			return "white is zero";
		case MMRD_TIFF_PALETTE:
			return "palette";
		case COLOUR_MASK:
			return "mask";
		case COLOUR_SEPARATED:
			return "CMYK";
		case COLOUR_YCBCR:
			return "YCbCr";
		case COLOUR_CIELAB:
			return "CIE L*a*b*";
		default:
			return "";
	}
}

static mmrd_status
check_compression(const mmrd_tiff_header *h, mmrd_error *err)
{
	switch (h->compression)
	{
		case COMPRESSION_NONE:
		case COMPRESSION_LZW:
		case COMPRESSION_DEFLATE_8:
		case COMPRESSION_DEFLATE_OLD:
		case COMPRESSION_PACKBITS:
			break;
		default:
			return fail_unsupported(err, "compression", h->compression,
			                        compression_name(h->compression));
	}
	if (h->predictor != 1 && h->predictor != 2 &&
	    !(h->predictor == 3 && h->format == FORMAT_FLOAT))
		return fail_unsupported(err, "predictor", h->predictor, "");
	if (h->fill_order != 1)
		return fail_unsupported(err, "bit order", h->fill_order, "");
	return MMRD_OK;
}

mmrd_status
mmrd_tiff_kind_check(const mmrd_tiff_header *h, mmrd_raster *image,
                     mmrd_error *err)
{
	const int is_float = h->format == FORMAT_FLOAT;
	const int is_unsigned =
	    h->format == FORMAT_UNSIGNED || h->format == FORMAT_UNDEFINED;

	MMRD_TRY(check_compression(h, err));
	if (!is_float && !is_unsigned)
		return fail_unsupported(err, "sample format", h->format,
		                        h->format == FORMAT_SIGNED ? "signed integers"
		                                                   : "");
	if (is_float ? h->bits != 32 && h->bits != 64
	             : h->bits != 8 && h->bits != 16)
		return fail_unsupported(err, "number of bits per sample", h->bits,
		                        is_float ? "float" : "unsigned");
	if (h->planar != 1 && h->planar != 2)
		return fail_unsupported(err, "planar configuration", h->planar, "");
	if (h->photometric != COLOUR_MINISBLACK && h->photometric != COLOUR_RGB &&
	    !(h->photometric == MMRD_TIFF_PALETTE && h->bits == 8 &&
	      h->samples == 1))
		return fail_unsupported(err, "photometric interpretation",
		                        h->photometric,
		                        photometric_name(h->photometric));

	/* Points (x,y,z) come as "RGB" or as grey with two extra samples. */
	if (h->samples == 1 || (h->samples == 2 && h->extra == 1))
		image->channels = 1;
	else if (h->samples == 3 || (h->samples == 4 && h->extra == 1))
		image->channels = 3;
	else
		return fail_unsupported(err, "number of samples per pixel", h->samples,
		                        "");
	if (h->photometric == MMRD_TIFF_PALETTE)
		image->channels = 3;
	image->width = h->width;
	image->height = h->height;
	image->sample = is_float       ? MMRD_SAMPLE_F32
	                : h->bits == 8 ? MMRD_SAMPLE_U8
	                               : MMRD_SAMPLE_U16;
	return MMRD_OK;
}
