/*
 * model/kernel/isa.c
 *	  Choosing the instruction set: plain first, then upgrades.
 */
#include "model/kernel/isa.h"

#include <string.h>

#if defined(__x86_64__) && !defined(MMRD_FLOAT_IS_DOUBLE)
#define HAVE_X86 1
#else
#define HAVE_X86 0
#endif

static const mmrd_isa *chosen;

static bool
supports(const char *name)
{
#if HAVE_X86
	__builtin_cpu_init();
	if (strcmp(name, "avx2") == 0)
		return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
	if (strcmp(name, "avx512") == 0)
		return __builtin_cpu_supports("avx512f") &&
		       __builtin_cpu_supports("avx512bw") &&
		       __builtin_cpu_supports("avx512dq") &&
		       __builtin_cpu_supports("avx512vl") &&
		       __builtin_cpu_supports("fma");
	if (strcmp(name, "avx512bf16") == 0)
		return supports("avx512") && __builtin_cpu_supports("avx512bf16");
#endif
	return strcmp(name, "plain") == 0;
}

bool
mmrd_isa_select(const char *name)
{
	const mmrd_isa *const all[] = {
		&mmrd_isa_plain,
#if HAVE_X86
		&mmrd_isa_avx2,
		&mmrd_isa_avx512,
		&mmrd_isa_avx512bf16
#endif
	};

	if (!supports(name))
		return false;
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
	{
		if (strcmp(all[i]->name, name) == 0)
		{
			chosen = all[i];
			return true;
		}
	}
	return false;
}

const mmrd_isa *
mmrd_isa_get(void)
{
	if (chosen == NULL && !mmrd_isa_select("avx512bf16") &&
	    !mmrd_isa_select("avx512") && !mmrd_isa_select("avx2"))
		chosen = &mmrd_isa_plain;
	return chosen;
}
