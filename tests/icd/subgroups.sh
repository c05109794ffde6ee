#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Reductions by sub-groups, on a device that has none: tests/icd emulates them. The cases pass, whichever size and
# whichever way, a training ends with the bits that it has without, and a device that only says so is believed once.
# usage: subgroups.sh PROGRAM WORK_ROOT SELECTION ICD CONFORMANCE [--whole]      --whole: all cases, all sizes
LINNET=$1
WORK_ROOT=$2
LINNET_BACKEND=$3
icd=$4
conformance=$5
whole=${6:-}
export LINNET_BACKEND
. "$(dirname "$0")/../e2e/lib.sh"
need_device "$LINNET_BACKEND"
through "$icd"
LINNET_CHECK=never LINNET_OPENCL_KERNELS=gpu LINNET_VERBOSE=3
export LINNET_CHECK LINNET_OPENCL_KERNELS LINNET_VERBOSE

# sub_groups SIZE HOW [VARIANT]: from now on. HOW: SUBGROUPS, or SHUFFLES in them. A cache of its own, whose keys do not
# know what the emulation does.
sub_groups() {
    unset LINNET_TEST_SUBGROUPS LINNET_TEST_SHUFFLES
    [ "$1" = 0 ] || export "LINNET_TEST_$2=$1"
    LINNET_OPENCL_VARIANT=${3:-} LINNET_CACHE_DIR=$WORK/cache-$1-$2
    export LINNET_OPENCL_VARIANT LINNET_CACHE_DIR
}

# says TEXT FILE: what was built, or not.
says() {
    grep -q "opencl: built .* with sub-groups, by $1 for" "$2" || fail "no kernel was built with $1"
}

# Lines of one sub-group and of several, next to each other and one behind the other, and parts of a group; the last
# sub-group's size is that of the largest group.
conform() {
    set -- softmax:n3c257 softmax:n64c10 softmax:n2c21h13w9 cross_entropy:n7c10bad global_avg_pool:n3c17h7w7 \
        batch_norm:n2c64h9w9
    for case in "$@"; do
        "$conformance" --backend "$LINNET_BACKEND" --case "$case" >>"$WORK/err" 2>&1 || fail "$case"
    done
}
conform_whole() {
    for layer in softmax log_softmax cross_entropy mse alpha_norm total_variation global_avg_pool batch_norm; do
        "$conformance" --backend "$LINNET_BACKEND" --layer "$layer" >>"$WORK/err" 2>&1 || fail "$layer"
    done
}
sizes="16 64"
[ "$whole" != --whole ] || sizes="1 8 16 32 64 256"
for size in $sizes; do
    for how in SUBGROUPS SHUFFLES; do
        : >"$WORK/out"
        echo "sub-groups of $size, $how" >"$WORK/err"
        sub_groups "$size" "$how"
        if [ "$whole" = --whole ]; then conform_whole; else conform; fi
        if [ "$how" = SHUFFLES ]; then says shuffles "$WORK/err"; else says barriers "$WORK/err"; fi
    done
done

# The same bits. reduce=barriers takes no shuffles, reduce=local nothing.
train() {
    must train "conv 20 k5 s2; bn; relu; globalpool; linear 10" --limit 192 --test-limit 40 --batch 32 --epochs 1 \
        -o "$WORK/$1"
}
sub_groups 0 NONE
train usual
! grep -q 'with sub-groups' "$WORK/err" || fail "sub-groups where there are none"
sub_groups 32 SHUFFLES reduce=local
train local
! grep -q 'with sub-groups' "$WORK/err" || fail "reduce=local uses sub-groups"
sub_groups 32 SHUFFLES reduce=subgroups
train shuffles
says shuffles "$WORK/err"
sub_groups 16 SHUFFLES reduce=barriers
train barriers
says barriers "$WORK/err"
# same WAY: as usual; the weights, since a checkpoint says which variants were asked for.
same() {
    for file in "$WORK/usual"/conv*.safetensors; do
        cmp "$file" "$WORK/$1/$(basename "$file")" || fail "$1: other bits"
    done
}
for way in local shuffles barriers; do
    same $way
done

sub_groups -1 SUBGROUPS
train lies
grep -q 'says that it has sub-groups, but could not build' "$WORK/err" || fail "nothing is said of a build that failed"
same lies

sub_groups 8 SHUFFLES
must selftest --layer softmax --quick --report "$WORK/report"
grep -qx 'reductions: sub-groups, by shuffles' "$WORK/report" || fail "a report does not say what reductions use"
