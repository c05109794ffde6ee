/* SPDX-License-Identifier: Apache-2.0 */
/* linnet equivariance: the numbers, as means over pictures, and how they are printed. */
#include "equivariance.h"
#include "json_lines.h"
#include "text.h"

#include <math.h>
#include <stdlib.h>

void shift_way(const shift_settings *s, int64_t *out_down, int64_t *out_right)
{
    *out_right = s->direction != 1 ? s->by : 0;
    *out_down = s->direction != 0 ? s->by : 0;
}

double shift_pixels(const shift_settings *s, int64_t step)
{
    return (double)(step * s->by);
}

static int make_room(shift_subject *subject, size_t shifts)
{
    subject->seen = calloc(subject->layer_count, sizeof *subject->seen);
    subject->error = calloc(subject->layer_count, sizeof *subject->error);
    subject->probability = calloc(shifts, sizeof(double));
    subject->cosine = calloc(shifts, sizeof(double));
    subject->same = calloc(shifts, sizeof(double));
    bool good = subject->seen && subject->error && subject->probability && subject->cosine && subject->same;
    for (size_t i = 0; good && i < subject->layer_count; i++)
        good = (subject->error[i] = calloc(shifts, sizeof(double))) != NULL;
    return good ? EXIT_GO_ON : cli_fail(EXIT_NO_MEMORY, "no memory for the curves of %zu layers", subject->layer_count);
}

static void add_report(shift_subject *subject, const linnet_shift_report *r)
{
    for (size_t i = 0; i < r->layer_count; i++) {
        subject->seen[i] = r->layers[i];
        subject->seen[i].error = NULL;
        for (int64_t d = 0; d <= r->steps; d++)
            subject->error[i][d] += r->layers[i].error[d];
    }
    for (int64_t d = 0; d <= r->steps && r->probability; d++) {
        subject->probability[d] += r->probability[d];
        subject->cosine[d] += r->cosine[d];
        subject->same[d] += r->best[d] == r->top_class;
    }
    subject->top_class = r->top_class;
    subject->pictures++;
}

int shift_add_picture(shift_subject *subject, const shift_settings *s, const photo *picture)
{
    linnet_shift_report report;
    linnet_shift_options options = {.struct_size = sizeof options, .black = s->border == 1, .steps = s->steps};
    shift_way(s, &options.down, &options.right);
    int code = subject->error ? EXIT_GO_ON : make_room(subject, (size_t)s->steps + 1);
    if (code != EXIT_GO_ON)
        return code;
    linnet_status status = linnet_shift_measure_with(subject->e.session, &subject->e.model, &picture->tensor,
                                                     subject->layers, subject->layer_count, &options, &report);
    code = cli_check(status);
    if (status == LINNET_INVALID) /* farther than the picture is wide */
        return EXIT_USAGE;
    if (code == EXIT_GO_ON)
        add_report(subject, &report);
    linnet_shift_report_free(&report);
    return code;
}

void shift_finish(shift_subject *subject, const shift_settings *s)
{
    double n = (double)subject->pictures;
    for (int64_t d = 0; d <= s->steps; d++) {
        for (size_t i = 0; i < subject->layer_count; i++)
            subject->error[i][d] /= n;
        subject->probability[d] /= n;
        subject->cosine[d] /= n;
        subject->same[d] /= n;
    }
}

/* ---- Printing ---- */

static const char *region_name(linnet_shift_region region)
{
    static const char *const names[] = {"", "interior", "overlap", "vector", "none"};
    return names[region];
}

static json_t *list_of(const double *values, int64_t steps)
{
    json_t *list = json_array();
    for (int64_t d = 0; d <= steps; d++)
        json_array_append_new(list, isfinite(values[d]) ? json_real(values[d]) : json_null());
    return list;
}

