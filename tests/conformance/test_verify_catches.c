/* SPDX-License-Identifier: Apache-2.0 */
/* Does the harness see what it is there for? A backend with one fault after the other; each must fail, and none
 * without. */
#include "faulty_backend.h"
#include "core/core.h"
#include "linnet/verify.h"
#include "verify/harness.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

typedef struct trial {
    fault fault;
    const char *text;
    const char *said; /* part of the report */
} trial;

static const trial caught[] = {
    {FAULT_OUTPUT_ULP, "conv2d:n2c3h7w5_oc4k3s2p1", "integer fill: output 0: 1 of"},
    {FAULT_OUTPUT_ULP, "linear:n5i7_o3", "integer fill: output 0: 1 of"},
    {FAULT_OUTPUT_ULP, "max_pool2d:n2c3h8w6_k2", "output 0: 1 of"},
    {FAULT_OUTPUT_SMALL, "conv2d:n2c3h7w5_oc4k3s2p1", "output 0: 1 of"},
    {FAULT_OUTPUT_SMALL, "batch_norm:n4c3h5w5", "output 0: 1 of"},
    {FAULT_OUTPUT_SMALL, "softmax:n5c7", "output 0: 1 of"},
    {FAULT_OUTPUT_SMALL, "cross_entropy:n7c10", "output 0: 1 of"},
    {FAULT_OUTPUT_SMALL, "unary:tanh_n2c3h4w5", "output 0: 1 of"},
    {FAULT_OUTPUT_ULP, "gram:n2c3h4w5_a0.5", "integer fill: output 0: 1 of"},
    {FAULT_OUTPUT_ULP, "pad2d:n1c2h4w5_pt1pl2pb0pr3_m2", "output 0: 1 of"},
    {FAULT_OUTPUT_SMALL, "total_variation:n2c3h5w4_b1", "output 0: 1 of"},
    {FAULT_OUTPUT_SMALL, "alpha_norm:n2c3h5w4", "output 0: 1 of"},
    {FAULT_OUTPUT_UNWRITTEN, "conv2d:n2c3h7w5_oc4k3s2p1", "nan wanted"},
    {FAULT_OUTPUT_UNWRITTEN, "binary:add_n2c3h4w5", "nan wanted"},
    {FAULT_WRITES_BEHIND, "conv2d:n2c3h7w5_oc4k3s2p1", "wrote 0 bytes behind the end"},
    {FAULT_WRITES_BEFORE, "linear:n5i7_o3", "behind the end"},
    {FAULT_CHANGES_INPUT, "conv2d:n2c3h7w5_oc4k3s2p1", "changed tensor 0"},
    {FAULT_CHANGES_PARAMETER, "linear:n5i7_o3", "changed tensor 1"},
    {FAULT_NONDETERMINISTIC, "conv2d:n2c3h7w5_oc4k3s2p1", "other bits"},
    {FAULT_NO_ACCUMULATION, "conv2d:n2c3h7w5_oc4k3s2p1", "accumulating: gradient of input 0"},
    {FAULT_NO_ACCUMULATION, "unary:relu_n2c3h4w5", "accumulating: gradient of input 0"},
    {FAULT_INPUT_GRADIENT, "conv2d:n2c3h7w5_oc4k3s2p1", "gradient of input 0: 1 of"},
    {FAULT_PARAMETER_GRADIENT, "conv2d:n2c3h7w5_oc4k3s2p1", "gradient of parameter 1: 1 of"},
    {FAULT_INPUT_GRADIENT, "gram:n2c3h4w5_a0.5", "gradient of input 0: 1 of"},
    {FAULT_INPUT_GRADIENT, "total_variation:n2c3h5w4", "gradient of input 0: 1 of"},
    {FAULT_PARAMETER_GRADIENT, "local_conv2d:n2c3h6w5_oc4k3s2p1", "gradient of parameter 1: 1 of"},
    {FAULT_PARAMETER_GRADIENT, "linear:n5i7_o3nb", "gradient of parameter 0: 1 of"},
    {FAULT_UNWANTED_GRADIENT, "linear:n5i7_o3", "which is not its to write"},
    {FAULT_REFUSES_PARAMETERS, "batch_norm:n4c3h5w5", "no implementation gives the gradients"},
    {FAULT_REFUSES_PARAMETERS, "linear:n5i7_o3", "no implementation gives the gradients"},
    {FAULT_IGNORES_STRIDE, "conv2d:n2c3h7w5_oc4k3s2p1", "strided"},
    {FAULT_IGNORES_STRIDE, "concat:n2c1h3w4_c5_c2", "strided"},
    {FAULT_FALSE_IN_PLACE, "linear:n3i7_o7", "in place"},
    {FAULT_FALSE_IN_PLACE, "linear:n3i7_o5", "sizes differ"},
    {FAULT_FALSE_ALIAS, "linear:n3i7_o5", "sizes differ"},
    {FAULT_FALSE_ALIAS, "unary:relu_n2c3h4w5", "alias"},
    {FAULT_STATE, "batch_norm:n4c3h5w5", "state 0"},
    {FAULT_SEED, "dropout:n2c3h4w5_p50", "output 0"},
    {FAULT_FAILS, "unary:relu_n2c3h4w5", "LINNET_DEVICE_ERROR"},
    {FAULT_OPTIMIZER, "optimizer:sgd_i103_m0.9", "parameter 0"},
    {FAULT_OPTIMIZER, "optimizer:adam_i103_lr0.001", "parameter 0"},
    {FAULT_FILL, "queue:memory", "not what was written"},
    {FAULT_COPY, "queue:memory", "not what was written"},
    {FAULT_LEAK, "queue:memory", "objects"},
};

