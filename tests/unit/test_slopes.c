/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The gradients of whole random nets on the reference, against differences of the loss: for every parameter and every
 * loss, and for the input, the slope along the gradient itself and along a random direction. Only smooth layers, so
 * that there is a slope.
 *
 *     test_slopes [COUNT [FIRST]]
 */
#include "random_net.h"

#include "graph/net.h"

#include <math.h>

static uint64_t net_count = 60, first_net = 1;

typedef struct subject {
    random_net r;
    linnet_session *session;
    linnet_batch batch;
    void *memory[LINNET_MAX_FEEDS];
    float *image; /* of in0 */
    size_t image_count;
} subject;

static void subject_feed(subject *s, const char *name, int64_t n)
{
    int64_t dims[LINNET_MAX_RANK];
    linnet_value value = linnet_net_find(s->r.net, name);
    if (!value.id)
        return;
    uint32_t rank = linnet_value_shape(s->r.net, value, dims), slot = s->batch.feed_count;
    size_t count = 1;
    dims[0] = n;
    for (uint32_t i = 0; i < rank; i++)
        count *= (size_t)dims[i];
    float *data = s->memory[slot] = malloc(count * sizeof *data);
    assert_non_null(data);
    fill_random(data, count, s->r.seed, value.id);
    for (size_t i = 0; rank == 1 && i < count; i++) {
        int32_t label = (int32_t)((data[i] + 1.0f) * 2.0f);
        memcpy(&data[i], &label, sizeof label);
    }
    if (slot == 0) {
        s->image = data;
        s->image_count = count;
    }
    feed(&s->batch, linnet_value_name(s->r.net, value), rank == 1 ? LINNET_I32 : LINNET_F32, data, rank, dims);
}

static void subject_make(subject *s, uint64_t seed, linnet_device *reference)
{
    char name[32];
    *s = (subject){.r = random_net_new(seed, 1)};
    s->session = linnet_session_new(s->r.net, reference);
    assert_non_null(s->session);
    assert_ok(linnet_session_initialize(s->session, seed));
    linnet_session_set_gradients(s->session, 1);
    linnet_session_set_behaviour(s->session, seed % 3 ? LINNET_TRAIN : LINNET_EVALUATE);
    assert_ok(linnet_session_want_gradient(s->session, linnet_net_find(s->r.net, "in0")));
    for (int i = 0; i < s->r.loss_count; i++) {
        assert_ok(linnet_session_keep(s->session, s->r.losses[i]));
        assert_ok(linnet_session_add_loss(s->session, s->r.losses[i]));
    }
    for (int i = 0; i < 2; i++) {
        snprintf(name, sizeof name, "in%d", i);
        subject_feed(s, name, 4);
    }
    for (int i = 0; i < s->r.target_count; i++) {
        snprintf(name, sizeof name, "target%d", i);
        subject_feed(s, name, 4);
    }
}

static void subject_free(subject *s)
{
    linnet_session_free(&s->session);
    linnet_net_free(&s->r.net);
    for (int i = 0; i < LINNET_MAX_FEEDS; i++)
        free(s->memory[i]);
}

static double loss_at(subject *s, linnet_value loss)
{
    float value;
    assert_ok(linnet_forward(s->session, &s->batch));
    assert_ok(linnet_session_read(s->session, loss, &value, sizeof value));
    return (double)value;
}

/* Moves a parameter (or the input, name NULL) to base + step direction. */
static void move(subject *s, const char *name, const float *base, const float *direction, size_t count, double step)
{
    float *moved = name ? malloc(count * sizeof *moved) : s->image;
    assert_non_null(moved);
    for (size_t i = 0; i < count; i++)
        moved[i] = (float)((double)base[i] + step * (double)direction[i]);
    if (!name)
        return;
    assert_ok(linnet_session_set(s->session, name, moved, count * sizeof *moved));
    free(moved);
}

static double dot(const float *a, const float *b, size_t count)
{
    double sum = 0;
    for (size_t i = 0; i < count; i++)
        sum += (double)a[i] * (double)b[i];
    return sum;
}

