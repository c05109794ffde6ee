/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A session runs a net on a device. It owns everything that changes: parameters, running statistics, gradients, random
 * state, a queue, and a bounded cache of plans (one per set of input shapes), which share one arena.
 *
 *     linnet_session *session = linnet_session_new(net, device);
 *     linnet_forward(session, &batch);
 *     linnet_session_read(session, logits, scores, sizeof scores);
 *
 * Behaviour (evaluate or train: dropout, batch norm) and gradients (none, or those of a set of values) are two
 * independent settings. A new session evaluates without gradients; an optimiser (train.h) turns both on.
 *
 * What runs: every layer whose inputs are fed. A net with a loss runs without labels, too: then the loss is left out.
 *
 * Layers that the device lacks run on the best other device that has them, said once as a warning
 * (LINNET_FALLBACK=error|warn|allow).
 *
 * Errors: a status and linnet_context_message; the session stays usable. Threads: one at a time.
 *
 * LINNET_OUT_OF_MEMORY: where a plan does not fit the device's memory, implementations with smaller workspaces have
 * been tried already; the message says how many bytes are needed.
 *
 * LINNET_DEVICE_LOST: the device does nothing any more (its driver was reset, a kernel crashed). A session whose
 * variables training has not changed gets over that, once: linnet_forward opens the device anew with the weights, of
 * which the host has a copy, and runs on it; a read that fails so is repeated from linnet_forward on. What trains is
 * lost with its device: a new session goes on from the checkpoint (train.h). So is what runs on a context of the
 * caller's (linnet_device_adopt).
 */
#ifndef LINNET_SESSION_H
#define LINNET_SESSION_H

#include "data.h"
#include "device.h"
#include "net.h"

LINNET_BEGIN_DECLS

typedef struct linnet_session linnet_session;

/* device NULL: the default one (LINNET_BACKEND). The net must outlive the session. Parameters start as
   linnet_session_initialize(session, 0) makes them. NULL: see linnet_context_message. */
LINNET_API linnet_session *linnet_session_new(linnet_net *net, linnet_device *device);
/* Accepts NULL, clears the pointer. */
LINNET_API void linnet_session_free(linnet_session **session);
LINNET_API linnet_net *linnet_session_net(const linnet_session *session);
LINNET_API linnet_device *linnet_session_device(const linnet_session *session);

/* Draws all parameters anew from seed, resets running statistics and the step count; dropout draws from it, too. */
LINNET_API linnet_status linnet_session_initialize(linnet_session *session, uint64_t seed);

/* ---- Settings: take effect at the next forward ---- */

LINNET_API void linnet_session_set_behaviour(linnet_session *session, linnet_behaviour behaviour);
LINNET_API linnet_behaviour linnet_session_get_behaviour(const linnet_session *session);
/* Whether forward prepares a backward (default: no). Then gradients of all parameters that are not frozen, and of the
   values asked for by linnet_session_want_gradient, are there after it. */
LINNET_API void linnet_session_set_gradients(linnet_session *session, int on);
LINNET_API int linnet_session_get_gradients(const linnet_session *session);
/* Asks for the gradient of an input (or any value that layers make). */
LINNET_API linnet_status linnet_session_want_gradient(linnet_session *session, linnet_value value);
/* Gradients of parameters: on by default where gradients are on. Off: only wanted values (adversarial examples, style).
 */
LINNET_API void linnet_session_set_parameter_gradients(linnet_session *session, int on);
/* Makes what a layer makes differentiable: a scalar by linnet_backward, anything by linnet_backward_from. Losses that
   no other layer uses are, without being asked for. At most 64. */
LINNET_API linnet_status linnet_session_add_loss(linnet_session *session, linnet_value loss);
/* Keeps a value readable after every run (outputs are anyway). */
LINNET_API linnet_status linnet_session_keep(linnet_session *session, linnet_value value);
/* Constant: what the input is fed with stays as it is as long as it lies where it lies. It is sent to the device once,
   and anew from another address or where the device has it no more (other shapes ran in between, a call failed). on 0
   (the default): every forward sends it. */
LINNET_API linnet_status linnet_session_set_constant(linnet_session *session, linnet_value input, int on);
/* Lazy: a forward computes kept values, values given to linnet_session_add_loss, and what these are computed from; the
   rest of the net, its outputs too, is left out, and need not even fit the input. Default: off, everything runs. */
LINNET_API void linnet_session_set_lazy(linnet_session *session, int on);

/* ---- Running ---- */

