/* SPDX-License-Identifier: Apache-2.0 */
/* Adversarial examples: fast gradient sign and projected gradient steps on a batch of pictures. */
#include "linnet/adversarial.h"
#include "linnet/backend.h"
#include "options.h"
#include "probe.h"

#include <math.h>
#include <string.h>

#define DEFAULT_STEPS 40
#define STREAM        0x61647665u /* of the random start, among all that draw from a seed */

typedef struct attack {
    linnet_context *context;
    linnet_probe p;
    const linnet_model *model;
    linnet_attack_options o;
    const float *pictures;
    const int32_t *labels;
    int64_t n, classes;
    size_t item, count;           /* values of a picture, of the batch */
    float *x, *gradient, *scores; /* the point, d loss / d point, logits */
    float *direction;             /* of the scores, see score_direction */
    float *best;                  /* out_pictures */
    double *best_gain;            /* how good it is; -infinity: none yet */
    int32_t *best_class;
} attack;

/* ---- Checks and memory ---- */

static linnet_status check_options(const attack *a)
{
    const linnet_attack_options *o = &a->o;
    if (!(o->epsilon >= 0) || o->epsilon > 1)
        return linnet_fail(a->context, LINNET_INVALID, "attack: epsilon %g is not from 0 to 1", (double)o->epsilon);
    if (o->method != LINNET_ATTACK_FGSM && o->method != LINNET_ATTACK_PGD)
        return linnet_fail(a->context, LINNET_INVALID, "attack: there is no method %d", (int)o->method);
    if (!(o->step_size >= 0) || o->step_size > 1)
        return linnet_fail(a->context, LINNET_INVALID, "attack: a step size of %g makes no sense",
                           (double)o->step_size);
    return LINNET_OK;
}

static linnet_status check_model(attack *a)
{
    int64_t logits[LINNET_MAX_RANK] = {0};
    if (!a->model || !a->model->logits.id)
        return linnet_fail(a->context, LINNET_INVALID, "attack: the network '%s' has no classes",
                           a->model ? linnet_net_name(a->model->net) : "");
    linnet_value_shape(a->model->net, a->model->logits, logits);
    a->classes = logits[1];
    return LINNET_OK;
}

static linnet_status check_pictures(attack *a, const linnet_tensor *pictures)
{
    if (!pictures || !pictures->data || pictures->type != LINNET_F32 || (pictures->rank != 3 && pictures->rank != 4) ||
        linnet_tensor_count(pictures) < 1)
        return linnet_fail(a->context, LINNET_SHAPE, "attack: pictures have to be f32 [N,C,H,W] or [C,H,W]");
    const int64_t *dims = pictures->dims + (pictures->rank == 4);
    a->pictures = pictures->data;
    a->n = pictures->rank == 4 ? pictures->dims[0] : 1;
    a->item = (size_t)(dims[0] * dims[1] * dims[2]);
    a->count = (size_t)linnet_tensor_count(pictures);
    if (dims[0] > 4)
        return linnet_fail(a->context, LINNET_SHAPE, "attack: a picture has at most 4 channels, not %lld",
                           (long long)dims[0]);
    for (int64_t i = 0; i < a->n; i++)
        if (!a->labels || a->labels[i] < 0 || a->labels[i] >= a->classes)
            return linnet_fail(a->context, LINNET_INVALID, "attack: the label of picture %lld is none of %lld classes",
                               (long long)i, (long long)a->classes);
    return LINNET_OK;
}

static linnet_status attack_memory(attack *a)
{
    a->x = linnet_allocate(a->count, sizeof *a->x);
    a->gradient = linnet_allocate(a->count, sizeof *a->gradient);
    a->scores = linnet_allocate((size_t)(a->n * a->classes), sizeof *a->scores);
    a->direction = linnet_allocate((size_t)(a->n * a->classes), sizeof *a->direction);
    a->best_gain = linnet_allocate((size_t)a->n, sizeof *a->best_gain);
    a->best_class = linnet_allocate((size_t)a->n, sizeof *a->best_class);
    if (!a->x || !a->gradient || !a->scores || !a->direction || !a->best_gain || !a->best_class)
        return linnet_fail(a->context, LINNET_OUT_OF_MEMORY, "no memory for an attack on %lld pictures",
                           (long long)a->n);
    for (int64_t i = 0; i < a->n; i++) {
        a->best_gain[i] = -INFINITY;
        a->best_class[i] = -1;
    }
    return LINNET_OK;
}

