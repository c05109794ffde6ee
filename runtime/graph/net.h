/* SPDX-License-Identifier: Apache-2.0 */
/* The inside of a net: two flat arrays, values and nodes. Nodes only use values made before them. Internal. */
#ifndef LINNET_GRAPH_NET_H
#define LINNET_GRAPH_NET_H

#include "../layers/layer.h"
#include "linnet/net.h"

typedef enum linnet_value_kind {
    LINNET_VALUE_INPUT = 1, /* fed by the caller */
    LINNET_VALUE_PARAMETER, /* learned, kept in the session */
    LINNET_VALUE_STATE,     /* running statistics, kept in the session */
    LINNET_VALUE_NODE       /* made by a node */
} linnet_value_kind;

#define LINNET_NO_NODE UINT32_MAX

typedef struct linnet_net_value {
    linnet_value_kind kind;
    char *name; /* never NULL; unique among values of its kind */
    linnet_shape shape;
    uint32_t producer; /* node, or LINNET_NO_NODE */
    uint32_t uses;     /* how many node inputs read it */
    bool is_output;    /* named by linnet_output */
    bool frozen;       /* parameter */
    uint32_t initial;  /* parameter, state: linnet_initial */
    int64_t fan_in;    /* parameter */
    int64_t fan_out;   /* parameter: for LINNET_INITIAL_HE_NORMAL */
    float *values;     /* LINNET_INITIAL_VALUES: all of them, else NULL */
} linnet_net_value;

typedef struct linnet_node {
    const linnet_layer *layer;
    char *name;
    void *attributes; /* layer->attributes_size bytes, or NULL */
    uint32_t input_count, parameter_count, state_count;
    uint32_t *inputs; /* indices of values */
    uint32_t parameters[LINNET_MAX_PARAMETERS];
    uint32_t states[LINNET_MAX_STATES];
    uint32_t output;
} linnet_node;

/* A note: a text by its key. */
typedef struct linnet_net_text {
    char *key, *text;
} linnet_net_text;

struct linnet_net {
    linnet_context *context;
    linnet_status status; /* the first error */
    char *message;
    char *name;
    linnet_net_value *values;
    size_t value_count, value_capacity;
    linnet_node *nodes;
    size_t node_count, node_capacity;
    linnet_net_text *notes;
    size_t note_count, note_capacity;
    /* Whether the network as published has a tensor called so, which this net may lack: weight files may have it. NULL:
       the net is whole. */
    bool (*published)(const char *tensor);
    uint64_t version; /* changes with every change: plans of an older one are stale */
};

/* Makes the error stick; the first one wins. Returns the null value. */
linnet_value linnet_net_fail(linnet_net *net, linnet_status status, const char *format, ...) LINNET_PRINTF(3, 4);
/* LINNET_OK, or the sticking error as the thread's message. */
linnet_status linnet_net_check(const linnet_net *net);

void linnet_net_clear_notes(linnet_net *net);

/* The value behind a handle; NULL (and the error sticks) when it is null or not of this net. */
linnet_net_value *linnet_net_value_get(linnet_net *net, linnet_value value);

/* Index of a new value, or UINT32_MAX with the error sticking. Takes over name. */
uint32_t linnet_net_add_value(linnet_net *net, linnet_value_kind kind, char *name, const linnet_shape *shape);

/* A caller's options, of any age, as a full struct of ours: what they do not have is zero. false: the net refuses. */
bool linnet_net_take_options(linnet_net *net, const char *kind, const void *given, void *out, size_t size);

/* A node to be added; the caller fills the upper part. */
typedef struct linnet_node_request {
    linnet_layer_kind kind;
    const char *kind_name;  /* for automatic names: "relu"; NULL: the layer's */
    const char *name;       /* NULL: automatic */
    const void *attributes; /* copied */
    uint32_t input_count;
    const linnet_value *inputs;
    uint32_t parameter_count;
    linnet_value parameters[LINNET_MAX_PARAMETERS]; /* null: the layer's own, made now */
    int64_t features;
    uint32_t initial; /* linnet_initial of a weight made now */
} linnet_node_request;

/* Infers shapes, makes missing parameters and states, appends the node. Returns its output, or the null value. */
linnet_value linnet_net_add_node(linnet_net *net, const linnet_node_request *request);

#endif
