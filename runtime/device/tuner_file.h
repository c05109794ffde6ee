/* SPDX-License-Identifier: Apache-2.0 */
/* Between the table of measured costs and its file. Internal to tuner.c and tuner_file.c. */
#ifndef LINNET_DEVICE_TUNER_FILE_H
#define LINNET_DEVICE_TUNER_FILE_H

#include "device.h"
#include "../core/core.h"

typedef struct linnet_tuned_entry {
    uint64_t key;      /* 0: a free place */
    uint64_t adopted;  /* nanoseconds that plans choose by; 0: none */
    uint64_t measured; /* nanoseconds, the last time; at least 1 */
    char label[56];    /* one line */
    bool is_tried;     /* plans choose by what was measured; not in the file */
} linnet_tuned_entry;

typedef struct linnet_tuned {
    linnet_tuned_entry *entries;
    size_t count, capacity; /* a power of two, or 0 */
} linnet_tuned;

/* Overwrites what has the same key; false: no memory. */
bool linnet_tuned_put(linnet_tuned *table, const linnet_tuned_entry *entry);

/* What the device's file says goes into an empty table. Any bytes: a file that is damaged, or another device's, is
   said to be so in the log, and leaves the table empty. */
void linnet_tuned_read(linnet_device *device, linnet_tuned *table);
linnet_status linnet_tuned_write(linnet_device *device, const linnet_tuned *table);

#endif