/* Runs the net forward. Feeds are host tensors named as the net's inputs, dimension 0 the batch; read before it
   returns, but for those of a forward that failed that lie in pinned memory (linnet_pinned_free). From there they are
   sent without being copied first; behind work only where they can, else they are copied aside (linnet_pinned_new). */
LINNET_API linnet_status linnet_forward(linnet_session *session, const linnet_batch *batch);
/* Gradients of loss, a scalar of the last forward. Adds to parameter gradients (linnet_zero_grad clears them) and
   overwrites gradients of values. Once per loss and forward. Behind a forward that failed: the same status, and its
   message stays. */
LINNET_API linnet_status linnet_backward(linnet_session *session, linnet_value loss);
/* The same from any value y given to linnet_session_add_loss: gradients of sum(gradient * y), gradient dense f32 of y's
   shape in the last forward (a vector-Jacobian product: one class score, one unit of a feature map). Read before it
   returns. */
LINNET_API linnet_status linnet_backward_from(linnet_session *session, linnet_value value, const void *gradient,
                                              size_t bytes);
/* Parameter gradients count as zero from here on. */
LINNET_API linnet_status linnet_session_zero_gradients(linnet_session *session);
/* Waits until the device has done all that was asked for. */
LINNET_API linnet_status linnet_session_finish(linnet_session *session);

/* ---- Reading and writing; bytes must be exactly the tensor's ---- */

/* An output, kept value or input of the last forward, dense NCHW. Waits for it. */
LINNET_API linnet_status linnet_session_read(linnet_session *session, linnet_value value, void *out_data, size_t bytes);
/* The same without waiting: out_data, which has to stay where it is, holds the value once linnet_reading_wait has
   returned LINNET_OK, and is not written otherwise; the device may be given more work meanwhile, and another forward
   does no harm. */
typedef struct linnet_reading linnet_reading;
LINNET_API linnet_status linnet_session_read_later(linnet_session *session, linnet_value value, void *out_data,
                                                   size_t bytes, linnet_reading **out_reading);
/* Waits for the data, frees the reading and clears the pointer; NULL is fine. Every reading, before its session goes.
 */
LINNET_API linnet_status linnet_reading_wait(linnet_reading **reading);
/* Its shape in the last forward. */
LINNET_API linnet_status linnet_session_shape(linnet_session *session, linnet_value value, linnet_tensor *out_shape);
/* Gradient of a parameter, or of a wanted value, after backward. */
LINNET_API linnet_status linnet_session_read_gradient(linnet_session *session, linnet_value value, void *out_data,
                                                      size_t bytes);
/* Parameters and running statistics by full name. */
LINNET_API linnet_status linnet_session_get(linnet_session *session, const char *name, void *out_data, size_t bytes);
LINNET_API linnet_status linnet_session_set(linnet_session *session, const char *name, const void *data, size_t bytes);
/* Number index of them, in the net's order: name and shape (data NULL). LINNET_END behind the last. */
LINNET_API linnet_status linnet_session_variable(const linnet_session *session, size_t index, const char **out_name,
                                                 linnet_tensor *out_shape);

/* ---- Memory that the caller has on the session's device: linnet_device_adopt ----
 *
 * object is a buffer of the device's own API: for opencl a cl_mem made by clCreateBuffer or clCreateSubBuffer in the
 * device's context. Tensors lie in it dense, NCHW, from any number of bytes (`offset`) on. All that is done with
 * it are copies on the device, in the order of the queue; what its flags say of kernels (CL_MEM_READ_ONLY, ...) and of
 * the host does not matter to them.
 *
 * Errors: LINNET_INVALID: object is none of these, is of another context, or too small; LINNET_UNSUPPORTED: the
 * session's device takes no memory of others, or (LINNET_FALLBACK) another device makes or needs the tensor.
 */

/* From the next forward on the input comes from there: its feed, which says the shape, may have data NULL, and data
   that it has are not looked at. Every forward copies it before anything else; the caller may write there again as soon
   as that copy is done, which what it enqueues behind linnet_forward is. The session retains object until another one
   is bound to the input, or NULL (then feeds count again), or it is freed. Whether object is large enough is seen at
   the forward. */
LINNET_API linnet_status linnet_session_bind(linnet_session *session, linnet_value input, void *object,
                                             uint64_t offset);
/* An output, kept value or input of the last forward, copied there without waiting: what the caller enqueues afterwards
   on the device's queue finds it. object is not held beyond that. */
