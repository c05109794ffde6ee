#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# A driver that compiles one kernel wrongly (tests/icd has it do nothing), every kernel of a plan in turn: that is found
# at first use and said, and a training ends as one by a driver without fault, whatever takes the kernel's place.
# usage: miscompiled.sh PROGRAM WORK_ROOT SELECTION ICD
LINNET=$1
WORK_ROOT=$2
LINNET_BACKEND=$3
icd=$4
export LINNET_BACKEND
. "$(dirname "$0")/../e2e/lib.sh"
need_device "$LINNET_BACKEND"
through "$icd"
POCL_CACHE_DIR=$WORK/pocl # what is compiled is the same in all runs
export POCL_CACHE_DIR
unset LINNET_CHECK # what tests of other things do without
mkdir "$POCL_CACHE_DIR"

# train NET: the loss of a short training into $loss; verdicts of its own.
train() {
    rm -rf "$WORK/cache"
    LINNET_CACHE_DIR=$WORK/cache must train "$1" --limit 256 --test-limit 64 --batch 32 --epochs 1 --json
    loss=$(field test_loss)
}

count=0
for net in "conv 20 k3 p1; relu; maxpool 2; conv 16 k3 p1; bn; relu; globalpool; linear 10" \
    "flatten; linear 256; relu; linear 10; softmax"; do
    LINNET_CHECK=never LINNET_VERBOSE=3 train "$net"
    right=$loss
    kernels=$(sed -n 's/.*opencl: kernel //p' "$WORK/err" | sort -u)
    for kernel in $kernels; do
        for plainly in '' 1; do
            if [ "$plainly" ]; then export LINNET_TEST_PLAINLY=1; else unset LINNET_TEST_PLAINLY; fi
            LINNET_TEST_MISCOMPILED=$kernel train "$net"
            grep -q 'does not compute right here' "$WORK/err" || fail "$kernel: not found out"
            grep -o 'kernels\{0,1\} .* does not compute right here[^(]* and ' "$WORK/err" | sed 's/ and .*//' |
                sort | uniq -d >"$WORK/twice"
            [ -s "$WORK/twice" ] && fail "$kernel${plainly:+, also plainly}: said twice: $(cat "$WORK/twice")"
            like "$right" || fail "$kernel${plainly:+, also plainly}: loss $loss instead of $right"
            case $kernel-$plainly in
            *_step-1) # an optimiser has one way only: the layers go where its steps are right
                grep -q "cannot run .* in training: steps of the optimiser are not right; .* on cpu" "$WORK/err" || fail "$kernel: not said"
                rm -rf "$WORK/cache"
                LINNET_TEST_MISCOMPILED=$kernel LINNET_CACHE_DIR=$WORK/cache LINNET_FALLBACK=error \
                    run train "$net" --limit 64 --epochs 1
                [ "$code" -eq 1 ] || fail "$kernel, LINNET_FALLBACK=error: exit code $code"
                ;;
            esac
            count=$((count + 1))
        done
    done
done
[ "$count" -gt 10 ] || fail "only $count trainings"
echo "$count trainings on a driver that compiles wrongly end right"
