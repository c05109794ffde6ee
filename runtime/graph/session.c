/* SPDX-License-Identifier: Apache-2.0 */
/* Sessions: making, settings, the cache of plans, forward and backward. */
#include "profile.h"

#include "../device/pinned.h"
#include "../device/registry.h"

#include <string.h>

#define SESSION_OUT_OF_MEMORY(s) linnet_fail((s)->context, LINNET_OUT_OF_MEMORY, "no memory for a session")

/* Everything of linnet_session_new but the clean-up. */
static linnet_status session_init(linnet_session *session, linnet_device *device)
{
    size_t nodes = session->net->node_count;
    session->node_place = linnet_allocate(nodes, sizeof *session->node_place);
    session->node_count = nodes;
    if (!session->node_place)
        return SESSION_OUT_OF_MEMORY(session);
    memset(session->node_place, 0xff, nodes * sizeof *session->node_place); /* LINNET_NONE */
    if (linnet_place_add(session, device) == LINNET_NONE)
        return linnet_context_last_status(session->context);
    linnet_status status = linnet_variables_new(session);
    return status == LINNET_OK ? linnet_session_initialize(session, 0) : status;
}

linnet_session *linnet_session_new(linnet_net *net, linnet_device *device)
{
    linnet_context *context = net ? net->context : linnet_context_or_default(NULL);
    if (linnet_context_check(context) != LINNET_OK)
        return NULL;
    if (!net) {
        linnet_fail(context, LINNET_INVALID, "a session needs a net");
        return NULL;
    }
    if (linnet_net_check(net) != LINNET_OK)
        return NULL;
    linnet_device *opened = device ? NULL : linnet_device_open(context, NULL);
    linnet_session *session = device || opened ? linnet_allocate(1, sizeof *session) : NULL;
    if (session) {
        session->context = context;
        session->net = net;
        session->settings = (linnet_session_settings){.behaviour = LINNET_EVALUATE, .parameter_gradients = true};
        session->arena_generation = 1;
        session->workspace_limit = UINT64_MAX;
        session->sum_place = LINNET_NONE;
        if (session_init(session, device ? device : opened) != LINNET_OK)
            linnet_session_free(&session);
    } else if (device || opened) {
        linnet_fail(context, LINNET_OUT_OF_MEMORY, "no memory for a session");
    }
    linnet_device_close(&opened); /* the session has its own hold */
    return session;
}

void linnet_session_free(linnet_session **session)
{
    if (!session || !*session)
        return;
    linnet_session *s = *session;
    *session = NULL;
    for (size_t i = 0; i < s->plan_count; i++)
        linnet_plan_free(s, s->plans[i]);
    linnet_variables_free(s);
    linnet_bindings_free(s);
    linnet_profile_free(s);
    linnet_choices_clear(&s->choices);
    for (uint32_t i = 0; i < s->place_count; i++)
        linnet_place_free(s, &s->places[i]);
    linnet_release(s->node_place);
    linnet_settings_free(&s->settings);
    linnet_release(s->constants.values);
    linnet_release(s);
}

linnet_status linnet_session_check(const linnet_session *session)
{
    return session ? linnet_context_check(session->context) : linnet_fail(NULL, LINNET_INVALID, "there is no session");
}

linnet_net *linnet_session_net(const linnet_session *session)
{
    return session->net;
}

linnet_device *linnet_session_device(const linnet_session *session)
{
    return session->places[0].device;
}

/* ---- Settings ---- */

void linnet_settings_free(linnet_session_settings *settings)
{
    linnet_value_list *const lists[] = {&settings->wanted, &settings->kept, &settings->losses};
    for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++) {
        linnet_release(lists[i]->values);
        *lists[i] = (linnet_value_list){.values = NULL};
    }
}

bool linnet_value_list_has(const linnet_value_list *list, uint32_t value)
{
    for (size_t i = 0; i < list->count; i++)
        if (list->values[i] == value)
            return true;
    return false;
}

void linnet_session_set_behaviour(linnet_session *session, linnet_behaviour behaviour)
{
    session->settings.behaviour = behaviour;
}

linnet_behaviour linnet_session_get_behaviour(const linnet_session *session)
{
    return session->settings.behaviour;
}

void linnet_session_set_gradients(linnet_session *session, int on)
{
    session->settings.gradients = on != 0;
}

int linnet_session_get_gradients(const linnet_session *session)
{
    return session->settings.gradients;
}

