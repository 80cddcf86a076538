/*
 * report/page.h
 *	  HTML as it grows: the one place where text of others is escaped.
 *
 *	  mmrd_page page = {0};
 *
 *	  mmrd_page_raw(&page, "<p>");
 *	  mmrd_page_text(&page, name_from_somewhere);
 *	  mmrd_page_format(&page, "<td>%d</td>", n);
 *	  ...
 *	  MMRD_TRY(mmrd_page_finish(&page, &html, &n_bytes, err));
 *
 * Everything that is written is ASCII, so that a page means the same in
 * whatever encoding it is sent or saved.  A failed allocation is remembered
 * and said once, by mmrd_page_finish(); until then calls do nothing.
 */
#ifndef MMRD_PAGE_H
#define MMRD_PAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/base/status.h"

typedef struct mmrd_page
{
	char *text; /* n bytes and a zero; owned */
	size_t n;
	size_t room;
	size_t refused; /* bytes that could not be had; 0: none so far */
} mmrd_page;

/* HTML of our own, as it stands. */
void mmrd_page_raw(mmrd_page *page, const char *html);

/* The same with numbers, or words of our own, put in; never with %s of
 * anybody else's. */
void mmrd_page_format(mmrd_page *page, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/*
 * Text of others, UTF-8, for an element's content or a quoted attribute.
 * What means something in HTML becomes a reference, and so does all that is
 * not ASCII; bytes that are not UTF-8 and characters that HTML forbids become
 * U+FFFD.  NULL writes nothing.
 */
void mmrd_page_text(mmrd_page *page, const char *utf8);

/* The same, at most max characters, and an ellipsis when there are more. */
void mmrd_page_text_cut(mmrd_page *page, const char *utf8, size_t max);

/* 1234567 as 1,234,567. */
void mmrd_page_count(mmrd_page *page, int64_t count);

/* Three significant digits, without an exponent from 1e-4 to 1e9; a dash
 * for what is not finite. */
void mmrd_page_number(mmrd_page *page, double number);

/* 0.0312 as 3.1 %; a dash for what is not finite. */
void mmrd_page_percent(mmrd_page *page, double share);

/* Base64, for data: addresses. */
void mmrd_page_base64(mmrd_page *page, const uint8_t *bytes, size_t n_bytes);

/*
 * The whole text, zero-terminated, which the caller then owns and releases
 * with free(); the page is empty again.  MMRD_NO_MEMORY when anything before
 * could not be had: *text is NULL then.
 */
mmrd_status mmrd_page_finish(mmrd_page *page, char **text, size_t *n_bytes,
                             mmrd_error *err);

/* Throw a page away; it may be all zero. */
void mmrd_page_clear(mmrd_page *page);

#endif /* MMRD_PAGE_H */
