/* SPDX-License-Identifier: Apache-2.0 */
#include "trust.h"

#include "../core/context.h"
#include "../layers/layer.h"
#include "harness.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

/* One check at a time in a process: it is rare, and what it finds out is then there for all. */
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

/* BROKEN: a call failed, which may have reasons that pass: a full disk, memory. */
typedef enum finding { RIGHT, WRONG, BROKEN, UNKNOWN } finding;

/* Whether there is something to check on this device. */
static bool applies(const linnet_device *device)
{
    return (device->info.capabilities & LINNET_CAPABILITY_COMPILED_HERE) && device->context->settings.check;
}

/* Number of a layer's kind by its name; LINNET_PLAIN_OPTIMIZER for any other name. */
static uint32_t kind_of(const char *name)
{
    for (uint32_t kind = 1; kind < 256; kind++) {
        const linnet_layer *layer = linnet_layer_find(kind);
        if (layer && strcmp(layer->name, name) == 0)
            return kind;
    }
    return LINNET_PLAIN_OPTIMIZER;
}

/* The device's verdicts, read from their file the first time; what was built plainly before is so again. NULL: no
   memory. Under the mutex. */
static linnet_trust *trust_of(linnet_device *device)
{
    if (device->trust)
        return device->trust;
    device->trust = linnet_allocate(1, sizeof *device->trust);
    linnet_trust *trust = device->trust;
    if (!trust)
        return NULL;
    linnet_trust_read(device, trust);
    for (size_t i = 0; i < trust->count; i++) {
        const linnet_trust_entry *e = &trust->entries[i];
        if (e->verdict == LINNET_VERDICT_PLAIN && device->backend->set_plain)
            device->backend->set_plain(device->handle, kind_of(e->layer));
    }
    return trust;
}

/* What is compared: an implementation of a layer. */
typedef struct subject {
    const char *layer, *operator_name; /* operator_name: how a case's text begins behind the colon */
    const char *implementation;
    linnet_focus *focus; /* NULL: whatever its kernels are */
    bool reads_saved;    /* of what went forward */
} subject;

/* Runs the case; a failure once more, since a call may have failed for other reasons. *out_check: the last run's. */
static finding run_case(linnet_device *device, linnet_device *reference, const char *text, const subject *s,
                        linnet_verify_result *result, linnet_check *out_check)
{
    char forward[128];
    size_t length = strcspn(s->implementation, "<");
    snprintf(forward, sizeof forward, "%.*s", (int)length, s->implementation);
    linnet_verify_options options = {.size = sizeof options};
    if (*forward) {
        options.candidate = forward;
        options.backward = s->implementation[length] ? s->implementation + length + 1 : "";
    }
    for (int attempt = 0; attempt < 2; attempt++) {
        result->size = sizeof *result;
        if (!linnet_check_begin(out_check, device, reference, text, &options, result))
            return UNKNOWN;
        out_check->focus = s->focus;
        if (linnet_check_run(out_check) != LINNET_OK)
            return UNKNOWN;
        if (result->outcome == LINNET_VERIFY_SKIPPED && !result->no_memory &&
            attempt > 0) /* other kernels would run by now */
            return BROKEN;
        if (result->outcome != LINNET_VERIFY_FAILED && !result->no_memory)
            return RIGHT;
    }
    return out_check->is_broken || result->no_memory ? BROKEN : WRONG;
}

/* The kernels that a comparison is of, "a,b"; where the device does not name them the implementation stands for them.
 */
static void name_kernels(const subject *s, char out[1024])
{
    if (s->focus)
        snprintf(out, 1024, "%s", s->focus->kernels);
    else
        snprintf(out, 1024, "%s by %s", s->layer, s->implementation);
}

/* With whatever kernels. */
static bool has_failed(const linnet_trust *trust, const char *layer, const char *name)
{
    size_t length = strlen(name);
    for (size_t i = 0; trust && i < trust->count; i++) {
        const linnet_trust_entry *e = &trust->entries[i];
        if (e->verdict == LINNET_VERDICT_FAILED && strcmp(e->layer, layer) == 0 &&
            strncmp(e->implementation, name, length) == 0 && strchr("#", e->implementation[length]))
            return true;
    }
    return false;
}

