/*
 * extension/pg_access.h
 *	  mmrd's own tables, read and written as the extension's owner.
 *
 *	  mmrd_pg_access access;
 *
 *	  mmrd_pg_access_begin(&access);
 *	  n = mmrd_pg_run(&find_model, values, NULL);
 *	  ... read SPI_tuptable, copy what is kept into access.caller ...
 *	  mmrd_pg_access_end(&access);
 *
 * Between the two the user id is that of the extension's owner, the search
 * path is pg_catalog alone, and SPI is connected.  Only statements of our own
 * run there: never a condition that a user wrote, never a user's table.  An
 * error in between needs no end: aborting the (sub)transaction restores all
 * three.  Statements name their tables with the schema, mmrd.
 */
#ifndef MMRD_PG_ACCESS_H
#define MMRD_PG_ACCESS_H

#include "extension/pg_compat.h"
#include "executor/spi.h"

enum
{
	MMRD_PG_MAX_PARAMETERS = 24
};

typedef struct mmrd_pg_access
{
	MemoryContext caller; /* current when it began, and again after it */
	Oid user;
	int security;
	int guc_level;
} mmrd_pg_access;

extern void mmrd_pg_access_begin(mmrd_pg_access *access);
extern void mmrd_pg_access_end(mmrd_pg_access *access);

/*
 * Until the access ends, plan by indexes: for tables that are short when
 * their statistics are made and long when they are used, or the reverse.
 */
extern void mmrd_pg_access_by_index(void);

/* The OID of mmrd.name; needs no access, and looks nothing else up. */
extern Oid mmrd_pg_own_relation(const char *name);

/* A statement that is planned once in a session and kept. */
typedef struct mmrd_pg_statement
{
	const char *sql;
	bool read_only; /* sees the active snapshot; else also own changes */
	int n_parameters;
	Oid types[MMRD_PG_MAX_PARAMETERS];
	SPIPlanPtr plan; /* NULL at first */
} mmrd_pg_statement;

/*
 * Run it to the end.  nulls as in SPI ('n' marks a NULL) or NULL.  Returns
 * the number of rows, which are in SPI_tuptable where it returns any.  Unlike
 * SPI's functions, these leave the memory context as it was.
 */
extern uint64 mmrd_pg_run(mmrd_pg_statement *statement, Datum *values,
                          const char *nulls);

/* The same for many rows, at most n at a time; then SPI_cursor_close(). */
extern Portal mmrd_pg_open(mmrd_pg_statement *statement, Datum *values,
                           const char *nulls);
extern uint64 mmrd_pg_fetch(Portal portal, long n);

/* Column `number` (1-based) of row `row` of SPI_tuptable. */
extern Datum mmrd_pg_field(uint64 row, int number, bool *isnull);

/* A text column, in the memory of `owner`; NULL for NULL. */
extern char *mmrd_pg_field_text(uint64 row, int number, MemoryContext owner);

#endif /* MMRD_PG_ACCESS_H */
