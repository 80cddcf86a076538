/*
 * client/load_options.c
 *	  The command line of mmrd-load.
 */
#include "client/load_options.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/say.h"

static const char *const column_names[MMRD_LOAD_COLUMNS] = {
    "id",  "category", "split", "label", "defect",
    "rgb", "aux",      "aux2",  "mask"};

static const char help[] =
    "mmrd-load puts folders of scans into a table of a PostgreSQL database.\n"
    "\n"
    "Usage:\n"
    "  mmrd-load --format FORMAT FOLDER --table TABLE [OPTION]...\n"
    "  mmrd-load --teacher NAME=FILE [OPTION]...\n"
    "\n"
    "What to load:\n"
    "  -f, --format=FORMAT       layout of the folder: mvtec3d (MVTec "
    "3D-AD),\n"
    "                            eyecandies, or folder (your own files)\n"
    "  -t, --table=TABLE         where to; created when it does not exist\n"
    "  -c, --category=NAME       load this category only; may be repeated.\n"
    "                            With \"folder\": what to call the category\n"
    "      --aux=KIND            none; with eyecandies also normals (the\n"
    "                            default), depth, both (normals as aux and\n"
    "                            depth as aux2)\n"
    "      --light=N             eyecandies: rgb is image N of 0 to 5 (4)\n"
    "      --column=NAME=COLUMN  the table has another name for column NAME;\n"
    "                            NAME is id, category, split, label, defect,\n"
    "                            rgb, aux, aux2 or mask\n"
    "      --max-pixels=N        refuse larger pictures (67108864)\n"
    "      --teacher=NAME=FILE   send a weights file to mmrd_import_teacher;\n"
    "                            may be repeated\n"
    "  -n, --dry-run             read and check all files, send nothing, do\n"
    "                            not connect\n"
    "  -q, --quiet               no progress\n"
    "\n"
    "Connection:\n"
    "  -h, --host=HOSTNAME       server, or folder of its socket\n"
    "  -p, --port=PORT\n"
    "  -U, --username=USERNAME\n"
    "  -d, --dbname=DBNAME       database, or a connection string\n"
    "  -w, --no-password         never ask for a password\n"
    "  -W, --password            ask for a password first\n"
    "\n"
    "  -V, --version             print the version, then exit\n"
    "  -?, --help                print this, then exit\n"
    "\n"
    "Rows that are already there, by their id, are skipped: run it again to\n"
    "go on after an interruption.  Environment variables PGHOST, PGPORT,\n"
    "PGUSER, PGDATABASE, PGPASSWORD and so on are used as by psql.\n"
    "\n"
    "Exit status: 0 when everything is in the table; 2 when all is but the\n"
    "bad scans that were listed; 1 when it had to stop; 130 after Ctrl-C.\n";

enum /* options that have no letter */
{
	OPTION_AUX = 256,
	OPTION_LIGHT,
	OPTION_COLUMN,
	OPTION_MAX_PIXELS,
	OPTION_TEACHER,
	OPTION_HELP
};

static const struct option long_options[] = {
    {"format", required_argument, NULL, 'f'},
    {"table", required_argument, NULL, 't'},
    {"category", required_argument, NULL, 'c'},
    {"aux", required_argument, NULL, OPTION_AUX},
    {"light", required_argument, NULL, OPTION_LIGHT},
    {"column", required_argument, NULL, OPTION_COLUMN},
    {"max-pixels", required_argument, NULL, OPTION_MAX_PIXELS},
    {"teacher", required_argument, NULL, OPTION_TEACHER},
    {"dry-run", no_argument, NULL, 'n'},
    {"quiet", no_argument, NULL, 'q'},
    {"host", required_argument, NULL, 'h'},
    {"port", required_argument, NULL, 'p'},
    {"username", required_argument, NULL, 'U'},
    {"dbname", required_argument, NULL, 'd'},
    {"no-password", no_argument, NULL, 'w'},
    {"password", no_argument, NULL, 'W'},
    {"version", no_argument, NULL, 'V'},
    {"help", no_argument, NULL, OPTION_HELP},
    {NULL, 0, NULL, 0}};

const char *
mmrd_load_column_name(mmrd_load_column column)
{
	return column_names[column];
}

static bool
mistake(const char *fmt, const char *value)
{
	mmrd_say(fmt, value);
	mmrd_say("\"mmrd-load --help\" lists the options");
	return false;
}

static bool
read_format(mmrd_load_options *o, const char *value)
{
	if (mmrd_dataset_format_parse(value, &o->set.format))
		return true;
	return mistake("unknown format \"%s\": there are mvtec3d, eyecandies and "
	               "folder",
	               value);
}

static bool
read_aux(mmrd_load_options *o, const char *value)
{
	if (mmrd_dataset_aux_parse(value, &o->set.aux))
		return true;
	return mistake("unknown aux \"%s\": there are none, xyz, normals, depth "
	               "and both",
	               value);
}

