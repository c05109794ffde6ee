/* SPDX-License-Identifier: Apache-2.0 */
/* Parses the text of a case; shapes come from the layer's own infer. */
#include "case.h"

#include "linnet/verify.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What the items of a case said, before the kind gives it a meaning. */
typedef struct draft {
    linnet_shape input;
    char letters[LINNET_MAX_RANK];
    uint32_t input_count;
    int64_t lengths[LINNET_MAX_INPUTS]; /* concat: along the axis */
    int32_t axis;                       /* -1: not given */
    int64_t features, groups;
    int64_t kernel[2], stride[2], dilation[2], padding[4];
    double probability, alpha, beta, epsilon, momentum, amplitude, value;
    int64_t mode;
    linnet_shape target;
    bool no_bias, evaluate, with_nan, bad_labels, exclude_padding;
} draft;

/* Keys that each kind has besides the shape, "eval" and "x". */
static const char *kind_keys(uint32_t kind)
{
    switch (kind) {
    case LINNET_LAYER_CONV2D:
        return " oc k s d p pt pl pb pr g nb ";
    case LINNET_LAYER_LINEAR:
        return " o nb ";
    case LINNET_LAYER_MAX_POOL2D:
        return " k s p pt pl pb pr nan ";
    case LINNET_LAYER_AVG_POOL2D:
        return " k s p pt pl pb pr xp ";
    case LINNET_LAYER_UNARY:
        return " a b ";
    case LINNET_LAYER_SOFTMAX:
    case LINNET_LAYER_LOG_SOFTMAX:
    case LINNET_LAYER_CONCAT:
        return " axis ";
    case LINNET_LAYER_BATCH_NORM:
        return " eps mom ";
    case LINNET_LAYER_RESHAPE:
        return " t ";
    case LINNET_LAYER_DROPOUT:
        return " p ";
    case LINNET_LAYER_CROSS_ENTROPY:
        return " bad ";
    case LINNET_LAYER_LOCAL_CONV2D:
        return " oc k s p pt pl pb pr nb ";
    case LINNET_LAYER_GRAM:
    case LINNET_LAYER_ALPHA_NORM:
        return " a ";
    case LINNET_LAYER_TOTAL_VARIATION:
        return " b eps ";
    case LINNET_LAYER_PAD2D:
        return " p pt pl pb pr m v ";
    default:
        return "";
    }
}

static bool key_is(const linnet_case_item *item, const char *key)
{
    return strcmp(item->key, key) == 0;
}

static bool kind_has_key(uint32_t kind, const char *key)
{
    char wanted[16] = " ";
    strcat(strcat(wanted, key), " ");
    return strstr(" eval x ", wanted) || strstr(kind_keys(kind), wanted);
}

static uint32_t read_unary_op(const char **text)
{
    static const char *const names[] = {
#define LINNET_UNARY_OP(number, NAME, name) [number] = #name,
#include "linnet/layers.def"
    };
    return linnet_case_operator_read(text, names, sizeof names / sizeof *names);
}

static uint32_t read_binary_op(const char **text)
{
    static const char *const names[] = {
#define LINNET_BINARY_OP(number, NAME, name) [number] = #name,
#include "linnet/layers.def"
    };
    return linnet_case_operator_read(text, names, sizeof names / sizeof *names);
}

/* A letter of the shape: a new dimension, or with concat a further input. */
static bool take_dimension(draft *d, uint32_t kind, const linnet_case_item *item)
{
    int64_t value = (int64_t)item->values[0];
    const char *seen = d->input.rank ? memchr(d->letters, item->key[0], d->input.rank) : NULL;
    if (item->count != 1 || value < 1 || value > 1 << 30 || (double)value != item->values[0])
        return false;
    if (seen) {
        int32_t axis = (int32_t)(seen - d->letters);
        if (kind != LINNET_LAYER_CONCAT || (d->axis >= 0 && d->axis != axis) || d->input_count == LINNET_MAX_INPUTS)
            return false;
        d->axis = axis;
        d->lengths[d->input_count++] = value;
        return true;
    }
    if (d->input.rank == LINNET_MAX_RANK || d->input_count > 1)
        return false;
    d->letters[d->input.rank] = item->key[0];
    d->input.dims[d->input.rank++] = value;
    return true;
}

/* One number for both, or down x right. */
static bool take_pair(const linnet_case_item *item, int64_t pair[2])
{
    if (item->count < 1 || item->count > 2)
        return false;
    pair[0] = (int64_t)item->values[0];
    pair[1] = (int64_t)item->values[item->count - 1];
    return true;
}

