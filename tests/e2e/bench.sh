#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# What `linnet bench` says: rows, members of the JSON lines, lists. No number is judged.
# usage: bench.sh PROGRAM WORK_ROOT SELECTION
LINNET=$1
WORK_ROOT=$2
LINNET_BACKEND=$3
export LINNET_BACKEND
. "$(dirname "$0")/lib.sh"
need_device "$LINNET_BACKEND"

lines() {
    [ "$(wc -l <"$WORK/out")" -eq "$1" ] || fail "$(wc -l <"$WORK/out") lines instead of $1"
}

must bench lenet5 mlp --batch 1..4,3 --threads 1,2 --repeat 2 --json
json_only
lines 16
head -n 1 "$WORK/out" | grep -q '"name":"lenet5".*"mode":"infer","batch":1,"threads":1,' || fail "the first row"
[ "$(field name) $(field batch) $(field threads)" = "mlp 3 2" ] || fail "the last row"
for key in first_ms median_ms min_ms max_ms lower_quartile_ms upper_quartile_ms images_per_second gflops \
    percent_of_peak; do
    at_least 0 "$key"
done
must bench lenet5 --repeat 2
grep -q '^lenet5  *infer  *64 ' "$WORK/out" || fail "no row"
refuses 2 "is no list of numbers" bench lenet5 --batch 4,,8
refuses 2 "is no list of numbers" bench lenet5 --batch 0
refuses 2 "is no list of numbers" bench lenet5 --threads 9..3

must bench lenet5 --layers --train --batch 2 --repeat 2 --json
json_only
grep -q '"node":"conv1","direction":"forward","layer":"conv2d"' "$WORK/out" || fail "no conv1"
grep -q '"node":"conv2","direction":"backward","layer":"conv2d"' "$WORK/out" || fail "no conv2 backwards"
grep '"node":"fc1","direction":"forward"' "$WORK/out" | grep -q '"multiply_adds":96000,' || fail "work of fc1"

# A profile: every layer in both directions, and what else the device does; the trace is an array of events.
must bench lenet5 --profile --train --batch 2 --repeat 2 --json --trace "$WORK/trace.json"
json_only
for row in '"node":"conv1","direction":"forward","layer":"conv2d"' '"node":"conv2","direction":"backward"' \
    '"node":"image","direction":"none","layer":"upload"' '"direction":"none","layer":"optimizer"'; do
    grep -q "$row" "$WORK/out" || fail "no $row in the profile"
done
head -n 2 "$WORK/trace.json" | tr -d '\n' | grep -q '^\[{"name":"thread_name","ph":"M"' || fail "how the trace begins"
tail -n 1 "$WORK/trace.json" | grep -q '^\]$' || fail "how the trace ends"
for track in 1 2; do
    grep -q "\"ph\":\"X\",\"pid\":1,\"tid\":$track," "$WORK/trace.json" || fail "track $track is empty"
done
categories=$(sed -n 's/.*"cat":"\([^"]*\)".*/\1/p' "$WORK/trace.json" | sort -u | tr '\n' ' ')
[ "$categories" = "layer optimizer program transfer " ] || fail "categories of the trace: $categories"
must bench lenet5 --profile --repeat 2
grep -q '^the device works [0-9.]* ms of the [0-9.]* ms that a run takes' "$WORK/out" || fail "no sum"
refuses 2 "one network" bench lenet5 mlp --trace "$WORK/trace.json"

must bench conv2d:n1c4h6w6_oc4k3p1 unary:relu_n1c4h6w6 --train --seconds 0.01 --json
json_only
for direction in forward backward_data backward_weights; do
    grep -q "\"name\":\"conv2d:n1c4h6w6_oc4k3p1\".*\"direction\":\"$direction\"" "$WORK/out" || fail "no $direction"
