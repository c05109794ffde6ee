#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Adversarial examples on a device: the curves, the picture read back in, the reference's numbers, what is refused; and,
# where its weights are, a photograph and SqueezeNet.
# usage: adversarial.sh PROGRAM WORK_ROOT SOURCE_DIR SELECTION
LINNET=$1
WORK_ROOT=$2
source_dir=$3
device=$4
. "$(dirname "$0")/lib.sh"
need_device "$device"
LINNET_FALLBACK=error
export LINNET_FALLBACK

# of FIELD LINE: that member of a line of stdout.
of() {
    sed -n "$2p" "$WORK/out" | sed -n "s/.*\"$1\":\(\"[^\"]*\"\|[^,}]*\).*/\1/p" | tr -d '"'
}
# holds CONDITION TEXT: of numbers, for awk.
holds() {
    awk "BEGIN { exit !($1) }" || fail "$2: $1"
}

must train lenet5 --limit 3000 --test-limit 200 --epochs 1 --backend cpu -o "$WORK/net"
net=$WORK/net/lenet5.safetensors

# A network's name with its weights, or the weights alone: the same.
must eval "$net" --limit 100 --json --backend "$device"
accuracy=$(field test_accuracy)
must eval lenet5 --weights "$net" --limit 100 --json --backend "$device"
[ "$(field test_accuracy)" = "$accuracy" ] || fail "accuracy $(field test_accuracy) by name, $accuracy by file"
refuses 2 "no network 'lenet6'" eval lenet6 --limit 100 --backend "$device"
refuses 3 "absent" eval lenet5 --weights "$WORK/absent.safetensors" --limit 100 --backend "$device"
printf 'nought\none, ace\ntwo\nthree\nfour\nfive\nsix\nseven\neight\nnine\n' >"$WORK/names.txt"

# ---- A data set ----
attack="adversarial $net --data digits --limit 60 --batch 20 --steps 8 --epsilons 0,0.03,0.06,0.1 --json"
# shellcheck disable=SC2086 # a list
must $attack --backend reference
json_only
wanted=$(for line in 1 2 3 4; do echo "$(of fgsm $line)" "$(of pgd $line)"; done | tr '\n' ' ')
# shellcheck disable=SC2086 # a list
must $attack --backend "$device" -o "$WORK/curve.svg" --sheet "$WORK/sheet.png"
json_only
[ "$(field fallbacks)" = 0 ] || fail "$(field fallbacks) nodes ran elsewhere"
# shellcheck disable=SC2086 # numbers
set -- $wanted
before_fgsm=1
before_pgd=1
for line in 1 2 3 4; do
    fgsm=$(of fgsm $line)
    pgd=$(of pgd $line)
    holds "$fgsm - $1 < 0.035 && $1 - $fgsm < 0.035" "FGSM, line $line, is not the reference's"
    holds "$pgd - $2 < 0.035 && $2 - $pgd < 0.035" "PGD, line $line, is not the reference's"
    holds "$pgd <= $fgsm && $fgsm <= $before_fgsm && $pgd <= $before_pgd" "the curves do not fall"
    before_fgsm=$fgsm
    before_pgd=$pgd
    shift 2
done
holds "$pgd < 0.4 && $pgd < $fgsm" "PGD at 0.1 is too weak"
grep -q '</svg>' "$WORK/curve.svg" || fail "no curve"
[ -s "$WORK/sheet.png" ] || fail "no sheet"

# ---- One picture, and back ----
must adversarial "$net" --data digits --index 4 --epsilon 0.2 --method pgd -o "$WORK/digit.png" --sheet "$WORK/one.png" --json --backend "$device"
[ "$(field fooled)" = true ] || fail "the network is not fooled"
holds "$(field largest) <= 0.2 + 1e-6 && $(field largest) > 0.19" "the change"
after=$(field class_after)
must predict "$net" "$WORK/digit.png" --as-is --json --backend "$device"
grep -q "^{\"image\":\"[^\"]*\",\"class\":$after," "$WORK/out" || fail "read back in it is no $after"
must adversarial "$net" "$WORK/digit.png" --epsilon 0.3 --method pgd --target ACE --labels "$WORK/names.txt" --json --backend "$device"
[ "$(field class_before)" = "$after" ] || fail "a picture of the network's size is changed on its way in"
[ "$(field class_after)" = 1 ] || fail "the target is not reached"