void linnet_session_set_parameter_gradients(linnet_session *session, int on)
{
    session->settings_version += session->settings.parameter_gradients != (on != 0);
    session->settings.parameter_gradients = on != 0;
}

/* Adds a value to one of the session's lists, once. */
static linnet_status list_add(linnet_session *session, linnet_value_list *list, linnet_value value)
{
    if (value.id < 1 || value.id > session->value_count)
        return linnet_fail(session->context, LINNET_INVALID, "a value that is not of the session's net was used");
    if (linnet_value_list_has(list, value.id - 1))
        return LINNET_OK;
    if (!linnet_grow(&list->values, &list->capacity, list->count + 1, sizeof *list->values))
        return SESSION_OUT_OF_MEMORY(session);
    list->values[list->count++] = value.id - 1;
    session->settings_version++;
    return LINNET_OK;
}

linnet_status linnet_session_want_gradient(linnet_session *session, linnet_value value)
{
    if (!session)
        return linnet_session_check(session);
    return list_add(session, &session->settings.wanted, value);
}

void linnet_session_set_lazy(linnet_session *session, int on)
{
    session->settings_version += session->settings.lazy != (on != 0);
    session->settings.lazy = on != 0;
}

linnet_status linnet_session_add_loss(linnet_session *session, linnet_value loss)
{
    if (!session)
        return linnet_session_check(session);
    const linnet_net *net = session->net;
    if (loss.id >= 1 && loss.id <= net->value_count && net->values[loss.id - 1].kind != LINNET_VALUE_NODE)
        return linnet_fail(session->context, LINNET_INVALID,
                           "'%s' is made by no layer: it has nothing to differentiate", net->values[loss.id - 1].name);
    return list_add(session, &session->settings.losses, loss);
}

linnet_status linnet_session_keep(linnet_session *session, linnet_value value)
{
    if (!session)
        return linnet_session_check(session);
    return list_add(session, &session->settings.kept, value);
}

linnet_status linnet_session_set_constant(linnet_session *session, linnet_value input, int on)
{
    if (!session)
        return linnet_session_check(session);
    linnet_value_list *list = &session->constants;
    bool is_input = input.id >= 1 && input.id <= session->value_count &&
                    session->net->values[input.id - 1].kind == LINNET_VALUE_INPUT;
    if (!is_input)
        return linnet_fail(session->context, LINNET_INVALID, "only an input of the session's net can be constant");
    size_t i = 0;
    while (i < list->count && list->values[i] != input.id - 1)
        i++;
    bool is_there = i < list->count;
    if (on && !is_there && !linnet_grow(&list->values, &list->capacity, list->count + 1, sizeof *list->values))
        return SESSION_OUT_OF_MEMORY(session);
    if (on && !is_there)
        list->values[list->count++] = input.id - 1;
    if (!on && is_there)
        list->values[i] = list->values[--list->count];
    return LINNET_OK;
}

/* ---- Feeds ---- */

typedef struct feeds {
    uint32_t count;
    uint32_t values[LINNET_MAX_FEEDS];
    linnet_shape shapes[LINNET_MAX_FEEDS];
} feeds;

static linnet_status check_feed(const linnet_session *session, const linnet_feed *feed, uint32_t value,
                                linnet_shape *out_shape)
{
    const linnet_shape *wanted = &session->net->values[value].shape;
    const linnet_tensor *t = &feed->tensor;
    bool has_data = t->data || linnet_binding_of(session, value);
    bool fits = t->type == wanted->type && t->rank == wanted->rank && has_data;
    *out_shape = (linnet_shape){.type = t->type, .rank = t->rank <= LINNET_MAX_RANK ? t->rank : 0};
    for (uint32_t i = 0; i < out_shape->rank; i++) {
        out_shape->dims[i] = t->dims[i];
        fits = fits && t->dims[i] > 0 && (wanted->dims[i] == LINNET_FREE_DIM || wanted->dims[i] == t->dims[i]);
    }
    if (fits && linnet_tensor_bytes(t) >= 0)
        return LINNET_OK;
    char got[160], want[160];
    return linnet_fail(session->context, LINNET_SHAPE, "input '%s' wants %s %s, got %s %s%s", feed->name,
                       linnet_type_name(wanted->type), linnet_shape_text(wanted, want, sizeof want),
                       linnet_type_name(t->type), linnet_shape_text(out_shape, got, sizeof got),
                       has_data ? "" : " without data");
}

