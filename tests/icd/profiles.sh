#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Devices that are not here (profiles.def), as far as they can be had: they are listed as what they say that they are;
# cases pass; a short training, with everything compared at first use, finds nothing wrong and ends as on the reference.
# usage: profiles.sh PROGRAM WORK_ROOT SELECTION ICD CONFORMANCE [--whole]    --whole: all cases of all layers
LINNET=$1
WORK_ROOT=$2
here=$3
icd=$4
conformance=$5
whole=${6:-}
. "$(dirname "$0")/../e2e/lib.sh"
need_device "$here"
LINNET_CHECK=first-use LINNET_VERBOSE=3
POCL_CACHE_DIR=$WORK/pocl # what is compiled is the same for all of them
MESA_SHADER_CACHE_DIR=$WORK/mesa
mkdir "$POCL_CACHE_DIR" "$MESA_SHADER_CACHE_DIR"
net="conv 20 k3 s2 p1; bn; relu; maxpool 2; conv 32 k3 p1; relu; conv 64 k1; relu; globalpool; linear 10"

# train SELECTION: its loss into $loss.
train() {
    must train "$net" --backend "$1" --limit 64 --test-limit 32 --batch 32 --epochs 1 --json
    loss=$(field test_loss)
}

train reference
right=$loss
through "$icd"
export LINNET_CHECK LINNET_VERBOSE POCL_CACHE_DIR MESA_SHADER_CACHE_DIR

# device ID NAME TRANSFERS REDUCTIONS: from now on.
device() {
    LINNET_TEST_DEVICE=$1 LINNET_CACHE_DIR=$WORK/cache-$1
    export LINNET_TEST_DEVICE LINNET_CACHE_DIR
    must devices
    grep -q "^\*  opencl:0 *$2 .* GPU " "$WORK/out" || fail "$1: not the device that is taken"
    must selftest --backend opencl --case pad2d:n1c1h1w1_p1 --report "$WORK/report"
    for line in "kernels for: GPUs" "transfers: $3" "reductions: $4"; do
        grep -qxF "$line" "$WORK/report" || fail "$1: no '$line' in its report"
    done
    train opencl
    like "$right" || fail "$1: loss $loss instead of $right"
}

# What LINNET_OPENCL_KERNELS=gpu does not reach: tiles, transfers and sub-groups as the device has them.
conform() {
    for case in conv2d:n2c17h9w9_oc33k3p1 linear:n65i33_o70 softmax:n2c21h13w9; do
        "$conformance" --backend opencl --case "$case" >"$WORK/out" 2>"$WORK/err" || fail "$LINNET_TEST_DEVICE: $case"
    done
    [ -z "$whole" ] || "$conformance" --backend opencl >"$WORK/out" 2>"$WORK/err" ||
        fail "$LINNET_TEST_DEVICE: conformance"
}

# right ID NAME TRANSFERS REDUCTIONS: everything is.
right() {
    device "$@"
    ! grep 'does not compute right' "$WORK/err" || fail "$1: something is wrong at first use"
    ! grep 'no case reaches' "$WORK/err" || fail "$1: something is not compared at first use"
    conform
}
# More groups along y and z than there may be.
many() {
    for case in max_pool2d:n3c22000h2w2_k2 pad2d:n3c22000h2w2_p1; do
        "$conformance" --backend opencl --case "$case" >"$WORK/out" 2>"$WORK/err" || fail "$LINNET_TEST_DEVICE: $case"
    done
}
# Winograd's weight gradient in parts, of several chunks of tiles.
parts() {
    LINNET_OPENCL_VARIANT=conv2d=winograd_f4 LINNET_OPENCL_PARAMETERS=chunk=1400000 "$conformance" --backend opencl \
        --case conv2d:n12c16h32w32_oc16k3p1nb >"$WORK/out" 2>"$WORK/err" || fail "$LINNET_TEST_DEVICE: parts"
    grep -q 'kernel reduce_parts' "$WORK/err" || fail "$LINNET_TEST_DEVICE: there are no parts"
}
right h100 "NVIDIA H100 80GB HBM3" apart "local memory"
grep -q '^registers of a work-item: 128 in tiles$' "$WORK/report" || fail "h100: registers are not limited"
# 1x1 large enough for tiles of 128: all that its plan has is compared.
must train "conv 64 k1; relu; conv 256 k1; globalpool; linear 10" --backend opencl --limit 32 --test-limit 32 --batch 32 \
    --epochs 1
! grep 'no case reaches' "$WORK/err" || fail "h100: a 1x1 convolution is not compared at first use"
grep -q 'conv2d_pointwise_128' "$WORK/err" || fail "h100: a 1x1 convolution takes no tiles of 128"
many
parts
[ "$whole" ] || LINNET_CHECK=never # it takes its time
right mi250 "gfx90a:sramecc+:xnack-" apart "sub-groups, by barriers"
[ -z "$whole" ] || right rx7900 gfx1100 apart "sub-groups, by barriers"

# CLBlast's kernels require more than a telephone's groups, and on Intel's GPUs they have shuffles of their own, in groups
# of two dimensions, which are not emulated.
LINNET_OPENCL_VARIANT=conv2d=direct,linear=tiled,gram=tiled
export LINNET_OPENCL_VARIANT
right phone Mali-G57 mapped "local memory"
right arc "Intel(R) Arc(TM) A770 Graphics" apart "sub-groups, by Intel's shuffles"
grep -q '^sub-groups of kernels with many registers: 8$' "$WORK/report" || fail "arc: sub-groups are not small"
whole=
LINNET_OPENCL_VARIANT=conv2d=implicit,linear=small
conform
unset LINNET_OPENCL_VARIANT

# A driver that refuses what its extension promises is asked once.
LINNET_TEST_UNLIMITED=1 LINNET_VERBOSE=1
export LINNET_TEST_UNLIMITED
for run in 1 2; do
    LINNET_TEST_DEVICE=h100 LINNET_CACHE_DIR=$WORK/cache-unlimited
    train opencl
    like "$right" || fail "unlimited: loss $loss instead of $right"
    [ "$(grep -c 'registers can be limited, but could not' "$WORK/err")" = 1 ] || fail "unlimited: not said once"
done
unset LINNET_TEST_UNLIMITED
LINNET_CHECK=first-use LINNET_VERBOSE=3
# Kernels that require larger groups than theirs may be: others take their place, and it is said what would not run.
device registers "QUALCOMM Adreno(TM)" mapped "local memory"
grep -q 'conv2d by implicit cannot be run now .*CL_INVALID_WORK_GROUP_SIZE' "$WORK/err" ||
    fail "registers: nothing is said of groups that are too large"
