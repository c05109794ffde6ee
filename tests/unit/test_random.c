/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Random nets, each run in several ways that have to agree: on the device and on the reference; with every value kept,
 * so that nothing lies in place and nothing is fused, and without; losses differentiated in either order; a second
 * batch of another size after an optimiser step; gradients from values in the middle, of the whole net and of the part
 * below them alone. On the reference, slopes against differences of the loss.
 *
 *     test_random [SELECTION [COUNT [FIRST]]]
 */
#include "random_net.h"

#include "graph/session.h"

#include <math.h>

enum { ROUNDS = 2, MAX_TENSORS = MAX_NET_VALUES * (2 + MAX_NET_LOSSES) };

static const char *selection = "cpu";
static uint64_t net_count = 150, first_net = 1;

/* What one way of running gave: [kind][value], absent ones NULL. EVALUATED: outputs after the step, without gradients.
   FROM: gradients of the first input, by the value that they start from. */
enum { OUTPUT, EVALUATED, VARIABLE, GRADIENT, FROM = GRADIENT + MAX_NET_LOSSES + 1, KINDS };
typedef struct results {
    float *data[ROUNDS][KINDS][MAX_NET_VALUES];
    size_t count[ROUNDS][KINDS][MAX_NET_VALUES];
} results;

typedef struct way {
    const char *name;
    linnet_device *device;
    linnet_behaviour behaviour;
    int keep_all, reversed;
    uint32_t shaken; /* inputs and parameters off by a millionth, other ones for every number; 0: not */
} way;

static void results_clear(results *r)
{
    for (int round = 0; round < ROUNDS; round++)
        for (int kind = 0; kind < KINDS; kind++)
            for (int v = 0; v < MAX_NET_VALUES; v++)
                free(r->data[round][kind][v]);
    memset(r, 0, sizeof *r);
}

static size_t elements(const linnet_tensor *tensor)
{
    int64_t count = linnet_tensor_count(tensor);
    assert_true(count >= 0);
    return (size_t)count;
}

static float *take(results *r, int round, int kind, int index, size_t count)
{
    float *data = malloc((count + 1) * sizeof *data);
    assert_non_null(data);
    r->data[round][kind][index] = data;
    r->count[round][kind][index] = count;
    return data;
}

/* The shape of value v for a batch of n; false where other dimensions are free (there are none here). */
static size_t count_of(const random_net *r, int v, int64_t n)
{
    int64_t dims[LINNET_MAX_RANK];
    uint32_t rank = linnet_value_shape(r->net, (linnet_value){(uint32_t)v + 1}, dims);
    size_t count = 1;
    for (uint32_t i = 0; i < rank; i++)
        count *= (size_t)(dims[i] == LINNET_FREE ? n : dims[i]);
    return count;
}

/* ---- Feeding ---- */

typedef struct feeds {
    linnet_batch batch;
    void *memory[LINNET_MAX_FEEDS];
} feeds;

static void shake(const random_net *r, const way *w, uint32_t stream, float *data, size_t count)
{
    for (size_t i = 0; w->shaken && i < count; i++)
        data[i] *= 1.0f + 1e-6f * (2.0f * linnet_philox_uniform(r->seed, w->shaken, stream, i) - 1.0f);
}

static void initialize(const random_net *r, const way *w, linnet_session *session)
{
    const char *name;
    linnet_tensor shape;
    assert_ok(linnet_session_initialize(session, r->seed));
    for (size_t i = 0; w->shaken && linnet_session_variable(session, i, &name, &shape) == LINNET_OK; i++) {
        linnet_value parameter = linnet_net_parameter(r->net, name);
        size_t count = elements(&shape);
        float *data = malloc((count + 1) * sizeof *data);
        assert_non_null(data);
        assert_ok(linnet_session_get(session, name, data, count * sizeof *data));
        shake(r, w, parameter.id, data, parameter.id ? count : 0);
        assert_ok(linnet_session_set(session, name, data, count * sizeof *data));
        free(data);
    }
}

