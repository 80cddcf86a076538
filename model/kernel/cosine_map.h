/*
 * model/kernel/cosine_map.h
 *	  How far apart two feature maps point, pixel by pixel.
 */
#ifndef MMRD_COSINE_MAP_H
#define MMRD_COSINE_MAP_H

/* A vector shorter than this counts as having this length. */
#define MMRD_COSINE_MIN_NORM 1e-8f

/*
 * map[p] = 1 - <t,s> / (max(|t|, MIN_NORM) * max(|s|, MIN_NORM))
 * where t and s are the C-vectors of pixel p.
 *
 * t, s		(P, C) with t_ld and s_ld floats a pixel, only read
 * map		(P), every element written; overlaps neither input
 *
 * Dimensionless: 0 same direction, 1 orthogonal or zero vector, 2 opposite.
 * C and P are at least 1.  The same bits for any number of threads.
 */
void mmrd_cosine_map(int P, int C, const float *t, int t_ld, const float *s,
                     int s_ld, float *map);

/* The same thing said plainly, in double: what the tests compare against. */
void mmrd_cosine_map_ref(int P, int C, const float *t, int t_ld,
                         const float *s, int s_ld, float *map);

#endif /* MMRD_COSINE_MAP_H */
