#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# A film of the first layer's filters: as many frames as there should be, the same weights as without, and the same film
# when the run was killed and resumed.
# usage: film.sh PROGRAM WORK_ROOT SELECTION STEPS      (at least so many steps, so that it can be caught)
LINNET=$1
WORK_ROOT=$2
LINNET_BACKEND=$3
steps=$4
export LINNET_BACKEND
. "$(dirname "$0")/lib.sh"
need_device "$LINNET_BACKEND"
LINNET_FALLBACK=error
export LINNET_FALLBACK

# frames FOLDER: how many there are.
frames() {
    ls "$1" | grep -c '^frame_[0-9]*\.png$'
}

is_png() {
    [ "$(head -c 8 "$1" | od -An -tx1 | tr -d ' \n')" = 89504e470d0a1a0a ] || fail "$1 is no PNG"
}

# Twenty steps, looked at every five, and a longer film that was there before.
mkdir -p "$WORK/film"
for i in 0 1 2 3 4 5 6; do : >"$WORK/film/frame_000$i.png"; done
settings="--limit 640 --test-limit 40 --epochs 2 --seed 3"
for net in lenet5 mlp lenet5_local; do
    [ "$net" = lenet5 ] || rm -r "$WORK/film"
    # shellcheck disable=SC2086 # a list
    must train $net $settings --film "$WORK/film" --film-every 5 --json -o "$WORK/$net.safetensors"
    [ "$(field frames)" = 5 ] || fail "$net: $(field frames) frames instead of 5"
    [ "$(frames "$WORK/film")" -eq 5 ] || fail "$net: $(frames "$WORK/film") frames in the folder"
    for file in frame_0000.png frame_0004.png film.png; do is_png "$WORK/film/$file"; done
    cmp -s "$WORK/film/frame_0000.png" "$WORK/film/frame_0004.png" && fail "$net: nothing was learned, says the film"
    [ "$(field film)" = "$WORK/film/film.png" ] || fail "$net: the film is said to be $(field film)"
    # shellcheck disable=SC2086 # a list
    must train $net $settings -q -o "$WORK/unseen.safetensors"
    cmp "$WORK/$net.safetensors" "$WORK/unseen.safetensors" || fail "$net: being filmed changed the weights"
done

# Killed and resumed.
settings="--limit $((steps * 4)) --test-limit 40 --batch 8 --epochs 2 --checkpoint-every 7"
# shellcheck disable=SC2086 # a list
must train lenet5 $settings --film "$WORK/whole" -o "$WORK/whole.safetensors"
# shellcheck disable=SC2086 # a list
"$LINNET" train lenet5 $settings --film "$WORK/killed" -o "$WORK/killed.safetensors" >"$WORK/out" 2>"$WORK/err" &
child=$!
tries=0
until [ -s "$WORK/killed.checkpoint.safetensors" ]; do
    kill -0 "$child" 2>/dev/null || fail "it ended before it could be caught"
    tries=$((tries + 1))
    [ "$tries" -lt 6000 ] || fail "no checkpoint"
    sleep 0.01
done
kill -9 "$child" || fail "it ended before it could be killed"
wait "$child" 2>/dev/null
[ ! -e "$WORK/killed.safetensors" ] || fail "it was done before it was killed"
must train --resume "$WORK/killed.checkpoint.safetensors" --film "$WORK/killed"
diff -r "$WORK/whole" "$WORK/killed" || fail "another film came of a run that was killed and resumed"
[ "$(frames "$WORK/whole")" -ge 40 ] || fail "only $(frames "$WORK/whole") frames"

# Several networks: a folder for each.
must train lenet5 mlp --limit 128 --test-limit 20 --epochs 1 -q --film "$WORK/two"
for net in lenet5 mlp; do is_png "$WORK/two/$net/film.png"; done

refuses 2 "a film of 2100 frames is too long" train lenet5 --limit 2100 --test-limit 20 --batch 1 --epochs 1 \
    --film "$WORK/long" --film-every 1
: >"$WORK/file"
refuses 1 "is no folder" train lenet5 --limit 64 --test-limit 20 --epochs 1 --film "$WORK/file"
mkdir "$WORK/other"
cp "$WORK/film/film.safetensors" "$WORK/other"
refuses 3 "no film of this network" train --resume "$WORK/killed.checkpoint.safetensors" --film "$WORK/other"
echo "filmed on $LINNET_BACKEND"
