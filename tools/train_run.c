/* SPDX-License-Identifier: Apache-2.0 */
#include "train.h"

#include "interrupt.h"
#include "labels.h"
#include "progress.h"
#include "text.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define EVALUATION_BATCH 250
enum { PROFILE_STEPS = 32 };

/* ---- Opening ---- */

static uint64_t hash(uint64_t state, const void *bytes, size_t size)
{
    const unsigned char *b = bytes;
    for (size_t i = 0; i < size; i++)
        state = (state ^ b[i]) * UINT64_C(0x100000001b3); /* FNV-1a */
    return state;
}

/* Of the images and labels that are trained with, so that a run is not continued with other ones. */
static uint64_t fingerprint(const linnet_dataset *data, int64_t count)
{
    uint64_t state = UINT64_C(0xcbf29ce484222325);
    for (int64_t i = 0; i < count; i++) {
        linnet_tensor image;
        int32_t label = linnet_dataset_label(data, i);
        state = hash(state, &label, sizeof label);
        if (linnet_dataset_image(data, i, &image) == LINNET_OK)
            state = hash(state, image.data, (size_t)linnet_tensor_bytes(&image));
    }
    return state;
}

static bool same_kind(const linnet_dataset *a, const linnet_dataset *b)
{
    return linnet_dataset_channels(a) == linnet_dataset_channels(b) &&
           linnet_dataset_height(a) == linnet_dataset_height(b) && linnet_dataset_width(a) == linnet_dataset_width(b) &&
           linnet_dataset_class_count(a) == linnet_dataset_class_count(b);
}

static int open_train_loader(train_run *r)
{
    const train_settings *s = &r->settings;
    r->train =
        linnet_loader_new(NULL, r->train_data, .batch = (uint32_t)s->batch, .shuffle = 1, .seed = (uint64_t)s->seed,
                          .limit = s->limit, .crop_padding = (uint32_t)s->crop, .flip = (uint32_t)s->flip);
    return r->train ? EXIT_GO_ON : cli_check_last();
}

static int open_data(train_run *r)
{
    const train_settings *s = &r->settings;
    const char *folder = *s->data ? s->data : NULL;
    int code = EXIT_GO_ON;
    if (!r->train_data)
        code = data_open_sized(folder, LINNET_PART_TRAIN, s->limit, &s->size, &r->train_data);
    if (code == EXIT_GO_ON && !r->test_data)
        code = data_open_sized(folder, LINNET_PART_TEST, s->test_limit, &s->size, &r->test_data);
    if (code == EXIT_GO_ON && !same_kind(r->train_data, r->test_data))
        code = cli_fail(EXIT_BAD_INPUT, "%s: training and test images differ in size or classes", s->data);
    if (code == EXIT_GO_ON)
        code = open_train_loader(r);
    if (code == EXIT_GO_ON)
        code = data_loader(r->test_data, EVALUATION_BATCH, s->test_limit, false, 0, &r->test);
    return code;
}

/* Where none is asked for: what the network learns well with. */
static double usual_rate(const train_settings *s, const linnet_model *model)
{
    if (s->optimizer == OPTIMIZER_SGD)
        return 0.05;
    return model->learning_rate > 0 ? (double)model->learning_rate : 0.007;
}

static int open_optimizer(train_run *r)
{
    train_settings *s = &r->settings;
    if (s->rate == 0)
        s->rate = usual_rate(s, &r->e.model);
    float rate = (float)s->rate, decay = (float)s->weight_decay;
    uint64_t total = (uint64_t)s->epochs * (uint64_t)linnet_loader_batches(r->train);
    if (s->warm_up < 0)
        s->warm_up = (int64_t)(total / 20);
    r->schedule = (linnet_schedule){.kind = (linnet_schedule_kind)s->schedule,
                                    .rate = rate,
                                    .warm_up = (uint64_t)s->warm_up,
                                    .period = (total + 2) / 3,
                                    .total = total};
    if (s->optimizer == OPTIMIZER_ADAM)
        r->optimizer = linnet_adam_new(r->e.session, .learning_rate = rate, .weight_decay = decay);
    else
        r->optimizer =
            linnet_sgd_new(r->e.session, .learning_rate = rate, .momentum = (float)s->momentum, .weight_decay = decay);
    return r->optimizer ? EXIT_GO_ON : cli_check_last();
}

