/*
 * model/kernel/interaction.h
 *	  Multi-modal priors (Gu et al., Eq. 7), forward and backward.
 *
 * N images, P = H * W pixels, C channels, R = C / 16.  With r the prior of
 * RGB and a_m the priors of the auxiliary modalities, maps (N, H, W, C):
 *
 *	  CA = sigmoid(fc2(relu(fc1(mean over pixels of r))))		(N, C)
 *	  SA = mean over m of sigmoid(conv3x3(max over channels of a_m))	(N, P)
 *	  out = SA * (CA * r + r) + r;  without aux out = CA * r + r
 */
#ifndef MMRD_INTERACTION_H
#define MMRD_INTERACTION_H

#include <stddef.h>
#include <stdint.h>

enum
{
	MMRD_SQUEEZE = 16, /* C / R */
	MMRD_INTERACTION_MAX_AUX = 2
};

typedef struct mmrd_interaction_shape
{
	int N, H, W, C;
	int n_aux;
} mmrd_interaction_shape;

/* Values of the weights, or where their gradients go. */
typedef struct mmrd_interaction_weights
{
	float *fc1_weight, *fc1_bias;                    /* (R, C), (R) */
	float *fc2_weight, *fc2_bias;                    /* (C, R), (C) */
	float *spatial_weight[MMRD_INTERACTION_MAX_AUX]; /* (3, 3) */
	float *spatial_bias[MMRD_INTERACTION_MAX_AUX];   /* (1) */
} mmrd_interaction_weights;

/* What forward computes on the way and backward needs again. */
typedef struct mmrd_interaction_state
{
	float *mean;                                /* (N, C) */
	float *hidden;                              /* (N, R), after the ReLU */
	float *ca;                                  /* (N, C) */
	float *peak[MMRD_INTERACTION_MAX_AUX];      /* (N, P): max of a_m */
	int32_t *channel[MMRD_INTERACTION_MAX_AUX]; /* (N, P): which channel */
	float *sa_one[MMRD_INTERACTION_MAX_AUX];    /* (N, P): SA of one aux */
	float *sa;                                  /* (N, P): their mean */
	float *dsa;                                 /* (N, P): backward only */
} mmrd_interaction_state;

/* Floats that mmrd_interaction_state_set() wants. */
size_t mmrd_interaction_work(const mmrd_interaction_shape *s);

/* Point the state's arrays into work. */
void mmrd_interaction_state_set(const mmrd_interaction_shape *s, float *work,
                                mmrd_interaction_state *state);

/* r (N, P, C), a[m] likewise; out (N, P, out_ld), C floats a pixel written. */
void mmrd_interaction_forward(const mmrd_interaction_shape *s,
                              const mmrd_interaction_weights *w,
                              const float *r, const float *const *a,
                              mmrd_interaction_state *state, float *out,
                              int out_ld);

/*
 * dout (N, P, dout_ld); dr and da[m] (N, P, C) are added to; dw's arrays are
 * written.
 */
void mmrd_interaction_backward(const mmrd_interaction_shape *s,
                               const mmrd_interaction_weights *w,
                               const float *r, mmrd_interaction_state *state,
                               const float *dout, int dout_ld,
                               mmrd_interaction_weights *dw, float *dr,
                               float *const *da);

/* The same, plainly, in double (state of forward_ref is its own). */
void mmrd_interaction_forward_ref(const mmrd_interaction_shape *s,
                                  const mmrd_interaction_weights *w,
                                  const float *r, const float *const *a,
                                  float *out, int out_ld);

#endif /* MMRD_INTERACTION_H */
