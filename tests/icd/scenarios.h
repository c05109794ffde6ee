/* SPDX-License-Identifier: Apache-2.0 */
/* What is done while OpenCL calls fail: each scenario opens everything anew and closes it again. */
#ifndef LINNET_TESTS_SCENARIOS_H
#define LINNET_TESTS_SCENARIOS_H

#include <linnet/linnet.h>

#define SCENARIO_VALUES 64

typedef struct outcome {
    linnet_status status;
    char message[512];
    float values[SCENARIO_VALUES]; /* what came out, where status is LINNET_OK */
    size_t count;
} outcome;

typedef struct scenario {
    const char *name;
    void (*run)(const char *selection, outcome *out);
    int cold; /* with an empty cache every time */
} scenario;

extern const scenario scenarios[];
extern const size_t scenario_count;

/* walk.c: the function of that name of the OpenCL that fails. */
void *scenario_function(const char *name);

#endif
