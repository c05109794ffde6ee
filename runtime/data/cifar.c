/* SPDX-License-Identifier: Apache-2.0 */
/* The binary files of CIFAR-10 and CIFAR-100 (https://www.cs.toronto.edu/~kriz/cifar.html): records of label bytes and
   32x32 pixels, all of red, all of green, all of blue; nothing else, so any number of whole records makes a file. */
#include "dataset.h"
#include "source.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

enum {
    SIDE = 32,
    CHANNELS = 3,
    IMAGE_BYTES = CHANNELS * SIDE * SIDE,
    MAX_LABELS = 2,
    MAX_NAMES_BYTES = 1 << 16,
    PATH_ROOM = 4096
};

typedef struct cifar_kind {
    const char *place; /* where its archive unpacks to, below the folder */
    int label_bytes;   /* the last one is the class */
    int32_t classes;
    int coarse;                 /* of two label bytes the first is below this */
    const char *names;          /* file with one class name a line */
    const char *train[6];       /* without .bin; NULL behind the last */
    const char *test[2];        /* the same */
    const char *const *classic; /* names where that file is missing; NULL: numbers */
} cifar_kind;

static const char *const ten[] = {"airplane", "automobile", "bird",  "cat",  "deer",
                                  "dog",      "frog",       "horse", "ship", "truck"};

static const cifar_kind kinds[] = {
    {.place = "cifar-10-batches-bin",
     .label_bytes = 1,
     .classes = 10,
     .names = "batches.meta.txt",
     .train = {"data_batch_1", "data_batch_2", "data_batch_3", "data_batch_4", "data_batch_5"},
     .test = {"test_batch"},
     .classic = ten},
    {.place = "cifar-100-binary",
     .label_bytes = 2,
     .classes = 100,
     .coarse = 20,
     .names = "fine_label_names.txt",
     .train = {"train"},
     .test = {"test"}},
};
enum { KINDS = sizeof kinds / sizeof kinds[0] };

/* Records as they come in. */
typedef struct cifar_reader {
    const cifar_kind *kind;
    linnet_context *context;
    uint8_t (*images)[IMAGE_BYTES];
    int32_t *labels;
    size_t count, image_room, label_room;
} cifar_reader;

/* ---- Finding ---- */

static const char *const *part_files(const cifar_kind *kind, linnet_part part)
{
    return part == LINNET_PART_TRAIN ? kind->train : kind->test;
}

/* place/name.bin or .bin.gz in out_path. */
static bool find_file(const char *place, const char *name, char out_path[PATH_ROOM])
{
    for (int zipped = 0; zipped < 2; zipped++)
        if (snprintf(out_path, PATH_ROOM, "%s/%s.bin%s", place, name, zipped ? ".gz" : "") < PATH_ROOM &&
            linnet_is_file(out_path))
            return true;
    return false;
}

static bool place_has(const char *place, const cifar_kind *kind, linnet_part part)
{
    char path[PATH_ROOM];
    for (const char *const *name = part_files(kind, part); *name; name++)
        if (find_file(place, *name, path))
            return true;
    return false;
}

/* The first kind of which this part (0: either) lies in folder or where the archive unpacks to; NULL: none. */
static const cifar_kind *find_kind(const char *folder, linnet_part part, char out_place[PATH_ROOM])
{
    for (int i = 0; i < 2 * KINDS; i++) {
        const cifar_kind *kind = &kinds[i / 2];
        if (snprintf(out_place, PATH_ROOM, "%s%s%s", folder, i % 2 ? "/" : "", i % 2 ? kind->place : "") >= PATH_ROOM)
            continue;
        if ((part != LINNET_PART_TEST && place_has(out_place, kind, LINNET_PART_TRAIN)) ||
            (part != LINNET_PART_TRAIN && place_has(out_place, kind, LINNET_PART_TEST)))
            return kind;
    }
    return NULL;
}

bool linnet_cifar_found(const char *folder)
{
    char place[PATH_ROOM];
    return find_kind(folder, (linnet_part)0, place) != NULL;
}

static linnet_status not_found(linnet_context *context, const char *folder, linnet_part part)
{
    struct stat info;
    if (stat(folder, &info))
        return linnet_fail(context, LINNET_IO, "%s: %s", folder, strerror(errno));
    return linnet_fail(
        context, LINNET_NOT_FOUND, "%s: no %s.bin (CIFAR-10), no %s.bin (CIFAR-100) or .gz in this folder", folder,
        part == LINNET_PART_TRAIN ? "data_batch_1" : "test_batch", part == LINNET_PART_TRAIN ? "train" : "test");
}

/* ---- Reading ---- */

static linnet_status check_labels(const cifar_reader *reader, const char *path, size_t index, const uint8_t *labels)
{
    const cifar_kind *kind = reader->kind;
    if (kind->label_bytes == 2 && labels[0] >= kind->coarse)
        return linnet_fail(reader->context, LINNET_BAD_FILE, "%s: coarse label %d of image %zu is not in 0..%d", path,
                           labels[0], index, kind->coarse - 1);
    if (labels[kind->label_bytes - 1] >= kind->classes)
        return linnet_fail(reader->context, LINNET_BAD_FILE, "%s: label %d of image %zu is not in 0..%d", path,
                           labels[kind->label_bytes - 1], index, (int)kind->classes - 1);
    return LINNET_OK;
}

