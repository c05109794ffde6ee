#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# A run whose device is lost goes on from its checkpoint and ends with the same bits as one that was left alone.
# usage: lost.sh PROGRAM WORK_ROOT SELECTION ICD        (tests/icd's libOpenCL.so.1)
LINNET=$1
WORK_ROOT=$2
LINNET_BACKEND=$3
icd=$4
export LINNET_BACKEND
. "$(dirname "$0")/lib.sh"
need_device "$LINNET_BACKEND"
through "$icd"

settings="--limit 480 --test-limit 40 --batch 8 --epochs 2 --checkpoint-every 10"

# shellcheck disable=SC2086 # a list
must train lenet5 $settings -o "$WORK/whole"

# At one call after the other, until the run is over before. Before the first step the session gets over it by itself,
# before the first checkpoint nothing can.
behind=no
call=300
while :; do
    rm -rf "$WORK/lost"
    # shellcheck disable=SC2086 # a list
    LINNET_TEST_LOSE=$call run train lenet5 $settings -o "$WORK/lost"
    grep -q 'CL_OUT_OF_RESOURCES' "$WORK/err" || break
    if [ "$code" -ne 0 ]; then
        [ ! -e "$WORK/lost/checkpoint.safetensors" ] || fail "lost at call $call: nothing goes on from the checkpoint"
    else
        for file in lenet5.safetensors checkpoint.safetensors; do
            cmp "$WORK/whole/$file" "$WORK/lost/$file" || fail "lost at call $call: $file has other bits"
        done
        ! grep -q 'goes on from' "$WORK/err" || behind=yes
    fi
    call=$((call * 3))
done
[ "$code" -eq 0 ] || fail "not lost, exit code $code"
[ $behind = yes ] || fail "no loss behind a checkpoint was seen up to call $call"
