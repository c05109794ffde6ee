/* SPDX-License-Identifier: Apache-2.0 */
#include "minimize.h"
#include "options.h"

#include <math.h>
#include <string.h>

static linnet_minimizer resolve(linnet_minimizer method)
{
    if (method != LINNET_MINIMIZER_DEFAULT)
        return method;
    return linnet_minimize_has_lbfgs() ? LINNET_MINIMIZER_LBFGS : LINNET_MINIMIZER_ADAM;
}

const char *linnet_minimizer_name(linnet_minimizer method)
{
    method = resolve(method);
    return method == LINNET_MINIMIZER_LBFGS ? "lbfgs" : method == LINNET_MINIMIZER_ADAM ? "adam" : NULL;
}

int linnet_minimizer_available(linnet_minimizer method)
{
    method = resolve(method);
    return method == LINNET_MINIMIZER_ADAM || (method == LINNET_MINIMIZER_LBFGS && linnet_minimize_has_lbfgs());
}

linnet_status linnet_minimization_evaluate(linnet_minimization *m, const float *x, double *out_value)
{
    linnet_status status = m->function(m->user, x, m->gradient, out_value);
    if (status != LINNET_OK)
        return status;
    if (m->result.evaluations++ == 0)
        m->result.first = m->result.last = *out_value;
    return isfinite(*out_value)
               ? LINNET_OK
               : linnet_fail(m->context, LINNET_INVALID, "the loss is no number any more after %llu iterations%s",
                             (unsigned long long)(m->options.done + m->result.iterations),
                             m->options.method == LINNET_MINIMIZER_ADAM ? "; try a smaller rate" : "");
}

void linnet_minimization_clamp(linnet_minimization *m)
{
    float low = m->options.low, high = m->options.high;
    for (size_t i = 0; low < high && i < m->count; i++)
        m->x[i] = m->x[i] < low ? low : m->x[i] > high ? high : m->x[i];
}

linnet_status linnet_minimization_report(linnet_minimization *m, double value)
{
    m->result.iterations++;
    m->result.last = value;
    linnet_minimization_clamp(m);
    uint64_t iteration = m->options.done + m->result.iterations;
    if (!m->options.progress || !m->options.progress(m->options.progress_user, iteration, value, m->x))
        return LINNET_OK;
    return linnet_fail(m->context, LINNET_INTERRUPTED, "stopped after %llu iterations", (unsigned long long)iteration);
}

/* The options with every default resolved. */
static linnet_status complete(linnet_context *context, const linnet_minimize_options *options,
                              linnet_minimize_options *out)
{
    linnet_status status = linnet_vision_options(context, "linnet_minimize", options, out, sizeof *out);
    if (status != LINNET_OK)
        return status;
    out->method = resolve(out->method);
    out->iterations = out->iterations ? out->iterations : 100;
    out->rate = out->rate != 0 ? out->rate : 0.02f;
    out->history = out->history ? out->history : 10;
    if (!linnet_minimizer_name(out->method))
        return linnet_fail(context, LINNET_INVALID, "linnet_minimize: there is no method %d", (int)out->method);
    if (!(out->rate > 0) || !isfinite(out->rate) || !(out->low <= out->high) || out->history > 1000)
        return linnet_fail(context, LINNET_INVALID,
                           "linnet_minimize: rate %g, box [%g, %g] or history %u makes no sense", (double)out->rate,
                           (double)out->low, (double)out->high, out->history);
    return LINNET_OK;
}

linnet_status linnet_minimize_with(linnet_context *context, size_t count, float *x, linnet_objective_function function,
                                   void *user, const linnet_minimize_options *options,
                                   linnet_minimize_result *out_result)
{
    linnet_minimization m = {.count = count, .x = x, .function = function, .user = user};
    m.context = linnet_context_or_default(context);
    linnet_status status = linnet_context_check(m.context);
    if (status == LINNET_OK && (!count || !x || !function))
        status = linnet_fail(m.context, LINNET_INVALID, "linnet_minimize: numbers and a function are needed");
    if (status == LINNET_OK)
        status = complete(m.context, options, &m.options);
    if (status != LINNET_OK)
        return status;
    m.gradient = linnet_allocate(count, sizeof *m.gradient);
    if (!m.gradient)
        return linnet_fail(m.context, LINNET_OUT_OF_MEMORY, "no memory for a gradient of %zu numbers", count);
    status = m.options.method == LINNET_MINIMIZER_ADAM ? linnet_minimize_adam(&m) : linnet_minimize_lbfgs(&m);
    linnet_release(m.gradient);
    if (out_result)
        *out_result = m.result;
    return status;
}
