/*
 * report/model_section.c
 *	  One model on the page: scores, drift, training, versions.
 */
#include "report/sections.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

#include "report/charts.h"
#include "report/histogram.h"

/* Distances of two sets of scores that people would call small, and large. */
#define SMALL_DISTANCE 0.2
#define LARGE_DISTANCE 0.5

typedef struct sets
{
	float *scores; /* ascending */
	size_t n_scores;
	float *validation;
	size_t n_validation;
} sets;

/* ---- drift, in words ---- */

/* A large set shows differences that matter to nobody, and a small one hides
 * those that do: so the words go by both, the limit of chance and the size. */
static const char *
verdict(double distance, double limit)
{
	if (!(distance > limit))
		return "No drift can be told from chance.";
	if (distance < SMALL_DISTANCE)
		return "The scores have moved a little.";
	if (distance < LARGE_DISTANCE)
		return "The scores have moved.";
	return "The scores have moved far.";
}

static void
put_verdict(mmrd_page *page, const sets *s)
{
	const double distance = mmrd_scores_distance(
	    s->scores, s->n_scores, s->validation, s->n_validation);
	const double limit =
	    mmrd_scores_distance_limit(s->n_scores, s->n_validation);

	mmrd_page_format(page, "<p class=\"verdict\"><b%s>%s</b> ",
	                 distance > limit && distance >= SMALL_DISTANCE
	                     ? " class=\"alert\""
	                     : "",
	                 verdict(distance, limit));
	mmrd_page_raw(page, "Half of these scans score below ");
	mmrd_page_number(page, mmrd_scores_quantile(s->scores, s->n_scores, 0.5));
	mmrd_page_raw(page, ", half of the validation scans below ");
	mmrd_page_number(
	    page, mmrd_scores_quantile(s->validation, s->n_validation, 0.5));
	mmrd_page_raw(page, ".</p><p class=\"note\">Distance between the two "
	                    "distributions (Kolmogorov&ndash;Smirnov): ");
	mmrd_page_number(page, distance);
	mmrd_page_raw(page, "; chance alone exceeds ");
	mmrd_page_number(page, limit);
	mmrd_page_raw(page, " once in a hundred times.</p>");
}

/* ---- cards ---- */

static void
put_scores(mmrd_page *page, const mmrd_report_model *model, const sets *s)
{
	mmrd_page_raw(page, "<section class=\"card\"><h3>Scores</h3>");
	if (s->n_scores + s->n_validation == 0)
		mmrd_page_raw(page, "<p class=\"empty\">No scores yet.</p>");
	else
		mmrd_chart_scores(page, model, s->scores, s->n_scores, s->validation,
		                  s->n_validation);
	if (s->n_validation == 0)
		mmrd_page_raw(page,
		              "<p class=\"note\">This model was not calibrated: "
		              "nothing is called anomalous. mmrd_calibrate() sets a "
		              "threshold without a new training.</p>");
	mmrd_page_raw(page, "</section>");
}

static void
put_drift(mmrd_page *page, const mmrd_report *report,
          const mmrd_report_model *model, const sets *s)
{
	mmrd_page_raw(page, "<section class=\"card\"><h3>Drift</h3>");
	if (s->n_scores == 0)
		mmrd_page_raw(page, "<p class=\"empty\">No scores yet.</p>");
	else
	{
		mmrd_chart_spread(page, report, model, s->validation, s->n_validation);
		if (s->n_validation > 0)
			put_verdict(page, s);
	}
	mmrd_page_raw(page, "</section>");
}

static void
put_training(mmrd_page *page, const mmrd_report_model *model)
{
	mmrd_page_raw(page, "<section class=\"card full\"><h3>Training</h3>");
	if (model->n_epochs > 0)
	{
		mmrd_chart_loss(page, model);
		mmrd_page_raw(page,
		              "<p class=\"note\">How far the network is from its "
		              "teacher on good scans; it should fall and then "
		              "flatten.</p>");
	}
	else
		mmrd_page_raw(page,
		              "<p class=\"empty\">The epochs of this training were "
		              "not recorded. They are when it runs as a job, with "
		              "mmrd_train_start().</p>");
	mmrd_page_raw(page, "</section>");
}

