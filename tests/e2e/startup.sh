#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# How long until the first step of training, with cold caches and with warm ones: the seconds stand in the output, and
# warm ones have to be worth it whatever else the machine does. On PoCL LeNet-5 needs one program, and no kernel is
# compiled that is not run, the comparison at first use included. usage: startup.sh PROGRAM WORK_ROOT FIRST_STEP SELECTION
LINNET=$1
WORK_ROOT=$2
first_step=$3
selection=$4
. "$(dirname "$0")/lib.sh"
need_device "$selection"

LINNET_CACHE_DIR=$WORK/cache
POCL_CACHE_DIR=$WORK/pocl
export LINNET_CACHE_DIR POCL_CACHE_DIR
mkdir "$POCL_CACHE_DIR"

# first WHAT: sets $seconds.
first() {
    "$first_step" "$selection" >"$WORK/out" 2>"$WORK/err" || fail "$1: exit code $?"
    echo "$1: $(cat "$WORK/out")"
    seconds=$(awk '/^opened/ { print $9 }' "$WORK/out")
}

# saves WHAT: the last one took at most a third of what it took with cold caches.
saves() {
    awk -v cold="$cold" -v warm="$seconds" 'BEGIN { exit !(3 * warm <= cold) }' || fail "$1: $seconds s, cold ones: $cold s"
}

first "cold caches"
cold=$seconds
find "$POCL_CACHE_DIR" -name '*.so' | sed 's|.*/||; s/\.so$//' | sort -u >"$WORK/compared"
first "warm caches"
saves "warm caches"

# Without the comparison, which runs more than the plan does (but the same kernels).
rm -rf "$POCL_CACHE_DIR"/*
LINNET_CHECK=never LINNET_VERBOSE=3 first "cold caches, nothing compared"
[ "$(grep -c 'opencl: built nchw16c.cl and what goes with it' "$WORK/err")" -eq 1 ] || fail "not built together"
[ "$(grep -c 'opencl: built [a-z0-9_]*\.cl' "$WORK/err")" -eq 1 ] || fail "more than one program is built"
sed -n 's/.*opencl: kernel //p' "$WORK/err" | sort -u >"$WORK/kernels"
find "$POCL_CACHE_DIR" -name '*.so' | sed 's|.*/||; s/\.so$//' | sort -u >"$WORK/compiled"
[ -s "$WORK/compiled" ] || fail "no compiled kernel is found"
others=$(comm -13 "$WORK/kernels" "$WORK/compiled")
[ -z "$others" ] || fail "compiled and not a kernel of the plan: $others"
others=$(comm -13 "$WORK/kernels" "$WORK/compared")
[ -z "$others" ] || fail "compiled to be compared and not a kernel of the plan: $others"

# What is prepared and compared at first use is no training: it does not count in the rate of the first epoch.
rm -rf "$POCL_CACHE_DIR"/* "$LINNET_CACHE_DIR"
begin=$(date +%s.%N)
LINNET_CHECK=first-use must train lenet5 --backend "$selection" --limit 64 --test-limit 8 --epochs 1 --json
end=$(date +%s.%N)
awk -v begin="$begin" -v end="$end" -v training="$(field seconds)" \
    'BEGIN { exit !(training != "" && 2 * training <= end - begin) }' ||
    fail "training counts what it was prepared by: $(field seconds) s"