static linnet_device *reference;

static int open_reference(void **state)
{
    (void)state;
    reference = linnet_device_open(NULL, "reference");
    if (!reference)
        fprintf(stderr, "%s\n", linnet_context_message(NULL));
    return reference ? 0 : -1;
}

static int close_reference(void **state)
{
    (void)state;
    linnet_device_close(&reference);
    return 0;
}

static linnet_verify_result verify(linnet_device *device, linnet_device *against, const char *text)
{
    linnet_verify_result result = {.size = sizeof result};
    assert_int_equal(linnet_verify_case(device, against, text, NULL, &result), LINNET_OK);
    return result;
}

static void test_faults_are_caught(void **state)
{
    (void)state;
    unsigned missed = 0;
    for (size_t i = 0; i < sizeof caught / sizeof *caught; i++) {
        linnet_device device = faulty_device(reference, caught[i].fault);
        linnet_verify_result result = verify(&device, reference, caught[i].text);
        if (result.outcome == LINNET_VERIFY_FAILED && strstr(result.report, caught[i].said))
            continue;
        missed++;
        fprintf(stderr, "fault %d in %s: outcome %d, wanted '%s', report:\n%s\n", (int)caught[i].fault, caught[i].text,
                (int)result.outcome, caught[i].said, result.report);
    }
    assert_int_equal(missed, 0);
}

static void test_no_fault_passes(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof caught / sizeof *caught; i++) {
        linnet_device device = faulty_device(reference, FAULT_NONE);
        linnet_verify_result result = verify(&device, reference, caught[i].text);
        assert_string_equal(result.report, "");
        assert_int_equal(result.outcome, LINNET_VERIFY_PASSED);
        assert_true(result.runs > 0);
    }
}

/* Sums of small integers are exact in single precision while they stay below 2^24, and only then wanted to be. */
static void test_long_sums_may_round(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int exact;
    } sums[] = {{"alpha_norm:n4c10h100w1000_a1", 1},  {"alpha_norm:n5c10h100w1000_a1", 0},
                {"alpha_norm:n1c10h100w1000_a2", 1},  {"alpha_norm:n2c10h100w1000_a2", 0},
                {"gram:n3c2h1000w1000", 1},           {"gram:n1c2h1000w1100", 0},
                {"total_variation:n1c1h131w1000", 1}, {"total_variation:n1c1h132w1000", 0}};
    for (size_t i = 0; i < sizeof sums / sizeof *sums; i++) {
        linnet_case c;
        assert_int_equal(linnet_case_parse(NULL, sums[i].text, &c), LINNET_OK);
        double bound = linnet_tolerance_bound(&c, LINNET_ROLE_OUTPUT, LINNET_NUMERICS_DIRECT, LINNET_FILL_INTEGER);
        if ((bound == 0) != sums[i].exact)
            fail_msg("%s: the bound is %g", sums[i].text, bound);
        bound = linnet_tolerance_bound(&c, LINNET_ROLE_INPUT_GRADIENT, LINNET_NUMERICS_DIRECT, LINNET_FILL_INTEGER);
        if (bound != 0)
            fail_msg("%s: a gradient of few terms has a bound of %g", sums[i].text, bound);
    }
}

