#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Shifts of the picture: convolutions move along, pooling does so for whole strides; on a device as on the reference.
# usage: equivariance.sh PROGRAM WORK_ROOT SELECTION
LINNET=$1
WORK_ROOT=$2
device=$3
. "$(dirname "$0")/lib.sh"
need_device "$device"
LINNET_FALLBACK=error
export LINNET_FALLBACK

# errors LAYER: its errors, one a line.
errors() {
    sed -n "s/.*\"layer\":\"$1\",.*\"error\":\[\([^]]*\)\].*/\1/p" "$WORK/out" | tr ',' '\n'
}

# numbers FILE: all numbers of the errors and curves in it, one a line.
numbers() {
    grep -oE '\[[^]]*\]' "$1" | tr -d '[]' | tr ',' '\n'
}

must equivariance lenet5 --index 7 -n 6 --json --backend "$device"
json_only
[ "$(errors conv1 | wc -l)" -eq 7 ] || fail "not seven shifts"
for layer in conv1 relu1; do
    errors $layer | awk '$1 > 1e-5 { exit 1 }' || fail "$layer does not move with the picture: $(errors $layer | tr '\n' ' ')"
done
errors max_pool2d1 | awk 'NR % 2 == 1 && $1 > 1e-5 { exit 1 } NR % 2 == 0 && $1 < 0.01 { exit 1 }' ||
    fail "max_pool2d1 is not exact for every second shift alone: $(errors max_pool2d1 | tr '\n' ' ')"
grep -q '"layer":"fc3","compared":"vector"' "$WORK/out" || fail "fc3 is no vector"
cp "$WORK/out" "$WORK/device"
must equivariance lenet5 --index 7 -n 6 --json --backend reference
numbers "$WORK/out" >"$WORK/a"
numbers "$WORK/device" >"$WORK/b"
paste "$WORK/a" "$WORK/b" | awk '{ d = $1 - $2; if (d > 1e-4 || d < -1e-4) exit 1 }' || fail "not as on the reference"
[ "$(wc -l <"$WORK/a")" -eq "$(wc -l <"$WORK/b")" ] || fail "not as many numbers as on the reference"

# ---- Two networks, many pictures; the curves and the maps ----
LINNET_BACKEND=$device
export LINNET_BACKEND
must equivariance lenet5 --compare "conv 6 k5 p2 s2; relu; conv 16 k5 s2; relu; linear 10" --data digits --limit 5 \
    -n 4 --direction diagonally --border black -o "$WORK/curve.svg" -p "$WORK/maps.png"
grep -q 'relu2' "$WORK/curve.svg" || fail "no curve of relu2"
grep -q '</svg>' "$WORK/curve.svg" || fail "the curves have no end"
[ -s "$WORK/maps.png" ] || fail "no picture of maps"
grep -q '5 pictures' "$WORK/out" || fail "it does not say over how many pictures"

# ---- Refused ----
refuses 2 "there is no layer 'nonsense'; there are: conv1" equivariance lenet5 -i 1 -l conv1,nonsense
refuses 2 "leave nothing of a picture" equivariance lenet5 -i 1 -n 28
refuses 2 "which picture?" equivariance lenet5
refuses 2 "either a picture or --data" equivariance lenet5 a.png --data digits
refuses 2 "SVG" equivariance lenet5 -i 1 -o "$WORK/x.png"
refuses 3 "is no network and no weight file" equivariance "$WORK/none.png" -i 1
must equivariance lenet5 -i 1 -n 8
for shift in 1 2 3 4 5 6 7 8; do
    grep -q " $shift PX" "$WORK/out" || fail "no column of $shift pixels"
done
must equivariance lenet5 -i 1 -n 10
grep -q '^left out .*: [0-9]* px, [0-9]* px$' "$WORK/out" || fail "it does not say what is left out"
refuses 3 "$WORK/none.png" equivariance lenet5 "$WORK/none.png"
