#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# oclgrind.sh OCLGRIND CONFORMANCE: the small table in a simulator that sees data races and accesses out of bounds.
set -eu
log=$(mktemp)
trap 'rm -f "$log"' EXIT
status=0
"$1" --data-races --log "$log" "$2" --backend opencl:oclgrind --quick || status=$?
if [ -s "$log" ]; then
    echo "oclgrind reports:"
    head -n 60 "$log"
    exit 1
fi
exit $status
