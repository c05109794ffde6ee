#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# `linnet tune`: what it says, what it keeps, and that a damaged file is not believed.
# usage: tune.sh PROGRAM WORK_ROOT SELECTION
LINNET=$1
WORK_ROOT=$2
LINNET_BACKEND=$3
export LINNET_BACKEND
. "$(dirname "$0")/lib.sh"
need_device "$LINNET_BACKEND"
LINNET_CACHE_DIR=$WORK/cache
export LINNET_CACHE_DIR

must plan lenet5 --batch 4
! grep -q tuned "$WORK/out" || fail "tuned without being asked"
[ ! -e "$WORK/cache" ] || fail "a cache was made by looking for one"
must tune lenet5 --batch 4 --seconds 0.0005 --force --json
json_only
[ "$(wc -l <"$WORK/out")" -eq 2 ] || fail "not inference and training"
[ "$(field mode) $(field kept) $(field wrong)" = "train true 0" ] || fail "the last line"
at_least 1 measured
must plan lenet5 --batch 4 --train
grep -q '^forward *conv1 .*  tuned' "$WORK/out" || fail "conv1 is not tuned"
must plan lenet5 --batch 4 --json
grep -q '"node": "conv2",.*"tuned": true' "$WORK/out" || fail "conv2 is not tuned"
must plan lenet5 --batch 5
! grep -q tuned "$WORK/out" || fail "tuned for another size"

printf 'x' >>"$(ls "$WORK"/cache/costs-*.txt)"
must plan lenet5 --batch 4
! grep -q tuned "$WORK/out" || fail "a damaged file was believed"
grep -q 'costs-.* is ignored: it is damaged' "$WORK/err" || fail "nothing said of a damaged file"
must tune "input 1x6x6; conv 2 k3; relu" --batch 2 --seconds 0.0005 --force
grep -q 'kept$' "$WORK/out" || fail "a net in a line"
must plan "input 1x6x6; conv 2 k3; relu" --batch 2
grep -q tuned "$WORK/out" || fail "a net in a line is not tuned"
refuses 2 "which network?" tune
refuses 2 "exclude each other" tune lenet5 --train --infer
