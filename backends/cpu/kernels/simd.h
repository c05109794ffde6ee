/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One name for the vectors of each instruction set; included by the kernel files only. vec holds VEC floats; the
 * arithmetic operators work on it. KERNEL(name) is name with the instruction set behind it.
 */
#ifndef LINNET_CPU_SIMD_H
#define LINNET_CPU_SIMD_H

#include "kernels.h"

#include <math.h>
#include <string.h>

#define KERNEL_JOIN(name, isa)   name##_##isa
#define KERNEL_EXPAND(name, isa) KERNEL_JOIN(name, isa)
#define KERNEL(name)             KERNEL_EXPAND(name, CPU_ISA)
#define ALWAYS_INLINE            inline __attribute__((always_inline))
#ifdef __clang__
#define UNROLL _Pragma("clang loop unroll(full)")
#else
#define UNROLL _Pragma("GCC unroll 32")
#endif

#if defined(CPU_ISA_AVX512)
#include <immintrin.h>
enum { VEC = 16, TILE_VECTORS = 4 };
typedef __m512 vec;
typedef __mmask16 mask;

static ALWAYS_INLINE vec vec_set(float x)
{
    return _mm512_set1_ps(x);
}

static ALWAYS_INLINE vec vec_load(const float *p)
{
    return _mm512_loadu_ps(p);
}

static ALWAYS_INLINE void vec_store(float *p, vec x)
{
    _mm512_storeu_ps(p, x);
}

/* x in a register: what uses it does not load it again. */
static ALWAYS_INLINE vec vec_hold(vec x)
{
    __asm__("" : "+v"(x));
    return x;
}

/* The first n elements, zeros behind them; n in 0..VEC. */
static ALWAYS_INLINE vec vec_load_n(const float *p, int64_t n)
{
    return _mm512_maskz_loadu_ps((__mmask16)((1u << n) - 1), p);
}

static ALWAYS_INLINE void vec_store_n(float *p, vec x, int64_t n)
{
    _mm512_mask_storeu_ps(p, (__mmask16)((1u << n) - 1), x);
}

static ALWAYS_INLINE vec vec_fma(vec a, vec b, vec c)
{
    return _mm512_fmadd_ps(a, b, c);
}

/* x where either is NaN. */
static ALWAYS_INLINE vec vec_max(vec bound, vec x)
{
    return _mm512_max_ps(bound, x);
}

static ALWAYS_INLINE vec vec_min(vec bound, vec x)
{
    return _mm512_min_ps(bound, x);
}

static ALWAYS_INLINE vec vec_sqrt(vec x)
{
    return _mm512_sqrt_ps(x);
}

static ALWAYS_INLINE mask vec_gt(vec a, vec b)
{
    return _mm512_cmp_ps_mask(a, b, _CMP_GT_OQ);
}

static ALWAYS_INLINE mask mask_or(mask a, mask b)
{
    return a | b;
}

/* a and not b. */
static ALWAYS_INLINE mask mask_and_not(mask a, mask b)
{
    return (mask)(a & ~b);
}

static ALWAYS_INLINE bool mask_any(mask a)
{
    return a != 0;
}

static ALWAYS_INLINE mask vec_is_nan(vec a)
{
    return _mm512_cmp_ps_mask(a, a, _CMP_UNORD_Q);
}

static ALWAYS_INLINE vec vec_select(mask m, vec yes, vec no)
{
    return _mm512_mask_blend_ps(m, no, yes);
}

/* Nearest integer, ties to even. */
static ALWAYS_INLINE vec vec_round(vec x)
{
    return _mm512_roundscale_ps(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}

/* Where a byte equals value. */
static ALWAYS_INLINE mask bytes_equal(const uint8_t *p, int value)
{
    return _mm_cmpeq_epi8_mask(_mm_loadu_si128((const __m128i *)p), _mm_set1_epi8((char)value));
}

/* Small non-negative integers as bytes. */
static ALWAYS_INLINE void bytes_store(uint8_t *p, vec x)
{
    _mm_storeu_si128((__m128i *)p, _mm512_cvtepi32_epi8(_mm512_cvtps_epi32(x)));
}

/* 2^n for integers -126 <= n <= 127. */
static ALWAYS_INLINE vec vec_exp2i(vec n)
{
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_add_epi32(_mm512_cvtps_epi32(n), _mm512_set1_epi32(127)), 23));
}