static bool take_side(draft *d, const linnet_case_item *item)
{
    static const char sides[] = "tlbr";
    const char *side = item->key[1] ? strchr(sides, item->key[1]) : NULL;
    if (item->count != 1)
        return false;
    for (uint32_t i = 0; i < 4; i++)
        if (!side || sides + i == side)
            d->padding[i] = (int64_t)item->values[0];
    d->probability = item->values[0] / 100;
    return true;
}

static bool take_flag(draft *d, const linnet_case_item *item)
{
    struct {
        const char *key;
        bool *flag;
    } flags[] = {{"nb", &d->no_bias},
                 {"eval", &d->evaluate},
                 {"nan", &d->with_nan},
                 {"bad", &d->bad_labels},
                 {"xp", &d->exclude_padding}};
    for (size_t i = 0; i < sizeof flags / sizeof *flags; i++)
        if (key_is(item, flags[i].key))
            return item->count == 0 && (*flags[i].flag = true);
    return false;
}

static bool take_number(draft *d, const linnet_case_item *item)
{
    struct {
        const char *key;
        double *number;
    } numbers[] = {{"a", &d->alpha},      {"b", &d->beta},      {"eps", &d->epsilon},
                   {"mom", &d->momentum}, {"x", &d->amplitude}, {"v", &d->value}};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        if (key_is(item, numbers[i].key)) {
            *numbers[i].number = item->values[0];
            return item->count == 1;
        }
    return false;
}

static bool take_target(draft *d, const linnet_case_item *item)
{
    d->target = (linnet_shape){.type = LINNET_F32, .rank = item->count};
    for (uint32_t i = 0; i < item->count; i++)
        d->target.dims[i] = (int64_t)item->values[i];
    return item->count > 0;
}

static bool take_item(draft *d, uint32_t kind, const linnet_case_item *item)
{
    if (!item->key[1] && strchr("nclhwi", item->key[0]))
        return take_dimension(d, kind, item);
    if (!kind_has_key(kind, item->key))
        return false;
    if (key_is(item, "k"))
        return take_pair(item, d->kernel);
    if (key_is(item, "s"))
        return take_pair(item, d->stride);
    if (key_is(item, "d"))
        return take_pair(item, d->dilation);
    if (key_is(item, "p") || key_is(item, "pt") || key_is(item, "pl") || key_is(item, "pb") || key_is(item, "pr"))
        return take_side(d, item);
    if (key_is(item, "t"))
        return take_target(d, item);
    if (item->count == 1 && (key_is(item, "o") || key_is(item, "oc")))
        return (d->features = (int64_t)item->values[0]) > 0;
    if (item->count == 1 && key_is(item, "g"))
        return (d->groups = (int64_t)item->values[0]) > 0;
    if (item->count == 1 && key_is(item, "m"))
        return (d->mode = (int64_t)item->values[0]) >= 0;
    if (item->count == 1 && key_is(item, "axis"))
        return (d->axis = (int32_t)item->values[0]) >= 0;
    return take_flag(d, item) || take_number(d, item);
}

/* Where an operator's alpha and beta are not given. */
static void operator_defaults(uint32_t op, float *alpha, float *beta, const double given[2])
{
    *alpha = op == LINNET_UNARY_LEAKY_RELU ? 0.1f : op == LINNET_UNARY_SCALE ? 2.0f : 0.0f;
    *beta = op == LINNET_UNARY_CLIP ? 6.0f : op == LINNET_UNARY_SCALE ? 1.0f : 0.0f;
    *alpha = given[0] == given[0] ? (float)given[0] : *alpha;
    *beta = given[1] == given[1] ? (float)given[1] : *beta;
}

/* A unary operator, or "add". */
static uint32_t read_epilogue_op(const char **text)
{
    static const char *const add[] = {NULL, "add"};
    return linnet_case_operator_read(text, add, 2) ? LINNET_EPILOGUE_ADD : read_unary_op(text);
}

/* *text is at a '+'. */
static bool read_epilogue(const char **text, linnet_case *c)
{
    double given[2] = {strtod("nan", NULL), strtod("nan", NULL)};
    (*text)++;
    uint32_t op = read_epilogue_op(text);
    if (!op || c->epilogue_count == LINNET_MAX_EPILOGUE)
        return false;
    while (**text && **text != '+') {
        linnet_case_item item;
        if (**text == '_') {
            (*text)++;
            continue;
        }
        if (!linnet_case_item_read(text, &item) || item.count != 1 || !(key_is(&item, "a") || key_is(&item, "b")))
            return false;
        given[key_is(&item, "b")] = item.values[0];
    }
    linnet_epilogue *e = &c->epilogue[c->epilogue_count++];
    e->op = op;
    operator_defaults(op, &e->alpha, &e->beta, given);
    return true;
}

