#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Style transfer and inversion as people use them, on one device, with the same losses as on the reference.
# usage: style.sh PROGRAM WORK_ROOT SELECTION MAKE_PICTURES
LINNET=$1
WORK_ROOT=$2
LINNET_BACKEND=$3
make_pictures=$4
export LINNET_BACKEND
. "$(dirname "$0")/lib.sh"
need_device "$LINNET_BACKEND"
LINNET_FALLBACK=error
export LINNET_FALLBACK

content=$WORK/content.png
style=$WORK/style.png
"$make_pictures" "$content" "$style" || fail "no pictures"

# near A B TOLERANCE: equal but for that part.
near() {
    awk -v a="$1" -v b="$2" -v t="$3" 'BEGIN { d = a - b; if (d < 0) d = -d; exit !(a != "" && b != "" && d <= t * b) }' ||
        fail "$1 is not $2 within $3"
}

# losses: all losses of the last line, one a line.
losses() {
    tail -n 1 "$WORK/out" | tr ',{}' '\n' | sed -n 's/"\(first_loss\|loss\)"://p'
}

# Three steps of Adam: every loss as the reference has it.
steps="--size 48 --iterations 3 --optimizer adam --json -o $WORK/steps.png"
# shellcheck disable=SC2086 # a list
must style "$content" "$style" $steps
json_only
losses >"$WORK/here"
[ "$(field fallbacks)" = 0 ] || fail "$(field fallbacks) nodes ran elsewhere"
# shellcheck disable=SC2086
must style --backend reference "$content" "$style" $steps
losses >"$WORK/there"
[ "$(wc -l <"$WORK/here")" -ge 12 ] || fail "losses are missing"
paste "$WORK/here" "$WORK/there" | while read -r a b; do near "$a" "$b" 1e-3 || exit 1; done || exit 1

# From noise it falls a long way; everything is written; another size of the style does not matter.
must style "$content" "$style" --size 64 --style-size 40 --start noise --iterations 25 --every 10 --json -o "$WORK/out.png"
at_least 1 peak_bytes
at_least 1 session_bytes
awk -v a="$(field first_loss)" -v b="$(field loss)" 'BEGIN { exit !(b * 10 < a) }' ||
    fail "the loss fell from $(field first_loss) to $(field loss) only"
for file in out.png out-0010.png out-0020.png out-loss.svg; do
    [ -s "$WORK/$file" ] || fail "no $file"
done
[ -e "$WORK/out.state" ] && fail "a state was left behind"

# Adam goes on with the same bits.
adam="--size 32 --optimizer adam --noise 0.5"
# shellcheck disable=SC2086
{
    must style "$content" "$style" $adam --iterations 8 -o "$WORK/whole.png"
    must style "$content" "$style" $adam --iterations 3 --state "$WORK/three.state" -o "$WORK/part.png"
}
must style --resume "$WORK/three.state" --iterations 8 -o "$WORK/resumed.png"
cmp -s "$WORK/whole.png" "$WORK/resumed.png" || fail "the resumed picture is another one"
must style --resume "$WORK/three.state" --iterations 5 --json -o "$WORK/resumed.png"
refuses 2 "has 3 iterations behind it" style --resume "$WORK/three.state" --iterations 3
refuses 2 "cannot be changed" style --resume "$WORK/three.state" --size 64

# Interrupted: the picture, a state, 130; then to the end.
"$LINNET" style "$content" "$style" --size 48 --iterations 100000 --optimizer adam --every 1 --json -o "$WORK/stop.png" \
    >"$WORK/out" 2>"$WORK/err" &
pid=$!
tries=0
while ! grep -q '"iteration":3,' "$WORK/out" 2>/dev/null; do
    tries=$((tries + 1))
    [ "$tries" -lt 600 ] || fail "it does not get to the third iteration"
    sleep 0.1
done
kill -INT "$pid"
code=0
wait "$pid" || code=$?
[ "$code" -eq 130 ] || fail "exit code $code instead of 130"
grep -q -- "--resume $WORK/stop.state" "$WORK/err" || fail "it does not say how to go on"
[ -s "$WORK/stop.png" ] && [ -s "$WORK/stop.state" ] || fail "picture or state is missing"
done_so_far=$(sed -n 's/.*after \([0-9]*\) iterations.*/\1/p' "$WORK/err")
must style --resume "$WORK/stop.state" --iterations $((done_so_far + 2)) -o "$WORK/stop.png"

# What it prints is the whole of what has to be typed: iterations and snapshots are as they were, unless others are said.
"$LINNET" style "$content" "$style" --size 32 --iterations 600 --every 300 --optimizer adam --json -o "$WORK/typed.png" \
    >"$WORK/out" 2>"$WORK/err" &
