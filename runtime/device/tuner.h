/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Measured times of a device's implementations. They come from a file in the cache directory that belongs to the
 * device's cache key, and go back there when they are settled. Without such a file, and unless something was measured,
 * nothing is known and nothing changes. Internal.
 *
 * A time is found by a number that is made from everything that the layer's work depends on: kind, attributes, shapes,
 * epilogue, wanted gradients, implementation and its formats. Plans choose by a time while it is tried, and for good
 * once it was adopted; what was measured and not adopted is only there so that it need not be measured again.
 */
#ifndef LINNET_DEVICE_TUNER_H
#define LINNET_DEVICE_TUNER_H

#include "device.h"
#include "../core/core.h"
#include "linnet/backend.h"

#define LINNET_TUNED_WRONG 1e12 /* microseconds: of what computes wrong, never the cheapest */

/* Of the layer and its shapes alone: equal for forward and backward, every implementation and every format. */
uint64_t linnet_tuned_layer(const linnet_layer_desc *desc);
/* Of all that an implementation is chosen for: the same for its rivals, whatever their formats. */
uint64_t linnet_tuned_problem(const linnet_layer_desc *desc);
uint64_t linnet_tuned_key(uint64_t problem, const linnet_layer_desc *desc, const linnet_candidate *candidate);

/* What costs belong to, on one line: the device's cache key and Linnet's version. NULL: no memory; release with
   linnet_release. */
char *linnet_tuned_device_key(const linnet_device *device);

/* Is anything known? */
bool linnet_tuned_any(linnet_device *device);
/* That plans choose by, microseconds; 0: none. */
double linnet_tuned_cost(linnet_device *device, uint64_t key);
/* label: for people who look into the file; cut where it is long. false: no memory. */
bool linnet_tuned_set(linnet_device *device, uint64_t key, const char *label, double microseconds);
/* It computes wrong: LINNET_TUNED_WRONG, adopted at once. */
bool linnet_tuned_set_wrong(linnet_device *device, uint64_t key, const char *label);
/* Was it measured, now or before? */
bool linnet_tuned_has(linnet_device *device, uint64_t key);
/* Plans choose by what was measured, until that is settled. */
void linnet_tuned_try(linnet_device *device, uint64_t key);
/* What is tried is adopted, or no longer tried. Writes the file; LINNET_UNSUPPORTED where there is no cache directory.
 */
linnet_status linnet_tuned_settle(linnet_device *device, bool adopt);
void linnet_tuned_free(linnet_device *device);

#endif