static bool is_input(const linnet_net *net, uint32_t value, const char *name)
{
    return net->values[value].kind == LINNET_VALUE_INPUT && strcmp(net->values[value].name, name) == 0;
}

/* Every feed is an input of the net, and none is there twice. */
static linnet_status check_names(const linnet_session *session, const linnet_batch *batch)
{
    for (uint32_t f = 0; f < batch->feed_count; f++) {
        const char *name = batch->feeds[f].name;
        uint32_t v = 0;
        if (!name)
            return linnet_fail(session->context, LINNET_INVALID, "feed %u is without a name", f);
        while (v < session->net->value_count && !is_input(session->net, v, name))
            v++;
        if (v == session->net->value_count)
            return linnet_fail(session->context, LINNET_INVALID, "the net has no input '%s'", name);
        for (uint32_t g = 0; g < f; g++)
            if (strcmp(batch->feeds[g].name, name) == 0)
                return linnet_fail(session->context, LINNET_INVALID, "input '%s' is fed twice", name);
    }
    return LINNET_OK;
}

/* Matches feeds to the net's inputs, in the net's order. */
static linnet_status read_feeds(const linnet_session *session, const linnet_batch *batch, feeds *out,
                                const linnet_feed *out_feeds[LINNET_MAX_FEEDS])
{
    const linnet_net *net = session->net;
    out->count = 0;
    if (!batch || batch->feed_count > LINNET_MAX_FEEDS)
        return linnet_fail(session->context, LINNET_INVALID, "a batch has 1 to %d feeds", LINNET_MAX_FEEDS);
    linnet_status status = check_names(session, batch);
    for (uint32_t v = 0; v < net->value_count && status == LINNET_OK; v++)
        for (uint32_t f = 0; f < batch->feed_count && status == LINNET_OK; f++) {
            if (!is_input(net, v, batch->feeds[f].name))
                continue;
            status = check_feed(session, &batch->feeds[f], v, &out->shapes[out->count]);
            out_feeds[out->count] = &batch->feeds[f];
            out->values[out->count++] = v;
        }
    if (status == LINNET_OK && !out->count)
        status = linnet_fail(session->context, LINNET_INVALID, "no input of the net is fed");
    return status;
}

/* ---- The cache of plans ---- */

static bool plan_fits(const linnet_session *session, const linnet_plan *plan, const feeds *wanted)
{
    if (plan->behaviour != session->settings.behaviour || plan->gradients != session->settings.gradients ||
        plan->feed_count != wanted->count)
        return false;
    for (uint32_t i = 0; i < wanted->count; i++)
        if (plan->feed_values[i] != wanted->values[i] || !linnet_shape_equal(&plan->feed_shapes[i], &wanted->shapes[i]))
            return false;
    return true;
}

static void forget_plan(linnet_session *session, size_t index)
{
    if (session->current == session->plans[index])
        session->current = NULL;
    linnet_plan_free(session, session->plans[index]);
    session->plans[index] = session->plans[--session->plan_count];
}

/* Drops plans of an older net or older settings, and the one used longest ago when the cache is full. */
static void tidy_plans(linnet_session *session)
{
    for (size_t i = session->plan_count; i-- > 0;)
        if (session->plans[i]->net_version != session->net->version ||
            session->plans[i]->settings_version != session->settings_version)
            forget_plan(session, i);
    if (session->plan_count < LINNET_MAX_PLANS)
        return;
    size_t oldest = 0;
    for (size_t i = 1; i < session->plan_count; i++)
        if (session->plans[i]->last_use < session->plans[oldest]->last_use)
            oldest = i;
    forget_plan(session, oldest);
}

static linnet_status find_plan(linnet_session *session, const feeds *wanted, linnet_plan **out)
{
    for (size_t i = 0; i < session->plan_count; i++) {
        linnet_plan *plan = session->plans[i];
        if (plan->net_version == session->net->version && plan->settings_version == session->settings_version &&
            plan_fits(session, plan, wanted)) {
            plan->last_use = ++session->clock;
            *out = plan;
            return LINNET_OK;
        }
    }
    if (session->net->value_count != session->value_count || session->net->node_count != session->node_count)
        return linnet_fail(session->context, LINNET_INVALID, "the net was changed after the session was made");
    tidy_plans(session);
    linnet_status status = session->settings.gradients && session->settings.parameter_gradients
                               ? linnet_gradients_allocate(session, 0)
                               : LINNET_OK;
    if (status == LINNET_OK)
        status = linnet_plan_compile(session, wanted->values, wanted->shapes, wanted->count, out);
    if (status != LINNET_OK)
        return status;
    session->compiles++;
    (*out)->settings_version = session->settings_version; /* compiling may have moved variables */
    (*out)->last_use = ++session->clock;
    session->plans[session->plan_count++] = *out;
    return LINNET_OK;
}

