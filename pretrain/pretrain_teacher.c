/*
 * pretrain/pretrain_teacher.c
 *	  The program that makes the teacher `builtin`: "make pretrain-teacher".
 *
 *	  pretrain_teacher FOLDER [NAME=VALUE ...]
 *
 * FOLDER gets curve.csv (a line every 20 steps), checkpoint (the whole state,
 * every 100 steps and at the end) and teacher.safetensors (the trunk,
 * bfloat16, whenever there is a checkpoint).  When FOLDER has a checkpoint,
 * training goes on from it, maybe with larger pictures or batches; a step is
 * the same whether it was reached in one go or not.  Interrupt and TERM end
 * it after the step it is at, with a checkpoint.
 *
 * Names are those of mmrd_pretraining_options, and threads, and seconds,
 * after which to stop.  `before-falling`, beside the checkpoint, is its copy
 * of the last moment at which the learning rate was high: to train longer,
 * make it the checkpoint and give more steps.
 */
#include <errno.h>
#include <math.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "loader/weights/safetensors_write.h"
#include "model/base/clock.h"
#include "model/base/threads.h"
#include "pretrain/pretraining.h"

enum
{
	CURVE_EVERY = 20,
	CHECKPOINT_EVERY = 100,
	MAX_TENSORS = 256,
	PATH_BYTES = 1000
};

static volatile sig_atomic_t stopping;

static void
on_signal(int number)
{
	(void) number;
	stopping = 1;
}

static void __attribute__((noreturn, format(printf, 1, 2)))
die(const char *fmt, ...)
{
	va_list args;

	fputs("pretrain_teacher: ", stderr);
	va_start(args, fmt);
	vfprintf(stderr, fmt, args);
	va_end(args);
	fputc('\n', stderr);
	exit(1);
}

static void
check(mmrd_status st, const mmrd_error *err)
{
	if (st != MMRD_OK)
		die("%s %s", err->message, err->detail);
}

/* ---- arguments ---- */

typedef struct arguments
{
	const char *folder;
	mmrd_pretraining_options options;
	int threads;
	double seconds; /* 0: no limit */
} arguments;

static void
set_argument(arguments *a, const char *text)
{
	mmrd_pretraining_options *o = &a->options;
	const char *equals = strchr(text, '=');
	char *end;
	char name[32];
	double value;
	const struct
	{
		const char *name;
		float *number;
	} numbers[] = {{"falling", &o->falling},
	               {"lr", &o->lr},
	               {"decay", &o->decay},
	               {"temperature", &o->temperature}};

	if (equals == NULL || equals - text >= (long) sizeof(name))
		die("expected NAME=VALUE, found \"%s\"", text);
	snprintf(name, sizeof(name), "%.*s", (int) (equals - text), text);
	value = strtod(equals + 1, &end);
	if (end == equals + 1 || *end != '\0' || !(value >= 0))
		die("not a number: \"%s\"", text);
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		if (strcmp(name, numbers[i].name) == 0)
		{
			*numbers[i].number = (float) value;
			return;
		}
	if (strcmp(name, "seed") == 0)
		o->seed = (uint64_t) value;
	else if (strcmp(name, "steps") == 0)
		o->steps = (int64_t) value;
	else if (strcmp(name, "pairs") == 0)
		o->pairs = (int32_t) value;
	else if (strcmp(name, "size") == 0)
		o->size = (int32_t) value;
	else if (strcmp(name, "projection") == 0)
		o->projection = (int32_t) value;
	else if (strcmp(name, "apart") == 0)
		o->apart = (int32_t) value;
	else if (strcmp(name, "threads") == 0)
		a->threads = (int) value;
	else if (strcmp(name, "seconds") == 0)
		a->seconds = value;
	else
		die("no such option: \"%s\"", name);
}

/* ---- files ---- */

static void
path_in(const arguments *a, const char *name, char path[PATH_BYTES])
{
	if (snprintf(path, PATH_BYTES, "%s/%s", a->folder, name) >= PATH_BYTES)
		die("the name of the folder is too long");
}

/* Write under another name, then rename: never half a file. */
static FILE *
begin_file(const arguments *a)
{
	char path[PATH_BYTES];
	FILE *f;

	path_in(a, "unfinished", path);
	f = fopen(path, "wb");
	if (f == NULL)
		die("could not create \"%s\": %s", path, strerror(errno));
	return f;
}

static void
finish_file(const arguments *a, FILE *f, const char *name)
{
	char from[PATH_BYTES];
	char to[PATH_BYTES];

	path_in(a, "unfinished", from);
	path_in(a, name, to);
	if (ferror(f) || fclose(f) != 0 || rename(from, to) != 0)
		die("could not write \"%s\": %s", to, strerror(errno));
}