static linnet_status take_record(cifar_reader *reader, const char *path, size_t index, const uint8_t *record)
{
    linnet_status status = check_labels(reader, path, index, record);
    if (status != LINNET_OK)
        return status;
    if ((int64_t)reader->count >= LINNET_DATASET_MAX_BYTES / IMAGE_BYTES)
        return linnet_fail(reader->context, LINNET_LIMIT, "%s: more than %lld bytes of images", path,
                           (long long)LINNET_DATASET_MAX_BYTES);
    if (!linnet_grow(&reader->images, &reader->image_room, reader->count + 1, IMAGE_BYTES) ||
        !linnet_grow(&reader->labels, &reader->label_room, reader->count + 1, sizeof *reader->labels))
        return linnet_fail(reader->context, LINNET_OUT_OF_MEMORY, "%s: out of memory", path);
    reader->labels[reader->count] = record[reader->kind->label_bytes - 1];
    memcpy(reader->images[reader->count], record + reader->kind->label_bytes, IMAGE_BYTES);
    reader->count++;
    return LINNET_OK;
}

static linnet_status read_records(cifar_reader *reader, linnet_source *source)
{
    uint8_t record[MAX_LABELS + IMAGE_BYTES];
    size_t size = (size_t)reader->kind->label_bytes + IMAGE_BYTES, got = size, index = 0;
    linnet_status status = LINNET_OK;
    while (status == LINNET_OK && got == size) {
        status = linnet_source_some(source, record, size, &got);
        if (status == LINNET_OK && got == size)
            status = take_record(reader, source->path, index++, record);
    }
    if (status == LINNET_OK)
        status = linnet_source_end(source);
    if (status == LINNET_OK && (got || !index))
        status = linnet_fail(reader->context, LINNET_BAD_FILE,
                             "%s: no whole number of records of %zu bytes: %zu and %zu bytes more", source->path, size,
                             index, got);
    return status;
}

static linnet_status read_file(cifar_reader *reader, const char *path)
{
    linnet_source source;
    linnet_status status = linnet_source_open(reader->context, path, &source);
    if (status == LINNET_OK)
        status = read_records(reader, &source);
    linnet_source_close(&source);
    return status;
}

/* All files of the part that are there, in their order. */
static linnet_status read_part(cifar_reader *reader, const char *place, linnet_part part)
{
    char path[PATH_ROOM];
    linnet_status status = LINNET_OK;
    for (const char *const *name = part_files(reader->kind, part); status == LINNET_OK && *name; name++)
        if (find_file(place, *name, path))
            status = read_file(reader, path);
    return status;
}

/* ---- Class names ---- */

/* Cuts text into its lines, blank ones left out; how many there are, of which the first limit are kept. */
static int32_t cut_lines(char *text, const char **out_lines, int32_t limit)
{
    int32_t count = 0;
    for (char *line = text; line && *line;) {
        char *end = strpbrk(line, "\r\n");
        if (end)
            *end++ = '\0';
        if (*line) {
            if (count < limit)
                out_lines[count] = line;
            count++;
        }
        line = end;
    }
    return count;
}

static linnet_status set_names(linnet_dataset *dataset, const cifar_kind *kind, const char *path, char *text,
                               size_t size)
{
    const char *names[100];
    for (size_t i = 0; i < size; i++)
        if (((uint8_t)text[i] < ' ' && text[i] != '\r' && text[i] != '\n') || text[i] == 0x7f)
            return linnet_fail(dataset->context, LINNET_BAD_FILE, "%s: no text: byte %zu is %d", path, i,
                               (uint8_t)text[i]);
    int32_t count = cut_lines(text, names, kind->classes);
    if (count != kind->classes)
        return linnet_fail(dataset->context, LINNET_BAD_FILE, "%s: %d names, there are %d classes", path, (int)count,
                           (int)kind->classes);
    return linnet_dataset_set_classes(dataset, count, names);
}

static linnet_status read_names(linnet_dataset *dataset, const cifar_kind *kind, const char *place)
{
    char path[PATH_ROOM];
    if (snprintf(path, sizeof path, "%s/%s", place, kind->names) >= (int)sizeof path || !linnet_is_file(path))
        return linnet_dataset_set_classes(dataset, kind->classes, kind->classic);
    void *text = NULL; /* a zero byte follows it */
    size_t size = 0;
    linnet_status status = linnet_file_read(dataset->context, path, MAX_NAMES_BYTES, &text, &size);
    if (status == LINNET_OK)
        status = set_names(dataset, kind, path, text, size);
    linnet_release(text);
    return status;
}

/* ---- Opening ---- */

static linnet_status open_part(linnet_dataset *dataset, const char *folder, linnet_part part)
{
    char place[PATH_ROOM];
    const cifar_kind *kind = find_kind(folder, part, place);
    if (!kind)
        return not_found(dataset->context, folder, part);
    cifar_reader reader = {.kind = kind, .context = dataset->context};
    linnet_status status = read_part(&reader, place, part);
    dataset->images = dataset->owned = reader.images;
    dataset->labels = reader.labels;
    dataset->type = LINNET_U8;
    dataset->count = (int64_t)reader.count;
    dataset->channels = CHANNELS;
    dataset->height = dataset->width = SIDE;
    if (status == LINNET_OK)
        status = read_names(dataset, kind, place);
    return status;
}

linnet_dataset *linnet_dataset_open_cifar(linnet_context *context, const char *folder, linnet_part part)
{
    linnet_dataset *dataset = linnet_dataset_begin_folder(context, folder);
    if (!dataset)
        return NULL;
    linnet_status status = linnet_dataset_check_part(dataset, "CIFAR dataset", folder, part);
    if (status == LINNET_OK)
        status = open_part(dataset, folder, part);
    if (status != LINNET_OK)
        linnet_dataset_free(&dataset);
    return dataset;
}
