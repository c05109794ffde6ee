/* SPDX-License-Identifier: Apache-2.0 */
#include "train_film.h"

#include "output.h"
#include "train.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define USUAL_FRAMES 48
#define STEP_NAME    "step %llu"

static int no_memory(void)
{
    return cli_fail(EXIT_NO_MEMORY, "no memory for the film");
}

/* Room for one more frame; NULL: no memory. */
static film_frame *frame_new(film *f)
{
    if (f->count == f->room) {
        size_t room = f->room ? 2 * f->room : 64;
        film_frame *grown = realloc(f->frames, room * sizeof *grown);
        if (!grown)
            return NULL;
        f->frames = grown;
        f->room = room;
    }
    memset(&f->frames[f->count], 0, sizeof *f->frames);
    return &f->frames[f->count];
}

void film_close(film *f)
{
    for (size_t i = 0; i < f->count; i++)
        linnet_filters_free(&f->frames[i].filters);
    free(f->frames);
    free(f->folder);
    free(f->strip);
    free(f->weights);
    memset(f, 0, sizeof *f);
}

/* ---- What was seen, on disk: a tensor a frame, and notes that say how it is to be drawn ---- */

#define NOTES 4
static const char *const note_names[NOTES] = {"total", "cell_height", "cell_width", "columns"};

static int64_t *note_value(linnet_filters *filters, int index)
{
    int64_t *const values[NOTES] = {&filters->total, &filters->cell_height, &filters->cell_width, &filters->columns};
    return values[index];
}

int film_save(const film *f)
{
    if (!f->folder || !f->count)
        return EXIT_GO_ON;
    linnet_named_tensor *tensors = calloc(f->count, sizeof *tensors);
    char(*names)[32] = calloc(f->count, sizeof *names), texts[NOTES][24];
    linnet_metadata notes[NOTES + 1] = {{"layer", f->frames[0].filters.layer}};
    linnet_status status = tensors && names ? LINNET_OK : LINNET_OUT_OF_MEMORY;
    for (size_t i = 0; i < f->count && status == LINNET_OK; i++) {
        const linnet_filters *s = &f->frames[i].filters;
        snprintf(names[i], sizeof names[i], STEP_NAME, (unsigned long long)f->frames[i].step);
        tensors[i] =
            (linnet_named_tensor){names[i], {LINNET_F32, 4, {s->count, s->channels, s->height, s->width}, s->values}};
    }
    for (int i = 0; i < NOTES; i++) {
        snprintf(texts[i], sizeof texts[i], "%lld", (long long)*note_value(&f->frames[0].filters, i));
        notes[i + 1] = (linnet_metadata){note_names[i], texts[i]};
    }
    int code = status == LINNET_OK
                   ? cli_check(linnet_safetensors_write(NULL, f->weights, tensors, f->count, notes, NOTES + 1))
                   : no_memory();
    free(tensors);
    free(names);
    return code;
}

/* The filters of one tensor; false when the file makes no sense. The values are copied. */
static bool frame_read(const linnet_safetensors *file, const linnet_tensor *tensor, linnet_filters *like,
                       film_frame *out)
{
    linnet_filters *f = &out->filters;
    if (tensor->type != LINNET_F32 || tensor->rank != 4)
        return false;
    linnet_filters found = {
        .count = tensor->dims[0], .channels = tensor->dims[1], .height = tensor->dims[2], .width = tensor->dims[3]};
    for (int i = 0; i < NOTES; i++) {
        const char *text = linnet_safetensors_metadata(file, note_names[i]);
        *note_value(&found, i) = text ? strtoll(text, NULL, 10) : 0;
    }
    bool same = found.count == like->count && found.total == like->total && found.channels == like->channels &&
                found.height == like->height && found.width == like->width && found.cell_height == like->cell_height &&
                found.cell_width == like->cell_width && found.columns == like->columns;
    if (same)
        memcpy(f->values, tensor->data, (size_t)linnet_tensor_bytes(tensor));
    return same;
}

/* Frames up to step done from the file of the run's first part; like: the filters now, whose shape they must have. */
static int take_over(film *f, linnet_session *session, const linnet_safetensors *file, uint64_t done)
{
    const char *name, *layer = linnet_safetensors_metadata(file, "layer");
    linnet_tensor tensor;
    int code = EXIT_GO_ON;
    for (size_t i = 0; code == EXIT_GO_ON && (name = linnet_safetensors_at(file, i, &tensor)); i++) {
        unsigned long long step;
        film_frame *frame = frame_new(f);
        if (!frame)
            return no_memory();
        code = cli_check(linnet_filters_read(session, layer, 0, &frame->filters)); /* a copy to fill */
        if (code != EXIT_GO_ON)
            return code;
        linnet_filters like = frame->filters;
        bool good = sscanf(name, STEP_NAME, &step) == 1 && frame_read(file, &tensor, &like, frame);
        frame->step = good ? step : 0;
        if (good && step <= done)
            f->count++;
        else
            linnet_filters_free(&frame->filters);
        if (!good)
            code = cli_fail(EXIT_BAD_INPUT, "%s: this is no film of this network", f->weights);
    }
    return code;
}

static int compare_steps(const void *a, const void *b)
{
    const film_frame *x = a, *y = b;
    return (x->step > y->step) - (x->step < y->step);
}

static int read_before(film *f, linnet_session *session, uint64_t done)
{
    struct stat info;
    if (!done || stat(f->weights, &info))
        return EXIT_GO_ON; /* a new run, or one that was not filmed up to here */
    linnet_safetensors *file = linnet_safetensors_read(NULL, f->weights);
    int code = file ? take_over(f, session, file, done) : cli_check_last_input();
    linnet_safetensors_free(&file);
    if (f->count)
        qsort(f->frames, f->count, sizeof *f->frames, compare_steps);
    return code;
}

/* ---- Running ---- */

int film_open(film *f, const char *folder, int64_t every, uint64_t total, linnet_session *session, uint64_t done)
{
    memset(f, 0, sizeof *f);
    if (!folder)
        return EXIT_GO_ON;
    f->every = every ? every : (int64_t)((total + USUAL_FRAMES - 1) / USUAL_FRAMES);
    f->every = f->every ? f->every : 1;
    f->total = total;
    if (total / (uint64_t)f->every > FILM_MOST_FRAMES)
        return cli_fail(EXIT_USAGE, "a film of %llu frames is too long, at most %d are made; try --film-every %llu",
                        (unsigned long long)(total / (uint64_t)f->every), FILM_MOST_FRAMES,
                        (unsigned long long)(total / FILM_MOST_FRAMES + 1));
    f->folder = strdup(folder);
    f->strip = output_path(folder, "film.png");
    f->weights = output_path(folder, "film.safetensors");
    if (!f->folder || !f->strip || !f->weights)
        return no_memory();
    int code = train_make_folder(folder);
    if (code == EXIT_GO_ON)
        code = read_before(f, session, done);
    return code == EXIT_GO_ON ? film_look(f, session, done) : code;
}

int film_look(film *f, linnet_session *session, uint64_t step)
{
    bool due = f->folder && (!f->count || step % (uint64_t)f->every == 0 || step == f->total);
    if (!due || (f->count && f->frames[f->count - 1].step >= step))
        return EXIT_GO_ON;
    film_frame *frame = frame_new(f);
    if (!frame)
        return no_memory();
    int code = cli_check(linnet_filters_read(session, NULL, 0, &frame->filters));
    frame->step = step;
    f->count += code == EXIT_GO_ON;
    return code;
}
