#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Colour pictures to learn from: CIFAR's files and folders of classes, with crops and flips, from training to prediction.
# usage: pictures.sh PROGRAM WORK_ROOT SELECTION MAKE_DIGIT
LINNET=$1
WORK_ROOT=$2
LINNET_BACKEND=$3
make_digit=$4
export LINNET_BACKEND
. "$(dirname "$0")/lib.sh"
need_device "$LINNET_BACKEND"
LINNET_FALLBACK=error
export LINNET_FALLBACK

# ---- CIFAR ----
# shades COUNT: records of ten classes, each in a shade of grey of its own.
shades() {
    i=0
    while [ "$i" -lt "$1" ]; do
        class=$((i % 10))
        printf "\\$(printf '%03o' "$class")"
        head -c 3072 /dev/zero | tr '\0' "\\$(printf '%03o' $((20 + class * 24)))"
        i=$((i + 1))
    done
}
mkdir "$WORK/cifar"
shades 200 >"$WORK/cifar/data_batch_1.bin"
shades 60 | gzip >"$WORK/cifar/data_batch_4.bin.gz"
shades 50 >"$WORK/cifar/test_batch.bin"
must train "conv 8 k3; relu; globalpool; linear 32; relu; linear 10" --data "$WORK/cifar" --epochs 40 --batch 20 --lr 0.02 \
    --flip --json -o "$WORK/shades.safetensors"
grep -q '"training_images":260,"test_images":50' "$WORK/out" || fail "the files hold 260 and 50 images"
at_least 0.9 test_accuracy
accuracy=$(field test_accuracy)
must eval "$WORK/shades.safetensors" --data "$WORK/cifar" --json
[ "$(field test_accuracy)" = "$accuracy" ] || fail "eval says $(field test_accuracy), training said $accuracy"
must predict "$WORK/shades.safetensors" --data "$WORK/cifar" --index 3,9
grep -q 'cat' "$WORK/out" || fail "class 3 is not called cat"
head -c 5000 "$WORK/cifar/data_batch_1.bin" >"$WORK/cifar/data_batch_2.bin"
refuses 3 "data_batch_2.bin" train lenet5 --data "$WORK/cifar"

# ---- Folders: pictures of digits in three styles, which are the classes ----
for style in light dark colour; do
    mkdir -p "$WORK/styles/$style"
    for index in 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14; do
        "$make_digit" "$WORK/styles/$style/$index.png" "$index" "$style" >/dev/null || fail "make_digit $index $style"
    done
done
must train "conv 8 k3 s2; relu; maxpool 2; linear 3" --data "$WORK/styles" --size 48x32 --epochs 12 --batch 9 --crop 4 --flip \
    --json -o "$WORK/styles.net"
[ "$(grep -c '"training_images":36,"test_images":9' "$WORK/out")" -eq 1 ] || fail "a fifth of 45 pictures is for testing"
at_least 0.99 test_accuracy
weights=$(field weights)
must eval "$weights" --data "$WORK/styles" --json # in the network's size, not in the folder's
at_least 0.99 test_accuracy
# The names of the classes have come with the weights.
"$make_digit" "$WORK/new.png" 40 colour >/dev/null
must predict "$weights" "$WORK/new.png"
grep -q 'new.png  *colour ' "$WORK/out" || fail "the picture is not seen as what it is"
must train lenet5 --data "$WORK/styles" --limit 6 --test-limit 3 --epochs 1 --json # 224 wide without --size
[ "$(sed -n 's/.*"event":"start".*/&/p' "$WORK/out" | grep -c '"training_images":6,')" -eq 1 ] || fail "six pictures"

# ---- What is wrong is named ----
refuses 2 "--size='48x' makes no sense" train lenet5 --data "$WORK/styles" --size 48x
mkdir "$WORK/nothing"
refuses 3 "no pictures to train with" train lenet5 --data "$WORK/nothing"
echo "no picture" >"$WORK/styles/dark/3.png"
refuses 3 "dark/3.png" train lenet5 --data "$WORK/styles"
refuses 3 "dark/3.png" eval "$weights" --data "$WORK/styles" --part train
echo "learned from pictures on $LINNET_BACKEND"
