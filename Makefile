# mmrd: build, install, and every check, each under one name ("make help").

EXTENSION  = mmrd
EXTVERSION = 0.2.0
MODULE_big = mmrd

# These need no server files to start with: their scripts install what is
# missing.  They stand apart also because PGXS has a "check" of its own.
HOUSE = help check check-real demo soak
ifneq ($(filter $(HOUSE),$(MAKECMDGOALS)),)

.PHONY: $(MAKECMDGOALS)

help: ## what can be made
	@echo 'make [TARGET], where TARGET is one of'
	@sed 's/^#//' Makefile | awk -F ':.*## ' \
		'/^[a-z-]+:.*## / { printf "  %-14s %s\n", $$1, $$2 }'

check: ## install what is missing, build, run every test, count them
	@scripts/check

check-real: ## train and score real scans (../shared); EPOCHS=50
	@tests/real/candycane

soak: ## 64 sessions score for minutes; SOAK_SECONDS=600
	@tests/soak/sessions

demo: ## generated scans, from nothing to heat maps; KEEP=1 leaves it running
	@scripts/demo

# Other goals beside one of these: each by itself, below.
$(filter-out $(HOUSE),$(MAKECMDGOALS)):
	+$(MAKE) $@

else

# Three libraries that know nothing of PostgreSQL, and the glue around them.
MODEL_SRCS  = $(wildcard model/*/*.c)
LOADER_SRCS = $(wildcard loader/*/*.c)
REPORT_SRCS = $(wildcard report/*.c)
GLUE_SRCS   = $(wildcard extension/*.c)
CORE_OBJS   = $(patsubst %.c,%.o,$(MODEL_SRCS) $(LOADER_SRCS) $(REPORT_SRCS))
OBJS        = $(CORE_OBJS) $(patsubst %.c,%.o,$(GLUE_SRCS))

# The install script is the numbered parts in order; upgrades are by hand.
SQL_PARTS  = $(sort $(wildcard sql/[0-9][0-9]-*.sql))
DATA_built = $(if $(SQL_PARTS),sql/$(EXTENSION)--$(EXTVERSION).sql)
DATA       = $(wildcard sql/$(EXTENSION)--*--*.sql) \
             $(wildcard share/$(EXTENSION)_teacher_*.safetensors)

REGRESS      = $(patsubst tests/sql/%.sql,%,$(sort $(wildcard tests/sql/*.sql)))
REGRESS_OPTS = --inputdir=tests --outputdir=build/regress \
               --load-extension=$(EXTENSION)

# The OpenMP build of OpenBLAS, by its own folder: the pthread build starts
# threads of its own as soon as it is loaded.  model/kernel/gemm.c loads it.
OPENBLAS_DIR ?= $(firstword $(wildcard /usr/lib/*/openblas-openmp))
LOADER_LIBS   = -lpng -ltiff -ljpeg -lz -lm -fopenmp
CORE_LIBS     = -Wl,-rpath,$(OPENBLAS_DIR) -ldl $(LOADER_LIBS)
TEST_LIBS     = $(CORE_LIBS) -ljansson

# Shared by every build below.  No -ffast-math: it would change floating
# point for the whole server process.  These two only say that nobody reads
# errno or the exception flags after arithmetic.  -MMD writes the .d files
# that make include changes count.  No -Wpsabi: vectors are passed between
# functions of one file only.
CORE_FLAGS = -std=gnu11 -fopenmp -fno-math-errno -fno-trapping-math -MMD -MP \
             -Wall -Wextra -Wvla -Wno-unused-parameter \
             -Wno-missing-format-attribute -Wno-psabi $(WERROR)

PG_CPPFLAGS = -I$(srcdir) -DMMRD_VERSION='"$(EXTVERSION)"'
PG_CFLAGS  += $(CORE_FLAGS) -O3 -Wno-declaration-after-statement \
              $(if $(findstring clang,$(CC)),$(CLANG_FLAGS))
# PostgreSQL was configured for gcc; clang need not mention it.
CLANG_FLAGS = -Wno-unknown-warning-option -Wno-ignored-attributes \
              -Wno-ignored-optimization-argument
SHLIB_LINK += $(CORE_LIBS)
EXTRA_CLEAN = build $(wildcard $(OBJS:.o=.d))

