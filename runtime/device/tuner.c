/* SPDX-License-Identifier: Apache-2.0 */
/* The table of measured costs in memory: a hash table that is read from the file at the first question. */
#include "tuner.h"

#include "../layers/layer.h"
#include "tuner_file.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

/* Tables are small and asked while plans are compiled: one lock for all. */
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

/* ---- Keys: FNV-1a over everything that matters, a byte at a time ---- */

static uint64_t mix(uint64_t hash, const void *bytes, size_t count)
{
    const unsigned char *p = bytes;
    for (size_t i = 0; i < count; i++)
        hash = (hash ^ p[i]) * UINT64_C(0x100000001b3);
    return hash;
}

static uint64_t mix_number(uint64_t hash, uint64_t number)
{
    return mix(hash, &number, sizeof number);
}

static uint64_t mix_shapes(uint64_t hash, const linnet_tensor_desc *descs, uint32_t count)
{
    hash = mix_number(hash, count);
    for (uint32_t i = 0; i < count; i++) {
        hash = mix_number(mix_number(hash, descs[i].type), descs[i].rank);
        hash = mix(hash, descs[i].dims, descs[i].rank * sizeof descs[i].dims[0]);
    }
    return hash;
}

uint64_t linnet_tuned_layer(const linnet_layer_desc *d)
{
    const linnet_layer *layer = linnet_layer_find(d->kind);
    uint64_t hash = mix_number(UINT64_C(0xcbf29ce484222325), d->kind);
    if (d->attributes && layer)
        hash = mix(hash, d->attributes, layer->attributes_size);
    hash = mix_shapes(hash, d->inputs, d->input_count);
    hash = mix_shapes(hash, d->outputs, d->output_count);
    return mix_shapes(hash, d->parameters, d->parameter_count);
}

uint64_t linnet_tuned_problem(const linnet_layer_desc *d)
{
    uint64_t hash = mix_number(mix_number(linnet_tuned_layer(d), d->direction), d->behaviour);
    hash = mix_number(mix_number(hash, d->want_inputs), d->want_parameters);
    hash = mix_number(hash, d->direction == LINNET_FORWARD ? d->differentiate : 0);
    for (uint32_t i = 0; i < d->epilogue_count; i++)
        hash = mix(hash, &d->epilogue[i], sizeof d->epilogue[i]);
    return hash;
}

uint64_t linnet_tuned_key(uint64_t problem, const linnet_layer_desc *d, const linnet_candidate *c)
{
    uint64_t hash = problem;
    hash = mix(hash, c->name, strlen(c->name) + 1);
    hash = mix(hash, c->input_formats, d->input_count * sizeof c->input_formats[0]);
    hash = mix(hash, c->output_formats, d->output_count * sizeof c->output_formats[0]);
    hash = mix(hash, c->parameter_formats, d->parameter_count * sizeof c->parameter_formats[0]);
    return hash ? hash : 1; /* 0 marks a free place of the table */
}

/* ---- The table: open addressing, at most half full ---- */

static linnet_tuned_entry *find(const linnet_tuned *t, uint64_t key)
{
    size_t place = (size_t)key & (t->capacity - 1);
    while (t->entries[place].key && t->entries[place].key != key)
        place = (place + 1) & (t->capacity - 1);
    return &t->entries[place];
}

static bool make_room(linnet_tuned *t)
{
    linnet_tuned bigger = {.capacity = t->capacity ? 2 * t->capacity : 256, .count = t->count};
    if (t->capacity && 2 * (t->count + 1) <= t->capacity)
        return true;
    bigger.entries = linnet_allocate(bigger.capacity, sizeof *bigger.entries);
    if (!bigger.entries)
        return false;
    for (size_t i = 0; i < t->capacity; i++)
        if (t->entries[i].key)
            *find(&bigger, t->entries[i].key) = t->entries[i];
    linnet_release(t->entries);
    *t = bigger;
    return true;
}

