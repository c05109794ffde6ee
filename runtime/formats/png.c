/* SPDX-License-Identifier: Apache-2.0 */
/*
 * PNG by libpng. libpng reports an error by longjmp: everything that must survive it lives in a job, and between setjmp
 * and the end of a guarded function nothing but the job changes.
 */
#include "core/core.h"
#include "picture.h"

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
    bool deep;       /* 16 bits stay 16 bits */
    int orientation; /* Exif's */
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

/* libpng gives the high byte first. */
static bool low_byte_first(void)
{
    const uint16_t one = 1;
    return *(const uint8_t *)&one == 1;
}

/* Whatever the file holds becomes 8 bits, or 16 where that was asked and is there, of grey, grey + alpha, RGB or RGBA.
 */
static void transforms_ask(png_job *job)
{
    job->deep = job->deep && png_get_bit_depth(job->png, job->info) == 16;
    if (!job->deep)
        png_set_scale_16(job->png);
    else if (low_byte_first())
        png_set_swap(job->png);
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

/* Where cameras and phones put it, an eXIf chunk before or after the pixels. */
static int orientation_of(png_job *job)
{
    png_bytep bytes = NULL;
    png_uint_32 size = 0;
    return png_get_eXIf_1(job->png, job->info, &size, &bytes) ? linnet_exif_orientation(bytes, size) : 1;
}

/* An empty picture for what is to come, and its rows. */
static bool picture_make(png_job *job)
{
    int32_t width = (int32_t)png_get_image_width(job->png, job->info);
    int32_t height = (int32_t)png_get_image_height(job->png, job->info);
    int32_t channels = png_get_channels(job->png, job->info);
    job->image = job->deep ? linnet_image_new_deep(job->context, width, height, channels)
                           : linnet_image_new(job->context, width, height, channels);
    job->rows = job->image ? linnet_allocate((size_t)height, sizeof *job->rows) : NULL;
    if (!job->rows)
        return false;
    for (int32_t y = 0; y < height; y++)
        job->rows[y] = linnet_image_row(job->image, y);
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
    if (!picture_make(job)) {
        job->status = LINNET_OUT_OF_MEMORY;
        png_error(job->png, "out of memory");
    }
    if (png_get_rowbytes(job->png, job->info) != linnet_image_row_bytes(job->image))
        png_error(job->png, "rows of an unexpected size");
    png_read_image(job->png, job->rows);
    png_read_end(job->png, job->info);
    job->orientation = orientation_of(job);
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

linnet_image *linnet_png_decode(linnet_context *context, const uint8_t *bytes, size_t size, const char *name, bool deep)
{
    if (!chunks_fit(bytes, size)) {
        linnet_fail(context, LINNET_BAD_FILE, "%s: damaged PNG: cut short", name);
        return NULL;
    }
    png_job job = {
        .context = context, .name = name, .status = LINNET_BAD_FILE, .next = bytes, .left = size, .deep = deep};
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
        return NULL;
    }
    linnet_image_turn(context, &job.image, job.orientation);
    return job.image;
}

static bool write_guarded(png_job *job, const linnet_image *image)
{
    static const int colours[] = {PNG_COLOR_TYPE_GRAY, PNG_COLOR_TYPE_GRAY_ALPHA, PNG_COLOR_TYPE_RGB,
                                  PNG_COLOR_TYPE_RGBA};
    if (setjmp(png_jmpbuf(job->png)))
        return false;
    png_set_write_fn(job->png, job, png_give, png_flush_nothing);
    png_set_IHDR(job->png, job->info, (png_uint_32)image->width, (png_uint_32)image->height, image->pixels16 ? 16 : 8,
                 colours[image->channels - 1], PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_DEFAULT,
                 PNG_FILTER_TYPE_DEFAULT);
    png_write_info(job->png, job->info);
    if (image->pixels16 && low_byte_first())
        png_set_swap(job->png);
    for (int32_t y = 0; y < image->height; y++)
        png_write_row(job->png, linnet_image_row(image, y));
    png_write_end(job->png, NULL);
    return true;
}

linnet_status linnet_png_encode(linnet_context *context, const linnet_image *image, const char *name,
                                uint8_t **out_bytes, size_t *out_size)
{
    png_job job = {.context = context, .name = name, .status = LINNET_INTERNAL};
    job.png = png_create_write_struct(PNG_LIBPNG_VER_STRING, &job, png_failed, png_warned);
    job.info = job.png ? png_create_info_struct(job.png) : NULL;
    if (!job.info)
        job.status = LINNET_OUT_OF_MEMORY;
    else if (write_guarded(&job, image))
        job.status = LINNET_OK;
    if (job.status != LINNET_OK) {
        linnet_fail(context, job.status, "%s: cannot be written: %s", name,
                    job.message[0] ? job.message : "out of memory");
        linnet_release(job.out);
        job.out = NULL;
    }
    png_destroy_write_struct(&job.png, &job.info);
    *out_bytes = job.out;
    *out_size = job.out_size;
    return job.status;
}

bool linnet_png_built(void)
{
    return true;
}