/* Goes back from what is known to be wrong, so that nothing can come out right. */
static bool follows_wrong(const linnet_trust *trust, const subject *s)
{
    char forward[128];
    size_t length = strcspn(s->implementation, "<");
    snprintf(forward, sizeof forward, "%.*s", (int)length, s->implementation);
    return s->implementation[length] && (s->reads_saved || !s->focus) && has_failed(trust, s->layer, forward);
}

static bool is_plain(linnet_trust *trust, const subject *s)
{
    return linnet_trust_find(trust, s->layer, "") != NULL;
}

/* Says what is wrong, unless it is a kernel that was said before: the case and the line about it. */
static void say_wrong(const linnet_device *device, const subject *s, const linnet_check *check)
{
    char kernels[1024];
    linnet_text suspects = {0};
    bool plain = is_plain(device->trust, s);
    const char *by = *s->implementation ? " by " : "";
    name_kernels(s, kernels);
    size_t count =
        follows_wrong(device->trust, s) ? 0 : linnet_trust_kernels_wrong(device->trust, kernels, plain, &suspects);
    const char *even = plain ? ", even built without the driver's optimisations," : "";
    if (!count)
        linnet_log(device->context, LINNET_LOG_INFO, "%s: %s%s%s is not used for the same reason (%s)", device->label,
                   s->layer, by, s->implementation, check->text);
    else if (s->focus && suspects.data)
        linnet_log(device->context, LINNET_LOG_WARNING,
                   "%s: %s %s does not compute right here%s and %s%s%s is not used (%s: %s)", device->label,
                   count > 1 ? "one of the kernels" : "the kernel", suspects.data, even, s->layer, by,
                   s->implementation, check->text, check->failure);
    else
        linnet_log(device->context, LINNET_LOG_WARNING,
                   "%s: %s%s%s does not compute right here%s and is not used (%s: %s)", device->label, s->layer, by,
                   s->implementation, even, check->text, check->failure);
    linnet_release(suspects.data);
}

/* The first one alone: what fails calls for one fails them for others. */
static void say_broken(const linnet_device *device, const subject *s, const linnet_check *check)
{
    linnet_log(device->context, device->trust->broken_said ? LINNET_LOG_INFO : LINNET_LOG_WARNING,
               "%s: %s%s%s cannot be run now and is left out this time, as are others that fail so (%s: %s)",
               device->label, s->layer, *s->implementation ? " by " : "", s->implementation, check->text,
               check->failure);
    device->trust->broken_said = true;
}

static bool is_of(const char *text, const char *layer, const char *operator_name)
{
    size_t length = strlen(layer);
    return strncmp(text, layer, length) == 0 && text[length] == ':' &&
           strncmp(text + length + 1, operator_name, strlen(operator_name)) == 0;
}

/* A device on which not even memory works says nothing about an implementation. */
static finding judge(linnet_device *device, linnet_device *reference, const subject *s, finding found,
                     const linnet_check *check)
{
    const subject memory = {.implementation = ""};
    linnet_check own;
    linnet_verify_result *result = linnet_allocate(1, sizeof *result);
    bool works = result && run_case(device, reference, "queue:memory", &memory, result, &own) == RIGHT;
    linnet_release(result);
    if (works)
        (found == WRONG ? say_wrong : say_broken)(device, s, check);
    return works ? found : UNKNOWN;
}

static bool is_all_reached(const subject *s)
{
    return s->focus && s->focus->reached == linnet_focus_all(s->focus);
}

enum { ENOUGH = 4, MOST_MULTIPLY_ADDS = 4000000 };

/* The layer's cases of a level; a search ends when all kernels were reached, each by a few cases if there are. */
static finding run_cases(linnet_device *device, linnet_device *reference, const subject *s, linnet_verify_level level)
{
    const char *text;
    finding found = RIGHT;
    linnet_verify_result *result = linnet_allocate(1, sizeof *result);
    if (!result)
        return UNKNOWN;
    for (size_t i = 0; found == RIGHT && (text = linnet_verify_case_at(level, i)); i++) {
        if (!is_of(text, s->layer, s->operator_name))
            continue;
        if (s->focus && s->focus->is_search && is_all_reached(s) && s->focus->cases >= ENOUGH)
            break;
        linnet_check check;
        found = run_case(device, reference, text, s, result, &check);
        if (found == WRONG || found == BROKEN)
            found = judge(device, reference, s, found, &check);
    }
    linnet_release(result);
    return found;
}

