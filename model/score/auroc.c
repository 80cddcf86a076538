/*
 * model/score/auroc.c
 *	  Two sorted bags of scores, walked together from the top.
 *
 * Scores are kept as integers that compare like the doubles they came from
 * (radix_sort.h), so sorting is a radix sort and a tie is plain equality.
 */
#include "model/score/auroc.h"

#include <math.h>
#include <string.h>

#include "model/score/radix_sort.h"
#include "model/score/ranking.h"

enum
{
	KEY_BYTES = 8,
	PACKED_HEADER = 16 /* bytes: two counts */
};

void
mmrd_scores_init(mmrd_scores *s, size_t limit_bytes)
{
	memset(s, 0, sizeof(*s));
	s->limit_bytes = limit_bytes;
}

/* What is left of the limit for one of the two arrays. */
static size_t
limit_of(const mmrd_scores *s, int which)
{
	return s->limit_bytes - s->keys[1 - which].room * KEY_BYTES;
}

static mmrd_status
reserve(mmrd_scores *s, int which, size_t n_more, mmrd_error *err)
{
	return mmrd_growing_reserve(&s->keys[which], KEY_BYTES, n_more,
	                            limit_of(s, which), err);
}

mmrd_status
mmrd_scores_add(mmrd_scores *s, double score, bool anomalous, mmrd_error *err)
{
	mmrd_growing *keys = &s->keys[anomalous ? 1 : 0];

	if (isnan(score))
		return mmrd_fail(err, MMRD_INVALID_ARGUMENT, "score is not a number");
	MMRD_TRY(reserve(s, anomalous ? 1 : 0, 1, err));
	((uint64_t *) keys->items)[keys->n++] = mmrd_key_of_double(score);
	s->sorted = false;
	return MMRD_OK;
}

mmrd_status
mmrd_scores_merge(mmrd_scores *s, const mmrd_scores *other, mmrd_error *err)
{
	for (int k = 0; k < 2; k++)
		MMRD_TRY(reserve(s, k, other->keys[k].n, err));
	for (int k = 0; k < 2; k++)
	{
		mmrd_growing *to = &s->keys[k];

		if (other->keys[k].n == 0)
			continue;
		memcpy((uint64_t *) to->items + to->n, other->keys[k].items,
		       other->keys[k].n * KEY_BYTES);
		to->n += other->keys[k].n;
		s->sorted = false;
	}
	return MMRD_OK;
}

static void
walk(const mmrd_scores *s, mmrd_score_metrics *out)
{
	const uint64_t *normal = s->keys[0].items;
	const uint64_t *anomalous = s->keys[1].items;
	size_t i = s->keys[0].n;
	size_t j = s->keys[1].n;
	mmrd_ranking r = {.n_positive = j, .n_negative = i};
	bool just_improved = false;

	while (i > 0 || j > 0)
	{
		const uint64_t key =
		    j == 0 || (i > 0 && normal[i - 1] > anomalous[j - 1])
		        ? normal[i - 1]
		        : anomalous[j - 1];
		const size_t i_above = i;
		const size_t j_above = j;

		while (i > 0 && normal[i - 1] == key)
			i--;
		while (j > 0 && anomalous[j - 1] == key)
			j--;
		if (just_improved)
			out->f1_next_below = mmrd_double_of_key(key);
		just_improved = mmrd_ranking_step(&r, j_above - j, i_above - i);
		if (just_improved)
		{
			out->f1_threshold = mmrd_double_of_key(key);
			out->f1_next_below = -INFINITY;
		}
	}
	out->auroc = mmrd_ranking_auroc(&r);
	out->average_precision = r.average_precision;
	out->f1_max = r.f1_max;
}

mmrd_status
mmrd_scores_measure(mmrd_scores *s, const mmrd_stop *stop,
                    mmrd_score_metrics *out, mmrd_error *err)
{
	const mmrd_score_metrics unknown = {s->keys[0].n, s->keys[1].n, NAN, NAN,
	                                    NAN,          NAN,          NAN};

	*out = unknown;
	if (s->keys[0].n == 0 || s->keys[1].n == 0)
		return MMRD_OK;
	for (int k = 0; k < 2 && !s->sorted; k++)
		MMRD_TRY(mmrd_sort_u64(s->keys[k].items, s->keys[k].n, stop, err));
	s->sorted = true;
	walk(s, out);
	return MMRD_OK;
}

size_t
mmrd_scores_packed_bytes(const mmrd_scores *s)
{
	return PACKED_HEADER + (s->keys[0].n + s->keys[1].n) * KEY_BYTES;
}

void
mmrd_scores_pack(const mmrd_scores *s, uint8_t *out)
{
	const uint64_t counts[2] = {s->keys[0].n, s->keys[1].n};

	memcpy(out, counts, PACKED_HEADER);
	out += PACKED_HEADER;
	for (int k = 0; k < 2; k++)
	{
		if (s->keys[k].n > 0)
			memcpy(out, s->keys[k].items, s->keys[k].n * KEY_BYTES);
		out += s->keys[k].n * KEY_BYTES;
	}
}

mmrd_status
mmrd_scores_unpack(const uint8_t *bytes, size_t n_bytes, size_t limit_bytes,
                   mmrd_scores *s, mmrd_error *err)
{
	uint64_t counts[2];
	uint64_t n;

	mmrd_scores_init(s, limit_bytes);
	if (n_bytes < PACKED_HEADER || n_bytes % KEY_BYTES != 0)
		return mmrd_fail(err, MMRD_CORRUPT_DATA,
		                 "packed scores have an impossible length");
	memcpy(counts, bytes, PACKED_HEADER);
	n = (n_bytes - PACKED_HEADER) / KEY_BYTES;
	if (counts[0] > n || counts[1] != n - counts[0])
		return mmrd_fail(err, MMRD_CORRUPT_DATA,
		                 "packed scores contradict their count");
	bytes += PACKED_HEADER;
	for (int k = 0; k < 2; k++)
	{
		const mmrd_status st = reserve(s, k, counts[k], err);

		if (st != MMRD_OK)
		{
			mmrd_scores_clear(s);
			return st;
		}
		if (counts[k] > 0)
			memcpy(s->keys[k].items, bytes, counts[k] * KEY_BYTES);
		s->keys[k].n = counts[k];
		bytes += counts[k] * KEY_BYTES;
	}
	return MMRD_OK;
}

void
mmrd_scores_clear(mmrd_scores *s)
{
	for (int k = 0; k < 2; k++)
		mmrd_growing_clear(&s->keys[k]);
	memset(s, 0, sizeof(*s));
}
