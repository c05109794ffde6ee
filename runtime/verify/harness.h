/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The inside of the conformance harness. One case goes through it like this: operands are filled, the reference
 * computes what is expected, and for each of the device's candidates a trial lays the tensors out in an arena between
 * guard bands, runs, and compares. Internal to runtime/verify.
 */
#ifndef LINNET_HARNESS_H
#define LINNET_HARNESS_H

#include "../device/device.h"
#include "case.h"
#include "linnet/verify.h"

/* What identifies a run in a report. */
typedef struct linnet_check {
    linnet_context *context;
    linnet_device *device, *reference;
    const char *text;
    uint64_t seed;
    const char *only;           /* candidate name or NULL */
    const char *only_backward;  /* the same of what goes back; "": nothing does */
    struct linnet_focus *focus; /* what it is confined to; NULL: nothing */
    bool trusts_only;           /* what is expected comes from what is right at first use (trust.h) */
    linnet_verify_result *result;
    size_t report_used;
    char failure[512];    /* the first failure's line */
    bool is_broken;       /* it was a call's, no value that differs */
    uint64_t memory_left; /* bytes that arenas may take of the machine */
    uint32_t no_memory;   /* how many failures were for want of memory for tensors */
    char where[256];      /* "forward im2col_gemm, random fill, in place" */
} linnet_check;

/* What dropout is told: 64 bits matter. */
#define LINNET_CHECK_NODE       7u
#define LINNET_CHECK_STEP       UINT64_C(0x300000007)
#define LINNET_CHECK_SEED(seed) ((seed)*UINT64_C(0x9E3779B97F4A7C15))

/* False: an argument is missing. */
bool linnet_check_begin(linnet_check *check, linnet_device *device, linnet_device *reference, const char *text,
                        const linnet_verify_options *options, linnet_verify_result *result);
/* The case: what linnet_verify_case does once the check has begun. */
linnet_status linnet_check_run(linnet_check *check);
/* One line behind where; counts a failure. The report keeps the first few. */
void linnet_check_fail(linnet_check *check, const char *format, ...) LINNET_PRINTF(2, 3);
/* A line that is no failure. */
void linnet_check_note(linnet_check *check, const char *format, ...) LINNET_PRINTF(2, 3);
/* True for LINNET_OK; else fails with what and the plugin's sentence. */
bool linnet_check_status(linnet_check *check, const linnet_device *device, linnet_status status, const char *what);
/* The same of memory that the case's tensors are put into: LINNET_OUT_OF_MEMORY and LINNET_LIMIT say nothing against
   the device. A case that fails by nothing else is skipped. */
bool linnet_check_memory(linnet_check *check, const linnet_device *device, linnet_status status, const char *what);

/* ---- operands.c: host values, dense row-major, 4 bytes an element ---- */

typedef struct linnet_values {
    float *inputs[LINNET_MAX_INPUTS]; /* labels are int32_t in the same place */
    float *outputs[LINNET_MAX_OUTPUTS];
    float *parameters[LINNET_MAX_PARAMETERS];
    float *states[LINNET_MAX_STATES];
    float *output_gradients[LINNET_MAX_OUTPUTS];
    float *input_gradients[LINNET_MAX_INPUTS];
    float *parameter_gradients[LINNET_MAX_PARAMETERS];
    void *saved[LINNET_MAX_SAVED]; /* opaque bytes of one device */
    uint64_t saved_bytes[LINNET_MAX_SAVED];
    uint32_t saved_count;
} linnet_values;

typedef enum linnet_fill { LINNET_FILL_INTEGER, LINNET_FILL_RANDOM, LINNET_FILL_SPACED } linnet_fill;

/* Arrays for every tensor of the case; false when out of memory. */
bool linnet_values_new(const linnet_case *problem, linnet_values *out);
void linnet_values_free(linnet_values *values);
/* Room for what the candidate saves. False: the check has failed. */
bool linnet_values_saved(linnet_check *check, linnet_values *values, const linnet_candidate *forward);
/* Inputs, parameters, states, output gradients; input and parameter gradients get what accumulation starts from.
   INTEGER: small integers. RANDOM: floats. SPACED: inputs at least 2^-6 apart from each other and from 0 where that
   fits, for numeric gradients. */
void linnet_values_fill(linnet_values *values, const linnet_case *problem, linnet_fill fill, uint64_t seed);
/* Uniform in [0,1): number index of stream. */
float linnet_fill_uniform(uint64_t seed, uint32_t stream, uint64_t index);

