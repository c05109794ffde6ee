/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A plan: what a session does for one set of input shapes, as a flat array of steps over tensors with fixed places.
 * Compiled in passes, one file each:
 *
 *   lower.c        concrete shapes of every node that can run, and what needs a gradient
 *   place.c        which device runs which node
 *   emit.c         converting formats: tensors and steps
 *   choose.c       asking for candidates
 *   fold.c         batch norm into the layer before it
 *   fuse.c         activations and residuals into the layer before them
 *   formats.c      which implementation for every step, and so every value's format
 *   slices.c       concatenation without a copy
 *   forward.c      the forward steps
 *   autodiff.c     the backward steps, one segment per loss
 *   memory_plan.c  in place, then every tensor's offset in the arena
 *   memory_total.c whether all of it fits
 *   memory_message.c what is said where it does not
 *   rivals.c       by which costs candidates are compared: estimated or measured ones
 *   compile.c      runs the passes and builds the plugins' plans
 *   run.c          runs the steps
 *   profile.c      records them, with times
 *   step_info.c    says what each does
 *   describe.c     prints them
 *
 * Internal.
 */
#ifndef LINNET_GRAPH_PLAN_H
#define LINNET_GRAPH_PLAN_H

#include "../device/device.h"
#include "linnet/session.h"
#include "net.h"

#define LINNET_NONE UINT32_MAX /* no tensor, no storage, no value */

typedef enum linnet_home {
    LINNET_HOME_ARENA,    /* an activation, a gradient of one, saved, workspace */
    LINNET_HOME_VARIABLE, /* a parameter or running statistic itself */
    LINNET_HOME_GRADIENT, /* a parameter's gradient */
    LINNET_HOME_PACKED    /* a parameter's packed copy */
} linnet_home;

typedef struct linnet_plan_tensor {
    linnet_tensor_desc desc;
    uint64_t bytes;
    uint32_t place; /* index of the session's place */
    linnet_home home;
    uint32_t variable; /* VARIABLE, GRADIENT */
    uint32_t packed;   /* PACKED: index into the session's packed copies */
    uint32_t storage;  /* ARENA: index into the plan's storages */
    uint64_t offset;   /* ARENA: bytes, of a part of what the storage holds; 0: all of it */
    bool is_part;
    bool readable; /* by the caller after the run: its storage lasts to the end, and nothing is laid over it */
} linnet_plan_tensor;

/* A piece of the arena. Several tensors share one when they lie in place. */
typedef struct linnet_plan_storage {
    uint64_t bytes;
    uint32_t place;
    uint32_t first, last; /* steps that touch it; LINNET_NONE, 0 while nothing does */
    bool whole_plan;      /* lives from the first step to the last */
    bool to_end;          /* read by the caller after the run */
    uint32_t merged;      /* index of the storage that it became part of, itself when none */
    uint32_t block;       /* of the place's arena */
    uint64_t offset;      /* bytes */
} linnet_plan_storage;

typedef enum linnet_step_type {
    LINNET_STEP_LAYER,
    LINNET_STEP_CONVERT,  /* source to destination, another format on the same place */
    LINNET_STEP_TRANSFER, /* source to destination, another place, through the host */
    LINNET_STEP_SEED,     /* destination becomes the gradient that a backward segment starts from */
    LINNET_STEP_NOTHING   /* an alias that needs no work */
} linnet_step_type;

/* Tensor indices of a layer step by role; LINNET_NONE where absent. */
typedef struct linnet_step_operands {
    uint32_t inputs[LINNET_MAX_INPUTS], input_gradients[LINNET_MAX_INPUTS];
    uint32_t outputs[LINNET_MAX_OUTPUTS], output_gradients[LINNET_MAX_OUTPUTS];
    uint32_t parameters[LINNET_MAX_PARAMETERS], parameter_gradients[LINNET_MAX_PARAMETERS];
    uint32_t states[LINNET_MAX_STATES], saved[LINNET_MAX_SAVED];
    uint32_t workspace;
} linnet_step_operands;

