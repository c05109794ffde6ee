/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The plugin ABI: everything that a backend needs to know. docs/backend-contract.md numbers the rules and names the
 * test that holds each; backends/skeleton is a plugin to start from.
 *
 * A plugin is a shared object linnet-<name>-abi<major>.so. It exports linnet_backend_query and links to no Linnet
 * symbol: what it needs from the host arrives in linnet_host.
 *
 * Versions: LINNET_ABI_MAJOR changes when something is removed, moved or retyped (while it is 0, any release may do
 * so); LINNET_ABI_MINOR when something is appended. Every struct that can grow starts with struct_size, set by the side
 * that fills it. Read a member only when struct_size covers it: LINNET_HAS(). Structs marked "frozen" travel in arrays
 * and never grow.
 *
 * Threads: probe, device_info, open and every device call may come from several threads at once. A queue, and the plans
 * run on it, belong to one thread at a time.
 *
 * Errors: a call that fails returns a status and says why by host->set_error. Nothing aborts, exits or prints.
 */
#ifndef LINNET_BACKEND_H
#define LINNET_BACKEND_H

#include "layers.h"

LINNET_BEGIN_DECLS

#define LINNET_ABI_MAJOR   0
#define LINNET_ABI_MINOR   1
#define LINNET_ABI_VERSION ((uint32_t)LINNET_ABI_MAJOR << 16 | (uint32_t)LINNET_ABI_MINOR)

/* Does the struct that p points to have this member? */
#define LINNET_HAS(p, type, member) ((p)->struct_size >= offsetof(type, member) + sizeof((p)->member))

/* Handles: each plugin defines these as it likes; the host never looks inside. */
typedef struct linnet_backend_device linnet_backend_device;
typedef struct linnet_backend_buffer linnet_backend_buffer;
typedef struct linnet_backend_queue linnet_backend_queue;
typedef struct linnet_backend_event linnet_backend_event;
typedef struct linnet_backend_plan linnet_backend_plan;

/* ---- What the host offers. Process-wide, valid for ever, callable from any thread. ---- */

typedef struct linnet_host {
    uint32_t struct_size;
    uint32_t abi; /* LINNET_ABI_VERSION of the host */
    /* 64-byte aligned host memory; NULL when there is none left (or a test says so). */
    void *(*allocate)(size_t bytes);
    void (*release)(void *memory); /* accepts NULL */
    /* level: linnet_log_level. One line, no newline. */
    void (*log)(int level, const char *message);
    /* The sentence for the status about to be returned by the calling thread. Copied. */
    void (*set_error)(const char *message);
    /* How many threads a CPU backend may use, at least 1: LINNET_NUM_THREADS, else the CPUs this process may run on. */
    uint32_t (*thread_count)(void);
    /* An environment variable; NULL when unset, empty, or not to be trusted (set-user-ID programs). */
    const char *(*option)(const char *name);
    /* Where caches go, an existing directory with mode 0700; NULL when there is none: then nothing is cached. */
    const char *(*cache_directory)(void);
    /* Something could not be kept there: message says which file, and why. The user is warned, once a process. */
    void (*cache_failed)(const char *message);
} linnet_host;

/* ---- Devices ---- */

typedef enum linnet_device_type {
    LINNET_DEVICE_CPU = 1,
    LINNET_DEVICE_GPU = 2,
    LINNET_DEVICE_ACCELERATOR = 3
} linnet_device_type;

enum {
    LINNET_CAPABILITY_HOST_VISIBLE = 1, /* host_pointer works for every buffer: nothing need be copied */
    LINNET_CAPABILITY_TIMESTAMPS = 2,   /* events carry times */
    /* Kernels are compiled on the user's machine, by a driver that nobody tested with them: the host compares each
       implementation with the reference before a plan first uses it. */
    LINNET_CAPABILITY_COMPILED_HERE = 4
};

