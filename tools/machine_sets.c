/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The loops of machine.h, once per instruction set, from one text: LOOPS(name, attribute, vector type, lanes, fma, ...)
 * makes the three functions. Twelve accumulators hide the latency of a multiply-add on every core with up to three
 * multipliers, and leave registers for the two constants.
 */
#include "machine.h"

#if defined(__x86_64__)
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

enum { ACCUMULATORS = 12 };

/* Read anew each time: to the compiler they are no constants, and no two accumulators the same. */
static volatile float almost_one = 0.999999f, tiny = 1e-7f;

#define LOOPS(name, attribute, vector, lanes, set1, load, store, add, fma)                                             \
    attribute static double name##_multiply_add(int64_t rounds, float *out_sink)                                       \
    {                                                                                                                  \
        vector x = set1(almost_one), y = set1(tiny);                                                                   \
        vector a = set1(tiny), b = set1(tiny), c = set1(tiny), d = set1(tiny), e = set1(tiny), f = set1(tiny);         \
        vector g = set1(tiny), h = set1(tiny), i = set1(tiny), j = set1(tiny), k = set1(tiny), l = set1(tiny);         \
        for (int64_t round = 0; round < rounds; round++) {                                                             \
            a = fma(a, x, y), b = fma(b, x, y), c = fma(c, x, y), d = fma(d, x, y);                                    \
            e = fma(e, x, y), f = fma(f, x, y), g = fma(g, x, y), h = fma(h, x, y);                                    \
            i = fma(i, x, y), j = fma(j, x, y), k = fma(k, x, y), l = fma(l, x, y);                                    \
        }                                                                                                              \
        float sums[lanes];                                                                                             \
        a = add(add(add(a, b), add(c, d)), add(add(e, f), add(g, h)));                                                 \
        store(sums, add(a, add(add(i, j), add(k, l))));                                                                \
        *out_sink = sums[0];                                                                                           \
        return 2.0 * lanes * ACCUMULATORS * (double)rounds;                                                            \
    }                                                                                                                  \
    attribute static float name##_read(const float *x, size_t count)                                                   \
    {                                                                                                                  \
        vector a = set1(0), b = a, c = a, d = a, e = a, f = a, g = a, h = a;                                           \
        for (size_t i = 0; i < count; i += 8 * (size_t)lanes) {                                                        \
            const float *p = x + i;                                                                                    \
            a = add(a, load(p)), b = add(b, load(p + lanes));                                                          \
            c = add(c, load(p + 2 * lanes)), d = add(d, load(p + 3 * lanes));                                          \
            e = add(e, load(p + 4 * lanes)), f = add(f, load(p + 5 * lanes));                                          \
            g = add(g, load(p + 6 * lanes)), h = add(h, load(p + 7 * lanes));                                          \
        }                                                                                                              \
        float sums[lanes];                                                                                             \
        store(sums, add(add(add(a, b), add(c, d)), add(add(e, f), add(g, h))));                                        \
        return sums[0];                                                                                                \
    }                                                                                                                  \
    attribute static void name##_triad(float *a, const float *b, const float *c, float factor, size_t count)           \
    {                                                                                                                  \
        vector q = set1(factor);                                                                                       \
        for (size_t i = 0; i < count; i += lanes)                                                                      \
            store(a + i, fma(load(c + i), q, load(b + i)));                                                            \
    }
#define SET(name, text)                                                                                                \
    {                                                                                                                  \
        text, name##_multiply_add, name##_read, name##_triad                                                           \
    }

#if defined(__x86_64__)
#define SSE_FMA(a, b, c) _mm_add_ps(_mm_mul_ps(a, b), c)
LOOPS(avx512, __attribute__((target("avx512f"))), __m512, 16, _mm512_set1_ps, _mm512_loadu_ps, _mm512_storeu_ps,
      _mm512_add_ps, _mm512_fmadd_ps)
LOOPS(avx2, __attribute__((target("avx2,fma"))), __m256, 8, _mm256_set1_ps, _mm256_loadu_ps, _mm256_storeu_ps,
      _mm256_add_ps, _mm256_fmadd_ps)
LOOPS(sse, , __m128, 4, _mm_set1_ps, _mm_loadu_ps, _mm_storeu_ps, _mm_add_ps, SSE_FMA)
static const machine_set sets[] = {SET(avx512, "avx512"), SET(avx2, "avx2"), SET(sse, "sse2")};

static bool is_here(size_t index)
{
    return index == 2 || (index == 1 && __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) ||
           (index == 0 && __builtin_cpu_supports("avx512f"));
}
#else
#if defined(__aarch64__)
#define NEON_FMA(a, b, c) vfmaq_f32(c, a, b)
LOOPS(vectors, , float32x4_t, 4, vdupq_n_f32, vld1q_f32, vst1q_f32, vaddq_f32, NEON_FMA)
#define VECTORS           "neon"
#else
#define PLAIN(x)           (x)
#define PLAIN_LOAD(p)      (*(p))
#define PLAIN_STORE(p, x)  (*(p) = (x))
#define PLAIN_ADD(a, b)    ((a) + (b))
#define PLAIN_FMA(a, b, c) ((a) * (b) + (c))
LOOPS(vectors, , float, 1, PLAIN, PLAIN_LOAD, PLAIN_STORE, PLAIN_ADD, PLAIN_FMA)
#define VECTORS            "plain"
#endif
static const machine_set sets[] = {SET(vectors, VECTORS)};

static bool is_here(size_t index)
{
    return index == 0;
}
#endif

const machine_set *machine_set_at(size_t index)
{
    for (size_t i = 0; i < sizeof sets / sizeof sets[0]; i++)
        if (is_here(i) && index-- == 0)
            return &sets[i];
    return NULL;
}
