/* SPDX-License-Identifier: Apache-2.0 */
#include "digits.h"

#include "linnet/backend.h"

void linnet_random_begin(linnet_random *random, uint64_t seed, uint64_t index, uint32_t domain)
{
    *random = (linnet_random){.key = {(uint32_t)seed, (uint32_t)(seed >> 32)},
                              .counter = {0, domain, (uint32_t)index, (uint32_t)(index >> 32)},
                              .used = 4};
}

uint32_t linnet_random_word(linnet_random *random)
{
    if (random->used == 4) {
        linnet_philox(random->counter, random->key, random->words);
        random->counter[0]++;
        random->used = 0;
    }
    return random->words[random->used++];
}

float linnet_random_range(linnet_random *random, float low, float high)
{
    return low + (high - low) * ((float)(linnet_random_word(random) >> 8) * (1.0f / 16777216.0f));
}

float linnet_random_bell(linnet_random *random)
{
    uint32_t word = linnet_random_word(random);
    int sum = (int)(word & 255) + (int)(word >> 8 & 255) + (int)(word >> 16 & 255) + (int)(word >> 24);
    /* Four uniform bytes: mean 510, variance 4 (256^2 - 1) / 12 = 147.8^2. */
    return (float)(sum - 510) * (1.0f / 147.8f);
}

int linnet_digit_label(uint64_t seed, uint64_t index)
{
    int order[10];
    linnet_random random;
    linnet_random_begin(&random, seed, index / 10, 1);
    for (int i = 0; i < 10; i++) {
        int j = (int)((uint64_t)linnet_random_word(&random) * (uint64_t)(i + 1) >> 32);
        order[i] = order[j];
        order[j] = i;
    }
    return order[index % 10];
}
