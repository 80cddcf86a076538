/*
 * model/base/status.h
 *	  How anything below extension/ says that it failed.
 *
 * A function that can fail returns mmrd_status and takes, as its last
 * argument, the mmrd_error to fill on failure; never NULL.  Nothing in model/
 * or loader/ prints, exits, aborts or longjmps.
 */
#ifndef MMRD_STATUS_H
#define MMRD_STATUS_H

typedef enum mmrd_status
{
	MMRD_OK = 0,
	MMRD_INVALID_ARGUMENT, /* the caller's fault: shape, range, name */
	MMRD_CORRUPT_DATA,     /* the bytes contradict their own format */
	MMRD_UNSUPPORTED,      /* valid bytes, a variant we do not read */
	MMRD_LIMIT_EXCEEDED,   /* allowed by the format, not by our limits */
	MMRD_NO_MEMORY,
	MMRD_IO_ERROR,  /* the reason is in mmrd_error.sys_errno */
	MMRD_CANCELLED, /* the caller's stop hook asked for it */
	MMRD_INTERNAL   /* a bug on our side */
} mmrd_status;

typedef struct mmrd_error
{
	mmrd_status status;
	int sys_errno;     /* errno for MMRD_IO_ERROR, else 0 */
	char message[160]; /* what failed: lower case, no period */
	char detail[240];  /* whole sentences with the numbers, or "" */
	char hint[240];    /* whole sentences: what to do about it, or "" */
} mmrd_error;

/* Fill *err and return status, so that a check is one statement. */
mmrd_status mmrd_fail(mmrd_error *err, mmrd_status status, const char *fmt,
                      ...) __attribute__((format(printf, 3, 4)));

/* Add the detail to what mmrd_fail() just filled; returns the same status. */
mmrd_status mmrd_detail(mmrd_error *err, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* Add the hint to what mmrd_fail() just filled; returns the same status. */
mmrd_status mmrd_hint(mmrd_error *err, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* The failure everybody has: message "out of memory", the size as detail. */
mmrd_status mmrd_fail_memory(mmrd_error *err, double n_bytes);

/* Pass a failure up unchanged; only where there is nothing to release. */
#define MMRD_TRY(call)                                                        \
	do                                                                        \
	{                                                                         \
		mmrd_status try_status_ = (call);                                     \
		if (try_status_ != MMRD_OK)                                           \
			return try_status_;                                               \
	} while (0)

#endif /* MMRD_STATUS_H */
