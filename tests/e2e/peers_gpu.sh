#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# measure.py gpu on a device that is no GPU, beside PyTorch on the processor: everything it does, with tiny sizes; what
# computes wrong gets no time; and it ends when its time is over. Where a python3 here has PyTorch.
# usage: peers_gpu.sh PROGRAM WORK_ROOT SOURCE_DIR SELECTION WRONG_FOLDER
LINNET=$1
WORK_ROOT=$2
peers=$3/tests/peers
device=$4
wrong=$5
. "$(dirname "$0")/lib.sh"
need_device "$device"
PYTHONDONTWRITEBYTECODE=1
export PYTHONDONTWRITEBYTECODE
python=
for each in python3 /usr/bin/python3; do
    [ -n "$python" ] || ! "$each" -c 'import torch' 2>/dev/null || python=$each
done
[ -n "$python" ] || skip "no python3 with PyTorch"
PEERS_PYTHON=$python
export PEERS_PYTHON

# measure FOLDER ARGUMENT...
measure() {
    out=$WORK/$1
    shift
    "$python" "$peers/measure.py" gpu --quick --peer-device cpu --build "$(dirname "$(dirname "$LINNET")")" --out "$out" \
        "$@" >"$WORK/out" 2>"$WORK/err" || fail "measure.py gpu $*"
    [ ! -e "$out/gpu.jsonl.part" ] || fail "an unfinished file is left: measure.py gpu $*"
}

# count TEXT...: lines of the raw results that have every text.
count() {
    cp "$out/gpu.jsonl" "$WORK/lines"
    for text in "$@"; do
        grep -F -- "$text" "$WORK/lines" >"$WORK/fewer"
        mv "$WORK/fewer" "$WORK/lines"
    done
    wc -l <"$WORK/lines"
}

measure right --device "$device" --minutes 15
[ "$(count '"bench":"check"' '"right":true')" -eq 5 ] || fail "not five checks that went well"
[ "$(count '"error"')" -eq 0 ] || fail "something failed"
[ "$(count '"bench":"failed"')" -eq 0 ] || fail "a step failed"
for engine in linnet torch-nchw torch-nhwc; do
    [ "$(count '"bench":"layer"' '"convolution"' "\"$engine\"" '"median_ms"')" -eq 3 ] || fail "no times of $engine"
done
for mode in train infer style; do
    for engine in linnet torch-nchw torch-nchw-resident; do
        [ "$(count '"bench":"network"' "\"mode\":\"$mode\"" "\"$engine\"" '"median_ms"')" -eq 1 ] ||
            fail "no time of $engine, $mode"
    done
done
[ "$(count '"bench":"tune"' '"before_ms"')" -eq 1 ] || fail "nothing was tuned"
[ "$(count '"bench":"selftest"' '"complete":true' '"failed":0')" -eq 1 ] || fail "no self-test"
grep -q '^computes right' "$out/gpu-selftest.txt" || fail "the self-test's report"
grep -q '^the device works' "$out/gpu-profiles.txt" || fail "no profile"
[ "$(count '"bench":"device"' "\"backend\":\"${device%%:*}\"")" -eq 1 ] || fail "another device, or none"
[ -s "$out/gpu-device.txt" ] || fail "nothing about the device"
"$python" "$peers/report.py" --gpu "$out/gpu.jsonl" >"$WORK/page" || fail "no page"
for row in '| lenet5, training | 8 |' '| lenet5, inference | 8 |' '| VGG-19 style, 64 x 64 | 1 |' '| convolution |'; do
    grep -qF -- "$row" "$WORK/page" || fail "no row '$row' in the page"
done

measure late --device "$device" --minutes 0
[ "$(count '"bench":"left out"')" -ge 5 ] || fail "without time, nothing was left out"
[ "$(count '"median_ms"')" -eq 0 ] || fail "without time, something was measured"

LINNET_PLUGIN_PATH=$wrong${LINNET_PLUGIN_PATH:+:$LINNET_PLUGIN_PATH}
export LINNET_PLUGIN_PATH
measure wrong --device wrong --minutes 15 --only product
[ "$(count '"bench":"check"' '"what":"product"' '"right":false')" -eq 1 ] || fail "wrong is not seen"
[ "$(count '"median_ms"' '"linnet"')" -eq 0 ] || fail "what is wrong was timed"
"$python" "$peers/report.py" --gpu "$out/gpu.jsonl" | grep -qF 'product: **not what PyTorch computes**' ||
    fail "the page does not say what is wrong"

"$python" - "$peers" <<'END' || fail "the networks for machines without torchvision are not torchvision's"
import sys
sys.path.insert(0, sys.argv[1])
import torch
import torch_networks
try:
    import torchvision.models
except ImportError:
    sys.exit(0)
for name, make in torch_networks.WITHOUT_TORCHVISION.items():
    torch.manual_seed(1)
    own, theirs = make().eval(), getattr(torchvision.models, name)().eval()
    own.load_state_dict(theirs.state_dict())
    image = torch.rand(1, 3, 224, 224)
    with torch.no_grad():
        wanted = theirs(image)
        assert (own(image) - wanted).abs().max() <= 1e-4 * wanted.abs().max(), name
END
echo "measured and compared with $("$python" -c 'import torch; print("PyTorch", torch.__version__)')"