/* A whole number from 0; anything else is a mistake. */
static bool
read_number(const char *option, const char *value, long long most,
            long long *number)
{
	char *end;

	*number = strtoll(value, &end, 10);
	if (value[0] >= '0' && value[0] <= '9' && *end == '\0' && *number <= most)
		return true;
	mmrd_say("%s: \"%s\" is not a number from 0 to %lld", option, value, most);
	return false;
}

/* Cut "NAME=VALUE" in two. */
static bool
cut(const char *option, char *text, const char **name, const char **value)
{
	char *equals = strchr(text, '=');

	if (equals == NULL || equals == text || equals[1] == '\0')
	{
		mmrd_say("%s: \"%s\" has no name on the left of \"=\", or nothing on "
		         "the right",
		         option, text);
		return false;
	}
	*equals = '\0';
	*name = text;
	*value = equals + 1;
	return true;
}

static bool
read_column(mmrd_load_options *o, char *text)
{
	const char *name;
	const char *column;

	if (!cut("--column", text, &name, &column))
		return false;
	for (int c = 0; c < MMRD_LOAD_COLUMNS; c++)
		if (strcmp(name, column_names[c]) == 0)
		{
			o->column[c] = column;
			return true;
		}
	return mistake("--column: there is no column \"%s\" to name", name);
}

/* One option; *status is not -1 when that ends the program. */
static bool
read_one(mmrd_load_options *o, int option, char *value, int *status)
{
	long long number;

	switch (option)
	{
		case 'f':
			return read_format(o, value);
		case 't':
			o->table = value;
			return true;
		case 'c':
			o->categories[o->set.n_categories++] = value;
			return true;
		case OPTION_AUX:
			return read_aux(o, value);
		case OPTION_LIGHT:
			if (!read_number("--light", value, 5, &number))
				return false;
			o->set.light = (int) number;
			return true;
		case OPTION_COLUMN:
			return read_column(o, value);
		case OPTION_MAX_PIXELS:
			if (!read_number("--max-pixels", value, 1 << 30, &number))
				return false;
			o->set.raster.max_pixels = number;
			o->set.raster.max_bytes = (size_t) number * 12; /* 3 floats */
			return true;
		case OPTION_TEACHER:
			return cut("--teacher", value, &o->teachers[o->n_teachers].name,
			           &o->teachers[o->n_teachers].path) &&
			       ++o->n_teachers > 0;
		case 'n':
			o->dry_run = true;
			return true;
		case 'q':
			o->quiet = true;
			return true;
		case 'h':
			o->host = value;
			return true;
		case 'p':
			o->port = value;
			return true;
		case 'U':
			o->user = value;
			return true;
		case 'd':
			o->database = value;
			return true;
		case 'w':
			o->password = -1;
			return true;
		case 'W':
			o->password = 1;
			return true;
		case 'V':
			printf("mmrd-load (mmrd) %s\n", MMRD_VERSION);
			break;
		case OPTION_HELP:
			fputs(help, stdout);
			break;
		default: /* getopt has said what is wrong */
			return mistake("%s", "please correct the command line");
	}
	*status = MMRD_LOAD_DONE;
	return false;
}

static bool
check_whole(mmrd_load_options *o, bool has_format, int argc, char **argv)
{
	if (argc - optind > 1)
		return mistake("one folder at a time: \"%s\" is one too many",
		               argv[optind + 1]);
	o->folder = argc > optind ? argv[optind] : NULL;
	if (o->folder == NULL && o->n_teachers == 0)
		return mistake("%s", "no folder and no --teacher was given");
	if (o->folder == NULL && (has_format || o->table != NULL || o->dry_run))
		return mistake("%s", "no folder was given");
	if (o->folder != NULL && !has_format)
		return mistake("%s", "--format was not given");
	if (o->folder != NULL && o->table == NULL && !o->dry_run)
		return mistake("%s", "--table was not given");
	return true;
}

bool
mmrd_load_options_read(int argc, char **argv, mmrd_load_options *out,
                       int *status)
{
	bool has_format = false;
	int option;

	memset(out, 0, sizeof(*out));
	mmrd_dataset_options_init(&out->set, MMRD_DATASET_FOLDER);
	memcpy(out->column, column_names, sizeof(column_names));
	out->categories = calloc((size_t) argc, sizeof(*out->categories));
	out->teachers = calloc((size_t) argc, sizeof(*out->teachers));
	*status = MMRD_LOAD_FAILED;
	if (out->categories == NULL || out->teachers == NULL)
	{
		mmrd_say("out of memory");
		return false;
	}
	out->set.categories = out->categories;
	while ((option = getopt_long(argc, argv, "f:t:c:nqh:p:U:d:wWV?",
	                             long_options, NULL)) != -1)
	{
		/* '?' is also what getopt returns for a mistake. */
		if (option == '?' && strcmp(argv[optind - 1], "-?") == 0)
			option = OPTION_HELP;
		has_format |= option == 'f';
		if (!read_one(out, option, optarg, status))
			return false;
	}
	return check_whole(out, has_format, argc, argv);
}

void
mmrd_load_options_clear(mmrd_load_options *options)
{
	free(options->categories);
	free(options->teachers);
	memset(options, 0, sizeof(*options));
}
