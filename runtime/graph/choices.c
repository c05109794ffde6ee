/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a session's plans chose by. Implementations follow fixed rules of shape and device, unless `linnet tune`
 * measured: then the costs that compiling asked for are noted here, and a checkpoint keeps them, also that there were
 * none. A run that goes on from it asks these and no others, so that it gives the same bits whatever was measured in
 * between.
 *
 *     place <number> <key of device and version>
 *     <key of layer and implementation, 16 hexadecimal digits> <nanoseconds>
 *     ...
 */
#include "../core/text.h"
#include "../device/tuner.h"
#include "session.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { DIGITS = 16, MOST_CHOICES = 1 << 20 };

static uint64_t find(const linnet_choices *c, uint32_t place, uint64_t key)
{
    for (size_t i = 0; i < c->count; i++)
        if (c->items[i].key == key && c->items[i].place == place)
            return c->items[i].nanoseconds;
    return 0;
}

static bool add(linnet_choices *c, uint32_t place, uint64_t key, uint64_t nanoseconds)
{
    if (!linnet_grow(&c->items, &c->capacity, c->count + 1, sizeof *c->items))
        return false;
    c->items[c->count++] = (linnet_chosen_cost){key, nanoseconds, place};
    return true;
}

void linnet_choices_clear(linnet_choices *choices)
{
    linnet_release(choices->items);
    *choices = (linnet_choices){.count = 0};
}

void linnet_choices_forget(linnet_session *session)
{
    linnet_choices_clear(&session->choices);
    for (uint32_t i = 0; i < session->place_count; i++)
        session->places[i].choices_fixed = false;
}

double linnet_choices_cost(linnet_session *session, uint32_t place, uint64_t key)
{
    const linnet_place *p = &session->places[place];
    uint64_t known = find(&session->choices, place, key);
    if (known || p->choices_fixed)
        return 1e-3 * (double)known;
    known = (uint64_t)(1e3 * linnet_tuned_cost(p->device, key) + 0.5);
    if (known && !add(&session->choices, place, key, known))
        linnet_fail(session->context, LINNET_OUT_OF_MEMORY, "no memory to note what was chosen by");
    return 1e-3 * (double)known;
}

bool linnet_choices_are_there(const linnet_session *session, uint32_t place)
{
    return session->places[place].choices_fixed ? session->choices.count > 0
                                                : linnet_tuned_any(session->places[place].device);
}

char *linnet_choices_write(const linnet_session *session)
{
    linnet_text text = {0};
    for (uint32_t i = 0; i < session->place_count; i++) {
        char *key = linnet_tuned_device_key(session->places[i].device);
        linnet_text_append(&text, "place %" PRIu32 " %s\n", i, key ? key : "");
        text.failed |= !key;
        linnet_release(key);
        for (size_t k = 0; k < session->choices.count; k++) {
            const linnet_chosen_cost *c = &session->choices.items[k];
            if (c->place == i)
                linnet_text_append(&text, "%016" PRIx64 " %" PRIu64 "\n", c->key, c->nanoseconds);
        }
    }
    if (!text.failed)
        return text.data;
    linnet_release(text.data);
    return NULL;
}

/* ---- Reading: any bytes ---- */

/* A number of the base up to end; false: it is not that. */
static bool read_number(const char **text, int base, char end, uint64_t *out)
{
    char *after;
    const char *digits = base == 16 ? "0123456789abcdef" : "0123456789";
    size_t length = strspn(*text, digits);
    if (length == 0 || (base == 16 && length != DIGITS) || (*text)[length] != end)
        return false;
    errno = 0;
    *out = strtoull(*text, &after, base);
    *text = after + 1;
    return errno == 0;
}

/* A place's line. *out_place is LINNET_NONE where the session has another device there, whose costs say nothing. */
static bool read_place(const linnet_session *session, const char **text, linnet_choices *out, uint32_t *out_place)
{
    uint64_t number;
    if (strncmp(*text, "place ", 6) != 0)
        return false;
    *text += 6;
    if (!read_number(text, 10, ' ', &number))
        return false;
    size_t length = strcspn(*text, "\n");
    char *key = number < session->place_count ? linnet_tuned_device_key(session->places[number].device) : NULL;
    bool same = key && strlen(key) == length && strncmp(*text, key, length) == 0;
    linnet_release(key);
    *out_place = same ? (uint32_t)number : LINNET_NONE;
    if (same)
        out->places |= 1u << number;
    bool whole = (*text)[length] == '\n';
    *text += length + whole;
    return whole;
}

static bool read_cost(const char **text, uint32_t place, linnet_choices *out)
{
    uint64_t key, nanoseconds;
    if (!read_number(text, 16, ' ', &key) || !read_number(text, 10, '\n', &nanoseconds) || nanoseconds == 0 ||
        out->count == MOST_CHOICES)
        return false;
    return place == LINNET_NONE || add(out, place, key, nanoseconds);
}

linnet_status linnet_choices_read(const linnet_session *session, const char *text, const char *path,
                                  linnet_choices *out)
{
    uint32_t place = LINNET_NONE;
    bool good = true;
    *out = (linnet_choices){.count = 0};
    while (*text && good)
        good = *text == 'p' ? read_place(session, &text, out, &place) : read_cost(&text, place, out);
    if (good)
        return LINNET_OK;
    linnet_choices_clear(out);
    return linnet_fail(session->context, LINNET_BAD_FILE, "%s: what its run chose implementations by is damaged", path);
}

void linnet_choices_adopt(linnet_session *session, linnet_choices *choices)
{
    linnet_choices_forget(session);
    for (uint32_t i = 0; i < session->place_count; i++) {
        session->places[i].choices_fixed = choices->places >> i & 1;
        if (!session->places[i].choices_fixed)
            linnet_log(session->context, LINNET_LOG_INFO,
                       "%s: the checkpoint comes from another device or version: its last bits may not come again",
                       session->places[i].device->label);
    }
    session->choices = *choices;
    *choices = (linnet_choices){.count = 0};
    session->settings_version++;
    session->current = NULL;
}
