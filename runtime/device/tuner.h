/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Measured costs of a device's implementations, in the place of those that its plugin estimates. They come from a file
 * in the cache directory that belongs to the device's cache key, and go there when linnet_session_keep_tuning says so.
 * Without such a file, and unless something was measured, nothing is known and nothing changes. Internal.
 *
 * What is known is found by a number that is made from everything that the layer's work depends on: kind, attributes,
 * shapes, epilogue, wanted gradients, implementation and its formats.
 */
#ifndef LINNET_DEVICE_TUNER_H
#define LINNET_DEVICE_TUNER_H

#include "device.h"
#include "../core/core.h"
#include "linnet/backend.h"

/* Of the layer and its shapes alone: equal for forward and backward, every implementation and every format. */
uint64_t linnet_tuned_layer(const linnet_layer_desc *desc);
uint64_t linnet_tuned_key(const linnet_layer_desc *desc, const linnet_candidate *candidate);

/* What costs belong to, on one line: the device's cache key and Linnet's version. NULL: no memory; release with
   linnet_release. */
char *linnet_tuned_device_key(const linnet_device *device);

/* Microseconds; 0: not known. */
double linnet_tuned_cost(linnet_device *device, uint64_t key);
/* label: for people who look into the file; cut where it is long. false: no memory. */
bool linnet_tuned_set(linnet_device *device, uint64_t key, const char *label, double microseconds);
/* Writes the file; LINNET_UNSUPPORTED where there is no cache directory. */
linnet_status linnet_tuned_save(linnet_device *device);
void linnet_tuned_free(linnet_device *device);

#endif
