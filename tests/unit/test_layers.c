/* SPDX-License-Identifier: Apache-2.0 */
/* The device-free half of the layers: shapes, free dimensions, sentences, limits, counts. */
#include "plugins.h"

#include "layers/layer.h"

#include <math.h>

#define FREE LINNET_FREE_DIM

/* shape(28, 28): f32 */
#define shape(...) shape_of((const int64_t[]){__VA_ARGS__}, sizeof((const int64_t[]){__VA_ARGS__}) / sizeof(int64_t))

static linnet_shape shape_of(const int64_t *dims, size_t rank)
{
    linnet_shape s = {.type = LINNET_F32, .rank = (uint32_t)rank};
    memcpy(s.dims, dims, rank * sizeof *dims);
    return s;
}

static linnet_shape_job job_of(const void *attributes, linnet_shape x)
{
    return (linnet_shape_job){.node = "c3", .attributes = attributes, .input_count = 1, .inputs = {x}};
}

static linnet_status infer(linnet_shape_job *job, linnet_layer_kind kind)
{
    return linnet_layer_find(kind)->infer(job);
}

static void assert_shape(const linnet_shape *got, const char *wanted)
{
    char text[192];
    assert_string_equal(linnet_shape_text(got, text, sizeof text), wanted);
}

static void assert_refused(linnet_shape_job *job, linnet_layer_kind kind, linnet_status status, const char *sentence)
{
    assert_int_equal(infer(job, kind), status);
    assert_string_equal(linnet_context_message(NULL), sentence);
}

static const linnet_conv2d_attributes conv5 = {sizeof conv5, 1, {5, 5}, {1, 1}, {1, 1}, {2, 2, 2, 2}};
static const linnet_pool2d_attributes pool2 = {sizeof pool2, 0, {2, 2}, {2, 2}, {0, 0, 0, 0}};

/* ---- Every kind ---- */