static void feed_input(const random_net *r, const way *w, const char *name, int64_t n, int round, feeds *out)
{
    int64_t dims[LINNET_MAX_RANK];
    linnet_value value = linnet_net_find(r->net, name);
    if (!value.id)
        return;
    uint32_t rank = linnet_value_shape(r->net, value, dims), slot = out->batch.feed_count;
    dims[0] = n;
    size_t count = count_of(r, (int)value.id - 1, n);
    float *data = out->memory[slot] = malloc(count * sizeof *data);
    fill_random(data, count, r->seed * 10 + (uint64_t)round, value.id);
    shake(r, w, value.id, data, count);
    linnet_type type = LINNET_F32;
    if (rank == 1) { /* labels; now and then one that does not count */
        type = LINNET_I32;
        for (size_t i = 0; i < count; i++) {
            int32_t label = (int32_t)((data[i] + 1.0f) * 2.2f);
            memcpy(&data[i], &label, sizeof label);
        }
    }
    feed(&out->batch, linnet_value_name(r->net, value), type, data, rank, dims);
}

static void feed_all(const random_net *r, const way *w, int64_t n, int round, feeds *out)
{
    char name[32];
    memset(out, 0, sizeof *out);
    for (int i = 0; i < 2; i++) {
        snprintf(name, sizeof name, "in%d", i);
        feed_input(r, w, name, n, round, out);
    }
    for (int i = 0; i < r->target_count; i++) {
        snprintf(name, sizeof name, "target%d", i);
        feed_input(r, w, name, n, round, out);
    }
}

static void feeds_clear(feeds *f)
{
    for (int i = 0; i < LINNET_MAX_FEEDS; i++)
        free(f->memory[i]);
}

/* ---- Running ---- */

static void want(const random_net *r, const way *w, linnet_session *session)
{
    linnet_node_info info;
    random_net dice = {.seed = r->seed, .drawn = 1000};
    assert_ok(linnet_session_want_gradient(session, linnet_net_find(r->net, "in0")));
    for (size_t n = 0; n < linnet_net_node_count(r->net); n++) {
        assert_ok(linnet_net_node(r->net, n, &info));
        int tap = draw(&dice, 10);
        if (w->keep_all || tap == 0)
            assert_ok(linnet_session_keep(session, info.output));
        if (w->keep_all || tap == 1)
            assert_ok(linnet_session_want_gradient(session, info.output));
    }
    for (int i = 0; r->total.id && i < r->loss_count; i++)
        assert_ok(linnet_session_add_loss(session, r->losses[i]));
}

static void read_value_gradients(const random_net *r, linnet_session *session, int64_t n, int round, int loss,
                                 results *out)
{
    for (int v = 0; v < MAX_NET_VALUES; v++) {
        float buffer[1];
        linnet_value value = {(uint32_t)v + 1};
        const char *name = linnet_value_name(r->net, value);
        if (!*name || linnet_net_parameter(r->net, name).id == value.id)
            continue; /* parameters' gradients add up: read once, at the end */
        size_t count = count_of(r, v, n);
        if (count > 0 && linnet_session_read_gradient(session, value, buffer, 1) == LINNET_INVALID &&
            strstr(linnet_context_message(NULL), "has no gradient"))
            continue;
        float *data = take(out, round, GRADIENT + loss, v, count);
        assert_ok(linnet_session_read_gradient(session, value, data, count * sizeof *data));
    }
}

static void read_outputs(const random_net *r, linnet_session *session, int64_t n, int round, int kind, results *out)
{
    linnet_tensor shape;
    for (int v = 0; v < MAX_NET_VALUES; v++) {
        linnet_value value = {(uint32_t)v + 1};
        if (!*linnet_value_name(r->net, value) || linnet_session_shape(session, value, &shape) != LINNET_OK)
            continue;
        assert_int_equal(elements(&shape), count_of(r, v, n));
        float *data = take(out, round, kind, v, elements(&shape));
        assert_ok(linnet_session_read(session, value, data, elements(&shape) * sizeof *data));
        if (shape.type == LINNET_I32)
            memset(data, 0, elements(&shape) * sizeof *data); /* labels are no floats */
    }
}

