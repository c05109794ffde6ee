/* SPDX-License-Identifier: Apache-2.0 */
#include "source.h"

#include "linnet/data.h"

#include <string.h>

linnet_status linnet_source_open(linnet_context *context, const char *path, linnet_source *out_source)
{
    *out_source = (linnet_source){.context = context, .path = path};
    linnet_status status =
        linnet_file_read(context, path, (size_t)LINNET_DATASET_MAX_BYTES, &out_source->file, &out_source->left);
    if (status != LINNET_OK)
        return status;
    out_source->next = out_source->file;
    bool zipped = out_source->left >= 2 && out_source->next[0] == 0x1f && out_source->next[1] == 0x8b;
    if (zipped && inflateInit2(&out_source->stream, 15 + 16) != Z_OK)
        return linnet_fail(context, LINNET_OUT_OF_MEMORY, "%s: out of memory", path);
    out_source->zipped = zipped;
    return LINNET_OK;
}

void linnet_source_close(linnet_source *source)
{
    if (source->zipped)
        inflateEnd(&source->stream);
    linnet_release(source->file);
    *source = (linnet_source){0};
}

/* Inflates up to size bytes; *out_got says how many came before the end. */
static linnet_status source_inflate(linnet_source *source, uint8_t *out, size_t size, size_t *out_got)
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

linnet_status linnet_source_some(linnet_source *source, void *out, size_t size, size_t *out_got)
{
    if (source->zipped)
        return source_inflate(source, out, size, out_got);
    *out_got = size < source->left ? size : source->left;
    if (*out_got)
        memcpy(out, source->next, *out_got);
    source->next += *out_got;
    source->left -= *out_got;
    return LINNET_OK;
}

linnet_status linnet_source_read(linnet_source *source, void *out, size_t size)
{
    size_t got = 0;
    linnet_status status = linnet_source_some(source, out, size, &got);
    if (status == LINNET_OK && got < size)
        status = linnet_fail(source->context, LINNET_BAD_FILE, "%s: cut short, %zu bytes are missing", source->path,
                             size - got);
    return status;
}

linnet_status linnet_source_end(linnet_source *source)
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
