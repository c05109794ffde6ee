#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Networks of the zoo with torchvision's weights against torchvision itself, where a python3 here has it.
# usage: zoo_torch.sh PROGRAM WORK_ROOT SELECTION ZOO_SCORES
LINNET=$1
WORK_ROOT=$2
LINNET_BACKEND=$3
zoo_scores=$4
export LINNET_BACKEND
. "$(dirname "$0")/lib.sh"
need_device "$LINNET_BACKEND"
LINNET_FALLBACK=error
export LINNET_FALLBACK

code=77
for python in python3 /usr/bin/python3; do
    [ "$code" -eq 77 ] || break
    code=0
    "$python" "$(dirname "$0")/zoo_torch.py" "$zoo_scores" "$WORK" \
        resnet18 resnet50 mobilenet_v2 squeezenet1_1 vgg16 vgg19 >"$WORK/out" 2>"$WORK/err" || code=$?
done
[ "$code" -ne 77 ] || skip "$(cat "$WORK/out")"
[ "$code" -eq 0 ] || fail "torchvision says otherwise"
cat "$WORK/out"
