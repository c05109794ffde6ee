/* SPDX-License-Identifier: Apache-2.0 */
/* `linnet selftest --report`: a text that a user can attach to an issue. Written as the cases go, so that a driver that
   takes the program down leaves the case behind that it did not survive. */
#ifndef LINNET_TOOLS_SELFTEST_REPORT_H
#define LINNET_TOOLS_SELFTEST_REPORT_H

#include "cli.h"

extern const char *const selftest_outcomes[LINNET_VERIFY_SKIPPED + 1]; /* "passed", ... */

/* What came out for one layer, or for all. */
typedef struct selftest_tally {
    char kind[32];
    uint64_t outcomes[LINNET_VERIFY_SKIPPED + 1];
    uint64_t no_memory;    /* of those skipped: for want of it */
    double seconds, worst; /* the largest difference, in parts of what is allowed */
    char worst_case[128];  /* where that was */
    char worst_at[128];
} selftest_tally;

void selftest_tally_add(selftest_tally *t, const char *text, const linnet_verify_result *result, double seconds);

typedef struct selftest_report selftest_report;

int selftest_report_open(const char *path, linnet_device *device, bool quick, uint64_t seed, selftest_report **out);
/* A case begins; it ended so. A report that is NULL is none. */
void selftest_report_case(selftest_report *r, const char *text);
void selftest_report_result(selftest_report *r, const linnet_verify_result *result, double seconds);
/* Sums, and the end. ended: nothing stopped the cases before the last. EXIT_GO_ON, or what could not be written is
 * said.
 */
int selftest_report_close(selftest_report **r, const selftest_tally *kinds, size_t count, const selftest_tally *sum,
                          bool ended);

#endif
