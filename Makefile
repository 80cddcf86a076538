EXTENSION  = mmrd
EXTVERSION = 0.1.0
MODULE_big = mmrd

# Two libraries that know nothing of PostgreSQL, and the glue around them.
MODEL_SRCS  = $(wildcard model/*/*.c)
LOADER_SRCS = $(wildcard loader/*/*.c)
GLUE_SRCS   = $(wildcard extension/*.c)
CORE_OBJS   = $(patsubst %.c,%.o,$(MODEL_SRCS) $(LOADER_SRCS))
OBJS        = $(CORE_OBJS) $(patsubst %.c,%.o,$(GLUE_SRCS))

# The install script is the numbered parts in order; upgrades are by hand.
DATA_built = sql/$(EXTENSION)--$(EXTVERSION).sql
DATA       = $(wildcard sql/$(EXTENSION)--*--*.sql)

REGRESS      = $(patsubst tests/sql/%.sql,%,$(sort $(wildcard tests/sql/*.sql)))
REGRESS_OPTS = --inputdir=tests --outputdir=build/regress --load-extension=$(EXTENSION)

# The OpenMP build of OpenBLAS, by its own folder: the pthread build starts
# threads of its own as soon as it is loaded.
OPENBLAS_DIR ?= $(firstword $(wildcard /usr/lib/*/openblas-openmp))

# No -ffast-math: it would change floating point for the whole server process.
CORE_LIBS    = -L$(OPENBLAS_DIR) -Wl,-rpath,$(OPENBLAS_DIR) -lopenblas \
               -lpng -ljansson -lz -lm -fopenmp
PG_CPPFLAGS  = -I$(srcdir) -I.
PG_CFLAGS   += -std=gnu11 -O3 -fopenmp -fno-math-errno -fno-trapping-math \
               -Wall -Wextra -Wvla -Wno-unused-parameter \
               -Wno-declaration-after-statement $(WERROR)
SHLIB_LINK  += $(CORE_LIBS)
UNIT_SRCS    = $(wildcard tests/unit/test_*.c)
UNIT_BINS    = $(patsubst %.c,%.bin,$(UNIT_SRCS))
EXTRA_CLEAN  = $(UNIT_BINS) build

# JIT must not inline a copy of a kernel built with other flags.
override with_llvm := no

all: $(DATA_built)

PG_CONFIG ?= pg_config
PGXS := $(shell $(PG_CONFIG) --pgxs)
include $(PGXS)

# Coarse, but PGXS tracks no headers unless the server was built to.
$(OBJS): $(wildcard extension/*.h model/*.h model/*/*.h loader/*/*.h)

$(DATA_built): $(sort $(wildcard sql/[0-9][0-9]-*.sql))
	cat $^ > $@

# Linking without the server is the proof that the core does not need it.
tests/unit/%.bin: tests/unit/%.c tests/unit/check.h $(CORE_OBJS)
	$(CC) $(CFLAGS) $(CPPFLAGS) -o $@ $< $(CORE_OBJS) $(CORE_LIBS)

.PHONY: unit layers
unit: layers $(UNIT_BINS)
	@for t in $(UNIT_BINS); do echo "$$t"; $$t || exit 1; done

# Who may include whom.  A line printed here is a layering error.
INCLUDES = grep -rnE '\#include *["<]($(1))' $(2)
layers:
	@! $(call INCLUDES,postgres|fmgr|c\.h|utils/|extension/,model loader)
	@! $(call INCLUDES,loader/,model)
	@! $(call INCLUDES,model/(kernel|input|net|train|score|mmrd),loader)
	@! $(call INCLUDES,model/(input|net|train|score|mmrd),model/base model/kernel)
