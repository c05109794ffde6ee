/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The plugin ABI as it lies in memory, with 8-byte pointers. Appending a member adds lines here (and raises
 * LINNET_ABI_MINOR); a line that has to change means a new LINNET_ABI_MAJOR, once there is a 1.0.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "linnet/backend.h"

#define AT(type, member, offset)                                                                                       \
    _Static_assert(sizeof(void *) != 8 || offsetof(type, member) == (offset), #type "." #member " has moved")
#define SIZE(type, bytes)    _Static_assert(sizeof(void *) != 8 || sizeof(type) == (bytes), #type " has another size")
#define NUMBER(name, number) _Static_assert((int)(name) == (number), #name " has another number")

/* clang-format off */
AT(linnet_host, struct_size, 0);
AT(linnet_host, abi, 4);
AT(linnet_host, allocate, 8);
AT(linnet_host, release, 16);
AT(linnet_host, log, 24);
AT(linnet_host, set_error, 32);
AT(linnet_host, thread_count, 40);
AT(linnet_host, option, 48);
AT(linnet_host, cache_directory, 56);
AT(linnet_host, cache_failed, 64);
SIZE(linnet_host, 72);

AT(linnet_device_info, struct_size, 0);
AT(linnet_device_info, type, 4);
AT(linnet_device_info, score, 8);
AT(linnet_device_info, capabilities, 12);
AT(linnet_device_info, memory_bytes, 16);
AT(linnet_device_info, max_buffer_bytes, 24);
AT(linnet_device_info, alignment_bytes, 32);
AT(linnet_device_info, compute_units, 36);
AT(linnet_device_info, name, 40);
AT(linnet_device_info, vendor, 168);
AT(linnet_device_info, platform, 296);
AT(linnet_device_info, version, 424);
AT(linnet_device_info, cache_key, 552);
SIZE(linnet_device_info, 744);

AT(linnet_tensor_desc, type, 0);
AT(linnet_tensor_desc, format, 4);
AT(linnet_tensor_desc, rank, 8);
AT(linnet_tensor_desc, reserved, 12);
AT(linnet_tensor_desc, dims, 16);
AT(linnet_tensor_desc, outer_stride, 80);
SIZE(linnet_tensor_desc, 88);

AT(linnet_view, buffer, 0);
AT(linnet_view, offset, 8);
SIZE(linnet_view, 16);

AT(linnet_epilogue, op, 0);
AT(linnet_epilogue, alpha, 4);
AT(linnet_epilogue, beta, 8);
SIZE(linnet_epilogue, 12);

AT(linnet_layer_desc, struct_size, 0);
AT(linnet_layer_desc, kind, 4);
AT(linnet_layer_desc, direction, 8);
AT(linnet_layer_desc, behaviour, 12);
AT(linnet_layer_desc, differentiate, 16);
AT(linnet_layer_desc, epilogue_count, 20);
AT(linnet_layer_desc, input_count, 24);
AT(linnet_layer_desc, output_count, 28);
AT(linnet_layer_desc, parameter_count, 32);
AT(linnet_layer_desc, state_count, 36);
AT(linnet_layer_desc, want_inputs, 40);
AT(linnet_layer_desc, want_parameters, 44);
AT(linnet_layer_desc, attributes, 48);
AT(linnet_layer_desc, inputs, 56);
AT(linnet_layer_desc, outputs, 64);
AT(linnet_layer_desc, parameters, 72);
AT(linnet_layer_desc, states, 80);
AT(linnet_layer_desc, epilogue, 88);
AT(linnet_layer_desc, forward, 96);
SIZE(linnet_layer_desc, 104);

AT(linnet_candidate, struct_size, 0);
AT(linnet_candidate, numerics, 4);
AT(linnet_candidate, name, 8);
AT(linnet_candidate, refusal, 16);
AT(linnet_candidate, input_formats, 24);
AT(linnet_candidate, output_formats, 152);
AT(linnet_candidate, parameter_formats, 168);
AT(linnet_candidate, saved_count, 184);
AT(linnet_candidate, alias, 188);
AT(linnet_candidate, saved_bytes, 192);
AT(linnet_candidate, reads_inputs, 224);
AT(linnet_candidate, reads_outputs, 228);
AT(linnet_candidate, reads_parameters, 232);
AT(linnet_candidate, reads_saved, 236);
AT(linnet_candidate, in_place, 240);
AT(linnet_candidate, cost, 244);
AT(linnet_candidate, workspace_bytes, 248);
SIZE(linnet_candidate, 256);

AT(linnet_layer_args, struct_size, 0);
AT(linnet_layer_args, node, 4);
AT(linnet_layer_args, seed, 8);
AT(linnet_layer_args, step, 16);
AT(linnet_layer_args, accumulate_inputs, 24);
AT(linnet_layer_args, accumulate_parameters, 28);
AT(linnet_layer_args, saved_count, 32);
AT(linnet_layer_args, reserved, 36);
AT(linnet_layer_args, inputs, 40);
AT(linnet_layer_args, outputs, 48);
AT(linnet_layer_args, parameters, 56);
AT(linnet_layer_args, states, 64);
AT(linnet_layer_args, saved, 72);
AT(linnet_layer_args, output_gradients, 80);
AT(linnet_layer_args, input_gradients, 88);
AT(linnet_layer_args, parameter_gradients, 96);
AT(linnet_layer_args, workspace, 104);
SIZE(linnet_layer_args, 120);

AT(linnet_layer_ops, struct_size, 0);
AT(linnet_layer_ops, reserved, 4);
AT(linnet_layer_ops, candidate, 8);
AT(linnet_layer_ops, plan, 16);
AT(linnet_layer_ops, plan_free, 24);
AT(linnet_layer_ops, run, 32);
SIZE(linnet_layer_ops, 40);

AT(linnet_optimizer_desc, struct_size, 0);
AT(linnet_optimizer_desc, kind, 4);
AT(linnet_optimizer_desc, learning_rate, 8);
AT(linnet_optimizer_desc, weight_decay, 12);
AT(linnet_optimizer_desc, momentum, 16);
AT(linnet_optimizer_desc, nesterov, 20);
AT(linnet_optimizer_desc, beta1, 24);
AT(linnet_optimizer_desc, beta2, 28);
AT(linnet_optimizer_desc, epsilon, 32);
AT(linnet_optimizer_desc, reserved, 36);
AT(linnet_optimizer_desc, step, 40);
AT(linnet_optimizer_desc, count, 48);
SIZE(linnet_optimizer_desc, 56);

AT(linnet_backend, struct_size, 0);
AT(linnet_backend, abi, 4);
AT(linnet_backend, name, 8);
AT(linnet_backend, description, 16);
AT(linnet_backend, probe, 24);
AT(linnet_backend, device_info, 32);
AT(linnet_backend, open, 40);
AT(linnet_backend, close, 48);
AT(linnet_backend, layer_ops, 56);
AT(linnet_backend, buffer_new, 64);
AT(linnet_backend, buffer_free, 72);
AT(linnet_backend, queue_new, 80);
AT(linnet_backend, queue_free, 88);
AT(linnet_backend, upload, 96);
AT(linnet_backend, read, 104);
AT(linnet_backend, copy, 112);
AT(linnet_backend, fill, 120);
AT(linnet_backend, finish, 128);
AT(linnet_backend, host_pointer, 136);
AT(linnet_backend, flush, 144);
AT(linnet_backend, mark, 152);
AT(linnet_backend, event_wait, 160);
AT(linnet_backend, event_time, 168);
AT(linnet_backend, event_free, 176);
AT(linnet_backend, format_bytes, 184);
AT(linnet_backend, convert, 192);
AT(linnet_backend, format_name, 200);
AT(linnet_backend, optimizer_step, 208);
AT(linnet_backend, live_objects, 216);
AT(linnet_backend, diagnose, 224);
AT(linnet_backend, format_is_exact, 232);
AT(linnet_backend, format_slice, 240);
AT(linnet_backend, driver, 248);
AT(linnet_backend, set_plain, 256);
AT(linnet_backend, idle_jobs, 264);
AT(linnet_backend, adopt, 272);
AT(linnet_backend, buffer_wrap, 280);
AT(linnet_backend, command_count, 288);
AT(linnet_backend, command, 296);
AT(linnet_backend, forget_commands, 304);
AT(linnet_backend, describe, 312);
AT(linnet_backend, prepare, 320);
AT(linnet_backend, kernels, 328);
AT(linnet_backend, prefer, 336);
AT(linnet_backend, pinned_new, 344);
AT(linnet_backend, pinned_free, 352);
SIZE(linnet_backend, 360);

AT(linnet_native_objects, struct_size, 0);
AT(linnet_native_objects, reserved, 4);
AT(linnet_native_objects, device, 8);
AT(linnet_native_objects, context, 16);
AT(linnet_native_objects, queue, 24);
SIZE(linnet_native_objects, 32);

AT(linnet_command, struct_size, 0);
AT(linnet_command, reserved, 4);
AT(linnet_command, name, 8);
AT(linnet_command, queued, 16);
AT(linnet_command, start, 24);
AT(linnet_command, end, 32);
SIZE(linnet_command, 40);

AT(linnet_driver, struct_size, 0);
AT(linnet_driver, reserved, 4);
AT(linnet_driver, name, 8);
AT(linnet_driver, key, 264);
AT(linnet_driver, variable, 1288);
AT(linnet_driver, value, 1352);
SIZE(linnet_driver, 1864);

AT(linnet_conv2d_attributes, struct_size, 0);
AT(linnet_conv2d_attributes, groups, 4);
AT(linnet_conv2d_attributes, kernel, 8);
AT(linnet_conv2d_attributes, stride, 24);
AT(linnet_conv2d_attributes, dilation, 40);
AT(linnet_conv2d_attributes, padding, 56);
SIZE(linnet_conv2d_attributes, 88);

AT(linnet_pool2d_attributes, struct_size, 0);
AT(linnet_pool2d_attributes, exclude_padding, 4);
AT(linnet_pool2d_attributes, kernel, 8);
AT(linnet_pool2d_attributes, stride, 24);
AT(linnet_pool2d_attributes, padding, 40);
SIZE(linnet_pool2d_attributes, 72);

AT(linnet_unary_attributes, struct_size, 0);
AT(linnet_unary_attributes, op, 4);
AT(linnet_unary_attributes, alpha, 8);
AT(linnet_unary_attributes, beta, 12);
SIZE(linnet_unary_attributes, 16);

AT(linnet_binary_attributes, struct_size, 0);
AT(linnet_binary_attributes, op, 4);
SIZE(linnet_binary_attributes, 8);

AT(linnet_axis_attributes, struct_size, 0);
AT(linnet_axis_attributes, axis, 4);
SIZE(linnet_axis_attributes, 8);

AT(linnet_batch_norm_attributes, struct_size, 0);
AT(linnet_batch_norm_attributes, epsilon, 4);
AT(linnet_batch_norm_attributes, momentum, 8);
SIZE(linnet_batch_norm_attributes, 12);

AT(linnet_dropout_attributes, struct_size, 0);
AT(linnet_dropout_attributes, probability, 4);
SIZE(linnet_dropout_attributes, 8);

AT(linnet_local_conv2d_attributes, struct_size, 0);
AT(linnet_local_conv2d_attributes, reserved, 4);
AT(linnet_local_conv2d_attributes, kernel, 8);
AT(linnet_local_conv2d_attributes, stride, 24);
AT(linnet_local_conv2d_attributes, padding, 40);
SIZE(linnet_local_conv2d_attributes, 72);

AT(linnet_gram_attributes, struct_size, 0);
AT(linnet_gram_attributes, scale, 4);
SIZE(linnet_gram_attributes, 8);

AT(linnet_total_variation_attributes, struct_size, 0);
AT(linnet_total_variation_attributes, beta, 4);
AT(linnet_total_variation_attributes, epsilon, 8);
SIZE(linnet_total_variation_attributes, 12);

AT(linnet_alpha_norm_attributes, struct_size, 0);
AT(linnet_alpha_norm_attributes, alpha, 4);
SIZE(linnet_alpha_norm_attributes, 8);

AT(linnet_pad2d_attributes, struct_size, 0);
AT(linnet_pad2d_attributes, mode, 4);
AT(linnet_pad2d_attributes, padding, 8);
AT(linnet_pad2d_attributes, value, 40);
AT(linnet_pad2d_attributes, reserved, 44);
SIZE(linnet_pad2d_attributes, 48);

NUMBER(LINNET_LAYER_CONV2D, 1);
NUMBER(LINNET_LAYER_LINEAR, 2);
NUMBER(LINNET_LAYER_MAX_POOL2D, 3);
NUMBER(LINNET_LAYER_AVG_POOL2D, 4);
NUMBER(LINNET_LAYER_GLOBAL_AVG_POOL, 5);
NUMBER(LINNET_LAYER_UNARY, 6);
NUMBER(LINNET_LAYER_BINARY, 7);
NUMBER(LINNET_LAYER_SOFTMAX, 8);
NUMBER(LINNET_LAYER_LOG_SOFTMAX, 9);
NUMBER(LINNET_LAYER_BATCH_NORM, 10);
NUMBER(LINNET_LAYER_RESHAPE, 11);
NUMBER(LINNET_LAYER_CONCAT, 12);
NUMBER(LINNET_LAYER_DROPOUT, 13);
NUMBER(LINNET_LAYER_CROSS_ENTROPY, 14);
NUMBER(LINNET_LAYER_MSE, 15);
NUMBER(LINNET_LAYER_LOCAL_CONV2D, 16);
NUMBER(LINNET_LAYER_GRAM, 17);
NUMBER(LINNET_LAYER_TOTAL_VARIATION, 18);
NUMBER(LINNET_LAYER_ALPHA_NORM, 19);
NUMBER(LINNET_LAYER_PAD2D, 20);
NUMBER(LINNET_PAD_CONSTANT, 0);
NUMBER(LINNET_PAD_REPLICATE, 1);
NUMBER(LINNET_PAD_REFLECT, 2);
/* clang-format on */

/* Known answers of Random123's kat_vectors for philox4x32 with 10 rounds. */
static void philox_gives_the_published_numbers(void **state)
{
    (void)state;
    static const struct {
        uint32_t counter[4], key[2], answer[4];
    } known[] = {
        {{0, 0, 0, 0}, {0, 0}, {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
        {{0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff},
         {0xffffffff, 0xffffffff},
         {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
        {{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344},
         {0xa4093822, 0x299f31d0},
         {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
    };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        uint32_t words[4];
        linnet_philox(known[i].counter, known[i].key, words);
        assert_memory_equal(words, known[i].answer, sizeof words);
    }
}

static void uniform_numbers_are_uniform(void **state)
{
    (void)state;
    double sum = 0, squares = 0;
    const int count = 100000;
    for (int i = 0; i < count; i++) {
        float u = linnet_philox_uniform(42, 3, 7, (uint64_t)i);
        assert_true(u >= 0 && u < 1);
        sum += u;
        squares += (double)u * u;
    }
    /* Mean 1/2 and second moment 1/3, within five standard errors (0.2887 and 0.298 over the root of count). */
    assert_true(sum / count > 0.5 - 0.0046 && sum / count < 0.5 + 0.0046);
    assert_true(squares / count > 1 / 3.0 - 0.0048 && squares / count < 1 / 3.0 + 0.0048);
}

/* Seed, node, step and index all count. */
static void uniform_numbers_depend_on_all_four(void **state)
{
    (void)state;
    float u = linnet_philox_uniform(1, 2, 3, 4);
    assert_true(u == linnet_philox_uniform(1, 2, 3, 4));
    assert_true(u != linnet_philox_uniform(9, 2, 3, 4));
    assert_true(u != linnet_philox_uniform(1, 9, 3, 4));
    assert_true(u != linnet_philox_uniform(1, 2, 9, 4));
    assert_true(u != linnet_philox_uniform(1, 2, 3, 9));
    assert_true(u != linnet_philox_uniform(1ull << 40 | 1, 2, 3, 4));
    assert_true(u != linnet_philox_uniform(1, 2, 1ull << 40 | 3, 4));
}

static void has_asks_the_struct_and_not_the_header(void **state)
{
    (void)state;
    linnet_backend backend = {.struct_size = offsetof(linnet_backend, diagnose)};
    assert_true(LINNET_HAS(&backend, linnet_backend, live_objects));
    assert_false(LINNET_HAS(&backend, linnet_backend, diagnose));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(philox_gives_the_published_numbers),
        cmocka_unit_test(uniform_numbers_are_uniform),
        cmocka_unit_test(uniform_numbers_depend_on_all_four),
        cmocka_unit_test(has_asks_the_struct_and_not_the_header),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