typedef struct linnet_device_info {
    uint32_t struct_size;
    uint32_t type;         /* linnet_device_type */
    int32_t score;         /* the best score is the default device; reference 0, portable CPU 100, GPU 1000 and up */
    uint32_t capabilities; /* LINNET_CAPABILITY_... */
    uint64_t memory_bytes;
    uint64_t max_buffer_bytes; /* largest single buffer */
    uint32_t alignment_bytes;  /* of offsets into a buffer, a power of two, at most 4096 */
    uint32_t compute_units;    /* threads, compute units */
    char name[128];            /* "AMD EPYC 9654", "Radeon RX 7900 XTX" */
    char vendor[128];
    char platform[128];  /* "Portable Computing Language"; "" where there is no such thing */
    char version[128];   /* of the driver */
    char cache_key[192]; /* changes when a measured choice may change: device, driver, ISA */
} linnet_device_info;

/* What probe would load: a driver, described by what can be read without loading it. Filled by the plugin. */
typedef struct linnet_driver {
    uint32_t struct_size;
    uint32_t reserved;
    char name[256]; /* for a sentence: "pocl.icd (libpocl.so.2.10.0)" */
    char key[1024]; /* changes when the driver does: paths, sizes, times */
    /* An environment variable and the value with which probe loads this driver alone, a file, where a folder with links
       to some of them makes it load those; "" where there is none. */
    char variable[64], value[512];
} linnet_driver;

/* Objects of the backend's own API that the program using Linnet has. For opencl, as its ICD loader (libOpenCL.so.1)
   gave them: device a cl_device_id, context a cl_context with that device in it, queue a cl_command_queue of the two,
   in order, or NULL: each session makes one. */
typedef struct linnet_native_objects {
    uint32_t struct_size;
    uint32_t reserved;
    void *device, *context, *queue;
} linnet_native_objects;

/* ---- Tensors ---- */

/* Formats: how the elements of a logical [N,C,H,W] lie in memory. Numbers of LINNET_FORMAT_PRIVATE and above mean what
   the plugin says (blocked layouts, packed weights) and only its convert understands them. */
enum { LINNET_FORMAT_NCHW = 0, LINNET_FORMAT_NHWC = 1, LINNET_FORMAT_PRIVATE = 0x1000 };

/* Frozen. */
typedef struct linnet_tensor_desc {
    uint32_t type;   /* linnet_type */
    uint32_t format; /* LINNET_FORMAT_... or private */
    uint32_t rank;
    uint32_t reserved;             /* 0 */
    int64_t dims[LINNET_MAX_RANK]; /* logical, outermost first; entries from rank on are 1 */
    /* Elements from item n to n+1 of dimension 0; 0: dense. With NCHW, and with formats that have a format_slice. */
    int64_t outer_stride;
} linnet_tensor_desc;

/* Frozen. Where a tensor is. buffer NULL: absent (no bias, a gradient nobody wants). */
typedef struct linnet_view {
    linnet_backend_buffer *buffer;
    uint64_t offset; /* bytes, a multiple of the device's alignment_bytes */
} linnet_view;

/* ---- Layers ---- */

typedef enum linnet_direction { LINNET_FORWARD = 1, LINNET_BACKWARD = 2 } linnet_direction;
typedef enum linnet_behaviour { LINNET_EVALUATE = 1, LINNET_TRAIN = 2 } linnet_behaviour;

/* An operator of an epilogue besides linnet_unary_op: adds a tensor to the output (a residual). Each has a further
   input of the desc, behind the layer's own and in the order of the epilogue, with type, dims and format of output 0.
 */
enum { LINNET_EPILOGUE_ADD = 0x100 };

/* Frozen. One operator applied to the output before it is written. */
typedef struct linnet_epilogue {
    uint32_t op; /* linnet_unary_op, LINNET_EPILOGUE_ADD */
    float alpha, beta;
} linnet_epilogue;

