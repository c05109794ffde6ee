#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Built OpenCL programs are kept, used again, and built anew whenever a byte of what was kept is wrong: no damage reaches
# the driver, which may crash on it.
# usage: opencl_cache.sh PROGRAM WORK_ROOT SELECTION
LINNET=$1
WORK_ROOT=$2
selection=$3
. "$(dirname "$0")/lib.sh"
need_device "$selection"

LINNET_CACHE_DIR=$WORK/cache
LINNET_VERBOSE=3
export LINNET_CACHE_DIR LINNET_VERBOSE

# one_layer: a layer of one program of its own, compared with the reference.
one_layer() {
    must selftest --backend "$selection" --case log_softmax:n5c7
}

# refused HOW: the file, damaged in a way called HOW, is refused, and a good one lies in its place.
refused() {
    one_layer
    grep -q 'opencl-.* is ignored: it is damaged' "$WORK/err" || fail "$1: nothing said about the damage"
    one_layer
    ! grep -q 'is damaged\|opencl: built' "$WORK/err" || fail "$1: not built anew and kept"
    cp "$kept" "$WORK/good"
}

# Another layer, and whatever the comparison itself runs on the device (conversions of formats).
must selftest --backend "$selection" --case softmax:n2c3h4w5
others=$(find "$LINNET_CACHE_DIR" -name 'opencl-*.bin')
one_layer
grep -q 'opencl: built log_softmax.cl' "$WORK/err" || fail "the first run does not say that it builds"
kept=$(find "$LINNET_CACHE_DIR" -name 'opencl-*.bin' | grep -v -F "$others")
[ "$(printf '%s\n' "$kept" | grep -c .)" -eq 1 ] || fail "not one program in the cache: $kept"
cp "$kept" "$WORK/good"
one_layer
! grep -q 'opencl: built' "$WORK/err" || fail "built again with a program in the cache"

# In turn: the magic, the key, the hash, the length, the binary's first, last and some bytes between them.
size=$(wc -c <"$WORK/good")
positions="0 9 45 73 80 $((size - 1))"
for i in $(seq 1 24); do
    positions="$positions $((80 + (size - 80) * i / 25))"
done
for position in $positions; do
    byte=$(od -An -tu1 -j "$position" -N 1 "$WORK/good" | tr -d ' ')
    # shellcheck disable=SC2059 # the format is the byte
    printf "\\$(printf '%03o' $((byte ^ 64)))" | dd of="$kept" bs=1 seek="$position" conv=notrunc 2>/dev/null
    cmp -s "$kept" "$WORK/good" && fail "byte $position was not changed"
    refused "byte $position changed"
done
for length in 0 1 79 80 81 $((size / 2)) $((size - 1)); do
    head -c "$length" "$WORK/good" >"$kept"
    refused "cut to $length bytes"
done
{ cat "$WORK/good" && printf x; } >"$kept"
refused "a byte too many"

# Of another program, whole and well, under this one's name.
for other in "$LINNET_CACHE_DIR"/opencl-*.bin; do
    [ "$other" = "$kept" ] || cp "$other" "$kept"
done
refused "another program's"

# No folder to write in, one that is read-only, and no room: nothing is kept, everything works.
LINNET_CACHE_DIR=$WORK/out/none one_layer
grep 'not kept for the next time' "$WORK/err" | grep -c "$WORK/out/none: cannot be made: Not a directory" | grep -qx 1 ||
    fail "a folder that cannot be made is not said once"
mkdir "$WORK/mounted"
# mounted WHAT OPTIONS: the same on a file system of its own, of those options.
mounted() {
    in_mounted='mount -t tmpfs -o "$1" tmpfs "$2" && shift 2 && exec "$@"'
    if ! unshare -rm sh -c "$in_mounted" mounted "$2" "$WORK/mounted" true 2>/dev/null; then
        echo "(not tried, this user may not mount: $1)"
        return
    fi
    LINNET_CACHE_DIR=$WORK/mounted unshare -rm sh -c "$in_mounted" mounted "$2" "$WORK/mounted" "$LINNET" selftest \
        --backend "$selection" --case log_softmax:n5c7 >"$WORK/out" 2>"$WORK/err" || fail "$1: exit code $?"
    [ "$(grep -c 'not kept for the next time: /.*: cannot be written: ' "$WORK/err")" -eq 1 ] || fail "$1: not said once"
}
mounted "a read-only folder" ro
mounted "a full disk" size=8k

# Variables that are set but empty count as unset.
LINNET_OPENCL_KERNELS='' LINNET_OPENCL_QUIRKS='' LINNET_OPENCL_VARIANT='' LINNET_OPENCL_PARAMETERS='' LINNET_CACHE_MIB='' one_layer

# Several at once on a cold cache.
LINNET_CACHE_DIR=$WORK/shared
processes=
for i in 1 2 3 4; do
    "$LINNET" selftest --quick --layer log_softmax --backend "$selection" >"$WORK/out$i" 2>"$WORK/err$i" &
    processes="$processes $!"
done
for process in $processes; do
    wait "$process" || fail "one of several at once: exit code $?"
done
[ -z "$(find "$LINNET_CACHE_DIR" -name 'opencl-*.bin.*')" ] || fail "temporaries are left"
one_layer
! grep -q 'is damaged\|opencl: built' "$WORK/err" || fail "what several made at once is not used"

# Training gives the same bits with cold caches, in two processes at once, with warm ones and without any.
# train NAME: the weights into the file of that name.
train() {
    "$LINNET" train "conv 4 k3; relu; maxpool 2; linear 10" --limit 256 --test-limit 32 --epochs 1 -q \
        --backend "$selection" -o "$WORK/$1.safetensors" >"$WORK/out$1" 2>"$WORK/err$1"
}
LINNET_CACHE_DIR=$WORK/bits
POCL_CACHE_DIR=$WORK/bits-pocl
export POCL_CACHE_DIR
mkdir "$POCL_CACHE_DIR"
train cold1 &
process=$!
train cold2 || fail "cold caches, exit code $?"
wait "$process" || fail "cold caches, the other process: exit code $?"
train warm || fail "warm caches: exit code $?"
LINNET_CACHE_DIR=$WORK/out/none train none || fail "no cache: exit code $?"
for name in cold2 warm none; do
    cmp "$WORK/cold1.safetensors" "$WORK/$name.safetensors" || fail "other bits: $name"
done

# The least that was used goes.
LINNET_CACHE_DIR=$WORK/shared
LINNET_CACHE_MIB=0 must selftest --backend "$selection" --case softmax:n2c3h4w5
[ -z "$(find "$LINNET_CACHE_DIR" -name 'opencl-*.bin')" ] || fail "LINNET_CACHE_MIB=0 keeps programs"
echo "$selection rebuilds what is damaged"
