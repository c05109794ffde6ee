/* SPDX-License-Identifier: Apache-2.0 */
/*
 * PNG by libpng. libpng reports an error by longjmp: everything that must survive it lives in a job, and between setjmp
 * and the end of a guarded function nothing but the job changes.
 */
#include "core/core.h"
#include "linnet/image.h"

#include <png.h>
#include <setjmp.h>
#include <stdio.h>
#include <string.h>

typedef struct png_job {
    linnet_context *context;
    const char *name;
    png_structp png;
    png_infop info;
    linnet_status status; /* what a longjmp means, unless it is damaged data */
    char message[160];
    const uint8_t *next; /* reading: what libpng has not seen yet */
    size_t left;
    linnet_image *image;
    png_bytepp rows;
    uint8_t *out; /* writing: the file so far */
    size_t out_size, out_capacity;
} png_job;

/* Called by libpng; must not return. */
static void png_failed(png_structp png, png_const_charp message)
{
    png_job *job = png_get_error_ptr(png);
    snprintf(job->message, sizeof job->message, "%s", message);
    png_longjmp(png, 1);
}

static void png_warned(png_structp png, png_const_charp message)
{
    (void)png;
    (void)message;
}

static void png_take(png_structp png, png_bytep out, size_t size)
{
    png_job *job = png_get_io_ptr(png);
    if (size > job->left)
        png_error(png, "cut short");
    memcpy(out, job->next, size);
    job->next += size;
    job->left -= size;
}

static void png_give(png_structp png, png_bytep data, size_t size)
{
    png_job *job = png_get_io_ptr(png);
    if (size > SIZE_MAX - job->out_size || !linnet_grow(&job->out, &job->out_capacity, job->out_size + size, 1)) {
        job->status = LINNET_OUT_OF_MEMORY;
        png_error(png, "out of memory");
    }
    memcpy(job->out + job->out_size, data, size);
    job->out_size += size;
}

static void png_flush_nothing(png_structp png)
{
    (void)png;
}

/* Whatever the file holds becomes 8 bits of grey, grey + alpha, RGB or RGBA. */
static void transforms_ask(png_job *job)
{
    png_set_scale_16(job->png);
    png_set_expand(job->png); /* palettes, 1 to 4 bits, transparent colours */
    png_set_interlace_handling(job->png);
    png_read_update_info(job->png, job->info);
}

/* Refuses what is too large, and what claims more pixels than its bytes can hold: deflate makes at most 1032 of one. */
static bool size_accepted(png_job *job, size_t size)
{
    uint64_t width = png_get_image_width(job->png, job->info), height = png_get_image_height(job->png, job->info);
    if (width > LINNET_IMAGE_MAX_SIDE || height > LINNET_IMAGE_MAX_SIDE || width * height > LINNET_IMAGE_MAX_PIXELS) {
        job->status = LINNET_LIMIT;
        snprintf(job->message, sizeof job->message, "%llu x %llu pixels, at most %d on a side and %d in all",
                 (unsigned long long)width, (unsigned long long)height, LINNET_IMAGE_MAX_SIDE, LINNET_IMAGE_MAX_PIXELS);
        return false;
    }
    if (png_get_rowbytes(job->png, job->info) * height / 1040 > size) {
        snprintf(job->message, sizeof job->message, "cut short");
        return false;
    }
    return true;
}

static bool read_guarded(png_job *job)
{
    if (setjmp(png_jmpbuf(job->png)))
        return false;
    png_set_read_fn(job->png, job, png_take);
    png_set_user_limits(job->png, 0x7fffffff, 0x7fffffff); /* size_accepted looks, with a better sentence */
    png_set_chunk_malloc_max(job->png, 1 << 23);
    png_read_info(job->png, job->info);
    if (!size_accepted(job, job->left))
        return false;
    transforms_ask(job);
    job->image =
        linnet_image_new(job->context, (int32_t)png_get_image_width(job->png, job->info),
                         (int32_t)png_get_image_height(job->png, job->info), png_get_channels(job->png, job->info));
    job->rows = job->image ? linnet_allocate((size_t)job->image->height, sizeof *job->rows) : NULL;
    if (!job->rows) {
        job->status = LINNET_OUT_OF_MEMORY;
        png_error(job->png, "out of memory");
    }
    if (png_get_rowbytes(job->png, job->info) != (size_t)job->image->width * (size_t)job->image->channels)
        png_error(job->png, "rows of an unexpected size");
    for (int32_t y = 0; y < job->image->height; y++)
        job->rows[y] = job->image->pixels + (size_t)y * (size_t)job->image->width * (size_t)job->image->channels;
    png_read_image(job->png, job->rows);
    png_read_end(job->png, NULL);
    return true;
}