/* One layer to be run, shapes fixed. Valid during the call. */
typedef struct linnet_layer_desc {
    uint32_t struct_size;
    uint32_t kind;          /* linnet_layer_kind */
    uint32_t direction;     /* linnet_direction */
    uint32_t behaviour;     /* linnet_behaviour */
    uint32_t differentiate; /* forward: a backward of this run will follow, so save what it reads */
    uint32_t epilogue_count;
    /* An absent bias is not counted, what an epilogue adds is an input. */
    uint32_t input_count, output_count, parameter_count, state_count;
    uint32_t want_inputs;     /* backward: bit i set when the gradient of input i is wanted */
    uint32_t want_parameters; /* backward: bit i set when the gradient of parameter i is wanted */
    const void *attributes;   /* linnet_conv2d_attributes, ... by kind; NULL where the kind has none */
    const linnet_tensor_desc *inputs, *outputs, *parameters, *states;
    const linnet_epilogue *epilogue; /* forward: applied in this order. Backward: always empty, it gets its own node */
    const char *forward;             /* backward: name of the candidate that ran forward */
} linnet_layer_desc;

/* A layer kind's gradients may be asked for in one backward or in several (conv2d, local_conv2d and linear: input and
 * parameters apart). */

typedef enum linnet_numerics {
    LINNET_NUMERICS_DIRECT = 1,   /* sums of exact products in any order: small integers come out exact */
    LINNET_NUMERICS_WINOGRAD = 2, /* transformed */
    LINNET_NUMERICS_REDUCED = 3   /* narrower types inside */
} linnet_numerics;

/* One way to run a desc. Filled by the plugin; the host zeroes it and sets struct_size first. */
typedef struct linnet_candidate {
    uint32_t struct_size;
    uint32_t numerics;   /* linnet_numerics */
    const char *name;    /* static: "im2col_gemm" */
    const char *refusal; /* static; NULL: it accepts. "needs groups = 1" */
    /* Formats that run will be given; where they differ from the desc's, the host converts. Gradients have the format
       of what they are the gradient of. A parameter's own format is NCHW; another one here makes the session keep a
       packed copy. Preset to the desc's. */
    uint32_t input_formats[LINNET_MAX_INPUTS];
    uint32_t output_formats[LINNET_MAX_OUTPUTS];
    uint32_t parameter_formats[LINNET_MAX_PARAMETERS];
    /* Forward with differentiate: bytes of what run writes for backward. */
    uint32_t saved_count;
    uint32_t alias; /* 1: in place, run would do nothing (reshape); needs in_place */
    uint64_t saved_bytes[LINNET_MAX_SAVED];
    /* Backward: which of the forward's tensors run reads, bit i for tensor i. The others arrive absent. */
    uint32_t reads_inputs, reads_outputs, reads_parameters, reads_saved;
    /* Forward: bit i set when output 0 may lie where input i lies. Backward: when the gradient of input i may lie where
       the gradient of output 0 lies (never together with accumulation). Never used for an input that the epilogue adds,
       too. */
    uint32_t in_place;
    /* About how long one run takes, microseconds; 0: unknown. Only the proportions matter: between candidates, and to
       the conversions of formats that they cause, which count with the memory that they move (8 GB/s). */
    float cost;
    uint64_t workspace_bytes; /* scratch during run, contents undefined */
} linnet_candidate;

/* What run works on. Arrays are indexed by the roles of layers.def, have the counts of the desc and are never NULL;
   what is not there is an absent view. A gradient has the format and the outer_stride of what it is the gradient of.
   Outputs, gradients, saved and workspace hold garbage until written. Parameters and inputs are read only. */
typedef struct linnet_layer_args {
    uint32_t struct_size;
    uint32_t node; /* for dropout: which node of the net this is */
    uint64_t seed, step;
    uint32_t accumulate_inputs;     /* bit i: add to the gradient of input i; clear: overwrite it */
    uint32_t accumulate_parameters; /* bit i: add to the gradient of parameter i; clear: overwrite it */
    uint32_t saved_count;
    uint32_t reserved;
    const linnet_view *inputs;              /* forward: read. Backward: those in reads_inputs */
    const linnet_view *outputs;             /* forward: written. Backward: those in reads_outputs */
    const linnet_view *parameters;          /* forward: read. Backward: those in reads_parameters */
    const linnet_view *states;              /* read; forward in train behaviour: updated */
    const linnet_view *saved;               /* forward: written when differentiate. Backward: those in reads_saved */
    const linnet_view *output_gradients;    /* backward: read */
    const linnet_view *input_gradients;     /* backward: written where wanted, else absent */
    const linnet_view *parameter_gradients; /* backward: written where wanted, else absent */
    linnet_view workspace;
} linnet_layer_args;

