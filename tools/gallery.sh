#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Makes every picture of docs/lecture.md and puts them into one self-contained HTML page.
set -u
cd "$(dirname "$0")/.." || exit 1
. tools/lib.sh

usage() {
    cat <<'EOT'
usage: tools/gallery.sh [--shared DIR] [--out DIR] [--program FILE] [--quick] [--help]

  --shared DIR    where the inputs are (default: ../shared): images/ (chelsea.png, kitten_224.png,
                  Tuebingen_Neckarfront.jpg, vangogh_starry_night.jpg), models/ (squeezenet1.1/model.safetensors,
                  vgg19_features/model.safetensors), data/mnist/, labels/synset.txt. What is not there is left out, and
                  said; without data/mnist the digits are Linnet's own
  --out DIR       where the pictures and index.html go (default: out/gallery)
  --program FILE  the program (default: build/release/bin/linnet, built when it is not there)
  --quick         small pictures and few iterations, to see whether everything works
  --help          this text

LINNET_BACKEND chooses the device, as always.
EOT
}

shared=../shared
out=out/gallery
program=
quick=
while [ $# -gt 0 ]; do
    case $1 in
    --shared | --out | --program)
        [ $# -ge 2 ] || { usage >&2; exit 2; }
        case $1 in --shared) shared=$2 ;; --out) out=$2 ;; --program) program=$2 ;; esac
        shift
        ;;
    --quick) quick=yes ;;
    --help) usage; exit 0 ;;
    *) usage >&2; exit 2 ;;
    esac
    shift
done

if [ -z "$program" ]; then
    program=build/release/bin/linnet
    [ -x "$program" ] || { cmake --preset release && cmake --build --preset release -j "$(nproc)"; } || exit 1
fi
mkdir -p "$out" || exit 1

photo=$shared/images/chelsea.png
kitten=$shared/images/kitten_224.png
content=$shared/images/Tuebingen_Neckarfront.jpg
painting=$shared/images/vangogh_starry_night.jpg
squeezenet=$shared/models/squeezenet1.1/model.safetensors
vgg=$shared/models/vgg19_features/model.safetensors
labels=$shared/labels/synset.txt
digit=docs/images/digit.png
data=
[ -d "$shared/data/mnist" ] && data="--data $shared/data/mnist"
epochs=2
limit=
style_size=384
style_iterations=300
reconstruction_iterations=200
steps=256
if [ -n "$quick" ]; then
    epochs=1
    limit="--limit 4000"
    style_size=96
    style_iterations=20
    reconstruction_iterations=20
    steps=8
fi

# ---- The page ----

page=$out/index.html
failures=0
left_out=0