pid=$!
tries=0
while ! grep -q '"event":"start"' "$WORK/out" 2>/dev/null; do
    tries=$((tries + 1))
    [ "$tries" -lt 600 ] || fail "it does not start"
    sleep 0.1
done
kill -INT "$pid"
code=0
wait "$pid" || code=$?
[ "$code" -eq 130 ] || fail "exit code $code instead of 130"
rm -f "$WORK"/typed-*.png
typed=$(sed -n 's/.*go on with: linnet //p' "$WORK/err")
# shellcheck disable=SC2086 # words as typed
must $typed --json
[ "$(field iterations)" = 600 ] || fail "resumed, it went to $(field iterations) iterations instead of 600"
[ -s "$WORK/typed-0600.png" ] || fail "resumed, it wrote no picture every 300 iterations"
# shellcheck disable=SC2086
must $typed --iterations 599 --every 599 --json
[ "$(field iterations)" = 599 ] || fail "resumed, --iterations is not heard"
[ -s "$WORK/typed-0599.png" ] || fail "resumed, --every is not heard"

# Layer by layer, and inversion.
must style "$content" "$style" --content-only --style-only --layers scale1,scale3 --size 32 --iterations 4 -o "$WORK/figure.png"
must style "$style" --style-only --layers scale1 --size 32 --iterations 2 --json -o "$WORK/figure.png"
json_only
must invert textures "$content" --size 48 --layer scale1,scale4 --iterations 10 --json -o "$WORK/invert.png"
json_only
[ "$(grep -c '"event":"layer"' "$WORK/out")" = 2 ] || fail "two layers were asked for"
[ -s "$WORK/invert.png" ] && [ -s "$WORK/invert-loss.svg" ] || fail "figure or curve is missing"
# A network is built as deep as the picture goes.
must invert vgg19 "$content" --size 20 --layer relu1_1 --iterations 1 -o "$WORK/invert.png"
grep -q "no --weights: vgg19 starts with random weights" "$WORK/err" || fail "random weights are not spoken of"
must style "$content" "$style" --model vgg19 --size 20 --layers relu1_1 --content-layers relu1_1 --iterations 1 \
    -o "$WORK/small.png"
refuses 2 "pixels are too few for the rest of vgg19" invert vgg19 "$content" --size 20 --layer relu5_4 \
    -o "$WORK/no.png"
[ -s "$WORK/out" ] && fail "a table beside an error"
must invert lenet5 "$content" --iterations 3 -o "$WORK/invert.png"
grep -q 'no --weights: lenet5 starts with random weights' "$WORK/err" || fail "random weights are not mentioned"

# What cannot be.
echo "no picture" >"$WORK/words.png"
refuses 2 "scale5" style "$content" "$style" --layers relu1_1 -o "$WORK/no.png"
refuses 2 "scale5" invert textures "$content" --layer relu1_1 -o "$WORK/no.png"
refuses 2 "layer 'loss' makes neither" invert lenet5 "$content" --layer loss -o "$WORK/no.png"
refuses 3 "absent.safetensors" invert "$WORK/absent.safetensors" "$content" -o "$WORK/no.png"
refuses 2 "no network 'lenet6'" invert lenet6 "$content" -o "$WORK/no.png"
refuses 1 "absent/no.png: cannot be written" invert lenet5 "$content" -o "$WORK/absent/no.png"
refuses 2 "the weight of 'scale1' is 'x'" style "$content" "$style" --layers scale1:x -o "$WORK/no.png"
refuses 2 "no network 'vgg99'" style "$content" "$style" --model vgg99 -o "$WORK/no.png"
must style "$content" "$style" --model "conv 8 k3 p1; relu; linear 10" --layers relu1 --content-layers relu1 \
    --size 32 --iterations 2 -o "$WORK/line.png"
refuses 2 "which style picture" style "$content"
refuses 2 ".png" style "$content" "$style" -o "$WORK/no.gif"
refuses 2 ".png" style "$content" --content-only -o "$WORK/no.gif"
refuses 2 ".png" invert lenet5 "$content" -o "$WORK/no.gif"
# Before anything is computed, which would never end here.
refuses 1 "absent/no.png: cannot be written" style "$content" "$style" --iterations 1000000 -o "$WORK/absent/no.png"
refuses 1 "absent/no.png: cannot be written" style "$content" --content-only --iterations 1000000 \
    -o "$WORK/absent/no.png"
refuses 1 "absent/s.state: cannot be written" style "$content" "$style" --iterations 1000000 \
    --state "$WORK/absent/s.state" -o "$WORK/no.png"
refuses 3 "words.png" style "$content" "$WORK/words.png" -o "$WORK/no.png"
refuses 3 "absent.safetensors" style "$content" "$style" --weights "$WORK/absent.safetensors" -o "$WORK/no.png"
refuses 3 "words.png" style --resume "$WORK/words.png"
[ -e "$WORK/no.png" ] && fail "something was written"
exit 0