/* The quick cases; as far as they do not reach the kernels, larger ones, at last those that reach others as well. */
static finding run_all(linnet_device *device, linnet_device *reference, const subject *s)
{
    finding found = run_cases(device, reference, s, LINNET_VERIFY_QUICK);
    for (int loose = 0; loose < 2 && found == RIGHT && s->focus && !is_all_reached(s); loose++) {
        s->focus->is_search = true;
        s->focus->is_loose = loose;
        s->focus->most_multiply_adds = MOST_MULTIPLY_ADDS;
        found = run_cases(device, reference, s, LINNET_VERIFY_STANDARD);
    }
    if (found == RIGHT && s->focus && !is_all_reached(s))
        linnet_log(device->context, LINNET_LOG_INFO, "%s: %s by %s: no case reaches each kernel of %s", device->label,
                   s->layer, s->implementation, s->focus->kernels);
    return found;
}

static finding check(linnet_device *device, linnet_trust *trust, const subject *s)
{
    double start = linnet_now();
    linnet_device *reference = linnet_device_open(device->context, "reference");
    finding found = UNKNOWN;
    if (reference) {
        const linnet_backend *backend = device->backend;
        if (backend->prefer && s->focus)
            backend->prefer(device->handle, s->focus->kernels);
        found = run_all(device, reference, s);
        if (backend->prefer)
            backend->prefer(device->handle, NULL);
    } else if (!trust->cannot)
        linnet_log(device->context, LINNET_LOG_WARNING, "%s: nothing can be checked without the reference backend",
                   device->label);
    trust->cannot = trust->cannot || !reference;
    if (found == RIGHT && (!s->focus || is_all_reached(s))) {
        char kernels[1024];
        name_kernels(s, kernels);
        linnet_trust_kernels_right(trust, kernels, is_plain(trust, s));
    }
    linnet_device_close(&reference);
    linnet_context_clear(device->context);
    linnet_log(device->context, LINNET_LOG_INFO, "%s: %s%s%s%s%s, first use: %s, checked in %.2f s", device->label,
               s->layer, *s->implementation ? " by " : "", s->implementation, s->focus ? ", " : "",
               s->focus ? s->focus->kernels : "", (const char *[]){"right", "wrong", "broken", "unknown"}[found],
               linnet_now() - start);
    return found;
}

/* Under the mutex. */
static bool check_once(linnet_device *device, const subject *s)
{
    char name[LINNET_TRUST_NAME];
    const char *kernels = s->focus ? s->focus->kernels : "";
    linnet_trust *trust = trust_of(device);
    snprintf(name, sizeof name, *kernels ? "%s#%08x" : "%s", s->implementation,
             (unsigned)(linnet_trust_sum(kernels, strlen(kernels)) & 0xffffffff));
    const linnet_trust_entry *known = trust ? linnet_trust_find(trust, s->layer, name) : NULL;
    if (!trust || trust->cannot)
        return true;
    if (known)
        return known->verdict != LINNET_VERDICT_FAILED;
    finding found = check(device, trust, s);
    linnet_verdict verdict = found == RIGHT ? LINNET_VERDICT_PASSED : LINNET_VERDICT_FAILED;
    const linnet_trust_entry *plain = linnet_trust_find(trust, s->layer, "");
    bool passes = found == BROKEN || (plain && plain->passes); /* another process does not build plainly */
    if (found != UNKNOWN && linnet_trust_put(trust, verdict, s->layer, name, passes))
        linnet_trust_write(device, trust);
    return found == RIGHT || found == UNKNOWN;
}

/* Under the mutex. */
static bool turn_plain(linnet_device *device, const char *layer, uint32_t kind)
{
    linnet_trust *trust = trust_of(device);
    if (!trust || !device->backend->set_plain || linnet_trust_find(trust, layer, ""))
        return false;
    linnet_status status = device->backend->set_plain(device->handle, kind);
    if (status != LINNET_OK)
        return false;
    size_t kept = 0;
    bool passes = true; /* nothing was wrong, calls failed */
    for (size_t i = 0; i < trust->count; i++) {
        const linnet_trust_entry *e = &trust->entries[i];
        if (strcmp(e->layer, layer) != 0)
            trust->entries[kept++] = *e;
        else
            passes = passes && (e->verdict != LINNET_VERDICT_FAILED || e->passes);
    }
    trust->count = kept;
    if (linnet_trust_put(trust, LINNET_VERDICT_PLAIN, layer, "", passes))
        linnet_trust_write(device, trust);
    linnet_log(device->context, passes ? LINNET_LOG_INFO : LINNET_LOG_WARNING,
               "%s: %s is built without the driver's optimisations from now on", device->label, layer);
    return true;
}

