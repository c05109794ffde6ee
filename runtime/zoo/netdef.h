/* SPDX-License-Identifier: Apache-2.0 */
/* A net in a line between text and layers: what the parser makes and the builder reads. Internal. */
#ifndef LINNET_ZOO_NETDEF_H
#define LINNET_ZOO_NETDEF_H

#include "../core/core.h"
#include "linnet/netdef.h"
#include "linnet/zoo.h"

enum { NETDEF_NAME = 48, NETDEF_NUMBERS = 4, NETDEF_TOKEN = 24 };

/* Options with numbers; "nb" is by itself. */
enum { NETDEF_K, NETDEF_S, NETDEF_P, NETDEF_D, NETDEF_G, NETDEF_OPTIONS };
#define NETDEF_LETTERS "kspdg"

typedef struct netdef_layer netdef_layer;

/* A kind of layer as it is written. */
typedef struct netdef_kind {
    const char *keyword;
    const char *numbers;  /* what they are, for messages */
    uint32_t least, most; /* how many */
    bool real;            /* else whole numbers */
    double low, high;     /* of each number */
    const char *options;  /* letters of NETDEF_LETTERS; n: nb; r: reflect, replicate */
    const char *required; /* those that must be given; 1: the kernel, as a number or as k */
    linnet_value (*build)(linnet_net *net, linnet_value x, const netdef_layer *layer, const char *name);
} netdef_kind;

struct netdef_layer {
    const netdef_kind *kind;
    size_t at;              /* where the statement starts in the text */
    char name[NETDEF_NAME]; /* "": automatic */
    uint32_t number_count;
    double numbers[NETDEF_NUMBERS];
    char written[NETDEF_NUMBERS][NETDEF_TOKEN]; /* the numbers as the text has them */
    bool given[NETDEF_OPTIONS], no_bias;
    uint32_t border;                    /* pad: linnet_pad_mode */
    int64_t options[NETDEF_OPTIONS][2]; /* down, right; 0 where not given */
};

typedef struct netdef {
    linnet_context *context;
    const char *text;
    netdef_layer *layers;
    size_t count, capacity;
    bool has_input;
    size_t input_at;
    int64_t input[3]; /* channels, height, width */
} netdef;

/* NULL when there is none called so; index instead of a word lists them. */
const netdef_kind *netdef_kind_find(const char *word);
const netdef_kind *netdef_kind_at(size_t index);

/* Parses text; netdef_clear also after a failure. */
linnet_status netdef_parse(linnet_context *context, const char *text, netdef *out);
void netdef_clear(netdef *d);
/* "line:column: sentence", the line, a caret under the column. */
linnet_status netdef_fail(const netdef *d, linnet_status status, size_t at, const char *format, ...)
    LINNET_PRINTF(4, 5);
/* Adds the layers; out_scores: what a softmax at the end reads, else the same. Returns the null value on failure. */
linnet_value netdef_build(const netdef *d, linnet_net *net, linnet_value x, linnet_value *out_scores);
/* Like netdef_fail, and it sticks to the net. */
linnet_value netdef_net_fail(const netdef *d, linnet_net *net, linnet_status status, size_t at, const char *sentence);
/* One line; NULL: out of memory. Release with linnet_release. */
char *netdef_write(const netdef *d);

/* The network that a text describes, for linnet_model_new: scores, labels and loss where it ends in scores. */
linnet_status netdef_model(linnet_context *context, const char *text, const linnet_model_options *options,
                           linnet_model *out_model);

/* ---- netdef_blocks.c ---- */
linnet_value netdef_residual(linnet_net *net, linnet_value x, const netdef_layer *layer, const char *name);
linnet_value netdef_fire(linnet_net *net, linnet_value x, const netdef_layer *layer, const char *name);

#endif
