/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LINNET_CONFORMANCE_H
#define LINNET_CONFORMANCE_H

#include "device/device.h"
#include "linnet/verify.h"

#include <stdbool.h>
#include <stdio.h>

typedef struct conformance_options {
    linnet_verify_options verify;
    linnet_verify_level level;
    const char *layer, *text; /* NULL: all */
    bool complete, expect_none, bench, json, verbose;
} conformance_options;

bool conformance_selects(const conformance_options *options, const char *text);
/* "--quick" for "quick"; kept for the process's life. */
const char *conformance_option_text(const char *name);
/* All selected cases on one device; prints failures and a summary. 0 or 1. */
int conformance_run(const conformance_options *options, linnet_device *device, linnet_device *reference);

#endif
