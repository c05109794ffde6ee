/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Times the convolutions and linear layers of well-known networks by Linnet, oneDNN and OpenBLAS, alternating in one
 * process, and prints how many times the best of oneDNN Linnet is. One process for each number of threads: oneDNN's
 * come from OpenMP, which reads its environment once.
 */
#include "peers.h"
#include "settings.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LINNET, ALONE, ANY, REORDERED, PLAIN, WINOGRAD, BLAS, ENGINES };

static const peer_engine *const engines[ENGINES] = {&peer_linnet,       &peer_linnet_alone, &peer_onednn,
                                                    &peer_onednn_alone, &peer_onednn_plain, &peer_onednn_winograd,
                                                    &peer_openblas};
static const char *const directions[PEER_DIRECTIONS] = {"forward", "data", "weights"};

typedef struct operands {
    float *x, *weight, *bias, *dy, *results[2];
} operands;

static float *fill(int64_t count, uint32_t seed)
{
    float *values = linnet_allocate((size_t)count, sizeof *values);
    for (int64_t i = 0; values && i < count; i++) {
        seed = seed * 1664525u + 1013904223u;
        values[i] = (float)(seed >> 8) * (1.0f / 8388608.0f) - 1;
    }
    return values;
}

static void operands_free(operands *o)
{
    float *all[] = {o->x, o->weight, o->bias, o->dy, o->results[0], o->results[1]};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        linnet_release(all[i]);
}

static bool operands_new(const linnet_case *layer, operands *o, peer_problem *p)
{
    int64_t x = linnet_desc_count(&layer->inputs[0]), y = linnet_desc_count(&layer->outputs[0]);
    int64_t w = linnet_desc_count(&layer->parameters[0]);
    p->result_count = (size_t)(p->direction == PEER_FORWARD ? y : p->direction == PEER_DATA ? x : w);
    *o = (operands){fill(x, 1),
                    fill(w, 2),
                    fill(layer->parameters[0].dims[0], 3),
                    fill(y, 4),
                    {fill((int64_t)p->result_count, 5), fill((int64_t)p->result_count, 6)}};
    p->x = o->x;
    p->weight = o->weight;
    p->bias = o->bias;
    p->dy = o->dy;
    p->operations = 2 * (double)layer->multiply_adds;
    return o->x && o->weight && o->bias && o->dy && o->results[0] && o->results[1];
}

/* The largest difference over the largest magnitude: do Linnet and a peer compute the same thing? Negative: unknown. */
static double difference(void *const *states, operands *o, size_t count)
{
    int other = states[ANY] ? ANY : PLAIN;
    if (!states[LINNET] || !states[other] || !engines[LINNET]->run(states[LINNET]) ||
        !engines[other]->run(states[other]) || !engines[LINNET]->result(states[LINNET], o->results[0]) ||
        !engines[other]->result(states[other], o->results[1]))
        return -1;
    double largest = 0, apart = 0;
    for (size_t i = 0; i < count; i++) {
        largest = fmax(largest, fabs((double)o->results[1][i]));
        double d = fabs((double)o->results[0][i] - (double)o->results[1][i]);
        apart = d <= apart ? apart : d >= 0 ? d : 1e30; /* or a NaN */
    }
    return largest > 0 ? apart / largest : -1;
}

/* NCHW throughout, or the other where that is the faster by the median. */
static int best_of(const peer_times *times, int other)
{
    bool measured = times[other].median > 0, faster = times[other].median <= times[PLAIN].median;
    return measured && (faster || !(times[PLAIN].median > 0)) ? other : PLAIN;
}

/* "1.23", or "-" where one of them was not measured. */
static const char *ratio_text(char text[16], double ratio)
{
    snprintf(text, 16, ratio > 0 ? "%.2f" : "-", ratio);
    return text;
}

static const char *rate_text(char text[16], double operations, double seconds)
{
    snprintf(text, 16, seconds > 0 ? "%.1f" : "-", 1e-9 * operations / seconds);
    return text;
}

static void print_json_times(const char *engine, const char *how, const peer_times *times)
{
    printf(", \"%s\": {\"how\": \"%s\", \"median_ms\": %.6g, \"min_ms\": %.6g, \"max_ms\": %.6g, \"rounds_ms\": [",
           engine, how, 1e3 * times->median, 1e3 * times->least, 1e3 * times->most);
    for (int round = 0; round < PEER_ROUNDS; round++)
        printf("%s%.4g", round ? ", " : "", 1e3 * times->rounds[round]);
    printf("]}");
}

static void print_json(const settings *o, const peer_shape *shape, const peer_problem *p, const char *const *how,
                       const peer_times *times, double apart)
{
    printf("{\"bench\": \"%s\", \"network\": \"%s\", \"layer\": \"%s\", \"case\": \"%s\", \"direction\": \"%s\", "
           "\"threads\": %d, \"gflop\": %.6g, \"bar\": %g",
           p->layer->layer->name, shape->network, shape->layer, shape->text, directions[p->direction], o->threads,
           1e-9 * p->operations, peer_bar(shape->network, p->layer, p->direction, o->threads));
    if (apart >= 0)
        printf(", \"difference\": %.3g", apart);
    for (int e = 0; e < ENGINES; e++)
        if (times[e].median > 0)
            print_json_times(engines[e]->name, how[e], &times[e]);
    printf("}\n");
}