static int open_room(train_run *r)
{
    int64_t batches = linnet_loader_batches(r->train), total = batches * r->settings.epochs;
    int64_t classes = linnet_dataset_class_count(r->train_data);
    /* Reading scores takes time, too; a hundred looks a run are enough, and one in ten steps costs nothing. */
    r->sample_every = total / 100 < 1 ? 1 : total / 100 > 10 ? 10 : total / 100;
    r->predictions = calloc((size_t)linnet_loader_samples(r->test), sizeof *r->predictions);
    if (!r->predictions)
        return cli_fail(EXIT_NO_MEMORY, "no memory for predictions");
    return train_look_open(&r->look, r->settings.batch, classes);
}

static linnet_checkpoint checkpoint_of(const train_run *r, char **notes)
{
    return (linnet_checkpoint){.struct_size = sizeof(linnet_checkpoint),
                               .session = r->e.session,
                               .optimizer = r->optimizer,
                               .loader = r->train,
                               .notes = notes};
}

/* The fingerprint of the data, or a complaint when the checkpoint knows another one. */
static int check_data(train_run *r, bool resumed)
{
    uint64_t found = fingerprint(r->train_data, linnet_loader_samples(r->train));
    if (resumed && found != r->settings.fingerprint)
        return cli_fail(EXIT_BAD_INPUT, "%s: these are not the images that the checkpoint was trained with",
                        *r->settings.data ? r->settings.data : "synthetic digits");
    r->settings.fingerprint = found;
    return EXIT_GO_ON;
}

int train_open(train_run *r, const char *checkpoint)
{
    linnet_model model = {.net = NULL};
    int code = open_data(r);
    if (code == EXIT_GO_ON)
        code = check_data(r, checkpoint);
    if (code == EXIT_GO_ON)
        code = model_open(r->net ? r->net : r->settings.net, r->train_data, &model);
    if (code == EXIT_GO_ON)
        code = labels_note(model.net, r->train_data);
    if (code == EXIT_GO_ON)
        code = engine_open(&r->e, &model);
    if (code == EXIT_GO_ON)
        code = cli_check(linnet_session_initialize(r->e.session, (uint64_t)r->settings.seed));
    if (code == EXIT_GO_ON)
        code = cli_check(linnet_loader_pin(r->train, r->e.device));
    if (code == EXIT_GO_ON)
        code = cli_check(linnet_loader_pin(r->test, r->e.device));
    if (code == EXIT_GO_ON)
        code = open_optimizer(r);
    if (code == EXIT_GO_ON)
        code = open_room(r);
    if (code == EXIT_GO_ON && checkpoint) {
        linnet_checkpoint c = checkpoint_of(r, NULL);
        code = cli_check_input(linnet_checkpoint_load(&c, checkpoint));
    }
    return code;
}

void train_close(train_run *r)
{
    train_look_close(&r->look);
    profile_close(&r->profile); /* after a failure: else that was done */
    linnet_optimizer_free(&r->optimizer);
    engine_close(&r->e);
    linnet_loader_free(&r->train);
    linnet_loader_free(&r->test);
    linnet_dataset_free(&r->train_data);
    linnet_dataset_free(&r->test_data);
    train_outputs_close(&r->outputs);
    film_close(&r->film);
    free(r->predictions);
}

/* ---- Running ---- */

static int save_checkpoint(train_run *r)
{
    if (!r->outputs.checkpoint)
        return EXIT_GO_ON;
    int filmed = film_save(&r->film);
    if (filmed != EXIT_GO_ON)
        return filmed;
    json_t *object = json_pack("{s:i,s:o,s:o}", "linnet_train", 1, "settings", train_settings_json(&r->settings),
                               "history", history_json(&r->h));
    char *notes = object ? json_dumps(object, JSON_COMPACT) : NULL;
    json_decref(object);
    if (!notes)
        return cli_fail(EXIT_NO_MEMORY, "no memory for a checkpoint");
    linnet_checkpoint c = checkpoint_of(r, &notes);
    int code = cli_check(linnet_checkpoint_save(&c, r->outputs.checkpoint));
    r->kept = r->kept || code == EXIT_GO_ON;
    free(notes);
    return code;
}