typedef struct linnet_layer_ops {
    uint32_t struct_size;
    uint32_t reserved;
    /* Candidate number index for this desc, in order of preference, refusing ones included; LINNET_END behind the last.
       Where all costs are known the host takes what makes the whole plan cheap, else the first that accepts. What a
       candidate says for its own formats has to agree with what it said. Cheap and without side effects. */
    linnet_status (*candidate)(linnet_backend_device *device, const linnet_layer_desc *desc, uint32_t index,
                               linnet_candidate *out);
    /* Builds the named candidate for these shapes; the desc holds the candidate's formats now. */
    linnet_status (*plan)(linnet_backend_device *device, const linnet_layer_desc *desc, const char *candidate,
                          linnet_backend_plan **out);
    /* Accepts NULL. No run of this plan is under way. */
    void (*plan_free)(linnet_backend_plan *plan);
    /* Enqueues the work. Allocates nothing. May return before it is done; work on one queue runs in order. */
    linnet_status (*run)(linnet_backend_plan *plan, linnet_backend_queue *queue, const linnet_layer_args *args);
} linnet_layer_ops;

/* ---- Optimisers: one launch over a range of parallel f32 buffers. Formulas as PyTorch's. ---- */

typedef enum linnet_optimizer_kind { LINNET_OPTIMIZER_SGD = 1, LINNET_OPTIMIZER_ADAM = 2 } linnet_optimizer_kind;

/* sgd:  g += weight_decay p; with momentum: slot0 = momentum slot0 + g, g = nesterov ? g + momentum slot0 : slot0;
         p -= learning_rate g
   adam: g += weight_decay p; slot0 = beta1 slot0 + (1-beta1) g; slot1 = beta2 slot1 + (1-beta2) g^2;
         p -= learning_rate (slot0 / (1-beta1^step)) / (sqrt(slot1 / (1-beta2^step)) + epsilon)
   Slots are zero before the first step. */
typedef struct linnet_optimizer_desc {
    uint32_t struct_size;
    uint32_t kind; /* linnet_optimizer_kind */
    float learning_rate, weight_decay;
    float momentum;
    uint32_t nesterov;
    float beta1, beta2, epsilon;
    uint32_t reserved;
    uint64_t step;  /* 1 at the first step */
    uint64_t count; /* elements in the range */
} linnet_optimizer_desc;

/* ---- The backend ---- */

/* One command that a queue with timestamps ran: a kernel, a transfer. Nanoseconds on the device's own clock. */
typedef struct linnet_command {
    uint32_t struct_size;
    uint32_t reserved;
    const char *name; /* static: "conv2d_direct_forward", "upload" */
    uint64_t queued;  /* when the host asked for it */
    uint64_t start, end;
} linnet_command;

