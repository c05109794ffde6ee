/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The OpenCL backend's own header: device, buffer, queue, program, kernel and plan as its files share them.
 *
 * OpenCL 1.2 core only. Every driver object is made and released through object.c's counters, so live_objects() is 0
 * when all is closed. Every return code goes through linnet_cl_check.
 */
#ifndef LINNET_OPENCL_H
#define LINNET_OPENCL_H

#define CL_TARGET_OPENCL_VERSION 120
#include <CL/cl.h>

#include "linnet/backend.h"

#include "parameters.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

extern const linnet_host *linnet_cl_host; /* set once, by linnet_backend_query */

/* ---- error.c ---- */

/* LINNET_OK for CL_SUCCESS; else sets the sentence "<call> on '<device>' failed: CL_..." (device NULL: none) and maps
 * the code; CL_OUT_OF_RESOURCES to LINNET_DEVICE_LOST where the context is dead, else to LINNET_OUT_OF_MEMORY. */
linnet_status linnet_cl_check(const linnet_backend_device *device, const char *call, cl_int error);
/* Sets the sentence and returns the status. */
linnet_status linnet_cl_fail(linnet_status status, const char *format, ...) LINNET_PRINTF(2, 3);
const char *linnet_cl_error_name(cl_int error);
void linnet_cl_log(int level, const char *format, ...) LINNET_PRINTF(2, 3);
/* LINNET_FORKED in the child of a process that used OpenCL, else LINNET_OK. */
linnet_status linnet_cl_fork_check(void);
/* The same, and nothing is said. */
bool linnet_cl_is_forked(void);
/* From now on a fork's child is refused: driver threads do not survive it. */
void linnet_cl_fork_guard(void);

/* lost.c: the driver said CL_OUT_OF_RESOURCES; does the context do nothing any more? */
bool linnet_cl_is_lost(const linnet_backend_device *device);

/* ---- object.c: counts what the plugin holds of the driver ---- */

void linnet_cl_count_made(void);
uint64_t linnet_cl_live_objects(void);
/* Each accepts NULL and uncounts. */
void linnet_cl_release_context(cl_context object);
void linnet_cl_release_queue(cl_command_queue object);
void linnet_cl_release_program(cl_program object);
void linnet_cl_release_kernel(cl_kernel object);
void linnet_cl_release_memory(cl_mem object);
void linnet_cl_release_event(cl_event object);

/* ---- platform.c: which devices there are ---- */

/* Which set of kernels LINNET_OPENCL_KERNELS asks for, so that each can be tested on one device; LINNET_INVALID when it
 * makes no sense. */
typedef enum linnet_cl_kernel_set {
    LINNET_CL_KERNELS_BY_DEVICE,
    LINNET_CL_KERNELS_CPU,
    LINNET_CL_KERNELS_GPU
} linnet_cl_kernel_set;
linnet_status linnet_cl_kernels_option(linnet_cl_kernel_set *out);

/* variants.c: what LINNET_OPENCL_VARIANT forces, bit i for variant number i; LINNET_INVALID when it makes no sense. */
linnet_status linnet_cl_variants_option(uint64_t *out_forced);

typedef struct linnet_cl_location {
    cl_platform_id platform;
    cl_device_id device;
} linnet_cl_location;

linnet_status linnet_cl_probe(uint32_t *out_count);
linnet_status linnet_cl_device_info(uint32_t index, linnet_device_info *out);
/* The same of a device that need not have been found by a probe. */
linnet_status linnet_cl_describe_device(linnet_cl_location at, linnet_device_info *out);
/* NULL when this backend can work with the device, else why not: "older than OpenCL 1.2". */
const char *linnet_cl_device_objection(cl_device_id device);
/* LINNET_INVALID when an environment variable of this backend makes no sense. */
linnet_status linnet_cl_options_check(void);
/* Where device number index of the last probe is; LINNET_NO_DEVICE when there is none. */
linnet_status linnet_cl_locate(uint32_t index, linnet_cl_location *out);
enum { LINNET_CL_DRIVER_BYTES = 64 };
/* What the device says of its driver's version; "" when it says nothing. */
void linnet_cl_driver_version(cl_device_id device, char out[LINNET_CL_DRIVER_BYTES]);
/* Lines about the loader, the platforms and their devices; returns bytes written. */
size_t linnet_cl_platforms_describe(char *out_text, size_t size);

