/*
 * extension/pg_report_scans.c
 *	  Pictures of the worst scans of a report.
 *
 * The photos are in the user's table and are read as the caller, row security
 * included; the maps came with the results.  A picture that is not to be had
 * is a note on the page, never an error: a report of a thousand scans must
 * not fail for the one that was deleted meanwhile.
 */
#include "postgres.h"

#include <stdlib.h>

#include "access/relation.h"
#include "executor/spi.h"
#include "extension/pg_glue.h"
#include "extension/pg_input.h"
#include "extension/pg_map.h"
#include "extension/pg_report.h"
#include "extension/pg_scan_query.h"
#include "loader/image/format.h"
#include "loader/image/png.h"
#include "model/score/overlay.h"
#include "model/score/palette.h"
#include "model/score/regions.h"
#include "model/score/thumbnail.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/rel.h"

enum
{
	SHOWN_SIDE = 384, /* pixels: sharp in half a card on most screens */
	PNG_LEVEL = 6     /* 9 takes half as long again for nothing */
};

/* How a photo is read. */
typedef struct photos
{
	const char *why_not; /* not at all, and why; NULL: they are */
	mmrd_pg_scan_query query;
} photos;

/* ---- the table ---- */

static bool
may_read(Oid relation, const mmrd_pg_columns *columns)
{
	return pg_class_aclcheck(relation, GetUserId(), ACL_SELECT) ==
	           ACLCHECK_OK ||
	       (pg_attribute_aclcheck(relation, columns->key, GetUserId(),
	                              ACL_SELECT) == ACLCHECK_OK &&
	        pg_attribute_aclcheck(relation, columns->modality[0], GetUserId(),
	                              ACL_SELECT) == ACLCHECK_OK);
}

static void
prepare_photos(Relation rel, photos *p)
{
	mmrd_pg_columns columns;

	memset(p, 0, sizeof(*p));
	if (!mmrd_pg_relation_columns(rel, &columns))
	{
		p->why_not = "The table is no longer attached, so its photos cannot "
		             "be found.";
		return;
	}
	if (!may_read(RelationGetRelid(rel), &columns))
	{
		p->why_not = "You may not read the photos of this table.";
		return;
	}
	columns.n_modalities = 1; /* the photo is all that is wanted */
	columns.model = 0;
	mmrd_pg_scan_query_prepare(rel, &columns, &p->query);
}

/* The photo, detoasted in the current memory context, or NULL and why. */
static const struct varlena *
read_photo(const photos *p, const char *key, const char **why_not)
{
	mmrd_pg_scan_row row;

	*why_not = p->why_not;
	if (p->why_not != NULL)
		return NULL;
	if (!mmrd_pg_scan_query_read(&p->query, key, &row))
		*why_not = "The scan is no longer in the table, or you may not see "
		           "it.";
	else if (row.bytes[0] == NULL)
		*why_not = "The scan has no photo any more.";
	return row.bytes[0];
}

/* ---- pictures ---- */

/* A picture, shrunk, as the bytes of a PNG in the report's memory. */
static mmrd_status
keep_picture(const mmrd_pg_report *r, const mmrd_raster *picture,
             const uint8_t **png, size_t *n_png, mmrd_error *err)
{
	mmrd_raster *small = mmrd_pg_own_raster();
	mmrd_pg_owned *owned = mmrd_pg_own(CurrentMemoryContext, free);
	uint8_t *bytes = NULL;
	uint8_t *copy;
	size_t n;

	MMRD_TRY(mmrd_thumbnail_make(picture, SHOWN_SIDE, small, err));
	MMRD_TRY(mmrd_png_encode(small, PNG_LEVEL, &bytes, &n, err));
	owned->object = bytes;
	copy = MemoryContextAlloc(r->memory, n);
	memcpy(copy, bytes, n);
	mmrd_pg_release(owned);
	*png = copy;
	*n_png = n;
	return MMRD_OK;
}

static mmrd_status
draw_map(const mmrd_pg_report *r, const mmrd_map *map,
         const mmrd_raster *photo, mmrd_report_scan *scan, mmrd_error *err)
{
	const mmrd_raster_limits limits = mmrd_pg_image_limits();
	const mmrd_overlay_style style = {.palette = MMRD_PALETTE_INFERNO,
	                                  .lo = map->info.lo,
	                                  .hi = map->info.hi,
	                                  .opacity = 0.55f,
	                                  .has_contour = map->info.has_threshold,
	                                  .contour = map->info.threshold};
	const mmrd_map_view view = mmrd_map_as_view(map);
	mmrd_raster *picture = mmrd_pg_own_raster();

	if (photo != NULL)
		MMRD_TRY(
		    mmrd_overlay_draw(photo, &view, &style, &limits, picture, err));
	else
		MMRD_TRY(mmrd_palette_paint(&view, style.palette, style.lo, style.hi,
		                            picture, err));
	return keep_picture(r, picture, &scan->overlay, &scan->overlay_bytes, err);
}

