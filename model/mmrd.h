/*
 * model/mmrd.h
 *	  The public API: the one header that extension/ needs from the model.
 *
 *	  config	what kind of network			model/net/config.h
 *	  weights	its named tensors				model/net/weights.h
 *	  trainer	scans -> weights, step by step	model/train/trainer.h
 *	  packed	weights ready for scoring		model/net/packed.h
 *	  scorer	inputs -> map and score			model/score/scorer.h
 *
 * Inputs come from model/input/, metrics and regions are in model/score/.
 */
#ifndef MMRD_H
#define MMRD_H

#include "model/base/status.h"
#include "model/base/tensor.h"
#include "model/base/threads.h"
#include "model/net/config.h"
#include "model/net/packed.h"
#include "model/net/weights.h"
#include "model/score/scorer.h"
#include "model/train/trainer.h"

#endif /* MMRD_H */
