/* SPDX-License-Identifier: Apache-2.0 */
/*
 * LINNET_OPENCL_VARIANT: ways of doing things that are forced wherever they can do what is asked for, so that each can
 * be tested on one device. Where they cannot, shape and device decide as ever.
 */
#include "variants.h"

#include "plan.h"

#include <stdio.h>
#include <string.h>

static const char *const names[] = {
#define LINNET_CL_VARIANT(ID, name, layer, set, kernel) name,
#include "variants.def"
};
enum { COUNT = sizeof(names) / sizeof(names[0]) };
_Static_assert((int)COUNT <= 64, "a bit for every variant");

static const char forced_elsewhere[] = "LINNET_OPENCL_VARIANT asks for another";

static size_t group_length(const char *name)
{
    return strcspn(name, "=") + 1;
}

/* " conv2d=channels conv2d=planes": all of the item's group, or where there is no such group one of each. */
static void list_names(const char *item, char *out, size_t size)
{
    size_t at = 0, length = group_length(item);
    bool known = false;
    for (int i = 0; i < COUNT; i++)
        known = known || strncmp(names[i], item, length) == 0;
    for (int i = 0; i < COUNT && at < size; i++) {
        bool begins = i == 0 || strncmp(names[i], names[i - 1], group_length(names[i])) != 0;
        if (known ? strncmp(names[i], item, length) != 0 : !begins)
            continue;
        int wrote = snprintf(out + at, size - at, " %s", names[i]);
        at += wrote < 0 ? 0 : (size_t)wrote;
    }
    if (!known && at < size)
        snprintf(out + at, size - at, " and others of these kinds");
}

static linnet_status fail(const char *asked, const char *what, int length, const char *item)
{
    char list[400] = "", name[64] = "";
    list_names(item, list, sizeof(list));
    if (length)
        snprintf(name, sizeof(name), "'%.*s' ", length < 60 ? length : 60, item);
    return linnet_cl_fail(LINNET_INVALID, "LINNET_OPENCL_VARIANT=%.60s: %s%s; it is names with commas between:%s",
                          asked, name, what, list);
}

/* Number of the variant called so; COUNT: none. */
static int find(const char *item, size_t length)
{
    int i = 0;
    while (i < COUNT && (strlen(names[i]) != length || strncmp(names[i], item, length) != 0))
        i++;
    return i;
}

static bool has_group(uint64_t forced, const char *name)
{
    for (int i = 0; i < COUNT; i++)
        if ((forced >> i & 1) && strncmp(names[i], name, group_length(name)) == 0)
            return true;
    return false;
}

linnet_status linnet_cl_variants_option(uint64_t *out_forced)
{
    const char *asked = linnet_cl_host->option("LINNET_OPENCL_VARIANT");
    *out_forced = 0;
    for (const char *item = asked; item && *item;) {
        size_t length = strcspn(item, ",");
        int variant = find(item, length);
        if (!length)
            return fail(asked, "there is no name before a comma", 0, "");
        if (variant == COUNT)
            return fail(asked, "is none", (int)length, item);
        if (has_group(*out_forced, names[variant]))
            return fail(asked, "is the second of its kind", (int)length, item);
        *out_forced |= (uint64_t)1 << variant;
        if (item[length] == ',' && !item[length + 1])
            return fail(asked, "it ends with a comma", 0, "");
        item += length + (item[length] == ',');
    }
    return LINNET_OK;
}

bool linnet_cl_forces(const linnet_backend_device *device, linnet_cl_variant variant)
{
    return device->forced >> variant & 1;
}

/* The implementation that is forced for a layer; NULL: none. */
static const char *implementation(const linnet_backend_device *device, uint32_t kind)
{
    const char *layer = kind == LINNET_LAYER_CONV2D ? "conv2d=" : kind == LINNET_LAYER_LINEAR ? "linear=" : "gram=";
    if (kind != LINNET_LAYER_CONV2D && kind != LINNET_LAYER_LINEAR && kind != LINNET_LAYER_GRAM)
        return NULL;
    for (int i = 0; i < COUNT; i++)
        if ((device->forced >> i & 1) && strncmp(names[i], layer, strlen(layer)) == 0)
            return names[i] + strlen(layer);
    return NULL;
}

void linnet_cl_force_candidate(linnet_cl_candidate_function *function, linnet_backend_device *device,
                               const linnet_layer_desc *desc, linnet_candidate *candidate)
{
    const char *wanted = device->forced && !candidate->refusal ? implementation(device, desc->kind) : NULL;
    if (!wanted || strcmp(candidate->name, wanted) == 0)
        return;
    linnet_candidate other = {.struct_size = sizeof(other)};
    for (uint32_t i = 0; function(device, desc, i, &other) == LINNET_OK; i++) {
        if (strcmp(other.name, wanted) == 0 && !other.refusal)
            candidate->refusal = forced_elsewhere;
        other = (linnet_candidate){.struct_size = sizeof(other)};
    }
}
