/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which kernels were found right or wrong in this process, so that each wrong one is told of once, however many
 * implementations run it. A comparison that fails says that one of its kernels is wrong: one that was right in others
 * is not suspected, and where one of them is known to be wrong there is nothing new.
 */
#include "trust.h"

#include <stdio.h>
#include <string.h>

/* The name at the head of "a,b", and what follows it. */
static const char *take_name(const char *names, char out[LINNET_TRUST_KERNEL])
{
    size_t length = strcspn(names, ",");
    snprintf(out, LINNET_TRUST_KERNEL, "%.*s", (int)length, names);
    return names + length + (names[length] == ',');
}

/* NULL: nothing is known of it. */
static linnet_trust_kernel *find(const linnet_trust *trust, const char *name, bool plain)
{
    for (size_t i = 0; i < trust->kernel_count; i++)
        if (trust->kernels[i].plain == plain && strcmp(trust->kernels[i].name, name) == 0)
            return &trust->kernels[i];
    return NULL;
}

/* Best effort: what is forgotten is told of again. */
static void note(linnet_trust *trust, const char *name, bool plain, bool wrong)
{
    linnet_trust_kernel *known = find(trust, name, plain);
    if (!known && linnet_grow(&trust->kernels, &trust->kernel_capacity, trust->kernel_count + 1, sizeof *known)) {
        known = &trust->kernels[trust->kernel_count++];
        known->plain = plain;
        snprintf(known->name, sizeof known->name, "%s", name);
    }
    if (known)
        known->wrong = wrong;
}

void linnet_trust_kernels_right(linnet_trust *trust, const char *names, bool plain)
{
    char name[LINNET_TRUST_KERNEL];
    while (*names) {
        names = take_name(names, name);
        if (!find(trust, name, plain)) /* what was wrong elsewhere stays so */
            note(trust, name, plain, false);
    }
}

/* Is one of them known to be wrong; how many are not known to be right? */
static bool look_up(const linnet_trust *trust, const char *names, bool plain, size_t *out_suspects)
{
    char name[LINNET_TRUST_KERNEL];
    bool wrong = false;
    *out_suspects = 0;
    while (*names) {
        names = take_name(names, name);
        const linnet_trust_kernel *known = find(trust, name, plain);
        wrong = wrong || (known && known->wrong);
        *out_suspects += !known;
    }
    return wrong;
}

size_t linnet_trust_kernels_wrong(linnet_trust *trust, const char *names, bool plain, linnet_text *out_suspects)
{
    char name[LINNET_TRUST_KERNEL];
    size_t suspects, written = 0; /* names are different ones */
    bool explained = look_up(trust, names, plain, &suspects), all = suspects == 0;
    for (const char *rest = names; *rest && !explained;) {
        rest = take_name(rest, name);
        if (!all && find(trust, name, plain))
            continue;
        linnet_text_append(out_suspects, "%s%s", written++ ? ", " : "", name);
        note(trust, name, plain, true);
    }
    return explained ? 0 : written;
}
