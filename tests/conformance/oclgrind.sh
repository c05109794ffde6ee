#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# oclgrind.sh OCLGRIND CONFORMANCE: the small table in a simulator that sees data races and accesses out of bounds, and
# for GPUs' kernels a convolution that is large enough for tiles in local memory.
set -eu
log=$(mktemp)
trap 'rm -f "$log"' EXIT
status=0
"$1" --data-races --log "$log" "$2" --backend opencl:oclgrind --quick || status=$?
if [ "${LINNET_OPENCL_KERNELS:-}" = gpu ]; then
    "$1" --data-races --log "$log.tiles" "$2" --backend opencl:oclgrind --case conv2d:n1c3h4w5_oc17k3p1 || status=$?
    cat "$log.tiles" >>"$log"
    rm -f "$log.tiles"
fi
if [ -s "$log" ]; then
    echo "oclgrind reports:"
    head -n 60 "$log"
    exit 1
fi
exit $status