LINNET_API linnet_status linnet_session_copy(linnet_session *session, linnet_value value, void *object,
                                             uint64_t offset);
/* Hands the device what has been enqueued so far, without waiting for it. */
LINNET_API linnet_status linnet_session_flush(linnet_session *session);

/* ---- What it is doing ---- */

typedef struct linnet_session_stats {
    uint32_t struct_size; /* set by the caller */
    uint32_t fallbacks;   /* nodes of the last plan that run on another device */
    uint64_t parameter_bytes, gradient_bytes, optimizer_bytes, packed_bytes;
    uint64_t arena_bytes;   /* activations, gradients of values, workspaces */
    uint64_t plans;         /* in the cache */
    uint64_t compiles;      /* so far */
    double compile_seconds; /* that making plans took so far, in all, programs built for them too; without */
    double check_seconds;   /* what plans and optimisers took to be compared with the reference at first use */
} linnet_session_stats;
LINNET_API linnet_status linnet_session_get_stats(const linnet_session *session, linnet_session_stats *out_stats);

/* The plan for these feeds and the current settings as text, one line a step: implementation, formats, bytes, and why
   other candidates refused. Compiles it if need be. Free with linnet_text_free. */
LINNET_API linnet_status linnet_session_describe(linnet_session *session, const linnet_batch *batch, int json,
                                                 char **out_text);

/* A step of the plan that ran last (profile.h times them). */
typedef struct linnet_step_info {
    uint32_t struct_size;       /* set by the caller */
    int32_t backward;           /* 1: it belongs to a backward */
    const char *node;           /* the layer's name; "" for one that is no node's */
    const char *layer;          /* "conv2d"; "convert", "transfer", "seed", "alias" */
    const char *epilogue;       /* "relu" where it is applied at once, else "" */
    const char *implementation; /* "winograd"; "" where there is no choice */
    uint64_t multiply_adds;     /* of the layer's direct form, whatever the implementation */
    uint64_t bytes;             /* of all tensors that it has in hand, each counted once */
} linnet_step_info;
/* Number index of them, in their order: forward, then each loss's backward. LINNET_END behind the last. Texts live as
   long as the plan. */
LINNET_API linnet_status linnet_session_step(const linnet_session *session, size_t index, linnet_step_info *out_info);
LINNET_API void linnet_text_free(char **text);

/* ---- Tuning: measured costs instead of estimated ones ---- */

typedef struct linnet_tune_options {
    uint32_t struct_size;
    uint32_t anew;  /* 1: measures what was measured before, too */
    double seconds; /* for each implementation; default 0.02 */
    /* Called before each implementation is measured; other than 0 stops. NULL: nobody wants to know. */
    int (*progress)(void *context, size_t done, size_t all, const char *layer);
    void *context;
} linnet_tune_options;
typedef struct linnet_tune_report {
    uint32_t struct_size; /* set by the caller */
    uint32_t layers;      /* different ones, forwards and backwards together */
    uint32_t measured;    /* implementations */
    uint32_t wrong;       /* of them: not within the layer's tolerance; they are not used any more */
    uint32_t skipped;     /* too large, or failed: the estimate stays */
    uint32_t reused;      /* implementations that were measured before */
} linnet_tune_report;
/* Runs a step for what each layer takes (nothing of the session is different afterwards, but that no forward is current
   and that a profile starts anew), then measures every implementation that a plan for these feeds and the current
   settings could use in the place of another one, each layer and size once, those of the layer that takes the most time
   first; and compares it with the first that accepts: of kernels that a driver compiled here, the first that the
   comparison with the reference at first use (LINNET_CHECK) has found right. From then on this session's devices, as
   long as they are open, choose by what was measured; plans are made anew.

   Times are only compared with times: where all were measured, they choose the plan; else the formats of tensors are
   those of the estimates, and in these each layer whose implementations were all measured gets the fastest.

   options may be NULL. LINNET_END: progress stopped it; what was measured until then counts, by the same rule. */
LINNET_API linnet_status linnet_session_tune(linnet_session *session, const linnet_batch *batch,
                                             const linnet_tune_options *options, linnet_tune_report *out_report);
/* Every session on these devices chooses by it from then on. What was measured is in the cache directory. */
LINNET_API linnet_status linnet_session_keep_tuning(linnet_session *session);
/* Back to what plans were chosen by before it. What was measured is in the cache directory all the same: the next
   tuning measures the rest. */
LINNET_API linnet_status linnet_session_drop_tuning(linnet_session *session);

LINNET_END_DECLS
#endif
