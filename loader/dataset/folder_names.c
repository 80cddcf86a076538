/*
 * loader/dataset/folder_names.c
 *	  What the names in a folder of one's own say about a file.
 *
 * Two habits are common, and both are understood: a folder per kind of file,
 * rgb/0001.png and depth/0001.tiff, and an ending, 0001_rgb.png and
 * 0001_depth.tiff.  Either is taken out of the path, and what is left is the
 * same for all files of one scan.  A file that is called rgb.png and nothing
 * else is named by its folder.
 */
#include "loader/dataset/folder_names.h"

#include <stddef.h>
#include <string.h>
#include <strings.h>

static const struct
{
	const char *word;
	mmrd_scan_role role;
} role_words[] = {
    {"rgb", MMRD_SCAN_RGB},           {"color", MMRD_SCAN_RGB},
    {"colour", MMRD_SCAN_RGB},        {"image", MMRD_SCAN_RGB},
    {"images", MMRD_SCAN_RGB},        {"aux", MMRD_SCAN_AUX},
    {"depth", MMRD_SCAN_AUX},         {"normals", MMRD_SCAN_AUX},
    {"xyz", MMRD_SCAN_AUX},           {"points", MMRD_SCAN_AUX},
    {"aux2", MMRD_SCAN_AUX2},         {"mask", MMRD_SCAN_MASK},
    {"masks", MMRD_SCAN_MASK},        {"gt", MMRD_SCAN_MASK},
    {"ground_truth", MMRD_SCAN_MASK},
};

static const char *const endings[] = {".png", ".tif", ".tiff", ".jpg",
                                      ".jpeg"};
static const char *const splits[] = {"train", "validation", "val", "test"};
static const char *const good_words[] = {"good", "ok"};
static const char *const bad_words[] = {"bad",       "ng",        "defect",
                                        "defective", "anomalous", "anomaly"};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* Is the text of n bytes this word, in any case of letters? */
static bool
is_word(const char *text, size_t n, const char *word)
{
	return n == strlen(word) && strncasecmp(text, word, n) == 0;
}

static bool
is_one_of(const char *text, size_t n, const char *const *words, size_t n_words)
{
	for (size_t i = 0; i < n_words; i++)
		if (is_word(text, n, words[i]))
			return true;
	return false;
}

bool
mmrd_name_is_picture(const char *name)
{
	const char *dot = strrchr(name, '.');

	return dot != NULL && dot > name &&
	       is_one_of(dot, strlen(dot), endings, COUNT(endings));
}

static bool
role_of(const char *text, size_t n, mmrd_scan_role *role)
{
	for (size_t i = 0; i < COUNT(role_words); i++)
		if (is_word(text, n, role_words[i].word))
		{
			*role = role_words[i].role;
			return true;
		}
	return false;
}

/* Remove the piece [piece, piece + n) and the slash beside it. */
static void
remove_piece(char *path, char *piece, size_t n)
{
	char *rest = piece + n;

	if (*rest == '/')
		rest++;
	else if (piece > path)
		piece--;
	memmove(piece, rest, strlen(rest) + 1);
}

/* The deepest folder that is named for a kind of file. */
static bool
cut_folder(char *path, mmrd_scan_role *role)
{
	char *end = strrchr(path, '/');

	while (end != NULL)
	{
		char *begin = end;

		while (begin > path && begin[-1] != '/')
			begin--;
		if (role_of(begin, (size_t) (end - begin), role))
		{
			remove_piece(path, begin, (size_t) (end - begin));
			return true;
		}
		end = begin > path ? begin - 1 : NULL;
	}
	return false;
}

/* "0001_rgb", "0001-rgb" or "0001.rgb"; the name alone when it is "rgb". */
static bool
cut_ending(char *path, mmrd_scan_role *role)
{
	char *slash = strrchr(path, '/');
	char *name = slash != NULL ? slash + 1 : path;
	const size_t n = strlen(name);

	if (slash != NULL && role_of(name, n, role))
	{
		*slash = '\0';
		return true;
	}
	for (size_t at = 1; at < n; at++)
		if (strchr("_-.", name[at]) != NULL &&
		    role_of(name + at + 1, n - at - 1, role))
		{
			name[at] = '\0';
			return true;
		}
	return false;
}

void
mmrd_name_scan(char *path, mmrd_scan_role *role)
{
	mmrd_scan_role by_folder = MMRD_SCAN_RGB;
	mmrd_scan_role by_ending;
	char *dot = strrchr(path, '.');
	const char *slash = strrchr(path, '/');

	if (dot != NULL && (slash == NULL || dot > slash))
		*dot = '\0';
	/* First the ending: of "0001/rgb.png" the folder is what is left. */
	*role = cut_ending(path, &by_ending) ? by_ending : MMRD_SCAN_ROLES;
	if (cut_folder(path, &by_folder) && *role == MMRD_SCAN_ROLES)
		*role = by_folder;
	if (*role == MMRD_SCAN_ROLES)
		*role = MMRD_SCAN_RGB;
}

void
mmrd_name_label(const char *scan, const char **split, const char **defect,
                mmrd_scan_label *label)
{
	const char *piece = scan;
	const char *slash;
	bool after_split = false;

	*split = NULL;
	*defect = NULL;
	*label = MMRD_SCAN_UNKNOWN;
	for (; (slash = strchr(piece, '/')) != NULL; piece = slash + 1)
	{
		const size_t n = (size_t) (slash - piece);
		const bool good = is_one_of(piece, n, good_words, COUNT(good_words));
		const bool bad = is_one_of(piece, n, bad_words, COUNT(bad_words));

		if (*split == NULL && is_one_of(piece, n, splits, COUNT(splits)))
		{
			*split = piece;
			after_split = true;
			continue;
		}
		if (*defect == NULL && (good || bad || after_split))
		{
			*defect = piece;
			*label = good ? MMRD_SCAN_GOOD : MMRD_SCAN_DEFECTIVE;
		}
		after_split = false;
	}
}
