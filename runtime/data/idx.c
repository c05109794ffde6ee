/* SPDX-License-Identifier: Apache-2.0 */
/* IDX files (http://yann.lecun.com/exdb/mnist/): a magic number, big-endian dimensions, unsigned bytes; plain or gzip.
 */
#include "dataset.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <zlib.h>

enum { MAX_SIDE = 16384, CLASSES = 10 };

/* The bytes of a file as they come out of it, one after the other. */
typedef struct idx_source {
    linnet_context *context;
    const char *path;
    const uint8_t *next; /* in the file */
    size_t left;         /* of the file's bytes */
    bool zipped;
    z_stream stream;
} idx_source;

typedef struct idx_array {
    uint8_t *data;
    int64_t dims[3];
} idx_array;

/* Inflates up to size bytes; *out_got says how many came before the end. */
static linnet_status source_inflate(idx_source *source, uint8_t *out, size_t size, size_t *out_got)
{
    size_t done = 0;
    int code = Z_OK;
    while (done < size && code == Z_OK) {
        size_t piece = size - done < (1u << 30) ? size - done : 1u << 30;
        size_t given = source->left < (1u << 30) ? source->left : 1u << 30;
        source->stream.next_in = (Bytef *)(uintptr_t)source->next;
        source->stream.avail_in = (uInt)given;
        source->stream.next_out = out + done;
        source->stream.avail_out = (uInt)piece;
        code = inflate(&source->stream, Z_NO_FLUSH);
        source->next += given - source->stream.avail_in;
        source->left -= given - source->stream.avail_in;
        done += piece - source->stream.avail_out;
    }
    *out_got = done;
    if (code == Z_MEM_ERROR)
        return linnet_fail(source->context, LINNET_OUT_OF_MEMORY, "%s: out of memory", source->path);
    if (code != Z_OK && code != Z_STREAM_END && code != Z_BUF_ERROR) /* Z_BUF_ERROR: the file ended early */
        return linnet_fail(source->context, LINNET_BAD_FILE, "%s: damaged gzip data%s%s", source->path,
                           source->stream.msg ? ": " : "", source->stream.msg ? source->stream.msg : "");
    return LINNET_OK;
}

static linnet_status source_read(idx_source *source, void *out, size_t size)
{
    size_t got = size < source->left ? size : source->left;
    if (source->zipped) {
        linnet_status status = source_inflate(source, out, size, &got);
        if (status != LINNET_OK)
            return status;
    } else {
        memcpy(out, source->next, got);
        source->next += got;
        source->left -= got;
    }
    if (got < size)
        return linnet_fail(source->context, LINNET_BAD_FILE, "%s: cut short, %zu bytes are missing", source->path,
                           size - got);
    return LINNET_OK;
}

/* Nothing may follow the array; for gzip this also checks the sum at the end. */
static linnet_status source_end(idx_source *source)
{
    size_t more = 0;
    if (source->zipped) {
        uint8_t byte;
        linnet_status status = source_inflate(source, &byte, 1, &more);
        if (status != LINNET_OK)
            return status;
        if (!more && inflate(&source->stream, Z_NO_FLUSH) != Z_STREAM_END)
            return linnet_fail(source->context, LINNET_BAD_FILE, "%s: cut short, the gzip data has no end",
                               source->path);
    }
    if (more || source->left)
        return linnet_fail(source->context, LINNET_BAD_FILE, "%s: more bytes than its header says", source->path);
    return LINNET_OK;
}

static uint32_t big_endian(const uint8_t *bytes)
{
    return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
}

/* Reads the header of an array of this rank and checks it before anybody believes it; *out_bytes is the size of the
 * data. */
static linnet_status source_header(idx_source *source, uint32_t rank, int64_t *dims, int64_t *out_bytes)
{
    uint8_t header[16];
    linnet_status status = source_read(source, header, 4 + 4 * (size_t)rank);
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

static linnet_status source_array(idx_source *source, uint32_t rank, idx_array *out_array)
{
    int64_t bytes = 0;
    linnet_status status = source_header(source, rank, out_array->dims, &bytes);
    if (status != LINNET_OK)
        return status;
    out_array->data = linnet_allocate((size_t)bytes, 1);
    if (!out_array->data)
        return linnet_fail(source->context, LINNET_OUT_OF_MEMORY, "%s: no memory for %lld bytes", source->path,
                           (long long)bytes);
    status = source_read(source, out_array->data, (size_t)bytes);
    return status == LINNET_OK ? source_end(source) : status;
}

/* On failure, too, out_array->data is to be released. */
static linnet_status idx_read(linnet_context *context, const char *path, uint32_t rank, idx_array *out_array)
{
    void *data = NULL;
    size_t size = 0;
    linnet_status status = linnet_file_read(context, path, (size_t)LINNET_DATASET_MAX_BYTES, &data, &size);
    if (status != LINNET_OK)
        return status;
    idx_source source = {.context = context, .path = path, .next = data, .left = size};
    source.zipped = size >= 2 && source.next[0] == 0x1f && source.next[1] == 0x8b;
    if (source.zipped && inflateInit2(&source.stream, 15 + 16) != Z_OK)
        status = linnet_fail(context, LINNET_OUT_OF_MEMORY, "%s: out of memory", path);
    if (status == LINNET_OK) {
        status = source_array(&source, rank, out_array);
        if (source.zipped)
            inflateEnd(&source.stream);
    }
    linnet_release(data);
    return status;
}

static bool is_file(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0 && S_ISREG(info.st_mode);
}

/* The file of this part and kind ("images", 3) under its usual names; *out_path is NULL when there is none. */
static linnet_status find(linnet_context *context, const char *folder, linnet_part part, const char *kind, int rank,
                          char **out_path)
{
    static const char *const places[] = {"", "raw/", "MNIST/raw/"};
    static const char *const endings[] = {"", ".gz"};
    for (size_t i = 0; i < 3 * 2 * 2; i++) {
        char *path = linnet_format("%s/%s%s-%s%cidx%d-ubyte%s", folder, places[i / 4],
                                   part == LINNET_PART_TRAIN ? "train" : "t10k", kind, i / 2 % 2 ? '.' : '-', rank,
                                   endings[i % 2]);
        if (!path)
            return linnet_fail(context, LINNET_OUT_OF_MEMORY, "%s: out of memory", folder);
        if (is_file(path)) {
            *out_path = path;
            return LINNET_OK;
        }
        linnet_release(path);
    }
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
    const char *last = folder ? folder : "", *slash;
    while ((slash = strchr(last, '/')) && slash[1]) /* the name is what follows the last slash but one at the end */
        last = slash + 1;
    linnet_dataset *dataset = linnet_dataset_begin(context, last);
    if (!dataset)
        return NULL;
    dataset->name[strcspn(dataset->name, "/")] = '\0';
    linnet_status status;
    if (!folder || (part != LINNET_PART_TRAIN && part != LINNET_PART_TEST))
        status =
            linnet_fail(dataset->context, LINNET_INVALID, "IDX dataset: no folder, or no such part (%d)", (int)part);
    else
        status = open_part(dataset, folder, part);
    if (status != LINNET_OK)
        linnet_dataset_free(&dataset);
    return dataset;
}