/* quirks.c: what is known of drivers and cannot be asked. */
enum {
    LINNET_CL_QUIRK_KEEPS_PROGRAMS = 1, /* it caches what it builds, and its binaries are not asked for */
    LINNET_CL_QUIRK_LATE_KERNELS = 2,   /* kernels are compiled at their first run: many are best in one program */
    LINNET_CL_QUIRK_LESS_LIKED = 4      /* another platform's device is taken first */
};
/* LINNET_INVALID when LINNET_OPENCL_QUIRKS makes no sense. */
linnet_status linnet_cl_quirks_option(bool *out_none);
/* driver: linnet_cl_driver_version, and nothing else. */
uint32_t linnet_cl_quirks(const char *platform, const char *device, const char *driver);
/* At least from and below below, each "" for no limit. "23.2.1-1ubuntu3" is 23.2.1, and 3.1 is 3.1.0. */
bool linnet_cl_version_is_within(const char *version, const char *from, const char *below);
/* A line for each that applies; returns bytes written. */
size_t linnet_cl_quirks_describe(const char *platform, const char *device, const char *driver, char *out, size_t size);

/* drivers.c: number index of those that the ICD loader would load, none of them loaded. */
linnet_status linnet_cl_driver(uint32_t index, linnet_driver *out);

/* ---- device.c, buffer.c ---- */

typedef enum linnet_cl_program_id {
#define LINNET_CL_PROGRAM(ID, file) LINNET_CL_PROGRAM_##ID,
#include "programs.def"
    LINNET_CL_PROGRAM_COUNT
} linnet_cl_program_id;

/* How what lies on the host gets to the device without waiting for it (mapped.c). */
typedef enum linnet_cl_transfers {
    LINNET_CL_TRANSFERS_PLAIN,  /* from a copy in the host's memory: processors, whose memory that is */
    LINNET_CL_TRANSFERS_MAPPED, /* through mapped memory: GPUs that share the host's */
    LINNET_CL_TRANSFERS_APART   /* the same, by a queue of its own, beside kernels: GPUs with memory of their own */
} linnet_cl_transfers;

/* subgroups.c: how work-items of a sub-group get at each other's values in reductions (group.clh). */
typedef enum linnet_cl_subgroups {
    LINNET_CL_SUBGROUPS_NONE,     /* as of any group: in local memory */
    LINNET_CL_SUBGROUPS_BARRIERS, /* in local memory, but they wait for one another alone */
    LINNET_CL_SUBGROUPS_SHUFFLES, /* cl_khr_subgroup_shuffle */
    LINNET_CL_SUBGROUPS_INTEL     /* the same of cl_intel_subgroups */
} linnet_cl_subgroups;

