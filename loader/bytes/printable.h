/*
 * loader/bytes/printable.h
 *	  Showing bytes of a file inside a message.
 */
#ifndef MMRD_PRINTABLE_H
#define MMRD_PRINTABLE_H

#include <stdbool.h>
#include <stddef.h>

/*
 * Copy n bytes into buf as printable ASCII, "?" for every other byte, cut
 * with "..." where buf is too small (at least 4 bytes).  Messages travel
 * through databases of any encoding, which would choke on raw bytes of a
 * hostile file.  Returns buf.
 */
const char *mmrd_printable(const void *bytes, size_t n, char *buf,
                           size_t buf_bytes);

/* Is every one of n bytes printable ASCII (space to tilde)? */
bool mmrd_is_printable(const void *bytes, size_t n);

#endif /* MMRD_PRINTABLE_H */
