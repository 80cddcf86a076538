/*
 * model/base/status.c
 *	  Filling an mmrd_error.
 */
#include "model/base/status.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

mmrd_status
mmrd_fail(mmrd_error *err, mmrd_status status, const char *fmt, ...)
{
	va_list args;

	memset(err, 0, sizeof(*err));
	err->status = status;
	va_start(args, fmt);
	vsnprintf(err->message, sizeof(err->message), fmt, args);
	va_end(args);
	return status;
}

mmrd_status
mmrd_detail(mmrd_error *err, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(err->detail, sizeof(err->detail), fmt, args);
	va_end(args);
	return err->status;
}

mmrd_status
mmrd_hint(mmrd_error *err, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(err->hint, sizeof(err->hint), fmt, args);
	va_end(args);
	return err->status;
}

mmrd_status
mmrd_fail_memory(mmrd_error *err, double n_bytes)
{
	mmrd_fail(err, MMRD_NO_MEMORY, "out of memory");
	return mmrd_detail(err, "An allocation of %.0f bytes failed.", n_bytes);
}
