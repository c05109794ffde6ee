/* SPDX-License-Identifier: Apache-2.0 */
#include "weights.h"

#include "../core/text.h"
#include "linnet/train.h"

#include <string.h>

static linnet_status no_memory(const linnet_net *net)
{
    return linnet_fail(net->context, LINNET_OUT_OF_MEMORY, "no memory for weights");
}

linnet_status linnet_tensor_list_read(linnet_session *session, linnet_tensor_list *list, const char *name,
                                      uint32_t value, uint32_t index, linnet_view view, uint64_t bytes)
{
    const linnet_place *place = &session->places[index];
    linnet_tensor_desc desc = linnet_desc_of(&session->net->values[value].shape);
    linnet_named_tensor *tensor;
    if (!linnet_grow(&list->tensors, &list->capacity, list->count + 1, sizeof *list->tensors))
        return no_memory(session->net);
    tensor = &list->tensors[list->count++];
    tensor->name = linnet_duplicate(name);
    tensor->tensor = (linnet_tensor){.type = LINNET_F32, .rank = desc.rank, .data = linnet_allocate(1, bytes)};
    memcpy(tensor->tensor.dims, desc.dims, sizeof desc.dims);
    if (!tensor->name || !tensor->tensor.data)
        return no_memory(session->net);
    return linnet_device_check(session->context, place->device,
                               place->device->backend->read(place->queue, view, tensor->tensor.data, bytes, NULL),
                               "reading weights");
}

linnet_status linnet_tensor_list_variables(linnet_session *session, linnet_tensor_list *list)
{
    linnet_status status = LINNET_OK;
    for (size_t i = 0; i < session->variable_count && status == LINNET_OK; i++) {
        const linnet_variable *variable = &session->variables[i];
        status = linnet_tensor_list_read(session, list, session->net->values[variable->value].name, variable->value,
                                         variable->place, linnet_variable_view(session, variable), variable->bytes);
    }
    return status;
}

void linnet_tensor_list_clear(linnet_tensor_list *list)
{
    for (size_t i = 0; i < list->count; i++) {
        linnet_release((void *)list->tensors[i].name);
        linnet_release(list->tensors[i].tensor.data);
    }
    linnet_release(list->tensors);
    *list = (linnet_tensor_list){0};
}

linnet_status linnet_save(linnet_session *session, const char *path)
{
    linnet_tensor_list list = {0};
    linnet_status status = linnet_session_check(session);
    if (status != LINNET_OK)
        return status;
    linnet_metadata_list notes = {0};
    linnet_metadata_list_add(&notes, "format", "linnet");
    linnet_metadata_list_net(&notes, session->net);
    status = notes.failed ? no_memory(session->net) : linnet_tensor_list_variables(session, &list);
    if (status == LINNET_OK)
        status = linnet_safetensors_write(session->context, path, list.tensors, list.count, notes.items, notes.count);
    linnet_metadata_list_clear(&notes);
    linnet_tensor_list_clear(&list);
    return status;
}

/* ---- Loading ---- */

/* Appends what is wrong with one variable; nothing when it fits. */
static void check_variable(const linnet_net_value *value, const linnet_safetensors *file, linnet_text *problems)
{
    const char *separator = problems->length ? "; " : "";
    linnet_tensor tensor;
    char wanted_text[160], got_text[160];
    if (linnet_safetensors_find(file, value->name, &tensor) != LINNET_OK) {
        linnet_text_append(problems, "%s'%s' is missing", separator, value->name);
        return;
    }
    linnet_shape got = {.type = tensor.type, .rank = tensor.rank};
    for (uint32_t i = 0; i < tensor.rank; i++)
        got.dims[i] = tensor.dims[i];
    if (!linnet_shape_equal(&got, &value->shape))
        linnet_text_append(problems, "%s'%s' is %s %s, the net wants %s %s", separator, value->name,
                           linnet_type_name(tensor.type), linnet_shape_text(&got, got_text, sizeof got_text),
                           linnet_type_name(value->shape.type),
                           linnet_shape_text(&value->shape, wanted_text, sizeof wanted_text));
}

