#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Filters on a device, against the reference; the lecture's examples; what is refused.
# usage: filter.sh PROGRAM WORK_ROOT SELECTION MAKE_DIGIT
LINNET=$1
WORK_ROOT=$2
device=$3
make_digit=$4
. "$(dirname "$0")/lib.sh"
need_device "$device"
LINNET_FALLBACK=error
export LINNET_FALLBACK

# ---- The lecture's numbers ----
# has TEXT: a line of stdout.
has() {
    grep -qF -- "$1" "$WORK/out" || fail "no line with $1"
}
must filter --demo convolution --json --backend "$device" -o "$WORK/convolution.png"
json_only
has '"filter":1,"stride":1,"map":[[3,-1,-3,-1],[-3,1,0,-3],[-3,-3,0,1],[3,-2,-2,-1]]'
has '"filter":1,"stride":2,"map":[[3,-3],[-3,0]]'
has '"filter":2,"stride":1,"map":[[-1,-1,-1,-1],[-1,-1,-2,1],[-1,-1,-2,1],[-1,0,-4,3]]'
has '"filter":2,"stride":2,"map":[[-1,-1],[-1,-2]]'
has '"filter":1,"stride":2,"row":2,"column":2,"window"' # where it lies in the picture
[ "$(grep -c '"event":"step"' "$WORK/out")" -eq 40 ] || fail "not 40 steps"
must filter --demo pooling --json --backend "$device" -o "$WORK/pooling.png"
has '"pooling":"max","out":[6.0,8.0,3.0,4.0]'
has '"pooling":"average","out":[3.25,5.25,2.0,2.0]'
must filter --demo template --json --backend "$device" -o "$WORK/template.png"
grep -q '"place":1,"x":115,"y":31,"score":\(1.0\|0.99999\)' "$WORK/out" || fail "the template is not found in its place"
must filter --demo activations --json --backend "$device" -o "$WORK/activations.png"
[ "$(grep -c '"activation":' "$WORK/out")" -eq 6 ] || fail "not six activations"
grep '"activation":"relu",' "$WORK/out" | grep -q '"slope":\[0.0,0.0,.*,1.0,1.0\]' || fail "relu's slope is not 0, then 1"
# sigmoid's middle: one half, with a slope of a quarter.
grep '"activation":"sigmoid",' "$WORK/out" | grep -q ',0.5,.*,0.25,' || fail "sigmoid is not 0.5 with slope 0.25 at 0"

# ---- Pictures: somebody's digit ----
picture=$WORK/colour.png
"$make_digit" "$picture" 3 colour >/dev/null || fail "no picture"
"$make_digit" "$WORK/clear.png" 3 alpha >/dev/null || fail "no picture"
must filter "$picture" --kernel identity -o "$WORK/same.png" --backend "$device"
cmp -s "$picture" "$WORK/same.png" || fail "the identity changes the picture"
# kind FILE: colour type in the PNG's header: 2 RGB, 6 RGBA.
kind() {
    od -An -tu1 -j25 -N1 "$1" | tr -d ' '
}
must filter "$WORK/clear.png" --kernel identity -o "$WORK/same.png" --backend "$device"
cmp -s "$WORK/clear.png" "$WORK/same.png" || fail "the identity changes a picture with alpha"
# 16 bits stay 16 bits, to the last of them.
bits() {
    od -An -tu1 -j24 -N1 "$1" | tr -d ' '
}
"$make_digit" "$WORK/deep.png" 3 deep >/dev/null || fail "no picture"
[ "$(bits "$WORK/deep.png")" = 16 ] || fail "the picture has not 16 bits"
must filter "$WORK/deep.png" --kernel identity -o "$WORK/same.png" --backend "$device"
cmp -s "$WORK/deep.png" "$WORK/same.png" || fail "the identity changes a picture of 16 bits"
must filter "$WORK/deep.png" --kernel gaussian --alpha white --json -o "$WORK/blurred.png" --backend "$device"
[ "$(bits "$WORK/blurred.png")$(kind "$WORK/blurred.png")" = 162 ] || fail "the blurred picture has not 16 bits"
[ "$(field bits)" = 16 ] || fail "the 16 bits are not told"
must filter "$WORK/deep.png" --kernel sobel-x --signed -o "$WORK/signed.png" --backend "$device"
[ "$(bits "$WORK/signed.png")" = 8 ] || fail "--signed has not 8 bits"
must filter "$WORK/clear.png" --kernel gaussian -o "$WORK/kept.png" --backend "$device"
[ "$(kind "$WORK/kept.png")" = 6 ] || fail "alpha is not kept"
must filter "$WORK/clear.png" --kernel gaussian --alpha white --json -o "$WORK/white.png" --backend "$device"
[ "$(kind "$WORK/white.png")" = 2 ] || fail "alpha is not gone"
at_least 0.99999 high # paper
printf '# a kernel in a file\n1 2 1\n2 4 2\n1 2 1/4\n' >"$WORK/kernel.txt"
# same FIELD WANTED: that member is the reference's, to a few digits.
same() {
    awk -v a="$(field "$1")" -v b="$2" 'BEGIN { d = a - b; exit !(a != "" && d < 1e-4 && d > -1e-4) }' ||
        fail "$1 is $(field "$1"), the reference says $2"
}
for border in zero replicate reflect; do
    for kernel in sobel emboss "1 2 3 4; -1 -2 -3 -4" "$WORK/kernel.txt"; do
        must filter "$picture" -k "$kernel" --border "$border" --signed --json -o "$WORK/a.png" --backend reference
        low=$(field low)
        high=$(field high)
        mean=$(field mean)
        must filter "$picture" -k "$kernel" --border "$border" --signed --json -o "$WORK/b.png" --backend "$device"
        json_only
        same low "$low"
        same high "$high"
        same mean "$mean"
    done