static void print_row(const settings *o, const peer_shape *shape, const peer_problem *p, const char *const *how,
                      const peer_times *times, double apart)
{
    const peer_times *best = &times[best_of(times, ANY)], *alone = &times[best_of(times, REORDERED)];
    const peer_times *ours = &times[LINNET];
    double ratio = peer_ratio(best, ours), least = ours->least > 0 ? best->least / ours->least : 0;
    double bar = peer_bar(shape->network, p->layer, p->direction, o->threads);
    char text[ENGINES + 4][16], name[64], bars[16] = "-";
    snprintf(name, sizeof name, "%s %s", shape->network, shape->layer);
    if (bar > 0)
        snprintf(bars, sizeof bars, "%.2f%s", bar, ratio >= bar ? " ok" : "");
    printf("%-30s %-40s %-8s %d", name, shape->text, directions[p->direction], o->threads);
    for (int e = 0; e < ENGINES; e++)
        printf(" %7s", rate_text(text[e], p->operations, times[e].median));
    printf(" %6s %6s %6s %6s  %-8s %s%s\n", ratio_text(text[ENGINES], ratio), ratio_text(text[ENGINES + 1], least),
           ratio_text(text[ENGINES + 2], peer_ratio(alone, &times[ALONE])),
           ratio_text(text[ENGINES + 3], peer_ratio(&times[WINOGRAD], ours)), bars, how[LINNET] ? how[LINNET] : "",
           apart >= 1e-3 ? "  RESULTS DIFFER" : "");
}

static void print_head(void)
{
    printf(
        "GFLOP/s, medians. linnet: inside a network, in its own format; alone: converted from and to NCHW in every "
        "run. any: oneDNN in the layout that it picks; reord: from\nand to NCHW in every run; plain: NCHW throughout; "
        "wino: its Winograd, which it never picks by itself. blas: OpenBLAS, im2col left out.\nTimes Linnet: the "
        "better of any and plain, the median over the rounds, and by minima (min); the better of reord and plain, both "
        "alone; wino.\n\n"
        "%-30s %-40s %-8s %s",
        "layer", "case", "what", "t");
    static const char *const heads[ENGINES] = {"linnet", "alone", "any", "reord", "plain", "wino", "blas"};
    for (int e = 0; e < ENGINES; e++)
        printf(" %7s", heads[e]);
    printf(" %6s %6s %6s %6s  %-8s %s\n", "ratio", "(min)", "alone", "wino", "bar", "linnet's");
}

/* False: something broke; an engine that refuses is only left out. */
static bool measure_direction(const settings *o, const peer_shape *shape, const linnet_case *layer,
                              peer_direction direction)
{
    peer_problem p = {.layer = layer, .direction = direction};
    operands own;
    void *states[ENGINES] = {NULL};
    const char *how[ENGINES] = {NULL};
    peer_times times[ENGINES];
    bool done = operands_new(layer, &own, &p);
    for (int e = 0; done && e < ENGINES; e++)
        if (settings_has_engine(o, engines[e]->name))
            states[e] = engines[e]->open(&p, &o->peers, &how[e]);
    if (done && settings_has_engine(o, "linnet") && !states[LINNET])
        fprintf(stderr, "%s, %s: Linnet refuses: %s\n", shape->text, directions[direction],
                linnet_context_message(NULL));
    double apart = done ? difference(states, &own, p.result_count) : -1;
    done = done && peer_measure(engines, states, ENGINES, o->seconds, o->threads > 1 ? o->pause : 0, times);
    if (done && o->json)
        print_json(o, shape, &p, how, times, apart);
    else if (done)
        print_row(o, shape, &p, how, times, apart);
    for (int e = 0; e < ENGINES; e++)
        if (states[e])
            engines[e]->close(states[e]);
    operands_free(&own);
    fflush(stdout);
    return done;
}

static bool measure_shape(const settings *o, const peer_shape *shape)
{
    linnet_case *layer = linnet_allocate(1, sizeof *layer);
    bool done = layer && linnet_case_parse(NULL, shape->text, layer) == LINNET_OK;
    if (done && layer->layer->kind != LINNET_LAYER_CONV2D && layer->layer->kind != LINNET_LAYER_LINEAR)
        done = false;
    if (!done)
        fprintf(stderr, "%s: not a case of conv2d or linear: %s\n", shape->text, linnet_context_message(NULL));
    for (int direction = 0; done && direction < PEER_DIRECTIONS; direction++)
        if (settings_has_direction(o, directions[direction]))
            done = measure_direction(o, shape, layer, (peer_direction)direction);
    linnet_release(layer);
    return done;
}

int main(int argc, char **argv)
{
    settings o;
    int code = settings_read(argc, argv, &o);
    if (code >= 0)
        return code;
    peer_clock_start();
    o.peers.device = linnet_device_open(NULL, o.backend);
    if (!o.peers.device) {
        fprintf(stderr, "%s\n", linnet_context_message(NULL));
        return 1;
    }
    bool done = true;
    if (!o.json)
        print_head();
    for (size_t i = 0; done && !o.text && i < peer_shape_count(); i++)
        if (settings_selects(&o, peer_shape_at(i)))
            done = measure_shape(&o, peer_shape_at(i));
    if (o.text)
        done = measure_shape(&o, &(peer_shape){"-", "-", o.text});
    linnet_device_close(&o.peers.device);
    return done ? 0 : 1;
}