/* What a signal asks for: everything on disk, then an end. */
static int stop(train_run *r)
{
    progress_end();
    int code = save_checkpoint(r);
    if (code == EXIT_GO_ON)
        code = film_write(&r->film, r->settings.net);
    if (code != EXIT_GO_ON)
        return code;
    unsigned long long steps = linnet_optimizer_steps(r->optimizer);
    if (!r->outputs.checkpoint)
        return cli_fail(EXIT_INTERRUPTED, "interrupted after %llu steps; nothing was kept, for want of -o", steps);
    if (r->all_in)
        return cli_fail(EXIT_INTERRUPTED, "interrupted after %llu steps; go on with the same networks and --resume %s",
                        steps, r->all_in);
    return cli_fail(EXIT_INTERRUPTED, "interrupted after %llu steps; go on with: linnet train --resume %s", steps,
                    r->outputs.checkpoint);
}

/* Takes what the last look found, if there was one. */
static int see(train_run *r)
{
    train_sight sight;
    bool seen;
    int code = train_look_end(&r->look, &sight, &seen);
    if (code != EXIT_GO_ON || !seen)
        return code;
    if (!isfinite(sight.loss))
        return cli_fail(EXIT_FAILED, "the loss is no number any more after %llu steps; try a smaller --lr than %g",
                        (unsigned long long)sight.step, r->settings.rate);
    r->loss = isnan(r->loss) ? sight.loss : 0.8 * r->loss + 0.2 * sight.loss;
    r->accuracy = isnan(r->accuracy) ? sight.accuracy : 0.8 * r->accuracy + 0.2 * sight.accuracy;
    history_add(&r->h, sight.epoch, sight.loss, sight.accuracy);
    return EXIT_GO_ON;
}

/* Behind a step that was given to the device: sees what the look before found, and looks again if it is time. */
static int look(train_run *r, const linnet_batch *batch, double epoch)
{
    uint64_t done = linnet_optimizer_steps(r->optimizer);
    if ((done - 1) % (uint64_t)r->sample_every != 0)
        return EXIT_GO_ON;
    int code = see(r);
    return code == EXIT_GO_ON ? train_look_start(&r->look, r->e.session, &r->e.model, batch, epoch, done) : code;
}

static int step(train_run *r, const linnet_batch *batch)
{
    uint64_t done = linnet_optimizer_steps(r->optimizer);
    linnet_optimizer_set_learning_rate(r->optimizer, linnet_schedule_rate(&r->schedule, done));
    linnet_zero_grad(r->optimizer);
    linnet_forward(r->e.session, batch);
    linnet_backward(r->e.session, r->e.model.loss);
    return cli_check(linnet_step(r->optimizer)); /* refuses with what failed before it */
}

static int after_step(train_run *r)
{
    uint64_t done = linnet_optimizer_steps(r->optimizer);
    bool interrupted = interrupt_seen(), due = r->checkpoint_every && done % (uint64_t)r->checkpoint_every == 0;
    int code = film_look(&r->film, r->e.session, done);
    if (code == EXIT_GO_ON && (interrupted || due)) /* the checkpoint has the history */
        code = see(r);
    if (code != EXIT_GO_ON)
        return code;
    if (interrupted)
        return stop(r);
    return due ? save_checkpoint(r) : EXIT_GO_ON;
}

/* Takes the profile now and then, so that it stays small. */
static int profile_step(train_run *r)
{
    if (++r->profiled < PROFILE_STEPS || !r->profile.session)
        return EXIT_GO_ON;
    int code = profile_stop(&r->profile, r->profiled);
    r->profiled = 0;
    profile_start(&r->profile);
    return code;
}

/* The next batch of the epoch, and a step with it. *out_more false: there was none. */
static int next_step(train_run *r, linnet_batch *batch, bool *out_more)
{
    double begin = text_now();
    *out_more = linnet_loader_next(r->train, batch);
    double loaded = text_now();
    if (!*out_more)
        return EXIT_GO_ON;
    int code = step(r, batch);
    profile_host(&r->profile, "next batch", begin, loaded);
    profile_host(&r->profile, "training step", loaded, text_now());
    return code;
}

static int finish_epoch(train_run *r)
{
    int code = see(r);
    if (code == EXIT_GO_ON)
        code = cli_check(linnet_session_finish(r->e.session));
    if (code == EXIT_GO_ON)
        code = profile_stop(&r->profile, r->profiled);
    r->profiled = 0;
    return code;
}

/* Seconds that plans took so far: made, and compared with the reference at their first use. */
static double preparation(const train_run *r)
{
    linnet_session_stats s = {.struct_size = sizeof s};
    return linnet_session_get_stats(r->e.session, &s) == LINNET_OK ? s.compile_seconds + s.check_seconds : 0;
}

