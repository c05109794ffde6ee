/* SPDX-License-Identifier: Apache-2.0 */
/* Comparing results, and the report. */
#include "harness.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { REPORTED_AT_MOST = 6, SHOWN_AT_MOST = 3 };

/* Numbers below the smallest normal one may be flushed to zero: OpenCL 1.2 makes them optional. */
static const double flushed = 0x1p-124;

static void append(linnet_check *check, const char *format, ...) LINNET_PRINTF(2, 3);

static void append(linnet_check *check, const char *format, ...)
{
    size_t room = sizeof check->result->report - check->report_used;
    va_list arguments;
    va_start(arguments, format);
    int written = vsnprintf(check->result->report + check->report_used, room, format, arguments);
    va_end(arguments);
    if (written > 0)
        check->report_used += (size_t)written < room ? (size_t)written : room - 1;
}

void linnet_check_fail(linnet_check *check, const char *format, ...)
{
    char line[512];
    va_list arguments;
    if (check->result->failures++ >= REPORTED_AT_MOST)
        return;
    va_start(arguments, format);
    vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    if (!*check->failure)
        snprintf(check->failure, sizeof check->failure, "%.100s: %.*s", check->where, (int)strcspn(line, "\n"), line);
    append(check, "%s: %s\n", check->where, line);
}

void linnet_check_note(linnet_check *check, const char *format, ...)
{
    char line[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    append(check, "%s\n", line);
}

bool linnet_check_status(linnet_check *check, const linnet_device *device, linnet_status status, const char *what)
{
    if (!status)
        return true;
    linnet_device_check(check->context, device, status, what);
    check->is_broken |= check->result->failures == 0;
    linnet_check_fail(check, "%s: %s", linnet_status_name(status), linnet_context_message(check->context));
    return false;
}

bool linnet_check_memory(linnet_check *check, const linnet_device *device, linnet_status status, const char *what)
{
    check->no_memory += status == LINNET_OUT_OF_MEMORY || status == LINNET_LIMIT;
    return linnet_check_status(check, device, status, what);
}

/* "[1,2,0,4]" of element number index. */
static void index_text(const linnet_tensor_desc *desc, int64_t index, char *out, size_t size)
{
    int64_t place[LINNET_MAX_RANK];
    size_t used = 0;
    for (uint32_t i = desc->rank; i-- > 0;) {
        place[i] = index % desc->dims[i];
        index /= desc->dims[i];
    }
    out[0] = '\0';
    for (uint32_t i = 0; i < desc->rank && used < size; i++)
        used += (size_t)snprintf(out + used, size - used, "%c%lld", i ? ',' : '[', (long long)place[i]);
    if (used + 1 < size)
        memcpy(out + used, desc->rank ? "]" : "", desc->rank ? 2 : 1);
}

static bool differs(double got, double wanted, double allowed)
{
    if (isnan(wanted))
        return !isnan(got);
    return !(fabs(got - wanted) <= allowed || got == wanted);
}

void linnet_compare(linnet_check *check, const char *name, uint32_t index, const linnet_tensor_desc *desc,
                    const float *got, const float *wanted, const float *scale, const float *start, double bound)
{
    int64_t count = linnet_desc_count(desc), wrong = 0;
    double worst = 0;
    char shown[384] = "";
    size_t used = 0;
    for (int64_t i = 0; i < count; i++) {
        double from = start ? (double)start[i] : 0, target = (double)wanted[i] + from;
        /* Accumulating rounds once more, relative to what was there. */
        double allowed = bound == 0 ? 0 : bound * (double)scale[i] + flushed;
        allowed += start ? 0x1p-22 * (fabs(from) + (double)scale[i]) : 0;
        double part = allowed > 0 ? fabs((double)got[i] - target) / allowed : 0;
        worst = part > worst ? part : worst;
        if (!differs((double)got[i], target, allowed))
            continue;
        if (wrong++ < SHOWN_AT_MOST && used < sizeof shown) {
            char place[96];
            index_text(desc, i, place, sizeof place);
            used += (size_t)snprintf(shown + used, sizeof shown - used, "; %s got %.9g wanted %.9g (+-%.2g)", place,
                                     (double)got[i], target, allowed);
        }
    }
    if (worst > check->result->worst) {
        check->result->worst = worst;
        snprintf(check->result->worst_at, sizeof check->result->worst_at, "%.72s: %.40s %u", check->where, name, index);
    }
    if (wrong)
        linnet_check_fail(check, "%s %u: %lld of %lld differ%s", name, index, (long long)wrong, (long long)count,
                          shown);
}

void linnet_compare_bits(linnet_check *check, const char *name, uint32_t index, const linnet_tensor_desc *desc,
                         const float *got, const float *wanted)
{
    int64_t count = linnet_desc_count(desc);
    for (int64_t i = 0; i < count; i++)
        if (memcmp(&got[i], &wanted[i], sizeof *got) != 0) {
            char place[96];
            index_text(desc, i, place, sizeof place);
            linnet_check_fail(check, "%s %u: a second run gave other bits; %s got %.9g, at first %.9g", name, index,
                              place, (double)got[i], (double)wanted[i]);
            return;
        }
}
