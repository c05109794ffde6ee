/* SPDX-License-Identifier: Apache-2.0 */
/* L-BFGS by liblbfgs, which counts in double precision. */
#include "minimize.h"

#include <lbfgs.h>
#include <limits.h>

#define MOST_TRIALS 20 /* of one line search */

typedef struct run {
    linnet_minimization *m;
    float *point; /* where the line search looks */
    linnet_status status;
    uint64_t before; /* iterations when this history began */
} run;

bool linnet_minimize_has_lbfgs(void)
{
    return true;
}

/* x as the function sees it: moved into the box. */
static void look_inside(const run *r, const lbfgsfloatval_t *x)
{
    const linnet_minimize_options *o = &r->m->options;
    for (size_t i = 0; i < r->m->count; i++) {
        float at = (float)x[i];
        r->point[i] = o->low == o->high ? at : at < o->low ? o->low : at > o->high ? o->high : at;
    }
}

/* Beyond the box only a slope that leads back counts. */
static lbfgsfloatval_t slope(const run *r, lbfgsfloatval_t x, float gradient)
{
    const linnet_minimize_options *o = &r->m->options;
    bool out = o->low < o->high &&
               ((x < (lbfgsfloatval_t)o->low && gradient > 0) || (x > (lbfgsfloatval_t)o->high && gradient < 0));
    return out ? 0 : (lbfgsfloatval_t)gradient;
}

/* After a failure the line search gets what satisfies it at once: then progress ends it. */
static lbfgsfloatval_t evaluate(void *user, const lbfgsfloatval_t *x, lbfgsfloatval_t *g, const int n,
                                const lbfgsfloatval_t step)
{
    run *r = user;
    linnet_minimization *m = r->m;
    double value = 0;
    (void)step;
    look_inside(r, x);
    if (r->status == LINNET_OK)
        r->status = linnet_minimization_evaluate(m, r->point, &value);
    for (int i = 0; i < n; i++) /* n may be rounded up */
        g[i] = r->status == LINNET_OK && (size_t)i < m->count ? slope(r, x[i], m->gradient[i]) : 0;
    return r->status == LINNET_OK ? (lbfgsfloatval_t)value : (lbfgsfloatval_t)-1e300;
}

static int progress(void *user, const lbfgsfloatval_t *x, const lbfgsfloatval_t *g, const lbfgsfloatval_t fx,
                    const lbfgsfloatval_t xnorm, const lbfgsfloatval_t gnorm, const lbfgsfloatval_t step, int n, int k,
                    int ls)
{
    run *r = user;
    linnet_minimization *m = r->m;
    (void)g, (void)xnorm, (void)gnorm, (void)step, (void)n, (void)k, (void)ls;
    if (r->status != LINNET_OK)
        return 1;
    for (size_t i = 0; i < m->count; i++)
        m->x[i] = (float)x[i];
    r->status = linnet_minimization_report(m, (double)fx);
    return r->status != LINNET_OK || m->result.iterations >= m->options.iterations;
}

/* Runs with a fresh history until the iterations are over or the line search finds nothing lower, which the last bits
   of a value in single precision can make it believe: then once more, and only a history that does not get a single
   step further is the end. */
static linnet_status iterate(run *r, lbfgsfloatval_t *x)
{
    linnet_minimization *m = r->m;
    lbfgs_parameter_t parameters;
    lbfgs_parameter_init(&parameters);
    parameters.m = (int)m->options.history;
    parameters.epsilon = 1e-12;
    parameters.max_linesearch = MOST_TRIALS;
    while (m->result.iterations < m->options.iterations && !m->result.converged) {
        r->before = m->result.iterations;
        int answer = lbfgs((int)m->count, x, NULL, evaluate, progress, r, &parameters);
        if (r->status != LINNET_OK)
            return r->status;
        if (answer == LBFGSERR_OUTOFMEMORY)
            return linnet_fail(m->context, LINNET_OUT_OF_MEMORY, "no memory for the history of L-BFGS");
        m->result.converged = m->result.iterations == r->before;
    }
    return LINNET_OK;
}

linnet_status linnet_minimize_lbfgs(linnet_minimization *m)
{
    if (m->count > INT_MAX - 64)
        return linnet_fail(m->context, LINNET_LIMIT, "L-BFGS: %zu numbers are too many", m->count);
    run r = {.m = m, .point = linnet_allocate(m->count, sizeof *r.point), .status = LINNET_OK};
    lbfgsfloatval_t *x = r.point ? lbfgs_malloc((int)m->count) : NULL;
    linnet_status status;
    if (x) {
        linnet_minimization_clamp(m);
        for (size_t i = 0; i < m->count; i++)
            x[i] = (lbfgsfloatval_t)m->x[i];
        status = iterate(&r, x);
        lbfgs_free(x);
    } else {
        status = linnet_fail(m->context, LINNET_OUT_OF_MEMORY, "no memory for L-BFGS over %zu numbers", m->count);
    }
    linnet_release(r.point);
    return status;
}