/* Everything behind the operator. Returns where it went wrong, NULL when nowhere. */
static const char *read_items(const char *text, linnet_case *c, draft *d)
{
    while (*text) {
        linnet_case_item item;
        const char *start = text;
        if (*text == '_') {
            text++;
        } else if (*text == '+') {
            if (!read_epilogue(&text, c))
                return start;
        } else if (c->epilogue_count || !linnet_case_item_read(&text, &item) || !take_item(d, c->layer->kind, &item)) {
            return start;
        }
    }
    return d->input.rank ? NULL : text;
}

static const linnet_layer *read_kind(const char **text)
{
    static const struct {
        const char *name;
        uint32_t kind;
    } kinds[] = {
#define LINNET_LAYER(number, NAME, name, ...) {#name, number},
#include "linnet/layers.def"
    };
    const char *colon = strchr(*text, ':');
    size_t length = colon ? (size_t)(colon - *text) : 0;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (strlen(kinds[i].name) == length && strncmp(*text, kinds[i].name, length) == 0) {
            *text = colon + 1;
            return linnet_layer_find(kinds[i].kind);
        }
    return NULL;
}

static void fill_window(const draft *d, int64_t kernel[2], int64_t stride[2], int64_t padding[4], bool stride_is_kernel)
{
    for (uint32_t i = 0; i < 2; i++) {
        kernel[i] = d->kernel[i];
        stride[i] = d->stride[i] ? d->stride[i] : stride_is_kernel ? d->kernel[i] : 1;
    }
    memcpy(padding, d->padding, 4 * sizeof *padding);
}

static double given_or(double given, double otherwise)
{
    return given == given ? given : otherwise;
}

/* Kinds whose attributes are numbers of their own; false for others. */
static bool fill_numbers(linnet_case *c, const draft *d)
{
    switch (c->layer->kind) {
    case LINNET_LAYER_BATCH_NORM:
        c->attributes.batch_norm = (linnet_batch_norm_attributes){.struct_size = sizeof c->attributes.batch_norm,
                                                                  .epsilon = (float)given_or(d->epsilon, 1e-5),
                                                                  .momentum = (float)d->momentum};
        return true;
    case LINNET_LAYER_DROPOUT:
        c->attributes.dropout = (linnet_dropout_attributes){.struct_size = sizeof c->attributes.dropout,
                                                            .probability = (float)d->probability};
        return true;
    case LINNET_LAYER_GRAM:
        c->attributes.gram =
            (linnet_gram_attributes){.struct_size = sizeof c->attributes.gram, .scale = (float)given_or(d->alpha, 1)};
        return true;
    case LINNET_LAYER_TOTAL_VARIATION:
        c->attributes.total_variation =
            (linnet_total_variation_attributes){.struct_size = sizeof c->attributes.total_variation,
                                                .beta = (float)given_or(d->beta, 2),
                                                .epsilon = (float)given_or(d->epsilon, 0)};
        return true;
    case LINNET_LAYER_ALPHA_NORM:
        c->attributes.alpha_norm = (linnet_alpha_norm_attributes){.struct_size = sizeof c->attributes.alpha_norm,
                                                                  .alpha = (float)given_or(d->alpha, 6)};
        return true;
    default:
        return false;
    }
}

