#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# A net in a line, and in a file, from training to prediction; what is wrong with it is pointed at.
# usage: netdef.sh PROGRAM WORK_ROOT SELECTION
LINNET=$1
WORK_ROOT=$2
LINNET_BACKEND=$3
export LINNET_BACKEND
. "$(dirname "$0")/lib.sh"
need_device "$LINNET_BACKEND"
LINNET_FALLBACK=error
export LINNET_FALLBACK
tiny="--limit 64 --test-limit 20 --epochs 1"
line="conv 4 k3 p1; bn; relu; maxpool 2; residual 6 s2; globalpool; linear 10"

# ---- In a line ----
# shellcheck disable=SC2086 # tiny is a list
must train " conv 4 k3 p1;bn;relu;maxpool 2;  residual 6 s2; globalpool;linear 10" $tiny --json -o "$WORK/line"
[ "$(field net)" = "$line" ] || fail "trained '$(field net)'"
[ "$(field fallbacks)" = 0 ] || fail "$(field fallbacks) nodes ran elsewhere"
accuracy=$(field test_accuracy)
weights=$WORK/line/conv-4-k3-p1-bn-relu-maxpool-2-residual-6-s2-gl.safetensors
[ -f "$weights" ] || fail "no $weights"
must eval "$weights" --limit 20 --json
[ "$(field test_accuracy)" = "$accuracy" ] || fail "eval says $(field test_accuracy), training said $accuracy"
must predict "$weights" --index 0-3 --json
must train --resume "$WORK/line" "conv 4 k3 p1; bn; relu; maxpool 2;residual 6 s2; globalpool; linear 10" --json
must summary "$weights" --json
[ "$(field name)" = "$line" ] || fail "summary says '$(field name)'"
must plan "$line" --batch 2
must bench "$line" --batch 2 --repeat 1 --train --json

# ---- In a file ----
printf '# a small net\ninput 1x28x28\nconv 4 k5   # looks\nrelu\nmaxpool 4\nlinear 10\n' >"$WORK/small.net"
# shellcheck disable=SC2086
must train "$WORK/small.net" $tiny --json -o "$WORK/file.safetensors"
[ "$(field net)" = "input 1x28x28; conv 4 k5; relu; maxpool 4; linear 10" ] || fail "trained '$(field net)'"
must eval "$WORK/file.safetensors" --limit 20 --json
must summary "$WORK/small.net" --json
# Blanks in a path do not make it a net.
mkdir "$WORK/two words"
cp "$WORK/small.net" "$WORK/file.safetensors" "$WORK/two words"
must summary "$WORK/two words/small.net"
must summary "$WORK/two words/file.safetensors"
must eval "$WORK/two words/file.safetensors" --limit 20 --json
refuses 3 "No such file" summary "$WORK/two words/nothing.safetensors"

# ---- Wrong ----
# points CODE LINE COLUMN TEXT ARGUMENT...: exit code, first line of the message, and a caret under the column.
points() {
    wanted=$1
    column=$2
    text=$3
    shift 3
    run "$@"
    [ "$code" -eq "$wanted" ] || fail "exit code $code instead of $wanted: linnet $*"
    [ ! -s "$WORK/out" ] || fail "something on stdout: linnet $*"
    head -n 1 "$WORK/err" | grep -qF -- "$text" || fail "no '$text' in what it says: linnet $*"
    tail -n 1 "$WORK/err" | grep -qx " \{$((column + 1))\}^" || fail "no caret in column $column: linnet $*"
}
points 2 9 "linnet: 1:9: 'k' wants a number" train "conv 32 k p1"
points 2 7 "linnet: 1:7: there is no layer 'maxpol'; there are: conv, local" summary "relu; maxpol 2"
points 2 12 "1:12: conv2d 'conv2': kernel 99x99" plan "conv 3 k3; conv 3 k99"
points 2 12 "1:12: the last layer makes 9 scores, but there are 10 classes" train "conv 8 k3; linear 9" --limit 64
printf 'conv 4 k5\n  relux\n' >"$WORK/wrong.net"
points 3 3 "wrong.net:2:3: there is no layer 'relux'" summary "$WORK/wrong.net"
head -c 100 /dev/zero | tr '\0' 'a' >"$WORK/letters"
printf 'conv\0' >"$WORK/bytes"
refuses 3 "holds neither a net" summary "$WORK/bytes"
run summary "$WORK/letters"
[ "$code" -eq 3 ] || fail "exit code $code for letters"
refuses 2 "is no network" train "$weights"
