/*
 * extension/pg_map.c
 *	  The type mmrd_map: input and output, its numbers, its array.
 *
 * The text form is the hexadecimal of the bytes: lossless, and checked as
 * completely as the binary form, since both may come from anywhere.
 */
#include "postgres.h"

#include "extension/pg_map.h"

#include <stdlib.h>

#include "catalog/pg_type.h"
#include "fmgr.h"
#include "lib/stringinfo.h"
#include "libpq/pqformat.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

PG_FUNCTION_INFO_V1(mmrd_map_in);
PG_FUNCTION_INFO_V1(mmrd_map_out);
PG_FUNCTION_INFO_V1(mmrd_map_recv);
PG_FUNCTION_INFO_V1(mmrd_map_send);
PG_FUNCTION_INFO_V1(mmrd_map_array);
PG_FUNCTION_INFO_V1(mmrd_max);
PG_FUNCTION_INFO_V1(mmrd_width);
PG_FUNCTION_INFO_V1(mmrd_height);

static void
free_map(void *arg)
{
	mmrd_map *map = arg;

	mmrd_map_clear(map);
	free(map);
}

struct varlena *
mmrd_pg_map_encode(const mmrd_map_view *view)
{
	mmrd_pg_owned *owned = mmrd_pg_own(CurrentMemoryContext, free);
	mmrd_error err = {0};
	uint8_t *bytes = NULL;
	size_t n_bytes;
	struct varlena *value;
	mmrd_status st;

	st = mmrd_map_encode(view, &bytes, &n_bytes, &err);
	owned->object = bytes;
	MMRD_PG_CHECK(st, &err);
	value = palloc(VARHDRSZ + n_bytes);
	SET_VARSIZE(value, VARHDRSZ + n_bytes);
	memcpy(VARDATA(value), bytes, n_bytes);
	mmrd_pg_release(owned);
	return value;
}

const mmrd_map *
mmrd_pg_map_decode(const struct varlena *value, MemoryContext owner,
                   mmrd_pg_owned **owned)
{
	const mmrd_raster_limits limits = {
	    .max_pixels = MMRD_MAP_MAX_PIXELS,
	    .max_bytes = (size_t) MMRD_MAP_MAX_PIXELS * sizeof(float)};
	mmrd_pg_owned *handle = mmrd_pg_own(owner, free_map);
	mmrd_error err = {0};
	mmrd_map *map = calloc(1, sizeof(mmrd_map));

	if (map == NULL)
		ereport(ERROR,
		        (errcode(ERRCODE_OUT_OF_MEMORY), errmsg("out of memory"),
		         errhint("Give the server more memory.")));
	handle->object = map;
	MMRD_PG_CHECK(mmrd_map_decode((const uint8_t *) VARDATA_ANY(value),
	                              VARSIZE_ANY_EXHDR(value), &limits, map,
	                              &err),
	              &err);
	if (owned != NULL)
		*owned = handle;
	return map;
}

/* Throw unless the value is one that mmrd_map_encode() could have made. */
static void
verify(const struct varlena *value)
{
	mmrd_pg_owned *owned;

	(void) mmrd_pg_map_decode(value, CurrentMemoryContext, &owned);
	mmrd_pg_release(owned);
}

static int
hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

Datum
mmrd_map_in(PG_FUNCTION_ARGS)
{
	const char *text = PG_GETARG_CSTRING(0);
	const size_t n = strlen(text) / 2;
	struct varlena *value = palloc(VARHDRSZ + n);
	uint8 *bytes = (uint8 *) VARDATA(value);

	SET_VARSIZE(value, VARHDRSZ + n);
	for (size_t i = 0; i < 2 * n + strlen(text + 2 * n); i++)
	{
		const int digit = hex_digit(text[i]);

		if (digit < 0 || strlen(text + 2 * n) != 0)
			ereport(ERROR,
			        (errcode(ERRCODE_INVALID_TEXT_REPRESENTATION),
			         errmsg("invalid input syntax for type mmrd_map"),
			         errdetail("It is an even number of hexadecimal digits; "
			                   "character %zu is not one.",
			                   i + 1),
			         errhint("Such text is what a cast of an mmrd_map to text "
			                 "gives.")));
		if (i % 2 == 0)
			bytes[i / 2] = (uint8) (digit << 4);
		else
			bytes[i / 2] |= (uint8) digit;
	}
	verify(value);
	PG_RETURN_POINTER(value);
}