done
[ "$(field name) $(field direction)" = "unary:relu_n1c4h6w6 backward_data" ] || fail "the last row"
must bench conv2d:n1c4h6w6_oc4k3p1 --planned --direction all --seconds 0.01 --json
lines 3
must bench conv2d:n1c4h6w6_oc4k3p1 --seconds 0.01
grep -q '^conv2d:n1c4h6w6_oc4k3p1  *forward ' "$WORK/out" || fail "no row"
! grep -q backward "$WORK/out" || fail "backwards without being asked"
refuses 2 "conv2d" bench conv2d:n1c4h6w6
refuses 2 "'bogus' is not understood; conv2d is written as in conv2d:n" bench conv2d:bogus
refuses 2 "n c l h w i, and oc k s d p pt pl pb pr g nb" bench conv2d:n1c4h6w6_z3
refuses 2 "it has no sizes; gram is written as in gram:n" bench gram:
refuses 2 "no operator of that name; unary is written as in unary:" bench unary:dance_n2
refuses 2 "these are conv2d linear " bench conv3d:n1
refuses 2 "has no implementation 'foo' of conv2d; these are there: " bench conv2d:n1c4h6w6_oc4k3p1 --candidate foo
refuses 2 "im2col_gemm" bench conv2d:n1c4h6w6_oc4k3p1 --candidate foo
must bench style --pixels 32 --repeat 1 --json
[ "$(field name) $(field mode)" = "style gradient" ] || fail "no style"
must bench style --pixels 32 --profile --repeat 1
for row in 'conv1_1 .*forward' 'conv2_1 .*backward' '^without a profile it takes '; do
    grep -q "$row" "$WORK/out" || fail "no $row in the profile of style"
done

# What has nothing to do with what is timed is no option of it.
layer=conv2d:n1c4h6w6_oc4k3p1
for option in profile layers "trace $WORK/never.json" "batch 2" "pixels 32" "repeat 2"; do
    # shellcheck disable=SC2086 # an option and its argument
    refuses 2 "--${option%% *} is for " bench $layer --$option
done
[ ! -e "$WORK/never.json" ] || fail "a trace of a layer"
for option in "candidate foo" planned "direction all"; do
    # shellcheck disable=SC2086 # an option and its argument
    refuses 2 "--${option%% *} is for layers" bench lenet5 --$option
done
for option in profile train "seconds 1" "candidate foo"; do
    # shellcheck disable=SC2086 # an option and its argument
    refuses 2 "--${option%% *} is for " bench machine --$option
done
refuses 2 "--layers and --profile exclude each other" bench lenet5 --layers --profile
refuses 2 "--seconds and --repeat exclude each other" bench lenet5 --seconds 1 --repeat 2

# A device that has no threads of its own: one row, and a sentence.
for threads in 1,2 "" 3; do
    (
        [ "$threads" != "" ] || export LINNET_NUM_THREADS=1
        must bench lenet5 --repeat 2 --json --backend reference --batch 2 ${threads:+--threads "$threads"}
        lines 1
        [ "$(grep -c '^linnet: reference: .* does not go by .*POCL_MAX_PTHREAD_COUNT' "$WORK/err")" -eq 1 ] ||
            fail "it does not say that there are no threads"
    ) || exit 1
done
must bench lenet5 --repeat 2 --threads 1,2 --json
lines 2
[ ! -s "$WORK/err" ] || fail "something on stderr"

must bench machine --threads 1,2 --json
json_only
grep -q '"name":"multiply-adds",.*"unit":"GFLOP/s"' "$WORK/out" || fail "no peak"
grep -q '"name":"triad memory",.*"unit":"GB/s"' "$WORK/out" || fail "no bandwidth"
grep -q '"name":"shared job","backend":"cpu","threads":2,.*"unit":"us"' "$WORK/out" || fail "no cost of a job"
grep -q '"name":"shared job, woken","backend":"cpu","threads":2,' "$WORK/out" || fail "no cost of waking"
! grep -q '"name":"shared job.*"threads":1,' "$WORK/out" || fail "one thread shares nothing"
