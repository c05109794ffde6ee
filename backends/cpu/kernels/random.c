/* SPDX-License-Identifier: Apache-2.0 */
/* Dropout masks: Philox4x32-10 (linnet_philox in backend.h), VEC counters at once. */
#include "simd.h"

#include "linnet/backend.h"

/* Elements [first, first + count), one block of four words after the other; first is a multiple of 4. */
static void draw_blocks(const cpu_mask *m, uint64_t first, int64_t count, float *out)
{
    const uint32_t key[2] = {(uint32_t)m->seed, (uint32_t)(m->seed >> 32)};
    for (int64_t i = 0; i < count; i += 4) {
        uint64_t block = (first + (uint64_t)i) / 4;
        uint32_t counter[4] = {(uint32_t)block, (uint32_t)(block >> 32) ^ m->node, (uint32_t)m->step,
                               (uint32_t)(m->step >> 32)};
        uint32_t drawn[4];
        linnet_philox(counter, key, drawn);
        for (int64_t k = 0; k < 4 && i + k < count; k++)
            out[i + k] = (float)(drawn[k] >> 8) * (1.0f / 16777216.0f) >= m->probability ? m->factor : 0.0f;
    }
}

#if defined(CPU_ISA_AVX512) || defined(CPU_ISA_AVX2)

#if defined(CPU_ISA_AVX512)
typedef __m512i words; /* VEC numbers of 32 bits */

static ALWAYS_INLINE words words_set(uint32_t x)
{
    return _mm512_set1_epi32((int)x);
}

static ALWAYS_INLINE words words_count(uint32_t first)
{
    return _mm512_add_epi32(words_set(first), _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15));
}

static ALWAYS_INLINE words words_xor(words a, words b)
{
    return _mm512_xor_si512(a, b);
}

/* Upper and lower halves of the products of 64 bits; factor is the same in all places. */
static ALWAYS_INLINE void words_multiply(words factor, words x, words *high, words *low)
{
    words even = _mm512_mul_epu32(factor, x), odd = _mm512_mul_epu32(factor, _mm512_srli_epi64(x, 32));
    *high = _mm512_mask_blend_epi32(0xAAAA, _mm512_srli_epi64(even, 32), odd);
    *low = _mm512_mask_blend_epi32(0xAAAA, even, _mm512_slli_epi64(odd, 32));
}

static ALWAYS_INLINE vec words_uniform(words x)
{
    return _mm512_cvtepi32_ps(_mm512_srli_epi32(x, 8)) * vec_set(1.0f / 16777216.0f);
}
#else
typedef __m256i words;

static ALWAYS_INLINE words words_set(uint32_t x)
{
    return _mm256_set1_epi32((int)x);
}

static ALWAYS_INLINE words words_count(uint32_t first)
{
    return _mm256_add_epi32(words_set(first), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}

static ALWAYS_INLINE words words_xor(words a, words b)
{
    return _mm256_xor_si256(a, b);
}

static ALWAYS_INLINE void words_multiply(words factor, words x, words *high, words *low)
{
    words even = _mm256_mul_epu32(factor, x), odd = _mm256_mul_epu32(factor, _mm256_srli_epi64(x, 32));
    *high = _mm256_blend_epi32(_mm256_srli_epi64(even, 32), odd, 0xAA);
    *low = _mm256_blend_epi32(even, _mm256_slli_epi64(odd, 32), 0xAA);
}

static ALWAYS_INLINE vec words_uniform(words x)
{
    return _mm256_cvtepi32_ps(_mm256_srli_epi32(x, 8)) * vec_set(1.0f / 16777216.0f);
}
#endif

/* The words of VEC counters from `block` on, whose lower halves do not run over. */
static ALWAYS_INLINE void philox(const cpu_mask *m, uint64_t block, words c[4])
{
    uint32_t k0 = (uint32_t)m->seed, k1 = (uint32_t)(m->seed >> 32);
    c[0] = words_count((uint32_t)block);
    c[1] = words_set((uint32_t)(block >> 32) ^ m->node);
    c[2] = words_set((uint32_t)m->step);
    c[3] = words_set((uint32_t)(m->step >> 32));
    for (int round = 0; round < 10; round++) {
        words high0, low0, high1, low1;
        words_multiply(words_set(0xD2511F53u), c[0], &high0, &low0);
        words_multiply(words_set(0xCD9E8D57u), c[2], &high1, &low1);
        c[0] = words_xor(words_xor(high1, c[1]), words_set(k0));
        c[2] = words_xor(words_xor(high0, c[3]), words_set(k1));
        c[1] = low1;
        c[3] = low0;
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
}

/* Four vectors, one per word, into the order of the elements: a0 b0 c0 d0 a1 b1 ... */
static ALWAYS_INLINE void store_interleaved(float *out, const vec v[4])
{
    vec even[2] = {vec_zip_low(v[0], v[2]), vec_zip_high(v[0], v[2])};
    vec odd[2] = {vec_zip_low(v[1], v[3]), vec_zip_high(v[1], v[3])};
    for (int half = 0; half < 2; half++) {
        vec_store(out + 2 * half * VEC, vec_zip_low(even[half], odd[half]));
        vec_store(out + (2 * half + 1) * VEC, vec_zip_high(even[half], odd[half]));
    }
}

static void draw_mask(const cpu_mask *m, uint64_t first, int64_t count, float *out)
{
    const vec probability = vec_set(m->probability), factor = vec_set(m->factor), zero = vec_set(0);
    int64_t i = 0;
    for (; i + 4 * VEC <= count; i += 4 * VEC) {
        uint64_t block = (first + (uint64_t)i) / 4;
        words drawn[4];
        vec factors[4];
        if ((uint32_t)block > UINT32_MAX - VEC) {
            draw_blocks(m, first + (uint64_t)i, 4 * VEC, out + i);
            continue;
        }
        philox(m, block, drawn);
        for (int k = 0; k < 4; k++)
            factors[k] = vec_select(vec_gt(probability, words_uniform(drawn[k])), zero, factor);
        store_interleaved(out + i, factors);
    }
    draw_blocks(m, first + (uint64_t)i, count - i, out + i);
}

#else

static void draw_mask(const cpu_mask *m, uint64_t first, int64_t count, float *out)
{
    draw_blocks(m, first, count, out);
}

#endif

static void apply_mask(const float *factors, const float *x, float *y, int64_t count, bool accumulate)
{
    const vec zero = vec_set(0);
    for (int64_t i = 0; i < count; i += VEC) {
        int64_t n = count - i;
        vec f = vec_load_upto(factors + i, n);
        vec_put(y + i, vec_select(vec_gt(f, zero), f * vec_load_upto(x + i, n), zero), n, accumulate);
    }
}

void KERNEL(cpu_random_init)(cpu_table_type *table)
{
    table->draw_mask = draw_mask;
    table->apply_mask = apply_mask;
}
