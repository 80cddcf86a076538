/*
 * model/base/half.h
 *	  Half-precision numbers: IEEE binary16 and bfloat16.
 *
 * All conversions to the narrow form round to nearest, ties to even; NaN
 * stays NaN, what is too large becomes infinity.
 */
#ifndef MMRD_HALF_H
#define MMRD_HALF_H

#include <stddef.h>
#include <stdint.h>

float mmrd_f16_to_float(uint16_t h);
uint16_t mmrd_f16_from_float(float f);
float mmrd_bf16_to_float(uint16_t h);
uint16_t mmrd_bf16_from_float(float f);

/* n numbers at once; x and y do not overlap.  Same bits as the above. */
void mmrd_f16_to_floats(size_t n, const uint16_t *x, float *y);
void mmrd_f16_from_floats(size_t n, const float *x, uint16_t *y);

#endif /* MMRD_HALF_H */
