/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Checkpoints: a safetensors file with the session's variables, the optimiser's slots as
 * "optimizer.<slot>.<parameter>", and the rest (step counts, random state, position, measured costs by which
 * implementations were chosen, the caller's notes) as metadata.
 */
#include "optimizer.h"
#include "weights.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The numbers of a run, in the order of their metadata keys. */
enum { SEED, STEP, OPTIMIZER_KIND, OPTIMIZER_STEPS, EPOCH, BATCH, NUMBER_COUNT };
static const char *const number_keys[NUMBER_COUNT] = {"linnet.seed",           "linnet.step",  "linnet.optimizer",
                                                      "linnet.optimizer.step", "linnet.epoch", "linnet.batch"};

static const char choices_key[] = "linnet.choices";

static linnet_status read_slots(const linnet_checkpoint *checkpoint, linnet_tensor_list *list)
{
    linnet_session *session = checkpoint->session;
    linnet_status status = LINNET_OK;
    for (uint32_t slot = 0; slot < checkpoint->optimizer->slot_count; slot++)
        for (size_t i = 0; i < session->variable_count && status == LINNET_OK; i++) {
            const linnet_variable *variable = &session->variables[i];
            if (variable->is_state)
                continue;
            char *name = linnet_format("optimizer.%u.%s", slot, session->net->values[variable->value].name);
            const linnet_place *place = &session->places[variable->place];
            linnet_view view = linnet_place_view(place, place->slots[slot], i);
            status = name ? linnet_tensor_list_read(session, list, name, variable->value, variable->place, view,
                                                    variable->bytes)
                          : linnet_fail(session->context, LINNET_OUT_OF_MEMORY, "no memory for a checkpoint");
            linnet_release(name);
        }
    return status;
}

static linnet_status check_arguments(const linnet_checkpoint *checkpoint)
{
    if (!checkpoint || !checkpoint->session || !checkpoint->optimizer ||
        checkpoint->optimizer->session != checkpoint->session)
        return linnet_fail(checkpoint && checkpoint->session ? checkpoint->session->context : NULL, LINNET_INVALID,
                           "a checkpoint needs a session and its optimiser");
    return linnet_context_check(checkpoint->session->context);
}

linnet_status linnet_checkpoint_save(const linnet_checkpoint *checkpoint, const char *path)
{
    linnet_status status = check_arguments(checkpoint);
    if (status != LINNET_OK)
        return status;
    linnet_session *session = checkpoint->session;
    linnet_loader_position position = {0};
    if (checkpoint->loader)
        position = linnet_loader_tell(checkpoint->loader);
    const uint64_t numbers[NUMBER_COUNT] = {
        session->seed,  session->step,           checkpoint->optimizer->desc.kind, checkpoint->optimizer->desc.step,
        position.epoch, (uint64_t)position.batch};
    linnet_metadata_list notes = {0};
    linnet_metadata_list_add(&notes, "format", LINNET_METADATA_CHECKPOINT);
    for (int i = 0; i < NUMBER_COUNT; i++) {
        char text[24];
        snprintf(text, sizeof text, "%" PRIu64, numbers[i]);
        linnet_metadata_list_add(&notes, number_keys[i], text);
    }
    char *choices = linnet_choices_write(session);
    notes.failed |= !choices;
    if (choices)
        linnet_metadata_list_add(&notes, choices_key, choices);
    linnet_release(choices);
    linnet_metadata_list_add(&notes, "linnet.notes", checkpoint->notes && *checkpoint->notes ? *checkpoint->notes : "");
    linnet_metadata_list_net(&notes, session->net);
    linnet_tensor_list list = {0};
    if (notes.failed)
        status = linnet_fail(session->context, LINNET_OUT_OF_MEMORY, "no memory for a checkpoint");
    if (status == LINNET_OK)
        status = linnet_tensor_list_variables(session, &list);
    if (status == LINNET_OK)
        status = read_slots(checkpoint, &list);
    if (status == LINNET_OK)
        status = linnet_safetensors_write(session->context, path, list.tensors, list.count, notes.items, notes.count);
    linnet_metadata_list_clear(&notes);
    linnet_tensor_list_clear(&list);
    return status;
}

/* ---- Loading: everything is checked before anything is changed ---- */

static linnet_status read_numbers(const linnet_checkpoint *checkpoint, const linnet_safetensors *file, const char *path,
                                  uint64_t numbers[NUMBER_COUNT])
{
    linnet_context *context = checkpoint->session->context;
    for (int i = 0; i < NUMBER_COUNT; i++) {
        const char *text = linnet_safetensors_metadata(file, number_keys[i]);
        char *end = NULL;
        errno = 0;
        numbers[i] = text && *text >= '0' && *text <= '9' ? strtoull(text, &end, 10) : 0;
        if (!end || *end || errno)
            return linnet_fail(context, LINNET_BAD_FILE, "%s: is no checkpoint: '%s' is missing or damaged", path,
                               number_keys[i]);
    }
    if (numbers[OPTIMIZER_KIND] != checkpoint->optimizer->desc.kind)
        return linnet_fail(context, LINNET_BAD_FILE, "%s: was made with another optimiser", path);
    return LINNET_OK;
}

/* The saved slot of a variable. */
static linnet_status find_slot(const linnet_checkpoint *checkpoint, const linnet_safetensors *file, const char *path,
                               uint32_t slot, const linnet_variable *variable, const void **out_data)
{
    linnet_session *session = checkpoint->session;
    linnet_tensor tensor;
    linnet_status status = LINNET_OK;
    char *name = linnet_format("optimizer.%u.%s", slot, session->net->values[variable->value].name);
    if (!name)
        return linnet_fail(session->context, LINNET_OUT_OF_MEMORY, "no memory for a checkpoint");
    if (linnet_safetensors_find(file, name, &tensor) == LINNET_OK && tensor.type == LINNET_F32 &&
        (uint64_t)linnet_tensor_bytes(&tensor) == variable->bytes)
        *out_data = tensor.data;
    else
        status = linnet_fail(session->context, LINNET_BAD_FILE, "%s: '%s' is missing or has another shape", path, name);
    linnet_release(name);
    return status;
}

/* Where in the file each slot is: [slot][variable], NULL for running statistics. */
static linnet_status find_slots(const linnet_checkpoint *checkpoint, const linnet_safetensors *file, const char *path,
                                const void **out_slots)
{
    const linnet_session *session = checkpoint->session;
    linnet_status status = LINNET_OK;
    for (uint32_t slot = 0; slot < checkpoint->optimizer->slot_count; slot++)
        for (size_t i = 0; i < session->variable_count && status == LINNET_OK; i++)
            if (!session->variables[i].is_state)
                status = find_slot(checkpoint, file, path, slot, &session->variables[i],
                                   &out_slots[slot * session->variable_count + i]);
    return status;
}

static linnet_status write_slots(const linnet_checkpoint *checkpoint, const void *const *slots)
{
    const linnet_session *session = checkpoint->session;
    linnet_status status = LINNET_OK;
    for (uint32_t slot = 0; slot < checkpoint->optimizer->slot_count; slot++)
        for (size_t i = 0; i < session->variable_count && status == LINNET_OK; i++) {
            const linnet_variable *variable = &session->variables[i];
            const linnet_place *place = &session->places[variable->place];
            if (variable->is_state)
                continue;
            status = linnet_device_check(
                session->context, place->device,
                place->device->backend->upload(place->queue, linnet_place_view(place, place->slots[slot], i),
                                               slots[slot * session->variable_count + i], variable->bytes, NULL),
                "writing the optimiser's state");
        }
    return status;
}

static linnet_status check_position(const linnet_checkpoint *checkpoint, const uint64_t *numbers, const char *path)
{
    if (!checkpoint->loader || numbers[BATCH] <= (uint64_t)linnet_loader_batches(checkpoint->loader))
        return LINNET_OK;
    return linnet_fail(checkpoint->session->context, LINNET_BAD_FILE, "%s: was made with more data than there is now",
                       path);
}

static linnet_status apply(const linnet_checkpoint *checkpoint, const linnet_safetensors *file,
                           const void *const *slots, const uint64_t *numbers)
{
    linnet_session *session = checkpoint->session;
    linnet_status status = linnet_weights_apply(session, file);
    if (status == LINNET_OK)
        status = write_slots(checkpoint, slots);
    if (status != LINNET_OK)
        return status;
    session->seed = numbers[SEED];
    session->step = numbers[STEP];
    checkpoint->optimizer->desc.step = numbers[OPTIMIZER_STEPS];
    linnet_loader_position position = {.epoch = numbers[EPOCH], .batch = (int64_t)numbers[BATCH]};
    return checkpoint->loader ? linnet_loader_seek(checkpoint->loader, position) : LINNET_OK;
}

static linnet_status load(const linnet_checkpoint *checkpoint, const linnet_safetensors *file, const char *path,
                          const void **slots)
{
    uint64_t numbers[NUMBER_COUNT];
    linnet_status status = linnet_weights_check(checkpoint->session->net, file, path);
    if (status == LINNET_OK)
        status = read_numbers(checkpoint, file, path, numbers);
    if (status == LINNET_OK)
        status = check_position(checkpoint, numbers, path);
    if (status == LINNET_OK)
        status = find_slots(checkpoint, file, path, slots);
    const char *text = linnet_safetensors_metadata(file, choices_key); /* files of before have none */
    linnet_choices choices = {0};
    if (status == LINNET_OK && text)
        status = linnet_choices_read(checkpoint->session, text, path, &choices);
    if (status == LINNET_OK)
        status = apply(checkpoint, file, slots, numbers);
    if (status == LINNET_OK && text)
        linnet_choices_adopt(checkpoint->session, &choices);
    linnet_choices_clear(&choices);
    return status;
}

linnet_status linnet_checkpoint_load(const linnet_checkpoint *checkpoint, const char *path)
{
    linnet_status status = check_arguments(checkpoint);
    if (status != LINNET_OK)
        return status;
    linnet_session *session = checkpoint->session;
    linnet_safetensors *file = linnet_safetensors_read(session->context, path);
    if (!file)
        return linnet_context_last_status(session->context);
    /* All memory is taken first: then nothing but the device can fail half-way. */
    const char *said = linnet_safetensors_metadata(file, "linnet.notes");
    char *notes = linnet_duplicate(said ? said : "");
    const void **slots = linnet_allocate(checkpoint->optimizer->slot_count * session->variable_count, sizeof *slots);
    status = notes && slots ? load(checkpoint, file, path, slots)
                            : linnet_fail(session->context, LINNET_OUT_OF_MEMORY, "no memory for a checkpoint");
    if (status == LINNET_OK && checkpoint->notes) {
        *checkpoint->notes = notes;
        notes = NULL;
    }
    linnet_release(notes);
    linnet_release(slots);
    linnet_safetensors_free(&file);
    return status;
}
