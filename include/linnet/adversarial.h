/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Adversarial examples: pictures changed by so little that no eye sees it, which a network takes for something else.
 *
 *     linnet_attack(session, &model, &pictures, labels, adversarial, classes, .method = LINNET_ATTACK_PGD,
 *                   .epsilon = 4 / 255.f);
 *
 * Pictures are f32 from 0 to 1, [N,C,H,W] or [C,H,W], colours as RGB; the model's own preprocessing (zoo.h) stands
 * between them and the net. epsilon is the largest change of any value of a picture (L-infinity), in the same units:
 * 4/255 is four levels of an 8-bit picture. What comes out lies within epsilon of the picture and from 0 to 1.
 *
 *     FGSM   x' = x + epsilon sign(dL/dx)                                     (Goodfellow, Shlens and Szegedy 2015)
 *     PGD    x_(k+1) = clip(x_k + step_size sign(dL/dx)), from a random point (Madry et al. 2018)
 *
 * L is the cross-entropy of the given labels. Untargeted: labels are the true classes and L goes up. Targeted: labels
 * are the classes to be seen, and L goes down. The net runs in evaluate behaviour. Only the sign of the slope counts,
 * so each picture's is scaled before it could vanish: where the net is certain, single precision would round it to 0
 * and the picture would seem robust.
 */
#ifndef LINNET_ADVERSARIAL_H
#define LINNET_ADVERSARIAL_H

#include "session.h"
#include "train.h"
#include "zoo.h"

LINNET_BEGIN_DECLS

typedef enum linnet_attack_method { LINNET_ATTACK_FGSM = 0, LINNET_ATTACK_PGD = 1 } linnet_attack_method;

typedef struct linnet_attack_options {
    uint32_t struct_size; /* sizeof(linnet_attack_options) */
    linnet_attack_method method;
    float epsilon; /* 0 to 1; 0: the pictures as they are */
    int targeted;  /* 1: labels are what shall be seen */
    /* ---- PGD only ---- */
    uint32_t steps;     /* default 40 */
    float step_size;    /* default 2.5 epsilon / steps */
    uint64_t seed;      /* of the random start */
    int from_picture;   /* 1: starts at the picture itself */
    int stop_early;     /* 1: ends as soon as every picture is taken for something else (for the target) */
    const float *begin; /* NULL, or pictures within epsilon of the given ones, for instance what a smaller epsilon gave:
                           the search starts there, and what comes out is no worse than they are */
    linnet_progress_function progress; /* after every step, with steps done and all steps; NULL: none */
    void *user;
} linnet_attack_options;

/* Attacks every picture of a batch by itself, with the session of the model's net. out_pictures: as many values as
   pictures. FGSM gives the point of its one step; PGD the best point seen on its way: one that is taken for something
   else (for the target) before one that is not, then the one with the higher (lower) loss. out_classes, N of them: what
   the net takes each for, -1 where its scores are no numbers; NULL where nobody asks, which saves FGSM a run.
   The session is left as it was found (features.h). LINNET_INVALID: epsilon, a label or an option out of range, a
   network without classes. LINNET_INTERRUPTED: progress said stop. */
#define linnet_attack(session, model, pictures, labels, out_pictures, out_classes, ...)                                \
    linnet_attack_with(session, model, pictures, labels,                                                               \
                       &(linnet_attack_options){.struct_size = sizeof(linnet_attack_options), __VA_ARGS__},            \
                       out_pictures, out_classes)
LINNET_API linnet_status linnet_attack_with(linnet_session *session, const linnet_model *model,
                                            const linnet_tensor *pictures, const int32_t *labels,
                                            const linnet_attack_options *options, float *out_pictures,
                                            int32_t *out_classes);

/* The k most probable classes of a picture [C,H,W] from 0 to 1: linnet_predict behind the model's preprocessing. */
LINNET_API linnet_status linnet_classify(linnet_session *session, const linnet_model *model,
                                         const linnet_tensor *picture, size_t k, linnet_prediction *out_predictions);

/* Rounds an adversarial picture to 8 bits without leaving the ball: of the levels within epsilon of picture, the one
   nearest to adversarial (a value of out_bytes / 255). Where there is none (epsilon below half a level), the level
   nearest to picture. Any layout, count values. */
LINNET_API void linnet_attack_quantise(const float *picture, const float *adversarial, size_t count, float epsilon,
                                       uint8_t *out_bytes);

typedef struct linnet_difference {
    double largest; /* L-infinity */
    double length;  /* L2 */
    double mean;    /* of the absolute values */
} linnet_difference;
/* How far b is from a, count values each. */
LINNET_API void linnet_difference_measure(const float *a, const float *b, size_t count,
                                          linnet_difference *out_difference);

LINNET_END_DECLS
#endif
