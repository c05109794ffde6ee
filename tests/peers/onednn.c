/* SPDX-License-Identifier: Apache-2.0 */
/*
 * oneDNN 2 by its C interface. Each of the tensors is a memory in the layout that the primitive asks for, filled by a
 * reorder that is not timed. Asked for dnnl_convolution_auto, oneDNN 2.6 took direct convolution for every shape of the
 * table, so Winograd is a column of its own.
 */
#include "peers.h"

#include <dnnl.h>

#include <stdlib.h>
#include <string.h>

enum { X, WEIGHT, BIAS, Y, TENSORS };

/* A copy from one layout to another. */
typedef struct reordering {
    dnnl_primitive_t primitive;
    dnnl_exec_arg_t arguments[2];
} reordering;

typedef struct state {
    dnnl_primitive_desc_t description;
    dnnl_primitive_t primitive;
    dnnl_memory_t memory[TENSORS];
    dnnl_exec_arg_t arguments[TENSORS];
    int argument_count;
    dnnl_memory_desc_t plain[TENSORS];
    peer_direction direction;
    /* Of a layer that stands alone: its tensors in NCHW, and what brings them there and back in every run. */
    dnnl_memory_t outside[TENSORS];
    reordering before[2], after;
} state;

static dnnl_engine_t engine;
static dnnl_stream_t stream;

static bool start(void)
{
    return engine || (dnnl_engine_create(&engine, dnnl_cpu, 0) == dnnl_success &&
                      dnnl_stream_create(&stream, engine, dnnl_stream_default_flags) == dnnl_success);
}

static void close_state(void *memory)
{
    state *s = memory;
    if (!s)
        return;
    for (int i = 0; i < TENSORS; i++) {
        dnnl_memory_destroy(s->memory[i]);
        dnnl_memory_destroy(s->outside[i]);
    }
    reordering *all[] = {&s->before[0], &s->before[1], &s->after};
    for (int i = 0; i < 3; i++)
        if (all[i]->primitive)
            dnnl_primitive_destroy(all[i]->primitive);
    if (s->primitive)
        dnnl_primitive_destroy(s->primitive);
    if (s->description)
        dnnl_primitive_desc_destroy(s->description);
    free(s);
}

static void describe_tensor(dnnl_memory_desc_t *out, const int64_t *dims, int rank, dnnl_format_tag_t tag)
{
    dnnl_dims_t all = {0};
    memcpy(all, dims, (size_t)rank * sizeof *dims);
    dnnl_memory_desc_init_by_tag(out, rank, all, dnnl_f32, tag);
}

static bool is_linear(const linnet_case *layer)
{
    return layer->layer->kind == LINNET_LAYER_LINEAR;
}

/* x [N,I], weight [O,I], bias [O], y [N,O]. */
static void describe_linear(const linnet_case *layer, bool plain, dnnl_memory_desc_t out[TENSORS])
{
    const int64_t *w = layer->parameters[0].dims, rows[] = {layer->inputs[0].dims[0], w[1]};
    dnnl_format_tag_t tag = plain ? dnnl_ab : dnnl_format_tag_any;
    describe_tensor(&out[X], rows, 2, tag);
    describe_tensor(&out[Y], layer->outputs[0].dims, 2, tag);
    describe_tensor(&out[BIAS], w, 1, dnnl_x);
    describe_tensor(&out[WEIGHT], w, 2, tag);
}

/* x [N,C,H,W], weight [O,C,KH,KW] or [G,O/G,C/G,KH,KW], bias [O], y [N,O,OH,OW]. */
static void describe(const linnet_case *layer, bool plain, dnnl_memory_desc_t out[TENSORS])
{
    if (is_linear(layer)) {
        describe_linear(layer, plain, out);
        return;
    }
    const int64_t *w = layer->parameters[0].dims, groups = layer->attributes.conv2d.groups;
    const int64_t grouped[] = {groups, w[0] / groups, w[1], w[2], w[3]};
    dnnl_format_tag_t any = plain ? dnnl_nchw : dnnl_format_tag_any;
    dnnl_format_tag_t tag = !plain ? dnnl_format_tag_any : groups > 1 ? dnnl_goihw : dnnl_oihw;
    describe_tensor(&out[X], layer->inputs[0].dims, 4, any);
    describe_tensor(&out[Y], layer->outputs[0].dims, 4, any);
    describe_tensor(&out[BIAS], w, 1, dnnl_x);
    describe_tensor(&out[WEIGHT], groups > 1 ? grouped : w, groups > 1 ? 5 : 4, tag);
}

