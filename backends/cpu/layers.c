/* SPDX-License-Identifier: Apache-2.0 */
/* linnet_layer_ops, once for every kind: candidates in order of preference, plans that keep a copy of their desc. */
#include "cpu.h"

#include <string.h>

enum { MAX_ALGORITHMS = 32 };

static const float ALIAS_COST = 0.01f; /* 0 would be unknown */

struct linnet_backend_plan {
    const cpu_algorithm *algorithm;
    linnet_layer_desc desc; /* points into what follows the plan in memory */
};

const cpu_layer *cpu_layer_find(uint32_t kind)
{
    switch (kind) {
#define LINNET_LAYER(number, NAME, name, ...)                                                                          \
    case number:                                                                                                       \
        return &cpu_##name;
#include "linnet/layers.def"
    default:
        return NULL;
    }
}

static linnet_status check_desc(const linnet_layer_desc *desc)
{
    if (desc->struct_size < sizeof *desc || (desc->direction != LINNET_FORWARD && desc->direction != LINNET_BACKWARD))
        return cpu_fail(LINNET_INVALID, "cpu: incomplete layer description");
    if (!cpu_layer_find(desc->kind))
        return cpu_fail(LINNET_UNSUPPORTED, "cpu: no layer kind %u", desc->kind);
    if (desc->input_count > LINNET_MAX_INPUTS || desc->output_count > LINNET_MAX_OUTPUTS ||
        desc->parameter_count > LINNET_MAX_PARAMETERS || desc->state_count > LINNET_MAX_STATES ||
        desc->input_count == 0 || desc->output_count == 0 || desc->epilogue_count > LINNET_MAX_EPILOGUE)
        return cpu_fail(LINNET_INVALID, "cpu: a layer with impossible counts");
    return LINNET_OK;
}

/* Everything is f32, but labels, and what is only moved (reshape). */
static bool has_types(const linnet_layer_desc *desc)
{
    for (uint32_t i = 0; i < desc->input_count; i++) {
        bool is_label = desc->kind == LINNET_LAYER_CROSS_ENTROPY && i == LINNET_CROSS_ENTROPY_LABELS;
        if (desc->inputs[i].type != (is_label ? LINNET_I32 : LINNET_F32) && desc->kind != LINNET_LAYER_RESHAPE)
            return false;
    }
    for (uint32_t i = 0; i < desc->output_count; i++)
        if (desc->outputs[i].type != LINNET_F32 && desc->kind != LINNET_LAYER_RESHAPE)
            return false;
    for (uint32_t i = 0; i < desc->parameter_count; i++)
        if (desc->parameters[i].type != LINNET_F32)
            return false;
    return true;
}

/* Fills in out, preset from the desc, as the algorithm wishes. Returns its preference. */
static int describe(const cpu_algorithm *algorithm, const linnet_layer_desc *desc, linnet_candidate *out)
{
    uint32_t size = out->struct_size;
    memset(out, 0, sizeof *out);
    out->struct_size = size;
    out->numerics = LINNET_NUMERICS_DIRECT;
    out->name = algorithm->name;
    for (uint32_t i = 0; i < desc->input_count; i++)
        out->input_formats[i] = desc->inputs[i].format;
    for (uint32_t i = 0; i < desc->output_count; i++)
        out->output_formats[i] = desc->outputs[i].format;
    for (uint32_t i = 0; i < desc->parameter_count; i++)
        out->parameter_formats[i] = LINNET_FORMAT_NCHW;
    if (!has_types(desc)) {
        out->refusal = "needs f32";
        return 0;
    }
    if (desc->epilogue_count > 0 && !algorithm->epilogue) {
        out->refusal = "takes no epilogue";
        return 0;
    }
    out->refusal = cpu_epilogue_refusal(desc);
    int preference = algorithm->describe(desc, out);
    if (out->cost <= 0)
        out->cost = out->alias ? ALIAS_COST : cpu_cost(desc, preference);
    return preference;
}

/* Algorithms for the desc's direction, by falling preference. Returns how many. */
static uint32_t rank_algorithms(const linnet_layer_desc *desc, const cpu_algorithm *out[MAX_ALGORITHMS])
{
    const cpu_layer *layer = cpu_layer_find(desc->kind);
    int preferences[MAX_ALGORITHMS];
    uint32_t count = 0;
    for (uint32_t i = 0; i < layer->count && count < MAX_ALGORITHMS; i++) {
        if (layer->algorithms[i].direction != desc->direction)
            continue;
        linnet_candidate candidate = {.struct_size = sizeof candidate};
        int preference = describe(&layer->algorithms[i], desc, &candidate);
        uint32_t place = count++;
        for (; place > 0 && preferences[place - 1] < preference; place--) {
            preferences[place] = preferences[place - 1];
            out[place] = out[place - 1];
        }
        preferences[place] = preference;
        out[place] = &layer->algorithms[i];
    }
    return count;
}

static linnet_status candidate(linnet_backend_device *device, const linnet_layer_desc *desc, uint32_t index,
                               linnet_candidate *out)
{
    (void)device;
    const cpu_algorithm *ranked[MAX_ALGORITHMS];
    linnet_status status = check_desc(desc);
    if (status != LINNET_OK)
        return status;
    if (out->struct_size < sizeof *out)
        return cpu_fail(LINNET_INVALID, "cpu: linnet_candidate is too small");
    if (index >= rank_algorithms(desc, ranked))
        return LINNET_END;
    describe(ranked[index], desc, out);
    return LINNET_OK;
}

/* ---- Plans ---- */

