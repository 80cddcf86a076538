/*
 * tests/unit/test_report.c
 *	  The whole page: well formed, closed in itself, whatever is put in.
 *
 * "test_report FILE" also writes a page with everything on it, to look at.
 */
#include "report/report.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "loader/image/png.h"
#include "model/base/random.h"
#include "tests/unit/check.h"

enum
{
	DAYS = 14,
	SCORES = 4000,
	KNOWN = 200,
	EPOCHS = 60,
	DEPTH = 100
};

#define EVIL "<script>alert(\"1\")</script>&'\xff\xc3\xb6"

/* ---- is it HTML? ---- */

static bool
has_no_end(const char *name)
{
	static const char *const none[] = {"meta", "img", "!DOCTYPE"};

	for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++)
		if (strcmp(name, none[i]) == 0)
			return true;
	return false;
}

/* Past the ">" of a tag, quoted attributes skipped; NULL when there is none.
 */
static const char *
tag_end(const char *at)
{
	char quote = 0;

	for (; *at != '\0'; at++)
	{
		if (quote != 0)
			quote = *at == quote ? 0 : quote;
		else if (*at == '"' || *at == '\'')
			quote = *at;
		else if (*at == '>')
			return at + 1;
	}
	return NULL;
}

/* Every tag is closed in its turn, and nothing but ASCII is there. */
static void
check_well_formed(const char *html)
{
	char open[DEPTH][16];
	const char *at = html;
	int depth = 0;
	size_t foreign = 0;

	while ((at = strchr(at, '<')) != NULL)
	{
		const char *end = tag_end(at);
		char name[16] = "";
		const bool closes = at[1] == '/';

		CHECK(end != NULL, "a tag without an end: %.40s", at);
		if (end == NULL)
			return;
		sscanf(at + 1 + closes, "%15[A-Za-z0-9!]", name);
		CHECK(name[0] != '\0', "a tag without a name: %.40s", at);
		if (closes)
		{
			CHECK(depth > 0 && strcmp(open[depth - 1], name) == 0,
			      "</%s> closes <%s>: %.60s", name,
			      depth > 0 ? open[depth - 1] : "nothing", at);
			if (depth == 0 || strcmp(open[depth - 1], name) != 0)
				return;
			depth--;
		}
		else if (end[-2] != '/' && !has_no_end(name) && depth < DEPTH)
			strcpy(open[depth++], name);
		at = end;
	}
	CHECK(depth == 0, "<%s> stays open", depth > 0 ? open[depth - 1] : "");
	for (const char *p = html; *p != '\0'; p++)
		foreign += (unsigned char) *p >= 0x7f;
	CHECK(foreign == 0, "%zu bytes that are not ASCII", foreign);
}

/* Nothing outside is asked for, nothing runs. */
static void
check_closed(const char *html)
{
	static const char *const never[] = {
	    "http:", "https:", "//",    "<script", "@import", "url(",
	    "<link", "nan",    "inf\"", "onload",  "onerror"};
	const char *at = html;

	for (size_t i = 0; i < sizeof(never) / sizeof(never[0]); i++)
	{
		const char *found = html;
		bool here = false;

		/* Base64 has slashes of its own, and may spell anything. */
		while (!here && (found = strstr(found, never[i])) != NULL)
		{
			const char *quote = found;

			while (quote > html && *quote != '"' && *quote != '<')
				quote--;
			here = strncmp(quote, "\"data:", 6) != 0;
			found++;
		}
		CHECK(!here, "\"%s\" is there: %.60s", never[i],
		      found != NULL ? found - 1 : "");
	}
	while ((at = strstr(at, "src=\"")) != NULL)
	{
		CHECK(strncmp(at + 5, "data:image/png;base64,", 22) == 0, "%.40s", at);
		at += 5;
	}
	CHECK(strstr(html, "default-src 'none'") != NULL, "the policy");
}

static char *
write_page(const mmrd_report *report)
{
	mmrd_error err = {0};
	char *html;
	size_t n;

	CHECK(mmrd_report_write(report, &html, &n, &err) == MMRD_OK, "%s",
	      err.message);
	CHECK(html != NULL && strlen(html) == n, "its length");
	if (html == NULL)
		exit(1);
	check_well_formed(html);
	check_closed(html);
	return html;
}

static void
check_holds(const char *html, const char *what)
{
	CHECK(strstr(html, what) != NULL, "\"%s\" is missing", what);
}

/* ---- a page with everything ---- */

typedef struct sample
{
	mmrd_report report;
	mmrd_report_model models[2];
	mmrd_report_version versions[2];
	mmrd_report_period periods[DAYS];
	mmrd_report_spread spread[DAYS];
	mmrd_report_epoch epochs[EPOCHS];
	mmrd_report_scan worst[4];
	mmrd_report_region regions[2];
	mmrd_report_failure failures[1];
	char labels[DAYS][16];
	float scores[SCORES];
	float known[KNOWN];
	uint8_t *photo;
	size_t photo_bytes;
} sample;

