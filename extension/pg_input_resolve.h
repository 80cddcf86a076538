/*
 * extension/pg_input_resolve.h
 *	  What the options aux_kind => auto and aux_range => train come to for the
 *	  scans of a training; from then on they say it.
 */
#ifndef MMRD_PG_INPUT_RESOLVE_H
#define MMRD_PG_INPUT_RESOLVE_H

#include "extension/pg_options.h"
#include "extension/pg_scans.h"

/*
 * Replace each kind "auto" by that of this scan, the first of a training, and
 * have every later scan checked for it (aux_strict).  The same for the samples
 * of depth (aux_sample), where one range of depth serves all scans.
 */
extern void mmrd_pg_resolve_kinds(mmrd_pg_options *options,
                                  const mmrd_pg_source *source,
                                  const mmrd_pg_scan *scan);

/*
 * With aux_range => train, read all scans of an ordered query and set the
 * limits that are not given yet, of those kinds that have a range, to the
 * smallest and largest depth in them; kinds are resolved on the way.  Throws
 * when no scan has any depth.
 */
extern void mmrd_pg_resolve_limits(mmrd_pg_options *options,
                                   const mmrd_pg_source *source,
                                   const char *query);

/* For a version that says nothing: an image. */
extern void mmrd_pg_resolve_unknown(mmrd_pg_options *options);

#endif /* MMRD_PG_INPUT_RESOLVE_H */