static void drop_plan(linnet_session *session, const linnet_plan *plan)
{
    for (size_t i = session->plan_count; i-- > 0;)
        if (session->plans[i] == plan)
            forget_plan(session, i);
}

/* Smaller than the last limit and the largest workspace, in steps, so that as few layers as may be take a slower way.
   A layer without any way within a limit takes the one that needs least, so that the largest may not come down. */
static uint64_t lower_limit(uint64_t last, uint64_t largest)
{
    uint64_t limit = largest < last ? largest : last;
    return limit > ((uint64_t)1 << 20) ? limit / 4 : 0;
}

/* Gives back all memory that the session has for plans; they are made anew when they are wanted. */
static void forget_plans(linnet_session *session)
{
    while (session->plan_count)
        forget_plan(session, session->plan_count - 1);
    linnet_arena_free(session);
    linnet_packed_empty(session);
}

static linnet_status try_plan(linnet_session *session, const feeds *wanted, bool resolve, linnet_plan **out)
{
    *out = NULL;
    session->largest_workspace = 0;
    linnet_status status = find_plan(session, wanted, out);
    if (status == LINNET_OK)
        session->largest_workspace = (*out)->largest_workspace;
    if (status == LINNET_OK && resolve)
        status = linnet_plan_resolve(session, *out);
    if (status == LINNET_OUT_OF_MEMORY)
        drop_plan(session, *out);
    return status;
}

/* The plan, and with resolve its memory. Where the device has too little, the same without the session's other
   plans, then others with implementations that need less beside their operands. */
static linnet_status prepare_plan(linnet_session *session, const feeds *wanted, bool resolve, linnet_plan **out)
{
    bool others = session->arena_generation > 1;
    linnet_status status = try_plan(session, wanted, resolve, out);
    if (status == LINNET_OUT_OF_MEMORY && resolve && others) {
        forget_plans(session);
        status = try_plan(session, wanted, resolve, out);
    }
    while (status == LINNET_OUT_OF_MEMORY && session->workspace_limit && session->largest_workspace) {
        session->workspace_limit = lower_limit(session->workspace_limit, session->largest_workspace);
        linnet_log(session->context, LINNET_LOG_INFO, "%s; again with workspaces of at most %llu bytes",
                   linnet_context_message(session->context), (unsigned long long)session->workspace_limit);
        if (resolve)
            forget_plans(session);
        status = try_plan(session, wanted, resolve, out);
    }
    session->workspace_limit = UINT64_MAX;
    return status;
}

linnet_status linnet_session_plan(linnet_session *session, const linnet_batch *batch, linnet_plan **out)
{
    feeds wanted;
    const linnet_feed *ignored[LINNET_MAX_FEEDS];
    linnet_status status = read_feeds(session, batch, &wanted, ignored);
    return status == LINNET_OK ? prepare_plan(session, &wanted, false, out) : status;
}

/* ---- Forward and backward ---- */

/* Feeds that are sent from where they lie. */
typedef struct sendings {
    uint32_t count;
    const linnet_device *devices[LINNET_MAX_FEEDS];
    linnet_backend_event *events[LINNET_MAX_FEEDS];
} sendings;

/* Until the caller's memory has been read. Of what failed before, status, the sentence stays. */
static linnet_status await_sendings(linnet_session *session, const sendings *sent, linnet_status status)
{
    for (uint32_t i = 0; i < sent->count; i++) {
        const linnet_device *device = sent->devices[i];
        linnet_status end = device->backend->event_wait(sent->events[i]);
        device->backend->event_free(sent->events[i]);
        if (status == LINNET_OK)
            status = linnet_device_check(session->context, device, end, "writing an input");
        else
            linnet_host_error_clear();
    }
    return status;
}

