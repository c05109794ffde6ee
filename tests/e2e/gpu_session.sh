#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# tests/gpu/session.sh out of a carried folder, with next to nothing in its environment; PoCL passes for the driver.
# usage: gpu_session.sh PROGRAM WORK_ROOT SOURCE_DIR
LINNET=$1
WORK_ROOT=$2
source=$3
. "$(dirname "$0")/lib.sh"
python=
for each in python3 /usr/bin/python3; do
    [ -n "$python" ] || ! "$each" -c 'import torch' 2>/dev/null || python=$each
done
[ -n "$python" ] || skip "no python3 with PyTorch"
pocl=$({ ldconfig -p || /sbin/ldconfig -p; } 2>/dev/null | sed -n 's|.*libpocl\.so[^ ]* .*=> ||p' | head -n 1)
[ -n "$pocl" ] && [ -d "$(dirname "$pocl")/pocl" ] || skip "no PoCL"

# PoCL finds its parts from where it seems to lie.
mkdir -p "$WORK/usr/lib/x"
ln -s "$(dirname "$pocl")/pocl" "$WORK/usr/lib/x/pocl"
ln -s "$pocl" "$WORK/usr/lib/x/libnvidia-opencl.so.1"
ln -s "$(dirname "$pocl")/../../share" "$WORK/usr/share"
sh "$source/tests/gpu/carry.sh" "$(dirname "$(dirname "$LINNET")")" "$WORK/carried" >"$WORK/out" 2>"$WORK/err" ||
    fail "nothing was carried"
[ "$(du -sm "$WORK/carried" | cut -f 1)" -lt 64 ] || fail "more than 64 MiB"
env -i PATH=/usr/bin:/bin PEERS_PYTHON="$python" POCL_CACHE_DIR="$WORK" TMPDIR="$WORK" \
    sh "$WORK/carried/tests/gpu/session.sh" "$WORK/found" --minutes 15 --device opencl:pocl --driver "$WORK/usr/lib/x" \
    --peer-device cpu --quick --only product >"$WORK/out" 2>"$WORK/err" || fail "the session"
for file in gpu.jsonl gpu.md gpu-device.txt session.log; do
    [ -s "$WORK/found/$file" ] || fail "no $file"
done
grep -q 'product.*"linnet".*"median_ms"' "$WORK/found/gpu.jsonl" || fail "nothing was timed"
grep -q '^| product |' "$WORK/found/gpu.md" || fail "no row in the page"
grep -q "$WORK/carried/build/lib/linnet" "$WORK/found/gpu-device.txt" || fail "other plugins than those that were carried"
[ "$(ls "$WORK/found" | wc -l)" -le 8 ] && [ -z "$(find "$WORK/found" -mindepth 1 ! -type f)" ] ||
    fail "more than eight files, or folders: $(ls "$WORK/found")"
[ -z "$(find "$WORK" -maxdepth 1 -name 'linnet-session.*')" ] || fail "it leaves something behind"
echo "carried, started, measured: $(head -n 1 "$WORK/out")"
