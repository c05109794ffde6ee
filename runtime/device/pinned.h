/* SPDX-License-Identifier: Apache-2.0 */
/* Which memory of the host is page-locked for a device. Internal. */
#ifndef LINNET_PINNED_H
#define LINNET_PINNED_H

#include "linnet/device.h"

#include <stdbool.h>

/* Do all bytes of it lie in memory that the device's driver page-locked? */
bool linnet_pinned_has(const linnet_device *device, const void *data, uint64_t bytes);

#endif
