/* SPDX-License-Identifier: Apache-2.0 */
/* The formats of processors: sizes, conversions, and what a layer asks for. */
#include "nchw16c.h"
#include "sizes.h"

#include <string.h>

enum { RUN = 1024 }; /* pixels of a work-item that converts */

enum { FROM_NCHW, TO_NCHW, SWAP, PACK, UNPACK, CONVERTERS };

struct linnet_cl_converters {
    linnet_cl_kernel kernels[CONVERTERS];
    linnet_status status;
};

static bool is_packing(uint32_t format)
{
    return format == LINNET_CL_CONV2D_FORWARD || format == LINNET_CL_CONV2D_BACKWARD ||
           format == LINNET_CL_CONV2D_PLANES;
}

bool linnet_cl_can_block(const linnet_backend_device *device, const linnet_tensor_desc *desc)
{
    return device->prefers_vectors && desc->type == LINNET_F32 && desc->rank >= 2;
}

int64_t linnet_cl_storage(const linnet_tensor_desc *desc)
{
    if (!linnet_cl_is_nchw16c(desc) && !linnet_cl_is_nchw16n(desc))
        return linnet_desc_count(desc);
    return linnet_cl_planes(desc) * LINNET_CL_LANES * linnet_cl_extent(desc, 2, desc->rank);
}

int64_t linnet_cl_planes(const linnet_tensor_desc *desc)
{
    return linnet_cl_is_nchw16n(desc) ? linnet_cl_blocks(desc->dims[0]) * desc->dims[1]
                                      : desc->dims[0] * linnet_cl_blocks(desc->dims[1]);
}

int64_t linnet_cl_item(const linnet_tensor_desc *desc)
{
    return desc->outer_stride ? desc->outer_stride : linnet_cl_storage(desc) / desc->dims[0];
}

static void want(const linnet_backend_device *device, const linnet_layer_desc *desc, uint32_t format,
                 linnet_candidate *out)
{
    for (uint32_t i = 0; i < desc->input_count; i++)
        if (linnet_cl_can_block(device, &desc->inputs[i]))
            out->input_formats[i] = format;
    for (uint32_t i = 0; i < desc->output_count; i++)
        if (linnet_cl_can_block(device, &desc->outputs[i]))
            out->output_formats[i] = format;
}

static bool follow(const linnet_backend_device *device, const linnet_layer_desc *desc, uint32_t format,
                   linnet_candidate *out)
{
    bool follows = false;
    for (uint32_t i = 0; i < desc->input_count && !follows; i++)
        follows = desc->inputs[i].format == format;
    for (uint32_t i = 0; i < desc->output_count && !follows && desc->direction == LINNET_BACKWARD; i++)
        follows = desc->outputs[i].format == format;
    if (follows)
        want(device, desc, format, out);
    return follows;
}

void linnet_cl_want_nchw16c(const linnet_backend_device *device, const linnet_layer_desc *desc, linnet_candidate *out)
{
    want(device, desc, LINNET_CL_NCHW16C, out);
}

bool linnet_cl_follow_nchw16c(const linnet_backend_device *device, const linnet_layer_desc *desc, linnet_candidate *out)
{
    return follow(device, desc, LINNET_CL_NCHW16C, out);
}

void linnet_cl_want_nchw16n(const linnet_backend_device *device, const linnet_layer_desc *desc, linnet_candidate *out)
{
    want(device, desc, LINNET_CL_NCHW16N, out);
}

bool linnet_cl_follow_nchw16n(const linnet_backend_device *device, const linnet_layer_desc *desc, linnet_candidate *out)
{
    return follow(device, desc, LINNET_CL_NCHW16N, out);
}

linnet_status linnet_cl_format_bytes(linnet_backend_device *device, const linnet_tensor_desc *desc, uint64_t *out_bytes)
{
    bool packing = is_packing(desc->format) && desc->rank == 4;
    if (!linnet_cl_can_block(device, desc) || !(packing || linnet_cl_is_nchw16c(desc) || linnet_cl_is_nchw16n(desc)))
        return linnet_cl_fail(LINNET_UNSUPPORTED, "opencl: '%s' has no such format", device->info.name);
    int64_t first =
        packing || linnet_cl_is_nchw16n(desc) ? linnet_cl_blocks(desc->dims[0]) * LINNET_CL_LANES : desc->dims[0];
    bool planes = desc->format == LINNET_CL_CONV2D_PLANES;
    uint64_t lanes =
                 (uint64_t)(planes || linnet_cl_is_nchw16n(desc) ? desc->dims[1]
                                                                 : linnet_cl_blocks(desc->dims[1]) * LINNET_CL_LANES),
             all;
    if (__builtin_mul_overflow((uint64_t)first, lanes, &all) ||
        __builtin_mul_overflow(all, (uint64_t)linnet_cl_extent(desc, 2, desc->rank), &all) ||
        all > (uint64_t)LINNET_CL_MOST_ELEMENTS)
        return linnet_cl_fail(LINNET_LIMIT, "opencl: a blocked tensor is too large");
    *out_bytes = all * sizeof(float);
    return LINNET_OK;
}

