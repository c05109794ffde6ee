/* SPDX-License-Identifier: Apache-2.0 */
/* The inside of a session: places (devices with their buffers), variables, settings, plans. Internal. */
#ifndef LINNET_GRAPH_SESSION_H
#define LINNET_GRAPH_SESSION_H

#include "linnet/profile.h"
#include "linnet/session.h"
#include "plan.h"

typedef struct linnet_profile linnet_profile;

#define LINNET_MAX_PLACES 4
#define LINNET_MAX_PLANS  16
#define LINNET_MAX_SLOTS  2

/* The buffers that hold the variables of one kind (parameters, or states) on a place: layout.c. */
typedef struct linnet_layout {
    uint64_t *bytes; /* of each */
    size_t count, capacity;
    uint64_t total; /* of all */
} linnet_layout;

/* Where a variable lies in them. */
typedef struct linnet_spot {
    uint32_t buffer;
    uint64_t offset; /* bytes */
} linnet_spot;

/* A device that the session uses. Place 0 is the one it was made for; others run what that one lacks. Parameters,
   gradients and optimiser slots are parallel: each kind has the buffers of parameter_layout, and a variable the same
   spot in all of them. Every place has room for every variable; each variable is at home on one place. */
typedef struct linnet_place {
    linnet_device *device;
    linnet_backend_queue *queue;
    linnet_layout parameter_layout, state_layout;
    linnet_spot *spots; /* per variable of the net's */
    linnet_backend_buffer **parameters, **gradients, **slots[LINNET_MAX_SLOTS], **states; /* NULL: none so far */
    linnet_backend_buffer **blocks;                                                       /* the arena */
    uint64_t *block_bytes;
    size_t block_count, block_capacity, block_bytes_capacity;
    bool choices_fixed; /* a checkpoint said what implementations are chosen by */
} linnet_place;

/* Measured costs that plans were compiled by: choices.c. */
typedef struct linnet_chosen_cost {
    uint64_t key, nanoseconds;
    uint32_t place;
} linnet_chosen_cost;

typedef struct linnet_choices {
    linnet_chosen_cost *items;
    size_t count, capacity;
    uint32_t places; /* of those that were read: bit i: something is said of place i, if only that there is nothing */
} linnet_choices;

typedef struct linnet_variable {
    uint32_t value; /* of the net */
    uint32_t place; /* where it is */
    bool is_state;
    bool gradient_is_zero; /* nothing was added since zero_gradients */
    uint64_t bytes;
    uint64_t version;           /* changes with every write; packed copies of an older one are stale */
    linnet_backend_buffer *own; /* of folded weights: a buffer by themselves; NULL for the net's own variables */
    void *host;        /* what the caller set it to last, while the session keeps that; NULL: its start value */
    bool is_transient; /* folded weights of which only packed copies are read: own comes and goes with them */
} linnet_variable;

/* A batch norm folded into the layer before it: fold.c. */
typedef struct linnet_fold {
    uint32_t layer_node, norm_node;
    uint32_t weight, bias; /* variables */
    uint64_t version;      /* of what it was computed from; 0: never */
    uint64_t packed_made;  /* of the session, then */
} linnet_fold;

/* A parameter in a private format. */
typedef struct linnet_packed {
    uint32_t variable, place, format;
    uint64_t bytes, version;
    linnet_backend_buffer *buffer; /* NULL until a plan that reads it is to be run */
} linnet_packed;

/* Values of the net, each once. */
typedef struct linnet_value_list {
    uint32_t *values;
    size_t count, capacity;
} linnet_value_list;

/* What the caller has chosen. Owns its lists: whoever copies it to put other settings in their place for a while, gives
   the lists of those back (linnet_settings_free) before the copy returns; settings_version counts both changes. */
typedef struct linnet_session_settings {
    linnet_behaviour behaviour;
    bool gradients, parameter_gradients, lazy;
    uint32_t optimizer; /* linnet_optimizer_kind whose steps the parameters' device has to do right; 0: none yet */
    linnet_value_list wanted, kept, losses;
} linnet_session_settings;

/* An input that comes from memory of the caller's on place 0. */
typedef struct linnet_binding {
    uint32_t value; /* of the net */
    linnet_backend_buffer *buffer;
    uint64_t bytes, offset; /* of the memory; in it */
} linnet_binding;

struct linnet_session {
    linnet_context *context;
    linnet_net *net;
    linnet_place places[LINNET_MAX_PLACES];
    uint32_t place_count;
    uint32_t *node_place; /* per node of the net, LINNET_NONE until first compiled */
    size_t node_count;
    uint32_t sum_place; /* adds gradients that are at home where nothing can; LINNET_NONE until one is needed */