static void read_variables(const random_net *r, linnet_session *session, int round, results *out)
{
    const char *name;
    linnet_tensor shape;
    for (size_t i = 0; linnet_session_variable(session, i, &name, &shape) == LINNET_OK; i++) {
        float *data = take(out, round, VARIABLE, (int)i, elements(&shape));
        assert_ok(linnet_session_get(session, name, data, elements(&shape) * sizeof *data));
        linnet_value parameter = linnet_net_parameter(r->net, name);
        if (!parameter.id)
            continue;
        data = take(out, round, GRADIENT + MAX_NET_LOSSES, (int)parameter.id - 1, elements(&shape));
        assert_ok(linnet_session_read_gradient(session, parameter, data, elements(&shape) * sizeof *data));
    }
}

/* Fills the arena with NaN before it is used: what a step reads without having been written shows. */
static void poison(linnet_session *session, const linnet_batch *batch)
{
    linnet_plan *plan;
    assert_ok(linnet_session_plan(session, batch, &plan));
    assert_ok(linnet_plan_resolve(session, plan));
    for (uint32_t p = 0; p < session->place_count; p++) {
        const linnet_place *place = &session->places[p];
        for (size_t i = 0; i < place->block_count; i++)
            assert_ok(place->device->backend->fill(place->queue, (linnet_view){place->blocks[i], 0}, 0x7fc00000,
                                                   place->block_bytes[i] / 4 * 4));
    }
}

/* With the weights of this moment, folded and packed as inference likes them. */
static void evaluate(const random_net *r, const way *w, linnet_session *session, int round, results *out)
{
    feeds f;
    int64_t n = 1 + (int64_t)(r->seed % 2);
    feed_all(r, w, n, round + 2, &f);
    linnet_session_set_behaviour(session, LINNET_EVALUATE);
    linnet_session_set_gradients(session, 0);
    poison(session, &f.batch);
    assert_ok(linnet_forward(session, &f.batch));
    read_outputs(r, session, n, round, EVALUATED, out);
    linnet_session_set_behaviour(session, w->behaviour);
    linnet_session_set_gradients(session, 1);
    feeds_clear(&f);
}

/* The gradient of the first input from one value, if it has any. */
static void read_gradient_from(const random_net *r, linnet_session *session, linnet_value value, int round,
                               results *out)
{
    linnet_tensor shape;
    linnet_value input = linnet_net_find(r->net, "in0");
    assert_ok(linnet_session_shape(session, value, &shape));
    float *gradient = malloc(elements(&shape) * sizeof *gradient), probe[1];
    assert_non_null(gradient);
    fill_random(gradient, elements(&shape), r->seed, value.id);
    assert_ok(linnet_backward_from(session, value, gradient, elements(&shape) * sizeof *gradient));
    free(gradient);
    if (linnet_session_read_gradient(session, input, probe, 1) == LINNET_INVALID &&
        strstr(linnet_context_message(NULL), "has no gradient"))
        return;
    assert_ok(linnet_session_shape(session, input, &shape));
    float *data = take(out, round, FROM, (int)value.id - 1, elements(&shape));
    assert_ok(linnet_session_read_gradient(session, input, data, elements(&shape) * sizeof *data));
}

/* A session that looks inside: evaluate behaviour, gradients from a few values in the middle; lazy unless all is kept.
 */
static void run_from(const random_net *r, const way *w, int round, results *out)
{
    feeds f;
    linnet_node_info info;
    linnet_value from[3];
    random_net dice = {.seed = r->seed, .drawn = 2000};
    linnet_session *session = linnet_session_new(r->net, w->device);
    assert_non_null(session);
    initialize(r, w, session);
    linnet_session_set_lazy(session, !w->keep_all);
    linnet_session_set_gradients(session, 1);
    linnet_session_set_parameter_gradients(session, 0);
    assert_ok(linnet_session_want_gradient(session, linnet_net_find(r->net, "in0")));
    for (int i = 0; i < 3; i++) {
        size_t n = (size_t)draw(&dice, (int)linnet_net_node_count(r->net));
        assert_ok(linnet_net_node(r->net, n, &info));
        from[i] = info.output;
        assert_ok(linnet_session_add_loss(session, from[i]));
    }
    feed_all(r, w, 2, round, &f);
    poison(session, &f.batch);
    assert_ok(linnet_forward(session, &f.batch));
    for (int i = 0; i < 3; i++) {
        int now = w->reversed ? 2 - i : i, again = 0;
        for (int j = 0; j < 3; j++)
            again = again || (from[j].id == from[now].id && (w->reversed ? j > now : j < now));
        if (!again)
            read_gradient_from(r, session, from[now], round, out);
    }
    feeds_clear(&f);
    linnet_session_free(&session);
}