static void every_kind_is_in_the_table(void **state)
{
    (void)state;
#define LINNET_LAYER(number, NAME, kind_name, ...)                                                                     \
    assert_non_null(linnet_layer_find(number));                                                                        \
    assert_int_equal(linnet_layer_find(number)->kind, number);                                                         \
    assert_string_equal(linnet_layer_find(number)->name, #kind_name);                                                  \
    assert_non_null(linnet_layer_find(number)->infer);
#include "linnet/layers.def"
    assert_null(linnet_layer_find(0));
    assert_null(linnet_layer_find(21));
    assert_null(linnet_layer_find(UINT32_MAX));
}

static void hopeless_jobs_are_refused_by_every_kind(void **state)
{
    (void)state;
    for (uint32_t kind = 1; linnet_layer_find(kind); kind++) {
        linnet_shape_job none = {0};
        assert_int_equal(infer(&none, kind), LINNET_INVALID); /* no inputs */
        bool two = kind == LINNET_LAYER_BINARY || kind == LINNET_LAYER_CROSS_ENTROPY || kind == LINNET_LAYER_MSE;
        linnet_shape_job job = {
            .input_count = two ? 2 : 1, .inputs = {shape(2, 0, 3, 3), shape(2, 0, 3, 3)}, .parameter_count = 2};
        if (linnet_layer_find(kind)->attributes_size)
            assert_int_equal(infer(&job, kind), LINNET_INVALID); /* no attributes */
        static const unsigned char zeros[256];
        job.attributes = zeros;
        assert_int_not_equal(infer(&job, kind), LINNET_OK); /* of size 0, and an empty input */
    }
}

/* ---- conv2d ---- */

static void conv2d_makes_its_parameters(void **state)
{
    (void)state;
    linnet_shape_job job = job_of(&conv5, shape(FREE, 3, 28, 30));
    job.parameter_count = 2;
    job.features = 6;
    assert_int_equal(infer(&job, LINNET_LAYER_CONV2D), LINNET_OK);
    assert_shape(&job.outputs[0], "[N,6,28,30]");
    assert_shape(&job.parameters[LINNET_CONV2D_WEIGHT], "[6,3,5,5]");
    assert_shape(&job.parameters[LINNET_CONV2D_BIAS], "[6]");
    job.inputs[0].dims[0] = 10;
    assert_int_equal(infer(&job, LINNET_LAYER_CONV2D), LINNET_OK);
    assert_true(linnet_layer_find(LINNET_LAYER_CONV2D)->multiply_adds(&job) == UINT64_C(10) * 6 * 28 * 30 * 3 * 25);
}

static void conv2d_knows_all_attributes(void **state)
{
    (void)state;
    linnet_conv2d_attributes a = {sizeof a, 2, {3, 2}, {2, 3}, {2, 1}, {1, 0, 0, 3}};
    linnet_shape_job job = job_of(&a, shape(4, 6, 11, FREE));
    job.parameter_count = 1;
    job.features = 8;
    assert_int_equal(infer(&job, LINNET_LAYER_CONV2D), LINNET_OK);
    assert_shape(&job.outputs[0], "[4,8,4,?]"); /* (11 + 1 - 5) / 2 + 1 */
    assert_shape(&job.parameters[0], "[8,3,3,2]");
    job.inputs[0].dims[3] = 7;
    assert_int_equal(infer(&job, LINNET_LAYER_CONV2D), LINNET_OK);
    assert_shape(&job.outputs[0], "[4,8,4,3]"); /* (7 + 3 - 2) / 3 + 1 */
}

static void conv2d_says_what_does_not_fit(void **state)
{
    (void)state;
    linnet_shape_job job = job_of(&conv5, shape(FREE, 6, 28, 28));
    job.parameter_count = 1;
    job.parameters[0] = shape(8, 16, 5, 5);
    assert_refused(&job, LINNET_LAYER_CONV2D, LINNET_SHAPE, "conv2d 'c3': input has 6 channels, weight wants 16");
    job.parameters[0] = shape(8, 6, 3, 3);
    assert_refused(&job, LINNET_LAYER_CONV2D, LINNET_SHAPE, "conv2d 'c3': kernel is 5x5, weight is for 3x3");
    job.parameters[0] = shape(8, 6, 5, 5);
    job.features = 7;
    assert_refused(&job, LINNET_LAYER_CONV2D, LINNET_SHAPE, "conv2d 'c3': out_channels is 7, weight makes 8");
    job.features = 0;
    job.node = "";
    job.inputs[0] = shape(FREE, 6, 28);
    assert_refused(&job, LINNET_LAYER_CONV2D, LINNET_SHAPE,
                   "conv2d: input [N,6,28] has 3 dimensions, wants 4 (batch, channels, height, width)");
    job.inputs[0] = shape(FREE, 6, 0, 28);
    assert_refused(&job, LINNET_LAYER_CONV2D, LINNET_SHAPE, "conv2d: input [N,6,0,28] is empty");
    linnet_conv2d_attributes a = conv5;
    job.attributes = &a;
    job.inputs[0] = shape(1, 6, 28, 28);
    a.groups = 4;
    assert_int_equal(infer(&job, LINNET_LAYER_CONV2D), LINNET_SHAPE);
    a.groups = 0;
    assert_refused(&job, LINNET_LAYER_CONV2D, LINNET_INVALID, "conv2d: groups is 0, wants at least 1");
}

static void sizes_do_not_overflow(void **state)
{
    (void)state;
    linnet_conv2d_attributes a = conv5;
    linnet_shape_job job = job_of(&a, shape(1, 1, 1, 1));
    job.parameter_count = 1;
    job.features = INT64_MAX;
    assert_int_equal(infer(&job, LINNET_LAYER_CONV2D), LINNET_INVALID);
    job.features = INT64_C(1) << 40;
    assert_int_equal(infer(&job, LINNET_LAYER_CONV2D), LINNET_SHAPE); /* the weight would be 25 times that */
    job = job_of(&a, shape(1 << 20, 1, 1 << 20, 1));
    job.parameter_count = 1;
    job.features = 2;
    assert_int_equal(infer(&job, LINNET_LAYER_CONV2D), LINNET_LIMIT); /* 2^41 elements out */
    job.inputs[0] = shape(INT64_MAX, INT64_MAX, 1, 1);
    assert_int_equal(infer(&job, LINNET_LAYER_CONV2D), LINNET_LIMIT);
    job.inputs[0] = shape(1, 1, 9, 9);
    a.kernel[0] = INT64_MAX;
    assert_int_equal(infer(&job, LINNET_LAYER_CONV2D), LINNET_INVALID);
    a.kernel[0] = a.dilation[0] = LINNET_MAX_WINDOW;
    assert_int_equal(infer(&job, LINNET_LAYER_CONV2D), LINNET_SHAPE);
    a = conv5;
    a.padding[1] = -1;
    assert_int_equal(infer(&job, LINNET_LAYER_CONV2D), LINNET_INVALID);
    assert_true(linnet_count_multiply(UINT64_C(1) << 33, UINT64_C(1) << 33) == UINT64_MAX);
}

/* ---- The others ---- */

static void linear_flattens(void **state)
{
    (void)state;
    linnet_shape_job job = job_of(NULL, shape(FREE, 16, 5, 5));
    job.parameter_count = 2;
    job.features = 120;
    assert_int_equal(infer(&job, LINNET_LAYER_LINEAR), LINNET_OK);
    assert_shape(&job.outputs[0], "[N,120]");
    assert_shape(&job.parameters[0], "[120,400]");
    job.inputs[0] = shape(FREE, 16, 4, 5);
    assert_refused(&job, LINNET_LAYER_LINEAR, LINNET_SHAPE,
                   "linear 'c3': input [N,16,4,5] has 320 features, weight wants 400");
    job = job_of(NULL, shape(FREE, 16, FREE, 5));
    job.parameter_count = 1;
    job.features = 120;
    assert_refused(&job, LINNET_LAYER_LINEAR, LINNET_SHAPE,
                   "linear 'c3': all but the first dimension of input [N,16,?,5] must be known");
    job.parameters[0] = shape(120, 400); /* a weight that is there decides */
    assert_int_equal(infer(&job, LINNET_LAYER_LINEAR), LINNET_OK);
}

static void pools_keep_an_element_in_every_window(void **state)
{
    (void)state;
    linnet_shape_job job = job_of(&pool2, shape(FREE, 6, 28, FREE));
    assert_int_equal(infer(&job, LINNET_LAYER_MAX_POOL2D), LINNET_OK);
    assert_shape(&job.outputs[0], "[N,6,14,?]");
    linnet_pool2d_attributes a = pool2;
    a.padding[2] = 2;
    job.attributes = &a;
    assert_refused(&job, LINNET_LAYER_AVG_POOL2D, LINNET_INVALID,
                   "avg_pool2d 'c3': padding 2 must be smaller than kernel 2");
    a.padding[2] = 0;
    job.inputs[0] = shape(FREE, 6, 1, 9);
    assert_int_equal(infer(&job, LINNET_LAYER_MAX_POOL2D), LINNET_SHAPE);
}

static void reshape_finds_the_rest(void **state)
{
    (void)state;
    linnet_shape target = shape(FREE, -2);
    linnet_shape_job job = job_of(&target, shape(FREE, 16, 5, 5));
    assert_int_equal(infer(&job, LINNET_LAYER_RESHAPE), LINNET_OK);
    assert_shape(&job.outputs[0], "[N,400]");
    job.inputs[0].dims[0] = 7;
    assert_int_equal(infer(&job, LINNET_LAYER_RESHAPE), LINNET_OK);
    assert_shape(&job.outputs[0], "[7,400]");
    target = shape(-2, 100);
    assert_int_equal(infer(&job, LINNET_LAYER_RESHAPE), LINNET_OK);
    assert_shape(&job.outputs[0], "[28,100]");
    target = shape(FREE, 399);
    assert_refused(&job, LINNET_LAYER_RESHAPE, LINNET_SHAPE,
                   "reshape 'c3': input [7,16,5,5] does not fit into [N,399]");
    target = shape(-2, -2);
    assert_int_equal(infer(&job, LINNET_LAYER_RESHAPE), LINNET_INVALID);
    target = shape(0, -2);
    assert_int_equal(infer(&job, LINNET_LAYER_RESHAPE), LINNET_INVALID);
    target = shape(FREE, FREE, FREE, FREE, FREE);
    assert_int_equal(infer(&job, LINNET_LAYER_RESHAPE), LINNET_SHAPE);
}

static void concat_adds_along_its_axis(void **state)
{
    (void)state;
    linnet_axis_attributes a = {sizeof a, 1};
    linnet_shape_job job = job_of(&a, shape(FREE, 6, 5, 5));
    job.input_count = 3;
    job.inputs[1] = shape(FREE, 2, 5, 5);
    job.inputs[2] = shape(4, 1, 5, 5);
    assert_int_equal(infer(&job, LINNET_LAYER_CONCAT), LINNET_OK);
    assert_shape(&job.outputs[0], "[4,9,5,5]");
    job.inputs[2] = shape(4, 1, 6, 5);
    assert_refused(&job, LINNET_LAYER_CONCAT, LINNET_SHAPE,
                   "concat 'c3': input 0 is f32 [N,6,5,5], input 2 is f32 [4,1,6,5], wants the same but for axis 1");
    a.axis = 4;
    assert_refused(&job, LINNET_LAYER_CONCAT, LINNET_INVALID, "concat 'c3': input [N,6,5,5] has no axis 4");
}

static void batch_norm_has_states(void **state)
{
    (void)state;
    linnet_batch_norm_attributes a = {sizeof a, 1e-5f, 0.1f};
    linnet_shape_job job = job_of(&a, shape(FREE, 6, 5, 5));
    job.parameter_count = 2;
    assert_int_equal(infer(&job, LINNET_LAYER_BATCH_NORM), LINNET_OK);
    assert_shape(&job.outputs[0], "[N,6,5,5]");
    assert_shape(&job.parameters[LINNET_BATCH_NORM_BIAS], "[6]");
    assert_int_equal(job.state_count, 2);
    assert_shape(&job.states[LINNET_BATCH_NORM_VARIANCE], "[6]");
    job.inputs[0] = shape(FREE, 7);
    assert_refused(&job, LINNET_LAYER_BATCH_NORM, LINNET_SHAPE,
                   "batch_norm 'c3': input has 7 channels, weight wants 6");
    a.momentum = NAN;
    assert_int_equal(infer(&job, LINNET_LAYER_BATCH_NORM), LINNET_INVALID);
}

static void losses_are_scalars(void **state)
{
    (void)state;
    linnet_shape_job job = job_of(NULL, shape(FREE, 10));
    job.input_count = 2;
    job.inputs[1] = shape(FREE);
    assert_refused(&job, LINNET_LAYER_CROSS_ENTROPY, LINNET_INVALID,
                   "cross_entropy 'c3': labels are of type f32, wants i32");
    job.inputs[1].type = LINNET_I32;
    assert_int_equal(infer(&job, LINNET_LAYER_CROSS_ENTROPY), LINNET_OK);
    assert_int_equal(job.outputs[0].rank, 0);
    job.inputs[0].dims[0] = 3;
    job.inputs[1].dims[0] = 4;
    assert_refused(&job, LINNET_LAYER_CROSS_ENTROPY, LINNET_SHAPE,
                   "cross_entropy 'c3': labels [4] do not fit logits [3,10], wants one for each item");
    job.inputs[1] = shape(3, 9);
    assert_refused(&job, LINNET_LAYER_MSE, LINNET_SHAPE, "mse 'c3': inputs are [3,10] and [3,9], wants equal shapes");
}

static void operators_check_their_numbers(void **state)
{
    (void)state;
    linnet_unary_attributes a = {sizeof a, LINNET_UNARY_LEAKY_RELU, 0, 0};
    linnet_shape_job job = job_of(&a, shape(FREE, 10));
    assert_int_equal(infer(&job, LINNET_LAYER_UNARY), LINNET_INVALID);
    a = (linnet_unary_attributes){sizeof a, LINNET_UNARY_CLIP, 1, 0};
    assert_refused(&job, LINNET_LAYER_UNARY, LINNET_INVALID,
                   "unary 'c3': clip's limits are 1 and 0, wants the smaller first");
    a.op = 99;
    assert_refused(&job, LINNET_LAYER_UNARY, LINNET_INVALID, "unary 'c3': 99 is no operator");
    linnet_dropout_attributes d = {sizeof d, 1.0f};
    job.attributes = &d;
    assert_int_equal(infer(&job, LINNET_LAYER_DROPOUT), LINNET_INVALID);
    d.probability = 0;
    assert_int_equal(infer(&job, LINNET_LAYER_DROPOUT), LINNET_OK);
    job.inputs[0].type = LINNET_I32;
    assert_refused(&job, LINNET_LAYER_DROPOUT, LINNET_INVALID,
                   "dropout 'c3': input is of type i32, wants floating point");
}

/* ---- Pictures, and filters that are not shared ---- */

static const linnet_local_conv2d_attributes local3 = {sizeof local3, 0, {3, 2}, {2, 1}, {1, 0, 0, 1}};

static void local_conv2d_makes_a_filter_for_every_place(void **state)
{
    (void)state;
    linnet_shape_job job = job_of(&local3, shape(FREE, 3, 8, 5));
    job.parameter_count = 2;
    job.features = 4;
    assert_int_equal(infer(&job, LINNET_LAYER_LOCAL_CONV2D), LINNET_OK);
    assert_shape(&job.outputs[0], "[N,4,4,5]"); /* (8 + 1 - 3) / 2 + 1, (5 + 1 - 2) + 1 */
    assert_shape(&job.parameters[LINNET_LOCAL_CONV2D_WEIGHT], "[4,5,4,3,3,2]");
    assert_shape(&job.parameters[LINNET_LOCAL_CONV2D_BIAS], "[4,4,5]");
    job.inputs[0].dims[0] = 10;
    assert_int_equal(infer(&job, LINNET_LAYER_LOCAL_CONV2D), LINNET_OK);
    assert_true(linnet_layer_find(LINNET_LAYER_LOCAL_CONV2D)->multiply_adds(&job) == UINT64_C(10) * 4 * 4 * 5 * 18);
}

static void local_conv2d_says_what_does_not_fit(void **state)
{
    (void)state;
    const linnet_layer_kind kind = LINNET_LAYER_LOCAL_CONV2D;
    linnet_shape_job job = job_of(&local3, shape(FREE, 3, 8, 5));
    job.parameter_count = 1;
    assert_refused(&job, kind, LINNET_INVALID, "local_conv2d 'c3': out_channels is 0, wants at least 1");
    job.parameters[0] = shape(4, 5, 4, 7, 3, 2);
    assert_refused(&job, kind, LINNET_SHAPE, "local_conv2d 'c3': input has 3 channels, weight wants 7");
    job.parameters[0] = shape(4, 4, 4, 3, 3, 2);
    assert_refused(&job, kind, LINNET_SHAPE, "local_conv2d 'c3': output has 4x5 places, weight is for 4x4");
    job.parameters[0] = shape(4, 5, 4, 3, 2, 2);
    assert_refused(&job, kind, LINNET_SHAPE, "local_conv2d 'c3': kernel is 3x2, weight is for 2x2");
    job.parameters[0] = shape(4, 3, 3, 2);
    assert_refused(&job, kind, LINNET_SHAPE,
                   "local_conv2d 'c3': weight is f32 [4,3,3,2], wants f32 [out height,out width,out,in,height,width]");
    job.parameters[0] = shape(4, 5, 4, 3, 3, 2);
    job.features = 6;
    assert_refused(&job, kind, LINNET_SHAPE, "local_conv2d 'c3': out_channels is 6, weight makes 4");
    job.features = 0;
    job.parameter_count = 2;
    job.parameters[1] = shape(4);
    assert_refused(&job, kind, LINNET_SHAPE, "local_conv2d 'c3': bias is f32 [4], wants f32 [4,4,5]");
    job.inputs[0] = shape(FREE, 3, FREE, 5);
    assert_refused(
        &job, kind, LINNET_SHAPE,
        "local_conv2d 'c3': height and width of input [N,3,?,5] must be known: every place has its own weights");
    job.inputs[0] = shape(FREE, 3, 1, 5);
    assert_refused(&job, kind, LINNET_SHAPE,
                   "local_conv2d 'c3': kernel 3x2 does not fit into input [N,3,1,5] with padding 1,0,0,1");
}

static void local_weights_do_not_overflow(void **state)
{
    (void)state;
    linnet_shape_job job = job_of(&local3, shape(1, 1 << 10, 1 << 12, 1 << 12));
    job.parameter_count = 1;
    job.features = 1 << 10;
    assert_int_equal(infer(&job, LINNET_LAYER_LOCAL_CONV2D), LINNET_LIMIT);
    assert_non_null(strstr(linnet_context_message(NULL), "weight is f32 [2048,4096,1024,1024,3,2]"));
}

static void gram_is_a_square(void **state)
{
    (void)state;
    linnet_gram_attributes a = {sizeof a, 0.5f};
    linnet_shape_job job = job_of(&a, shape(FREE, 6, FREE, FREE));
    assert_int_equal(infer(&job, LINNET_LAYER_GRAM), LINNET_OK);
    assert_shape(&job.outputs[0], "[N,6,6]");
    job.inputs[0] = shape(2, 6, 5, 4);
    assert_int_equal(infer(&job, LINNET_LAYER_GRAM), LINNET_OK);
    assert_true(linnet_layer_find(LINNET_LAYER_GRAM)->multiply_adds(&job) == 2 * 6 * 6 * 5 * 4);
    job.inputs[0] = shape(FREE, 6);
    assert_refused(&job, LINNET_LAYER_GRAM, LINNET_SHAPE,
                   "gram 'c3': input [N,6] has 2 dimensions, wants 4 (batch, channels, height, width)");
    job.inputs[0] = shape(1, 1 << 21, 1, 1);
    assert_int_equal(infer(&job, LINNET_LAYER_GRAM), LINNET_LIMIT);
    a.scale = INFINITY;
    job.inputs[0] = shape(1, 6, 5, 4);
    assert_refused(&job, LINNET_LAYER_GRAM, LINNET_INVALID, "gram 'c3': scale is inf, wants a finite number");
}

static void regularisers_check_their_numbers(void **state)
{
    (void)state;
    linnet_total_variation_attributes v = {sizeof v, 2, 0};
    linnet_shape_job job = job_of(&v, shape(FREE, 3, FREE, 5));
    assert_int_equal(infer(&job, LINNET_LAYER_TOTAL_VARIATION), LINNET_OK);
    assert_int_equal(job.outputs[0].rank, 0);
    v.epsilon = -0.5f;
    assert_refused(&job, LINNET_LAYER_TOTAL_VARIATION, LINNET_INVALID,
                   "total_variation 'c3': epsilon is -0.5, wants 0 or more");
    v.beta = NAN;
    assert_refused(&job, LINNET_LAYER_TOTAL_VARIATION, LINNET_INVALID,
                   "total_variation 'c3': beta is nan, wants more than 0");
    job.inputs[0] = shape(FREE, 3);
    assert_refused(&job, LINNET_LAYER_TOTAL_VARIATION, LINNET_SHAPE,
                   "total_variation 'c3': input [N,3] has 2 dimensions, wants 4 (batch, channels, height, width)");
    linnet_alpha_norm_attributes n = {sizeof n, 6};
    job.attributes = &n;
    assert_int_equal(infer(&job, LINNET_LAYER_ALPHA_NORM), LINNET_OK);
    assert_int_equal(job.outputs[0].rank, 0);
    n.alpha = 0.5f;
    assert_refused(&job, LINNET_LAYER_ALPHA_NORM, LINNET_INVALID, "alpha_norm 'c3': alpha is 0.5, wants at least 1");
}

static void pad2d_reflects_what_is_there(void **state)
{
    (void)state;
    linnet_pad2d_attributes a = {sizeof a, LINNET_PAD_REFLECT, {1, 2, 3, 4}, 0, 0};
    linnet_shape_job job = job_of(&a, shape(FREE, 2, 4, 5));
    assert_int_equal(infer(&job, LINNET_LAYER_PAD2D), LINNET_OK);
    assert_shape(&job.outputs[0], "[N,2,8,11]");
    job.inputs[0].dims[3] = FREE;
    assert_int_equal(infer(&job, LINNET_LAYER_PAD2D), LINNET_OK);
    assert_shape(&job.outputs[0], "[N,2,8,?]");
    job.inputs[0].dims[2] = 3;
    assert_refused(&job, LINNET_LAYER_PAD2D, LINNET_SHAPE,
                   "pad2d 'c3': padding 3 at the bottom reflects more than input [N,2,3,?] has, wants at most 2");
    a.mode = LINNET_PAD_REPLICATE;
    assert_int_equal(infer(&job, LINNET_LAYER_PAD2D), LINNET_OK);
    a.padding[1] = -1;
    assert_refused(&job, LINNET_LAYER_PAD2D, LINNET_INVALID, "pad2d 'c3': padding is -1, wants 0 to 1073741824");
    a.mode = 7;
    assert_refused(&job, LINNET_LAYER_PAD2D, LINNET_INVALID, "pad2d 'c3': 7 is no mode");
    a = (linnet_pad2d_attributes){sizeof a, LINNET_PAD_CONSTANT, {0, 0, 1 << 30, 1 << 30}, NAN, 0};
    assert_refused(&job, LINNET_LAYER_PAD2D, LINNET_INVALID, "pad2d 'c3': value is not a number");
    a.value = -INFINITY;
    job.inputs[0] = shape(1, 2, 4, 5);
    assert_int_equal(infer(&job, LINNET_LAYER_PAD2D), LINNET_LIMIT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kind_is_in_the_table),
        cmocka_unit_test(hopeless_jobs_are_refused_by_every_kind),
        cmocka_unit_test(conv2d_makes_its_parameters),
        cmocka_unit_test(conv2d_knows_all_attributes),
        cmocka_unit_test(conv2d_says_what_does_not_fit),
        cmocka_unit_test(sizes_do_not_overflow),
        cmocka_unit_test(linear_flattens),
        cmocka_unit_test(pools_keep_an_element_in_every_window),
        cmocka_unit_test(reshape_finds_the_rest),
        cmocka_unit_test(concat_adds_along_its_axis),
        cmocka_unit_test(batch_norm_has_states),
        cmocka_unit_test(losses_are_scalars),
        cmocka_unit_test(operators_check_their_numbers),
        cmocka_unit_test(local_conv2d_makes_a_filter_for_every_place),
        cmocka_unit_test(local_conv2d_says_what_does_not_fit),
        cmocka_unit_test(local_weights_do_not_overflow),
        cmocka_unit_test(gram_is_a_square),
        cmocka_unit_test(regularisers_check_their_numbers),
        cmocka_unit_test(pad2d_reflects_what_is_there),
    };
    return cmocka_run_group_tests_name("layers", tests, NULL, NULL);
}
