#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# What goes wrong outside gives one clear sentence, the right exit code, and nothing is written over.
# usage: errors.sh PROGRAM WORK_ROOT
LINNET=$1
WORK_ROOT=$2
. "$(dirname "$0")/lib.sh"
tiny="--limit 64 --test-limit 20 --epochs 1 --backend reference"

# ---- Usage ----
refuses 2 "no command"
refuses 2 "there is no command 'trian'" trian
refuses 2 "unknown option '--frobnicate'" train lenet5 --frobnicate
refuses 2 "unknown option '-z'" devices -z
refuses 2 "needs an argument" train lenet5 --epochs
refuses 2 "takes no argument" train lenet5 --json=yes
refuses 2 "--epochs='two' makes no sense" train lenet5 --epochs two
refuses 2 "--lr='nan' makes no sense" train lenet5 --lr nan
refuses 2 "--optimizer='rmsprop' makes no sense" train lenet5 --optimizer rmsprop
refuses 2 "which network" train
refuses 2 "no network 'lenet6'; there are: lenet5, lenet5_local, mlp" train lenet6
refuses 2 "no network 'lenet6'" summary lenet6
refuses 2 "which network or weight file" eval
refuses 2 "one network at a time" plan lenet5 mlp
large='input 3x8192x8192; conv 8 k3; globalpool; linear 10'
refuses 6 "a batch of 65536: its images have 52776558133248 bytes" plan "$large" -b 65536 --backend reference

# ---- The environment ----
(export LINNET_NUM_THREADS=many; refuses 2 "LINNET_NUM_THREADS='many' makes no sense" devices) || exit 1
(export LINNET_FALLBACK=maybe; refuses 2 "LINNET_FALLBACK='maybe' makes no sense" summary lenet5) || exit 1

# ---- Devices ----
refuses 4 "no backend 'tpu'" train lenet5 --backend tpu
(export LINNET_BACKEND=tpu; refuses 4 "no backend 'tpu'" train lenet5) || exit 1
refuses 4 "has no device '7'" train lenet5 --backend reference:7
refuses 4 "has no device 'abacus'" bench lenet5 --backend reference:abacus
refuses 4 "no backend 'tpu'" selftest --quick --backend tpu