/* n and m of x = 2^n m with 1 <= m < 2, for normal x > 0; something finite for 0. */
static ALWAYS_INLINE vec vec_exponent(vec x)
{
    return _mm512_cvtepi32_ps(_mm512_sub_epi32(_mm512_srli_epi32(_mm512_castps_si512(x), 23), _mm512_set1_epi32(127)));
}

static ALWAYS_INLINE vec vec_mantissa(vec x)
{
    __m512i bits = _mm512_and_si512(_mm512_castps_si512(x), _mm512_set1_epi32(0x7fffff));
    return _mm512_castsi512_ps(_mm512_or_si512(bits, _mm512_set1_epi32(0x3f800000)));
}

#elif defined(CPU_ISA_AVX2)
#include <immintrin.h>
enum { VEC = 8, TILE_VECTORS = 2 };
typedef __m256 vec;
typedef __m256 mask;

static ALWAYS_INLINE vec vec_set(float x)
{
    return _mm256_set1_ps(x);
}

static ALWAYS_INLINE vec vec_load(const float *p)
{
    return _mm256_loadu_ps(p);
}

static ALWAYS_INLINE void vec_store(float *p, vec x)
{
    _mm256_storeu_ps(p, x);
}

static ALWAYS_INLINE vec vec_hold(vec x)
{
    __asm__("" : "+x"(x));
    return x;
}

static ALWAYS_INLINE __m256i vec_first(int64_t n)
{
    return _mm256_cmpgt_epi32(_mm256_set1_epi32((int)n), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}

static ALWAYS_INLINE vec vec_load_n(const float *p, int64_t n)
{
    return _mm256_maskload_ps(p, vec_first(n));
}

static ALWAYS_INLINE void vec_store_n(float *p, vec x, int64_t n)
{
    _mm256_maskstore_ps(p, vec_first(n), x);
}

static ALWAYS_INLINE vec vec_fma(vec a, vec b, vec c)
{
    return _mm256_fmadd_ps(a, b, c);
}

static ALWAYS_INLINE vec vec_max(vec bound, vec x)
{
    return _mm256_max_ps(bound, x);
}

static ALWAYS_INLINE vec vec_min(vec bound, vec x)
{
    return _mm256_min_ps(bound, x);
}

static ALWAYS_INLINE vec vec_sqrt(vec x)
{
    return _mm256_sqrt_ps(x);
}

static ALWAYS_INLINE mask vec_gt(vec a, vec b)
{
    return _mm256_cmp_ps(a, b, _CMP_GT_OQ);
}

static ALWAYS_INLINE mask mask_or(mask a, mask b)
{
    return _mm256_or_ps(a, b);
}

static ALWAYS_INLINE mask mask_and_not(mask a, mask b)
{
    return _mm256_andnot_ps(b, a);
}

static ALWAYS_INLINE bool mask_any(mask a)
{
    return _mm256_movemask_ps(a) != 0;
}

static ALWAYS_INLINE mask vec_is_nan(vec a)
{
    return _mm256_cmp_ps(a, a, _CMP_UNORD_Q);
}

static ALWAYS_INLINE vec vec_select(mask m, vec yes, vec no)
{
    return _mm256_blendv_ps(no, yes, m);
}

static ALWAYS_INLINE vec vec_round(vec x)
{
    return _mm256_round_ps(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}

static ALWAYS_INLINE mask bytes_equal(const uint8_t *p, int value)
{
    __m256i wide = _mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i *)p));
    return _mm256_castsi256_ps(_mm256_cmpeq_epi32(wide, _mm256_set1_epi32(value)));
}

static ALWAYS_INLINE void bytes_store(uint8_t *p, vec x)
{
    __m256i words = _mm256_cvtps_epi32(x);
    __m128i halves = _mm_packus_epi32(_mm256_castsi256_si128(words), _mm256_extracti128_si256(words, 1));
    _mm_storel_epi64((__m128i *)p, _mm_packus_epi16(halves, halves));
}

static ALWAYS_INLINE vec vec_exp2i(vec n)
{
    return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_add_epi32(_mm256_cvtps_epi32(n), _mm256_set1_epi32(127)), 23));
}

static ALWAYS_INLINE vec vec_exponent(vec x)
{
    return _mm256_cvtepi32_ps(_mm256_sub_epi32(_mm256_srli_epi32(_mm256_castps_si256(x), 23), _mm256_set1_epi32(127)));
}