/* ---- arena.c: tensors on the device, between guard bands ---- */

typedef struct linnet_slot {
    linnet_tensor_desc desc; /* type 0: bytes */
    uint64_t offset, bytes;  /* in the images, and in the buffer unless buffers are separate */
    linnet_backend_buffer *buffer;
    int32_t staging; /* the NCHW slot it is converted from and to, or -1 */
    int32_t exact;   /* where its values are converted again, to be compared with it, or -1 */
    bool filled;     /* has contents before the run */
    bool written;    /* the run may change it */
} linnet_slot;

typedef struct linnet_arena {
    linnet_check *check;
    linnet_device *device;
    linnet_backend_queue *queue;
    linnet_backend_buffer *buffer;
    bool separate; /* each slot has a buffer of its own, exactly as large: finds what reads or writes behind its end */
    uint64_t buffer_bytes, used, most; /* most: of used so far */
    uint8_t *before, *after;           /* what the buffer holds before and after the run */
    size_t before_bytes, after_bytes;
    linnet_slot *slots;
    size_t slot_count, slot_capacity;
    bool converted, failed;
} linnet_arena;

bool linnet_arena_open(linnet_arena *arena, linnet_check *check, linnet_device *device);
void linnet_arena_close(linnet_arena *arena);
void linnet_arena_reset(linnet_arena *arena);
/* A tensor with these dense values, or poisoned and to be written (NULL). The slot's number, -1 on failure (then the
   arena is failed and everything after does nothing). */
int32_t linnet_arena_tensor(linnet_arena *arena, const linnet_tensor_desc *desc, const void *values);
/* Plain bytes: contents, or poison to be written (NULL). */
int32_t linnet_arena_bytes(linnet_arena *arena, uint64_t bytes, const void *contents);
/* -1 gives the absent view. */
linnet_view linnet_arena_view(const linnet_arena *arena, int32_t slot);
void linnet_arena_writes(linnet_arena *arena, int32_t slot);
bool linnet_arena_upload(linnet_arena *arena);
/* Waits, reads everything back and fails the check when something changed that no one may write. */
bool linnet_arena_download(linnet_arena *arena);
/* After download: dense values, or the bytes of a plain slot. */
void linnet_arena_values(const linnet_arena *arena, int32_t slot, void *out);

/* ---- trial.c: one candidate of one desc ---- */

typedef struct linnet_trial {
    linnet_check *check;
    linnet_arena *arena;
    const linnet_case *problem;
    const linnet_layer_ops *ops;
    linnet_layer_desc desc; /* points to the arrays below: a trial is not copied */
    linnet_tensor_desc inputs[LINNET_MAX_INPUTS];
    linnet_tensor_desc outputs[LINNET_MAX_OUTPUTS];
    linnet_tensor_desc parameters[LINNET_MAX_PARAMETERS];
    linnet_tensor_desc states[LINNET_MAX_STATES];
    linnet_candidate candidate;
    linnet_backend_plan *plan;
    double seconds; /* time every run for so long; 0: do not */
    double give_up; /* a run that takes longer is timed twice; 0: all are timed well */
    /* Then: seconds of one run, and of the conversions of its inputs, outputs and their gradients,
       and of its parameters. */
    double fastest, median, conversion, packing;
} linnet_trial;

/* The case's desc for a direction, to be edited (formats, strides, wanted gradients) before candidates are asked for.
 */
void linnet_trial_begin(linnet_trial *trial, linnet_arena *arena, const linnet_case *problem,
                        linnet_direction direction);
/* LINNET_OK, LINNET_END, or what the plugin returned (then the check has failed). */
linnet_status linnet_trial_candidate(linnet_trial *trial, uint32_t index);
/* The first candidate that accepts (and is to be trusted, where the check asks for that), planned. False: the check has
   failed. */
bool linnet_trial_plan_first(linnet_trial *trial);
/* Takes the current candidate's formats. */
void linnet_trial_formats(linnet_trial *trial);
/* The same, and plans it. False: the check has failed. */
bool linnet_trial_plan(linnet_trial *trial);
void linnet_trial_end(linnet_trial *trial);
/* in_place: the input whose place the output (backward: whose gradient the output's gradient) shares, or -1.
   Results go to outputs, states and saved of out. */
