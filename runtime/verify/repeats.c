/* SPDX-License-Identifier: Apache-2.0 */
/* Backward runs that need not be made twice. */
#include "harness.h"

static void mix(uint64_t *key, uint64_t value)
{
    *key = (*key ^ value) * UINT64_C(0x100000001b3); /* FNV-1a, by words */
}

static uint64_t key_of(const linnet_trial *t, uint32_t variant)
{
    uint64_t key = UINT64_C(0xcbf29ce484222325);
    for (const char *c = t->candidate.name; *c; c++)
        mix(&key, (unsigned char)*c);
    mix(&key, variant);
    mix(&key, t->desc.want_inputs);
    mix(&key, t->desc.want_parameters);
    for (uint32_t i = 0; i < t->desc.input_count; i++)
        mix(&key, t->candidate.input_formats[i]);
    for (uint32_t i = 0; i < t->desc.output_count; i++)
        mix(&key, t->candidate.output_formats[i]);
    return key;
}

bool linnet_is_repeated(linnet_repeats *seen, const linnet_trial *trial, uint32_t variant)
{
    if (trial->candidate.reads_saved || trial->candidate.reads_outputs)
        return false;
    uint64_t key = key_of(trial, variant);
    for (uint32_t i = 0; i < seen->count; i++)
        if (seen->keys[i] == key)
            return true;
    if (seen->count < LINNET_REPEATS_AT_MOST)
        seen->keys[seen->count++] = key;
    return false;
}