static void fill_attributes(linnet_case *c, const draft *d)
{
    switch (c->layer->kind) {
    case LINNET_LAYER_CONV2D:
        c->attributes.conv2d = (linnet_conv2d_attributes){.struct_size = sizeof c->attributes.conv2d,
                                                          .groups = (uint32_t)d->groups,
                                                          .dilation = {d->dilation[0], d->dilation[1]}};
        fill_window(d, c->attributes.conv2d.kernel, c->attributes.conv2d.stride, c->attributes.conv2d.padding, false);
        break;
    case LINNET_LAYER_MAX_POOL2D:
    case LINNET_LAYER_AVG_POOL2D:
        c->attributes.pool2d = (linnet_pool2d_attributes){.struct_size = sizeof c->attributes.pool2d,
                                                          .exclude_padding = d->exclude_padding};
        fill_window(d, c->attributes.pool2d.kernel, c->attributes.pool2d.stride, c->attributes.pool2d.padding, true);
        break;
    case LINNET_LAYER_UNARY:
        c->attributes.unary.struct_size = sizeof c->attributes.unary;
        operator_defaults(c->attributes.unary.op, &c->attributes.unary.alpha, &c->attributes.unary.beta,
                          (double[2]){d->alpha, d->beta});
        break;
    case LINNET_LAYER_BINARY:
        c->attributes.binary.struct_size = sizeof c->attributes.binary;
        break;
    case LINNET_LAYER_SOFTMAX:
    case LINNET_LAYER_LOG_SOFTMAX:
    case LINNET_LAYER_CONCAT:
        c->attributes.axis = (linnet_axis_attributes){.struct_size = sizeof c->attributes.axis,
                                                      .axis = d->axis < 0 ? 1 : (uint32_t)d->axis};
        break;
    case LINNET_LAYER_LOCAL_CONV2D:
        c->attributes.local_conv2d.struct_size = sizeof c->attributes.local_conv2d;
        fill_window(d, c->attributes.local_conv2d.kernel, c->attributes.local_conv2d.stride,
                    c->attributes.local_conv2d.padding, false);
        break;
    case LINNET_LAYER_PAD2D:
        c->attributes.pad2d = (linnet_pad2d_attributes){
            .struct_size = sizeof c->attributes.pad2d, .mode = (uint32_t)d->mode, .value = (float)d->value};
        memcpy(c->attributes.pad2d.padding, d->padding, sizeof d->padding);
        break;
    default:
        if (!fill_numbers(c, d))
            return;
    }
    c->attributes_pointer = &c->attributes;
}

/* The inputs and parameters of the kind, as infer wants them. */
static void fill_job(const linnet_case *c, const draft *d, linnet_shape_job *job)
{
    uint32_t kind = c->layer->kind;
    job->node = c->text;
    job->attributes = kind == LINNET_LAYER_RESHAPE ? (const void *)&d->target : c->attributes_pointer;
    job->features = d->features;
    job->input_count = d->input_count;
    for (uint32_t i = 0; i < d->input_count; i++) {
        job->inputs[i] = d->input;
        if (kind == LINNET_LAYER_CONCAT && i > 0)
            job->inputs[i].dims[d->axis] = d->lengths[i];
    }
    if (kind == LINNET_LAYER_BINARY || kind == LINNET_LAYER_MSE) {
        job->input_count = 2;
        job->inputs[1] = d->input;
    } else if (kind == LINNET_LAYER_CROSS_ENTROPY) {
        job->input_count = 2;
        job->inputs[1] = (linnet_shape){.type = LINNET_I32, .rank = 1, .dims = {d->input.dims[0]}};
    }
    for (uint32_t i = 0; i < LINNET_MAX_PARAMETERS && c->layer->parameter_names[i]; i++)
        job->parameter_count += i == 0 || !d->no_bias;
}

static void fill_descs(const linnet_shape *shapes, uint32_t count, linnet_tensor_desc *out)
{
    for (uint32_t i = 0; i < count; i++) {
        out[i] = (linnet_tensor_desc){.type = shapes[i].type, .format = LINNET_FORMAT_NCHW, .rank = shapes[i].rank};
        for (uint32_t j = 0; j < LINNET_MAX_RANK; j++)
            out[i].dims[j] = j < shapes[i].rank ? shapes[i].dims[j] : 1;
    }
}

/* What the epilogue adds is of the output's shape. */
static linnet_status append_inputs(linnet_context *context, linnet_case *c)
{
    c->layer_inputs = c->input_count;
    for (uint32_t i = 0; i < c->epilogue_count; i++) {
        if (c->epilogue[i].op != LINNET_EPILOGUE_ADD)
            continue;
        if (c->input_count == LINNET_MAX_INPUTS)
            return linnet_fail(context, LINNET_INVALID, "case '%s': too many inputs", c->text);
        c->inputs[c->input_count++] = c->outputs[0];
    }
    return LINNET_OK;
}

static linnet_status infer(linnet_context *context, linnet_case *c, const draft *d)
{
    linnet_shape_job *job = linnet_allocate(1, sizeof *job);
    if (!job)
        return linnet_fail(context, LINNET_OUT_OF_MEMORY, "case '%s': out of memory", c->text);
    job->context = context;
    fill_job(c, d, job);
    linnet_status status = c->layer->infer(job);
    if (!status) {
        c->input_count = job->input_count;
        c->output_count = job->output_count;
        c->parameter_count = job->parameter_count;
        c->state_count = job->state_count;
        fill_descs(job->inputs, c->input_count, c->inputs);
        fill_descs(job->outputs, c->output_count, c->outputs);
        fill_descs(job->parameters, c->parameter_count, c->parameters);
        fill_descs(job->states, c->state_count, c->states);
        c->multiply_adds = c->layer->multiply_adds ? c->layer->multiply_adds(job) : 0;
        status = append_inputs(context, c);
    }
    linnet_release(job);
    return status;
}

