/* SPDX-License-Identifier: Apache-2.0 */
/* IDX files (http://yann.lecun.com/exdb/mnist/): a magic number, big-endian dimensions, unsigned bytes; plain or gzip.
 */
#include "dataset.h"
#include "source.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

enum { MAX_SIDE = 16384, CLASSES = 10 };

typedef struct idx_array {
    uint8_t *data;
    int64_t dims[3];
} idx_array;

static uint32_t big_endian(const uint8_t *bytes)
{
    return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
}

/* Reads the header of an array of this rank and checks it before anybody believes it; *out_bytes is the size of the
 * data. */
static linnet_status source_header(linnet_source *source, uint32_t rank, int64_t *dims, int64_t *out_bytes)
{
    uint8_t header[16];
    linnet_status status = linnet_source_read(source, header, 4 + 4 * (size_t)rank);
    if (status != LINNET_OK)
        return status;
    uint32_t magic = big_endian(header), wanted = 0x800 | rank;
    if (magic != wanted)
        return linnet_fail(source->context, LINNET_BAD_FILE, "%s: no IDX file of %s: it starts with %08x, not %08x",
                           source->path, rank == 3 ? "images" : "labels", (unsigned)magic, (unsigned)wanted);
    int64_t bytes = 1;
    for (uint32_t i = 0; i < rank; i++) {
        dims[i] = big_endian(header + 4 + 4 * i);
        if (dims[i] == 0 || (i > 0 && dims[i] > MAX_SIDE))
            return linnet_fail(source->context, LINNET_BAD_FILE, "%s: dimension %u is %lld", source->path, (unsigned)i,
                               (long long)dims[i]);
        bytes *= dims[i]; /* at most 2^32 * 2^14 * 2^14 */
    }
    if (bytes > LINNET_DATASET_MAX_BYTES)
        return linnet_fail(source->context, LINNET_LIMIT, "%s: %lld bytes of data, at most %lld are read", source->path,
                           (long long)bytes, (long long)LINNET_DATASET_MAX_BYTES);
    /* Deflate makes at most 1032 bytes of one: a short file cannot ask for much memory. */
    if (bytes / (source->zipped ? 1040 : 1) > (int64_t)source->left + 1040)
        return linnet_fail(source->context, LINNET_BAD_FILE, "%s: cut short, its header promises %lld bytes",
                           source->path, (long long)bytes);
    *out_bytes = bytes;
    return LINNET_OK;
}

static linnet_status source_array(linnet_source *source, uint32_t rank, idx_array *out_array)
{
    int64_t bytes = 0;
    linnet_status status = source_header(source, rank, out_array->dims, &bytes);
    if (status != LINNET_OK)
        return status;
    out_array->data = linnet_allocate((size_t)bytes, 1);
    if (!out_array->data)
        return linnet_fail(source->context, LINNET_OUT_OF_MEMORY, "%s: no memory for %lld bytes", source->path,
                           (long long)bytes);
    status = linnet_source_read(source, out_array->data, (size_t)bytes);
    return status == LINNET_OK ? linnet_source_end(source) : status;
}

/* On failure, too, out_array->data is to be released. */
static linnet_status idx_read(linnet_context *context, const char *path, uint32_t rank, idx_array *out_array)
{
    linnet_source source;
    linnet_status status = linnet_source_open(context, path, &source);
    if (status == LINNET_OK)
        status = source_array(&source, rank, out_array);
    linnet_source_close(&source);
    return status;
}

/* The file of this part and kind ("images", 3) under its usual names; NULL when there is none, or no memory for its
 * path
 * (*out_memory is false). */
static char *find_path(const char *folder, linnet_part part, const char *kind, int rank, bool *out_memory)
{
    static const char *const places[] = {"", "raw/", "MNIST/raw/"};
    static const char *const endings[] = {"", ".gz"};
    *out_memory = true;
    for (size_t i = 0; i < 3 * 2 * 2; i++) {
        char *path = linnet_format("%s/%s%s-%s%cidx%d-ubyte%s", folder, places[i / 4],
                                   part == LINNET_PART_TRAIN ? "train" : "t10k", kind, i / 2 % 2 ? '.' : '-', rank,
                                   endings[i % 2]);
        *out_memory = path != NULL;
        if (!path || linnet_is_file(path))
            return path;
        linnet_release(path);
    }
    return NULL;
}

