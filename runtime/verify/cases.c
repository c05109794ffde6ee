/* SPDX-License-Identifier: Apache-2.0 */
/* The built-in table: tests/cases/<kind>.def, one file per row of layers.def, LINNET_CASE(level, text) each. */
#include "linnet/verify.h"

typedef struct row {
    linnet_verify_level level;
    const char *text;
} row;

#define LINNET_CASE(level, text) {LINNET_VERIFY_##level, text},
static const row conv2d_rows[] = {
#include "conv2d.def"
};
static const row linear_rows[] = {
#include "linear.def"
};
static const row max_pool2d_rows[] = {
#include "max_pool2d.def"
};
static const row avg_pool2d_rows[] = {
#include "avg_pool2d.def"
};
static const row global_avg_pool_rows[] = {
#include "global_avg_pool.def"
};
static const row unary_rows[] = {
#include "unary.def"
};
static const row binary_rows[] = {
#include "binary.def"
};
static const row softmax_rows[] = {
#include "softmax.def"
};
static const row log_softmax_rows[] = {
#include "log_softmax.def"
};
static const row batch_norm_rows[] = {
#include "batch_norm.def"
};
static const row reshape_rows[] = {
#include "reshape.def"
};
static const row concat_rows[] = {
#include "concat.def"
};
static const row dropout_rows[] = {
#include "dropout.def"
};
static const row cross_entropy_rows[] = {
#include "cross_entropy.def"
};
static const row mse_rows[] = {
#include "mse.def"
};
static const row local_conv2d_rows[] = {
#include "local_conv2d.def"
};
static const row gram_rows[] = {
#include "gram.def"
};
static const row total_variation_rows[] = {
#include "total_variation.def"
};
static const row alpha_norm_rows[] = {
#include "alpha_norm.def"
};
static const row pad2d_rows[] = {
#include "pad2d.def"
};
static const row optimizer_rows[] = {
#include "optimizer.def"
};
static const row queue_rows[] = {
#include "queue.def"
};
#undef LINNET_CASE

typedef struct table {
    const row *rows;
    size_t count;
} table;

/* A layer kind without cases does not compile. */
#define LINNET_TABLE(name)                                                                                             \
    {                                                                                                                  \
        name##_rows, sizeof name##_rows / sizeof *name##_rows                                                          \
    }
static const table tables[] = {
    LINNET_TABLE(queue),
#define LINNET_LAYER(number, NAME, name, ...) LINNET_TABLE(name),
#include "linnet/layers.def"
    LINNET_TABLE(optimizer),
};

/* Case number index of a level, or NULL with how many there are. */
static const char *walk(linnet_verify_level level, size_t index, size_t *out_count)
{
    size_t count = 0;
    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++)
        for (size_t j = 0; j < tables[i].count; j++)
            if (tables[i].rows[j].level <= level && count++ == index)
                return tables[i].rows[j].text;
    *out_count = count;
    return NULL;
}

size_t linnet_verify_case_count(linnet_verify_level level)
{
    size_t count = 0;
    walk(level, SIZE_MAX, &count);
    return count;
}

const char *linnet_verify_case_at(linnet_verify_level level, size_t index)
{
    size_t count;
    return walk(level, index, &count);
}