/* Central difference along direction / length. */
static double slope_at(subject *s, linnet_value loss, const char *name, const float *base, const float *direction,
                       size_t count, double length, double step)
{
    move(s, name, base, direction, count, step / length);
    double above = loss_at(s, loss);
    move(s, name, base, direction, count, -step / length);
    return (above - loss_at(s, loss)) / (2 * step);
}

static void check_slope(subject *s, linnet_value loss, const char *name, const float *base, const float *gradient,
                        const float *direction, size_t count)
{
    double length = sqrt(dot(direction, direction, count));
    if (length == 0)
        return;
    double said = dot(gradient, direction, count) / length, here = loss_at(s, loss);
    double step = fmin(8e-3, 0.02 * fmax(1.0, fabs(here)) / fabs(said)); /* steep is curved, too: a small change */
    double wide = slope_at(s, loss, name, base, direction, count, length, step);
    double narrow = slope_at(s, loss, name, base, direction, count, length, step / 2);
    move(s, name, base, direction, count, 0);
    double seen = (4 * narrow - wide) / 3;                             /* Richardson: without the third derivative */
    double allowed = 0.01 * fabs(said) + 1e-3 * fmax(1.0, fabs(here)); /* the loss is in single precision */
    if (!(fabs(seen - said) <= allowed))
        fail_msg("net %llu: slope of '%s' along '%s' is %.6g, its gradient says %.6g", (unsigned long long)s->r.seed,
                 linnet_value_name(s->r.net, loss), name ? name : "in0", seen, said);
}

static void check_tensor(subject *s, linnet_value loss, const char *name, linnet_value value, size_t count)
{
    float *base = malloc(count * sizeof *base), *gradient = calloc(count, sizeof *base);
    float *direction = malloc(count * sizeof *base);
    assert_true(base && gradient && direction);
    if (name)
        assert_ok(linnet_session_get(s->session, name, base, count * sizeof *base));
    else
        memcpy(base, s->image, count * sizeof *base);
    assert_ok(linnet_session_zero_gradients(s->session));
    loss_at(s, loss);
    assert_ok(linnet_backward(s->session, loss));
    linnet_status status = linnet_session_read_gradient(s->session, value, gradient, count * sizeof *gradient);
    if (status != LINNET_OK) /* the loss does not depend on the input */
        assert_non_null(strstr(linnet_context_message(NULL), "has no gradient"));
    check_slope(s, loss, name, base, gradient, gradient, count);
    fill_random(direction, count, s->r.seed, value.id + 1000);
    check_slope(s, loss, name, base, gradient, direction, count);
    free(base);
    free(gradient);
    free(direction);
}

static void gradients_are_slopes(void **state)
{
    (void)state;
    long checked = 0;
    linnet_device *reference = linnet_device_open(NULL, "reference");
    assert_non_null(reference);
    for (uint64_t seed = first_net; seed < first_net + net_count; seed++) {
        subject s;
        const char *name;
        linnet_tensor shape;
        subject_make(&s, seed, reference);
        for (int i = 0; i < s.r.loss_count; i++) {
            check_tensor(&s, s.r.losses[i], NULL, linnet_net_find(s.r.net, "in0"), s.image_count);
            for (size_t v = 0; linnet_session_variable(s.session, v, &name, &shape) == LINNET_OK; v++) {
                linnet_value parameter = linnet_net_parameter(s.r.net, name);
                if (!parameter.id || s.r.net->values[parameter.id - 1].frozen)
                    continue;
                check_tensor(&s, s.r.losses[i], name, parameter, (size_t)linnet_tensor_count(&shape));
                checked++;
            }
        }
        subject_free(&s);
    }
    print_message("%llu nets, %ld gradients of parameters\n", (unsigned long long)net_count, checked);
    assert_true(checked >= (long)net_count * 2);
    linnet_device_close(&reference);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(gradients_are_slopes)};
    net_count = argc > 1 ? strtoull(argv[1], NULL, 10) : net_count;
    first_net = argc > 2 ? strtoull(argv[2], NULL, 10) : first_net;
    return cmocka_run_group_tests_name("slopes", tests, NULL, NULL);
}
