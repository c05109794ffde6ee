/* SPDX-License-Identifier: Apache-2.0 */
/* The way in: one case on one device. */
#include "harness.h"

#include <string.h>

static void finish(linnet_check *check, bool have)
{
    linnet_verify_result *result = check->result;
    if (check->no_memory && check->no_memory == result->failures) {
        result->no_memory = 1;
        result->failures = 0;
        have = false;
        check->report_used = 0;
        linnet_check_note(check, "no memory for it: %s", check->failure);
    }
    result->outcome = result->failures ? LINNET_VERIFY_FAILED : have ? LINNET_VERIFY_PASSED : LINNET_VERIFY_SKIPPED;
    if (result->outcome == LINNET_VERIFY_PASSED)
        result->report[0] = '\0';
    if (result->outcome == LINNET_VERIFY_FAILED)
        linnet_check_note(check, "seed %llu; again: linnet selftest --backend %s:%u --case '%s'",
                          (unsigned long long)check->seed, linnet_device_backend_name(check->device),
                          check->device->index, check->text);
}

/* "kind:" in front of text? Then what stands behind it. */
static const char *behind(const char *text, const char *kind)
{
    size_t length = strlen(kind);
    return strncmp(text, kind, length) == 0 && text[length] == ':' ? text + length + 1 : NULL;
}

bool linnet_check_begin(linnet_check *check, linnet_device *device, linnet_device *reference, const char *text,
                        const linnet_verify_options *options, linnet_verify_result *result)
{
    if (!device || !reference || !text || !result || result->size < sizeof *result)
        return false;
    *result = (linnet_verify_result){.size = result->size};
    *check = (linnet_check){.context = device->context,
                            .device = device,
                            .reference = reference,
                            .text = text,
                            .seed = 1,
                            .memory_left = UINT64_MAX,
                            .result = result};
    if (options && options->size >= sizeof *options) {
        check->seed = options->seed ? options->seed : 1;
        check->only = options->candidate;
        check->only_backward = options->backward;
    }
    return true;
}

static linnet_status verify_layer(linnet_check *check)
{
    linnet_case *problem = linnet_allocate(1, sizeof *problem);
    if (!problem)
        return linnet_fail(check->context, LINNET_OUT_OF_MEMORY, "case '%s': out of memory", check->text);
    linnet_status status = linnet_case_parse(check->context, check->text, problem);
    if (!status) {
        bool have = linnet_check_layer(check, problem);
        if (have && !check->no_memory && check->device->backend == check->reference->backend)
            linnet_check_gradient(check, problem);
        finish(check, have);
    }
    linnet_release(problem);
    return status;
}

linnet_status linnet_check_run(linnet_check *check)
{
    const char *optimizer = behind(check->text, "optimizer"), *queue = behind(check->text, "queue");
    if (!optimizer && !queue)
        return verify_layer(check);
    linnet_status status = optimizer ? linnet_check_optimizer(check, optimizer) : linnet_check_queue(check, queue);
    if (status && status != LINNET_UNSUPPORTED)
        return status;
    finish(check, !status);
    return LINNET_OK;
}

linnet_status linnet_verify_case(linnet_device *device, linnet_device *reference, const char *text,
                                 const linnet_verify_options *options, linnet_verify_result *result)
{
    linnet_check check;
    if (!linnet_check_begin(&check, device, reference, text, options, result))
        return linnet_fail(device ? device->context : NULL, LINNET_INVALID,
                           "linnet_verify_case: device, reference, text and result (with its size) must be given");
    return linnet_check_run(&check);
}