typedef struct linnet_backend {
    uint32_t struct_size;
    uint32_t abi;            /* LINNET_ABI_VERSION it was compiled against */
    const char *name;        /* "cpu": lower case letters, digits, _; as in the file's name */
    const char *description; /* one line for `linnet devices` */

    /* Counts the devices, without side effects that last; 0 with LINNET_OK is a normal answer. Numbers stay valid until
       the next probe. */
    linnet_status (*probe)(uint32_t *out_count);
    linnet_status (*device_info)(uint32_t index, linnet_device_info *out); /* the host sets struct_size first */
    linnet_status (*open)(uint32_t index, linnet_backend_device **out);
    /* Everything made from the device was freed before. Frees all that open took: objects counted back to zero. */
    void (*close)(linnet_backend_device *device);

    /* NULL: this device does not have the layer. Valid until close. */
    const linnet_layer_ops *(*layer_ops)(linnet_backend_device *device, uint32_t kind);

    /* bytes > 0; contents undefined. */
    linnet_status (*buffer_new)(linnet_backend_device *device, uint64_t bytes, linnet_backend_buffer **out);
    void (*buffer_free)(linnet_backend_buffer *buffer); /* accepts NULL */

    /* flags: LINNET_QUEUE_... or 0. */
    linnet_status (*queue_new)(linnet_backend_device *device, uint32_t flags, linnet_backend_queue **out);
    void (*queue_free)(linnet_backend_queue *queue); /* accepts NULL; waits for what is under way */
    /* out_event: NULL, or where the event goes; a backend without events sets it to NULL and has finished when it
       returns. In order with everything else on the queue. upload may return before the copy, then the source must stay
       as it is until its event, that of a mark or read behind it, or finish. Its event says that the source has been
       read, not that what was enqueued before is done. With out_event NULL, or where it was set to NULL, the source has
       been read when upload returns. A call that fails sets it to NULL, too, where nothing is under way; else the
       caller's memory is the device's from then on. */
    linnet_status (*upload)(linnet_backend_queue *queue, linnet_view destination, const void *source, uint64_t bytes,
                            linnet_backend_event **out_event);
    /* With out_event NULL: returns when the data is there. Else when the event has been waited for. */
    linnet_status (*read)(linnet_backend_queue *queue, linnet_view source, void *destination, uint64_t bytes,
                          linnet_backend_event **out_event);
    linnet_status (*copy)(linnet_backend_queue *queue, linnet_view destination, linnet_view source,
                          uint64_t bytes); /* no overlap */
    /* Every 4-byte word of the range becomes pattern. bytes is a multiple of 4. */
    linnet_status (*fill)(linnet_backend_queue *queue, linnet_view destination, uint32_t pattern, uint64_t bytes);
    /* Waits for everything; returns the first error of the work enqueued since the last finish. */
    linnet_status (*finish)(linnet_backend_queue *queue);

    /* ---- Optional: NULL where the backend has no such thing. ---- */

    /* Where the buffer lies in host memory (LINNET_CAPABILITY_HOST_VISIBLE); valid as long as the buffer. Touch it only
     * after finish. */
    void *(*host_pointer)(linnet_backend_buffer *buffer);
    /* Starts what has been enqueued, without waiting. */
    linnet_status (*flush)(linnet_backend_queue *queue);
    /* An event that is done when everything enqueued before it is; an upload's (above) says less. */
    linnet_status (*mark)(linnet_backend_queue *queue, linnet_backend_event **out);
    linnet_status (*event_wait)(linnet_backend_event *event);
    /* When the device reached a mark's event, nanoseconds on the device's own clock; after event_wait, on a queue with
     * timestamps. */
    linnet_status (*event_time)(linnet_backend_event *event, uint64_t *out_nanoseconds);
    void (*event_free)(linnet_backend_event *event); /* accepts NULL */
    /* Private formats: bytes of a tensor (LINNET_UNSUPPORTED for a format that is not its own), and conversion from and
       to NCHW or between two of its own. Packing a parameter is a conversion. Both descs have the same type and dims.
     */
    linnet_status (*format_bytes)(linnet_backend_device *device, const linnet_tensor_desc *desc, uint64_t *out_bytes);
    linnet_status (*convert)(linnet_backend_queue *queue, const linnet_tensor_desc *destination_desc,
                             linnet_view destination, const linnet_tensor_desc *source_desc, linnet_view source);
    /* Static name of a private format, for `linnet plan`: "nchw16n". */
    const char *(*format_name)(uint32_t format);
    /* NULL: this backend evaluates but does not train. */
    linnet_status (*optimizer_step)(linnet_backend_queue *queue, const linnet_optimizer_desc *desc,
                                    linnet_view parameters, linnet_view gradients, const linnet_view *slots);
    /* How many driver objects the plugin holds in this process: 0 after the last close. */
    uint64_t (*live_objects)(void);
    /* Lines for `linnet doctor` ("name: value\n"...), NUL-terminated, cut to size. */
    void (*diagnose)(char *out_text, size_t size);
    /* 1: what lies in a tensor of this private format is always, but for the signs of zeros, what convert would make of
       its values, places that hold none (spare lanes) included; every layer relies on it and keeps it. NULL: of none.
     */
    uint32_t (*format_is_exact)(uint32_t format);
    /* A private format: where part lies in whole that is its elements from start on along axis, both of the format. It
       has to be a tensor of that format by itself, out_offset bytes behind the whole's begin and with out_stride for an
       outer_stride (which counts where part has several items). LINNET_UNSUPPORTED: it is none. */
    linnet_status (*format_slice)(linnet_backend_device *device, const linnet_tensor_desc *whole,
                                  const linnet_tensor_desc *part, uint32_t axis, int64_t start, uint64_t *out_offset,
                                  int64_t *out_stride);
    /* Driver number index of those that probe would load; LINNET_END behind the last. Loads none of them; the host sets
       struct_size first. NULL: nothing that probe does can take a process down. Else a program of the host's own asks
       first, and only where it came back alive does the user's process call probe. */
    linnet_status (*driver)(uint32_t index, linnet_driver *out);
    /* From now on plans of this kind of layer (LINNET_PLAIN_OPTIMIZER: optimiser steps) are built with the driver's
       compiler told not to optimise: asked for where what it made came out wrong. NULL or LINNET_UNSUPPORTED: no such
       thing. */
    linnet_status (*set_plain)(linnet_backend_device *device, uint32_t kind);
    /* Shares out jobs of so many tasks, each of which only looks at the clock for so long, among the device's own
       threads, one job after the other, each waited for: what it costs to divide a layer's work. NULL: it has no
       threads of its own. */
    void (*idle_jobs)(linnet_backend_device *device, uint32_t jobs, uint32_t tasks, uint32_t nanoseconds);
    /* A device on objects that others have: held until close, never changed. Its queues are the queue among them, where
       there is one. Needs no probe before it; the host sets out_info's struct_size. LINNET_INVALID: the objects do not
       belong together; LINNET_UNSUPPORTED: they do, but cannot be worked with. */
    linnet_status (*adopt)(const linnet_native_objects *objects, linnet_device_info *out_info,
                           linnet_backend_device **out);
    /* A buffer on memory that others have (opencl: a cl_mem of the device's context), held until buffer_free. The host
       copies from it and to it (copy), at any offset, and does nothing else with it. */
    linnet_status (*buffer_wrap)(linnet_backend_device *device, void *object, linnet_backend_buffer **out,
                                 uint64_t *out_bytes);
    /* A queue with timestamps keeps what it ran, in order, until it is told to forget: how many commands it was given
       since (without waiting), and, after finish, number index of them (the host sets struct_size first). Such a queue
       may allocate at every call. NULL, all three: what it ran took as long as the calls themselves with a finish
       behind them. */
    uint64_t (*command_count)(linnet_backend_queue *queue);
    linnet_status (*command)(linnet_backend_queue *queue, uint64_t index, linnet_command *out);
    void (*forget_commands)(linnet_backend_queue *queue);
    /* Lines about an open device for `linnet selftest --report` ("name: value\n"...), NUL-terminated, cut to size:
       limits, extensions, what was decided for it. Nothing of its user: no paths, no names. */
    void (*describe)(linnet_backend_device *device, char *out_text, size_t size);
    /* These layers will be planned next, each with the candidate of its name: what their plans have to compile may be
       compiled now, together and in several threads. Nothing depends on it, and what fails here is said by plan. NULL:
       plans take no time. */
    void (*prepare)(linnet_backend_device *device, const linnet_layer_desc *const *descs, const char *const *candidates,
                    size_t count);
    /* Names of the kernels that a plan of this candidate, with its formats in the desc, runs here: "gemm_panel,reduce",
       NUL-terminated and cut to size. What a name means does not depend on the desc. NULL, or "": the candidate's name
       says it all. */
    linnet_status (*kernels)(linnet_backend_device *device, const linnet_layer_desc *desc, const char *candidate,
                             char *out_names, size_t size);

    /* Until the next call: what this thread asks of the device about layers, and the plans that it makes, are by these
     * kernels (names as above) wherever they can do it and only its size would speak for others. NULL: as ever. What is
     * compared at first use is small; the plan that it is compared for need not be. Optional. */
    void (*prefer)(linnet_backend_device *device, const char *kernels);
    /* Memory of the host, bytes of it (> 0, contents undefined, aligned to 64), that transfers go from and to without
       being copied on the host first: upload is then asked for an event. LINNET_UNSUPPORTED: none for this device;
       LINNET_OUT_OF_MEMORY: no more. Freed before close and once what uses it is done; free accepts NULL. Any thread.
       NULL, both: the host takes its own. */
    linnet_status (*pinned_new)(linnet_backend_device *device, uint64_t bytes, void **out);
    void (*pinned_free)(linnet_backend_device *device, void *memory);
} linnet_backend;