static void print_json(const shift_subject *subject, const shift_settings *s)
{
    for (size_t i = 0; i < subject->layer_count; i++) {
        json_t *line = json_object();
        json_text(line, "network", subject->title);
        json_text(line, "layer", subject->names[i]);
        json_text(line, "compared", region_name(subject->seen[i].region));
        json_number(line, "stride", fmax(subject->seen[i].stride[0], subject->seen[i].stride[1]));
        json_object_set_new(line, "error", list_of(subject->error[i], s->steps));
        json_line(line);
    }
    if (!subject->e.model.logits.id)
        return;
    json_t *line = json_object();
    json_text(line, "network", subject->title);
    json_count(line, "pictures", (long long)subject->pictures);
    json_count(line, "class", (long long)subject->top_class);
    json_object_set_new(line, "probability", list_of(subject->probability, s->steps));
    json_object_set_new(line, "cosine", list_of(subject->cosine, s->steps));
    json_object_set_new(line, "same_class", list_of(subject->same, s->steps));
    json_line(line);
}

/* The shifts that the table shows: as many of 1 to steps as there is room for, the last one among them. */
enum { SHOWN = 8 };

static int64_t shown_step(const shift_settings *s, int64_t column)
{
    int64_t columns = s->steps < SHOWN ? s->steps : SHOWN;
    return (column + 1) * s->steps / columns;
}

static void add_numbers(table *t, const char *name, const char *how, const double *values, const shift_settings *s,
                        bool percent)
{
    char cells[SHOWN][TEXT_SIZE];
    const char *row[TABLE_COLUMNS] = {name, how, "", "", "", "", "", "", "", ""};
    for (int64_t c = 0; c < SHOWN && c < s->steps; c++) {
        double value = values[shown_step(s, c)];
        if (!isfinite(value))
            snprintf(cells[c], TEXT_SIZE, "-");
        else if (percent)
            snprintf(cells[c], TEXT_SIZE, "%.1f %%", 100 * value);
        else
            snprintf(cells[c], TEXT_SIZE, "%.4f", value);
        row[2 + c] = cells[c];
    }
    table_row(t, row);
}

/* Which shifts the table has no room for. */
static void print_left_out(const shift_settings *s)
{
    int64_t missing = s->steps - SHOWN;
    printf("left out (--json has all): ");
    if (missing > SHOWN)
        printf("%lld of the %lld shifts", (long long)missing, (long long)s->steps);
    for (int64_t step = 1, column = 0; step <= s->steps && missing <= SHOWN; step++)
        if (step == shown_step(s, column))
            column++;
        else
            printf("%g px%s", shift_pixels(s, step), --missing ? ", " : "");
    printf("\n");
}

static void print_table(const shift_subject *subject, const shift_settings *s, const labels *names)
{
    table t;
    char heads[SHOWN][TEXT_SIZE], name[LABEL_SIZE], how[2 * TEXT_SIZE], title[LABEL_SIZE + 32];
    const char *headings[TABLE_COLUMNS + 1] = {"LAYER", "COMPARED (STRIDE)"};
    for (int64_t c = 0; c < SHOWN && c < s->steps; c++) {
        snprintf(heads[c], TEXT_SIZE, ">%g PX", shift_pixels(s, shown_step(s, c)));
        headings[2 + c] = heads[c];
    }
    table_start(&t, headings);
    for (size_t i = 0; i < subject->layer_count; i++) {
        double apart = fmax(subject->seen[i].stride[0], subject->seen[i].stride[1]);
        const char *region = region_name(subject->seen[i].region);
        if (apart > 0)
            snprintf(how, sizeof how, "%s (%.3g)", region, apart);
        add_numbers(&t, subject->names[i], apart > 0 ? how : region, subject->error[i], s, true);
    }
    if (subject->e.model.logits.id) {
        table_rule(&t);
        snprintf(title, sizeof title, "probability of %s",
                 subject->pictures == 1 ? labels_name(names, (int32_t)subject->top_class, name) : "the class");
        add_numbers(&t, title, "", subject->probability, s, true);
        add_numbers(&t, "same class", "", subject->same, s, true);
        add_numbers(&t, "cosine of the scores", "", subject->cosine, s, false);
    }
    printf("%s, %lld picture%s moved %s: |f(T x) - T f(x)| / |T f(x)|\n\n", subject->title,
           (long long)subject->pictures, subject->pictures == 1 ? "" : "s", shift_directions[s->direction]);
    table_print(&t, 0);
    if (s->steps > SHOWN)
        print_left_out(s);
    printf("\n");
}

void shift_print(const shift_subject *subject, const shift_settings *s, const labels *names)
{
    if (cli_common_options.json)
        print_json(subject, s);
    else if (!cli_common_options.quiet)
        print_table(subject, s, names);
}
