#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# A small training run on one device: it runs there and nowhere else, --json is JSON, the files are what they should be.
# usage: train.sh PROGRAM WORK_ROOT SELECTION DEVICE_PATTERN      (the pattern for "backend:platform:device")
LINNET=$1
WORK_ROOT=$2
selection=$3
pattern=$4
. "$(dirname "$0")/lib.sh"
need_device "$selection"
LINNET_FALLBACK=error
export LINNET_FALLBACK

LINNET_BACKEND=$selection
export LINNET_BACKEND
must train lenet5 --limit 640 --test-limit 200 --epochs 1 --warmup 4 --json -o "$WORK/lenet5"
json_only
for key in backend device test_accuracy test_loss images_per_second fallbacks; do
    [ -n "$(field "$key")" ] || fail "the last line has no '$key'"
done
where="$(field backend):$(field platform):$(field device)"
# shellcheck disable=SC2254 # a pattern
case $where in
$pattern) ;;
*) fail "it ran on '$where', not on '$pattern'" ;;
esac
[ "$(field fallbacks)" = 0 ] || fail "$(field fallbacks) nodes ran elsewhere"
[ "$(field parameters)" = 61706 ] || fail "$(field parameters) parameters"
accuracy=$(field test_accuracy)
loss=$(field test_loss)
for file in lenet5.safetensors checkpoint.safetensors curve.svg predictions.png; do
    [ -s "$WORK/lenet5/$file" ] || fail "$file is missing"
done
[ "$(ls "$WORK/lenet5" | wc -l)" -eq 4 ] || fail "there is more in the folder than should be: $(ls "$WORK/lenet5")"
grep -q '^<svg ' "$WORK/lenet5/curve.svg" || fail "curve.svg does not begin as SVG does"
tail -n 1 "$WORK/lenet5/curve.svg" | grep -q '^</svg>$' || fail "curve.svg is cut"
[ "$(head -c 8 "$WORK/lenet5/predictions.png" | od -An -tx1 | tr -d ' \n')" = 89504e470d0a1a0a ] || fail "predictions.png is no PNG"

# Looked at while it trains, it learns the same.
must train lenet5 --limit 640 --test-limit 200 --epochs 1 --warmup 4 --json --trace "$WORK/trace.json"
json_only
[ "$(field test_loss)" = "$loss" ] || fail "with a profile the loss is $(field test_loss), not $loss"
grep -q '"event":"profile","name":"lenet5","node":"conv2","direction":"backward"' "$WORK/out" || fail "no profile"
grep -q '"tid":2,' "$WORK/trace.json" || fail "nothing of the device in the trace"

# The weights on disk are those that were tested.
must eval "$WORK/lenet5/lenet5.safetensors" --limit 200 --json
json_only
[ "$(field test_accuracy)" = "$accuracy" ] || fail "eval: accuracy $(field test_accuracy), training said $accuracy"
[ "$(field test_loss)" = "$loss" ] || fail "eval: loss $(field test_loss), training said $loss"
[ "$(field backend)" = "${selection%%:*}" ] || fail "eval ran on $(field backend)"

must predict "$WORK/lenet5/lenet5.safetensors" --index 0,3-5 --top 2 --json
json_only
[ "$(wc -l <"$WORK/out")" -eq 4 ] || fail "four predictions were asked for"

must bench lenet5 --train --batch 16 --repeat 3 --json
json_only
for key in name backend device mode batch threads median_ms min_ms max_ms images_per_second gflops peak_memory_bytes; do
    [ -n "$(field "$key")" ] || fail "bench has no '$key'"
done
[ "$(field mode)" = train ] || fail "bench: mode $(field mode)"

must summary "$WORK/lenet5/lenet5.safetensors"
grep -q '61,706 parameters' "$WORK/out" || fail "summary of the weight file"
must plan lenet5 --train --batch 8
[ "$(wc -l <"$WORK/out")" -gt 20 ] || fail "the plan is short"

# A single file, and the same seed: the same bits.
must train lenet5 --limit 640 --test-limit 200 --epochs 1 --warmup 4 -q -o "$WORK/again.safetensors"
cmp "$WORK/again.safetensors" "$WORK/lenet5/lenet5.safetensors" || fail "the same seed gave other bits"
echo "trained on $where"
