/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Training: optimisers, learning-rate schedules, evaluation, weights on disk, checkpoints.
 *
 *     linnet_optimizer *sgd = linnet_sgd_new(session, .learning_rate = 1e-3f);
 *     while (linnet_loader_next(train, &batch)) {
 *         linnet_zero_grad(sgd);
 *         linnet_forward(session, &batch);
 *         linnet_backward(session, loss);
 *         linnet_step(sgd);
 *     }
 *
 * Any of the four calls may fail. Check each status, or only linnet_step's: it refuses, with the first error of the
 * round, when forward or backward failed since linnet_zero_grad.
 */
#ifndef LINNET_TRAIN_H
#define LINNET_TRAIN_H

#include "session.h"

LINNET_BEGIN_DECLS

/* ---- Optimisers: one launch over all parameters, on the device. Formulas in backend.h. ---- */

typedef struct linnet_optimizer linnet_optimizer;

typedef struct linnet_sgd_options {
    uint32_t struct_size;
    int nesterov;
    float learning_rate; /* default 1e-3 */
    float momentum, weight_decay;
} linnet_sgd_options;
#define linnet_sgd_new(session, ...)                                                                                   \
    linnet_sgd_new_with(session, &(linnet_sgd_options){.struct_size = sizeof(linnet_sgd_options), __VA_ARGS__})
/* Turns the session to train behaviour with gradients. Free it before the session. NULL: see linnet_context_message. */
LINNET_API linnet_optimizer *linnet_sgd_new_with(linnet_session *session, const linnet_sgd_options *options);

typedef struct linnet_adam_options {
    uint32_t struct_size;
    uint32_t reserved;
    float learning_rate; /* default 1e-3 */
    float beta1, beta2;  /* default 0.9, 0.999 */
    float epsilon;       /* default 1e-8 */
    float weight_decay;
} linnet_adam_options;
#define linnet_adam_new(session, ...)                                                                                  \
    linnet_adam_new_with(session, &(linnet_adam_options){.struct_size = sizeof(linnet_adam_options), __VA_ARGS__})
LINNET_API linnet_optimizer *linnet_adam_new_with(linnet_session *session, const linnet_adam_options *options);
LINNET_API void linnet_optimizer_free(linnet_optimizer **optimizer);

LINNET_API linnet_status linnet_zero_grad(linnet_optimizer *optimizer);
/* Updates every parameter that is not frozen. A parameter without a gradient counts as having a zero one. */
LINNET_API linnet_status linnet_step(linnet_optimizer *optimizer);
LINNET_API void linnet_optimizer_set_learning_rate(linnet_optimizer *optimizer, float learning_rate);
LINNET_API float linnet_optimizer_learning_rate(const linnet_optimizer *optimizer);
LINNET_API uint64_t linnet_optimizer_steps(const linnet_optimizer *optimizer); /* taken so far */

/* ---- Schedules: a learning rate for a step, without state ---- */

typedef enum linnet_schedule_kind {
    LINNET_SCHEDULE_CONSTANT = 0,
    LINNET_SCHEDULE_STEP = 1,  /* times factor every period steps */
    LINNET_SCHEDULE_COSINE = 2 /* from rate down to final_rate over total steps (Loshchilov and Hutter 2017) */
} linnet_schedule_kind;

typedef struct linnet_schedule {
    linnet_schedule_kind kind;
    float rate;       /* the base learning rate */
    uint64_t warm_up; /* steps over which the rate rises linearly to its value, for every kind */
    uint64_t period;  /* step */
    float factor;     /* step; 0: 0.1 */
    uint64_t total;   /* cosine */
    float final_rate; /* cosine */
} linnet_schedule;
/* step counts from 0. */
LINNET_API float linnet_schedule_rate(const linnet_schedule *schedule, uint64_t step);

/* ---- Evaluation ---- */

typedef struct linnet_evaluation {
    int64_t count, correct;
    double loss;     /* mean over samples; NaN without a loss value */
    double accuracy; /* correct / count */
} linnet_evaluation;
/* Called after every batch; a non-zero answer stops with LINNET_INTERRUPTED. */
typedef int (*linnet_progress_function)(void *user, int64_t samples_done, int64_t samples);

/* One pass over the loader in evaluate behaviour without gradients; settings are as before afterwards. predictions:
   NULL, or room for one class a sample: that of the largest score, -1 where no score is a number, which is not correct
   whatever the label. loss may be the null value. */
LINNET_API linnet_status linnet_evaluate(linnet_session *session, linnet_loader *loader, linnet_value logits,
                                         linnet_value loss, int32_t *out_predictions, linnet_progress_function progress,
                                         void *user, linnet_evaluation *out_evaluation);

typedef struct linnet_prediction {
    int32_t class_index;
    float probability;
} linnet_prediction;
/* The k most probable classes of one sample [C,H,W] (f32, as the net was trained), softmax over logits, best first. */
LINNET_API linnet_status linnet_predict(linnet_session *session, linnet_value logits, const linnet_tensor *sample,
                                        size_t k, linnet_prediction *out_predictions);

/* ---- Weights: safetensors, parameters and running statistics by name, the net's name in the metadata ---- */

/* Also kept, so that linnet_model_for_weights (zoo.h) can build the same net again: the sizes of its inputs and outputs,
   and its notes (linnet_net_set_note). */
LINNET_API linnet_status linnet_save(linnet_session *session, const char *path);
/* Every variable of the net must be there with its shape, and no tensor that is not of the net, but for what vgg19 cut
   or without classes leaves out, a checkpoint's "optimizer." and PyTorch's num_batches_tracked. What does not fit is
   listed and nothing is changed. A file made for another architecture is LINNET_BAD_FILE. */
LINNET_API linnet_status linnet_load(linnet_session *session, const char *path);
/* The architecture's name in a weight file, "" when it has none; release with linnet_text_free. */
LINNET_API linnet_status linnet_weights_architecture(linnet_context *context, const char *path, char **out_name);

/* ---- Checkpoints: all that a run needs, in one safetensors file; resuming gives the same bits ---- */

/* Also those measured costs (linnet_session_tune) by which the session's implementations were chosen, or that there were
   none: on the same device and version they decide after loading, whatever was measured in between, until the session
   is tuned again. */
typedef struct linnet_checkpoint {
    uint32_t struct_size;
    uint32_t reserved;
    linnet_session *session;
    linnet_optimizer *optimizer;
    linnet_loader *loader; /* its position; NULL: none */
    /* The caller's own settings (JSON or whatever); saved, and on loading handed back in *notes when notes is not NULL:
       release with linnet_text_free. */
    char **notes;
} linnet_checkpoint;
LINNET_API linnet_status linnet_checkpoint_save(const linnet_checkpoint *checkpoint, const char *path);
LINNET_API linnet_status linnet_checkpoint_load(const linnet_checkpoint *checkpoint, const char *path);

LINNET_END_DECLS
#endif