/* Whether the chunks, from the first to IEND, lie inside the file. libpng takes memory for what a chunk claims before
   it looks whether that is there. */
static bool chunks_fit(const uint8_t *bytes, size_t size)
{
    for (size_t at = 8; size - at >= 12;) {
        const uint8_t *chunk = bytes + at;
        size_t length = (size_t)chunk[0] << 24 | (size_t)chunk[1] << 16 | (size_t)chunk[2] << 8 | chunk[3];
        if (length > size - at - 12)
            return false;
        if (!memcmp(chunk + 4, "IEND", 4))
            return true;
        at += length + 12;
    }
    return false;
}

linnet_image *linnet_image_decode(linnet_context *context, const void *bytes, size_t size, const char *name)
{
    context = linnet_context_or_default(context);
    if (linnet_context_check(context) != LINNET_OK)
        return NULL;
    name = name ? name : "image";
    if (!bytes || size < 8 || png_sig_cmp(bytes, 0, 8)) {
        linnet_fail(context, LINNET_BAD_FILE, "%s: not a PNG file", name);
        return NULL;
    }
    if (!chunks_fit(bytes, size)) {
        linnet_fail(context, LINNET_BAD_FILE, "%s: damaged PNG: cut short", name);
        return NULL;
    }
    png_job job = {.context = context, .name = name, .status = LINNET_BAD_FILE, .next = bytes, .left = size};
    job.png = png_create_read_struct(PNG_LIBPNG_VER_STRING, &job, png_failed, png_warned);
    job.info = job.png ? png_create_info_struct(job.png) : NULL;
    bool done = false;
    if (job.info)
        done = read_guarded(&job);
    else
        job.status = LINNET_OUT_OF_MEMORY;
    png_destroy_read_struct(&job.png, &job.info, NULL);
    linnet_release(job.rows);
    if (!done) {
        linnet_image_free(&job.image);
        linnet_fail(context, job.status, "%s: %s%s", name, job.status == LINNET_BAD_FILE ? "damaged PNG: " : "",
                    job.message[0] ? job.message : "out of memory");
    }
    return job.image;
}

static bool write_guarded(png_job *job, const linnet_image *image)
{
    static const int colours[] = {PNG_COLOR_TYPE_GRAY, PNG_COLOR_TYPE_GRAY_ALPHA, PNG_COLOR_TYPE_RGB,
                                  PNG_COLOR_TYPE_RGBA};
    if (setjmp(png_jmpbuf(job->png)))
        return false;
    png_set_write_fn(job->png, job, png_give, png_flush_nothing);
    png_set_IHDR(job->png, job->info, (png_uint_32)image->width, (png_uint_32)image->height, 8,
                 colours[image->channels - 1], PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_DEFAULT,
                 PNG_FILTER_TYPE_DEFAULT);
    png_write_info(job->png, job->info);
    for (int32_t y = 0; y < image->height; y++)
        png_write_row(job->png, image->pixels + (size_t)y * (size_t)image->width * (size_t)image->channels);
    png_write_end(job->png, NULL);
    return true;
}

linnet_status linnet_image_write(linnet_context *context, const linnet_image *image, const char *path)
{
    context = linnet_context_or_default(context);
    linnet_status status = linnet_context_check(context);
    if (status != LINNET_OK)
        return status;
    if (!image || !image->pixels || image->width < 1 || image->height < 1 || image->channels < 1 ||
        image->channels > 4 || !path)
        return linnet_fail(context, LINNET_INVALID, "image write: no picture or no path");
    png_job job = {.context = context, .name = path, .status = LINNET_INTERNAL};
    job.png = png_create_write_struct(PNG_LIBPNG_VER_STRING, &job, png_failed, png_warned);
    job.info = job.png ? png_create_info_struct(job.png) : NULL;
    if (!job.info)
        job.status = LINNET_OUT_OF_MEMORY;
    if (job.info && write_guarded(&job, image))
        status = linnet_file_write(context, path, (const void *[]){job.out}, &job.out_size, 1);
    else
        status = linnet_fail(context, job.status, "%s: cannot be written: %s", path,
                             job.message[0] ? job.message : "out of memory");
    png_destroy_write_struct(&job.png, &job.info);
    linnet_release(job.out);
    return status;
}
