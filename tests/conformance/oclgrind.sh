#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# oclgrind.sh OCLGRIND CONFORMANCE: the small table in a simulator that sees data races and accesses out of bounds, and
# for GPUs' kernels convolutions that are large enough for tiles in local memory: with a rest of the depth, with windows'
# tables made anew on the way, and of a 1x1 kernel.
set -eu
log=$(mktemp)
trap 'rm -f "$log"' EXIT
status=0
"$1" --data-races --log "$log" "$2" --backend opencl:oclgrind --quick || status=$?
if [ "${LINNET_OPENCL_KERNELS:-}" = gpu ]; then
    for case in conv2d:n1c3h4w5_oc17k3p1 conv2d:n1c32h3w3_oc17k3p1 conv2d:n3c20h6w6_oc20k1; do
        "$1" --data-races --log "$log.tiles" "$2" --backend opencl:oclgrind --case "$case" || status=$?
        cat "$log.tiles" >>"$log"
        rm -f "$log.tiles"
    done
fi
if [ -s "$log" ]; then
    echo "oclgrind reports:"
    head -n 60 "$log"
    exit 1
fi
exit $status