static void
put_version(mmrd_page *page, const mmrd_report_version *v)
{
	mmrd_page_format(
	    page, "<tr><td class=\"text\">%" PRId32 "%s</td><td class=\"text\">",
	    v->version, v->deployed ? " <span class=\"tag\">deployed</span>" : "");
	mmrd_page_text(page, v->trained);
	mmrd_page_raw(page, "</td><td>");
	mmrd_page_count(page, v->training_scans);
	mmrd_page_format(page, "</td><td>%" PRId32 "</td><td>", v->epochs);
	mmrd_page_number(page, v->loss);
	mmrd_page_raw(page, "</td><td>");
	mmrd_page_number(page, v->threshold);
	mmrd_page_raw(page, "</td><td>");
	mmrd_page_count(page, v->validation_scans);
	mmrd_page_raw(page, "</td><td>");
	mmrd_page_count(page, v->scans);
	mmrd_page_raw(page, "</td><td>");
	mmrd_page_count(page, v->anomalous);
	mmrd_page_raw(page, "</td></tr>");
}

static void
put_versions(mmrd_page *page, const mmrd_report_model *model)
{
	mmrd_page_raw(
	    page,
	    "<section class=\"card full\"><h3>Versions</h3><div class=\"scroll\">"
	    "<table><thead><tr><th class=\"text\">version</th><th "
	    "class=\"text\">trained</th><th>training scans</th>"
	    "<th>epochs</th><th>last loss</th><th>threshold</th>"
	    "<th>validation scans</th><th>scored here</th>"
	    "<th>anomalous</th></tr></thead><tbody>");
	for (int32_t i = 0; i < model->n_versions; i++)
		put_version(page, &model->versions[i]);
	mmrd_page_raw(page, "</tbody></table></div></section>");
}

static void
put_heading(mmrd_page *page, const mmrd_report_model *model)
{
	mmrd_page_raw(page, "<h2>Model <bdi>");
	mmrd_page_text_cut(page, model->name, 100);
	mmrd_page_raw(page, "</bdi></h2><p class=\"lead\">");
	mmrd_page_count(page, model->scans);
	mmrd_page_raw(page, model->scans == 1 ? " scan" : " scans");
	if (model->scans > 0 && isfinite(model->threshold))
	{
		mmrd_page_raw(page, ", ");
		mmrd_page_count(page, model->anomalous);
		mmrd_page_raw(page, " anomalous (");
		mmrd_page_percent(page,
		                  (double) model->anomalous / (double) model->scans);
		mmrd_page_raw(page, ")");
	}
	mmrd_page_raw(page, "</p>");
}

mmrd_status
mmrd_report_put_model(mmrd_page *page, const mmrd_report *report,
                      const mmrd_report_model *model, mmrd_error *err)
{
	mmrd_status st;
	sets s = {NULL, 0, NULL, 0};

	st = mmrd_scores_sorted(model->scores, model->n_scores, &s.scores,
	                        &s.n_scores, err);
	if (st == MMRD_OK)
		st = mmrd_scores_sorted(model->validation, model->n_validation,
		                        &s.validation, &s.n_validation, err);
	if (st == MMRD_OK)
	{
		put_heading(page, model);
		mmrd_page_raw(page, "<div class=\"columns\">");
		put_scores(page, model, &s);
		put_drift(page, report, model, &s);
		put_training(page, model);
		if (model->n_versions > 0)
			put_versions(page, model);
		mmrd_page_raw(page, "</div>");
	}
	free(s.scores);
	free(s.validation);
	return st;
}
