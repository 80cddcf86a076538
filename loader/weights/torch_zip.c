/*
 * loader/weights/torch_zip.c
 *	  Reading what torch.save() writes since PyTorch 1.6.
 *
 * A zip archive with one folder of any name.  In it, data.pkl is the pickle
 * of the saved object; data/<key> is the storage of that key, raw; byteorder,
 * in newer files, is "little" or "big".  The rest (version, .format_version,
 * .data/serialization_id, ...) says nothing that we need.
 */
#include "loader/weights/weights_build.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "loader/bytes/printable.h"
#include "loader/weights/torch_state.h"
#include "loader/weights/zip_directory.h"

enum
{
	OTHER_ENTRIES = 64, /* allowed beside the tensors */
	MAX_NAME = 1024     /* bytes of folder and key */
};

/* The archive while it is being read. */
typedef struct archive
{
	mmrd_zip zip;
	const char *folder; /* with its slash */
	size_t folder_bytes;
	mmrd_weights_file *file;
} archive;

/* The entry folder + name, or NULL. */
static const mmrd_zip_entry *
find_entry(const archive *a, const char *name, const uint8_t *more,
           size_t more_bytes)
{
	char path[MAX_NAME];
	const size_t name_bytes = strlen(name);

	if (a->folder_bytes > MAX_NAME / 2 || more_bytes > MAX_NAME / 4)
		return NULL;
	memcpy(path, a->folder, a->folder_bytes);
	memcpy(path + a->folder_bytes, name, name_bytes);
	if (more_bytes > 0)
		memcpy(path + a->folder_bytes + name_bytes, more, more_bytes);
	return mmrd_zip_find(&a->zip, path,
	                     a->folder_bytes + name_bytes + more_bytes);
}

/* The one folder that has a data.pkl. */
static mmrd_status
find_folder(archive *a, mmrd_error *err)
{
	static const char tail[] = "/data.pkl";
	const size_t tail_bytes = sizeof(tail) - 1;

	for (int i = 0; i < a->zip.n_entries; i++)
	{
		const mmrd_zip_entry *e = &a->zip.entries[i];
		const size_t n =
		    e->name_bytes > tail_bytes ? e->name_bytes - tail_bytes : 0;

		if (n == 0 || memcmp(e->name + n, tail, tail_bytes) != 0 ||
		    memchr(e->name, '/', n) != NULL)
			continue;
		if (a->folder != NULL)
			return mmrd_fail(err, MMRD_CORRUPT_DATA,
			                 "zip archive holds more than one data.pkl");
		a->folder = e->name;
		a->folder_bytes = n + 1;
	}
	if (a->folder == NULL)
	{
		mmrd_fail(err, MMRD_UNSUPPORTED,
		          "zip archive was not written by PyTorch");
		return mmrd_detail(err, "None of its %d entries is a data.pkl.",
		                   a->zip.n_entries);
	}
	return MMRD_OK;
}

static mmrd_weights_blob
blob_of(const mmrd_zip_entry *entry)
{
	mmrd_weights_blob blob = {0};

	blob.stored = entry->stored;
	blob.stored_bytes = entry->stored_bytes;
	blob.n_bytes = entry->n_bytes;
	blob.deflated = entry->deflated;
	blob.has_crc = true;
	blob.crc = entry->crc;
	return blob;
}

/* A small entry's bytes, uncompressed and checked. */
static mmrd_status
read_entry(archive *a, const mmrd_zip_entry *entry, const char *what,
           const uint8_t **bytes, mmrd_error *err)
{
	mmrd_weights_blob blob = blob_of(entry);

	if (entry->n_bytes > MMRD_PICKLE_MAX_BYTES)
	{
		mmrd_fail(err, MMRD_LIMIT_EXCEEDED, "%s is too long", what);
		return mmrd_detail(err, "It has %zu bytes, %d are allowed.",
		                   entry->n_bytes, MMRD_PICKLE_MAX_BYTES);
	}
	MMRD_TRY(mmrd_weights_build_ready(a->file, &blob, what, err));
	*bytes = blob.ready;
	return MMRD_OK;
}