/* "panel" forward, "panel<direct" for what goes back. */
static void name_of(const linnet_layer_desc *desc, const char *implementation, char out[128])
{
    bool back = desc->direction == LINNET_BACKWARD && desc->forward;
    snprintf(out, 128, "%.60s%s%.60s", back ? desc->forward : "", back ? "<" : "", implementation);
}

bool linnet_trust_is_bad(linnet_device *device, const linnet_layer_desc *desc, const char *implementation)
{
    char name[128];
    if (!applies(device))
        return false;
    name_of(desc, implementation, name);
    pthread_mutex_lock(&mutex);
    bool bad = has_failed(trust_of(device), linnet_layer_find(desc->kind)->name, name);
    pthread_mutex_unlock(&mutex);
    return bad;
}

bool linnet_trust_check(linnet_device *device, const linnet_layer_desc *desc, const char *implementation,
                        bool reads_saved)
{
    char name[128], kernels[1024] = "";
    if (!applies(device))
        return true;
    name_of(desc, implementation, name);
    const linnet_backend *backend = device->backend;
    if (backend->kernels &&
        backend->kernels(device->handle, desc, implementation, kernels, sizeof kernels) != LINNET_OK)
        *kernels = '\0';
    linnet_focus focus = {.kernels = kernels,
                          .no_gradients = desc->direction == LINNET_FORWARD && !desc->differentiate};
    const subject s = {linnet_layer_find(desc->kind)->name, "", name, *kernels ? &focus : NULL, reads_saved};
    pthread_mutex_lock(&mutex);
    bool good = check_once(device, &s);
    pthread_mutex_unlock(&mutex);
    return good;
}

bool linnet_trust_plain(linnet_device *device, uint32_t kind)
{
    if (!applies(device))
        return false;
    pthread_mutex_lock(&mutex);
    bool turned = turn_plain(device, linnet_layer_find(kind)->name, kind);
    pthread_mutex_unlock(&mutex);
    return turned;
}

bool linnet_trust_optimizer(linnet_device *device, uint32_t kind)
{
    const char *name = kind == LINNET_OPTIMIZER_SGD ? "sgd" : "adam";
    if (!applies(device))
        return true;
    const subject s = {"optimizer", name, name, NULL, false};
    pthread_mutex_lock(&mutex);
    bool good = check_once(device, &s);
    if (!good && turn_plain(device, "optimizer", LINNET_PLAIN_OPTIMIZER))
        good = check_once(device, &s);
    pthread_mutex_unlock(&mutex);
    return good;
}

void linnet_trust_describe(linnet_device *device, linnet_text *text)
{
    size_t passed = 0;
    if (!applies(device))
        return;
    pthread_mutex_lock(&mutex);
    const linnet_trust *trust = trust_of(device);
    for (size_t i = 0; trust && i < trust->count; i++)
        passed += trust->entries[i].verdict == LINNET_VERDICT_PASSED;
    linnet_text_append(text, "verdicts at first use: %zu passed\n", passed);
    for (size_t i = 0; trust && i < trust->count; i++) {
        const linnet_trust_entry *e = &trust->entries[i];
        if (e->verdict != LINNET_VERDICT_PASSED)
            linnet_text_append(text, "verdict: %s %s %.*s\n",
                               e->verdict == LINNET_VERDICT_PLAIN ? "built without optimisation:"
                               : e->passes                        ? "cannot be run now:"
                                                                  : "failed:",
                               e->layer, (int)strcspn(e->implementation, "#"), e->implementation);
    }
    pthread_mutex_unlock(&mutex);
}

void linnet_trust_free(linnet_device *device)
{
    if (device->trust) {
        linnet_release(device->trust->entries);
        linnet_release(device->trust->kernels);
    }
    linnet_release(device->trust);
    device->trust = NULL;
}
