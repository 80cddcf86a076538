/*
 * client/scan_table.c
 *	  The table that scans are loaded into.
 *
 * The server parses the name as it would in a statement, so that case and
 * quotes mean what they do everywhere; from then on it is used with its
 * schema.  The search path is the user's own and may lead anywhere: what is
 * not a user's object is named with pg_catalog.
 */
#include "client/scan_table.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/say.h"
#include "client/text.h"

enum
{
	IDS_AT_ONCE = 1000
};

/* What a column holds, as a type and as those we find good enough. */
static const struct
{
	const char *type; /* of a new table */
	const char *also; /* another type that takes the same bytes */
	const char *extra;
	bool needed;
} columns[MMRD_LOAD_COLUMNS] = {
    [MMRD_LOAD_ID] = {"text", "varchar", " PRIMARY KEY", true},
    [MMRD_LOAD_CATEGORY] = {"text", "varchar", " NOT NULL", false},
    [MMRD_LOAD_SPLIT] = {"text", "varchar", "", false},
    [MMRD_LOAD_LABEL] = {"bool", "bool", "", false},
    [MMRD_LOAD_DEFECT] = {"text", "varchar", "", false},
    [MMRD_LOAD_RGB] = {"bytea", "bytea", " NOT NULL", true},
    [MMRD_LOAD_AUX] = {"bytea", "bytea", "", true},
    [MMRD_LOAD_AUX2] = {"bytea", "bytea", "", true},
    [MMRD_LOAD_MASK] = {"bytea", "bytea", "", false},
};

/* Does a set fill this column at all? */
static bool
is_filled(const mmrd_dataset *set, int column)
{
	if (column == MMRD_LOAD_AUX)
		return set->has[MMRD_SCAN_AUX];
	if (column == MMRD_LOAD_AUX2)
		return set->has[MMRD_SCAN_AUX2];
	return true;
}

/* The table's name for SQL, or NULL: *exists tells why. */
static char *
find_table(PGconn *conn, const char *table, bool *exists)
{
	PGresult *result =
	    mmrd_query(conn, "look for the table",
	               "SELECT pg_catalog.format('%I.%I', n.nspname, c.relname) "
	               "FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n "
	               "ON n.oid OPERATOR(pg_catalog.=) c.relnamespace "
	               "WHERE c.oid OPERATOR(pg_catalog.=) "
	               "pg_catalog.to_regclass($1::pg_catalog.text)",
	               1, &table);
	char *name = NULL;

	*exists = result == NULL || PQntuples(result) == 1;
	if (result != NULL && PQntuples(result) == 1)
		name = strdup(PQgetvalue(result, 0, 0));
	PQclear(result);
	return name;
}

/* What a table of that name would be called in the current schema. */
static char *
name_table(PGconn *conn, const char *table)
{
	PGresult *result = mmrd_query(
	    conn, "read the name of the table",
	    "SELECT pg_catalog.format('%I.%I', CASE "
	    "pg_catalog.array_length(p, 1) WHEN 1 THEN "
	    "pg_catalog.current_schema() WHEN 2 THEN p[1]::pg_catalog.name END, "
	    "p[pg_catalog.array_length(p, 1)]) "
	    "FROM pg_catalog.parse_ident($1::pg_catalog.text) p",
	    1, &table);
	char *name = NULL;

	if (result != NULL && PQntuples(result) == 1)
		name = strdup(PQgetvalue(result, 0, 0));
	PQclear(result);
	return name;
}

static bool
create_table(PGconn *conn, const mmrd_load_options *o, const mmrd_dataset *set,
             const char *name)
{
	mmrd_text sql = {0};
	bool ok;

	mmrd_text_add(&sql, "CREATE TABLE IF NOT EXISTS %s (", name);
	for (int c = 0; c < MMRD_LOAD_COLUMNS; c++)
		if (is_filled(set, c))
		{
			mmrd_text_add(&sql, c > 0 ? ", " : "");
			mmrd_text_identifier(&sql, conn, o->column[c]);
			mmrd_text_add(&sql, " pg_catalog.%s%s", columns[c].type,
			              columns[c].extra);
		}
	mmrd_text_add(&sql, ")");

	/* Pictures are compressed already: trying again would cost time. */
	for (int c = MMRD_LOAD_RGB; c <= MMRD_LOAD_MASK; c++)
		if (is_filled(set, c))
		{
			mmrd_text_add(&sql, "; ALTER TABLE %s ALTER COLUMN ", name);
			mmrd_text_identifier(&sql, conn, o->column[c]);
			mmrd_text_add(&sql, " SET STORAGE EXTERNAL");
		}
	ok = !sql.failed && mmrd_commands(conn, "create the table", sql.text);
	if (ok && !o->quiet)
		printf("table %s created\n", name);
	mmrd_text_clear(&sql);
	return ok;
}

