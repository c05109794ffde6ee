#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Several networks trained on the same digits end in one table and one picture, and go on where they were stopped.
# usage: compare.sh PROGRAM WORK_ROOT SELECTION
LINNET=$1
WORK_ROOT=$2
LINNET_BACKEND=$3
export LINNET_BACKEND
. "$(dirname "$0")/lib.sh"
need_device "$LINNET_BACKEND"
LINNET_FALLBACK=error
export LINNET_FALLBACK
settings="--limit 640 --test-limit 200 --epochs 2 --crop 1"

# shellcheck disable=SC2086 # a list
must train mlp lenet5 $settings --json -o "$WORK/both"
json_only
[ "$(field event)" = comparison ] || fail "the last line is no comparison"
for file in comparison.svg mlp/mlp.safetensors mlp/curve.svg lenet5/lenet5.safetensors lenet5/predictions.png; do
    [ -s "$WORK/both/$file" ] || fail "$file is missing"
done
[ "$(ls "$WORK/both" | wc -l)" -eq 3 ] || fail "there is more in the folder than should be: $(ls "$WORK/both")"
tail -n 1 "$WORK/both/comparison.svg" | grep -q '^</svg>$' || fail "comparison.svg is cut"
[ "$(grep -c '<text[^>]*>mlp</text>\|<text[^>]*>lenet5</text>' "$WORK/both/comparison.svg")" -eq 2 ] ||
    fail "the picture does not name its curves"

# member NET KEY: of that network in the comparison.
member() {
    tail -n 1 "$WORK/out" | sed -n "s/.*{\"net\":\"$1\"[^}]*\"$2\":\([^,}]*\).*/\1/p"
}
[ "$(member mlp parameters)" = 669706 ] || fail "mlp: $(member mlp parameters) parameters"
[ "$(member lenet5 parameters)" = 61706 ] || fail "lenet5: $(member lenet5 parameters) parameters"
[ "$(member lenet5 multiply_adds)" = 416520 ] || fail "lenet5: $(member lenet5 multiply_adds) multiply-adds"
accuracy=$(member lenet5 test_accuracy)
seen=$(member lenet5 train_accuracy)

# What the table says is what the weights on disk do, on training images without augmentation.
must eval "$WORK/both/lenet5/lenet5.safetensors" --limit 200 --json
[ "$(field test_accuracy)" = "$accuracy" ] || fail "eval: $(field test_accuracy), the table said $accuracy"
must eval "$WORK/both/lenet5/lenet5.safetensors" --part train --limit 200 --json
[ "$(field test_accuracy)" = "$seen" ] || fail "eval of training images: $(field test_accuracy), the table said $seen"

# A network by itself: the same bits as in company.
# shellcheck disable=SC2086 # a list
must train lenet5 $settings -q -o "$WORK/alone.safetensors"
cmp "$WORK/alone.safetensors" "$WORK/both/lenet5/lenet5.safetensors" || fail "company changed the weights"

# Stopped between the networks: the first is done, the second begins.
mkdir "$WORK/half"
cp -r "$WORK/both/mlp" "$WORK/half/mlp"
# shellcheck disable=SC2086 # a list
must train mlp lenet5 $settings --resume "$WORK/half"
cmp "$WORK/half/lenet5/lenet5.safetensors" "$WORK/both/lenet5/lenet5.safetensors" || fail "resuming changed the weights"
grep -q '^mlp  *669,706  *668,672  *-  ' "$WORK/out" || fail "no row for mlp, whose time is not known any more"
grep -q '^lenet5  *61,706  *416,520  *[0-9]' "$WORK/out" || fail "no row for lenet5"

# ---- What makes no sense is said before anything is trained ----
refuses 2 "no network 'lenet6'" train mlp lenet6 --limit 64 -o "$WORK/never"
refuses 2 "several networks need a folder" train mlp lenet5 -o "$WORK/never.safetensors"
refuses 2 "--lr differs" train mlp lenet5 --lr 0.3 --resume "$WORK/half"
[ ! -e "$WORK/never" ] || fail "an output folder was made for a network that is none"
# The same network twice gets two names.
# shellcheck disable=SC2086 # a list
must train mlp mlp --limit 64 --test-limit 20 --epochs 1 -q -o "$WORK/twins"
grep -q '^mlp-2  *669,706' "$WORK/out" || fail "no row for the second mlp"
cmp "$WORK/twins/mlp/mlp.safetensors" "$WORK/twins/mlp-2/mlp.safetensors" || fail "the twins differ"
echo "mlp and lenet5 compared on $LINNET_BACKEND"