Datum
mmrd_map_out(PG_FUNCTION_ARGS)
{
	static const char digits[] = "0123456789abcdef";
	const struct varlena *value = PG_GETARG_VARLENA_PP(0);
	const uint8 *bytes = (const uint8 *) VARDATA_ANY(value);
	const size_t n = VARSIZE_ANY_EXHDR(value);
	char *text = palloc(2 * n + 1);

	for (size_t i = 0; i < n; i++)
	{
		text[2 * i] = digits[bytes[i] >> 4];
		text[2 * i + 1] = digits[bytes[i] & 15];
	}
	text[2 * n] = '\0';
	PG_RETURN_CSTRING(text);
}

Datum
mmrd_map_recv(PG_FUNCTION_ARGS)
{
	StringInfo message = (StringInfo) PG_GETARG_POINTER(0);
	const int n = message->len - message->cursor;
	struct varlena *value = palloc(VARHDRSZ + n);

	SET_VARSIZE(value, VARHDRSZ + n);
	pq_copymsgbytes(message, VARDATA(value), n);
	verify(value);
	PG_RETURN_POINTER(value);
}

Datum
mmrd_map_send(PG_FUNCTION_ARGS)
{
	const struct varlena *value = PG_GETARG_VARLENA_PP(0);
	StringInfoData message;

	pq_begintypsend(&message);
	pq_sendbytes(&message, VARDATA_ANY(value), VARSIZE_ANY_EXHDR(value));
	PG_RETURN_BYTEA_P(pq_endtypsend(&message));
}

/* The header alone: the rest stays compressed, and on disk. */
static mmrd_map_info
read_header(FunctionCallInfo fcinfo)
{
	const struct varlena *value =
	    PG_DETOAST_DATUM_SLICE(PG_GETARG_DATUM(0), 0, MMRD_MAP_HEADER_BYTES);
	mmrd_error err = {0};
	mmrd_map_info info;

	MMRD_PG_CHECK(mmrd_map_header((const uint8_t *) VARDATA_ANY(value),
	                              VARSIZE_ANY_EXHDR(value), &info, &err),
	              &err);
	return info;
}

Datum
mmrd_max(PG_FUNCTION_ARGS)
{
	PG_RETURN_FLOAT4(read_header(fcinfo).hi);
}

Datum
mmrd_width(PG_FUNCTION_ARGS)
{
	PG_RETURN_INT32(read_header(fcinfo).width);
}

Datum
mmrd_height(PG_FUNCTION_ARGS)
{
	PG_RETURN_INT32(read_header(fcinfo).height);
}

Datum
mmrd_map_array(PG_FUNCTION_ARGS)
{
	mmrd_pg_owned *owned;
	const mmrd_map *map = mmrd_pg_map_decode(PG_GETARG_VARLENA_PP(0),
	                                         CurrentMemoryContext, &owned);
	const Size n = (Size) map->info.height * map->info.width;
	const Size bytes = ARR_OVERHEAD_NONULLS(2) + n * sizeof(float4);
	ArrayType *array;

	if (!AllocSizeIsValid(bytes))
		ereport(ERROR, (errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
		                errmsg("map is too large for an array"),
		                errhint("Keep it as mmrd_map.")));
	array = palloc0(bytes);
	SET_VARSIZE(array, bytes);
	array->ndim = 2;
	array->dataoffset = 0;
	array->elemtype = FLOAT4OID;
	ARR_DIMS(array)[0] = map->info.height;
	ARR_DIMS(array)[1] = map->info.width;
	ARR_LBOUND(array)[0] = 1;
	ARR_LBOUND(array)[1] = 1;
	memcpy((char *) array + ARR_OVERHEAD_NONULLS(2), map->values,
	       n * sizeof(float4));
	mmrd_pg_release(owned);
	PG_RETURN_ARRAYTYPE_P(array);
}

/* ---- what is made of maps ---- */

static void
clear_raster(void *raster)
{
	mmrd_raster_clear(raster);
}

static void
clear_regions(void *regions)
{
	mmrd_regions_clear(regions);
}

mmrd_raster *
mmrd_pg_own_raster(void)
{
	mmrd_raster *raster = palloc0(sizeof(mmrd_raster));

	mmrd_pg_own(CurrentMemoryContext, clear_raster)->object = raster;
	return raster;
}

mmrd_regions *
mmrd_pg_own_regions(void)
{
	mmrd_regions *regions = palloc0(sizeof(mmrd_regions));

	mmrd_pg_own(CurrentMemoryContext, clear_regions)->object = regions;
	return regions;
}