/* The same as views, in the arrays that the plugin's args point to. */
typedef struct linnet_step_views {
    linnet_view inputs[LINNET_MAX_INPUTS], input_gradients[LINNET_MAX_INPUTS];
    linnet_view outputs[LINNET_MAX_OUTPUTS], output_gradients[LINNET_MAX_OUTPUTS];
    linnet_view parameters[LINNET_MAX_PARAMETERS], parameter_gradients[LINNET_MAX_PARAMETERS];
    linnet_view states[LINNET_MAX_STATES], saved[LINNET_MAX_SAVED];
    linnet_view source, destination;
} linnet_step_views;

typedef struct linnet_plan_step {
    linnet_step_type type;
    uint32_t place;
    uint32_t node;    /* of the net */
    uint32_t segment; /* 0: forward; 1 + i: backward of loss i */
    /* LAYER */
    linnet_layer_desc desc; /* points into the arrays below */
    linnet_tensor_desc inputs[LINNET_MAX_INPUTS], outputs[LINNET_MAX_OUTPUTS], parameters[LINNET_MAX_PARAMETERS],
        states[LINNET_MAX_STATES];
    linnet_epilogue epilogue[LINNET_MAX_EPILOGUE];
    char epilogue_text[64];                 /* "add+relu" */
    linnet_unary_attributes own_attributes; /* of a backward that has no node of its own: a fused activation's */
    linnet_candidate candidate;
    double time;   /* of the candidate, as measured, microseconds; 0: not known */
    bool is_tuned; /* chosen by measured times */
    linnet_step_operands operands;
    uint32_t accumulate_inputs;
    uint32_t saved_count; /* what forward saves for backward; the same in both */
    const linnet_layer_ops *ops;
    linnet_backend_plan *plan;
    linnet_layer_args args;
    char *refusals;      /* "name: reason; ..." of the candidates before the chosen one; NULL: none */
    const char *refusal; /* the reason that all of them have; static; NULL: they have several, or there are none */
    /* CONVERT, TRANSFER, SEED */
    uint32_t source, destination;
    linnet_step_views views;
} linnet_plan_step;

/* Where a net value is in a plan: one entry per (place, format) in which it exists. */
typedef struct linnet_instance {
    uint32_t value, tensor, segment;
} linnet_instance;

typedef struct linnet_plan {
    /* What it was compiled for */
    uint64_t net_version, settings_version;
    linnet_behaviour behaviour;
    bool gradients;
    uint32_t feed_count;
    uint32_t *feed_values; /* net values that are fed */
    linnet_shape *feed_shapes;
    const void *fed[LINNET_MAX_FEEDS]; /* of constant feeds: where what the device has of them came from, or NULL */
    uint64_t last_use;                 /* for the cache */

    linnet_plan_tensor *tensors;
    size_t tensor_count, tensor_capacity;
    linnet_plan_storage *storages;
    size_t storage_count, storage_capacity;
    linnet_plan_step *steps;
    size_t step_count, step_capacity;
    linnet_instance *instances;
    size_t instance_count, instance_capacity;
    linnet_instance *gradient_instances; /* gradients of values that can be read, by segment */
    size_t gradient_instance_count, gradient_instance_capacity;
    uint32_t *packed; /* packed copies that steps read */
    size_t packed_count, packed_capacity;
    uint32_t *folds; /* folded weights that steps read */
    size_t fold_count, fold_capacity;

    uint32_t *losses; /* net values; segment 1 + i is the backward of losses[i] */
    size_t loss_count, loss_capacity;
    uint32_t *segment_starts; /* loss_count + 2 entries: where each segment begins, and the end */

    uint64_t largest_workspace; /* bytes */
    uint64_t **block_bytes;     /* per place: bytes of each arena block that is needed */
    size_t *block_counts;
    size_t place_count;
    void *staging; /* host memory for transfers */
    uint64_t staging_bytes;
    uint64_t arena_generation; /* of the session, when views were resolved */
    uint32_t fallbacks;
} linnet_plan;

/* ---- What the passes share while a plan is being compiled ---- */

/* The epilogue of a node: fuse.c. */
typedef struct linnet_fusion {
    uint32_t count;
    uint32_t nodes[LINNET_MAX_EPILOGUE]; /* in their order */
    uint32_t added[LINNET_MAX_EPILOGUE]; /* the value that the node adds; LINNET_NONE for an activation */
} linnet_fusion;

