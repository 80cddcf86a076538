/*
 * model/base/random.h
 *	  Random numbers that are the same on every machine.
 *
 * A generator is one 64-bit word (SplitMix64: Steele, Lea and Flood, OOPSLA
 * 2014), so a checkpoint can store it.  A child generator for a named purpose
 * keeps one use from disturbing another.
 */
#ifndef MMRD_RANDOM_H
#define MMRD_RANDOM_H

#include <stddef.h>
#include <stdint.h>

typedef struct mmrd_random
{
	uint64_t state;
} mmrd_random;

/* A generator for one purpose ("shuffle", "init", ...) of one seed. */
mmrd_random mmrd_random_create(uint64_t seed, const char *purpose);

/* The next 64 random bits. */
uint64_t mmrd_random_bits(mmrd_random *r);

/* Uniform in [0, 1), with 53 random bits. */
double mmrd_random_uniform(mmrd_random *r);

/* Uniform integer in [0, n), n at least 1, without modulo bias. */
uint64_t mmrd_random_below(mmrd_random *r, uint64_t n);

/* Standard normal, by the polar form of Box-Muller; uses libm's log, sqrt. */
double mmrd_random_normal(mmrd_random *r);

/* Fisher-Yates: order becomes a random permutation of 0 .. n-1. */
void mmrd_random_permutation(mmrd_random *r, int n, int32_t *order);

/* SplitMix64's finaliser on z + golden gamma, and FNV-1a of a string: the
 * formula weights of the golden data are made of these two. */
uint64_t mmrd_mix64(uint64_t z);
uint64_t mmrd_fnv1a64(const char *text);

#endif /* MMRD_RANDOM_H */
