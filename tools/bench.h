/* SPDX-License-Identifier: Apache-2.0 */
/* What `linnet bench` is made of: something is run again and again, its times become a row of a table. Internal. */
#ifndef LINNET_TOOLS_BENCH_H
#define LINNET_TOOLS_BENCH_H

#include "cli.h"
#include "model.h"
#include "text.h"

enum { BENCH_LIST = 32 };

/* Numbers to be gone through, one after the other. */
typedef struct bench_list {
    int64_t numbers[BENCH_LIST];
    size_t count;
} bench_list;

/* "1,4,64", "1..256" (doubled each time) or both; false: it is something else, or too long. Numbers up to most. */
bool bench_list_read(const char *text, int64_t most, bench_list *out);

typedef struct bench_options {
    bench_list batches, threads; /* threads 0: as the environment says */
    double seconds;              /* 0: what is usual */
    double warm_up;
    int64_t repeat; /* 0: as often as fits into seconds */
    int train, layers, profile;
    const char *trace;     /* file for a profile's trace; NULL: none */
    int direction;         /* of layers: an enum bench_direction */
    const char *candidate; /* of layers: only this forward implementation; NULL: all */
    int planned;           /* of layers: only what a plan takes */
    int64_t pixels;        /* of style: of a side */
} bench_options;

/* Forward, unless --train or --direction say otherwise. */
enum bench_direction { BENCH_USUAL, BENCH_FORWARD, BENCH_BACKWARD_DATA, BENCH_BACKWARD_WEIGHTS, BENCH_ALL };

/* Seconds of a run. */
typedef struct bench_times {
    double median, least, most;
    double lower, upper; /* quartiles */
    double first;        /* when the first one, which does not count, was done, by text_now's clock */
    int64_t runs;
} bench_times;

/* Warms up and measures: run once or more, as the options say. Exit codes as everywhere in the tools. */
int bench_measure(const bench_options *options, linnet_status (*run)(void *context), void *context, bench_times *out);
/* Sorts the samples. */
bench_times bench_times_of(double *samples, int64_t count);

/* ---- Rows ---- */

typedef struct bench_row {
    const char *name, *mode;
    int64_t batch; /* 0: it has none */
    uint32_t threads;
    bench_times times;
    double operations; /* of a run, two a multiply-add of the direct form; 0: not counted */
    double start;      /* seconds from nothing, not even an open device, to the end of the first run; 0: not known */
    uint64_t memory;   /* bytes; 0: not known */
} bench_row;

/* A table, or JSON lines as --json says; heads itself with the device. */
typedef struct bench_report {
    table rows;
    const linnet_device_info *info; /* of the device at hand */
    const char *backend;
    bool headed;
} bench_report;

void bench_report_start(bench_report *report);
/* What comes next ran there. */
void bench_report_device(bench_report *report, linnet_device *device);
void bench_report_row(bench_report *report, const bench_row *row);
/* Prints what is collected and frees it. */
void bench_report_end(bench_report *report);

/* Threads of this machine's processor that the device works with. */
uint32_t bench_threads(const linnet_device_info *info);
/* The machine's peak for a device that is its processor, operations a second; 0: the device is something else. */
double bench_peak(const linnet_device_info *info);
double bench_bandwidth(const linnet_device_info *info);
/* Parts of these two in percent; -1 where there is none, or it cannot be right: the measurement of the machine, or of
   what is held against it, was disturbed. */
double bench_of_peak(double rate, double peak);
double bench_of_memory(double rate, double bandwidth);
/* "12.3 %"; "-": it is below 0, no figure. */
void bench_text_percent(char out[TEXT_SIZE], double percent, int decimals);
/* From the lower to the upper quartile, as a part of the median: "1.2 %", "> 100 %"; "-": of too few runs. */
void bench_text_spread(char out[TEXT_SIZE], const bench_times *times);

/* ---- What can be timed ---- */

/* A network with one batch size, on the device that the environment says. */
int bench_net(bench_report *report, const char *name, int train, int64_t batch, const bench_options *options);
/* Its layers instead. */
int bench_net_layers(const char *name, int train, int64_t batch, const bench_options *options);
/* The same summed up by layer and direction, with all else that the device does. */
int bench_net_profile(const char *name, int train, int64_t batch, const bench_options *options);
/* What can be profiled so: run again and again on a session's device. size: "batch 64". */
typedef struct bench_profiled {
    linnet_session *session;
    linnet_status (*run)(void *context);
    void *context;
    const char *name, *size;
    const char *host_name, *run_name; /* what a run is called on the host's track of a trace, and in a sentence */
} bench_profiled;
int bench_profile(const bench_profiled *what, const bench_options *options);
/* A layer by itself, as linnet/verify.h writes it; every implementation. */
bool bench_is_case(const char *text);
int bench_case(table *t, const char *text, const bench_options *options);
void bench_case_table(table *t);
/* tune_case.c: such a layer as a net in a line, in a training step with what gives it both gradients; its images. */
int tune_case_net(const char *text, int train, char *out, size_t size, int64_t *out_batch);
/* One evaluation of style transfer's losses and their gradient. */
int bench_style(bench_report *report, const bench_options *options);
int bench_style_profile(const bench_options *options);
/* From here on, for devices that are opened: LINNET_NUM_THREADS. */
void bench_set_threads(int64_t threads);
/* The processor, and the device's threads. */
int bench_machine(const bench_list *threads);

/* ---- bench_net.c ---- */

/* One run: a training step with the data coming from host memory, or inference with the scores going there. */
typedef struct bench_engine {
    engine e;
    linnet_optimizer *sgd; /* NULL: inference */
    sample_batch sample;
    linnet_value output; /* what inference reads: the scores, or what comes last */
    float *scores;
    size_t score_bytes;
} bench_engine;

int bench_engine_start(bench_engine *b, const char *name, int train, int64_t batch);
void bench_engine_stop(bench_engine *b);
linnet_status bench_engine_run(void *b);
/* Multiply-adds of one image, forward; 0 where sizes are free. */
double bench_work(const linnet_net *net);
/* Is it one of the networks that are taken when none is named: those that need no patience? */
bool bench_is_small(const char *name);
/* Bytes that a session holds on its devices. */
uint64_t bench_memory(const linnet_session *session);

#endif
