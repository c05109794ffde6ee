/* SPDX-License-Identifier: Apache-2.0 */
/* Which kernels of a device a check is confined to. */
#include "harness.h"

#include <string.h>

enum { MOST_NAMES = 64, NAMES_LENGTH = 1024 };

/* Behind the name at list and its comma. */
static const char *next(const char *list)
{
    list += strcspn(list, ",");
    return list + (*list == ',');
}

/* Its bit among those of list; 0: it is none of them. */
static uint64_t bit_of(const char *name, const char *list)
{
    size_t length = strcspn(name, ",");
    for (unsigned i = 0; *list && i < MOST_NAMES; i++, list = next(list))
        if (strcspn(list, ",") == length && strncmp(list, name, length) == 0)
            return (uint64_t)1 << i;
    return 0;
}

uint64_t linnet_focus_all(const linnet_focus *focus)
{
    uint64_t bits = 0;
    for (const char *name = focus->kernels; *name; name = next(name))
        bits |= bit_of(name, focus->kernels);
    return bits;
}

uint64_t linnet_focus_takes(const linnet_trial *t)
{
    char names[NAMES_LENGTH] = "";
    const linnet_focus *focus = t->check->focus;
    linnet_device *device = t->arena->device;
    uint64_t bits = 0;
    if (device->backend->kernels(device->handle, &t->desc, t->candidate.name, names, sizeof names) != LINNET_OK)
        return 0;
    for (const char *name = names; *name; name = next(name)) {
        uint64_t bit = bit_of(name, focus->kernels);
        if (!bit && !focus->is_loose)
            return 0;
        bits |= bit;
    }
    return bits;
}
