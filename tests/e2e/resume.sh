#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# A run that is killed, or interrupted, and resumed ends with the same bits as one that was left alone.
# usage: resume.sh PROGRAM WORK_ROOT SELECTION STEPS      (at least so many steps, so that it can be caught)
LINNET=$1
WORK_ROOT=$2
LINNET_BACKEND=$3
steps=$4
export LINNET_BACKEND
. "$(dirname "$0")/lib.sh"
need_device "$LINNET_BACKEND"

# Two epochs; the second half of the work is Adam's, whose state has to come back as well, and each epoch sees the images
# in another way.
settings="--limit $((steps * 4)) --test-limit 40 --batch 8 --epochs 2 --optimizer adam --crop 2 --flip --checkpoint-every 7"

# shellcheck disable=SC2086 # a list
must train lenet5 $settings -o "$WORK/whole"

# started FOLDER: trains there in the background and waits for the first checkpoint within an epoch.
started() {
    # shellcheck disable=SC2086 # a list
    "$LINNET" train lenet5 $settings -o "$1" >"$WORK/out" 2>"$WORK/err" &
    child=$!
    tries=0
    until [ -s "$1/checkpoint.safetensors" ]; do
        kill -0 "$child" 2>/dev/null || fail "it ended before it could be caught"
        tries=$((tries + 1))
        [ "$tries" -lt 6000 ] || fail "no checkpoint"
        sleep 0.01
    done
}

same() {
    for file in lenet5.safetensors checkpoint.safetensors; do
        cmp "$WORK/whole/$file" "$1/$file" || fail "$2: $file has other bits"
    done
}

started "$WORK/killed"
kill -9 "$child" || fail "it ended before it could be killed"
wait "$child" 2>/dev/null
[ ! -e "$WORK/killed/lenet5.safetensors" ] || fail "it was done before it was killed"
must train --resume "$WORK/killed"
grep -q '^resumed after [1-9]' "$WORK/out" || fail "nothing was resumed"
resumed=$(sed -n 's/^resumed after \([0-9,]*\) steps$/\1/p' "$WORK/out")
same "$WORK/killed" "killed, resumed after $resumed steps"

started "$WORK/stopped"
kill -INT "$child" || fail "it ended before it could be interrupted"
code=0
wait "$child" || code=$?
[ "$code" -eq 130 ] || fail "exit code $code instead of 130 after SIGINT"
grep -q -- "--resume $WORK/stopped/checkpoint.safetensors" "$WORK/err" || fail "it does not say how to go on"
must train --resume "$WORK/stopped/checkpoint.safetensors" --batch 8
same "$WORK/stopped" "interrupted"

# At the very end there is nothing left to train, but the results are written.
rm "$WORK/stopped/lenet5.safetensors"
must train --resume "$WORK/stopped"
same "$WORK/stopped" "resumed at the end"
echo "killed and resumed after $resumed steps: the same bits"
