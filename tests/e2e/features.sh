#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# What layers see, on a device against the reference, and against numbers that PyTorch 1.13 computed; what is refused.
# usage: features.sh PROGRAM WORK_ROOT SOURCE_DIR SELECTION
LINNET=$1
WORK_ROOT=$2
source_dir=$3
device=$4
. "$(dirname "$0")/lib.sh"
need_device "$device"
LINNET_FALLBACK=error
export LINNET_FALLBACK

# near KEY WANTED PART: that member of the last line is WANTED, to a PART of it.
near() {
    awk -v a="$(field "$1")" -v b="$2" -v part="$3" 'BEGIN {
        d = a - b; d = d < 0 ? -d : d; b = b < 0 ? -b : b
        exit !(a != "" && d <= part * b + 1e-6) }' || fail "$1 is '$(field "$1")', not $2"
}

is_png() {
    [ "$(head -c 8 "$1" | od -An -tx1 | tr -d ' \n')" = 89504e470d0a1a0a ] || fail "$1 is no PNG"
}

# same PART KEY... -- ARGUMENT...: the members of the last line are as on the reference, to a PART of them.
same() {
    part=$1
    keys=
    shift
    while [ "$1" != -- ]; do
        keys="$keys $1"
        shift
    done
    shift
    must features "$@" --json --backend reference
    wanted=$(tail -n 1 "$WORK/out")
    must features "$@" --json --backend "$device"
    json_only
    for key in $keys; do
        value=$(printf '%s\n' "$wanted" | sed -n "s/.*\"$key\":\([^,}]*\).*/\1/p")
        near "$key" "$value" "$part"
    done
}

# ---- A net with its first weights, the same everywhere ----
for layer in conv1 relu2 max_pool2d2 fc2; do
    same 1e-4 min max mean norm -- lenet5 --index 7 --layer "$layer"
done
must features lenet5 --index 7 --json --backend "$device"
[ "$(wc -l <"$WORK/out")" -eq 11 ] || fail "not a line for each of the eleven layers"
same 1e-3 score probability sum max x y -- lenet5 --index 7 --saliency --class 3
same 1e-3 class score sum max x y -- lenet5 --index 7 --grad-cam --layer relu2
same 1e-3 sum radius_50 radius_90 height width left top -- lenet5 --index 7 --receptive-field --layer conv2 --unit 2,3
[ "$(field width)" = 14.0 ] || fail "a field of 14 pixels is $(field width) wide"
[ "$(field left)" = 2.0 ] || fail "the field begins at $(field left), not at 2 * 2 - 2" # conv1 is padded by 2
same 1e-3 image value x y -- lenet5 --exciting 2 --layer conv2 --limit 60 --count 1
same 2e-2 value -- lenet5 --maximise 4 --steps 6

# ---- Pictures ----
for what in --all --saliency --grad-cam --receptive-field "--layer fc1" "--layer conv1 --maps 3"; do
    # shellcheck disable=SC2086 # options
    must features lenet5 --index 3 $what -o "$WORK/a.png" --backend "$device" -q
    is_png "$WORK/a.png"
    rm "$WORK/a.png"
done
must features lenet5 --exciting 0-3 --limit 50 -n 4 -o "$WORK/a.png" --backend "$device"
is_png "$WORK/a.png"
must features lenet5 --maximise 1,2 --steps 3 -o "$WORK/a.png" --backend "$device"
is_png "$WORK/a.png"

must features lenet5 --exciting 8 --layer relu3 --limit 60 -n 4 -o "$WORK/a.png" --backend "$device"
grep -q '^unit 8: never active$' "$WORK/out" || fail "a unit that is never active is not called so"
is_png "$WORK/a.png"
must features lenet5 --exciting 5 --layer relu3 --limit 60 -n 4 --json --backend "$device"
[ "$(wc -l <"$WORK/out")" -eq 2 ] || fail "not only the two images that excite unit 5 are listed"

# ---- Refused ----
LINNET_BACKEND=$device
export LINNET_BACKEND
refuses 2 "there is no layer 'nonsense'; there are: conv1, relu1, max_pool2d1" features lenet5 -i 1 -l nonsense -o "$WORK/a.png"
refuses 2 "no class 'ten'" features lenet5 -i 1 --saliency -c ten -o "$WORK/a.png"
refuses 2 "there is no class '10'" features lenet5 -i 1 --saliency -c 10 -o "$WORK/a.png"
refuses 2 "layer 'relu1' has no filters" features lenet5 --filters -l relu1 -o "$WORK/a.png"
refuses 1 "No such file" features lenet5 -i 1 -o "$WORK/absent/a.png"
refuses 2 "at a time" features lenet5 -i 1 --saliency --grad-cam -o "$WORK/a.png"
refuses 2 "where to?" features lenet5 -i 1
refuses 2 "which picture?" features lenet5 -o "$WORK/a.png"
refuses 2 "there is no unit 10" features lenet5 --exciting 10 --limit 5 -o "$WORK/a.png"
refuses 2 "makes no sense" features lenet5 --maximise 3- -o "$WORK/a.png"
refuses 2 "there is no unit at 10,0" features lenet5 -i 1 -l conv2 --receptive-field -u 10,0 -o "$WORK/a.png"
refuses 2 "has no layer with maps" features mlp -i 1 --grad-cam -o "$WORK/a.png"
refuses 2 "layer 'fc1' has no maps" features lenet5 -i 1 --grad-cam -l fc1 -o "$WORK/a.png"
refuses 2 "layer 'cross_entropy1' makes neither" features lenet5 -i 1 -l cross_entropy1 -o "$WORK/a.png"
refuses 2 "has no class scores" features vgg19 "$WORK/none.png" --saliency -o "$WORK/a.png"
echo "no picture" >"$WORK/text.png"
refuses 3 "$WORK/text.png" features lenet5 "$WORK/text.png" -o "$WORK/a.png"
refuses 3 "$WORK/none.png" features lenet5 "$WORK/none.png" -o "$WORK/a.png"
refuses 3 "$WORK/none.txt" features lenet5 -i 1 --labels "$WORK/none.txt" -o "$WORK/a.png"
printf 'zero\none\ntwo\n' >"$WORK/three.txt"
refuses 3 "names for 3 classes, the network 'lenet5' has 10" features lenet5 -i 1 --labels "$WORK/three.txt" -o "$WORK/a.png"
refuses 3 "is no network and no weight file" features "$WORK/text.png" "$WORK/text.png" -o "$WORK/a.png"
[ ! -e "$WORK/a.png" ] || rm "$WORK/a.png"

# ---- SqueezeNet on a photograph: what PyTorch says of the same weights ----
data=${LINNET_TEST_DATA:-$source_dir/../shared}
weights=$data/models/squeezenet1.1/model.safetensors
picture=$data/images/kitten_224.png
[ -f "$weights" ] && [ -f "$picture" ] || skip "no SqueezeNet or no kitten at $data; the rest is right"
# Half of the kitten is white, where a maximum has no single place: only exact sums pick the first, as PyTorch does.
LINNET_NUMERICS=direct
export LINNET_NUMERICS
set -- squeezenet1_1 -w "$weights" "$picture" --class 281 --json
must features "$@" --saliency
near score 25.770132 1e-5
near probability 0.759632 1e-4
near sum 2563.8833 1e-3
near max 1.0549974 1e-3
near x 132 0
near y 132 0
must features "$@" --grad-cam --layer fire9
near sum 25.767487 1e-4
near max 0.6136637 1e-4
must features "$@" --grad-cam
near sum 25.770132 1e-4
near max 0.6136793 1e-4
