/*
 * loader/bytes/file_bytes.h
 *	  A file of the disk to memory, within a limit.
 */
#ifndef MMRD_FILE_BYTES_H
#define MMRD_FILE_BYTES_H

#include <stddef.h>
#include <stdint.h>

#include "model/base/status.h"
#include "model/base/threads.h"

/*
 * Read a whole regular file.
 *
 * path			symbolic links are followed; nothing but a regular file is
 *				read, and opening a pipe or a device does not wait
 * max_bytes	compared with the file's size before anything is allocated
 * stop			asked before each MB; may be NULL
 * bytes		out: malloc'd, the caller frees it; NULL on failure.  An empty
 *				file is one byte of memory.
 * n_bytes		out: its length; 0 on failure.  A file that shrinks meanwhile
 *				is what could be read of it, one that grows what it was.
 *
 * Returns MMRD_IO_ERROR (sys_errno says why, and so does the message, which
 * does not name the path: the caller knows it), MMRD_UNSUPPORTED for what is
 * no regular file, MMRD_LIMIT_EXCEEDED, MMRD_NO_MEMORY, MMRD_CANCELLED.
 */
mmrd_status mmrd_file_read(const char *path, size_t max_bytes,
                           const mmrd_stop *stop, uint8_t **bytes,
                           size_t *n_bytes, mmrd_error *err);

/* MMRD_IO_ERROR, message "DOING: REASON" with the reason of this errno. */
mmrd_status mmrd_fail_errno(mmrd_error *err, int sys_errno, const char *doing);

#endif /* MMRD_FILE_BYTES_H */