struct linnet_backend_device {
    cl_context context;
    cl_command_queue given_queue; /* of an adopted device: the one that its queues are; NULL: each makes its own */
    cl_device_id id;
    linnet_device_info info;
    linnet_cl_parameters parameters;
    uint64_t forced;      /* bit i: variant number i, by LINNET_OPENCL_VARIANT (variants.h) */
    bool prefers_vectors; /* few work-items with much work and explicit vectors; else many small ones, coalesced */
    atomic_int subgroups; /* linnet_cl_subgroups */
    atomic_bool limits_registers;  /* its compiler can be told how many a work-item may have (tile.clh) */
    atomic_int smallest_sub_group; /* work-items; 0: its compiler cannot be told how many (sub_group.clh) */
    int tile_rows, tile_columns;   /* of products on processors: what their registers hold (conv2d_channels.cl) */
    linnet_cl_transfers transfers;
    size_t max_group;           /* work-items in a group, first dimension */
    uint64_t local_memory;      /* bytes */
    atomic_int tile_most;       /* of tiles in local memory (tile.clh): 128, 64; 0: there are none */
    pthread_mutex_t lock;       /* of programs and pinned */
    uint32_t quirks;            /* LINNET_CL_QUIRK_... */
    atomic_uint_fast64_t plain; /* bit k: plans of layer kind k (0: optimisers) are built without optimisation */
    cl_program programs[2][LINNET_CL_PROGRAM_COUNT]; /* usual and plain; built at first use, kept until close */
    struct linnet_cl_pinned *pinned;                 /* what pinned_new gave, the last first */
    atomic_bool used_clblast;
};

linnet_status linnet_cl_open(uint32_t index, linnet_backend_device **out);
/* Everything of a device but its context. */
linnet_status linnet_cl_device_new(linnet_cl_location at, linnet_backend_device **out);
/* extensions.c: sets what of the device its extensions decide. */
linnet_status linnet_cl_find_extensions(linnet_backend_device *device);
/* Is name one of the blank-separated words of list? */
bool linnet_cl_has_word(const char *list, const char *name);
/* What the device says that it has; none on processors, and where LINNET_OPENCL_VARIANT says so. */
linnet_cl_subgroups linnet_cl_subgroups_find(const linnet_backend_device *device, const char *extensions);
/* Options for building a program with them. */
const char *linnet_cl_subgroups_options(const linnet_backend_device *device, linnet_cl_subgroups subgroups);
/* For users: "sub-groups, by shuffles". */
const char *linnet_cl_subgroups_name(linnet_cl_subgroups subgroups);
/* adopt.c: devices, queues and memory that others have. */
linnet_status linnet_cl_adopt(const linnet_native_objects *objects, linnet_device_info *out_info,
                              linnet_backend_device **out);
linnet_status linnet_cl_buffer_wrap(linnet_backend_device *device, void *object, linnet_backend_buffer **out,
                                    uint64_t *out_bytes);
void linnet_cl_close(linnet_backend_device *device);

/* describe.c: limits, extensions, kernels and quirks of an open device, a line each. */
void linnet_cl_describe(linnet_backend_device *device, char *out_text, size_t size);

struct linnet_backend_buffer {
    linnet_backend_device *device;
    cl_mem memory;
    uint64_t bytes;
};

linnet_status linnet_cl_buffer_new(linnet_backend_device *device, uint64_t bytes, linnet_backend_buffer **out);
void linnet_cl_buffer_free(linnet_backend_buffer *buffer);
/* Are so many bytes one buffer? what: "a buffer", for the sentence. */
linnet_status linnet_cl_check_bytes(const linnet_backend_device *device, const char *what, uint64_t bytes);

/* ---- queue.c, transfer.c ---- */

typedef struct linnet_cl_staging linnet_cl_staging;
typedef struct linnet_cl_mapped linnet_cl_mapped;
typedef struct linnet_cl_read_place linnet_cl_read_place;
typedef struct linnet_cl_pieces linnet_cl_pieces;
typedef struct linnet_cl_landing linnet_cl_landing;
typedef struct linnet_cl_commands linnet_cl_commands;
typedef struct linnet_cl_optimizers linnet_cl_optimizers;
typedef struct linnet_cl_converters linnet_cl_converters;

