/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The reference backend: every layer as the textbook writes it, sums in double precision, rounded once at the end. What
 * all other backends are compared with, so nothing here is clever. One file per layer; layer.c holds what they have in
 * common.
 */
#ifndef LINNET_REFERENCE_H
#define LINNET_REFERENCE_H

#include "linnet/backend.h"

#include <stdbool.h>

struct linnet_backend_buffer {
    uint64_t bytes;
    unsigned char *data;
};

/* ---- What a layer works on ---- */

/* An f32 tensor in memory. Item n (along dimension 0) starts at data + n * stride. */
typedef struct reference_tensor {
    float *data; /* NULL: absent */
    const int64_t *dims;
    int64_t items;   /* along dimension 0; 1 for a scalar */
    int64_t inner;   /* elements of one item */
    int64_t stride;  /* elements from one item to the next */
    bool accumulate; /* a gradient that is added to what is there */
} reference_tensor;

/* One run. */
typedef struct reference_call {
    const linnet_layer_desc *desc;
    const linnet_layer_args *args;
} reference_call;

/* One layer kind. */
typedef struct reference_layer {
    size_t attributes_size;
    bool takes_epilogue; /* a chain of unary operators behind it */
    bool moves_i32;      /* forward works for i32 as well as for f32, element by element of 4 bytes */
    uint32_t i32_inputs; /* bit i: input i is i32 */
    /* Fills saved_bytes, reads_..., in_place and alias of an accepted desc, or sets refusal. */
    void (*candidate)(const linnet_layer_desc *desc, linnet_candidate *out);
    void (*forward)(const reference_call *call);
    void (*backward)(const reference_call *call);
} reference_layer;

/* reference_conv2d_layer, ...: one per row of layers.def */
#define LINNET_LAYER(number, NAME, name, ...) extern const reference_layer reference_##name##_layer;
#include "linnet/layers.def"

/* NULL for a number that is no kind. */
const reference_layer *reference_layer_find(uint32_t kind);
extern const linnet_layer_ops reference_ops;

reference_tensor reference_input(const reference_call *call, uint32_t index);
reference_tensor reference_output(const reference_call *call, uint32_t index);
reference_tensor reference_parameter(const reference_call *call, uint32_t index);
reference_tensor reference_state(const reference_call *call, uint32_t index);
reference_tensor reference_output_gradient(const reference_call *call, uint32_t index);
reference_tensor reference_input_gradient(const reference_call *call, uint32_t index);
reference_tensor reference_parameter_gradient(const reference_call *call, uint32_t index);
void *reference_memory(linnet_view view); /* NULL: absent */

/* Where item n starts. */
static inline float *reference_item(const reference_tensor *t, int64_t n)
{
    return t->data + n * t->stride;
}

/* Element [n,c,h,w]. */
static inline float *reference_at(const reference_tensor *t, int64_t n, int64_t c, int64_t h, int64_t w)
{
    return t->data + n * t->stride + (c * t->dims[2] + h) * t->dims[3] + w;
}

/* Writes or adds. */
static inline void reference_put(const reference_tensor *t, float *place, double value)
{
    *place = (float)(t->accumulate ? *place + value : value);
}

/* softmax and log_softmax work on rows: all elements that differ only in the axis. */
typedef struct reference_rows {
    int64_t count, length;
    int64_t middle; /* product of the dims between dimension 0 and the axis */
    int64_t after;  /* product of the dims behind the axis */
    bool outermost; /* the axis is dimension 0 */
} reference_rows;

/* The rows of input 0, whose layer has linnet_axis_attributes. */
reference_rows reference_axis_rows(const reference_call *call);

/* Element index of a row. */
static inline float *reference_row_at(const reference_rows *rows, const reference_tensor *t, int64_t row, int64_t index)
{
    int64_t outer = row / rows->after, after = row % rows->after;
    if (rows->outermost)
        return t->data + index * t->stride + after;
    return reference_item(t, outer / rows->middle) + (outer % rows->middle * rows->length + index) * rows->after +
           after;
}

/* May two tensors of equal shape lie in the same place? */
bool reference_same_layout(const linnet_tensor_desc *a, const linnet_tensor_desc *b);
/* Candidates of element-wise layers: in_place for every input of y's layout. */
void reference_in_place(const linnet_layer_desc *desc, linnet_candidate *out);

/* The output index whose window holds position at tap: index * stride - before + tap * dilation = position; -1 for
 * none. */
int64_t reference_window_source(int64_t position, int64_t before, int64_t tap, int64_t dilation, int64_t stride,
                                int64_t length);

double reference_unary(uint32_t op, double alpha, double beta, double x);
/* The desc's chain of operators, at element `at` of item n of the output. */
double reference_epilogue(const reference_call *call, int64_t n, int64_t at, double value);

/* ---- backend.c ---- */

extern const linnet_host *reference_host;
/* Keeps the sentence and returns status. */
linnet_status reference_fail(linnet_status status, const char *message);
/* Zeroed memory that live_objects counts; NULL when there is none left. */
void *reference_object_new(size_t bytes);
void reference_object_free(void *object); /* accepts NULL */
uint64_t reference_live_objects(void);

/* ---- device.c, queue.c, optimizer.c: the slots of linnet_backend ---- */

linnet_status reference_probe(uint32_t *out_count);
linnet_status reference_device_info(uint32_t index, linnet_device_info *out);
linnet_status reference_open(uint32_t index, linnet_backend_device **out);
void reference_close(linnet_backend_device *device);
linnet_status reference_buffer_new(linnet_backend_device *device, uint64_t bytes, linnet_backend_buffer **out);
void reference_buffer_free(linnet_backend_buffer *buffer);
void *reference_host_pointer(linnet_backend_buffer *buffer);

linnet_status reference_queue_new(linnet_backend_device *device, uint32_t flags, linnet_backend_queue **out);
void reference_queue_free(linnet_backend_queue *queue);
linnet_status reference_upload(linnet_backend_queue *queue, linnet_view destination, const void *source, uint64_t bytes,
                               linnet_backend_event **out_event);
linnet_status reference_read(linnet_backend_queue *queue, linnet_view source, void *destination, uint64_t bytes,
                             linnet_backend_event **out_event);
linnet_status reference_copy(linnet_backend_queue *queue, linnet_view destination, linnet_view source, uint64_t bytes);
linnet_status reference_fill(linnet_backend_queue *queue, linnet_view destination, uint32_t pattern, uint64_t bytes);
linnet_status reference_finish(linnet_backend_queue *queue);
linnet_status reference_mark(linnet_backend_queue *queue, linnet_backend_event **out);
linnet_status reference_event_wait(linnet_backend_event *event);
linnet_status reference_event_time(linnet_backend_event *event, uint64_t *out_nanoseconds);
void reference_event_free(linnet_backend_event *event);

linnet_status reference_optimizer_step(linnet_backend_queue *queue, const linnet_optimizer_desc *desc,
                                       linnet_view parameters, linnet_view gradients, const linnet_view *slots);

#endif