static size_t attributes_size(uint32_t kind)
{
    switch (kind) {
    case LINNET_LAYER_CONV2D:
        return sizeof(linnet_conv2d_attributes);
    case LINNET_LAYER_MAX_POOL2D:
    case LINNET_LAYER_AVG_POOL2D:
        return sizeof(linnet_pool2d_attributes);
    case LINNET_LAYER_UNARY:
        return sizeof(linnet_unary_attributes);
    case LINNET_LAYER_BINARY:
        return sizeof(linnet_binary_attributes);
    case LINNET_LAYER_SOFTMAX:
    case LINNET_LAYER_LOG_SOFTMAX:
    case LINNET_LAYER_CONCAT:
        return sizeof(linnet_axis_attributes);
    case LINNET_LAYER_BATCH_NORM:
        return sizeof(linnet_batch_norm_attributes);
    case LINNET_LAYER_DROPOUT:
        return sizeof(linnet_dropout_attributes);
    case LINNET_LAYER_LOCAL_CONV2D:
        return sizeof(linnet_local_conv2d_attributes);
    case LINNET_LAYER_GRAM:
        return sizeof(linnet_gram_attributes);
    case LINNET_LAYER_TOTAL_VARIATION:
        return sizeof(linnet_total_variation_attributes);
    case LINNET_LAYER_ALPHA_NORM:
        return sizeof(linnet_alpha_norm_attributes);
    case LINNET_LAYER_PAD2D:
        return sizeof(linnet_pad2d_attributes);
    default:
        return 0;
    }
}

/* Copies bytes to *cursor and moves it on; returns the copy, NULL for none. */
static void *keep(unsigned char **cursor, const void *source, size_t bytes)
{
    if (bytes == 0)
        return NULL;
    void *copy = memcpy(*cursor, source, bytes);
    *cursor += (bytes + 7) & ~(size_t)7;
    return copy;
}

static linnet_backend_plan *plan_new(const linnet_layer_desc *desc)
{
    size_t attributes = attributes_size(desc->kind);
    size_t tensors = desc->input_count + desc->output_count + desc->parameter_count + desc->state_count;
    size_t bytes = sizeof(linnet_backend_plan) + attributes + tensors * sizeof(linnet_tensor_desc) +
                   desc->epilogue_count * sizeof(linnet_epilogue) + 6 * 8;
    linnet_backend_plan *plan = cpu_object_new(bytes);
    if (!plan)
        return NULL;
    unsigned char *cursor = (unsigned char *)(plan + 1);
    plan->desc = *desc;
    plan->desc.inputs = keep(&cursor, desc->inputs, desc->input_count * sizeof(linnet_tensor_desc));
    plan->desc.outputs = keep(&cursor, desc->outputs, desc->output_count * sizeof(linnet_tensor_desc));
    plan->desc.parameters = keep(&cursor, desc->parameters, desc->parameter_count * sizeof(linnet_tensor_desc));
    plan->desc.states = keep(&cursor, desc->states, desc->state_count * sizeof(linnet_tensor_desc));
    plan->desc.attributes = keep(&cursor, desc->attributes, attributes);
    plan->desc.epilogue = keep(&cursor, desc->epilogue, desc->epilogue_count * sizeof(linnet_epilogue));
    return plan;
}

/* Does the desc hold what the algorithm asked for? */
static bool formats_match(const linnet_layer_desc *desc, const linnet_candidate *wanted)
{
    for (uint32_t i = 0; i < desc->input_count; i++)
        if (desc->inputs[i].format != wanted->input_formats[i])
            return false;
    for (uint32_t i = 0; i < desc->output_count; i++)
        if (desc->outputs[i].format != wanted->output_formats[i])
            return false;
    for (uint32_t i = 0; i < desc->parameter_count; i++)
        if (desc->parameters[i].format != wanted->parameter_formats[i])
            return false;
    return true;
}

static linnet_status plan(linnet_backend_device *device, const linnet_layer_desc *desc, const char *name,
                          linnet_backend_plan **out)
{
    (void)device;
    const cpu_algorithm *ranked[MAX_ALGORITHMS], *found = NULL;
    *out = NULL;
    linnet_status status = check_desc(desc);
    if (status != LINNET_OK)
        return status;
    uint32_t count = rank_algorithms(desc, ranked);
    for (uint32_t i = 0; i < count && !found; i++)
        if (strcmp(ranked[i]->name, name) == 0)
            found = ranked[i];
    if (!found)
        return cpu_fail(LINNET_NOT_FOUND, "cpu: no candidate '%s'", name);
    linnet_candidate wanted = {.struct_size = sizeof wanted};
    describe(found, desc, &wanted);
    if (wanted.refusal)
        return cpu_fail(LINNET_UNSUPPORTED, "cpu: candidate '%s' %s", name, wanted.refusal);
    if (!formats_match(desc, &wanted))
        return cpu_fail(LINNET_INVALID, "cpu: candidate '%s' was to get other formats", name);
    *out = plan_new(desc);
    if (!*out)
        return LINNET_OUT_OF_MEMORY;
    (*out)->algorithm = found;
    (*out)->desc.forward = NULL; /* read by describe only, and valid during this call only */
    return LINNET_OK;
}

static void plan_free(linnet_backend_plan *old)
{
    cpu_object_free(old);
}

static linnet_status run(linnet_backend_plan *p, linnet_backend_queue *queue, const linnet_layer_args *args)
{
    (void)queue;
    if (args->struct_size < sizeof *args)
        return cpu_fail(LINNET_INVALID, "cpu: incomplete arguments of a run");
    p->algorithm->run(&p->desc, args);
    return LINNET_OK;
}

const linnet_layer_ops cpu_layer_ops = {
    .struct_size = sizeof cpu_layer_ops, .candidate = candidate, .plan = plan, .plan_free = plan_free, .run = run};