enum { LINNET_PLAIN_OPTIMIZER = 0 };

enum {
    LINNET_QUEUE_TIMESTAMPS = 1,
    LINNET_QUEUE_APART = 2 /* on an adopted device, too, a queue of its own and not the one that came with it */
};

/* The one symbol that a plugin exports. host stays valid for ever. NULL: no version in common (host_abi's major
   differs, or the plugin needs a newer minor). */
typedef const linnet_backend *(*linnet_backend_query_function)(uint32_t host_abi, const linnet_host *host);
#define LINNET_BACKEND_QUERY_SYMBOL "linnet_backend_query"
LINNET_API const linnet_backend *linnet_backend_query(uint32_t host_abi, const linnet_host *host);

/* ---- Small helpers for both sides ---- */

/* Elements of a desc. The host checked that the product does not overflow. */
static inline int64_t linnet_desc_count(const linnet_tensor_desc *desc)
{
    int64_t count = 1;
    for (uint32_t i = 0; i < desc->rank; i++)
        count *= desc->dims[i];
    return count;
}

/* How many inputs the epilogue has: the last ones of the desc. */
static inline uint32_t linnet_epilogue_inputs(const linnet_layer_desc *desc)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < desc->epilogue_count; i++)
        count += desc->epilogue[i].op == LINNET_EPILOGUE_ADD;
    return count;
}

