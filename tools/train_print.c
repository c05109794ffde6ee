/* SPDX-License-Identifier: Apache-2.0 */
/* What `linnet train` says on stdout: for people, or as JSON lines. */
#include "train.h"

#include "json_lines.h"
#include "text.h"

#include <string.h>

static void print_start_json(const train_run *r, bool resumed)
{
    json_t *line = train_settings_json(&r->settings);
    json_text(line, "event", "start");
    json_text(line, "backend", engine_backend(&r->e));
    json_text(line, "device", engine_device(&r->e));
    json_count(line, "parameters", (long long)linnet_net_parameter_count(r->e.model.net));
    json_count(line, "training_images", linnet_loader_samples(r->train));
    json_count(line, "test_images", linnet_loader_samples(r->test));
    json_bool(line, "resumed", resumed);
    json_line(line);
}

void train_print_start(const train_run *r, bool resumed)
{
    const train_settings *s = &r->settings;
    char a[TEXT_SIZE], b[TEXT_SIZE];
    if (cli_common_options.json) {
        print_start_json(r, resumed);
        return;
    }
    if (cli_common_options.quiet)
        return;
    printf("%s, %s parameters, on %s\n", s->net, text_count(a, linnet_net_parameter_count(r->e.model.net)),
           linnet_device_label(r->e.device));
    printf("%s: %s images to learn from, %s to test with\n", *s->data ? s->data : "synthetic digits",
           text_count(a, (uint64_t)linnet_loader_samples(r->train)),
           text_count(b, (uint64_t)linnet_loader_samples(r->test)));
    printf("%s, rate %g (%s, warm-up %lld steps)", train_optimizer_names[s->optimizer], s->rate,
           train_schedule_names[s->schedule], (long long)s->warm_up);
    if (s->optimizer == OPTIMIZER_SGD && s->momentum > 0)
        printf(", momentum %g", s->momentum);
    if (s->weight_decay > 0)
        printf(", weight decay %g", s->weight_decay);
    if (s->crop)
        printf(", crops with %lld pixels of padding", (long long)s->crop);
    if (s->flip)
        printf(", flips");
    printf(", batch %lld, seed %lld\n", (long long)s->batch, (long long)s->seed);
    if (resumed)
        printf("resumed after %s steps\n", text_count(a, linnet_optimizer_steps(r->optimizer)));
    fflush(stdout);
}

/* What came before the first step, where that was worth waiting for. */
static void print_preparation(const train_run *r)
{
    linnet_session_stats s = {.struct_size = sizeof s};
    if (linnet_session_get_stats(r->e.session, &s) != LINNET_OK || s.compile_seconds + s.check_seconds < 1)
        return;
    printf("\nmade ready in %.1f s", s.compile_seconds);
    if (s.check_seconds > 0.1)
        printf("; %.1f s more to compare what its driver compiled with the reference (once, where a cache can be kept)",
               s.check_seconds);
    putchar('\n');
}

void train_print_epoch(const train_run *r, int64_t epoch, double loss, double accuracy, double seconds, int64_t images)
{
    double rate = seconds > 0 ? (double)images / seconds : 0;
    char count[TEXT_SIZE], clock[TEXT_SIZE];
    if (cli_common_options.json) {
        json_t *line = json_object();
        json_text(line, "event", "epoch");
        json_text(line, "net", r->settings.net);
        json_count(line, "epoch", (long long)epoch + 1);
        json_count(line, "steps", (long long)linnet_optimizer_steps(r->optimizer));
        json_number(line, "train_loss", loss);
        json_number(line, "train_accuracy", accuracy);
        json_number(line, "test_loss", r->evaluation.loss);
        json_number(line, "test_accuracy", r->evaluation.accuracy);
        json_number(line, "images_per_second", rate);
        json_number(line, "seconds", seconds);
        json_line(line);
    } else if (!cli_common_options.quiet) {
        if (images == r->images) { /* the first epoch of this process */
            print_preparation(r);
            printf("\nepoch  train loss  accuracy  test loss  accuracy    images/s     time\n");
        }
        printf("%5lld  %10.4f  %6.2f %%  %9.4f  %6.2f %%  %10s  %7s\n", (long long)epoch + 1, loss, 100 * accuracy,
               r->evaluation.loss, 100 * r->evaluation.accuracy, text_count(count, (uint64_t)rate),
               text_clock(clock, seconds));
        fflush(stdout);
    }
}

static void print_end_json(const train_run *r)
{
    json_t *line = json_object();
    json_text(line, "event", "done");
    json_text(line, "net", r->settings.net);
    json_text(line, "backend", engine_backend(&r->e));
    json_text(line, "device", engine_device(&r->e));
    json_text(line, "platform", linnet_device_get_info(r->e.device)->platform);
    json_number(line, "test_accuracy", r->evaluation.accuracy);
    json_number(line, "test_loss", r->evaluation.loss);
    json_number(line, "images_per_second", r->seconds > 0 ? (double)r->images / r->seconds : 0);
    json_count(line, "fallbacks", r->fallbacks);
    json_count(line, "epochs", r->settings.epochs);
    json_count(line, "steps", (long long)linnet_optimizer_steps(r->optimizer));
    json_count(line, "parameters", (long long)linnet_net_parameter_count(r->e.model.net));
    json_number(line, "seconds", r->seconds);
    if (r->outputs.weights)
        json_text(line, "weights", r->outputs.weights);
    if (r->outputs.curve)
        json_text(line, "curve", r->outputs.curve);
    if (r->outputs.pictures)
        json_text(line, "pictures", r->outputs.pictures);
    if (r->film.folder) {
        json_text(line, "film", r->film.strip);
        json_count(line, "frames", (long long)r->film.count);
    }
    json_line(line);
}

/* Where the time went, ahead of what came out. */
static void print_profile(const train_run *r)
{
    if (!cli_common_options.json && r->profile.session)
        putchar('\n');
    profile_print(&r->profile, r->settings.net, "training step");
}

void train_print_end(const train_run *r)
{
    print_profile(r);
    char right[TEXT_SIZE], all[TEXT_SIZE], rate[TEXT_SIZE];
    if (cli_common_options.json) {
        print_end_json(r);
        return;
    }
    printf("%stest accuracy %.2f %% (%s of %s), loss %.4f", cli_common_options.quiet ? "" : "\n",
           100 * r->evaluation.accuracy, text_count(right, (uint64_t)r->evaluation.correct),
           text_count(all, (uint64_t)r->evaluation.count), r->evaluation.loss);
    if (r->seconds > 0 && r->images)
        printf(", trained at %s images/s", text_count(rate, (uint64_t)((double)r->images / r->seconds)));
    if (r->fallbacks)
        printf(", %u node%s ran on another device", r->fallbacks, r->fallbacks == 1 ? "" : "s");
    putchar('\n');
    if (cli_common_options.quiet)
        return;
    const train_outputs *o = &r->outputs;
    if (o->weights)
        printf("\n  weights      %s\n", o->weights);
    if (o->curve)
        printf("  curve        %s\n", o->curve);
    if (o->pictures)
        printf("  predictions  %s\n", o->pictures);
    if (r->film.folder)
        printf("  film         %s, of %zu frames\n", r->film.strip, r->film.count);
}
