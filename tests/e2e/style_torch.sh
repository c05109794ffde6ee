#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# One evaluation of the style objective with VGG-19: losses and gradient against what PyTorch 1.13 said (double
# precision), and against PyTorch itself where a python3 here has it.
# usage: style_torch.sh PROGRAM WORK_ROOT SOURCE_DIR SELECTION STYLE_LOSSES
LINNET=$1
WORK_ROOT=$2
source_dir=$3
LINNET_BACKEND=$4
style_losses=$5
export LINNET_BACKEND
. "$(dirname "$0")/lib.sh"
need_device "$LINNET_BACKEND"
LINNET_FALLBACK=error
export LINNET_FALLBACK

shared=$source_dir/../shared
weights=$shared/models/vgg19_features/model.safetensors
for file in "$weights" "$shared/images/Tuebingen_Neckarfront.jpg" "$shared/images/the_scream.jpg"; do
    [ -f "$file" ] || skip "no $file"
done
"$style_losses" "$shared/images/Tuebingen_Neckarfront.jpg" "$shared/images/the_scream.jpg" "$weights" \
    "$WORK/losses" >"$WORK/out" 2>"$WORK/err" || fail "no losses"
while read -r line; do
    name=${line% *}
    value=${line##* }
    found=$(sed -n "s/^$name //p" "$WORK/out")
    awk -v a="$found" -v b="$value" 'BEGIN { d = a - b; if (d < 0) d = -d; exit !(a != "" && d <= 1e-4 * b) }' ||
        fail "$name is '$found', PyTorch said $value"
done <<EOF
content relu3_2 5.107886e+09
style relu1_1 1999940
style relu2_1 1.370676e+09
style relu3_1 6.372179e+09
total variation 560.7921
sum 2.586727e+09
gradient 7.764958e+08
EOF
for python in python3 /usr/bin/python3; do
    code=0
    "$python" "$(dirname "$0")/style_torch.py" "$weights" "$WORK/losses" >"$WORK/out" 2>"$WORK/err" || code=$?
    [ "$code" -ne 77 ] && break
done
[ "$code" -eq 77 ] || [ "$code" -eq 0 ] || fail "PyTorch says otherwise"
cat "$WORK/out"

other=$shared/models/squeezenet1.1/model.safetensors
photo=$shared/images/chelsea.png
[ -f "$other" ] && refuses 3 "holds weights of 'squeezenet1_1'" style "$photo" "$photo" --model vgg19 --weights "$other" \
    -o "$WORK/no.png"
exit 0