static void attack_release(attack *a)
{
    linnet_release(a->x);
    linnet_release(a->gradient);
    linnet_release(a->scores);
    linnet_release(a->direction);
    linnet_release(a->best_gain);
    linnet_release(a->best_class);
}

/* ---- The net ---- */

/* Runs it at x; scores are there afterwards. */
static linnet_status forward(attack *a)
{
    linnet_status status = linnet_probe_forward(&a->p, a->x, a->n);
    return status == LINNET_OK ? linnet_session_read(a->p.session, a->model->logits, a->scores,
                                                     (size_t)(a->n * a->classes) * sizeof(float))
                               : status;
}

/* The direction of d cross-entropy / d scores of one picture: softmax - onehot(label), divided by 1 - softmax[label].
   Signs stay, and a picture of which the net is all but certain has a slope, too: 1 - softmax[label] would round to 0.
 */
static void score_direction(const attack *a, int64_t i, float *out)
{
    const float *scores = a->scores + i * a->classes;
    int32_t label = a->labels[i];
    double top = -INFINITY, sum = 0;
    for (int64_t c = 0; c < a->classes; c++)
        top = c == label ? top : fmax(top, (double)scores[c]);
    for (int64_t c = 0; c < a->classes; c++)
        sum += c == label ? 0 : exp((double)scores[c] - top);
    for (int64_t c = 0; c < a->classes; c++)
        out[c] = c == label ? -1.0f : (float)(exp((double)scores[c] - top) / sum);
}

/* The direction of d loss / d x of the last forward, each picture scaled by itself. */
static linnet_status backward(attack *a)
{
    for (int64_t i = 0; i < a->n; i++)
        score_direction(a, i, a->direction + i * a->classes);
    linnet_status status = linnet_probe_backward(&a->p, a->model->logits, a->direction, (size_t)(a->n * a->classes));
    return status == LINNET_OK ? linnet_probe_picture_gradient(&a->p, a->gradient) : status;
}

/* ---- What is good ---- */

/* -1 where no score is a number. */
static int32_t class_of(const attack *a, int64_t i)
{
    const float *scores = a->scores + i * a->classes;
    int32_t best = -1;
    for (int32_t c = 0; c < a->classes; c++)
        if (!isnan(scores[c]) && (best < 0 || scores[c] > scores[best]))
            best = c;
    return best;
}

static double cross_entropy(const attack *a, int64_t i)
{
    const float *scores = a->scores + i * a->classes;
    int32_t best = class_of(a, i);
    double top = best < 0 ? NAN : (double)scores[best], sum = 0;
    for (int64_t c = 0; c < a->classes; c++)
        sum += exp((double)scores[c] - top);
    return top + log(sum) - (double)scores[a->labels[i]];
}

static bool fools(const attack *a, int64_t i, int32_t class_index)
{
    return (class_index == a->labels[i]) == (a->o.targeted != 0);
}

/* Higher is better. Cross-entropies stay far below the lead of a picture that fools the net. */
static double gain_of(const attack *a, int64_t i)
{
    double loss = fmin(cross_entropy(a, i), 1e6);
    return (a->o.targeted ? -loss : loss) + (fools(a, i, class_of(a, i)) ? 1e7 : 0);
}

/* Keeps what is better than before; whether every picture fools the net by now. */
static bool keep_best(attack *a)
{
    bool all = true;
    for (int64_t i = 0; i < a->n; i++) {
        double gain = gain_of(a, i);
        if (gain > a->best_gain[i]) {
            a->best_gain[i] = gain;
            a->best_class[i] = class_of(a, i);
            memcpy(a->best + (size_t)i * a->item, a->x + (size_t)i * a->item, a->item * sizeof *a->x);
        }
        all = all && fools(a, i, a->best_class[i]);
    }
    return all;
}

/* ---- Steps ---- */

static float clip(float value, float low, float high)
{
    return value < low ? low : value > high ? high : value;
}

/* Within epsilon of the picture and from 0 to 1. */
static float project(const attack *a, size_t i, float value)
{
    float picture = a->pictures[i];
    return clip(clip(value, picture - a->o.epsilon, picture + a->o.epsilon), 0.0f, 1.0f);
}

