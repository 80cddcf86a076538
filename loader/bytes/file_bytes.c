/*
 * loader/bytes/file_bytes.c
 *	  A file of the disk to memory, within a limit.
 */
#include "loader/bytes/file_bytes.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum
{
	READ_AT_ONCE = 1 << 20 /* bytes between two questions to the stop hook */
};

mmrd_status
mmrd_fail_errno(mmrd_error *err, int sys_errno, const char *doing)
{
	char reason[128];

	/* The POSIX form; strerror() itself may not be called by two threads. */
	if (strerror_r(sys_errno, reason, sizeof(reason)) != 0)
		snprintf(reason, sizeof(reason), "error %d", sys_errno);
	mmrd_fail(err, MMRD_IO_ERROR, "%s: %s", doing, reason);
	err->sys_errno = sys_errno;
	return MMRD_IO_ERROR;
}

/* The size of an open file, once it is known to be one that has a size. */
static mmrd_status
check_file(int fd, size_t max_bytes, size_t *size, mmrd_error *err)
{
	struct stat st;

	if (fstat(fd, &st) != 0)
		return mmrd_fail_errno(err, errno, "file cannot be examined");
	if (!S_ISREG(st.st_mode))
		return mmrd_fail(err, MMRD_UNSUPPORTED, "not a regular file");
	if (st.st_size < 0 || (uintmax_t) st.st_size > max_bytes)
	{
		mmrd_fail(err, MMRD_LIMIT_EXCEEDED, "file is too large");
		return mmrd_detail(err, "It has %jd bytes, %zu are allowed.",
		                   (intmax_t) st.st_size, max_bytes);
	}
	*size = (size_t) st.st_size;
	return MMRD_OK;
}

static mmrd_status
read_all(int fd, size_t size, const mmrd_stop *stop, uint8_t *bytes,
         size_t *n_bytes, mmrd_error *err)
{
	size_t at = 0;

	while (at < size)
	{
		const size_t left = size - at;
		ssize_t got;

		if (stop != NULL && stop->asked != NULL && stop->asked(stop->context))
			return mmrd_fail(err, MMRD_CANCELLED, "cancelled");
		got = read(fd, bytes + at, left < READ_AT_ONCE ? left : READ_AT_ONCE);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return mmrd_fail_errno(err, errno, "file cannot be read");
		if (got == 0)
			break;
		at += (size_t) got;
	}
	*n_bytes = at;
	return MMRD_OK;
}

mmrd_status
mmrd_file_read(const char *path, size_t max_bytes, const mmrd_stop *stop,
               uint8_t **bytes, size_t *n_bytes, mmrd_error *err)
{
	size_t size = 0;
	mmrd_status st;
	int fd;

	*bytes = NULL;
	*n_bytes = 0;
	/* Without O_NONBLOCK a pipe would wait for somebody to write to it. */
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (fd < 0)
		return mmrd_fail_errno(err, errno, "file cannot be opened");
	st = check_file(fd, max_bytes, &size, err);
	if (st != MMRD_OK)
		goto done;
	*bytes = malloc(size > 0 ? size : 1);
	if (*bytes == NULL)
	{
		st = mmrd_fail_memory(err, (double) size);
		goto done;
	}
	st = read_all(fd, size, stop, *bytes, n_bytes, err);
	if (st != MMRD_OK)
	{
		free(*bytes);
		*bytes = NULL;
	}

done:
	close(fd);
	return st;
}