static ALWAYS_INLINE vec vec_mantissa(vec x)
{
    __m256i bits = _mm256_and_si256(_mm256_castps_si256(x), _mm256_set1_epi32(0x7fffff));
    return _mm256_castsi256_ps(_mm256_or_si256(bits, _mm256_set1_epi32(0x3f800000)));
}

#else
/* The compiler's generic vectors: SSE2 on x86-64, plain code elsewhere. On aarch64 they are NEON's; CPU_ISA_NEON adds
   what they have no operator for. */
#if defined(CPU_ISA_NEON)
#include <arm_neon.h>
#endif
enum { VEC = 4, TILE_VECTORS = 2 };
typedef float vec __attribute__((vector_size(16)));
typedef int32_t mask __attribute__((vector_size(16)));

static ALWAYS_INLINE vec vec_set(float x)
{
    return (vec){x, x, x, x};
}

static ALWAYS_INLINE vec vec_load(const float *p)
{
    vec x;
    memcpy(&x, p, sizeof x);
    return x;
}

static ALWAYS_INLINE void vec_store(float *p, vec x)
{
    memcpy(p, &x, sizeof x);
}

static ALWAYS_INLINE vec vec_hold(vec x)
{
    return x;
}

static ALWAYS_INLINE vec vec_load_n(const float *p, int64_t n)
{
    vec x = {0};
    for (int64_t i = 0; i < n; i++)
        x[i] = p[i];
    return x;
}

static ALWAYS_INLINE void vec_store_n(float *p, vec x, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        p[i] = x[i];
}

static ALWAYS_INLINE vec vec_fma(vec a, vec b, vec c)
{
#if defined(CPU_ISA_NEON)
    return vfmaq_f32(c, a, b);
#else
    return a * b + c;
#endif
}

static ALWAYS_INLINE mask vec_gt(vec a, vec b)
{
    return a > b;
}

static ALWAYS_INLINE mask mask_or(mask a, mask b)
{
    return a | b;
}

static ALWAYS_INLINE mask mask_and_not(mask a, mask b)
{
    return a & ~b;
}

static ALWAYS_INLINE bool mask_any(mask a)
{
#if defined(CPU_ISA_NEON)
    return vmaxvq_u32((uint32x4_t)a) != 0;
#else
    return (a[0] | a[1] | a[2] | a[3]) != 0;
#endif
}

static ALWAYS_INLINE mask vec_is_nan(vec a)
{
    return a != a;
}

static ALWAYS_INLINE vec vec_select(mask m, vec yes, vec no)
{
#if defined(CPU_ISA_NEON)
    return vbslq_f32((uint32x4_t)m, yes, no);
#else
    return (vec)(((mask)yes & m) | ((mask)no & ~m));
#endif
}

static ALWAYS_INLINE vec vec_max(vec bound, vec x)
{
    return vec_select(bound > x, bound, x);
}

static ALWAYS_INLINE vec vec_min(vec bound, vec x)
{
    return vec_select(bound < x, bound, x);
}

static ALWAYS_INLINE vec vec_sqrt(vec x)
{
#if defined(CPU_ISA_NEON)
    return vsqrtq_f32(x);
#else
    return (vec){sqrtf(x[0]), sqrtf(x[1]), sqrtf(x[2]), sqrtf(x[3])};
#endif
}

/* For |x| < 2^22: adding 1.5 * 2^23 drops the fraction. */
static ALWAYS_INLINE vec vec_round(vec x)
{
    return (x + vec_set(12582912.0f)) - vec_set(12582912.0f);
}

static ALWAYS_INLINE mask bytes_equal(const uint8_t *p, int value)
{
    return (mask){p[0], p[1], p[2], p[3]} == (mask){value, value, value, value};
}

static ALWAYS_INLINE void bytes_store(uint8_t *p, vec x)
{
    for (int i = 0; i < VEC; i++)
        p[i] = (uint8_t)x[i];
}

static ALWAYS_INLINE vec vec_exp2i(vec n)
{
    return (vec)((__builtin_convertvector(n, mask) + 127) << 23);
}

static ALWAYS_INLINE vec vec_exponent(vec x)
{
    return __builtin_convertvector(((mask)x >> 23) - 127, vec);
}

static ALWAYS_INLINE vec vec_mantissa(vec x)
{
    return (vec)(((mask)x & 0x7fffff) | 0x3f800000);
}
#endif