# The program that loads folders of scans: the loader and libpq, no network.
CLIENT_OBJS = $(patsubst %.c,build/%.o,$(wildcard client/*.c))
CLIENT_CORE = $(filter loader/% model/base/%,$(CORE_OBJS))
CLIENT_FLAGS = -I. -I$(includedir) -DMMRD_VERSION='"$(EXTVERSION)"'

# JIT must not inline a copy of a kernel built with other flags.
override with_llvm := no

all: $(DATA_built) build/mmrd-load ## the extension and mmrd-load (the default)

PG_CONFIG ?= pg_config
PGXS := $(shell $(PG_CONFIG) --pgxs)
ifeq ($(PGXS),)
$(error pg_config was not found: run scripts/install-packages, or set PG_CONFIG)
endif
include $(PGXS)

$(OBJS): Makefile
-include $(wildcard $(OBJS:.o=.d) build/*/*/*/*.d build/*/*/*.d build/*/*.d)

# The core is compiled without the server's headers in reach.
$(CORE_OBJS): %.o: %.c
	$(CC) $(CFLAGS) $(CFLAGS_SL) -I. -c -o $@ $<

$(DATA_built): $(SQL_PARTS)
	cat $^ > $@

build/client/%.o: client/%.c Makefile
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) $(CLIENT_FLAGS) -c -o $@ $<
build/mmrd-load: $(CLIENT_OBJS) $(CLIENT_CORE)
	$(CC) $(CFLAGS) -o $@ $^ $(libpq) $(LOADER_LIBS)

.PHONY: install-client uninstall-client
install: install-client
install-client: build/mmrd-load installdirs
	$(MKDIR_P) '$(DESTDIR)$(bindir)'
	$(INSTALL_PROGRAM) build/mmrd-load '$(DESTDIR)$(bindir)/mmrd-load'
uninstall: uninstall-client
uninstall-client:
	rm -f '$(DESTDIR)$(bindir)/mmrd-load'

# No object is a mere step on the way, to be deleted.
.SECONDARY:

# Unit tests.  Linking without the server is the proof that the core does not
# need it.
UNIT_NAMES = $(patsubst tests/unit/%.c,%,$(sort $(wildcard tests/unit/test_*.c)))
FUZZ_NAMES = $(patsubst tests/fuzz/%.c,%,$(sort $(wildcard tests/fuzz/fuzz_*.c)))

build/unit/%: tests/unit/%.c $(CORE_OBJS)
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) -I. -MF $@.d -MT $@ -o $@ $< \
		$(filter build/pretrain/%,$^) $(CORE_OBJS) $(TEST_LIBS)