/* A round thing on a table, with a spot. */
static void
make_photo(sample *s)
{
	const mmrd_raster_limits limits = {1 << 20, 1 << 24};
	mmrd_raster image = {MMRD_SAMPLE_U8, 3, 240, 320, NULL};
	mmrd_error err = {0};

	CHECK(mmrd_raster_allocate(&image, &limits, &err) == MMRD_OK, "%s",
	      err.message);
	for (int y = 0; y < 240; y++)
		for (int x = 0; x < 320; x++)
		{
			uint8_t *p = (uint8_t *) image.data + 3 * (y * 320 + x);
			const bool on = hypot(x - 160, y - 120) < 100;
			const bool spot = hypot(x - 200, y - 90) < 12;

			p[0] = spot ? 90 : on ? 176 : 60;
			p[1] = spot ? 60 : on ? 172 : 64;
			p[2] = spot ? 40 : on ? 160 : 72;
		}
	CHECK(mmrd_png_encode(&image, 6, &s->photo, &s->photo_bytes, &err) ==
	          MMRD_OK,
	      "%s", err.message);
	mmrd_raster_clear(&image);
}

static void
make_numbers(sample *s)
{
	mmrd_random r = mmrd_random_create(5, "test report");

	for (int i = 0; i < SCORES; i++)
		s->scores[i] = (float) (0.62 + 0.07 * mmrd_random_normal(&r) +
		                        (i % 40 == 0 ? 0.4 : 0));
	for (int i = 0; i < KNOWN; i++)
		s->known[i] = (float) (0.6 + 0.06 * mmrd_random_normal(&r));
	for (int i = 0; i < DAYS; i++)
	{
		mmrd_report_period *p = &s->periods[i];

		snprintf(s->labels[i], sizeof(s->labels[i]), "%d Nov", 11 + i);
		p->label = s->labels[i];
		p->name = s->labels[i];
		p->scans = i % 7 == 5 ? 0 : 250 + (int64_t) mmrd_random_below(&r, 80);
		p->anomalous = p->scans / 40;
		p->failed = i == 8 ? 12 : 0;
		s->spread[i].median = p->scans > 0 ? 0.61 + 0.002 * i : (double) NAN;
		s->spread[i].low = s->spread[i].median - 0.1;
		s->spread[i].high = s->spread[i].median + 0.13;
		s->report.scans += p->scans;
		s->report.anomalous += p->anomalous;
	}
	for (int i = 0; i < EPOCHS; i++)
	{
		s->epochs[i].epoch = i + 1;
		s->epochs[i].loss =
		    0.12 + 1.4 * exp(-i / 9.0) + 0.01 * mmrd_random_normal(&r);
	}
}

static void
make_model(sample *s)
{
	s->versions[0] = (mmrd_report_version){
	    4,   "24 Nov 2026 02:07", 1800, EPOCHS, 0.12, 0.81, KNOWN, 2900, 70,
	    true};
	s->versions[1] = s->versions[0];
	s->versions[1].version = 3;
	s->versions[1].deployed = false;
	s->models[0] = (mmrd_report_model){.name = EVIL "line",
	                                   .scans = s->report.scans,
	                                   .anomalous = s->report.anomalous,
	                                   .threshold = 0.81,
	                                   .scores = s->scores,
	                                   .n_scores = SCORES,
	                                   .validation = s->known,
	                                   .n_validation = KNOWN,
	                                   .spread = s->spread,
	                                   .versions = s->versions,
	                                   .n_versions = 2,
	                                   .loss_version = 4,
	                                   .epochs = s->epochs,
	                                   .n_epochs = EPOCHS};
	/* The same, without everything that may be missing. */
	s->models[1] = s->models[0];
	s->models[1].name = "not calibrated";
	s->models[1].threshold = (double) NAN;
	s->models[1].n_validation = 0;
	s->models[1].n_epochs = 0;
	s->models[1].n_versions = 0;
}

static void
make_scans(sample *s)
{
	s->regions[0] = (mmrd_report_region){185, 75, 30, 30, 1.42};
	s->regions[1] = (mmrd_report_region){100, 140, 12, 18, 0.93};
	s->worst[0] = (mmrd_report_scan){.key = EVIL "key",
	                                 .when = "24 Nov 2026 10:31:07",
	                                 .model = EVIL "model",
	                                 .version = 4,
	                                 .score = 1.42,
	                                 .threshold = 0.81,
	                                 .area = 0.0123,
	                                 .anomalous = true,
	                                 .width = 320,
	                                 .height = 240,
	                                 .photo = s->photo,
	                                 .photo_bytes = s->photo_bytes,
	                                 .overlay = s->photo,
	                                 .overlay_bytes = s->photo_bytes,
	                                 .regions = s->regions,
	                                 .n_regions = 2,
	                                 .regions_found = 5};
	s->worst[1] = s->worst[0];
	s->worst[1].overlay_bytes = 0;
	s->worst[1].n_regions = 0;
	s->worst[1].anomalous = false;
	s->worst[1].score = 0.7;
	s->worst[1].note = "No map was kept of this scan." EVIL;
	s->worst[2] = s->worst[1];
	s->worst[2].photo_bytes = 0;
	s->worst[2].threshold = (double) NAN;
	s->worst[2].area = (double) NAN;
	s->worst[3] = s->worst[0];
	s->failures[0] =
	    (mmrd_report_failure){EVIL "k", "24 Nov 2026 10:32", EVIL "error"};
}