/* Where a value lies in the concatenation that it is a part of: slices.c. */
typedef struct linnet_slice {
    uint32_t concat; /* node; LINNET_NO_NODE: none, the value lies by itself */
    uint64_t offset; /* bytes */
    uint32_t format; /* of the whole, and so of the part */
    int64_t outer_stride;
} linnet_slice;

/* The implementation of a node's forward step: formats.c. */
typedef struct linnet_choice {
    const char *name;
    uint32_t input_formats[LINNET_MAX_INPUTS];
    bool is_tuned; /* by measured times */
} linnet_choice;

typedef struct linnet_recorder linnet_recorder; /* tune.c */

/* What candidates are rivals for: rivals.c. */
typedef struct linnet_problem {
    uint64_t number, key; /* linnet_tuned_problem; linnet_tuned_key of the first candidate */
    uint32_t place;
    bool has_rivals, is_open; /* several candidates; one of them was not measured */
} linnet_problem;

/* The costs that candidates are compared by: rivals.c. */
typedef enum linnet_costs {
    LINNET_COSTS_ESTIMATED, /* nothing was measured, or it is not known yet what is compared */
    LINNET_COSTS_MIXED,     /* estimated; between the same formats measured, where all rivals were */
    LINNET_COSTS_MEASURED
} linnet_costs;

typedef struct linnet_compiler {
    linnet_session *session;
    linnet_context *context;
    linnet_net *net;
    linnet_plan *plan;
    linnet_shape *shapes;    /* per net value, concrete */
    bool *active;            /* per node: all its inputs are fed or made, and a lazy session needs it */
    bool *available;         /* per value */
    bool *requires_gradient; /* per value: a wanted gradient lies at or before it */
    bool *reaches_loss;      /* per value: a loss is computed from it */
    bool *needed;            /* per value: a lazy session computes it, or computes something from it */
    uint32_t *node_place;    /* per node */
    uint32_t *fused_into;    /* per node: the node whose step it is part of, LINNET_NO_NODE when none */
    linnet_fusion *fusions;  /* per node */
    linnet_choice **choices; /* per node; NULL: none */
    linnet_slice *slices;    /* per value */
    bool *is_sliced;         /* per node: a concatenation without a copy */
    uint32_t *fold;          /* per node: the fold that replaces its parameters, LINNET_NONE when none */
    uint32_t *forward_step;  /* per node: its forward step */
    uint32_t *gradient;      /* per value: tensor of its gradient in the segment at hand */
    bool *gradient_shared;   /* per value: that tensor has other readers still, and may not be added to */
    uint32_t segment;
    char *refusal; /* why the step that was last asked for, in vain, cannot run: "forward: it has no conv2d" */
    linnet_costs costs;
    bool formats_are_chosen;
    linnet_problem *problems; /* those met since formats are chosen */
    size_t problem_count, problem_capacity;
} linnet_compiler;

/* lower.c */
linnet_status linnet_compile_lower(linnet_compiler *c, const linnet_shape *feed_shapes);
/* place.c */
linnet_status linnet_compile_place(linnet_compiler *c);
/* Can the place do this? When not, the thread's message says why. */
typedef bool (*linnet_place_test)(linnet_compiler *c, uint32_t place, const void *subject);
/* A place that can do what another one just could not, in use or opened now, as LINNET_FALLBACK has it. LINNET_NONE
   with the error said. */