typedef struct checkpoint_header
{
	char magic[8];
	int64_t step;
	uint64_t seed;
	uint64_t count[MMRD_PRETRAINING_ARRAYS];
} checkpoint_header;

static checkpoint_header
make_header(const arguments *a, mmrd_pretraining *p,
            float *which[MMRD_PRETRAINING_ARRAYS])
{
	checkpoint_header h = {.magic = "mmrdpt1"};
	size_t count[MMRD_PRETRAINING_ARRAYS];

	mmrd_pretraining_arrays(p, which, count);
	h.step = mmrd_pretraining_steps(p);
	h.seed = a->options.seed;
	for (int i = 0; i < MMRD_PRETRAINING_ARRAYS; i++)
		h.count[i] = count[i];
	return h;
}

static void
save_checkpoint(const arguments *a, mmrd_pretraining *p, const char *name)
{
	float *which[MMRD_PRETRAINING_ARRAYS];
	const checkpoint_header h = make_header(a, p, which);
	FILE *f = begin_file(a);

	fwrite(&h, sizeof(h), 1, f);
	for (int i = 0; i < MMRD_PRETRAINING_ARRAYS; i++)
		fwrite(which[i], sizeof(float), h.count[i], f);
	finish_file(a, f, name);
}

/* False when there is none. */
static bool
load_checkpoint(const arguments *a, mmrd_pretraining *p)
{
	float *which[MMRD_PRETRAINING_ARRAYS];
	const checkpoint_header want = make_header(a, p, which);
	checkpoint_header h;
	char path[PATH_BYTES];
	FILE *f;

	path_in(a, "checkpoint", path);
	f = fopen(path, "rb");
	if (f == NULL && errno == ENOENT)
		return false;
	if (f == NULL || fread(&h, sizeof(h), 1, f) != 1)
		die("could not read \"%s\"", path);
	if (memcmp(h.magic, want.magic, sizeof(h.magic)) != 0 ||
	    h.seed != want.seed ||
	    memcmp(h.count, want.count, sizeof(h.count)) != 0)
		die("\"%s\" was made with another seed or projection", path);
	for (int i = 0; i < MMRD_PRETRAINING_ARRAYS; i++)
		if (fread(which[i], sizeof(float), h.count[i], f) != h.count[i])
			die("\"%s\" is truncated", path);
	fclose(f);
	mmrd_pretraining_resume(p, h.step);
	return true;
}

/* What the file says about itself. */
static void
describe_run(const arguments *a, int64_t step, char text[PATH_BYTES])
{
	const mmrd_pretraining_options *o = &a->options;

	snprintf(text, PATH_BYTES,
	         "seed=%llu steps=%lld done=%lld falling=%g pairs=%d size=%d "
	         "lr=%g decay=%g temperature=%g projection=%d apart=%d",
	         (unsigned long long) o->seed, (long long) o->steps,
	         (long long) step, o->falling, o->pairs, o->size, o->lr, o->decay,
	         o->temperature, o->projection, o->apart);
}

static void
save_teacher(const arguments *a, const mmrd_pretraining *p)
{
	const mmrd_weights *w = mmrd_pretraining_weights(p);
	mmrd_safetensors_tensor tensors[MAX_TENSORS];
	int index[MAX_TENSORS];
	char run[PATH_BYTES];
	const mmrd_json_text texts[] = {
	    {"made_by", "mmrd pretrain_teacher, from formula pictures alone"},
	    {"run", run}};
	mmrd_safetensors_plan *plan;
	mmrd_error err = {0};
	float *values = malloc(mmrd_weights_largest(w) * sizeof(float));
	uint8_t *file;
	FILE *f;
	int n = 0;

	describe_run(a, mmrd_pretraining_steps(p), run);
	for (int i = 0; i < w->n_tensors && n < MAX_TENSORS; i++)
	{
		const mmrd_tensor_info *t = &w->tensors[i];
		mmrd_safetensors_tensor *to = &tensors[n];

		to->name = mmrd_teacher_tensor_name(w, i);
		if (to->name == NULL)
			continue;
		to->dtype = t->n_dims > 1 ? MMRD_DTYPE_BF16 : MMRD_DTYPE_F32;
		to->n_dims = t->n_dims;
		memcpy(to->dims, t->dims, sizeof(to->dims));
		index[n++] = i;
	}
	check(mmrd_safetensors_plan_create(tensors, n, texts, 2, &plan, &err),
	      &err);
	file = malloc(mmrd_safetensors_plan_bytes(plan));
	if (values == NULL || file == NULL)
		die("out of memory");
	mmrd_safetensors_write_front(plan, file);
	for (int i = 0; i < n; i++)
	{
		mmrd_weights_get(w, index[i], values);
		check(mmrd_safetensors_write_tensor(
		          plan, i, values, file + mmrd_safetensors_plan_place(plan, i),
		          &err),
		      &err);
	}
	f = begin_file(a);
	fwrite(file, 1, mmrd_safetensors_plan_bytes(plan), f);
	finish_file(a, f, "teacher.safetensors");
	mmrd_safetensors_plan_free(plan);
	free(values);
	free(file);
}