struct linnet_backend_queue {
    linnet_backend_device *device;
    cl_command_queue queue;
    bool timestamps;
    bool is_busy; /* false: what was enqueued is done, that is known, or is transfers that others wait for */
    uint32_t launches, next_flush; /* kernels since it was not busy; with so many they are handed over (plan.c) */
    linnet_cl_commands *commands;  /* with timestamps: what was enqueued; NULL: nothing yet */
    linnet_cl_staging *staging;    /* copies of uploaded data that the device has not read yet */
    uint64_t staging_bytes;
    linnet_cl_mapped *mapped;         /* NULL until the first transfer that goes through it */
    linnet_cl_pieces *pieces;         /* NULL until the first upload that goes through them */
    bool has_no_pieces;               /* there was no pinned memory for them: it is not asked for again */
    linnet_cl_landing *landing;       /* NULL until the first upload that goes by it */
    linnet_cl_optimizers *optimizers; /* NULL until the first step */
    linnet_cl_converters *converters; /* NULL until the first conversion */
};

/* pinned.c: memory of the host that transfers go from and to without a copy on it. */
typedef struct linnet_cl_pinned linnet_cl_pinned;
linnet_status linnet_cl_pinned_new(linnet_backend_device *device, uint64_t bytes, void **out);
void linnet_cl_pinned_free(linnet_backend_device *device, void *memory);

struct linnet_backend_event {
    linnet_backend_device *device;
    cl_event event;
    linnet_cl_read_place *place; /* of a read: where its data lie until the event is waited for; NULL: nowhere */
    bool is_lost;                /* its queue failed: nobody knows whether it has come to its end */
};

linnet_status linnet_cl_queue_new(linnet_backend_device *device, uint32_t flags, linnet_backend_queue **out);
void linnet_cl_queue_free(linnet_backend_queue *queue);
linnet_status linnet_cl_finish(linnet_backend_queue *queue);
linnet_status linnet_cl_flush(linnet_backend_queue *queue);

/* commands.c: what a queue with timestamps has run. */
/* Where an enqueue writes its event: NULL on a queue without timestamps. */
static inline cl_event *linnet_cl_event_for(const linnet_backend_queue *queue, cl_event *event)
{
    return queue->timestamps ? event : NULL;
}
/* Keeps the event of a command just enqueued; takes it over. NULL: nothing. name is static. */
void linnet_cl_command_add(linnet_backend_queue *queue, const char *name, cl_event event);
/* The same for one whose event goes on being used. */
void linnet_cl_command_share(linnet_backend_queue *queue, const char *name, cl_event event);
/* The same for several commands of which only the last has an event: first is a marker ahead of them. */
void linnet_cl_command_add_span(linnet_backend_queue *queue, const char *name, cl_event first, cl_event last);
uint64_t linnet_cl_command_count(linnet_backend_queue *queue);
linnet_status linnet_cl_command(linnet_backend_queue *queue, uint64_t index, linnet_command *out);
void linnet_cl_commands_forget(linnet_backend_queue *queue);
void linnet_cl_commands_free(linnet_backend_queue *queue);

/* nchw16c.c */
void linnet_cl_converters_free(linnet_backend_queue *queue);

/* optimizer.c */
void linnet_cl_optimizers_free(linnet_backend_queue *queue);

linnet_status linnet_cl_upload(linnet_backend_queue *queue, linnet_view destination, const void *source, uint64_t bytes,
                               linnet_backend_event **out_event);
linnet_status linnet_cl_read(linnet_backend_queue *queue, linnet_view source, void *destination, uint64_t bytes,
                             linnet_backend_event **out_event);
linnet_status linnet_cl_copy(linnet_backend_queue *queue, linnet_view destination, linnet_view source, uint64_t bytes);
linnet_status linnet_cl_fill(linnet_backend_queue *queue, linnet_view destination, uint32_t pattern, uint64_t bytes);
/* Frees the staged copies that the device has read: all of them, the caller knows, or those whose events say so. */
void linnet_cl_staging_reap(linnet_backend_queue *queue, bool all_done);
/* The same for all of them where waiting for the queue failed: each is waited for by itself, and one that the driver
 * may still read is never freed. */
void linnet_cl_staging_settle(linnet_backend_queue *queue);