/* A device with little memory, and a case that no machine has memory for: skipped, with the reason; neither right nor
 * wrong. */
static void test_no_memory_is_skipped(void **state)
{
    (void)state;
    static const trial cases[] = {
        {FAULT_NO_MEMORY, "conv2d:n2c3h7w5_oc4k3s2p1", "no memory for it: forward "},
        {FAULT_NO_MEMORY, "optimizer:sgd_i103_m0.9", "no memory for it: "},
        {FAULT_NONE, "conv2d:n1000c1000h1000w1000_oc2k3", "no memory for it: operands: at least "}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        linnet_device device = faulty_device(reference, cases[i].fault);
        if (cases[i].fault == FAULT_NO_MEMORY)
            device.info.memory_bytes = 1024;
        linnet_verify_result result = verify(&device, reference, cases[i].text);
        assert_int_equal(result.outcome, LINNET_VERIFY_SKIPPED);
        assert_int_equal(result.no_memory, 1);
        assert_int_equal(result.failures, 0);
        if (strncmp(result.report, cases[i].said, strlen(cases[i].said)) != 0)
            fail_msg("%s: %s", cases[i].text, result.report);
        assert_null(strstr(result.report, "again:"));
    }
}

/* A device that says that it has memory and gives none is no excuse. */
static void test_memory_that_has_to_be_there(void **state)
{
    (void)state;
    linnet_device device = faulty_device(reference, FAULT_NO_MEMORY);
    device.info.memory_bytes = (uint64_t)1 << 33;
    linnet_verify_result result = verify(&device, reference, "conv2d:n2c3h7w5_oc4k3s2p1");
    assert_int_equal(result.outcome, LINNET_VERIFY_FAILED);
    assert_int_equal(result.no_memory, 0);
}

/* When reference and device are wrong together, only central differences see it. */
static void test_numeric_gradients_are_caught(void **state)
{
    static const char *const texts[] = {"conv2d:n2c3h7w5_oc4k3s2p1",
                                        "linear:n5i7_o3",
                                        "avg_pool2d:n2c3h7w5_k3s2p1xp",
                                        "cross_entropy:n7c10",
                                        "mse:n7c10",
                                        "unary:relu_n2c3h4w5",
                                        "local_conv2d:n2c3h6w5_oc4k3s2p1",
                                        "gram:n2c3h4w5_a0.5",
                                        "total_variation:n2c3h5w4_b1",
                                        "alpha_norm:n2c3h5w4",
                                        "pad2d:n2c3h4w5_pt1pl2pb0pr3_m1"};
    (void)state;
    linnet_device wrong = faulty_device(reference, FAULT_SCALE);
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        linnet_verify_result result = verify(&wrong, &wrong, texts[i]);
        if (!strstr(result.report, "central differences"))
            fprintf(stderr, "%s passes\n", texts[i]);
        assert_int_equal(result.outcome, LINNET_VERIFY_FAILED);
        assert_non_null(strstr(result.report, "central differences"));
    }
}

static void test_report_says_how_to_see_it_again(void **state)
{
    (void)state;
    linnet_device device = faulty_device(reference, FAULT_OUTPUT_ULP);
    linnet_verify_result result = verify(&device, reference, "linear:n5i7_o3");
    assert_non_null(strstr(result.report, "seed 1"));
    assert_non_null(strstr(result.report, "linnet selftest --backend reference:0 --case 'linear:n5i7_o3'"));
}

