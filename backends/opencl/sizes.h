/* SPDX-License-Identifier: Apache-2.0 */
/* Arithmetic of sizes and counts. Nothing is negative, no divisor is 0. */
#ifndef LINNET_OPENCL_SIZES_H
#define LINNET_OPENCL_SIZES_H

#include <stdint.h>

static inline int64_t smaller(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static inline int64_t larger(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static inline int64_t between(int64_t value, int64_t least, int64_t most)
{
    return value < least ? least : value > most ? most : value;
}

/* a / b, rounded up. */
static inline int64_t ceil_div(int64_t a, int64_t b)
{
    return (a + b - 1) / b;
}

/* The least multiple of unit that is not below a. */
static inline int64_t round_up(int64_t a, int64_t unit)
{
    return ceil_div(a, unit) * unit;
}

/* Their greatest common divisor. */
static inline int64_t gcd(int64_t a, int64_t b)
{
    return b ? gcd(b, a % b) : a;
}

#endif
