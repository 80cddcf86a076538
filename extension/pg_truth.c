/*
 * extension/pg_truth.c
 *	  What a table says of its scans: a label, a mask, both or neither.
 */
#include "postgres.h"

#include "extension/pg_truth.h"

#include "catalog/pg_type.h"
#include "extension/pg_input.h"
#include "fmgr.h"

void
mmrd_pg_truth_init(mmrd_pg_truth *truth, mmrd_pg_source *source,
                   const char *label, const char *mask, int input_size)
{
	truth->source = source;
	truth->label = -1;
	truth->mask = -1;
	truth->pixels = NULL;
	if (label != NULL)
	{
		truth->label = source->n_extra;
		mmrd_pg_source_add(source, label, BOOLOID);
	}
	if (mask != NULL)
	{
		truth->mask = source->n_extra;
		mmrd_pg_source_add(source, mask, BYTEAOID);
		truth->pixels = palloc((Size) input_size * input_size);
	}
}

static bool
read_mask(const mmrd_pg_truth *truth, const mmrd_pg_scan *scan,
          const mmrd_pg_options *options)
{
	const int S = options->config.input_size;
	mmrd_error err = {0};

	if (truth->mask < 0 || scan->extra_null[truth->mask])
		return false;
	if (mmrd_pg_mask_prepare(PG_DETOAST_DATUM_PACKED(scan->extra[truth->mask]),
	                         options->has_roi ? options->roi : NULL, S, S,
	                         truth->pixels, &err) != MMRD_OK)
		mmrd_pg_throw_where(&err, psprintf("column \"%s\" of \"%s\"",
		                                   truth->source->extra[truth->mask],
		                                   truth->source->name));
	return true;
}

mmrd_pg_class
mmrd_pg_truth_read(const mmrd_pg_truth *truth, const mmrd_pg_scan *scan,
                   const mmrd_pg_options *options, bool *has_mask)
{
	const Size n =
	    (Size) options->config.input_size * options->config.input_size;

	*has_mask = read_mask(truth, scan, options);
	if (truth->label >= 0)
	{
		if (scan->extra_null[truth->label])
			return MMRD_PG_UNKNOWN;
		return DatumGetBool(scan->extra[truth->label]) ? MMRD_PG_ANOMALOUS
		                                               : MMRD_PG_NORMAL;
	}
	if (truth->mask < 0)
		return MMRD_PG_UNKNOWN;
	return *has_mask && memchr(truth->pixels, 1, n) != NULL ? MMRD_PG_ANOMALOUS
	                                                        : MMRD_PG_NORMAL;
}
