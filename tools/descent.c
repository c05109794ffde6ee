/* SPDX-License-Identifier: Apache-2.0 */
#include "descent.h"

#include "interrupt.h"
#include "progress.h"
#include "text.h"

#include <math.h>
#include <stdlib.h>

int descent_new(descent *d, linnet_objective *objective, const char *title, const descent_settings *settings)
{
    linnet_objective_term term;
    *d = (descent){.objective = objective,
                   .title = title,
                   .method = (linnet_minimizer)settings->method,
                   .rate = settings->rate,
                   .total = (uint64_t)settings->iterations,
                   .picture = linnet_objective_shape(objective)};
    size_t count = linnet_objective_size(objective);
    while (linnet_objective_get_term(objective, d->terms, &term) == LINNET_OK)
        d->terms++;
    d->picture.data = calloc(count, sizeof(float));
    d->moments = calloc(2 * count, sizeof *d->moments);
    d->losses = calloc((size_t)d->total + 1, (1 + d->terms) * sizeof *d->losses);
    if (!d->picture.data || !d->moments || !d->losses)
        return cli_fail(EXIT_NO_MEMORY, "no memory for a picture of %zu numbers", count);
    linnet_objective_noise(objective, (uint64_t)settings->seed, d->picture.data);
    return EXIT_GO_ON;
}

void descent_free(descent *d)
{
    free(d->picture.data);
    free(d->moments);
    free(d->losses);
    *d = (descent){.objective = NULL};
}

const double *descent_row(const descent *d, uint64_t iteration)
{
    return d->losses + iteration * (1 + d->terms);
}

/* The losses of the objective's last evaluation as a row. */
static linnet_status record(descent *d, uint64_t iteration, double total)
{
    double *row = d->losses + iteration * (1 + d->terms);
    linnet_status status = LINNET_OK;
    row[0] = total;
    for (size_t i = 0; i < d->terms && status == LINNET_OK; i++) {
        linnet_objective_term term;
        status = linnet_objective_get_term(d->objective, i, &term);
        row[1 + i] = status == LINNET_OK ? term.weight * term.loss : NAN;
    }
    return status;
}

static linnet_status evaluate(void *user, const float *x, float *out_gradient, double *out_value)
{
    descent *d = user;
    linnet_status status = linnet_objective_evaluate(d->objective, x, out_gradient, out_value);
    if (status == LINNET_OK && d->evaluations++ == 0 && d->done == 0)
        status = record(d, 0, *out_value);
    return status;
}

/* Non-zero: stop. */
static int after_iteration(void *user, uint64_t iteration, double value, const float *x)
{
    descent *d = user;
    (void)x;
    d->done = iteration;
    d->code = cli_check(record(d, iteration, value));
    progress_update((int64_t)iteration, value, NAN);
    if (d->code == EXIT_GO_ON && d->moment)
        d->code = d->moment(d);
    return d->code != EXIT_GO_ON || (d->done < d->total && interrupt_seen()); /* the last one ends it anyway */
}

static linnet_status minimize(descent *d)
{
    linnet_minimize_result result = {.converged = 0};
    if (d->done >= d->total)
        return LINNET_OK;
    linnet_status status =
        linnet_minimize(NULL, linnet_objective_size(d->objective), d->picture.data, evaluate, d, &result,
                        .method = d->method, .iterations = d->total - d->done, .done = d->done, .low = 0, .high = 1,
                        .rate = (float)d->rate, .moments = d->moments, .progress = after_iteration, .progress_user = d);
    d->converged = result.converged != 0;
    return status;
}

/* What the picture has after it was moved into its range. */
static linnet_status look(descent *d)
{
    float *gradient = calloc(linnet_objective_size(d->objective), sizeof *gradient);
    if (!gradient)
        return LINNET_OUT_OF_MEMORY;
    linnet_status status = linnet_objective_evaluate(d->objective, d->picture.data, gradient, &d->last);
    free(gradient);
    return status;
}

int descent_run(descent *d)
{
    double start = text_now();
    d->code = EXIT_GO_ON;
    progress_start(d->title, "iterations", (int64_t)d->total);
    progress_update((int64_t)d->done, NAN, NAN);
    linnet_status status = minimize(d);
    progress_end();
    d->seconds += text_now() - start;
    if (d->code != EXIT_GO_ON)
        return d->code;
    bool stopped = status == LINNET_INTERRUPTED;
    if (status == LINNET_OK || stopped)
        status = look(d);
    d->first = descent_row(d, 0)[0];
    return status != LINNET_OK ? cli_check(status) : stopped ? EXIT_INTERRUPTED : EXIT_GO_ON;
}