static mmrd_status
find_regions(const mmrd_pg_report *r, const mmrd_map *map,
             mmrd_report_scan *scan, mmrd_error *err)
{
	const mmrd_map_view view = mmrd_map_as_view(map);
	mmrd_regions *found;
	mmrd_report_region *regions;
	int32 n;

	if (!map->info.has_threshold)
		return MMRD_OK;
	found = mmrd_pg_own_regions();
	MMRD_TRY(mmrd_regions_find(&view, map->info.threshold, found, err));
	n = Min((int32) found->n, MMRD_PG_REPORT_REGIONS);
	regions = MemoryContextAlloc(r->memory, (Size) Max(n, 1) *
	                                            sizeof(mmrd_report_region));
	for (int32 i = 0; i < n; i++)
	{
		const mmrd_region *from = &found->items[i];

		regions[i] = (mmrd_report_region){from->x, from->y, from->width,
		                                  from->height, (double) from->peak};
	}
	scan->regions = regions;
	scan->n_regions = n;
	scan->regions_found = (int32) found->n;
	return MMRD_OK;
}

/* "it could not be read: ...", in the report's memory. */
static void
note(const mmrd_pg_report *r, mmrd_report_scan *scan, const char *format,
     const char *detail)
{
	MemoryContext before = MemoryContextSwitchTo(r->memory);

	scan->note = mmrd_pg_report_text(psprintf(format, detail));
	MemoryContextSwitchTo(before);
}

/* In a memory context that is reset afterwards. */
static void
show_scan(const mmrd_pg_report *r, const photos *p, int32 i)
{
	const mmrd_raster_limits limits = mmrd_pg_image_limits();
	mmrd_report_scan *scan = &r->worst[i];
	const struct varlena *bytes = read_photo(p, scan->key, &scan->note);
	mmrd_raster *photo = mmrd_pg_own_raster();
	mmrd_error err = {0};
	const mmrd_map *map = NULL;

	if (bytes != NULL)
	{
		if (mmrd_image_decode((const uint8_t *) VARDATA_ANY(bytes),
		                      VARSIZE_ANY_EXHDR(bytes), &limits, photo,
		                      &err) != MMRD_OK ||
		    keep_picture(r, photo, &scan->photo, &scan->photo_bytes, &err) !=
		        MMRD_OK)
			note(r, scan, "The photo cannot be shown: %s.", err.message);
		scan->width = photo->width;
		scan->height = photo->height;
	}
	if (r->maps[i] == NULL)
	{
		if (scan->note == NULL)
			note(r, scan,
			     r->sees_maps ? "No map of this scan was kept%s."
			                  : "Maps can be seen by those who may read "
			                    "mmrd.results%s.",
			     "");
		return;
	}
	map = mmrd_pg_map_decode(r->maps[i], CurrentMemoryContext, NULL);
	if (find_regions(r, map, scan, &err) != MMRD_OK ||
	    draw_map(r, map, scan->photo_bytes > 0 ? photo : NULL, scan, &err) !=
	        MMRD_OK)
	{
		/* The photo was replaced since: boxes would be anywhere. */
		scan->n_regions = 0;
		note(r, scan, "The map cannot be shown: %s.", err.message);
	}
}

void
mmrd_pg_report_pictures(mmrd_pg_report *r)
{
	MemoryContext caller = CurrentMemoryContext;
	MemoryContext one = AllocSetContextCreate(r->memory, "mmrd report scan",
	                                          ALLOCSET_DEFAULT_SIZES);
	Relation rel = relation_open(r->source, AccessShareLock);
	photos p;

	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect failed");
	prepare_photos(rel, &p);
	for (int32 i = 0; i < r->page.n_worst; i++)
	{
		CHECK_FOR_INTERRUPTS();
		MemoryContextSwitchTo(one);
		show_scan(r, &p, i);
		MemoryContextSwitchTo(r->memory);
		r->worst[i].key = mmrd_pg_report_text(r->worst[i].key);
		MemoryContextReset(one);
	}
	SPI_finish();
	MemoryContextSwitchTo(caller);
	relation_close(rel, AccessShareLock);
	MemoryContextDelete(one);
}
