/*
 * extension/pg_map.h
 *	  The type mmrd_map: a varlena around the bytes of map_codec.h.
 */
#ifndef MMRD_PG_MAP_H
#define MMRD_PG_MAP_H

#include "extension/pg_glue.h"
#include "loader/image/map_codec.h"
#include "model/base/raster.h"
#include "model/score/regions.h"

/* Encode a map as a value of the type, in the current memory context. */
extern struct varlena *mmrd_pg_map_encode(const mmrd_map_view *view);

/*
 * Decode a detoasted value.  The floats live until owner is reset, or until
 * mmrd_pg_release() of *owned (which may be NULL).
 */
extern const mmrd_map *mmrd_pg_map_decode(const struct varlena *value,
                                          MemoryContext owner,
                                          mmrd_pg_owned **owned);

/* An empty raster, or no regions; gone with the current memory context. */
extern mmrd_raster *mmrd_pg_own_raster(void);
extern mmrd_regions *mmrd_pg_own_regions(void);

#endif /* MMRD_PG_MAP_H */