    linnet_variable *variables; /* the net's own, then folded weights */
    size_t variable_count;      /* of the net's own */
    size_t variable_total, variable_capacity;
    linnet_fold *folds;
    size_t fold_count, fold_capacity;
    uint32_t *variable_of; /* per net value; LINNET_NONE */
    size_t value_count;
    bool has_gradients; /* every place has room for them, and for so many slots */
    uint32_t slot_count;
    linnet_packed *packed;
    size_t packed_count, packed_capacity;
    uint64_t packed_made; /* buffers for packed copies, so far */

    linnet_session_settings settings;
    uint64_t settings_version; /* plans of another one are stale */

    uint64_t seed, step; /* for dropout; step counts training forwards */
    linnet_plan *plans[LINNET_MAX_PLANS];
    size_t plan_count;
    uint64_t clock, compiles, arena_generation;
    double compile_seconds, check_seconds; /* so far */
    linnet_plan *current;                  /* of the last forward; NULL before, and after a failure */
    uint64_t backward_done;                /* bit i: loss i of the current forward has been differentiated */
    uint32_t last_segment;                 /* of the last backward, for reading gradients of values */
    const void *output_gradient;           /* during a backward: where its segment starts from */
    uint64_t workspace_limit;              /* while a plan is made: what a step may take, where it has a choice */
    uint64_t largest_workspace;            /* of the plan made last, also where it failed for want of memory; else 0 */
    linnet_choices choices;                /* of the plans so far */
    linnet_recorder *recorder;             /* while it is tuned: notes what is asked for */
    linnet_profile *profile;               /* what is recorded; NULL: nothing is */
    linnet_value_list constants;           /* inputs whose feeds do not change */
    const linnet_plan *arena_user;         /* whose tensors are in the arena; NULL: nobody's for certain */
    linnet_binding *bindings;              /* inputs in the caller's memory */
    size_t binding_count, binding_capacity;
    linnet_status round_status; /* first failure since zero_gradients, for the optimiser */
    uint64_t start_seed;        /* of the variables' start values */
    bool host_knows;            /* variables are their start values or their copies on the host: rebuild.c */
    bool was_rebuilt;
    bool rehearses; /* what runs is no step of training: rehearse.c */
};

/* LINNET_OK, or LINNET_INVALID for no session, LINNET_FORKED, ...: every call asks first. */
linnet_status linnet_session_check(const linnet_session *session);

/* ---- choices.c ---- */
/* The measured cost that decides at a place, microseconds; 0: there is none. Notes it. */
double linnet_choices_cost(linnet_session *session, uint32_t place, uint64_t key);
/* May there be measured costs of the place? */
bool linnet_choices_are_there(const linnet_session *session, uint32_t place);
/* What was measured since decides anew. */
void linnet_choices_forget(linnet_session *session);
void linnet_choices_clear(linnet_choices *choices);
/* As text; NULL: no memory. Release with linnet_release. */
char *linnet_choices_write(const linnet_session *session);
/* LINNET_BAD_FILE for a text that is damaged; what belongs to other devices is left out. Clear out. */
linnet_status linnet_choices_read(const linnet_session *session, const char *text, const char *path,
                                  linnet_choices *out);
/* From now on these decide, and plans are made anew. Takes what choices holds. */
void linnet_choices_adopt(linnet_session *session, linnet_choices *choices);

/* ---- rehearse.c ---- */
/* Runs a forward for the feeds, and where gradients are on the backward of every loss, for what they take: each gets
   what is recorded of it (profile.h), while its plan is the current one. Variables, their gradients and the count of
   steps are as before then; there is no current forward; a profile that is on starts anew. */
linnet_status linnet_session_rehearse(linnet_session *session, const linnet_batch *batch,
                                      void (*each)(void *context, const linnet_span *span), void *context);

/* ---- native.c ---- */
void linnet_bindings_free(linnet_session *session);
/* NULL: the input is fed from the host. */
const linnet_binding *linnet_binding_of(const linnet_session *session, uint32_t value);
/* From the caller's memory to the input's tensor. */
linnet_status linnet_binding_copy(linnet_session *session, const linnet_binding *binding, const linnet_plan *plan,
                                  uint32_t tensor);

/* ---- session_io.c ---- */
/* The dense, readable tensor of a value in the current plan. */
linnet_status linnet_session_find(linnet_session *session, linnet_value value, uint32_t *out_tensor);

/* Releases the lists; the rest stays. */
void linnet_settings_free(linnet_session_settings *settings);
bool linnet_value_list_has(const linnet_value_list *list, uint32_t value);