static void test_bad_cases_are_refused(void **state)
{
    static const char *const texts[] = {"",
                                        "conv2d",
                                        "conv3d:n1",
                                        "conv2d:",
                                        "conv2d:n1c1h1w1",
                                        "conv2d:n1c1h1w1_oc1k0",
                                        "conv2d:n1c1h1w1_oc1k3",
                                        "conv2d:n1c1h5w5_oc1k3p-1",
                                        "conv2d:n1c3h5w5_oc1k3g2",
                                        "conv2d:n1n1h5w5_oc1",
                                        "conv2d:n0c1h5w5_oc1",
                                        "conv2d:n1c1h5w5_oc1z3",
                                        "conv2d:n1c1h5w5_oc1k3+dance",
                                        "conv2d:n1c1h5w5_oc1k1x2x3",
                                        "conv2d:n99999999999999999999c1h5w5_oc1",
                                        "unary:n2c3",
                                        "unary:dance_n2",
                                        "reshape:n2c3_t7",
                                        "softmax:n2c3_axis5",
                                        "dropout:n2_p100",
                                        "gram:n2c3",
                                        "total_variation:n1c1h2w2_b0",
                                        "alpha_norm:n2_a0.5",
                                        "pad2d:n1c1h2w2_p2m2",
                                        "pad2d:n1c1h2w2_p1m3",
                                        "local_conv2d:n1c1h2w2_k1",
                                        "local_conv2d:n1c1h2w2_oc1k1g2",
                                        "optimizer:dance_i3",
                                        "optimizer:sgd_z3",
                                        "queue:dance"};
    (void)state;
    linnet_verify_result result = {.size = sizeof result};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        linnet_status status = linnet_verify_case(reference, reference, texts[i], NULL, &result);
        if (status == LINNET_OK)
            fprintf(stderr, "'%s' is taken for a case\n", texts[i]);
        assert_int_not_equal(status, LINNET_OK);
    }
    assert_int_equal(linnet_verify_case(NULL, reference, "linear:n5i7_o3", NULL, &result), LINNET_INVALID);
    assert_int_equal(linnet_verify_case(reference, reference, NULL, NULL, &result), LINNET_INVALID);
    assert_int_equal(linnet_verify_case(reference, reference, "linear:n5i7_o3", NULL, NULL), LINNET_INVALID);
}

static void test_bench_times_every_implementation(void **state)
{
    (void)state;
    linnet_verify_options options = {.size = sizeof options, .seconds = 1e-3};
    linnet_verify_result result = {.size = sizeof result};
    assert_int_equal(linnet_verify_bench(reference, "linear:n5i7_o3", &options, &result), LINNET_OK);
    assert_int_equal(result.outcome, LINNET_VERIFY_PASSED);
    assert_non_null(strstr(result.report, "forward"));
    assert_non_null(strstr(result.report, "backward inputs"));
    assert_non_null(strstr(result.report, "backward params"));
    assert_non_null(strstr(result.report, "GFLOP/s"));
}

/* Whichever allocation fails: an error or a failed case, never a crash, and nothing is left behind. */
static void test_survives_without_memory(void **state)
{
    static const char *const texts[] = {"linear:n5i7_o3+relu", "batch_norm:n9c5", "optimizer:adam_i103_lr0.001",
                                        "queue:memory"};
    (void)state;
    uint64_t before = reference->backend->live_objects();
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        linnet_verify_result result = {.size = sizeof result};
        bool failed = true;
        for (int64_t allowed = 0; allowed < 5000 && failed; allowed += 1 + allowed / 40) {
            linnet_memory_fail_after(allowed);
            linnet_status status = linnet_verify_case(reference, reference, texts[i], NULL, &result);
            linnet_memory_fail_after(-1);
            failed = status != LINNET_OK || result.outcome != LINNET_VERIFY_PASSED;
            assert_int_equal(reference->backend->live_objects(), before);
        }
        assert_int_equal(verify(reference, reference, texts[i]).outcome, LINNET_VERIFY_PASSED);
    }
}

static void test_table_has_levels(void **state)
{
    (void)state;
    size_t quick = linnet_verify_case_count(LINNET_VERIFY_QUICK),
           all = linnet_verify_case_count(LINNET_VERIFY_STANDARD);
    assert_true(quick > 20 && quick < all);
    for (size_t i = 0; i < all; i++)
        assert_non_null(linnet_verify_case_at(LINNET_VERIFY_STANDARD, i));
    assert_null(linnet_verify_case_at(LINNET_VERIFY_STANDARD, all));
    assert_null(linnet_verify_case_at(LINNET_VERIFY_QUICK, quick));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_no_fault_passes),
        cmocka_unit_test(test_faults_are_caught),
        cmocka_unit_test(test_long_sums_may_round),
        cmocka_unit_test(test_no_memory_is_skipped),
        cmocka_unit_test(test_memory_that_has_to_be_there),
        cmocka_unit_test(test_numeric_gradients_are_caught),
        cmocka_unit_test(test_report_says_how_to_see_it_again),
        cmocka_unit_test(test_bad_cases_are_refused),
        cmocka_unit_test(test_bench_times_every_implementation),
        cmocka_unit_test(test_survives_without_memory),
        cmocka_unit_test(test_table_has_levels),
    };
    return cmocka_run_group_tests(tests, open_reference, close_reference);
}