done

must filter --demo kernels "$picture" --json -o "$WORK/kernels.png" --backend "$device"
json_only
[ "$(grep -c '"kernel":' "$WORK/out")" -eq 10 ] || fail "not ten kernels"
# No edge around the picture: outside it is as its edge, unless told otherwise.
cp "$WORK/out" "$WORK/usual"
must filter --demo kernels "$picture" --json --border replicate --backend "$device"
cmp -s "$WORK/out" "$WORK/usual" || fail "the border is not replicated"
must filter --demo kernels "$picture" --json --border zero --backend "$device"
cmp -s "$WORK/out" "$WORK/usual" && fail "--border zero is not heard"

# ---- Refused ----
refuses 2 "which picture" filter --kernel box -o "$WORK/never.png"
refuses 2 "which kernel" filter "$picture" -o "$WORK/never.png"
refuses 2 "Say -o" filter "$picture" --kernel box
refuses 2 "row 2 (ends at column 12) has 2 numbers, the first has 3" filter "$picture" -k "0 1 0; 1 -4; 0 1 0" -o "$WORK/never.png"
refuses 2 "'x' in row 2 (column 10) is no number" filter "$picture" -k "0 1 0; 1 x 1; 0 1 0" -o "$WORK/never.png"
refuses 2 "no kernel 'gausian'; there are: identity, " filter "$picture" -k gausian -o "$WORK/never.png"
refuses 2 ", emboss, sobel" filter "$picture" -k nosuch -o "$WORK/never.png"
printf '1 2\n3\n' >"$WORK/short.txt"
refuses 3 "short.txt: row 2" filter "$picture" -k "$WORK/short.txt" -o "$WORK/never.png"
refuses 3 "absent.txt" filter "$picture" -k "$WORK/absent.txt" -o "$WORK/never.png"
refuses 3 "./absent" filter "$picture" -k ./absent -o "$WORK/never.png"
refuses 1 "absent/never.png: cannot be written" filter "$picture" -k box -o "$WORK/absent/never.png"
refuses 3 "absent.png" filter "$WORK/absent.png" -k box -o "$WORK/never.png"
refuses 3 "kernel.txt" filter "$WORK/kernel.txt" -k box -o "$WORK/never.png"
refuses 2 "never.gif" filter "$picture" -k box -o "$WORK/never.gif"
refuses 2 "exclude each other" filter "$picture" -k box --signed --absolute -o "$WORK/never.png"
refuses 2 "which picture" filter --demo kernels
refuses 2 "brings its own picture" filter "$picture" --demo pooling
refuses 2 "X,Y,WIDTH,HEIGHT" filter "$picture" --demo template --template 1,2,3
refuses 2 "--sigma does nothing with --kernel='identity'" filter "$picture" -k identity --sigma 2 -o "$WORK/never.png"
refuses 2 "--size does nothing with --kernel='1 2'" filter "$picture" -k "1 2" --size 5 -o "$WORK/never.png"
refuses 2 "--by does nothing with --kernel='box'" filter "$picture" -k box --by 2 -o "$WORK/never.png"
refuses 2 "--template is for --demo template" filter "$picture" -k box --template 1,2,3,4 -o "$WORK/never.png"
refuses 2 "--template does nothing with --demo=convolution" filter --demo convolution --template 1,2,3,4
refuses 2 "--gain does nothing with --demo=kernels" filter "$picture" --demo kernels --gain 2
refuses 2 "is no part of" filter "$picture" --demo template --template 0,0,5000,4
[ ! -e "$WORK/never.png" ] || fail "a picture was written although it was refused"
echo "filters on $device"