/* Number index of the plan's feeds: from the caller's memory on the device, or from the host. */
static linnet_status take_feed(linnet_session *session, linnet_plan *plan, uint32_t index, const linnet_feed *feed,
                               sendings *sent)
{
    uint32_t tensor = plan->instances[index].tensor; /* feeds are the first instances */
    const linnet_place *place = &session->places[plan->tensors[tensor].place];
    const linnet_binding *binding = linnet_binding_of(session, plan->feed_values[index]);
    const char *name = session->net->values[plan->feed_values[index]].name;
    uint64_t bytes = plan->tensors[tensor].bytes;
    bool is_constant = !binding && linnet_value_list_has(&session->constants, plan->feed_values[index]);
    if (is_constant && plan->fed[index] == feed->tensor.data)
        return LINNET_OK;
    plan->fed[index] = is_constant ? feed->tensor.data : NULL; /* where it fails, all are forgotten */
    linnet_profile_begin(session, plan->tensors[tensor].place);
    if (binding)
        return linnet_profile_end(session, linnet_binding_copy(session, binding, plan, tensor), "copy", name, bytes);
    linnet_backend_event *event = NULL;
    bool is_pinned = linnet_pinned_has(place->device, feed->tensor.data, bytes);
    linnet_status status =
        linnet_device_check(session->context, place->device,
                            place->device->backend->upload(place->queue, linnet_plan_view(session, plan, tensor),
                                                           feed->tensor.data, bytes, is_pinned ? &event : NULL),
                            "writing an input");
    if (event) {
        sent->devices[sent->count] = place->device;
        sent->events[sent->count++] = event;
    }
    return linnet_profile_end(session, status, "upload", name, bytes);
}

static linnet_status take_feeds(linnet_session *session, linnet_plan *plan, const linnet_feed *const *list,
                                sendings *sent)
{
    linnet_status status = LINNET_OK;
    if (session->arena_user != plan)
        memset(plan->fed, 0, sizeof plan->fed);
    session->arena_user = plan;
    for (uint32_t i = 0; i < plan->feed_count && status == LINNET_OK; i++)
        status = take_feed(session, plan, i, list[i], sent);
    return status;
}

/* Folded weights and packed copies, brought up to date with the variables they come from. */
static linnet_status update_derived(linnet_session *session, const linnet_plan *plan)
{
    linnet_status status = LINNET_OK;
    for (size_t i = 0; i < plan->fold_count && status == LINNET_OK; i++)
        status = linnet_fold_update(session, &session->folds[plan->folds[i]]);
    for (size_t i = 0; i < plan->packed_count && status == LINNET_OK; i++)
        status = linnet_packed_update(session, &session->packed[plan->packed[i]]);
    return status;
}

/* A forward in train behaviour draws new dropout masks and updates running statistics. */
static void begin_training_step(linnet_session *session)
{
    session->step++;
    if (session->places[0].state_layout.count)
        linnet_host_forget(session, false);
    for (size_t i = 0; i < session->variable_count; i++)
        session->variables[i].version += session->variables[i].is_state;
}

static linnet_status forward(linnet_session *session, const linnet_batch *batch)
{
    feeds wanted;
    const linnet_feed *list[LINNET_MAX_FEEDS];
    linnet_plan *plan = NULL;
    sendings sent = {.count = 0};
    session->current = NULL;
    linnet_status status = linnet_session_check(session);
    if (status == LINNET_OK)
        status = read_feeds(session, batch, &wanted, list);
    if (status == LINNET_OK)
        status = prepare_plan(session, &wanted, true, &plan);
    if (status == LINNET_OK) /* before anything else, so that what is sent need not wait */
        status = take_feeds(session, plan, list, &sent);
    if (status == LINNET_OK)
        status = update_derived(session, plan);
    if (status == LINNET_OK && session->settings.behaviour == LINNET_TRAIN && !session->rehearses)
        begin_training_step(session);
    if (status == LINNET_OK)
        status = linnet_plan_run(session, plan, 0);
    status = await_sendings(session, &sent, status);
    if (status == LINNET_OK) {
        session->current = plan;
        session->backward_done = 0;
    }
    return status;
}

/* Remembers the first failure of a round for the optimiser's step. */
static linnet_status note(linnet_session *session, linnet_status status)
{
    if (status != LINNET_OK)
        session->arena_user = NULL;
    if (status != LINNET_OK && session->round_status == LINNET_OK)
        session->round_status = status;
    return status;
}

linnet_status linnet_forward(linnet_session *session, const linnet_batch *batch)
{
    if (!session)
        return linnet_session_check(session);
    linnet_status status = forward(session, batch);
    if (status == LINNET_DEVICE_LOST && linnet_session_rebuild(session) == LINNET_OK)
        status = forward(session, batch);
    return note(session, status);
}