/* A quick case of the kind that shows most of its keys. */
static const char *example_of(const char *kind)
{
    const char *text, *longest = "";
    size_t length = strlen(kind);
    for (size_t i = 0; (text = linnet_verify_case_at(LINNET_VERIFY_QUICK, i)); i++)
        if (strncmp(text, kind, length) == 0 && text[length] == ':' && !strchr(text, '+') &&
            strlen(text) > strlen(longest))
            longest = text;
    return longest;
}

static linnet_status refuse_kind(linnet_context *context, const char *text)
{
    return linnet_fail(context, LINNET_INVALID,
                       "case '%s': it does not begin with a layer and ':'; these are "
#define LINNET_LAYER(number, NAME, name, ...) #name " "
#include "linnet/layers.def"
                       "as in %s",
                       text, example_of("conv2d"));
}

/* wrong: from where on it is not understood. */
static linnet_status refuse_items(linnet_context *context, const linnet_case *c, const char *wrong)
{
    const char *kind = c->layer->name, *keys = kind_keys(c->layer->kind);
    char what[64] = "it has no sizes";
    size_t length = strlen(keys);
    if (*wrong)
        snprintf(what, sizeof what, "'%.30s' is not understood", wrong);
    return linnet_fail(context, LINNET_INVALID,
                       "case '%s': %s; %s is written as in %s: sizes by n c l h w i%s%.*s (linnet/verify.h)", c->text,
                       what, kind, example_of(kind), length ? ", and" : "", length ? (int)length - 1 : 0, keys);
}

linnet_status linnet_case_parse(linnet_context *context, const char *text, linnet_case *out)
{
    const char *p = text;
    draft d = {.input = {.type = LINNET_F32},
               .input_count = 1,
               .axis = -1,
               .groups = 1,
               .dilation = {1, 1},
               .kernel = {1, 1},
               .alpha = strtod("nan", NULL),
               .beta = strtod("nan", NULL),
               .epsilon = strtod("nan", NULL),
               .momentum = 0.1,
               .amplitude = 1,
               .probability = 0.5};
    *out = (linnet_case){.text = text};
    out->layer = read_kind(&p);
    if (!out->layer)
        return refuse_kind(context, text);
    if (out->layer->kind == LINNET_LAYER_UNARY)
        out->attributes.unary.op = read_unary_op(&p);
    else if (out->layer->kind == LINNET_LAYER_BINARY)
        out->attributes.binary.op = read_binary_op(&p);
    if ((out->layer->kind == LINNET_LAYER_UNARY && !out->attributes.unary.op) ||
        (out->layer->kind == LINNET_LAYER_BINARY && !out->attributes.binary.op))
        return linnet_fail(context, LINNET_INVALID, "case '%s': no operator of that name; %s is written as in %s", text,
                           out->layer->name, example_of(out->layer->name));
    const char *wrong = read_items(p, out, &d);
    if (wrong)
        return refuse_items(context, out, wrong);
    out->behaviour = d.evaluate ? LINNET_EVALUATE : LINNET_TRAIN;
    out->amplitude = (float)d.amplitude;
    out->with_nan = d.with_nan;
    out->bad_labels = d.bad_labels;
    fill_attributes(out, &d);
    return infer(context, out, &d);
}

linnet_layer_desc linnet_case_desc(const linnet_case *c, linnet_direction direction)
{
    return (linnet_layer_desc){.struct_size = sizeof(linnet_layer_desc),
                               .kind = c->layer->kind,
                               .direction = direction,
                               .behaviour = c->behaviour,
                               .input_count = direction == LINNET_FORWARD ? c->input_count : c->layer_inputs,
                               .output_count = c->output_count,
                               .parameter_count = c->parameter_count,
                               .state_count = c->state_count,
                               .attributes = c->attributes_pointer,
                               .inputs = c->inputs,
                               .outputs = c->outputs,
                               .parameters = c->parameters,
                               .states = c->states,
                               .epilogue = c->epilogue,
                               .epilogue_count = direction == LINNET_FORWARD ? c->epilogue_count : 0};
}