/* ---- the run ---- */

/* Means of the reports since the last line. */
typedef struct curve
{
	FILE *file;
	int n;
	double sums[1 + 2 * MMRD_STAGES];
} curve;

static void
open_curve(const arguments *a, curve *c)
{
	char path[PATH_BYTES];

	path_in(a, "curve.csv", path);
	c->file = fopen(path, "a");
	if (c->file == NULL)
		die("could not open \"%s\": %s", path, strerror(errno));
	if (ftell(c->file) == 0)
		fputs(
		    "step,seconds,lr,loss,loss_1,hits_1,loss_2,hits_2,loss_3,hits_3\n",
		    c->file);
}

static void
add_to_curve(curve *c, const mmrd_pretraining_report *r)
{
	c->n++;
	c->sums[0] += r->loss;
	for (int i = 0; i < MMRD_STAGES; i++)
	{
		c->sums[1 + 2 * i] += r->stage[i].loss;
		c->sums[2 + 2 * i] += r->stage[i].hits;
	}
}

static void
write_curve(curve *c, int64_t step, double seconds, double lr)
{
	fprintf(c->file, "%lld,%.0f,%g", (long long) step, seconds, lr);
	for (int i = 0; i < 1 + 2 * MMRD_STAGES; i++)
		fprintf(c->file, ",%.4f", c->sums[i] / c->n);
	fputc('\n', c->file);
	fflush(c->file);
	memset(c->sums, 0, sizeof(c->sums));
	c->n = 0;
}

static void
run(const arguments *a, mmrd_pretraining *p)
{
	const double started = mmrd_clock_ms();
	const int64_t falls =
	    (int64_t) ((double) a->options.steps * (1 - a->options.falling));
	mmrd_error err = {0};
	curve c = {0};

	open_curve(a, &c);
	while (mmrd_pretraining_steps(p) < a->options.steps && !stopping)
	{
		mmrd_pretraining_report report;
		int64_t step;

		check(mmrd_pretraining_step(p, &report, &err), &err);
		if (!isfinite(report.loss))
			die("the loss is no number any more");
		step = mmrd_pretraining_steps(p);
		add_to_curve(&c, &report);
		if (step % CURVE_EVERY == 0)
			write_curve(&c, step, (mmrd_clock_ms() - started) / 1e3,
			            report.lr);
		if (step == falls)
			save_checkpoint(a, p, "before-falling");
		if (step % CHECKPOINT_EVERY == 0)
		{
			save_checkpoint(a, p, "checkpoint");
			save_teacher(a, p);
		}
		if (a->seconds > 0 && (mmrd_clock_ms() - started) / 1e3 > a->seconds)
			stopping = 1;
	}
	save_checkpoint(a, p, "checkpoint");
	save_teacher(a, p);
	fclose(c.file);
	printf("%lld of %lld steps are done\n",
	       (long long) mmrd_pretraining_steps(p),
	       (long long) a->options.steps);
}

int
main(int argc, char **argv)
{
	arguments a = {.threads = 1};
	mmrd_pretraining *p;
	mmrd_error err = {0};

	if (argc < 2)
		die("usage: pretrain_teacher FOLDER [NAME=VALUE ...]");
	a.folder = argv[1];
	mmrd_pretraining_options_init(&a.options);
	for (int i = 2; i < argc; i++)
		set_argument(&a, argv[i]);
	if (mkdir(a.folder, 0777) != 0 && errno != EEXIST)
		die("could not create \"%s\": %s", a.folder, strerror(errno));
	signal(SIGINT, on_signal);
	signal(SIGTERM, on_signal);
	mmrd_threads_start(a.threads < 1 ? 1 : a.threads);
	check(mmrd_pretraining_create(&a.options, &p, &err), &err);
	if (load_checkpoint(&a, p))
		printf("going on from step %lld\n",
		       (long long) mmrd_pretraining_steps(p));
	fflush(stdout);
	run(&a, p);
	mmrd_pretraining_free(p);
	mmrd_threads_stop();
	return 0;
}