/* The primitive's description; backward ones take the forward's as a hint. */
static bool choose(state *s, const peer_problem *p, const dnnl_memory_desc_t d[TENSORS], dnnl_alg_kind_t algorithm,
                   bool train)
{
    const linnet_conv2d_attributes *a = &p->layer->attributes.conv2d;
    dnnl_prop_kind_t kind = train || p->direction != PEER_FORWARD ? dnnl_forward_training : dnnl_forward_inference;
    dnnl_dims_t before = {a->padding[0], a->padding[1]}, behind = {a->padding[2], a->padding[3]};
    dnnl_dims_t stride = {a->stride[0], a->stride[1]};
    dnnl_dims_t dilation = {a->dilation[0] - 1, a->dilation[1] - 1}; /* oneDNN counts the gaps */
    dnnl_convolution_desc_t forward, backward;
    dnnl_primitive_desc_t hint = NULL;
    bool done = dnnl_dilated_convolution_forward_desc_init(&forward, kind, algorithm, &d[X], &d[WEIGHT], &d[BIAS],
                                                           &d[Y], stride, dilation, before, behind) == dnnl_success &&
                dnnl_primitive_desc_create(&hint, &forward, NULL, engine, NULL) == dnnl_success;
    if (p->direction == PEER_FORWARD) {
        s->description = hint;
        return done;
    }
    if (p->direction == PEER_DATA)
        done =
            done && dnnl_dilated_convolution_backward_data_desc_init(&backward, algorithm, &d[X], &d[WEIGHT], &d[Y],
                                                                     stride, dilation, before, behind) == dnnl_success;
    else
        done = done && dnnl_dilated_convolution_backward_weights_desc_init(&backward, algorithm, &d[X], &d[WEIGHT],
                                                                           &d[BIAS], &d[Y], stride, dilation, before,
                                                                           behind) == dnnl_success;
    done = done && dnnl_primitive_desc_create(&s->description, &backward, NULL, engine, hint) == dnnl_success;
    if (hint)
        dnnl_primitive_desc_destroy(hint);
    return done;
}

/* The same for a linear layer. */
static bool choose_linear(state *s, const peer_problem *p, const dnnl_memory_desc_t d[TENSORS], bool train)
{
    dnnl_prop_kind_t kind = train || p->direction != PEER_FORWARD ? dnnl_forward_training : dnnl_forward_inference;
    dnnl_inner_product_desc_t forward, backward;
    dnnl_primitive_desc_t hint = NULL;
    bool done =
        dnnl_inner_product_forward_desc_init(&forward, kind, &d[X], &d[WEIGHT], &d[BIAS], &d[Y]) == dnnl_success &&
        dnnl_primitive_desc_create(&hint, &forward, NULL, engine, NULL) == dnnl_success;
    if (p->direction == PEER_FORWARD) {
        s->description = hint;
        return done;
    }
    if (p->direction == PEER_DATA)
        done = done && dnnl_inner_product_backward_data_desc_init(&backward, &d[X], &d[WEIGHT], &d[Y]) == dnnl_success;
    else
        done = done && dnnl_inner_product_backward_weights_desc_init(&backward, &d[X], &d[WEIGHT], &d[BIAS], &d[Y]) ==
                           dnnl_success;
    done = done && dnnl_primitive_desc_create(&s->description, &backward, NULL, engine, hint) == dnnl_success;
    if (hint)
        dnnl_primitive_desc_destroy(hint);
    return done;
}

static bool reordering_new(dnnl_memory_t from, dnnl_memory_t to, reordering *out)
{
    const dnnl_memory_desc_t *source, *target;
    dnnl_primitive_desc_t description = NULL;
    dnnl_memory_get_memory_desc(from, &source);
    dnnl_memory_get_memory_desc(to, &target);
    *out = (reordering){NULL, {{DNNL_ARG_FROM, from}, {DNNL_ARG_TO, to}}};
    bool done =
        dnnl_reorder_primitive_desc_create(&description, source, engine, target, engine, NULL) == dnnl_success &&
        dnnl_primitive_create(&out->primitive, description) == dnnl_success;
    dnnl_primitive_desc_destroy(description);
    return done;
}

/* True where there is nothing to reorder. */
static bool reordering_run(const reordering *r)
{
    return !r->primitive || dnnl_primitive_execute(r->primitive, stream, 2, r->arguments) == dnnl_success;
}

static bool reorder(dnnl_memory_t from, dnnl_memory_t to)
{
    reordering once;
    bool done = reordering_new(from, to, &once) && reordering_run(&once) && dnnl_stream_wait(stream) == dnnl_success;
    dnnl_primitive_destroy(once.primitive);
    return done;
}

/* The tensor in the layout of query, holding values where there are any. */
static bool place(state *s, int tensor, dnnl_query_t query, int argument, const float *values)
{
    const dnnl_memory_desc_t *wanted = dnnl_primitive_desc_query_md(s->description, query, tensor == BIAS);
    dnnl_memory_t plain = NULL;
    bool done = wanted && dnnl_memory_create(&s->memory[tensor], wanted, engine, DNNL_MEMORY_ALLOCATE) == dnnl_success;
    if (done && values)
        done = dnnl_memory_create(&plain, &s->plain[tensor], engine, (void *)(uintptr_t)values) == dnnl_success &&
               reorder(plain, s->memory[tensor]);
    dnnl_memory_destroy(plain);
    s->arguments[s->argument_count++] = (dnnl_exec_arg_t){argument, s->memory[tensor]};
    return done;
}