# ---- Data ----
# idx FOLDER TEXT...: a folder whose training images are these bytes and whose other files are in order: two images.
idx() {
    folder=$1
    shift
    mkdir -p "$folder"
    for part in train t10k; do
        { printf '\0\0\010\003\0\0\0\002\0\0\0\034\0\0\0\034' && head -c 1568 /dev/zero; } >"$folder/$part-images-idx3-ubyte"
        printf '\0\0\010\001\0\0\0\002\003\007' >"$folder/$part-labels-idx1-ubyte"
    done
    [ $# -eq 0 ] || "$@" >"$folder/train-images-idx3-ubyte"
}
no_idx() { printf 'this is no IDX file, whatever its name says'; }
short_idx() { printf '\0\0\010\003\0\0\0\002\0\0\0\034\0\0\0\034' && head -c 1000 /dev/zero; }
huge_idx() { printf '\0\0\010\003\377\377\377\377\377\377\377\377\377\377\377\377'; }

idx "$WORK/good"
idx "$WORK/none" no_idx
idx "$WORK/short" short_idx
idx "$WORK/huge" huge_idx
must train lenet5 --data "$WORK/good" --epochs 1 --backend reference
refuses 3 "$WORK/nowhere" train lenet5 --data "$WORK/nowhere"
for folder in none short huge; do
    refuses 3 "train-images-idx3-ubyte" train lenet5 --data "$WORK/$folder" -o "$WORK/never"
    [ ! -e "$WORK/never" ] || fail "an output folder was made for data that is damaged"
done
printf '\0\0\010\001\0\0\0\002\003\014' >"$WORK/good/t10k-labels-idx1-ubyte"
refuses 3 "t10k-labels-idx1-ubyte" train lenet5 --data "$WORK/good"

# ---- Weight files ----
# shellcheck disable=SC2086 # a list
must train lenet5 $tiny -o "$WORK/out.folder"
weights=$WORK/out.folder/lenet5.safetensors
sums() { cksum "$WORK"/out.folder/*; }
before=$(sums)
refuses 3 "$weights" eval "$weights" --model mlp --limit 20 --backend reference
refuses 3 "absent.safetensors" eval "$WORK/absent.safetensors"
head -c 5000 "$weights" >"$WORK/cut.safetensors"
refuses 3 "cut.safetensors" eval "$WORK/cut.safetensors"
no_idx >"$WORK/text.safetensors"
refuses 3 "text.safetensors" predict "$WORK/text.safetensors" --index 0
refuses 3 "text.safetensors" summary "$WORK/text.safetensors"
refuses 3 "is no checkpoint" train --resume "$weights"
refuses 3 "checkpoint.safetensors" train --resume "$WORK"

refuses 2 "$weights is a weight file itself" features "$weights" --weights "$WORK/cut.safetensors" --index 0 --json
refuses 2 "$weights is a weight file itself" eval "$weights" --weights "$weights"
refuses 2 "$weights is a weight file itself" invert "$weights" "$WORK/any.png" --weights "$weights" -o "$WORK/never.png"

# ---- A network without weights ----
untrained='^linnet: no --weights: lenet5 starts with random weights$'
must predict lenet5 --index 0 --backend reference
[ "$(grep -c "$untrained" "$WORK/err")" -eq 1 ] || fail "random weights are not mentioned once"
must features lenet5 --index 0 --json --backend reference
[ "$(grep -c "$untrained" "$WORK/err")" -eq 1 ] || fail "random weights are not mentioned once"
for silent in "predict lenet5 --quiet" "predict $weights" "predict lenet5 --weights $weights"; do
    # shellcheck disable=SC2086 # a list
    must $silent --index 0 --backend reference
    [ ! -s "$WORK/err" ] || fail "something on stderr: $silent"
done

# ---- The word digits, and a folder called so ----
(
    mkdir "$WORK/here" && cd "$WORK/here" && idx digits || exit 1
    $LINNET eval "$weights" --data digits --json --limit 100 --backend reference >"$WORK/word" || exit 1
    $LINNET eval "$weights" --json --limit 100 --backend reference >"$WORK/without" || exit 1
    $LINNET eval "$weights" --data ./digits --json --backend reference >"$WORK/folder" || exit 1
    grep -q '"images":100,' "$WORK/word" && grep -q '"images":100,' "$WORK/without" || exit 1
    grep -q '"images":2,' "$WORK/folder" || exit 1
    $LINNET predict "$weights" --data digits --index 100 --backend reference >"$WORK/word" || exit 1
    # shellcheck disable=SC2086 # a list
    $LINNET train lenet5 $tiny --data digits | grep -q '^synthetic digits: 64 images' || exit 1
    refuses 3 "not the images" train --resume "$WORK/out.folder" --data digits/ --backend reference
    $LINNET train --resume "$WORK/out.folder" --data digits --backend reference >"$WORK/word"
) || fail "--data digits is not the synthetic digits, or ./digits not a folder"

# ---- Pictures ----
no_idx >"$WORK/text.png"
refuses 3 "text.png" predict "$weights" "$WORK/text.png" --backend reference
refuses 3 "absent.png" predict "$weights" "$WORK/absent.png" --backend reference
refuses 2 "there is no image 10000" predict "$weights" --index 10000 --backend reference
refuses 2 "makes no sense" predict "$weights" --index 3,x --backend reference
refuses 2 "which images" predict "$weights"

# ---- Nothing is written over ----
refuses 4 "no backend 'tpu'" train lenet5 --backend tpu -o "$WORK/out.folder"
refuses 3 "train-images-idx3-ubyte" train lenet5 --data "$WORK/short" -o "$WORK/out.folder"
refuses 2 "--lr differs" train --resume "$WORK/out.folder" --lr 0.3
refuses 2 "not 'mlp'" train mlp --resume "$WORK/out.folder"
idx "$WORK/other"
refuses 3 "not the images" train --resume "$WORK/out.folder" --data "$WORK/other" --backend reference
[ "$(sums)" = "$before" ] || fail "a run that failed has changed the results of the one before it"
: >"$WORK/file"
# shellcheck disable=SC2086 # a list
run train lenet5 $tiny -o "$WORK/file"
[ "$code" -eq 1 ] || fail "exit code $code instead of 1: -o names a file"
echo "every refusal is one sentence"