static mmrd_status
check_byte_order(archive *a, mmrd_error *err)
{
	const mmrd_zip_entry *entry = find_entry(a, "byteorder", NULL, 0);
	const uint8_t *text = NULL;
	char shown[16];

	if (entry == NULL)
		return MMRD_OK; /* older files, all little endian */
	MMRD_TRY(read_entry(a, entry, "byteorder of the zip archive", &text, err));
	if (entry->n_bytes == 6 && memcmp(text, "little", 6) == 0)
		return MMRD_OK;
	mmrd_fail(err, MMRD_UNSUPPORTED, "weights file is not little endian");
	return mmrd_detail(
	    err, "Its byte order is \"%s\".",
	    mmrd_printable(text, entry->n_bytes, shown, sizeof(shown)));
}

static mmrd_status
find_storages(archive *a, mmrd_torch_storages *storages, mmrd_error *err)
{
	for (int i = 0; i < storages->n; i++)
	{
		mmrd_torch_storage *s = &storages->all[i];
		const mmrd_zip_entry *entry =
		    find_entry(a, "data/", s->key, s->key_bytes);
		mmrd_weights_blob blob;
		char shown[64];

		mmrd_printable(s->key, s->key_bytes, shown, sizeof(shown));
		if (entry == NULL)
			return mmrd_fail(err, MMRD_CORRUPT_DATA,
			                 "zip archive lacks storage \"%s\"", shown);
		if (entry->n_bytes != s->n_bytes)
		{
			mmrd_fail(err, MMRD_CORRUPT_DATA,
			          "storage \"%s\" has the wrong size", shown);
			return mmrd_detail(err, "Expected %zu bytes, found %zu.",
			                   s->n_bytes, entry->n_bytes);
		}
		blob = blob_of(entry);
		MMRD_TRY(mmrd_weights_build_blob(a->file, &blob, &s->blob, err));
	}
	return MMRD_OK;
}

static mmrd_status
read_archive(archive *a, mmrd_error *err)
{
	mmrd_status st = MMRD_OK;
	mmrd_pickle pickle = {0};
	mmrd_torch_storages storages = {0};
	const mmrd_zip_entry *entry;
	const uint8_t *bytes = NULL;
	size_t used = 0;

	MMRD_TRY(find_folder(a, err));
	MMRD_TRY(check_byte_order(a, err));
	entry = find_entry(a, "data.pkl", NULL, 0);
	if (entry == NULL)
		return mmrd_fail(err, MMRD_LIMIT_EXCEEDED,
		                 "folder name in the zip archive is too long");
	MMRD_TRY(read_entry(a, entry, "data.pkl of the zip archive", &bytes, err));
	st = mmrd_pickle_parse(&pickle, bytes, entry->n_bytes, &used, err);
	if (st == MMRD_OK && used != entry->n_bytes)
		st = mmrd_fail(err, MMRD_CORRUPT_DATA,
		               "pickle is followed by something else");
	if (st == MMRD_OK)
		st = mmrd_torch_storages_collect(&pickle, a->file->limits.max_tensors,
		                                 &storages, err);
	if (st == MMRD_OK)
		st = find_storages(a, &storages, err);
	if (st == MMRD_OK)
		st = mmrd_torch_state_list(&pickle, &storages, a->file, err);
	mmrd_torch_storages_clear(&storages);
	mmrd_pickle_clear(&pickle);
	return st;
}

mmrd_status
mmrd_torch_zip_read(const uint8_t *bytes, size_t len, mmrd_weights_file *file,
                    mmrd_error *err)
{
	const int most = file->limits.max_tensors;
	archive a = {0};
	mmrd_status st;

	a.file = file;
	MMRD_TRY(mmrd_zip_open(
	    bytes, len,
	    most > INT_MAX - OTHER_ENTRIES ? INT_MAX : most + OTHER_ENTRIES,
	    &a.zip, err));
	st = read_archive(&a, err);
	mmrd_zip_clear(&a.zip);
	return st;
}