static void run(const random_net *r, const way *w, results *out)
{
    feeds f;
    linnet_session *session = linnet_session_new(r->net, w->device);
    if (!session)
        fail_msg("%s", linnet_context_message(NULL));
    linnet_optimizer *sgd = linnet_sgd_new(session, .learning_rate = 0.05f, .momentum = 0.9f);
    assert_non_null(sgd);
    initialize(r, w, session);
    linnet_session_set_behaviour(session, w->behaviour);
    want(r, w, session);
    for (int round = 0; round < ROUNDS; round++) {
        int64_t n = round ? 7 : 3 + (int64_t)(r->seed % 3);
        feed_all(r, w, n, round, &f);
        assert_ok(linnet_zero_grad(sgd));
        poison(session, &f.batch);
        assert_ok(linnet_forward(session, &f.batch));
        int losses = r->loss_count + (r->total.id != 0);
        for (int i = 0; i < losses; i++) {
            int loss = w->reversed ? losses - 1 - i : i;
            assert_ok(linnet_backward(session, loss == r->loss_count ? r->total : r->losses[loss]));
            read_value_gradients(r, session, n, round, loss, out);
        }
        read_outputs(r, session, n, round, OUTPUT, out); /* after backward: they have to be there still */
        read_variables(r, session, round, out);
        assert_ok(linnet_step(sgd));
        feeds_clear(&f);
        evaluate(r, w, session, round, out);
        run_from(r, w, round, out);
    }
    linnet_optimizer_free(&sgd);
    linnet_session_free(&session);
}

/* ---- Comparing ---- */

static const char *const kind_names[] = {"output",
                                         "evaluated",
                                         "variable",
                                         "gradient of loss 0",
                                         "gradient of loss 1",
                                         "gradient of loss 2",
                                         "gradient of loss 3",
                                         "gradient",
                                         "gradient of the input from"};

static double largest_of(const float *data, size_t count)
{
    double largest = 0;
    for (size_t i = 0; i < count; i++)
        largest = fmax(largest, fabs((double)data[i]));
    return largest;
}

static double largest_of_kind(const results *x, int round, int kind)
{
    double largest = 1e-3;
    for (int v = 0; v < MAX_NET_VALUES; v++)
        if (x->data[round][kind][v])
            largest = fmax(largest, largest_of(x->data[round][kind][v], x->count[round][kind][v]));
    return largest;
}

/* What rounding is measured against: a sum whose terms cancel (a bias before batch norm has no gradient) carries the
   noise of the terms, so a tenth of the largest number of its kind counts at least; all gradients are one kind. */
static double scale_of(const results *x, int round, int kind, int value)
{
    double all = largest_of_kind(x, round, kind);
    for (int k = GRADIENT; kind >= GRADIENT && k < KINDS; k++)
        all = fmax(all, largest_of_kind(x, round, k));
    return fmax(largest_of(x->data[round][kind][value], x->count[round][kind][value]), 0.1 * all);
}

static double difference(const float *a, const float *b, size_t count)
{
    double worst = 0;
    for (size_t i = 0; i < count; i++) {
        double d = fabs((double)a[i] - (double)b[i]);
        worst = d > worst || isnan(d) ? d : worst;
    }
    return worst;
}

static long compared;
static char mismatch[400]; /* the first one of a net */

/* Tensors that both ways gave agree, measured against the largest of `all`; else mismatch says where they do not. */
static int agree(const random_net *r, const way *a, const results *x, const way *b, const results *y,
                 const results *all, double tolerance)
{
    for (int round = 0; round < ROUNDS; round++)
        for (int kind = 0; kind < KINDS; kind++)
            for (int v = 0; v < MAX_NET_VALUES; v++) {
                const float *one = x->data[round][kind][v], *other = y->data[round][kind][v];
                if (!one || !other)
                    continue;
                double d = difference(one, other, x->count[round][kind][v]) / scale_of(all, round, kind, v);
                compared++;
                if (d <= tolerance)
                    continue;
                const char *name = linnet_value_name(r->net, (linnet_value){(uint32_t)v + 1});
                snprintf(mismatch, sizeof mismatch, "net %llu, %s against %s, round %d: %s of '%s' differs by %.3g",
                         (unsigned long long)r->seed, a->name, b->name, round, kind_names[kind],
                         kind == VARIABLE ? "a variable" : name, d);
                return 0;
            }
    return 1;
}