const char *linnet_cl_format_name(uint32_t format)
{
    return format == LINNET_CL_NCHW16C           ? "nchw16c"
           : format == LINNET_CL_NCHW16N         ? "nchw16n"
           : format == LINNET_CL_CONV2D_FORWARD  ? "conv2d_forward"
           : format == LINNET_CL_CONV2D_BACKWARD ? "conv2d_backward"
           : format == LINNET_CL_CONV2D_PLANES   ? "conv2d_planes"
                                                 : NULL;
}

uint32_t linnet_cl_format_is_exact(uint32_t format)
{
    return format == LINNET_CL_NCHW16C; /* spare lanes of nchw16n hold what comes of zeros */
}

linnet_status linnet_cl_format_slice(linnet_backend_device *device, const linnet_tensor_desc *whole,
                                     const linnet_tensor_desc *part, uint32_t axis, int64_t start, uint64_t *out_offset,
                                     int64_t *out_stride)
{
    if (!linnet_cl_is_nchw16c(whole) || axis != 1 || !linnet_cl_can_block(device, whole) || part->rank != whole->rank ||
        start + part->dims[1] > whole->dims[1])
        return linnet_cl_fail(LINNET_UNSUPPORTED, "opencl: only channels are parts of a blocked tensor");
    int64_t last = start + part->dims[1];
    /* Spare lanes are zero: only where the whole has them may the part. */
    if (start % LINNET_CL_LANES != 0 || (last % LINNET_CL_LANES != 0 && last != whole->dims[1]))
        return linnet_cl_fail(LINNET_UNSUPPORTED, "opencl: these channels are no tensor by themselves");
    *out_offset = (uint64_t)(start * linnet_cl_extent(whole, 2, whole->rank)) * sizeof(float);
    *out_stride = linnet_cl_storage(whole) / whole->dims[0];
    return LINNET_OK;
}

/* ---- Conversion. A queue keeps its kernels, since a conversion has no plan. ---- */

static linnet_cl_kernel *converter(linnet_backend_queue *queue, int which)
{
    static const char *const names[CONVERTERS] = {"nchw16c_from_nchw", "nchw16c_to_nchw", "nchw16c_swap",
                                                  "nchw16c_pack", "nchw16c_unpack"};
    if (!queue->converters) {
        queue->converters = linnet_cl_host->allocate(sizeof(*queue->converters));
        if (!queue->converters) {
            linnet_cl_fail(LINNET_OUT_OF_MEMORY, "out of memory converting a tensor");
            return NULL;
        }
        memset(queue->converters, 0, sizeof(*queue->converters));
    }
    linnet_cl_kernel *kernel = &queue->converters->kernels[which];
    if (!kernel->kernel) {
        queue->converters->status = LINNET_OK;
        linnet_cl_kernel_init(queue->device, kernel, &queue->converters->status, LINNET_CL_PROGRAM_NCHW16C,
                              names[which], 2);
    }
    return kernel;
}

void linnet_cl_converters_free(linnet_backend_queue *queue)
{
    for (int i = 0; i < CONVERTERS && queue->converters; i++)
        linnet_cl_release_kernel(queue->converters->kernels[i].kernel);
    linnet_cl_host->release(queue->converters);
    queue->converters = NULL;
}

static linnet_status convert_tensor(linnet_backend_queue *queue, linnet_cl_kernel *kernel,
                                    const linnet_tensor_desc *desc, linnet_view from, linnet_view to)
{
    /* nchw16n is nchw16c of one item whose channels are the images. */
    uint32_t lanes = linnet_cl_is_nchw16n(desc) ? 0 : 1;
    int64_t size = linnet_cl_extent(desc, lanes + 1, desc->rank), blocks = linnet_cl_blocks(desc->dims[lanes]);
    linnet_cl_run_int(kernel, 0, (cl_int)desc->dims[lanes]);
    linnet_cl_run_int(kernel, 1, (cl_int)size);
    linnet_cl_run_int(kernel, 2, (cl_int)blocks);
    linnet_cl_run_int(kernel, 3, RUN);
    linnet_cl_range(kernel, ceil_div(size, RUN), blocks, lanes ? desc->dims[0] : 1, 1);
    return linnet_cl_launch(kernel, queue, from, to);
}