bool linnet_trial_forward(linnet_trial *trial, const linnet_values *operands, int32_t in_place, linnet_values *out);
/* operands: also outputs, states and saved of the forward run. Results go to the gradients of out. */
bool linnet_trial_backward(linnet_trial *trial, const linnet_values *operands, uint32_t accumulate_inputs,
                           uint32_t accumulate_parameters, int32_t in_place, linnet_values *out);

/* ---- expected.c ---- */

/* What the reference computes with the first candidate that accepts: outputs (behind the epilogue), states and all
   gradients. False: the check has failed. */
bool linnet_expected_compute(linnet_arena *reference, const linnet_case *problem, const linnet_values *operands,
                             linnet_values *out);
/* For every element the magnitude that its rounding errors are measured against: the sum of the absolute terms, where
   it is a sum. */
bool linnet_expected_scale(linnet_arena *reference, const linnet_case *problem, const linnet_values *operands,
                           const linnet_values *expected, linnet_values *out);

/* ---- tolerance.c, compare.c ---- */

typedef enum linnet_role {
    LINNET_ROLE_OUTPUT,
    LINNET_ROLE_STATE,
    LINNET_ROLE_INPUT_GRADIENT,
    LINNET_ROLE_PARAMETER_GRADIENT
} linnet_role;

/* |got - wanted| <= bound * scale, element by element; bound 0: equal. */
double linnet_tolerance_bound(const linnet_case *problem, linnet_role role, uint32_t numerics, linnet_fill fill);
/* How many terms are added up for one element. */
double linnet_tolerance_length(const linnet_case *problem, linnet_role role);
/* Scales of layers that are no sums of products of their operands; false: it is one. */
bool linnet_tolerance_scale(const linnet_case *problem, const linnet_values *operands, const linnet_values *expected,
                            linnet_values *out);

/* start: what accumulation started from, or NULL. Fails the check with the first differences. */
void linnet_compare(linnet_check *check, const char *name, uint32_t index, const linnet_tensor_desc *desc,
                    const float *got, const float *wanted, const float *scale, const float *start, double bound);
/* Bits. */
void linnet_compare_bits(linnet_check *check, const char *name, uint32_t index, const linnet_tensor_desc *desc,
                         const float *got, const float *wanted);

/* ---- repeats.c: backward runs of a case under one fill that were made. What reads nothing of the forward run's does
   the same behind every forward candidate, and in every variant that comes to the same formats. ---- */

enum { LINNET_REPEATS_AT_MOST = 1024 };

typedef struct linnet_repeats {
    uint64_t keys[LINNET_REPEATS_AT_MOST];
    uint32_t count;
} linnet_repeats;

/* Was this planned backward run made before, in the variant (any number)? Notes it when not. */
bool linnet_is_repeated(linnet_repeats *seen, const linnet_trial *trial, uint32_t variant);

/* ---- focus.c: a check confined to runs of kernels of which all are among some: what a driver made of these is looked
   at, and nothing else is compiled for it. Runs that only the plugin's own code could get wrong are left out. ---- */

typedef struct linnet_focus {
    const char *kernels;         /* names with commas between, at most 64 */
    bool no_gradients;           /* forward runs that no backward follows */
    bool is_loose;               /* other kernels may run beside them */
    bool is_search;              /* a case is taken only where it reaches one more, as long as not all were reached */
    uint64_t most_multiply_adds; /* larger cases are left out; 0: none is */
    uint64_t reached;            /* bit i: number i of them has run */
    uint32_t cases;              /* that were taken */
} linnet_focus;

/* All bits of its names. */
uint64_t linnet_focus_all(const linnet_focus *focus);
/* Is the candidate, its formats taken, to be run? The bits of its kernels; 0: no. */
uint64_t linnet_focus_takes(const linnet_trial *trial);

/* ---- The checks of a case; each fails the check by itself. ---- */

/* layer_check.c: every candidate of the device, forwards and backwards, in every variant. false: the device lacks the
 * case. */
bool linnet_check_layer(linnet_check *check, const linnet_case *problem);
/* gradient.c: on the reference, central differences against its backward. */
void linnet_check_gradient(linnet_check *check, const linnet_case *problem);
/* optimizer.c, queue.c: text is what stands behind the colon. LINNET_UNSUPPORTED: the device lacks it. */
linnet_status linnet_check_optimizer(linnet_check *check, const char *text);
linnet_status linnet_check_queue(linnet_check *check, const char *text);

#endif
