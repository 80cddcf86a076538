/*
 * extension/pg_builtin.c
 *	  Reading the teachers that ship with the extension.
 *
 * A file is compared with the checksum of the one that this library was
 * released with before anything is made of it: with other weights a model
 * would score wrongly without a word.
 */
#include "postgres.h"

#include "extension/pg_builtin.h"

#include <sys/stat.h>

#include "extension/pg_glue.h"
#include "extension/pg_server_file.h"
#include "loader/weights/weights_file.h"
#include "miscadmin.h"
#include "port/pg_crc32c.h"

/* By id: -1 is computed. */
static const struct
{
	int32 id;
	const char *file; /* in SHAREDIR/extension; NULL: computed */
	uint32 crc32c;
} builtins[] = {{-1, NULL, 0}, {-2, "mmrd_teacher_2.safetensors", 0xD66D726E}};

static void
free_file(void *file)
{
	mmrd_weights_file_free(file);
}

static uint8 *
read_weights(const char *teacher, const char *path, uint32 expected,
             Size *n_bytes)
{
	struct stat st;
	uint8 *bytes;
	pg_crc32c crc;

	if (stat(path, &st) != 0)
		ereport(
		    ERROR,
		    (errcode_for_file_access(),
		     errmsg("could not open the file of teacher \"%s\": %m", teacher),
		     errdetail("It should be \"%s\".", path),
		     errhint("It is installed with the extension: install mmrd "
		             "again on this server.")));
	bytes = mmrd_pg_server_file_read(path, n_bytes);
	INIT_CRC32C(crc);
	COMP_CRC32C(crc, bytes, *n_bytes);
	FIN_CRC32C(crc);
	if (!EQ_CRC32C(crc, expected))
		ereport(ERROR,
		        (errcode(ERRCODE_DATA_CORRUPTED),
		         errmsg("the file of teacher \"%s\" is not the one that was "
		                "released",
		                teacher),
		         errdetail("\"%s\" has the checksum %08X, expected %08X.",
		                   path, crc, expected),
		         errhint("Install mmrd again on this server.")));
	return bytes;
}

static void
load_from_file(const char *teacher, const char *name, uint32 crc32c,
               mmrd_weights *weights)
{
	MemoryContext before = CurrentMemoryContext;
	MemoryContext memory =
	    AllocSetContextCreate(before, "mmrd teacher", ALLOCSET_DEFAULT_SIZES);
	char share[MAXPGPATH];
	mmrd_pg_owned *owned;
	mmrd_weights_file *file = NULL;
	mmrd_error err = {0};
	mmrd_status st;
	uint8 *bytes;
	Size n_bytes;

	MemoryContextSwitchTo(memory);
	get_share_path(my_exec_path, share);
	bytes = read_weights(teacher, psprintf("%s/extension/%s", share, name),
	                     crc32c, &n_bytes);
	owned = mmrd_pg_own(memory, free_file);
	st = mmrd_weights_file_open(bytes, n_bytes, NULL, &file, &err);
	owned->object = file;
	if (st == MMRD_OK)
		st = mmrd_weights_load_teacher(weights, mmrd_weights_file_lookup, file,
		                               &err);
	MMRD_PG_CHECK(st, &err);
	MemoryContextSwitchTo(before);
	MemoryContextDelete(memory);
}

void
mmrd_pg_builtin_load(const mmrd_pg_teacher *teacher, mmrd_weights *weights)
{
	for (Size i = 0; i < lengthof(builtins); i++)
	{
		if (builtins[i].id != teacher->id)
			continue;
		if (builtins[i].file == NULL)
			mmrd_weights_init_teacher(weights);
		else
			load_from_file(teacher->name, builtins[i].file, builtins[i].crc32c,
			               weights);
		return;
	}
	ereport(ERROR,
	        (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
	         errmsg("teacher \"%s\" is not known to this version of mmrd",
	                teacher->name),
	         errdetail("It is shipped teacher number %d; the library is "
	                   "version %s.",
	                   -teacher->id, MMRD_VERSION),
	         errhint("Install the library of the version that made this "
	                 "database's extension.")));
}