/* What was prepared since the last look is not training: what is timed from *start begins so much later. */
static void leave_out_preparation(const train_run *r, double *prepared, double *start)
{
    double now = preparation(r);
    if (now > *prepared)
        progress_skip(now - *prepared);
    *start += now - *prepared;
    *prepared = now;
}

/* From where the loader stands to the end of its epoch. */
static int run_epoch(train_run *r)
{
    linnet_batch batch;
    linnet_loader_position at = linnet_loader_tell(r->train);
    int64_t batches = linnet_loader_batches(r->train), samples = linnet_loader_samples(r->train);
    int64_t done = at.batch * r->settings.batch;
    double start = text_now(), prepared = preparation(r);
    int code = EXIT_GO_ON;
    r->loss = r->accuracy = NAN;
    progress_update(done, NAN, NAN);
    profile_start(&r->profile);
    for (bool more = true; code == EXIT_GO_ON && more;) {
        code = next_step(r, &batch, &more);
        if (!more)
            break;
        leave_out_preparation(r, &prepared, &start);
        double epoch = (double)at.epoch + (double)++at.batch / (double)batches;
        if (code == EXIT_GO_ON)
            code = look(r, &batch, epoch);
        done += batch.size;
        r->images += batch.size;
        progress_update(done < samples ? done : samples, r->loss, r->accuracy);
        if (code == EXIT_GO_ON)
            code = after_step(r);
        if (code == EXIT_GO_ON)
            code = profile_step(r);
    }
    if (code == EXIT_GO_ON)
        code = finish_epoch(r);
    r->seconds += text_now() - start;
    return code;
}

static int evaluation_progress(void *user, int64_t done, int64_t total)
{
    (void)user;
    (void)total;
    progress_update(done, NAN, NAN);
    return interrupt_seen();
}

static int evaluate(train_run *r)
{
    progress_start("testing", "images", linnet_loader_samples(r->test));
    linnet_status status = linnet_evaluate(r->e.session, r->test, r->e.model.logits, r->e.model.loss, r->predictions,
                                           evaluation_progress, NULL, &r->evaluation);
    progress_end();
    if (status == LINNET_OK) /* a profile is of training alone */
        status = linnet_session_take_profile(r->e.session, NULL, NULL);
    if (status == LINNET_INTERRUPTED)
        return EXIT_INTERRUPTED;
    r->evaluated = status == LINNET_OK;
    return cli_check(status);
}

static void note_fallbacks(train_run *r)
{
    uint32_t now = engine_fallbacks(&r->e);
    r->fallbacks = now > r->fallbacks ? now : r->fallbacks;
}

/* The epoch that the loader has just ended. */
static int end_epoch(train_run *r, int64_t epoch, double seconds, int64_t images)
{
    double loss, accuracy;
    note_fallbacks(r);
    int code = evaluate(r);
    if (code == EXIT_INTERRUPTED) {
        /* As if the end of the epoch had not been reached: the resumed run tests again. */
        linnet_loader_position at = {(uint64_t)epoch, linnet_loader_batches(r->train)};
        code = cli_check(linnet_loader_seek(r->train, at));
        return code == EXIT_GO_ON ? stop(r) : code;
    }
    if (code != EXIT_GO_ON)
        return code;
    note_fallbacks(r);
    history_end_epoch(&r->h, (double)(epoch + 1), r->evaluation.loss, r->evaluation.accuracy, &loss, &accuracy);
    train_print_epoch(r, epoch, loss, accuracy, seconds, images);
    return save_checkpoint(r);
}

int train_loop(train_run *r)
{
    int64_t epochs = r->settings.epochs;
    int code = EXIT_GO_ON;
    while (code == EXIT_GO_ON && (int64_t)linnet_loader_tell(r->train).epoch < epochs) {
        char title[48];
        int64_t epoch = (int64_t)linnet_loader_tell(r->train).epoch, images = r->images;
        double seconds = r->seconds;
        snprintf(title, sizeof title, "epoch %lld/%lld", (long long)epoch + 1, (long long)epochs);
        progress_start(title, "images", linnet_loader_samples(r->train));
        code = run_epoch(r);
        progress_end();
        if (code == EXIT_GO_ON)
            code = end_epoch(r, epoch, r->seconds - seconds, r->images - images);
    }
    if (code == EXIT_GO_ON && !r->evaluated) /* resumed at the very end */
        code = evaluate(r);
    return code;
}
