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
ls "$WORK"/cache/costs-*.txt >/dev/null 2>&1 && fail "a file of costs was made by looking for one"
must tune lenet5 --batch 4 --seconds 0.0005 --force --json
json_only
[ "$(wc -l <"$WORK/out")" -eq 2 ] || fail "not inference and training"
[ "$(field mode) $(field kept) $(field wrong)" = "train true 0" ] || fail "the last line"
at_least 1 measured
! grep -q unary "$WORK"/cache/costs-*.txt || fail "what has no rival was measured"
must plan lenet5 --batch 4 --train
grep -q '^forward *conv1 .*  tuned' "$WORK/out" || fail "conv1 is not tuned"
must plan lenet5 --batch 4 --json
grep -q '"node": "conv2",.*"tuned": true' "$WORK/out" || fail "conv2 is not tuned"
must tune lenet5 --batch 4 --infer --seconds 0.0005 --json
[ "$(field measured) $(field same)" = "0 true" ] || fail "what had been measured was measured again"
at_least 1 reused
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
must tune conv2d:n2c3h7w5_oc4k3x1s2p1nb+relu --seconds 0.0005 --force
[ "$(grep -c '^conv2d:n2c3h7w5_oc4k3x1s2p1nb+relu, .*, batch 2: .*kept$' "$WORK/out")" -eq 2 ] || fail "a layer"
must plan "input 3x7x5; conv 4 k3x1 s2 p1 nb; relu" --batch 2
grep -q tuned "$WORK/out" || fail "a layer is not tuned"
must tune linear:n3i7_o3 max_pool2d:n1c2h4w4_k2s1 --infer --seconds 0.0005 --force
refuses 2 "of single layers" tune softmax:n2c3
must tune lenet5 --batch 4 --infer --limit 0.001 --force --json
[ "$(field stopped) $(field measured) $(field kept)" = "true 0 false" ] || fail "the limit"
must tune lenet5 mlp --batch 4 --limit 0.001
grep -q 'stopped at the limit of 0.001 s.*went into making the network ready' "$WORK/err" || fail "nothing said of the limit"

# A signal ends it like the limit: what was measured until then is kept.
"$LINNET" tune lenet5 --batch 4 --infer --seconds 1 --force >"$WORK/out" 2>"$WORK/err" &
tuning=$!
sleep 2
kill -TERM "$tuning"
code=0
wait "$tuning" || code=$?
[ "$code" -eq 130 ] || fail "exit code $code after SIGTERM"
grep -q ', interrupted; ' "$WORK/out" || fail "nothing on stdout of the interruption"
grep -q '^linnet: interrupted; ' "$WORK/err" || fail "nothing said of the interruption"
must tune --batch 2 --seconds 0.0001 --infer --limit 600 --json
grep -q '"name":"lenet5"' "$WORK/out" || fail "small networks without being named"
refuses 2 "exclude each other" tune lenet5 --train --infer
