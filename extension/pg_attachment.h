/*
 * extension/pg_attachment.h
 *	  Attached tables: whose new scans are scored by themselves.
 *
 * An attachment is a row of mmrd.attachments and two triggers of the table.
 * The trigger for rows names the columns twice: its arguments say what each
 * is for, and its UPDATE OF list, in the same order, which one it is.  That
 * list follows when a column is renamed, keeps it from being dropped, comes
 * out of a dump as names, and says for each partition what its own columns
 * are.  So it is what counts; those in the row are there to be read.
 */
#ifndef MMRD_PG_ATTACHMENT_H
#define MMRD_PG_ATTACHMENT_H

#include "commands/trigger.h"
#include "extension/pg_compat.h"
#include "model/net/config.h"
#include "utils/rel.h"

#define MMRD_PG_SCAN_TRIGGER "mmrd_scan"
#define MMRD_PG_TRUNCATE_TRIGGER "mmrd_truncate"

typedef enum mmrd_pg_keep_map
{
	MMRD_PG_KEEP_ANOMALOUS,
	MMRD_PG_KEEP_ALWAYS,
	MMRD_PG_KEEP_NEVER
} mmrd_pg_keep_map;

/* Columns of one relation, the attached one or a partition of it. */
typedef struct mmrd_pg_columns
{
	bool scores; /* mode trigger; else queue */
	AttrNumber key;
	int n_modalities;
	AttrNumber modality[MMRD_MAX_MODALITIES];
	AttrNumber model; /* 0: none */
	Oid source;       /* by mmrd_pg_relation_columns(): what was attached */
} mmrd_pg_columns;

/* What the row says, apart from the columns. */
typedef struct mmrd_pg_attachment
{
	Oid source;
	Oid owner;   /* of the table: whose right to use the model counts */
	char *name;  /* of the table, for messages */
	char *model; /* or NULL */
	mmrd_pg_keep_map keep_map;
	char *notify; /* or NULL */
	bool raise_errors;
	bool keep_deleted;
} mmrd_pg_attachment;

/*
 * What a trigger says of the columns.  Throws where the trigger is none that
 * mmrd_attach() made.
 */
extern void mmrd_pg_trigger_columns(const Trigger *trigger,
                                    mmrd_pg_columns *out);

/* The same for the relation's own trigger; false: it has none. */
extern bool mmrd_pg_relation_columns(Relation rel, mmrd_pg_columns *out);

/*
 * Which relation was attached, given a trigger of it, or of a partition of
 * it.
 */
extern Oid mmrd_pg_trigger_source(Relation rel, Oid trigger);

/*
 * The attachment of a relation, in the memory of owner; false: there is none.
 * Needs an active snapshot.
 */
extern bool mmrd_pg_attachment_read(Relation source, MemoryContext owner,
                                    mmrd_pg_attachment *out);

/*
 * Write down the names of the columns again where they were renamed.  Runs
 * between mmrd_pg_access_begin() and _end().
 */
extern void mmrd_pg_attachment_follow(Relation source,
                                      const mmrd_pg_columns *columns);

/* Throw unless the caller owns the relation; what: to do so ... */
extern void mmrd_pg_check_owner(Relation rel, const char *what);

/* ---- keys ---- */

/*
 * The text of a key, the same whatever the settings of a session, in the
 * current memory context.
 */
extern char *mmrd_pg_key_text(Oid type, Datum value);

/* Throw where values of this type cannot be keys. */
extern void mmrd_pg_key_check(Oid type);

/* From the text back to a value of the type's base type. */
extern Datum mmrd_pg_key_value(Oid type, const char *text);

enum
{
	MMRD_PG_MAX_KEY = 1024 /* bytes of its text: it is indexed */
};

#endif /* MMRD_PG_ATTACHMENT_H */