/* Is the net on the edge of a kink (of relu, a maximum, a limit), so that the last bits decide on which side? Then one
   way of running itself jumps when its inputs and parameters change by a millionth: the reference does, or, where
   equal numbers meet in a maximum, which the reference sums up exactly, the device. */
static int is_on_an_edge(const random_net *r, const way *one, const results *x)
{
    static results y;
    char kept[sizeof mismatch];
    int jumps = 0;
    memcpy(kept, mismatch, sizeof kept);
    for (uint32_t i = 1; i <= 8 && !jumps; i++) {
        way shaken = *one;
        shaken.shaken = i;
        run(r, &shaken, &y);
        jumps = !agree(r, &shaken, &y, one, x, x, 1e-4);
        results_clear(&y);
    }
    memcpy(mismatch, kept, sizeof kept);
    return jumps;
}

static linnet_device *opened(const char *what)
{
    linnet_device *device = linnet_device_open(NULL, what);
    if (!device)
        fail_msg("%s: %s", what, linnet_context_message(NULL));
    return device;
}

/* Runs one net in every way; 0 when some disagree. */
static int check_net(const random_net *r, linnet_device *device, linnet_device *reference)
{
    static results x[5];
    linnet_behaviour behaviour = r->seed % 4 == 0 ? LINNET_EVALUATE : LINNET_TRAIN;
    const way ways[] = {
        {"reference, all kept", reference, behaviour, 1, 0, 0},
        {"reference", reference, behaviour, 0, 0, 0},
        {selection, device, behaviour, 0, 0, 0},
        {"all kept", device, behaviour, 1, 0, 0},
        {"reversed", device, behaviour, 0, 1, 0},
    };
    for (int i = 0; i < 5; i++)
        run(r, &ways[i], &x[i]);
    int good = agree(r, &ways[1], &x[1], &ways[0], &x[0], &x[0], 1e-5);
    for (int i = 2; i < 5; i++) /* sums in other orders, the last bits go their way through the net */
        good = good && agree(r, &ways[i], &x[i], &ways[0], &x[0], &x[0], 2e-4);
    int excused = !good && (is_on_an_edge(r, &ways[0], &x[0]) || is_on_an_edge(r, &ways[3], &x[3]));
    for (int i = 0; i < 5; i++)
        results_clear(&x[i]);
    if (!good && !excused)
        fail_msg("%s", mismatch);
    return good;
}

static void every_way_gives_the_same(void **state)
{
    (void)state;
    uint64_t edges = 0;
    linnet_device *device = opened(selection), *reference = opened("reference");
    for (uint64_t seed = first_net; seed < first_net + net_count; seed++) {
        random_net r = random_net_new(seed, 0);
        if (!check_net(&r, device, reference)) {
            print_message("on an edge: %s\n", mismatch);
            edges++;
        }
        linnet_net_free(&r.net);
    }
    print_message("%llu nets, %ld tensors compared\n", (unsigned long long)net_count, compared);
    assert_true(compared >= (long)net_count * 20);
    assert_true(edges <= 1 + net_count / 200);
    linnet_device_close(&device);
    linnet_device_close(&reference);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_way_gives_the_same)};
    selection = argc > 1 ? argv[1] : selection;
    net_count = argc > 2 ? strtoull(argv[2], NULL, 10) : net_count;
    first_net = argc > 3 ? strtoull(argv[3], NULL, 10) : first_net;
    linnet_device *device = linnet_device_open(NULL, selection);
    if (!device) {
        printf("%s: %s\n", selection, linnet_context_message(NULL));
        return SKIPPED;
    }
    linnet_device_close(&device);
    return cmocka_run_group_tests_name("random nets", tests, NULL, NULL);
}