/* Between nchw16c and nchw16n. */
static linnet_status swap_lanes(linnet_backend_queue *queue, const linnet_tensor_desc *to_desc, linnet_view from,
                                linnet_view to)
{
    linnet_cl_kernel *kernel = converter(queue, SWAP);
    if (!kernel || queue->converters->status)
        return kernel ? queue->converters->status : LINNET_OUT_OF_MEMORY;
    linnet_cl_run_int(kernel, 0, (cl_int)to_desc->dims[0]);
    linnet_cl_run_int(kernel, 1, (cl_int)to_desc->dims[1]);
    linnet_cl_run_int(kernel, 2, (cl_int)linnet_cl_extent(to_desc, 2, to_desc->rank));
    linnet_cl_run_int(kernel, 3, linnet_cl_is_nchw16n(to_desc));
    linnet_cl_range(kernel, linnet_cl_blocks(to_desc->dims[1]), linnet_cl_blocks(to_desc->dims[0]), 1, 1);
    return linnet_cl_launch(kernel, queue, from, to);
}

static linnet_status convert_weights(linnet_backend_queue *queue, linnet_cl_kernel *kernel,
                                     const linnet_tensor_desc *desc, linnet_view from, linnet_view to)
{
    bool planes = desc->format == LINNET_CL_CONV2D_PLANES;
    int64_t in_blocks = planes ? desc->dims[1] : linnet_cl_blocks(desc->dims[1]);
    int64_t out_blocks = linnet_cl_blocks(desc->dims[0]);
    linnet_cl_run_int(kernel, 0, (cl_int)desc->dims[0]);
    linnet_cl_run_int(kernel, 1, (cl_int)desc->dims[1]);
    linnet_cl_run_int(kernel, 2, (cl_int)linnet_cl_extent(desc, 2, 4));
    linnet_cl_run_int(kernel, 3, planes ? 1 : LINNET_CL_LANES);
    linnet_cl_run_int(kernel, 4, (cl_int)in_blocks);
    linnet_cl_run_int(kernel, 5, (cl_int)out_blocks);
    linnet_cl_run_int(kernel, 6, desc->format == LINNET_CL_CONV2D_BACKWARD);
    linnet_cl_range(kernel, in_blocks, out_blocks, 1, 1);
    return linnet_cl_launch(kernel, queue, from, to);
}

linnet_status linnet_cl_convert(linnet_backend_queue *queue, const linnet_tensor_desc *destination_desc,
                                linnet_view destination, const linnet_tensor_desc *source_desc, linnet_view source)
{
    bool forth = source_desc->format == LINNET_FORMAT_NCHW;
    const linnet_tensor_desc *own = forth ? destination_desc : source_desc;
    uint64_t bytes;
    linnet_status status = linnet_cl_fork_check();
    if (!status)
        status = linnet_cl_format_bytes(queue->device, own, &bytes);
    if (status)
        return status;
    if (source_desc->outer_stride != 0 || destination_desc->outer_stride != 0)
        return linnet_cl_fail(LINNET_UNSUPPORTED, "opencl: converts only between dense tensors");
    if ((linnet_cl_is_nchw16c(source_desc) && linnet_cl_is_nchw16n(destination_desc)) ||
        (linnet_cl_is_nchw16n(source_desc) && linnet_cl_is_nchw16c(destination_desc)))
        return swap_lanes(queue, destination_desc, source, destination);
    if (!forth && destination_desc->format != LINNET_FORMAT_NCHW)
        return linnet_cl_fail(LINNET_UNSUPPORTED, "opencl: converts only between NCHW and a format of its own");
    bool packing = is_packing(own->format);
    linnet_cl_kernel *kernel = converter(queue, packing ? (forth ? PACK : UNPACK) : forth ? FROM_NCHW : TO_NCHW);
    if (!kernel)
        return LINNET_OUT_OF_MEMORY;
    if (queue->converters->status)
        return queue->converters->status;
    return packing ? convert_weights(queue, kernel, own, source, destination)
                   : convert_tensor(queue, kernel, own, source, destination);
}
