/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One layer, computed by several engines in one process: Linnet's plugin, oneDNN and OpenBLAS. Every engine holds its
 * own copies of the same operands in the layout that it likes best, so that run does nothing but the work that is
 * timed.
 */
#ifndef LINNET_PEERS_H
#define LINNET_PEERS_H

#include "device/device.h"
#include "verify/case.h"

#include <stdbool.h>
#include <stdint.h>

typedef enum peer_direction { PEER_FORWARD, PEER_DATA, PEER_WEIGHTS, PEER_DIRECTIONS } peer_direction;

/* What is computed. The arrays are dense NCHW and outlive the engines' states. */
typedef struct peer_problem {
    const linnet_case *layer; /* conv2d */
    peer_direction direction;
    const float *x, *weight, *bias, *dy;
    size_t result_count; /* elements of y, dx or dw */
    double operations;   /* two a multiply-add */
} peer_problem;

typedef struct peer_settings {
    linnet_device *device;
    const char *candidate; /* NULL: what the backend prefers */
    const char *format;    /* the activations arrive in this format of the backend; NULL: what the candidate wants */
    bool train;            /* forward as a training step runs it */
} peer_settings;

typedef struct peer_engine {
    const char *name;
    /* NULL when the engine does not have it; out_how (static, or as long as the state) says which kernel, or why not.
     */
    void *(*open)(const peer_problem *problem, const peer_settings *settings, const char **out_how);
    bool (*run)(void *state);
    /* Dense NCHW; false: the engine does not compute the whole layer, nothing can be compared. */
    bool (*result)(void *state, float *out);
    void (*close)(void *state);
    bool bound; /* its first thread keeps to one processor, the one that OpenMP bound it to */
} peer_engine;

/* linnet.c: activations stay in the format that the candidate wants; the second converts from and to NCHW in every
   run. Packed weights are kept, as oneDNN's are. */
extern const peer_engine peer_linnet, peer_linnet_alone;
/* onednn.c: the layout that oneDNN picks, the same with reorders from and to NCHW in every run, NCHW throughout, and
   Winograd. */
extern const peer_engine peer_onednn, peer_onednn_alone, peer_onednn_plain, peer_onednn_winograd;
/* openblas.c: the matrix products of im2col without the im2col. */
extern const peer_engine peer_openblas;

/* shapes.c: the convolutions of the networks that the bars speak of. */
typedef struct peer_shape {
    const char *network, *layer, *text;
} peer_shape;
size_t peer_shape_count(void);
const peer_shape *peer_shape_at(size_t index);
/* How many times oneDNN's best is asked for; 0: nothing is. */
double peer_bar(const char *network, const linnet_case *layer, peer_direction direction, int threads);

/* clock.c: seconds of one run of each engine, alternating. First in main: the calling thread, which OpenMP may have
   bound already, may run again where the parent process may. */
void peer_clock_start(void);
enum { PEER_ROUNDS = 15 };
typedef struct peer_times {
    double median, least, most, rounds[PEER_ROUNDS];
} peer_times;
/* How many times as long a peer takes as we: the median over the rounds, so that a slow moment, which both meet, does
   not count. 0 where one of them was not measured. */
double peer_ratio(const peer_times *peer, const peer_times *ours);
/* states NULL: left out. seconds: for each engine, all rounds together. False: a run failed. */
bool peer_measure(const peer_engine *const *engines, void *const *states, size_t count, double seconds,
                  double pause_seconds, peer_times *out_times);

#endif