uint32_t linnet_place_fall_back(linnet_compiler *c, linnet_place_test test, const void *subject);
/* Tells people of it as LINNET_FALLBACK has it: what runs ("it runs") on a place, and why not on the one before. */
void linnet_place_say(const linnet_compiler *c, const char *why, const char *what, uint32_t place);
/* fold.c */
linnet_status linnet_compile_fold(linnet_compiler *c);
/* fuse.c */
void linnet_compile_fuse(linnet_compiler *c);
/* The value that node n's step makes: behind its epilogue, and behind the batch norm folded into it. */
uint32_t linnet_fusion_output(const linnet_compiler *c, uint32_t n);
/* The node whose step runs where node n stands: the one that n is the last part of. LINNET_NO_NODE when none does. */
uint32_t linnet_fusion_head(const linnet_compiler *c, uint32_t n);
/* Inputs of node n's step: the node's own values, then what its epilogue adds. Returns how many. */
uint32_t linnet_unit_inputs(const linnet_compiler *c, uint32_t n, uint32_t out_values[LINNET_MAX_INPUTS]);
/* Makes n's epilogue nodes of their own again. */
void linnet_fusion_undo(linnet_compiler *c, uint32_t n);
/* formats.c */
linnet_status linnet_compile_formats(linnet_compiler *c);
/* slices.c */
void linnet_compile_slices(linnet_compiler *c);
/* forward.c */
linnet_status linnet_compile_forward(linnet_compiler *c);
/* Will the caller read this value? Then it has to exist by itself. */
bool linnet_value_is_tapped(const linnet_compiler *c, uint32_t value);
/* autodiff.c */
/* Starts a backward step of node n; nothing is wanted yet. */
void linnet_draft_backward(const linnet_compiler *c, uint32_t n, const linnet_plan_step *forward,
                           linnet_plan_step *out_step);
/* Does the gradient of the activation in n's epilogue take that of its output where the forward step has the output? */
bool linnet_activation_reads_slices(linnet_compiler *c, uint32_t n, const linnet_plan_step *forward);
/* Which gradients of a node are wanted, bit i for input i and parameter i. */
void linnet_node_wants(const linnet_compiler *c, const linnet_node *node, uint32_t *out_inputs,
                       uint32_t *out_parameters);
linnet_status linnet_compile_backward(linnet_compiler *c);
/* memory_plan.c */
linnet_status linnet_compile_memory(linnet_compiler *c);

/* emit.c */
bool linnet_node_differentiates(const linnet_compiler *c, uint32_t node);
/* A dense NCHW desc of a concrete shape. */
linnet_tensor_desc linnet_desc_of(const linnet_shape *shape);
/* Bytes of a tensor on a place. */
linnet_status linnet_emit_tensor_bytes(const linnet_compiler *c, uint32_t place, const linnet_tensor_desc *desc,
                                       uint64_t *out);
/* A new arena tensor; LINNET_NONE with the error said. */
uint32_t linnet_emit_tensor(linnet_compiler *c, uint32_t place, const linnet_tensor_desc *desc);
uint32_t linnet_emit_bytes(linnet_compiler *c, uint32_t place, uint64_t bytes);
/* The tensor of a value, as its producer made it. LINNET_NONE when it is not there. */
uint32_t linnet_emit_primary(const linnet_compiler *c, uint32_t value);
bool linnet_emit_instance_add(linnet_compiler *c, uint32_t value, uint32_t tensor);
/* The tensor of a value on a place in a format, converting and transferring if need be. */
uint32_t linnet_emit_instance(linnet_compiler *c, uint32_t value, uint32_t place, uint32_t format);
/* The same for a tensor that is no value's. */
uint32_t linnet_emit_as(linnet_compiler *c, uint32_t tensor, uint32_t place, uint32_t format);
/* A variable of the session in a format: of a net value, or by its own index. */
uint32_t linnet_emit_value_variable(linnet_compiler *c, uint32_t value, uint32_t format);
uint32_t linnet_emit_variable(linnet_compiler *c, uint32_t variable, uint32_t format);
/* A new step; NULL with the error said. Valid until the next one is made. */
linnet_plan_step *linnet_emit_step(linnet_compiler *c, linnet_step_type type, uint32_t place, uint32_t node);
/* Starts a layer step off the plan: its operands may still emit conversions, which have to come first. */
void linnet_step_draft(const linnet_compiler *c, uint32_t place, uint32_t node, linnet_plan_step *out_step);
/* Appends a draft (taking over what it owns, also on failure); returns its index, LINNET_NONE with the error said. */
uint32_t linnet_emit_append(linnet_compiler *c, linnet_plan_step *draft);
/* Points the step's desc at the step's own arrays; again whenever the step has moved. */
void linnet_step_bind_desc(linnet_plan_step *step);
/* Fills step->desc for a node in dense formats (direction, behaviour, attributes, shapes). */
void linnet_emit_describe_node(const linnet_compiler *c, uint32_t node, linnet_direction direction,
                               linnet_plan_step *step);