static bool ends_with(const char *text, const char *end)
{
    size_t length = strlen(text), behind = strlen(end);
    return length >= behind && strcmp(text + length - behind, end) == 0;
}

/* Whether a tensor of a file is for the net, or one that the net does without knowingly. */
static bool is_known(const linnet_net *net, const linnet_safetensors *file, const char *tensor)
{
    for (size_t i = 0; i < net->value_count; i++)
        if ((net->values[i].kind == LINNET_VALUE_PARAMETER || net->values[i].kind == LINNET_VALUE_STATE) &&
            strcmp(net->values[i].name, tensor) == 0)
            return true;
    const char *format = linnet_safetensors_metadata(file, "format");
    bool checkpoint = format && strcmp(format, LINNET_METADATA_CHECKPOINT) == 0;
    return (checkpoint && strncmp(tensor, "optimizer.", strlen("optimizer.")) == 0) ||
           ends_with(tensor, ".num_batches_tracked") || /* PyTorch's batch norms count, Linnet's do not */
           (net->published && net->published(tensor));
}

static void check_strangers(const linnet_net *net, const linnet_safetensors *file, linnet_text *problems)
{
    for (size_t i = 0; i < linnet_safetensors_count(file); i++) {
        const char *tensor = linnet_safetensors_at(file, i, NULL);
        if (!is_known(net, file, tensor))
            linnet_text_append(problems, "%s'%s' is not of this net", problems->length ? "; " : "", tensor);
    }
}

linnet_status linnet_weights_check(const linnet_net *net, const linnet_safetensors *file, const char *path)
{
    const char *made_for = linnet_safetensors_metadata(file, LINNET_METADATA_ARCHITECTURE);
    const char *own = linnet_net_name(net);
    if (made_for && *made_for && *own && strcmp(made_for, own) != 0)
        return linnet_fail(net->context, LINNET_BAD_FILE, "%s: holds weights of '%s', not of '%s'", path, made_for,
                           own);
    linnet_text problems = {0};
    for (size_t i = 0; i < net->value_count; i++)
        if (net->values[i].kind == LINNET_VALUE_PARAMETER || net->values[i].kind == LINNET_VALUE_STATE)
            check_variable(&net->values[i], file, &problems);
    check_strangers(net, file, &problems);
    linnet_status status = LINNET_OK;
    if (problems.failed)
        status = no_memory(net);
    else if (problems.length)
        status = linnet_fail(net->context, LINNET_BAD_FILE, "%s: does not fit the net: %s", path, problems.data);
    linnet_release(problems.data);
    return status;
}

linnet_status linnet_weights_apply(linnet_session *session, const linnet_safetensors *file)
{
    linnet_status status = LINNET_OK;
    for (size_t i = 0; i < session->variable_count && status == LINNET_OK; i++) {
        const char *name = session->net->values[session->variables[i].value].name;
        linnet_tensor tensor;
        status = linnet_safetensors_find(file, name, &tensor);
        if (status == LINNET_OK)
            status = linnet_session_set(session, name, tensor.data, (size_t)linnet_tensor_bytes(&tensor));
    }
    return status;
}

linnet_status linnet_load(linnet_session *session, const char *path)
{
    linnet_status status = linnet_session_check(session);
    if (status != LINNET_OK)
        return status;
    linnet_safetensors *file = linnet_safetensors_read(session->context, path);
    if (!file)
        return linnet_context_last_status(session->context);
    status = linnet_weights_check(session->net, file, path);
    if (status == LINNET_OK)
        status = linnet_weights_apply(session, file);
    linnet_safetensors_free(&file);
    return status;
}

linnet_status linnet_weights_architecture(linnet_context *context, const char *path, char **out_name)
{
    *out_name = NULL;
    context = linnet_context_or_default(context);
    linnet_safetensors *file = linnet_safetensors_read(context, path);
    if (!file)
        return linnet_context_last_status(context);
    *out_name = linnet_weights_name(file);
    linnet_safetensors_free(&file);
    return *out_name ? LINNET_OK : linnet_fail(context, LINNET_OUT_OF_MEMORY, "no memory for a name");
}
