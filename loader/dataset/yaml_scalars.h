/*
 * loader/dataset/yaml_scalars.h
 *	  Numbers out of a small YAML file.
 *
 * Not YAML, but what data sets write of it: one "key: value" per line, at the
 * left edge or indented by spaces below "section:"; comments, blank lines and
 * "---" are allowed, and a value nobody asks for may be any text.  Lists,
 * flow style, quotes, tabs and sections inside sections are refused, never
 * guessed at.
 *
 *	  anomalous: 1
 *	  normalization:
 *	    max: 4.903
 *	    min: 2.311
 */
#ifndef MMRD_YAML_SCALARS_H
#define MMRD_YAML_SCALARS_H

#include <stddef.h>

#include "model/base/status.h"

/*
 * Find one number.
 *
 * text, len	the whole file, any bytes; only read
 * section		the key it is indented below, or NULL: at the left edge
 * value		out: finite; "true" is 1 and "false" 0.  0 on failure.
 *
 * Returns MMRD_CORRUPT_DATA when the key is missing or given twice, or its
 * value is no finite number; MMRD_UNSUPPORTED for a line that is none of the
 * above, wherever in the file it is.  Allocates nothing.
 */
mmrd_status mmrd_yaml_number(const char *text, size_t len, const char *section,
                             const char *key, double *value, mmrd_error *err);

#endif /* MMRD_YAML_SCALARS_H */
