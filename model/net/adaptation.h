/*
 * model/net/adaptation.h
 *	  The frozen teacher during training: adapting its statistics to the
 *	  scans, and computing features once they are fixed.
 */
#ifndef MMRD_ADAPTATION_H
#define MMRD_ADAPTATION_H

#include <stddef.h>

#include "model/base/status.h"
#include "model/base/threads.h"
#include "model/net/network.h"
#include "model/net/weights.h"

typedef struct mmrd_adaptation mmrd_adaptation;

/* Working memory in bytes for batches of max_batch images. */
size_t mmrd_adaptation_bytes(const mmrd_network *net, int max_batch);

/* net stays the caller's and outlives it. */
mmrd_status mmrd_adaptation_create(const mmrd_network *net, int max_batch,
                                   size_t limit_bytes, const mmrd_stop *stop,
                                   mmrd_adaptation **out, mmrd_error *err);

/* Accepts NULL. */
void mmrd_adaptation_free(mmrd_adaptation *a);

/*
 * One batch of one modality through the teacher, normalised by its own
 * statistics; the running statistics of that modality in weights move by
 * momentum 0.1 (unbiased variance).
 *
 * images	n pointers to (S, S, 3)
 */
mmrd_status mmrd_adaptation_step(mmrd_adaptation *a, mmrd_weights *weights,
                                 int modality, int n,
                                 const float *const *images, mmrd_error *err);

/*
 * Make the features of one scan with the statistics now in weights: prepare
 * once (packs the teacher), then run for every scan.  The maps stay valid
 * until the next run: (P, C) each.
 */
mmrd_status mmrd_adaptation_prepare(mmrd_adaptation *a,
                                    const mmrd_weights *weights,
                                    mmrd_error *err);
mmrd_status mmrd_adaptation_run(mmrd_adaptation *a, const float *const *inputs,
                                mmrd_error *err);
const float *mmrd_adaptation_map(const mmrd_adaptation *a, int modality,
                                 int stage);

#endif /* MMRD_ADAPTATION_H */