static sample *
make_sample(void)
{
	sample *s = calloc(1, sizeof(sample));

	if (s == NULL)
		exit(1);
	make_photo(s);
	make_numbers(s);
	make_model(s);
	make_scans(s);
	s->report.title = "Housing line 7 " EVIL;
	s->report.source = "public.scans" EVIL;
	s->report.from = "11 Nov 2026 00:00";
	s->report.to = "24 Nov 2026 12:00";
	s->report.made = "24 Nov 2026 12:00:00 UTC";
	s->report.unit = "day";
	s->report.code_version = "1.2.3";
	s->report.periods = s->periods;
	s->report.n_periods = DAYS;
	s->report.failed = 12;
	s->report.waiting = 3;
	s->report.earlier_scans = 3300;
	s->report.earlier_anomalous = 60;
	s->report.median_ms = 43.5;
	s->report.high_ms = 61;
	s->report.models = s->models;
	s->report.n_models = 2;
	s->report.worst = s->worst;
	s->report.n_worst = 4;
	s->report.failures = s->failures;
	s->report.n_failures = 1;
	return s;
}

static void
test_everything(sample *s, const char *path)
{
	char *html = write_page(&s->report);

	check_holds(html, "&#60;script&#62;alert(&#34;1&#34;)&#60;/script&#62;"
	                  "&#38;&#39;&#65533;&#246;line");
	check_holds(html, "&#246;key");
	check_holds(html, "&#246;error");
	check_holds(html, "threshold 0.810");
	check_holds(html, ">deployed<");
	check_holds(html, "iVBORw0KGgo"); /* a PNG, in base64 */
	check_holds(html, "and 3 more");
	check_holds(html, "No map was kept");
	check_holds(html, "was not calibrated");
	check_holds(html, "were not recorded");
	check_holds(html, "95&#8239;% below 61.0");
	check_holds(html, "12 scans could not be read or scored; the newest 1");
	if (path != NULL)
	{
		FILE *file = fopen(path, "w");

		if (file != NULL)
		{
			fputs(html, file);
			fclose(file);
		}
	}
	free(html);
}

/* Nothing happened, or nearly nothing. */
static void
test_empty(sample *s)
{
	mmrd_report report = {.title = "t",
	                      .source = "s",
	                      .from = "a",
	                      .to = "b",
	                      .made = "c",
	                      .unit = "day",
	                      .code_version = "v",
	                      .waiting = -1,
	                      .median_ms = (double) NAN,
	                      .high_ms = (double) NAN};
	mmrd_report_period day = {.label = "d", .name = "d"};
	mmrd_report_spread none = {(double) NAN, (double) NAN, (double) NAN};
	mmrd_report_model model = {
	    .name = "m", .threshold = (double) NAN, .spread = &none};
	char *html = write_page(&report);

	check_holds(html, "No scan was scored in this time.");
	CHECK(strstr(html, "Waiting") == NULL, "nobody waits");
	free(html);

	report.waiting = 1;
	report.periods = &day;
	report.n_periods = 1;
	report.models = &model;
	report.n_models = 1;
	html = write_page(&report);
	check_holds(html, "1 waits.");
	check_holds(html, "No scores yet.");
	free(html);

	/* One scan, one epoch, one period; a threshold of 0. */
	day.scans = 1;
	report.scans = 1;
	model.scores = s->scores;
	model.n_scores = 1;
	model.validation = s->known;
	model.n_validation = 1;
	model.threshold = 0;
	none = (mmrd_report_spread){0.6, 0.6, 0.6};
	model.epochs = s->epochs;
	model.n_epochs = 1;
	html = write_page(&report);
	check_holds(html, "Of 1 scan, none is anomalous.");
	check_holds(html, ": 1 scan (100&#8239;%), ");
	free(html);

	/* Only scans that failed. */
	day = (mmrd_report_period){.label = "d", .name = "d", .failed = 4};
	report.scans = 0;
	report.failed = 4;
	free(write_page(&report));
}

int
main(int argc, char **argv)
{
	sample *s = make_sample();

	test_everything(s, argc > 1 ? argv[1] : NULL);
	test_empty(s);
	free(s->photo);
	free(s);
	return check_result();
}