bool linnet_idx_found(const char *folder)
{
    bool memory;
    char *train = find_path(folder, LINNET_PART_TRAIN, "images", 3, &memory);
    char *test = train ? NULL : find_path(folder, LINNET_PART_TEST, "images", 3, &memory);
    bool found = train || test;
    linnet_release(train);
    linnet_release(test);
    return found;
}

static linnet_status find(linnet_context *context, const char *folder, linnet_part part, const char *kind, int rank,
                          char **out_path)
{
    bool memory;
    *out_path = find_path(folder, part, kind, rank, &memory);
    if (*out_path)
        return LINNET_OK;
    if (!memory)
        return linnet_fail(context, LINNET_OUT_OF_MEMORY, "%s: out of memory", folder);
    struct stat info;
    if (stat(folder, &info))
        return linnet_fail(context, LINNET_IO, "%s: %s", folder, strerror(errno));
    return linnet_fail(context, LINNET_NOT_FOUND, "%s: no %s-%s-idx%d-ubyte or .gz in this folder", folder,
                       part == LINNET_PART_TRAIN ? "train" : "t10k", kind, rank);
}

static linnet_status read_images(linnet_dataset *dataset, const char *path)
{
    idx_array array = {0};
    linnet_status status = idx_read(dataset->context, path, 3, &array);
    dataset->images = dataset->owned = array.data;
    dataset->type = LINNET_U8;
    dataset->count = array.dims[0];
    dataset->channels = 1;
    dataset->height = array.dims[1];
    dataset->width = array.dims[2];
    return status;
}

static linnet_status read_labels(linnet_dataset *dataset, const char *path)
{
    idx_array array = {0};
    linnet_status status = idx_read(dataset->context, path, 1, &array);
    if (status == LINNET_OK && array.dims[0] != dataset->count)
        status = linnet_fail(dataset->context, LINNET_BAD_FILE, "%s: %lld labels for %lld images", path,
                             (long long)array.dims[0], (long long)dataset->count);
    if (status == LINNET_OK) {
        dataset->labels = linnet_allocate((size_t)dataset->count, sizeof *dataset->labels);
        if (!dataset->labels)
            status = linnet_fail(dataset->context, LINNET_OUT_OF_MEMORY, "%s: out of memory", path);
    }
    for (int64_t i = 0; status == LINNET_OK && i < dataset->count; i++) {
        dataset->labels[i] = array.data[i];
        if (array.data[i] >= CLASSES)
            status = linnet_fail(dataset->context, LINNET_BAD_FILE, "%s: label %d of image %lld is not in 0..%d", path,
                                 (int)array.data[i], (long long)i, CLASSES - 1);
    }
    linnet_release(array.data);
    return status;
}

static linnet_status open_part(linnet_dataset *dataset, const char *folder, linnet_part part)
{
    static const char *const fashion[CLASSES] = {"T-shirt/top", "Trouser", "Pullover", "Dress", "Coat",
                                                 "Sandal",      "Shirt",   "Sneaker",  "Bag",   "Ankle boot"};
    char *images = NULL, *labels = NULL;
    linnet_status status = find(dataset->context, folder, part, "images", 3, &images);
    if (status == LINNET_OK)
        status = find(dataset->context, folder, part, "labels", 1, &labels);
    if (status == LINNET_OK)
        status = read_images(dataset, images);
    if (status == LINNET_OK)
        status = read_labels(dataset, labels);
    if (status == LINNET_OK)
        status = linnet_dataset_set_classes(dataset, CLASSES, strcasestr(folder, "fashion") ? fashion : NULL);
    linnet_release(images);
    linnet_release(labels);
    return status;
}

linnet_dataset *linnet_dataset_open_idx(linnet_context *context, const char *folder, linnet_part part)
{
    linnet_dataset *dataset = linnet_dataset_begin_folder(context, folder);
    if (!dataset)
        return NULL;
    linnet_status status = linnet_dataset_check_part(dataset, "IDX dataset", folder, part);
    if (status == LINNET_OK)
        status = open_part(dataset, folder, part);
    if (status != LINNET_OK)
        linnet_dataset_free(&dataset);
    return dataset;
}