static void step(attack *a, float size)
{
    for (size_t i = 0; i < a->count; i++) {
        float g = a->o.targeted ? -a->gradient[i] : a->gradient[i];
        float sign = (float)((g > 0) - (g < 0));
        a->x[i] = project(a, i, a->x[i] + size * sign);
    }
}

/* What the net takes x for. */
static linnet_status classify(attack *a)
{
    linnet_status status = forward(a);
    for (int64_t i = 0; status == LINNET_OK && i < a->n; i++)
        a->best_class[i] = class_of(a, i);
    return status;
}

static linnet_status run_fgsm(attack *a, bool want_classes)
{
    memcpy(a->x, a->pictures, a->count * sizeof *a->x);
    linnet_status status = a->o.epsilon > 0 ? forward(a) : LINNET_OK;
    if (status == LINNET_OK && a->o.epsilon > 0)
        status = backward(a);
    if (status != LINNET_OK)
        return status;
    step(a, a->o.epsilon);
    memcpy(a->best, a->x, a->count * sizeof *a->x);
    return want_classes ? classify(a) : LINNET_OK;
}

static void start(attack *a)
{
    bool random = !a->o.begin && !a->o.from_picture;
    const float *from = a->o.begin ? a->o.begin : a->pictures;
    for (size_t i = 0; i < a->count; i++) {
        float offset = random ? a->o.epsilon * (2 * linnet_philox_uniform(a->o.seed, STREAM, 0, i) - 1) : 0;
        a->x[i] = project(a, i, from[i] + offset);
    }
    memcpy(a->best, a->x, a->count * sizeof *a->x);
}

static linnet_status run_pgd(attack *a)
{
    uint32_t steps = a->o.steps ? a->o.steps : DEFAULT_STEPS;
    float size = a->o.step_size > 0 ? a->o.step_size : 2.5f * a->o.epsilon / (float)steps;
    linnet_status status = LINNET_OK;
    start(a);
    for (uint32_t k = 0; status == LINNET_OK && k <= steps; k++) {
        status = forward(a);
        if (status != LINNET_OK || (keep_best(a) && a->o.stop_early) || k == steps)
            break;
        status = backward(a);
        if (status == LINNET_OK)
            step(a, size);
        if (status == LINNET_OK && a->o.progress && a->o.progress(a->o.user, k + 1, steps))
            status = linnet_fail(a->context, LINNET_INTERRUPTED, "the attack was interrupted");
    }
    return status;
}

static linnet_status run_attack(attack *a, linnet_session *session, const linnet_tensor *pictures, bool want_classes)
{
    const int64_t *dims = pictures->dims + (pictures->rank == 4);
    linnet_status status = linnet_probe_open(&a->p, session, a->model, dims[0], dims[1], dims[2], a->n);
    if (status == LINNET_OK)
        status = linnet_probe_differentiate(&a->p, a->model->logits);
    if (status == LINNET_OK)
        status = a->o.method == LINNET_ATTACK_FGSM || a->o.epsilon == 0 ? run_fgsm(a, want_classes) : run_pgd(a);
    linnet_probe_close(&a->p);
    return status;
}

linnet_status linnet_attack_with(linnet_session *session, const linnet_model *model, const linnet_tensor *pictures,
                                 const int32_t *labels, const linnet_attack_options *options, float *out_pictures,
                                 int32_t *out_classes)
{
    linnet_status status = linnet_session_check(session);
    if (status != LINNET_OK)
        return status;
    attack a = {.context = session->context, .model = model, .labels = labels, .best = out_pictures};
    status = linnet_vision_options(a.context, "attack", options, &a.o, sizeof a.o);
    if (status == LINNET_OK)
        status = check_options(&a);
    if (status == LINNET_OK)
        status = check_model(&a);
    if (status == LINNET_OK)
        status = check_pictures(&a, pictures);
    if (status == LINNET_OK)
        status = attack_memory(&a);
    if (status == LINNET_OK)
        status = run_attack(&a, session, pictures, out_classes != NULL);
    if (status == LINNET_OK && out_classes)
        memcpy(out_classes, a.best_class, (size_t)a.n * sizeof *out_classes);
    attack_release(&a);
    return status;
}