/* The same forward, with folded weights and, if it is to be, the epilogue with what that adds. */
void linnet_emit_describe_unit(const linnet_compiler *c, uint32_t node, bool epilogue, linnet_plan_step *step);
/* Starts the forward step of node n with the formats of its choice and the strides of slices. */
void linnet_emit_describe_choice(linnet_compiler *c, uint32_t node, linnet_plan_step *out_step);
/* A tensor that is part of another one. */
uint32_t linnet_emit_part(linnet_compiler *c, uint32_t whole, const linnet_tensor_desc *desc, uint64_t offset);
/* Can the place keep such a tensor in a format? */
bool linnet_emit_can_hold(const linnet_compiler *c, uint32_t place, const linnet_tensor_desc *desc, uint32_t format);

/* choose.c */
/* Asks the device for candidates and keeps the one called name, else the cheapest with the conversions that it needs
   (the first that accepts, where costs are unknown): candidate, ops, refusals, formats in the descs. LINNET_UNSUPPORTED
   (with every reason) when all refuse. */
linnet_status linnet_emit_choose(linnet_compiler *c, linnet_plan_step *step, const char *name);
/* The next candidate that accepts, from *index on, as step->candidate; the descs stay. LINNET_END behind the last. */
linnet_status linnet_emit_next(linnet_compiler *c, linnet_plan_step *step, uint32_t *index);
/* Microseconds of converting a tensor, and all that the candidate does not take in these formats. */
double linnet_conversion_cost(double bytes);
double linnet_emit_conversion_cost(const linnet_plan_step *step, const uint32_t *input_formats,
                                   const uint32_t *output_formats);

/* rivals.c */
/* Which costs formats are to be chosen by at first: measured ones, where there are any. */
linnet_costs linnet_rivals_costs(const linnet_compiler *c);
/* A candidate that accepts, the step's: its problem is noted, its time looked up, and the cost that counts made its
   cost. */
void linnet_rivals_meet(linnet_compiler *c, linnet_plan_step *step);
/* Was every rival for the step's problem, as far as they were met, measured? Also where there is only one candidate. */
bool linnet_rivals_are_settled(const linnet_compiler *c, const linnet_plan_step *step);
/* The same of all problems that were met. */
bool linnet_rivals_are_all_settled(const linnet_compiler *c);

/* tune.c */
/* Notes a candidate that can be measured. */
void linnet_tune_record(linnet_recorder *recorder, const linnet_plan_step *step, uint64_t problem, uint64_t key);

/* compile.c */
linnet_status linnet_plan_compile(linnet_session *session, const uint32_t *feed_values, const linnet_shape *feed_shapes,
                                  uint32_t feed_count, linnet_plan **out);
void linnet_plan_free(linnet_session *session, linnet_plan *plan);

/* run.c */
linnet_status linnet_plan_run(linnet_session *session, linnet_plan *plan, uint32_t segment);
linnet_status linnet_step_run(linnet_session *session, const linnet_plan *plan, linnet_plan_step *step);
/* Fills in where every tensor lies; again after the arena grew. */
linnet_status linnet_plan_resolve(linnet_session *session, linnet_plan *plan);
linnet_view linnet_plan_view(const linnet_session *session, const linnet_plan *plan, uint32_t tensor);
/* The storage that holds this one after merging. */
uint32_t linnet_plan_storage_root(const linnet_plan *plan, uint32_t storage);

/* step_info.c */
void linnet_step_describe(const linnet_session *session, const linnet_plan *plan, const linnet_plan_step *step,
                          linnet_step_info *out_info);

/* profile.c */
linnet_status linnet_plan_run_timed(linnet_session *session, linnet_plan *plan, uint32_t first, uint32_t end);

/* describe.c */
void linnet_step_name_epilogue(linnet_plan_step *step);
/* Node, layer, epilogue and implementation of a step. */
void linnet_step_names(const linnet_session *session, const linnet_plan_step *step, linnet_step_info *out_info);
char *linnet_plan_describe(const linnet_session *session, const linnet_plan *plan, bool json);

#endif
