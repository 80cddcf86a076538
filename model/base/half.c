/*
 * model/base/half.c
 *	  Conversions between float and its two narrow forms, by integer
 *	  arithmetic, so that every processor gives the same bits.
 *
 * binary16 has 5 exponent bits (bias 15) and 10 fraction bits.  A float whose
 * exponent is below that range becomes a subnormal: the fraction with its
 * hidden bit, shifted right, rounded to nearest even like everything else.
 * The bulk forms use F16C where the processor has it; its rounding and NaN
 * rules are the same ones.
 */
#include "model/base/half.h"

#include <string.h>
#if defined(__x86_64__)
#include <cpuid.h>
#include <immintrin.h>
#endif

static uint32_t
bits_of(float f)
{
	uint32_t u;

	memcpy(&u, &f, sizeof(u));
	return u;
}

static float
float_of(uint32_t u)
{
	float f;

	memcpy(&f, &u, sizeof(f));
	return f;
}

float
mmrd_f16_to_float(uint16_t h)
{
	const uint32_t sign = (uint32_t) (h & 0x8000) << 16;
	uint32_t exponent = (h >> 10) & 0x1f;
	uint32_t fraction = h & 0x3ff;

	if (exponent == 0x1f)
		return float_of(sign | 0x7f800000 | fraction << 13 |
		                (fraction != 0 ? 0x400000 : 0));
	if (exponent == 0)
	{
		if (fraction == 0)
			return float_of(sign);
		exponent = 1;
		while ((fraction & 0x400) == 0)
		{
			fraction <<= 1;
			exponent--;
		}
		fraction &= 0x3ff;
	}
	return float_of(sign | (exponent + 112) << 23 | fraction << 13);
}

uint16_t
mmrd_f16_from_float(float f)
{
	const uint32_t u = bits_of(f);
	const uint32_t sign = (u >> 16) & 0x8000;
	const uint32_t magnitude = u & 0x7fffffff;
	uint32_t h;

	if (magnitude > 0x7f800000)
		return (uint16_t) (sign | 0x7e00 | (magnitude >> 13 & 0x3ff));
	if (magnitude >= 0x477ff000) /* 65520 and more round to infinity */
		return (uint16_t) (sign | 0x7c00);
	if (magnitude >= 0x38800000) /* 2^-14: normal in binary16 */
	{
		const uint32_t odd = (magnitude >> 13) & 1;

		h = (magnitude - 0x38000000 + 0xfff + odd) >> 13;
	}
	else if (magnitude < 0x33000000) /* below half the least subnormal */
		h = 0;
	else
	{
		const uint32_t shift = 126 - (magnitude >> 23);
		const uint32_t fraction = (magnitude & 0x7fffff) | 0x800000;
		const uint32_t half = 1u << (shift - 1);
		const uint32_t rest = fraction & ((1u << shift) - 1);

		h = fraction >> shift;
		if (rest > half || (rest == half && (h & 1)))
			h++;
	}
	return (uint16_t) (sign | h);
}

float
mmrd_bf16_to_float(uint16_t h)
{
	return float_of((uint32_t) h << 16);
}

uint16_t
mmrd_bf16_from_float(float f)
{
	const uint32_t u = bits_of(f);

	if ((u & 0x7fffffff) > 0x7f800000)
		return (uint16_t) (u >> 16 | 0x40);
	return (uint16_t) ((u + 0x7fff + ((u >> 16) & 1)) >> 16);
}

#if defined(__x86_64__)

/*
 * Asked by hand, because clang 14 does not know the name "f16c" in
 * __builtin_cpu_supports(), and once, because a virtual machine makes CPUID
 * slow.  Threads that ask at the same time store the same answer.
 */
static int
have_f16c(void)
{
	enum
	{
		UNKNOWN,
		NO,
		YES
	};
	static int known = UNKNOWN;
	int answer = __atomic_load_n(&known, __ATOMIC_RELAXED);

	if (answer == UNKNOWN)
	{
		unsigned eax;
		unsigned ebx;
		unsigned ecx = 0;
		unsigned edx;

		answer = __builtin_cpu_supports("avx") &&
		                 __get_cpuid(1, &eax, &ebx, &ecx, &edx) &&
		                 (ecx & bit_F16C) != 0
		             ? YES
		             : NO;
		__atomic_store_n(&known, answer, __ATOMIC_RELAXED);
	}
	return answer == YES;
}

__attribute__((target("avx,f16c"))) static size_t
to_floats_f16c(size_t n, const uint16_t *x, float *y)
{
	size_t i = 0;

	for (; i + 8 <= n; i += 8)
		_mm256_storeu_ps(
		    y + i, _mm256_cvtph_ps(_mm_loadu_si128((const void *) (x + i))));
	return i;
}

__attribute__((target("avx,f16c"))) static size_t
from_floats_f16c(size_t n, const float *x, uint16_t *y)
{
	size_t i = 0;

	for (; i + 8 <= n; i += 8)
		_mm_storeu_si128((void *) (y + i),
		                 _mm256_cvtps_ph(_mm256_loadu_ps(x + i),
		                                 _MM_FROUND_TO_NEAREST_INT));
	return i;
}

#endif

void
mmrd_f16_to_floats(size_t n, const uint16_t *x, float *y)
{
	size_t i = 0;

#if defined(__x86_64__)
	if (have_f16c())
		i = to_floats_f16c(n, x, y);
#endif
	for (; i < n; i++)
		y[i] = mmrd_f16_to_float(x[i]);
}

void
mmrd_f16_from_floats(size_t n, const float *x, uint16_t *y)
{
	size_t i = 0;

#if defined(__x86_64__)
	if (have_f16c())
		i = from_floats_f16c(n, x, y);
#endif
	for (; i < n; i++)
		y[i] = mmrd_f16_from_float(x[i]);
}
