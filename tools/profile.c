/* SPDX-License-Identifier: Apache-2.0 */
#include "profile.h"

#include "json_lines.h"
#include "text.h"

#include <stdlib.h>
#include <string.h>

void profile_describe(const linnet_step_info *info, char *out, size_t size)
{
    snprintf(out, size, "%s%s%s%s%s", info->layer, *info->epilogue ? "+" : "", info->epilogue,
             *info->implementation ? " " : "", info->implementation);
}

int profile_open(profile *p, linnet_session *session, const char *path)
{
    *p = (profile){.session = session};
    int code = path ? trace_open(path, &p->trace) : EXIT_GO_ON;
    return code == EXIT_GO_ON ? cli_check(linnet_session_set_profile(session, 1)) : code;
}

/* ---- Collecting ---- */

/* The row for such work, a new one where there is none; NULL: no memory. */
static profile_row *find_row(profile *p, const char *node, const char *direction, const char *work)
{
    for (size_t i = 0; i < p->count; i++) {
        profile_row *row = &p->rows[i];
        if (strcmp(row->node, node) == 0 && strcmp(row->direction, direction) == 0 && strcmp(row->work, work) == 0)
            return row;
    }
    if (p->count == p->capacity) {
        size_t capacity = p->capacity ? 2 * p->capacity : 64;
        profile_row *rows = realloc(p->rows, capacity * sizeof *rows);
        if (!rows)
            return NULL;
        p->rows = rows;
        p->capacity = capacity;
    }
    profile_row *row = &p->rows[p->count++];
    *row = (profile_row){.count = 0};
    snprintf(row->node, sizeof row->node, "%s", node);
    snprintf(row->direction, sizeof row->direction, "%s", direction);
    snprintf(row->work, sizeof row->work, "%s", work);
    return row;
}

/* Parameters are packed and cleared by the dozen: one row for all. */
static bool is_one_of_many(const linnet_span *span)
{
    return span->index < 0 && (strcmp(span->step.layer, "pack") == 0 || strcmp(span->step.layer, "clear") == 0);
}

static void add_to_table(profile *p, const linnet_span *span, const char *work)
{
    const char *direction = span->index < 0 ? "" : span->step.backward ? "backward" : "forward";
    profile_row *row = find_row(p, is_one_of_many(span) ? "" : span->step.node, direction, work);
    if (!row) {
        p->failed = true;
        return;
    }
    row->info = span->step;
    row->seconds += span->seconds;
    row->multiply_adds += (double)span->step.multiply_adds;
    row->bytes += (double)span->step.bytes;
    row->count++;
}

/* Whatever the device says of it: "layer", "optimizer" or "transfer". */
static const char *category_of(const linnet_span *span)
{
    return span->index >= 0 ? "layer" : strcmp(span->step.layer, "optimizer") == 0 ? "optimizer" : "transfer";
}

static void add_to_trace(profile *p, const linnet_span *span, const char *work)
{
    char name[200], detail[340];
    const char *category = category_of(span);
    int track = TRACE_DEVICE + (int)span->device;
    snprintf(name, sizeof name, "%s%s%s", *span->step.node ? span->step.node : span->step.layer,
             span->index < 0 ? "" : " ",
             span->index < 0       ? ""
             : span->step.backward ? "backward"
                                   : "forward");
    trace_name(p->trace, track, span->label);
    snprintf(detail, sizeof detail, "%s: %s", name, work);
    trace_event(p->trace, TRACE_HOST, name, category, work, span->host_start, span->host_end);
    for (size_t i = 0; i < span->command_count; i++)
        trace_event(p->trace, track, span->commands[i].name, category, detail, span->commands[i].start,
                    span->commands[i].end);
    if (!span->command_count && span->seconds > 0)
        trace_event(p->trace, track, name, category, work, span->start, span->end);
}

static void take(void *context, const linnet_span *span)
{
    char work[128];
    profile_describe(&span->step, work, sizeof work);
    add_to_table(context, span, work);
    if (((profile *)context)->trace)
        add_to_trace(context, span, work);
}