/* a0 b0 a1 b1 ... of the lower and of the upper halves. */
static ALWAYS_INLINE vec vec_zip_low(vec a, vec b)
{
#if defined(CPU_ISA_AVX512)
    return __builtin_shufflevector(a, b, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
#elif defined(CPU_ISA_AVX2)
    return __builtin_shufflevector(a, b, 0, 8, 1, 9, 2, 10, 3, 11);
#else
    return __builtin_shufflevector(a, b, 0, 4, 1, 5);
#endif
}

static ALWAYS_INLINE vec vec_zip_high(vec a, vec b)
{
#if defined(CPU_ISA_AVX512)
    return __builtin_shufflevector(a, b, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
#elif defined(CPU_ISA_AVX2)
    return __builtin_shufflevector(a, b, 4, 12, 5, 13, 6, 14, 7, 15);
#else
    return __builtin_shufflevector(a, b, 2, 6, 3, 7);
#endif
}

/* a0 a2 a4 ... b0 b2 b4 ... */
static ALWAYS_INLINE vec vec_even(vec a, vec b)
{
#if defined(CPU_ISA_AVX512)
    return __builtin_shufflevector(a, b, 0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
#elif defined(CPU_ISA_AVX2)
    return __builtin_shufflevector(a, b, 0, 2, 4, 6, 8, 10, 12, 14);
#else
    return __builtin_shufflevector(a, b, 0, 2, 4, 6);
#endif
}

/* Loads and stores that are whole but at the end of an array. */
static ALWAYS_INLINE vec vec_load_upto(const float *p, int64_t n)
{
    return n >= VEC ? vec_load(p) : vec_load_n(p, n);
}

static ALWAYS_INLINE void vec_store_upto(float *p, vec x, int64_t n)
{
    if (n >= VEC)
        vec_store(p, x);
    else
        vec_store_n(p, x, n);
}

/* Writes, or adds to what is there. */
static ALWAYS_INLINE void vec_put(float *p, vec x, int64_t n, bool accumulate)
{
    if (accumulate)
        x = x + vec_load_upto(p, n);
    vec_store_upto(p, x, n);
}

static ALWAYS_INLINE float vec_sum(vec x)
{
    float lanes[VEC];
    vec_store(lanes, x);
    for (int width = VEC / 2; width > 0; width /= 2)
        for (int i = 0; i < width; i++)
            lanes[i] += lanes[i + width];
    return lanes[0];
}

static ALWAYS_INLINE float vec_maximum(vec x)
{
    float lanes[VEC], best;
    vec_store(lanes, x);
    best = lanes[0];
    for (int i = 1; i < VEC; i++)
        best = lanes[i] > best || lanes[i] != lanes[i] ? lanes[i] : best;
    return best;
}

/* e^x to about 1 ulp: x = n ln 2 + r with |r| <= ln 2 / 2, e^r by its Taylor series to r^7 (remainder below 6e-9),
   ln 2 in two parts (Cody and Waite). Results below 2^-126 become 0. NaN stays NaN. */
static ALWAYS_INLINE vec vec_exp(vec x)
{
    vec limited = vec_min(vec_set(88.8f), vec_max(vec_set(-90.0f), x));
    vec n = vec_round(limited * vec_set(1.44269504f));
    vec r = vec_fma(n, vec_set(-0.693359375f), limited);
    r = vec_fma(n, vec_set(2.12194440e-4f), r);
    vec p = vec_set(1.0f / 5040);
    p = vec_fma(p, r, vec_set(1.0f / 720));
    p = vec_fma(p, r, vec_set(1.0f / 120));
    p = vec_fma(p, r, vec_set(1.0f / 24));
    p = vec_fma(p, r, vec_set(1.0f / 6));
    p = vec_fma(p, r, vec_set(0.5f));
    p = vec_fma(p, r, vec_set(1.0f));
    p = vec_fma(p, r, vec_set(1.0f));
    /* n reaches 128 at the top: one factor 2 apart. Below -126: 0. */
    vec top = vec_min(vec_set(127.0f), n);
    p = p * vec_exp2i(vec_max(vec_set(-126.0f), top)) *
        vec_select(vec_gt(n, vec_set(127.0f)), vec_set(2.0f), vec_set(1.0f));
    p = vec_select(vec_gt(vec_set(-87.33654f), x), vec_set(0.0f), p);
    return vec_select(vec_is_nan(x), x, p);
}

#endif