/* Is there a column of that name, and of a type that takes our bytes? */
static bool
check_column(PGconn *conn, const mmrd_load_options *o, int column,
             mmrd_scan_table *t)
{
	const char *const values[2] = {t->name, o->column[column]};
	PGresult *result = mmrd_query(
	    conn, "look at the table's columns",
	    "SELECT t.typname, pg_catalog.format_type(t.oid, NULL) "
	    "FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_type t "
	    "ON t.oid OPERATOR(pg_catalog.=) a.atttypid "
	    "WHERE a.attrelid OPERATOR(pg_catalog.=) "
	    "pg_catalog.to_regclass($1::pg_catalog.text) "
	    "AND a.attname OPERATOR(pg_catalog.=) $2::pg_catalog.name "
	    "AND a.attnum OPERATOR(pg_catalog.>) 0 AND NOT a.attisdropped",
	    2, values);
	const char *type;
	bool ok = true;

	if (result == NULL)
		return false;
	if (PQntuples(result) == 0 && columns[column].needed)
	{
		mmrd_say("table %s has no column \"%s\"", t->name, o->column[column]);
		mmrd_say("ALTER TABLE ... ADD COLUMN makes one, --column %s=... names "
		         "another",
		         mmrd_load_column_name((mmrd_load_column) column));
		ok = false;
	}
	else if (PQntuples(result) == 0)
		mmrd_say("table %s has no column \"%s\": it is left out", t->name,
		         o->column[column]);
	else
	{
		type = PQgetvalue(result, 0, 0);
		t->fills[column] = strcmp(type, columns[column].type) == 0 ||
		                   strcmp(type, columns[column].also) == 0;
		ok = t->fills[column];
		if (!ok)
			mmrd_say("column \"%s\" of table %s has type %s, not %s",
			         o->column[column], t->name, PQgetvalue(result, 0, 1),
			         columns[column].type);
	}
	PQclear(result);
	return ok;
}

/* Rows are told apart by the id alone. */
static bool
check_unique(PGconn *conn, const mmrd_load_options *o,
             const mmrd_scan_table *t)
{
	const char *const values[2] = {t->name, o->column[MMRD_LOAD_ID]};
	PGresult *result = mmrd_query(
	    conn, "look at the table's indexes",
	    "SELECT FROM pg_catalog.pg_index i JOIN pg_catalog.pg_attribute a "
	    "ON a.attrelid OPERATOR(pg_catalog.=) i.indrelid "
	    "AND a.attnum OPERATOR(pg_catalog.=) i.indkey[0] "
	    "WHERE i.indrelid OPERATOR(pg_catalog.=) "
	    "pg_catalog.to_regclass($1::pg_catalog.text) "
	    "AND a.attname OPERATOR(pg_catalog.=) $2::pg_catalog.name "
	    "AND i.indisunique AND i.indisvalid "
	    "AND i.indnkeyatts OPERATOR(pg_catalog.=) 1 "
	    "AND i.indpred IS NULL AND i.indexprs IS NULL",
	    2, values);
	const bool ok = result != NULL && PQntuples(result) > 0;

	if (result != NULL && !ok)
	{
		mmrd_say("column \"%s\" of table %s is not unique, so rows cannot be "
		         "told apart",
		         values[1], t->name);
		mmrd_say("ALTER TABLE ... ADD UNIQUE makes it so");
	}
	PQclear(result);
	return ok;
}