/*
 * mapped.c: transfers through memory that the driver made for the host to map (CL_MEM_ALLOC_HOST_PTR), pinned where the
 * device has memory of its own. A queue has eight places for uploads, made as uploads need them, each by whole pages
 * and at most twice as large as what goes through it, 64 MiB in all; and four for reads of at most 64 KiB. They belong
 * to the queue and go with it. Nothing here waits. Where no place is ready or fits, or the driver has no more such
 * memory, *out_done is false, nothing was done, and the transfer goes the plain way.
 */
linnet_status linnet_cl_mapped_upload(linnet_backend_queue *queue, linnet_view destination, const void *source,
                                      uint64_t bytes, bool *out_done);
/* destination is written when the event is waited for, by who waits: the queue's thread. */
linnet_status linnet_cl_mapped_read(linnet_backend_queue *queue, linnet_view source, void *destination, uint64_t bytes,
                                    linnet_backend_event **out_event, bool *out_done);
/* The event's data have come: takes them to where they belong. */
void linnet_cl_mapped_deliver(linnet_backend_event *event);
/* Nobody wants the event's data any more. */
void linnet_cl_mapped_forget(linnet_backend_event *event);
/* Before the queue's last clFinish, and behind it: is_done, it went well. */
void linnet_cl_mapped_unmap(linnet_backend_queue *queue);
void linnet_cl_mapped_free(linnet_backend_queue *queue, bool is_done);

/* The queue for transfers beside its kernels; NULL: it has none. */
cl_command_queue linnet_cl_mapped_sender(linnet_backend_queue *queue);

/* landing.c: an upload with an event behind work, beside which it is sent. Where there is no place for it, *out_done is
   false and nothing was done. */
linnet_status linnet_cl_landing_upload(linnet_backend_queue *queue, linnet_view destination, const void *source,
                                       uint64_t bytes, linnet_backend_event **out_event, bool *out_done);
/* Behind the queue's last clFinish. */
void linnet_cl_landing_free(linnet_backend_queue *queue);

/* pieces.c: a large upload to a queue that has nothing to do. It waits for nothing but its own pieces; where it is too
   small or there is no memory for it, *out_done is false and nothing was done. */
linnet_status linnet_cl_pieces_upload(linnet_backend_queue *queue, linnet_view destination, const void *source,
                                      uint64_t bytes, bool *out_done);
/* Behind the queue's last clFinish: is_done, it went well. */
void linnet_cl_pieces_free(linnet_backend_queue *queue, bool is_done);

/* Takes over the event, also on failure. */
linnet_status linnet_cl_event_wrap(linnet_backend_device *device, cl_event event, linnet_backend_event **out);
linnet_status linnet_cl_mark(linnet_backend_queue *queue, linnet_backend_event **out);
linnet_status linnet_cl_event_wait(linnet_backend_event *event);
linnet_status linnet_cl_event_time(linnet_backend_event *event, uint64_t *out_nanoseconds);
void linnet_cl_event_free(linnet_backend_event *event);

/* ---- program.c, cache.c, sha256.c ---- */

/* together.c: which program's place a program is built in, itself unless the driver gets several as one; and the source
 * texts of what is built there, at most LINNET_CL_MOST_TOGETHER; returns how many. */
enum { LINNET_CL_MOST_TOGETHER = 16 };
linnet_cl_program_id linnet_cl_program_place(const linnet_backend_device *device, linnet_cl_program_id id);
bool linnet_cl_program_is_many(const linnet_backend_device *device, linnet_cl_program_id place);
cl_uint linnet_cl_program_sources(const linnet_backend_device *device, linnet_cl_program_id place,
                                  const char *out_sources[LINNET_CL_MOST_TOGETHER]);

/* The program, built at first use or taken from the cache. Owned by the device. */
linnet_status linnet_cl_program(linnet_backend_device *device, linnet_cl_program_id id, cl_program *out);