static bool place_all(state *s, const peer_problem *p)
{
    if (p->direction == PEER_FORWARD)
        return place(s, X, dnnl_query_src_md, DNNL_ARG_SRC, p->x) &&
               place(s, WEIGHT, dnnl_query_weights_md, DNNL_ARG_WEIGHTS, p->weight) &&
               place(s, BIAS, dnnl_query_weights_md, DNNL_ARG_BIAS, p->bias) &&
               place(s, Y, dnnl_query_dst_md, DNNL_ARG_DST, NULL);
    if (p->direction == PEER_DATA)
        return place(s, X, dnnl_query_diff_src_md, DNNL_ARG_DIFF_SRC, NULL) &&
               place(s, WEIGHT, dnnl_query_weights_md, DNNL_ARG_WEIGHTS, p->weight) &&
               place(s, Y, dnnl_query_diff_dst_md, DNNL_ARG_DIFF_DST, p->dy);
    return place(s, X, dnnl_query_src_md, DNNL_ARG_SRC, p->x) &&
           place(s, WEIGHT, dnnl_query_diff_weights_md, DNNL_ARG_DIFF_WEIGHTS, NULL) &&
           place(s, BIAS, dnnl_query_diff_weights_md, DNNL_ARG_DIFF_BIAS, NULL) &&
           place(s, Y, dnnl_query_diff_dst_md, DNNL_ARG_DIFF_DST, p->dy);
}

static void *open_as(const peer_problem *p, bool train, bool plain, dnnl_alg_kind_t algorithm, const char **out_how)
{
    dnnl_memory_desc_t wanted[TENSORS];
    state *s = start() ? calloc(1, sizeof *s) : NULL;
    *out_how = "refused";
    if (!s)
        return NULL;
    s->direction = p->direction;
    describe(p->layer, true, s->plain);
    describe(p->layer, plain, wanted);
    bool chosen = is_linear(p->layer) ? algorithm == dnnl_convolution_direct && choose_linear(s, p, wanted, train)
                                      : choose(s, p, wanted, algorithm, train);
    if (chosen && dnnl_primitive_create(&s->primitive, s->description) == dnnl_success && place_all(s, p) &&
        dnnl_primitive_desc_query(s->description, dnnl_query_impl_info_str, 0, (void *)out_how) == dnnl_success)
        return s;
    close_state(s);
    return NULL;
}

static void *open_any(const peer_problem *p, const peer_settings *settings, const char **out_how)
{
    return open_as(p, settings->train, false, dnnl_convolution_direct, out_how);
}

static void *open_plain(const peer_problem *p, const peer_settings *settings, const char **out_how)
{
    return open_as(p, settings->train, true, dnnl_convolution_direct, out_how);
}

static void *open_winograd(const peer_problem *p, const peer_settings *settings, const char **out_how)
{
    return open_as(p, settings->train, false, dnnl_convolution_winograd, out_how);
}

static int result_tensor(const state *s)
{
    return s->direction == PEER_FORWARD ? Y : s->direction == PEER_DATA ? X : WEIGHT;
}

static bool copy_outside(state *s, int tensor, bool in, reordering *out)
{
    return dnnl_memory_create(&s->outside[tensor], &s->plain[tensor], engine, DNNL_MEMORY_ALLOCATE) == dnnl_success &&
           reorder(s->memory[tensor], s->outside[tensor]) &&
           (in ? reordering_new(s->outside[tensor], s->memory[tensor], out)
               : reordering_new(s->memory[tensor], s->outside[tensor], out));
}

/* Packed weights are kept; everything else comes in NCHW and the result goes there. */
static void *open_alone(const peer_problem *p, const peer_settings *settings, const char **out_how)
{
    state *s = open_any(p, settings, out_how);
    if (s && copy_outside(s, s->direction == PEER_FORWARD ? X : Y, true, &s->before[0]) &&
        (s->direction != PEER_WEIGHTS || copy_outside(s, X, true, &s->before[1])) &&
        copy_outside(s, result_tensor(s), false, &s->after))
        return s;
    close_state(s);
    return NULL;
}

static bool run(void *memory)
{
    state *s = memory;
    return reordering_run(&s->before[0]) && reordering_run(&s->before[1]) &&
           dnnl_primitive_execute(s->primitive, stream, s->argument_count, s->arguments) == dnnl_success &&
           reordering_run(&s->after) && dnnl_stream_wait(stream) == dnnl_success;
}

static bool result(void *memory, float *out)
{
    state *s = memory;
    int tensor = result_tensor(s);
    dnnl_memory_t plain = NULL;
    bool done =
        dnnl_memory_create(&plain, &s->plain[tensor], engine, out) == dnnl_success && reorder(s->memory[tensor], plain);
    dnnl_memory_destroy(plain);
    return done;
}

const peer_engine peer_onednn = {"onednn", open_any, run, result, close_state, true};
const peer_engine peer_onednn_alone = {"onednn-nchw", open_alone, run, result, close_state, true};
const peer_engine peer_onednn_plain = {"onednn-plain", open_plain, run, result, close_state, true};
const peer_engine peer_onednn_winograd = {"onednn-winograd", open_winograd, run, result, close_state, true};
