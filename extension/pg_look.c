/*
 * extension/pg_look.c
 *	  Maps to look at: mmrd_png(), mmrd_overlay(), mmrd_regions().
 */
#include "postgres.h"

#include <math.h>
#include <stdlib.h>

#include "extension/pg_glue.h"
#include "extension/pg_input.h"
#include "extension/pg_map.h"
#include "funcapi.h"
#include "loader/image/format.h"
#include "loader/image/png.h"
#include "model/score/overlay.h"
#include "model/score/palette.h"
#include "model/score/regions.h"
#include "utils/builtins.h"
#include "utils/tuplestore.h"

PG_FUNCTION_INFO_V1(mmrd_png);
PG_FUNCTION_INFO_V1(mmrd_overlay);
PG_FUNCTION_INFO_V1(mmrd_pg_regions);

enum
{
	PNG_LEVEL = 6 /* zlib's own default */
};

static bytea *
as_png(const mmrd_raster *raster)
{
	mmrd_pg_owned *owned = mmrd_pg_own(CurrentMemoryContext, free);
	mmrd_error err = {0};
	uint8_t *bytes = NULL;
	size_t n_bytes;
	mmrd_status st =
	    mmrd_png_encode(raster, PNG_LEVEL, &bytes, &n_bytes, &err);
	bytea *value;

	owned->object = bytes;
	MMRD_PG_CHECK(st, &err);
	value = palloc(VARHDRSZ + n_bytes);
	SET_VARSIZE(value, VARHDRSZ + n_bytes);
	memcpy(VARDATA(value), bytes, n_bytes);
	mmrd_pg_release(owned);
	return value;
}

/* Arguments: map, palette, lo, hi.  A NULL map gives NULL. */
Datum
mmrd_png(PG_FUNCTION_ARGS)
{
	const char *name;
	mmrd_palette palette = MMRD_PALETTE_INFERNO;
	mmrd_error err = {0};
	mmrd_raster *picture;
	const mmrd_map *map;
	mmrd_map_view view;

	if (PG_ARGISNULL(0))
		PG_RETURN_NULL();
	name = PG_ARGISNULL(1) ? "inferno" : text_to_cstring(PG_GETARG_TEXT_PP(1));
	MMRD_PG_CHECK(mmrd_palette_find(name, &palette, &err), &err);
	map = mmrd_pg_map_decode(PG_GETARG_VARLENA_PP(0), CurrentMemoryContext,
	                         NULL);
	view = mmrd_map_as_view(map);
	picture = mmrd_pg_own_raster();
	MMRD_PG_CHECK(mmrd_palette_paint(
	                  &view, palette,
	                  PG_ARGISNULL(2) ? map->info.lo : PG_GETARG_FLOAT4(2),
	                  PG_ARGISNULL(3) ? map->info.hi : PG_GETARG_FLOAT4(3),
	                  picture, &err),
	              &err);
	PG_RETURN_BYTEA_P(as_png(picture));
}

/* Arguments: rgb, map, threshold, opacity. */
Datum
mmrd_overlay(PG_FUNCTION_ARGS)
{
	const mmrd_raster_limits limits = mmrd_pg_image_limits();
	mmrd_overlay_style style = {.palette = MMRD_PALETTE_INFERNO,
	                            .opacity = 0.5f};
	mmrd_error err = {0};
	const struct varlena *rgb;
	mmrd_raster *image;
	mmrd_raster *picture;
	const mmrd_map *map;
	mmrd_map_view view;

	if (PG_ARGISNULL(0) || PG_ARGISNULL(1))
		PG_RETURN_NULL();
	rgb = PG_GETARG_VARLENA_PP(0);
	map = mmrd_pg_map_decode(PG_GETARG_VARLENA_PP(1), CurrentMemoryContext,
	                         NULL);
	view = mmrd_map_as_view(map);
	style.lo = map->info.lo;
	style.hi = map->info.hi;
	if (!PG_ARGISNULL(3))
		style.opacity = PG_GETARG_FLOAT4(3);
	style.has_contour = !PG_ARGISNULL(2) || map->info.has_threshold;
	style.contour =
	    PG_ARGISNULL(2) ? map->info.threshold : PG_GETARG_FLOAT4(2);

	image = mmrd_pg_own_raster();
	if (mmrd_image_decode((const uint8_t *) VARDATA_ANY(rgb),
	                      VARSIZE_ANY_EXHDR(rgb), &limits, image,
	                      &err) != MMRD_OK)
		mmrd_pg_throw_where(&err, "argument rgb of mmrd_overlay");
	picture = mmrd_pg_own_raster();
	MMRD_PG_CHECK(
	    mmrd_overlay_draw(image, &view, &style, &limits, picture, &err), &err);
	PG_RETURN_BYTEA_P(as_png(picture));
}

static float
threshold_of(FunctionCallInfo fcinfo, const mmrd_map *map)
{
	if (!PG_ARGISNULL(1))
		return PG_GETARG_FLOAT4(1);
	if (!map->info.has_threshold)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
		                errmsg("the map has no threshold of its own"),
		                errdetail("Its model was not calibrated."),
		                errhint("Pass the argument threshold.")));
	return map->info.threshold;
}

/* Arguments: map, threshold.  SQL's mmrd_regions(). */
Datum
mmrd_pg_regions(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	mmrd_regions *regions;
	mmrd_error err = {0};
	const mmrd_map *map;
	mmrd_map_view view;

	InitMaterializedSRF(fcinfo, 0);
	if (PG_ARGISNULL(0))
		PG_RETURN_NULL();
	map = mmrd_pg_map_decode(PG_GETARG_VARLENA_PP(0), CurrentMemoryContext,
	                         NULL);
	view = mmrd_map_as_view(map);
	regions = mmrd_pg_own_regions();
	MMRD_PG_CHECK(
	    mmrd_regions_find(&view, threshold_of(fcinfo, map), regions, &err),
	    &err);
	for (int32 i = 0; i < regions->n; i++)
	{
		const mmrd_region *r = &regions->items[i];
		Datum values[] = {Int32GetDatum(i + 1),     Int32GetDatum(r->x),
		                  Int32GetDatum(r->y),      Int32GetDatum(r->width),
		                  Int32GetDatum(r->height), Int64GetDatum(r->area),
		                  Float4GetDatum(r->peak),  Int32GetDatum(r->peak_x),
		                  Int32GetDatum(r->peak_y)};
		bool nulls[lengthof(values)] = {false};

		tuplestore_putvalues(result->setResult, result->setDesc, values,
		                     nulls);
	}
	PG_RETURN_NULL();
}