/* Until the next call, what this thread builds for the device is built plainly if kind's bit is set (LINNET_CL_USUALLY:
 * nothing is). */
enum { LINNET_CL_USUALLY = 64 };
void linnet_cl_build_for(const linnet_backend_device *device, uint32_t kind);
linnet_status linnet_cl_set_plain(linnet_backend_device *device, uint32_t kind);
/* From the cache; NULL: it is not there. id is a place, here and below. */
cl_program linnet_cl_program_cached(linnet_backend_device *device, linnet_cl_program_id id, int way);
/* Builds it, way 1: without optimisation. Several threads may, each another program. */
linnet_status linnet_cl_program_build(linnet_backend_device *device, linnet_cl_program_id id, int way, cl_program *out);
/* linnet_cl_wish of the program as this thread would build it. */
bool linnet_cl_program_is_wish(linnet_cl_program_id id, const char *kernel);

double linnet_cl_now(void); /* seconds on a clock that never goes back */

/* prepare.c */
typedef struct linnet_cl_wishes {
    bool programs[2][LINNET_CL_PROGRAM_COUNT];
    char *kernels; /* names with commas between, as many as fit into size; NULL: they are not noted */
    size_t size;
} linnet_cl_wishes;
/* Is this thread only asked what it would need? Then that is noted. kernel NULL: any of the program's. */
bool linnet_cl_wish(linnet_cl_program_id id, int way, const char *kernel);
void linnet_cl_prepare(linnet_backend_device *device, const linnet_layer_desc *const *descs,
                       const char *const *candidates, size_t count);
linnet_status linnet_cl_kernels(linnet_backend_device *device, const linnet_layer_desc *desc, const char *candidate,
                                char *out_names, size_t size);
/* Until the next call this thread prefers these kernels (names as above, which stay where they are; NULL: none). */
void linnet_cl_prefer(linnet_backend_device *device, const char *kernels);
bool linnet_cl_prefers(const char *kernel);
/* backend.c */
const linnet_layer_ops *linnet_cl_layer_ops(linnet_backend_device *device, uint32_t kind);

typedef struct linnet_cl_cache_key {
    uint8_t bytes[32];
} linnet_cl_cache_key;

/* A program's key: its sources, options, device, driver and this release. */
void linnet_cl_cache_key_make(const linnet_backend_device *device, const char *const *sources, cl_uint count,
                              const char *options, linnet_cl_cache_key *out);
/* The binary stored under key, to be released by the host's release; NULL when there is none. A damaged one is deleted.
 */
void *linnet_cl_cache_load(const linnet_cl_cache_key *key, size_t *out_bytes);
/* Best effort: a cache that cannot be written is said once and done without. */
void linnet_cl_cache_store(const linnet_cl_cache_key *key, const void *binary, size_t bytes);
/* cache_trim.c: what is too much goes. LINNET_INVALID when LINNET_CACHE_MIB makes no sense. */
void linnet_cl_cache_trim(void);
linnet_status linnet_cl_cache_option(uint64_t *out_bytes);
void linnet_cl_cache_discard(const linnet_cl_cache_key *key);
size_t linnet_cl_cache_describe(char *out_text, size_t size);

typedef struct linnet_cl_sha256 {
    uint32_t state[8];
    uint64_t bytes;
    uint8_t block[64];
} linnet_cl_sha256;

void linnet_cl_sha256_start(linnet_cl_sha256 *hash);
void linnet_cl_sha256_add(linnet_cl_sha256 *hash, const void *data, size_t bytes);
void linnet_cl_sha256_end(linnet_cl_sha256 *hash, uint8_t out[32]);

/* Made at build time from kernels/: NUL-terminated source of each program. */
extern const char *const linnet_cl_sources[LINNET_CL_PROGRAM_COUNT];
extern const char *const linnet_cl_source_names[LINNET_CL_PROGRAM_COUNT];

#endif