bool linnet_tuned_put(linnet_tuned *t, const linnet_tuned_entry *entry)
{
    if (!make_room(t))
        return false;
    linnet_tuned_entry *place = find(t, entry->key);
    t->count += !place->key;
    *place = *entry;
    return true;
}

/* The device's table, read from its file the first time. NULL: no memory. */
static linnet_tuned *table_of(linnet_device *device)
{
    if (device->tuned)
        return device->tuned;
    device->tuned = linnet_allocate(1, sizeof *device->tuned);
    if (device->tuned)
        linnet_tuned_read(device, device->tuned);
    return device->tuned;
}

/* What is known of the key; key 0: nothing. */
static linnet_tuned_entry look_up(linnet_device *device, uint64_t key)
{
    pthread_mutex_lock(&mutex);
    const linnet_tuned *t = table_of(device);
    linnet_tuned_entry entry = t && t->count ? *find(t, key) : (linnet_tuned_entry){.key = 0};
    pthread_mutex_unlock(&mutex);
    return entry;
}

bool linnet_tuned_any(linnet_device *device)
{
    pthread_mutex_lock(&mutex);
    const linnet_tuned *t = table_of(device);
    bool any = t && t->count;
    pthread_mutex_unlock(&mutex);
    return any;
}

double linnet_tuned_cost(linnet_device *device, uint64_t key)
{
    linnet_tuned_entry entry = look_up(device, key);
    return 1e-3 * (double)(entry.is_tried ? entry.measured : entry.adopted);
}

bool linnet_tuned_has(linnet_device *device, uint64_t key)
{
    return look_up(device, key).key != 0;
}

/* Keeps what was adopted of the key before. */
static bool put(linnet_device *device, uint64_t key, const char *label, uint64_t measured, bool adopt)
{
    linnet_tuned_entry entry = look_up(device, key);
    entry = (linnet_tuned_entry){.key = key, .adopted = adopt ? measured : entry.adopted, .measured = measured};
    snprintf(entry.label, sizeof entry.label, "%s", label);
    pthread_mutex_lock(&mutex);
    linnet_tuned *t = table_of(device);
    bool good = t && linnet_tuned_put(t, &entry);
    pthread_mutex_unlock(&mutex);
    return good;
}

bool linnet_tuned_set(linnet_device *device, uint64_t key, const char *label, double microseconds)
{
    return put(device, key, label, microseconds > 1e-3 ? (uint64_t)(1e3 * microseconds) : 1, false);
}

bool linnet_tuned_set_wrong(linnet_device *device, uint64_t key, const char *label)
{
    return put(device, key, label, (uint64_t)(1e3 * LINNET_TUNED_WRONG), true);
}

void linnet_tuned_try(linnet_device *device, uint64_t key)
{
    pthread_mutex_lock(&mutex);
    linnet_tuned *t = table_of(device);
    linnet_tuned_entry *entry = t && t->count ? find(t, key) : NULL;
    if (entry && entry->key)
        entry->is_tried = true;
    pthread_mutex_unlock(&mutex);
}

static void settle(linnet_tuned *t, bool adopt)
{
    for (size_t i = 0; t && i < t->capacity; i++) {
        linnet_tuned_entry *entry = &t->entries[i];
        if (entry->is_tried && adopt)
            entry->adopted = entry->measured;
        entry->is_tried = false;
    }
}

linnet_status linnet_tuned_settle(linnet_device *device, bool adopt)
{
    pthread_mutex_lock(&mutex);
    linnet_tuned *t = table_of(device);
    settle(t, adopt);
    linnet_status status = t ? linnet_tuned_write(device, t)
                             : linnet_fail(device->context, LINNET_OUT_OF_MEMORY, "no memory for measured costs");
    pthread_mutex_unlock(&mutex);
    return status;
}

void linnet_tuned_free(linnet_device *device)
{
    if (device->tuned)
        linnet_release(device->tuned->entries);
    linnet_release(device->tuned);
    device->tuned = NULL;
}