static inline int linnet_desc_is_dense(const linnet_tensor_desc *desc)
{
    return desc->format == LINNET_FORMAT_NCHW && desc->outer_stride == 0;
}

/* Philox4x32-10 (Salmon, Moraes, Dror, Shaw 2011): four random words for a counter and a key. Dropout, augmentation and
   initialisation all draw from it, on every device. */
static inline void linnet_philox(const uint32_t counter[4], const uint32_t key[2], uint32_t out[4])
{
    uint32_t c0 = counter[0], c1 = counter[1], c2 = counter[2], c3 = counter[3], k0 = key[0], k1 = key[1];
    for (int round = 0; round < 10; round++) {
        uint64_t p0 = (uint64_t)0xD2511F53u * c0, p1 = (uint64_t)0xCD9E8D57u * c2;
        uint32_t n0 = (uint32_t)(p1 >> 32) ^ c1 ^ k0, n2 = (uint32_t)(p0 >> 32) ^ c3 ^ k1;
        c1 = (uint32_t)p1;
        c3 = (uint32_t)p0;
        c0 = n0;
        c2 = n2;
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
    out[0] = c0;
    out[1] = c1;
    out[2] = c2;
    out[3] = c3;
}

/* Uniform in [0, 1), 24 bits, for element index of a node at a step: word index % 4 of the block with counter
   {index/4 low, index/4 high ^ node, step low, step high} and key {seed low, seed high}, top 24 bits / 2^24. */
static inline float linnet_philox_uniform(uint64_t seed, uint32_t node, uint64_t step, uint64_t index)
{
    uint64_t block = index >> 2;
    uint32_t counter[4] = {(uint32_t)block, (uint32_t)(block >> 32) ^ node, (uint32_t)step, (uint32_t)(step >> 32)};
    uint32_t key[2] = {(uint32_t)seed, (uint32_t)(seed >> 32)}, words[4];
    linnet_philox(counter, key, words);
    return (float)(words[index & 3] >> 8) * (1.0f / 16777216.0f);
}

LINNET_END_DECLS
#endif