# ---- Refused ----
refuses 2 "which network" adversarial
refuses 2 "which picture" adversarial "$net" --epsilon 0.1
refuses 2 "Say --epsilon" adversarial "$net" "$WORK/digit.png"
refuses 2 "--epsilon='0' makes no sense" adversarial "$net" "$WORK/digit.png" --epsilon 0
refuses 2 "--epsilon='4/0' makes no sense" adversarial "$net" "$WORK/digit.png" --epsilon 4/0
refuses 2 "--epsilon='two' makes no sense" adversarial "$net" "$WORK/digit.png" --epsilon two
refuses 2 "makes no sense at '0.1'" adversarial "$net" --data digits --epsilons 0,0.2,0.1
refuses 2 "has to be a PNG" adversarial "$net" "$WORK/digit.png" --epsilon 0.1 -o "$WORK/never.jpg"
refuses 2 "exclude each other" adversarial "$net" "$WORK/digit.png" --data digits --epsilon 0.1
refuses 2 "none of the network's classes: a number from 0 to 9" adversarial "$net" "$WORK/digit.png" --epsilon 0.1 --target ten
refuses 2 "there is no image 10000" adversarial "$net" --data digits --index 10000 --epsilon 0.1
refuses 2 "--target='$after' is what the network sees" adversarial "$net" "$WORK/digit.png" --epsilon 0.1 --target "$after"
refuses 2 "--steps is for --method pgd" adversarial "$net" "$WORK/digit.png" --epsilon 0.1 --steps 5
refuses 2 "--seed is for --method pgd" adversarial "$net" --data digits --method fgsm --seed 5
refuses 2 "--limit is for a whole data set" adversarial "$net" "$WORK/digit.png" --epsilon 0.1 --limit 5
refuses 2 "--as-is is for a picture" adversarial "$net" --data digits --index 1 --epsilon 0.1 --as-is
refuses 3 "absent.png" adversarial "$net" "$WORK/absent.png" --epsilon 0.1
refuses 3 "absent.txt" adversarial "$net" "$WORK/digit.png" --epsilon 0.1 --labels "$WORK/absent.txt"
refuses 3 "curve.svg" adversarial "$net" "$WORK/curve.svg" --epsilon 0.1

# ---- A photograph ----
shared=${LINNET_TEST_DATA:-$source_dir/../shared/data}/..
weights=$shared/models/squeezenet1.1/model.safetensors
photo=$shared/images/kitten_224.png
names=$shared/labels/synset.txt
if [ ! -f "$weights" ] || [ ! -f "$photo" ]; then
    echo "adversarial examples on $device; no photograph: there are no weights at $weights"
    exit 0
fi
must adversarial squeezenet1_1 "$photo" --weights "$weights" --labels "$names" --epsilon 4/255 -o "$WORK/kitten.png" --json --backend "$device"
[ "$(field fooled)" = true ] || fail "SqueezeNet is not fooled by 4/255"
[ "$(field class_before)" = 281 ] || fail "the kitten is no tabby"
# PyTorch 1.13 with the same weights says: tabby 0.7596; after the same step (in floats) weasel, 356, 0.8064.
holds "$(field probability_before) > 0.7586 && $(field probability_before) < 0.7606" "probability of tabby"
[ "$(field class_after)" = 356 ] || fail "the kitten is no weasel"
holds "$(field probability_after) > 0.80 && $(field probability_after) < 0.813" "probability of weasel"
holds "$(field largest) <= 4 / 255 + 1e-6" "the change"
must predict squeezenet1_1 "$WORK/kitten.png" --weights "$weights" --labels "$names" --json --backend "$device"
grep -q '^{"image":"[^"]*","class":356,"name":"weasel"' "$WORK/out" || fail "read back in, the kitten is no weasel"
echo "adversarial examples on $device"