begin_page() {
    cat >"$page" <<'EOT'
<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>Linnet: how convolutional networks see</title>
<style>
body { font: 16px/1.5 system-ui, "Noto Sans", "Noto Sans CJK SC", sans-serif; max-width: 62rem; margin: 2rem auto;
  padding: 0 1rem; color: #1d2125; background: #fff; }
h1 { line-height: 1.2; } h2 { margin-top: 3rem; border-top: 1px solid #d5d9dd; padding-top: 1.5rem; }
h2 span, h3 span { color: #5b6670; font-weight: normal; }
pre { background: #f3f5f7; padding: .6rem .8rem; overflow-x: auto; font-size: .85rem; border-radius: .3rem; }
pre.command { white-space: pre-wrap; }
img { max-width: 100%; height: auto; display: block; margin: .8rem 0; image-rendering: auto; }
nav a { margin-right: 1rem; white-space: nowrap; } summary { cursor: pointer; color: #5b6670; }
.left-out { color: #8a5a00; }
</style></head><body>
<h1>How convolutional networks see <span lang="zh">卷积网络如何看见</span></h1>
EOT
    printf '<p>Every picture was made by the command above it, with %s on %s.</p>\n<nav>\n' \
        "$("$program" --version | escape)" "$(device | escape)" >>"$page"
}

# The device that LINNET_BACKEND names, or the one that is best.
device() {
    "$program" devices --json | sed -n 's/.*"backend":"\([^"]*\)".*"name":"\([^"]*\)".*"default":true.*/\1: \2/p' | head -n 1
}

escape() {
    sed 's/&/\&amp;/g; s/</\&lt;/g; s/>/\&gt;/g'
}

# section ID ENGLISH CHINESE
section() {
    say ""
    say "== $2"
    printf '<h2 id="%s">%s <span lang="zh">%s</span></h2>\n' "$1" "$2" "$3" >>"$page"
}

# embed FILE CAPTION: the picture itself, in the page.
embed() {
    case $1 in
    *.svg) type=image/svg+xml ;;
    *.jpg) type=image/jpeg ;;
    *) type=image/png ;;
    esac
    printf '<img alt="%s" src="data:%s;base64,' "$(printf '%s' "$2" | escape | tr '"' "'")" "$type" >>"$page"
    base64 -w 0 "$1" >>"$page"
    printf '">\n' >>"$page"
}

# needs FILE...: is all input there? Else the figure is left out, and that is said.
needs() {
    for input; do
        [ -e "$input" ] && continue
        say "   left out: no $input"
        printf '<p class="left-out">Left out: there is no <code>%s</code>.</p>\n' "$(printf '%s' "$input" | escape)" >>"$page"
        left_out=$((left_out + 1))
        return 1
    done
}

# run COMMAND...: shown, run, its output kept below it.
run() {
    say "   linnet $*"
    shown=
    for word; do
        case $word in *[!A-Za-z0-9_./,:=+-]*) shown="$shown \"$word\"" ;; *) shown="$shown $word" ;; esac
    done
    printf '<pre class="command">linnet%s</pre>\n' "$(printf '%s' "$shown" | escape)" >>"$page"
    if "$program" "$@" >"$out/stdout" 2>"$out/stderr"; then
        [ -s "$out/stdout" ] && {
            printf '<details><summary>what it prints</summary><pre>'
            head -c 20000 "$out/stdout" | escape
            printf '</pre></details>\n'
        } >>"$page"
        return 0
    fi
    failures=$((failures + 1))
    cat "$out/stderr" >&2
    printf '<p class="left-out">Failed: %s</p>\n' "$(escape <"$out/stderr")" >>"$page"
    return 1
}

# figure FILE CAPTION COMMAND...: run, and embed the picture that it writes to FILE in the gallery's folder.
figure() {
    file=$1 caption=$2
    shift 2
    run "$@" && embed "$out/$file" "$caption"
}

# ---- The lecture ----

begin_page
while read -r id name; do
    printf '<a href="#%s">%s</a>\n' "$id" "$name" >>"$page"
done <<'EOT'
networks Networks
convolution Convolution
why Why convolution
pooling Pooling
equivariance Equivariance
field Receptive field
activations Activations
adversarial Adversarial examples
inside Looking inside
inversion Inversion
style Style transfer
EOT
printf '</nav>\n' >>"$page"

section networks "Networks, and LeNet-5" "网络与 LeNet-5"
run summary "conv 32 k3 p1; relu; conv 32 k3 p1; relu; maxpool 2; residual 64 s2; globalpool; linear 10"
# shellcheck disable=SC2086 # lists of options
{
    run train lenet5 $data --epochs $epochs $limit --film "$out/film" -o "$out/lenet5"
    lenet=$out/lenet5/lenet5.safetensors
    embed "$out/lenet5/curve.svg" "Loss and accuracy of LeNet-5"
    figure lenet5.png "Every layer, from the image to the scores" \
        features "$lenet" "$digit" --all -o "$out/lenet5.png"
}

section convolution "Convolution and its filters" "卷积与滤波器"
figure convolution.png "Two filters over a binary picture, step by step" filter --demo convolution -o "$out/convolution.png"
if needs "$photo"; then
    figure template.jpg "Template matching" \
        filter --demo template "$photo" --template 130,75,60,60 -o "$out/template.jpg"
    figure kernels.jpg "One photograph through ten kernels" filter --demo kernels "$photo" -o "$out/kernels.jpg"
    figure edges.jpg "A kernel of one's own" \
        filter "$photo" --kernel "0 1 0; 1 -4 1; 0 1 0" --signed --border reflect -o "$out/edges.jpg"
fi

section why "Why convolution for vision" "为什么用卷积"
run summary lenet5 --sharing
# shellcheck disable=SC2086 # lists of options
if run train mlp lenet5_local lenet5 $data --epochs $epochs $limit -o "$out/compare"; then
    cp "$out/compare/comparison.svg" "$out/compare.svg"
    embed "$out/compare.svg" "Accuracy while learning: mlp, unshared, shared"
fi
[ -f "$out/film/film.png" ] && {
    cp "$out/film/film.png" "$out/film.png"
    embed "$out/film.png" "The first filters of LeNet-5 while they are learned"
}

section pooling "Pooling" "池化"
figure pooling.png "Maximum and average pooling" filter --demo pooling -o "$out/pooling.png"

section equivariance "Equivariance and invariance" "等变性与不变性"
figure equivariance.svg "Error of the shifted maps over the shift" \
    equivariance "$lenet" "$digit" --max-shift 8 -o "$out/equivariance.svg" --picture "$out/equivariance.png"
[ -f "$out/equivariance.png" ] && embed "$out/equivariance.png" "Maps of the digit and of the moved digit"
# shellcheck disable=SC2086 # lists of options
run train "conv 6 k5 p2 s2; relu; conv 16 k5 s2; relu; linear 120; relu; linear 84; relu; linear 10" $data \
    --epochs $epochs $limit -o "$out/strides.safetensors" &&
    figure pooling-shifts.svg "With pooling, and with strides instead" equivariance "$lenet" \
        --compare "$out/strides.safetensors" ${data:---data digits} --max-shift 6 -o "$out/pooling-shifts.svg"

section field "The receptive field" "感受野"
run summary lenet5
if needs "$kitten" "$squeezenet"; then
    figure receptive_field.jpg "The effective receptive field" features squeezenet1_1 "$kitten" --weights "$squeezenet" \
        --receptive-field --layer fire9 -o "$out/receptive_field.jpg"
fi

section activations "Activations" "激活函数"
figure activations.png "Activation functions and their derivatives" filter --demo activations -o "$out/activations.png"

section adversarial "Adversarial examples" "对抗样本"
if needs "$kitten" "$squeezenet" "$labels"; then
    run adversarial squeezenet1_1 "$kitten" --weights "$squeezenet" --labels "$labels" --epsilon 4/255 \
        -o "$out/fooled.png" --sheet "$out/adversarial.jpg" && embed "$out/adversarial.jpg" "Original, change, result"
fi
# shellcheck disable=SC2086 # lists of options
figure robustness.svg "Accuracy against epsilon" adversarial "$lenet" ${data:---data digits} --limit 1000 -o "$out/robustness.svg"

section inside "Looking inside" "网络可视化"
figure filters.png "The first filters of LeNet-5" features "$lenet" --filters -o "$out/filters.png"
# shellcheck disable=SC2086 # lists of options
figure exciting.png "Digits that excite a channel most" \
    features "$lenet" --layer relu2 --exciting 0-5 $data -o "$out/exciting.png"
figure maximised-digits.png "Images made to excite the scores" \
    features "$lenet" --maximise 0-9 --steps $steps -o "$out/maximised-digits.png"
if needs "$kitten" "$squeezenet" "$labels"; then
    look="squeezenet1_1 $kitten --weights $squeezenet --labels $labels"
    # shellcheck disable=SC2086 # lists of options
    {
        figure maps.png "Feature maps of one layer" features $look --layer fire2.squeeze_relu -o "$out/maps.png"
        figure strip.png "Every layer of SqueezeNet" features $look --all -o "$out/strip.png"
        figure saliency.jpg "Saliency" features $look --saliency -o "$out/saliency.jpg"
        figure grad_cam.jpg "Grad-CAM" features $look --grad-cam -o "$out/grad_cam.jpg"
    }
    figure maximised.jpg "Images made for flamingo, ostrich and tabby" features squeezenet1_1 --weights "$squeezenet" \
        --labels "$labels" --maximise 130,9,281 --steps $steps -o "$out/maximised.jpg"
fi

section inversion "Inverting features" "特征反演"
if needs "$photo" "$squeezenet"; then
    figure inverted.jpg "What each layer knows of the photograph" invert squeezenet1_1 "$photo" --weights "$squeezenet" \
        --layer relu1,fire2,fire4,fire6,fire8,fire9 --iterations $reconstruction_iterations -o "$out/inverted.jpg"
fi

section style "Style transfer" "风格迁移"
if needs "$content" "$painting"; then
    figure style-textures.jpg "Without any weights" \
        style "$content" "$painting" --size $style_size --iterations $style_iterations -o "$out/style-textures.jpg"
    if needs "$vgg"; then
        figure style.jpg "With VGG-19" style "$content" "$painting" --model vgg19 --weights "$vgg" --size $style_size \
            --iterations $style_iterations -o "$out/style.jpg"
        figure content-only.jpg "Content, layer by layer" style "$content" "$painting" --model vgg19 --weights "$vgg" \
            --size $((style_size / 2)) --iterations $reconstruction_iterations --content-only -o "$out/content-only.jpg"
        figure style-only.jpg "Style, layer by layer" style "$content" "$painting" --model vgg19 --weights "$vgg" \
            --size $((style_size / 2)) --iterations $reconstruction_iterations --style-only -o "$out/style-only.jpg"
    fi
fi

printf '</body></html>\n' >>"$page"
rm -f "$out/stdout" "$out/stderr"
say ""
say "$page: $failures commands failed, $left_out groups of pictures were left out."
[ "$failures" -eq 0 ]