void profile_start(profile *p)
{
    if (p->session)
        p->started = text_now();
}

int profile_stop(profile *p, int64_t runs)
{
    if (!p->session)
        return EXIT_GO_ON;
    linnet_status status = linnet_session_finish(p->session);
    if (p->started > 0)
        p->wall += text_now() - p->started;
    p->started = 0;
    p->runs += runs;
    if (status == LINNET_OK)
        status = linnet_session_take_profile(p->session, take, p);
    return p->failed ? cli_fail(EXIT_NO_MEMORY, "no memory for a profile") : cli_check(status);
}

int profile_skip(profile *p)
{
    return p->session ? cli_check(linnet_session_take_profile(p->session, NULL, NULL)) : EXIT_GO_ON;
}

void profile_host(profile *p, const char *name, double start, double end)
{
    trace_event(p->trace, TRACE_HOST, name, "program", NULL, start, end);
}

/* ---- Printing ---- */

static void print_json(const profile *p, const profile_row *row, const char *name, double all)
{
    json_t *line = json_object();
    json_text(line, "event", "profile");
    json_text(line, "name", name);
    json_text(line, "node", row->node);
    json_text(line, "direction", *row->direction ? row->direction : "none");
    json_text(line, "layer", row->info.layer);
    json_text(line, "epilogue", row->info.epilogue);
    json_text(line, "implementation", row->info.implementation);
    json_number(line, "ms", 1e3 * row->seconds / (double)p->runs);
    json_number(line, "percent", 100 * row->seconds / all);
    json_number(line, "times", (double)row->count / (double)p->runs);
    json_number(line, "multiply_adds", row->multiply_adds / (double)p->runs);
    json_number(line, "bytes", row->bytes / (double)p->runs);
    json_number(line, "gflops", 2e-9 * row->multiply_adds / row->seconds);
    json_number(line, "gigabytes_per_second", 1e-9 * row->bytes / row->seconds);
    json_line(line);
}

static void add_row(table *t, const profile *p, const profile_row *row, double all)
{
    char cells[4][32] = {"", "", "", ""};
    snprintf(cells[0], sizeof cells[0], "%.4f", 1e3 * row->seconds / (double)p->runs);
    snprintf(cells[1], sizeof cells[1], "%.1f %%", 100 * row->seconds / all);
    if (row->multiply_adds > 0 && row->seconds > 0)
        snprintf(cells[2], sizeof cells[2], "%.1f", 2e-9 * row->multiply_adds / row->seconds);
    if (row->bytes > 0 && row->seconds > 0)
        snprintf(cells[3], sizeof cells[3], "%.1f", 1e-9 * row->bytes / row->seconds);
    table_row(t, (const char *[]){row->node, row->direction, row->work, cells[0], cells[1], cells[2], cells[3]});
}

void profile_print(const profile *p, const char *name, const char *run)
{
    table t;
    double all = 0;
    for (size_t i = 0; i < p->count; i++)
        all += p->rows[i].seconds;
    if (!p->runs || all <= 0)
        return;
    table_start(&t, (const char *[]){"LAYER", "DIRECTION", "WORK", ">MS", ">SHARE", ">GFLOP/S", ">GB/S", NULL});
    for (size_t i = 0; i < p->count; i++)
        if (cli_common_options.json)
            print_json(p, &p->rows[i], name, all);
        else
            add_row(&t, p, &p->rows[i], all);
    if (cli_common_options.json)
        return;
    table_print(&t, 0);
    printf("\nthe device works %.3f ms of the %.3f ms that a %s takes (%.0f %%)\n", 1e3 * all / (double)p->runs,
           1e3 * p->wall / (double)p->runs, run, 100 * all / p->wall);
}

int profile_close(profile *p)
{
    int code = trace_close(&p->trace);
    free(p->rows);
    *p = (profile){.session = NULL};
    return code;
}
