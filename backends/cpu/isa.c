/* SPDX-License-Identifier: Apache-2.0 */
/* Fills the table: portable first, overwritten by each better instruction set that the machine has and LINNET_CPU_ISA
   allows. */
#include "cpu.h"
#include "kernels/kernels.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>
#ifdef CPU_X86
#include <cpuid.h>
#endif

cpu_table_type cpu_table;
static bool valid = true;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static bool always(void)
{
    return true;
}

#define INIT(set)                                                                                                      \
    static void init_##set(cpu_table_type *table)                                                                      \
    {                                                                                                                  \
        cpu_tile_init_##set(table);                                                                                    \
        cpu_batch_reduce_init_##set(table);                                                                            \
        cpu_winograd_init_##set(table);                                                                                \
        cpu_rows_init_##set(table);                                                                                    \
        cpu_gemv_init_##set(table);                                                                                    \
        cpu_blocked_init_##set(table);                                                                                 \
        cpu_depthwise_init_##set(table);                                                                               \
        cpu_elementwise_init_##set(table);                                                                             \
        cpu_reduce_init_##set(table);                                                                                  \
        cpu_pool_rows_init_##set(table);                                                                               \
        cpu_pool_init_##set(table);                                                                                    \
        cpu_picture_init_##set(table);                                                                                 \
        cpu_random_init_##set(table);                                                                                  \
        cpu_optimizer_init_##set(table);                                                                               \
        cpu_transpose_init_##set(table);                                                                               \
    }

INIT(portable)
#ifdef CPU_X86
INIT(avx2)
INIT(avx512)

static bool has_avx2(void)
{
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
}

static bool has_avx512(void)
{
    return has_avx2() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
}
#endif
#ifdef CPU_ARM64
INIT(neon)
#endif

/* Ascending; each includes those before it. */
static const struct {
    const char *name;
    int32_t score;
    bool (*is_here)(void);
    void (*init)(cpu_table_type *table);
} sets[] = {
    {"portable", 100, always, init_portable},
#ifdef CPU_X86
    {"avx2", 110, has_avx2, init_avx2},
    {"avx512", 120, has_avx512, init_avx512},
#endif
#ifdef CPU_ARM64
    {"neon", 110, always, init_neon}, /* part of the architecture */
#endif
};
enum { SET_COUNT = sizeof sets / sizeof sets[0] };

static void fill_table(void)
{
    const char *cap = cpu_host->option("LINNET_CPU_ISA");
    bool found = !cap || !*cap;
    bool open = true;
    for (int i = 0; i < SET_COUNT && open && sets[i].is_here(); i++) {
        sets[i].init(&cpu_table);
        cpu_table.isa = sets[i].name;
        cpu_table.score = sets[i].score;
        if (cap && strcmp(cap, sets[i].name) == 0) {
            found = true;
            open = false;
        }
    }
    valid = found;
}

void cpu_table_init(void)
{
    pthread_once(&once, fill_table);
}

bool cpu_isa_is_valid(void)
{
    return valid;
}

const char *cpu_isa_list(void)
{
#ifdef CPU_ARM64
    static const char *const lists[] = {"portable", "portable, neon"};
#else
    static const char *const lists[] = {"portable", "portable, avx2", "portable, avx2, avx512"};
#endif
    int here = 0;
    while (here + 1 < SET_COUNT && sets[here + 1].is_here())
        here++;
    return lists[here];
}

#ifdef CPU_X86
void cpu_brand(char *out, unsigned long size)
{
    unsigned words[13] = {0};
    for (unsigned i = 0; i < 3; i++)
        if (!__get_cpuid(0x80000002u + i, &words[4 * i], &words[4 * i + 1], &words[4 * i + 2], &words[4 * i + 3]))
            words[0] = 0;
    const char *text = (const char *)words;
    while (*text == ' ')
        text++;
    snprintf(out, size, "%s", *text ? text : "x86 processor");
    for (size_t length = strlen(out); length > 0 && out[length - 1] == ' '; length--)
        out[length - 1] = '\0';
}

void cpu_vendor(char *out, unsigned long size)
{
    unsigned highest, words[4] = {0};
    if (!__get_cpuid(0, &highest, &words[0], &words[2], &words[1]))
        words[0] = 0;
    snprintf(out, size, "%s", (const char *)words);
}
#else
void cpu_brand(char *out, unsigned long size)
{
    snprintf(out, size, "processor");
}

void cpu_vendor(char *out, unsigned long size)
{
    snprintf(out, size, "unknown");
}
#endif