/* ---- variables.c ---- */
linnet_status linnet_variables_new(linnet_session *session);
void linnet_variables_free(linnet_session *session);
linnet_variable *linnet_variable_find(const linnet_session *session, const char *name);
/* Where a variable lies now: at home, or where its folded weights are. */
linnet_view linnet_variable_view(const linnet_session *session, const linnet_variable *variable);
/* Makes place the variable's home, moving its contents. */
linnet_status linnet_variable_move(linnet_session *session, linnet_variable *variable, uint32_t place);
/* Draws a variable's start value into its spot on a place. */
linnet_status linnet_variable_start(const linnet_session *session, const linnet_place *place, uint32_t number);
/* Fills gradients that nothing was added to with zeros. */
linnet_status linnet_gradients_settle(linnet_session *session);
/* ---- packed.c ---- */
/* The packed copy of a variable, noted when absent; LINNET_NONE with the error said. */
uint32_t linnet_packed_get(linnet_session *session, uint32_t variable, uint32_t place, uint32_t format, uint64_t bytes);
/* Brings a packed copy up to date. */
linnet_status linnet_packed_update(linnet_session *session, linnet_packed *packed);
/* Buffers for the packed copies and folded weights that a plan reads. */
linnet_status linnet_derived_allocate(linnet_session *session, const linnet_plan *plan);
/* Releases the buffers of packed copies: plans get them again when they are next run. */
void linnet_packed_empty(linnet_session *session);
/* Releases packed copies and folded weights; the net's own variables stay. */
void linnet_derived_free(linnet_session *session);

/* ---- rebuild.c ---- */
/* Notes what a variable was set to; only where another device might have to be given it again. */
void linnet_host_keep(linnet_session *session, linnet_variable *variable, const void *data);
/* From now on the host does not know what variables are, or (knows) they have their start values. */
void linnet_host_forget(linnet_session *session, bool knows);
/* LINNET_OK: the device was lost and has been opened anew, with the variables as they were. Else the message is the
   one of the loss, or says why that did not help, and nothing has changed. */
linnet_status linnet_session_rebuild(linnet_session *session);

/* ---- fold.c ---- */
/* Brings folded weights and their packed copies up to date. */
linnet_status linnet_fold_update(linnet_session *session, linnet_fold *fold);
/* Does a plan that has this tensor read folded weights as they are? */
bool linnet_tensor_is_folded(const linnet_session *session, const linnet_plan_tensor *tensor);
/* A plan that does is run: from now on this folded variable stays, in a buffer of its own. */
linnet_status linnet_fold_keep(linnet_session *session, uint32_t variable);

/* ---- places.c ---- */
/* Opens a queue on the device (taking a hold of it) as a new place; UINT32_MAX with the error said. */
uint32_t linnet_place_add(linnet_session *session, linnet_device *device);
/* The same without adding it; to be freed with linnet_place_free. */
linnet_status linnet_place_open(const linnet_session *session, linnet_device *device, linnet_place *out);
void linnet_place_free(const linnet_session *session, linnet_place *place);
/* Makes the arena at least as large; bumps arena_generation when a block changed. */
linnet_status linnet_arena_ensure(linnet_session *session, uint32_t place, const uint64_t *block_bytes,
                                  size_t block_count);
/* Releases all blocks: plans get them again when they are next run. */
void linnet_arena_free(linnet_session *session);

/* ---- memory_total.c ---- */
/* LINNET_OUT_OF_MEMORY, naming the bytes, where a place's device has less memory than the session's variables take, */
linnet_status linnet_memory_check_variables(const linnet_session *session, const linnet_place *place);
/* or than the plan takes with them; with others what the session has for its other plans counts, too, which would give
   way (so that what a plan is does not depend on them). */
linnet_status linnet_memory_check(const linnet_session *session, const linnet_plan *plan, uint32_t place, bool others);

/* ---- memory_message.c: LINNET_OUT_OF_MEMORY, with a sentence ---- */
/* A storage is larger than a buffer of its place may be. */
linnet_status linnet_memory_fail_buffer(const linnet_session *session, const linnet_plan *plan, uint32_t storage);
/* A place's device has less than so many bytes. */
linnet_status linnet_memory_fail_total(const linnet_session *session, uint32_t place, uint64_t parameters,
                                       uint64_t arena);

/* ---- layout.c ---- */
/* Buffers of a place for parameters and states (and gradients, slots where the session has them), full of zeros;
   nothing is made where the device has too little memory for all. */
linnet_status linnet_place_allocate(const linnet_session *session, linnet_place *place);
/* Gradients, and at least so many slots, on every place. */
linnet_status linnet_gradients_allocate(linnet_session *session, uint32_t slot_count);
/* Fills all buffers of a kind with zeros. */
linnet_status linnet_layout_clear(const linnet_session *session, const linnet_place *place, const linnet_layout *layout,
                                  linnet_backend_buffer *const *buffers);
/* Frees all buffers of variables on a place, and where they lie. */
void linnet_layout_free(linnet_place *place);
/* The spot of a variable (its number, of the net's own) in buffers of its kind; absent where those are NULL. */
linnet_view linnet_place_view(const linnet_place *place, linnet_backend_buffer *const *buffers, size_t variable);
/* The same in the place's parameters or states, whichever it is one of. */
linnet_view linnet_place_variable(const linnet_session *session, const linnet_place *place, size_t variable);

/* The plan for these feeds under the current settings, from the cache or compiled. */
linnet_status linnet_session_plan(linnet_session *session, const linnet_batch *batch, linnet_plan **out);

#endif