static linnet_status find_segment(const linnet_session *session, linnet_value loss, uint32_t *out_segment)
{
    const linnet_plan *plan = session->current;
    if (!plan)
        return linnet_fail(session->context, LINNET_INVALID, "backward without a forward before it");
    if (!plan->gradients)
        return linnet_fail(session->context, LINNET_INVALID,
                           "backward, but gradients are off (linnet_session_set_gradients)");
    for (uint32_t i = 0; i < plan->loss_count; i++)
        if (plan->losses[i] + 1 == loss.id) {
            if (session->backward_done >> i & 1)
                return linnet_fail(session->context, LINNET_INVALID,
                                   "'%s' was differentiated already: run forward again",
                                   session->net->values[plan->losses[i]].name);
            *out_segment = i + 1;
            return LINNET_OK;
        }
    if (loss.id < 1 || loss.id > session->net->value_count)
        return linnet_fail(session->context, LINNET_INVALID, "backward of a value that is not of this net");
    return linnet_fail(session->context, LINNET_INVALID,
                       "'%s' cannot be differentiated: it is no scalar that nothing else uses (linnet_session_add_loss "
                       "takes any value), or was not computed (an input is missing)",
                       session->net->values[loss.id - 1].name);
}

/* Whether the gradient given has the bytes of the value that the segment differentiates. */
static linnet_status check_output_gradient(const linnet_session *session, uint32_t segment, size_t bytes)
{
    const linnet_plan *plan = session->current;
    const linnet_plan_step *first = &plan->steps[plan->segment_starts[segment]];
    uint64_t wanted = plan->segment_starts[segment] == plan->segment_starts[segment + 1]
                          ? bytes /* nothing to differentiate by */
                          : plan->tensors[first->destination].bytes;
    if (bytes == wanted)
        return LINNET_OK;
    return linnet_fail(session->context, LINNET_INVALID, "'%s' has %llu bytes, a gradient of %zu was given%s",
                       session->net->values[plan->losses[segment - 1]].name, (unsigned long long)wanted, bytes,
                       bytes == sizeof(float) ? ": linnet_backward is for scalars, linnet_backward_from for the rest"
                                              : "");
}

static linnet_status backward(linnet_session *session, linnet_value value, const void *gradient, size_t bytes)
{
    uint32_t segment = 0;
    linnet_status status = linnet_session_check(session);
    if (status == LINNET_OK && !gradient)
        status = linnet_fail(session->context, LINNET_INVALID, "backward without a gradient to start from");
    if (status == LINNET_OK)
        status = find_segment(session, value, &segment);
    if (status == LINNET_OK)
        status = check_output_gradient(session, segment, bytes);
    if (status != LINNET_OK)
        return status;
    session->backward_done |= UINT64_C(1) << (segment - 1);
    session->last_segment = segment;
    session->output_gradient = gradient;
    status = linnet_plan_run(session, session->current, segment);
    session->output_gradient = NULL;
    return status;
}

linnet_status linnet_backward_from(linnet_session *session, linnet_value value, const void *gradient, size_t bytes)
{
    if (!session)
        return linnet_session_check(session);
    if (!session->current && session->round_status != LINNET_OK)
        return session->round_status; /* the forward's, and its sentence */
    return note(session, backward(session, value, gradient, bytes));
}

linnet_status linnet_backward(linnet_session *session, linnet_value loss)
{
    const float one = 1.0f;
    return linnet_backward_from(session, loss, &one, sizeof one);
}

linnet_status linnet_session_zero_gradients(linnet_session *session)
{
    if (!session)
        return linnet_session_check(session);
    session->round_status = LINNET_OK;
    for (size_t i = 0; i < session->variable_count; i++)
        session->variables[i].gradient_is_zero = true;
    return LINNET_OK;
}

linnet_status linnet_session_finish(linnet_session *session)
{
    if (!session)
        return linnet_session_check(session);
    linnet_status status = linnet_session_check(session);
    for (uint32_t p = 0; status == LINNET_OK && p < session->place_count; p++) {
        const linnet_place *place = &session->places[p];
        status = linnet_device_check(session->context, place->device, place->device->backend->finish(place->queue),
                                     "waiting for the device");
    }
    if (status != LINNET_OK)
        session->arena_user = NULL;
    return status;
}