# What pre-trains the teacher `builtin`: tested, but no part of the extension.
PRETRAIN_OBJS = $(patsubst %.c,build/%.o,$(wildcard pretrain/*.c))
PRETRAIN_CORE = $(filter-out build/pretrain/pretrain_teacher.o,$(PRETRAIN_OBJS))

# The same files built another way, each under build/NAME:
#   $(call variant,NAME,COMPILER,FLAGS)
define variant
build/$(1)/%.o: %.c Makefile
	@mkdir -p $$(@D)
	$(2) $$(CORE_FLAGS) $(3) -I. -c -o $$@ $$<
build/$(1)/test_%: build/$(1)/tests/unit/test_%.o $$(CORE_OBJS:%=build/$(1)/%)
	$(2) $(3) -o $$@ $$^ $$(TEST_LIBS)
build/$(1)/fuzz_%: build/$(1)/tests/fuzz/fuzz_%.o $$(CORE_OBJS:%=build/$(1)/%)
	$(2) $(3) -o $$@ $$^ $$(CORE_LIBS)
endef

SANITIZE = -fsanitize=address,undefined -fno-sanitize-recover=all
$(eval $(call variant,asan,$(CC),-O1 -g -fno-omit-frame-pointer $(SANITIZE)))
$(eval $(call variant,cov,$(CC),-O1 -g --coverage))

# The network once more with double in place of float: what is left of an error
# then is not rounding (see tests/unit/test_network_golden.c).
DOUBLE = -Dfloat=double -DMMRD_FLOAT_IS_DOUBLE -Dsqrtf=sqrt -Dexpf=exp \
         -Dfmaxf=fmax -Dcblas_sgemm=cblas_dgemm
DOUBLE_CORE = $(filter-out model/base/half.o,$(filter model/base/% \
              model/kernel/% model/net/% model/train/% model/score/scorer.o, \
              $(CORE_OBJS)))
build/double/%.o: %.c Makefile
	@mkdir -p $(@D)
	$(CC) $(CORE_FLAGS) -O3 $(DOUBLE) -I. -c -o $@ $<
build/unit/test_network_double: build/double/tests/unit/test_network_golden.o \
		$(DOUBLE_CORE:%=build/double/%) model/base/half.o
	@mkdir -p $(@D)
	$(CC) -fopenmp -o $@ $^ $(TEST_LIBS)
UNIT_BINS = $(UNIT_NAMES:%=build/unit/%) build/unit/test_network_double

.PHONY: help unit unit-build unit-sanitize unit-sanitize-build clang layers \
	format format-check lint bench coverage valgrind fuzz dist update-script deb

unit-build: $(UNIT_BINS)
unit: unit-build ## unit tests, no server needed
	@scripts/run-unit unit $(UNIT_BINS)

# The fuzz targets as well, each on every file that a decoder has ever been
# tested with, its own kind or not.
REPLAYED = $(wildcard tests/hostile/*/ tests/fuzz/seeds/*/ tests/golden/*/)
unit-sanitize-build: $(UNIT_NAMES:%=build/asan/%) $(FUZZ_NAMES:%=build/asan/%)
unit-sanitize: unit-sanitize-build ## unit tests, address and undefined sanitizers
	@scripts/run-unit sanitized $(UNIT_NAMES:%=build/asan/%)
	@failed=0; for target in $(FUZZ_NAMES); do \
		scripts/one-test "replay $$target" build/asan/$$target $(REPLAYED) || \
			failed=1; \
	done; exit $$failed

# Objects only: two OpenMP runtimes do not belong in one server process.
CLANG = clang
$(eval $(call variant,clang,$$(CLANG),-O1))
build/clang/extension/%.o: extension/%.c Makefile
	@mkdir -p $(@D)
	$(CLANG) $(CORE_FLAGS) $(CLANG_FLAGS) -O1 $(CPPFLAGS) -c -o $@ $<
build/clang/client/%.o: client/%.c Makefile
	@mkdir -p $(@D)
	$(CLANG) $(CORE_FLAGS) $(CLANG_FLAGS) -O1 $(CLIENT_FLAGS) -c -o $@ $<
clang: $(OBJS:%=build/clang/%) $(CLIENT_OBJS:build/%=build/clang/%) \
	$(PRETRAIN_OBJS:build/%=build/clang/%) ## compile everything with clang as well

layers: $(CORE_OBJS) ## who includes whom, names of files and symbols
	@scripts/layers $(CORE_OBJS)

SOURCES = $(wildcard model/*.[ch] model/*/*.[ch] loader/*/*.[ch] report/*.[ch] \
            extension/*.[ch] client/*.[ch] pretrain/*.[ch] \
            tests/*/*.[ch])
CLANG_FORMAT ?= $(firstword $(shell command -v clang-format-14 clang-format))
format-check: ## does .clang-format agree?
	@$(CLANG_FORMAT) --version | grep -q 'version 14\.' || \
		{ echo 'clang-format 14 decides, and it was not found' >&2; exit 1; }
	$(CLANG_FORMAT) --dry-run --Werror $(SOURCES)
format: ## let .clang-format decide
	$(CLANG_FORMAT) -i $(SOURCES)

# cppcheck believes that a loop may run no time, and that a cast makes a copy.
CPPCHECK_WRONG = missingIncludeSystem uninitvar invalidPointerCast \
                 invalidFunctionArg
SCRIPTS = .ci/run $(filter-out %.sql %.pl,$(wildcard scripts/*)) \
          tests/docs/run-examples tests/real/candycane tests/real/teachers \
          tests/soak/sessions
lint: ## cppcheck, clang-tidy, shellcheck
	@scripts/install-packages lint
	cppcheck --quiet --std=c11 --inline-suppr --error-exitcode=1 -I. \
		--enable=warning,portability $(CPPCHECK_WRONG:%=--suppress=%) \
		$(MODEL_SRCS) $(LOADER_SRCS) $(REPORT_SRCS) $(wildcard client/*.c pretrain/*.c)
	shellcheck -x $(SCRIPTS)
	clang-tidy --quiet --warnings-as-errors='*' $(MODEL_SRCS) $(LOADER_SRCS) \
		$(REPORT_SRCS) $(wildcard client/*.c pretrain/*.c) -- -std=gnu11 -fopenmp $(CLIENT_FLAGS)

# Programs of tests/bench/, linked like unit tests, and the script that runs
# them and what needs a server.  No pass or fail, only figures.
BENCH_NAMES = $(patsubst tests/bench/%.c,%,$(sort $(wildcard tests/bench/bench_*.c)))
build/bench/%: tests/bench/%.c $(CORE_OBJS)
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) -I. -MF $@.d -MT $@ -o $@ $< \
		$(CORE_OBJS) $(TEST_LIBS)
bench: all $(BENCH_NAMES:%=build/bench/%) ## timings
	@tests/bench/run-bench $(BENCH_NAMES:%=build/bench/%)

# The program that made the teacher `builtin` (docs/teacher.md).  PRETRAIN are
# its options, NAME=VALUE.
PRETRAIN_FOLDER ?= build/pretrained
build/unit/test_pretraining: $(PRETRAIN_CORE)
$(foreach v,asan cov,$(eval build/$(v)/test_pretraining: \
	$(PRETRAIN_CORE:build/%=build/$(v)/%)))
build/pretrain/%.o: pretrain/%.c Makefile
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) -Werror -I. -c -o $@ $<
build/pretrain_teacher: $(PRETRAIN_OBJS) $(CORE_OBJS)
	$(CC) $(CFLAGS) -o $@ $^ $(CORE_LIBS)
.PHONY: pretrain-teacher
pretrain-teacher: build/pretrain_teacher ## the teacher `builtin`, from nothing: hours
	$< $(PRETRAIN_FOLDER) $(PRETRAIN)

# Those of docs/geometry.md, by the code that scores.
.PHONY: docs-pictures
build/docs/make_pictures: docs/geometry/make_pictures.c $(CORE_OBJS)
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) -I. -MF $@.d -MT $@ -o $@ $< $(CORE_OBJS) $(TEST_LIBS)
docs-pictures: build/docs/make_pictures ## the pictures of docs/geometry.md
	build/docs/make_pictures docs/geometry

coverage: $(UNIT_NAMES:%=build/cov/%) ## lines reached by the unit tests
	@scripts/install-packages coverage
	@find build/cov -name '*.gcda' -delete
	@scripts/run-unit coverage $^
	gcovr --root . --filter model/ --filter loader/ --filter report/ --print-summary \
		--html-details build/cov/index.html build/cov

# Memcheck does not follow libjpeg-turbo's vector code: plain C there.
valgrind: unit-build ## unit tests under memcheck
	@scripts/install-packages valgrind
	@RUN_UNDER='valgrind --quiet --error-exitcode=99 --leak-check=full'" \
		--errors-for-leak-kinds=definite" TEST_TIMEOUT=3600 JSIMD_FORCENONE=1 \
		scripts/run-unit valgrind $(UNIT_NAMES:%=build/unit/%)

QUERIES ?= 100000
.PHONY: sqlsmith
sqlsmith: all ## random queries against a server of its own; QUERIES=100000
	@scripts/run-sqlsmith $(QUERIES)

# One target per decoder, FUZZ_SECONDS for each.  No -fopenmp: decoders have
# no threads, and clang's runtime is not the one we use.
FUZZ_SECONDS ?= 20
FUZZ_CORE  = $(filter loader/% model/base/%,$(CORE_OBJS))
build/fuzz/%.o: %.c Makefile
	@mkdir -p $(@D)
	$(CLANG) $(filter-out -fopenmp,$(CORE_FLAGS)) -O1 -g $(SANITIZE) \
		-fsanitize=fuzzer-no-link -DFUZZING_BUILD_MODE_UNSAFE_FOR_PRODUCTION \
		-Wno-unknown-pragmas -I. -c -o $@ $<
build/fuzz/%: build/fuzz/tests/fuzz/%.o $(FUZZ_CORE:%=build/fuzz/%)
	$(CLANG) $(SANITIZE) -fsanitize=fuzzer -o $@ $^ $(filter-out -fopenmp,$(CORE_LIBS))
fuzz: all $(FUZZ_NAMES:%=build/fuzz/%) ## each decoder fuzzed; FUZZ_SECONDS=20
	@scripts/run-fuzz $(FUZZ_SECONDS) $(filter build/fuzz/%,$^)
	@scripts/run-fuzz-models $(FUZZ_SECONDS)

update-script: ## copy new parts of sql/ into the script that updates
	@scripts/update-script

deb: ## Debian packages for this system, in build/deb
	@scripts/build-deb

dist: ## the release archive, from the last commit
	@mkdir -p build
	git archive --format=zip --prefix=$(EXTENSION)-$(EXTVERSION)/ \
		-o build/$(EXTENSION)-$(EXTVERSION).zip HEAD

# What PGXS brings, for "make help":
#install: ## into the PostgreSQL that pg_config belongs to
#installcheck: ## SQL tests against a running server (PGHOST, PGPORT, ...)
#clean: ## remove what was built
installcheck: build/regress
build/regress:
	@mkdir -p $@

endif