static bool
make_copy(PGconn *conn, const mmrd_load_options *o, mmrd_scan_table *t)
{
	mmrd_text copy = {0};
	mmrd_text id = {0};
	int n = 0;

	mmrd_text_add(&copy, "COPY %s (", t->name);
	for (int c = 0; c < MMRD_LOAD_COLUMNS; c++)
		if (t->fills[c])
		{
			mmrd_text_add(&copy, n++ > 0 ? ", " : "");
			mmrd_text_identifier(&copy, conn, o->column[c]);
		}
	mmrd_text_add(&copy, ") FROM STDIN (FORMAT binary)");
	mmrd_text_identifier(&id, conn, o->column[MMRD_LOAD_ID]);
	t->copy = copy.text;
	t->id = id.text;
	return !copy.failed && !id.failed;
}

bool
mmrd_scan_table_open(PGconn *conn, const mmrd_load_options *options,
                     const mmrd_dataset *set, mmrd_scan_table *out)
{
	bool exists;

	memset(out, 0, sizeof(*out));
	out->name = find_table(conn, options->table, &exists);
	if (out->name == NULL && exists)
		return false;
	if (out->name == NULL)
	{
		out->name = name_table(conn, options->table);
		if (out->name == NULL || !create_table(conn, options, set, out->name))
			return false;
	}
	for (int c = 0; c < MMRD_LOAD_COLUMNS; c++)
		if (is_filled(set, c) && !check_column(conn, options, c, out))
			return false;
	return check_unique(conn, options, out) && make_copy(conn, options, out);
}

void
mmrd_scan_table_clear(mmrd_scan_table *table)
{
	free(table->name);
	free(table->id);
	free(table->copy);
	memset(table, 0, sizeof(*table));
}

/* Ids of some scans as a text[]: '{"a","b"}'. */
static void
put_array(mmrd_text *to, const mmrd_dataset *set, const size_t *scans,
          size_t n)
{
	mmrd_text_add(to, "{");
	for (size_t i = 0; i < n; i++)
	{
		mmrd_text_add(to, i > 0 ? ",\"" : "\"");
		for (const char *c = set->scans[scans[i]].id; *c != '\0'; c++)
			mmrd_text_add(to, *c == '"' || *c == '\\' ? "\\%c" : "%c", *c);
		mmrd_text_add(to, "\"");
	}
	mmrd_text_add(to, "}");
}

/* A name that the database's encoding does not have cannot be in it. */
static bool
is_untranslatable(const PGresult *result)
{
	const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);

	return state != NULL && strcmp(state, "22P05") == 0;
}

/* The answer is the places in the list of those that are there. */
static bool
ask_some(PGconn *conn, const mmrd_scan_table *t, const mmrd_dataset *set,
         const size_t *scans, size_t n, bool *present)
{
	mmrd_text sql = {0};
	mmrd_text ids = {0};
	PGresult *result = NULL;
	bool ok;

	put_array(&ids, set, scans, n);
	mmrd_text_add(
	    &sql,
	    "SELECT a.place FROM pg_catalog.unnest($1::pg_catalog.text[]) "
	    "WITH ORDINALITY a (id, place) WHERE EXISTS (SELECT FROM %s t "
	    "WHERE t.%s OPERATOR(pg_catalog.=) a.id)",
	    t->name, t->id);
	if (!sql.failed && !ids.failed)
		result = PQexecParams(conn, sql.text, 1, NULL,
		                      (const char *const *) &ids.text, NULL, NULL, 0);
	mmrd_text_clear(&sql);
	mmrd_text_clear(&ids);
	ok = PQresultStatus(result) == PGRES_TUPLES_OK;
	if (ok)
		for (int r = 0; r < PQntuples(result); r++)
			present[scans[atol(PQgetvalue(result, r, 0)) - 1]] = true;
	else if (is_untranslatable(result)) /* find out which, by halves */
		ok = n == 1 ||
		     (ask_some(conn, t, set, scans, n / 2, present) &&
		      ask_some(conn, t, set, scans + n / 2, n - n / 2, present));
	else
		mmrd_say_result("look for rows that are already there",
		                PQerrorMessage(conn));
	PQclear(result);
	return ok;
}

bool
mmrd_scan_table_present(PGconn *conn, const mmrd_scan_table *table,
                        const mmrd_dataset *set, const size_t *scans,
                        size_t n_scans, bool *present)
{
	for (size_t at = 0; at < n_scans; at += IDS_AT_ONCE)
	{
		const size_t n =
		    n_scans - at < IDS_AT_ONCE ? n_scans - at : IDS_AT_ONCE;

		if (!ask_some(conn, table, set, scans + at, n, present))
			return false;
	}
	return true;
}
