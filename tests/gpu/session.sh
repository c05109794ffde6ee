#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Everything that there is to be known of a GPU in so many minutes: finds the machine's OpenCL driver, checks that Linnet
# computes right on it, and measures it beside PyTorch (tests/peers/measure.py gpu). Needs x86-64 Linux, a driver, and a
# Python with PyTorch; no network, nothing installed. Where no build is carried (carry.sh), it needs cmake and a compiler.
# usage: session.sh OUT [--minutes M] [--device SELECTION] [--build BUILD] [--libraries FOLDER] [--driver FOLDER]
#                       [option of measure.py]...
#   OUT          where all of it goes; gpu.md says in short what was found
#   --minutes    of all of it, but for some seconds at the end; default: 10
#   --build      default: build beside tests/, else build/release, made here where it is not there
#   --libraries  what the machine lacks: libraries, or packages unpacked by dpkg -x (OpenCL's loader, CLBlast, ...).
#                Default: libraries beside tests/
#   --driver     the folder of libnvidia-opencl.so.1; default: it is looked for
#   --device     default: opencl:nvidia
set -u
LC_ALL=C
export LC_ALL
usage='usage: session.sh OUT [--minutes M] [--device SELECTION] [--build BUILD] [--libraries FOLDER] [--driver FOLDER] ...'
out=${1:?$usage}
shift
started=$(date +%s)
minutes=10 device=opencl:nvidia build='' libraries='' driver='' others=''
while [ $# -gt 0 ]; do
    case $1 in
    --minutes) minutes=$2 ;;
    --device) device=$2 ;;
    --build) build=$2 ;;
    --libraries) libraries=$2 ;;
    --driver) driver=$2 ;;
    --quick | --untuned)
        others="$others $1"
        shift
        continue
        ;;
    *) others="$others $1 $2" ;;
    esac
    shift 2
done
mkdir -p "$out" && out=$(cd "$out" && pwd) || exit 1
root=$(cd "$(dirname "$0")/../.." && pwd)
work=$(mktemp -d "${TMPDIR:-/tmp}/linnet-session.XXXXXX") || exit 1
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM
log=$out/session.log
: >"$log"

say() {
    echo "$*" | tee -a "$log" >&2
}

# ---- The build ----

[ -n "$build" ] || build=$root/build
[ -x "$build/bin/linnet" ] || [ "$build" != "$root/build" ] || build=$root/build/release
[ -n "$libraries" ] || libraries=$root/libraries

# Unpacked packages may have headers, too.
make_build() {
    say "no build in $build: making one"
    prefix=$libraries/usr
    PKG_CONFIG_PATH=$prefix/lib/x86_64-linux-gnu/pkgconfig${PKG_CONFIG_PATH:+:$PKG_CONFIG_PATH} \
        cmake -S "$root" -B "$build" -DCMAKE_BUILD_TYPE=Release -DCMAKE_PREFIX_PATH="$prefix" >>"$log" 2>&1 &&
        cmake --build "$build" -j "$(nproc)" >>"$log" 2>&1
}
[ -x "$build/bin/linnet" ] || make_build || {
    say "no build, and none could be made: see $log"
    exit 1
}
build=$(cd "$build" && pwd)

# ---- Libraries that the machine lacks ----

mkdir -p "$work/lib" "$work/vendors"
{ ldconfig -p || /sbin/ldconfig -p; } >"$work/known" 2>/dev/null
if [ -d "$libraries" ]; then
    find "$(cd "$libraries" && pwd)" -name 'lib*.so.*' | while read -r file; do
        name=$(basename "$file")
        grep -qF "$name " "$work/known" || ln -sf "$file" "$work/lib/$name"
    done
fi
say "libraries that the machine lacks: $(ls "$work/lib" | tr '\n' ' ')"
LD_LIBRARY_PATH=$build/lib:$work/lib${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}

# ---- The driver ----

usual_places() {
    sed -n 's|.*libnvidia-opencl\.so.* => ||p' "$work/known"
    for folder in /usr/lib/x86_64-linux-gnu /usr/lib64 /usr/lib /usr/local/nvidia/lib64 /usr/local/nvidia/lib /usr/lib/wsl/lib \
        /usr/local/cuda/compat; do
        ls "$folder"/libnvidia-opencl.so.* 2>/dev/null
    done
}
anywhere() {
    timeout 30 find / \( -path /proc -o -path /sys -o -path /dev \) -prune -o -name 'libnvidia-opencl.so.*' -print 2>/dev/null
}
# The first one that is no 32-bit library (ELF's class).
first_driver() {
    while read -r file; do
        if [ "$(od -An -j 4 -N 1 -tu1 "$file" 2>/dev/null | tr -d ' ')" = 2 ]; then
            echo "$file"
            return
        fi
    done
}
case $device in
*nvidia* | *NVIDIA*) nvidia=yes ;;
*) nvidia='' ;;
esac
if [ -n "$nvidia" ] || [ -n "$driver" ]; then
    if [ -n "$driver" ]; then
        found=$(ls "$driver"/libnvidia-opencl.so.* 2>/dev/null | first_driver)
    else
        found=$(usual_places | first_driver)
        [ -n "$found" ] || found=$(anywhere | first_driver)
    fi
    if [ -n "$found" ]; then
        say "driver: $found"
        echo "$found" >"$work/vendors/nvidia.icd"
        OCL_ICD_VENDORS=$work/vendors
        export OCL_ICD_VENDORS
        # The rest of the driver (libcuda, its compilers) lies beside it.
        grep -qF "$(dirname "$found")/" "$work/known" || LD_LIBRARY_PATH=$LD_LIBRARY_PATH:$(dirname "$found")
    else
        say "no libnvidia-opencl.so.1 on this machine: of its driver there are"
        find / \( -path /proc -o -path /sys -o -path /dev \) -prune -o -name 'libnvidia-*.so.*' -print 2>/dev/null |
            head -n 50 | tee -a "$log" >&2
        say "PyTorch is measured alone"
    fi
fi
LINNET_CACHE_DIR=${LINNET_CACHE_DIR:-$work/cache}
export LD_LIBRARY_PATH LINNET_CACHE_DIR
{
    nvidia-smi
    uname -a
} >>"$log" 2>&1
"$build/bin/linnet" devices >>"$log" 2>&1 || say "$("$build/bin/linnet" devices 2>&1 | head -n 3)"

# ---- Measuring ----

python=
for each in ${PEERS_PYTHON:+"$PEERS_PYTHON"} python3 /usr/bin/python3; do
    [ -n "$python" ] || ! "$each" -c 'import importlib.util, sys; sys.exit(not importlib.util.find_spec("torch"))' 2>>"$log" ||
        python=$each
done
minutes=$(awk "BEGIN { print $minutes - ($(date +%s) - $started) / 60 }") # what has been done so far took some, too
if [ -z "$python" ]; then
    say "no Python with PyTorch here: only the self-test"
    timeout "$(awk "BEGIN { print 60 * $minutes }")" "$build/bin/linnet" selftest --backend "$device" \
        --report "$out/gpu-selftest.txt" >>"$log" 2>&1
    exit $?
fi
PEERS_PYTHON=$python
PYTHONDONTWRITEBYTECODE=1
export PEERS_PYTHON PYTHONDONTWRITEBYTECODE
code=0
# shellcheck disable=SC2086 # others is a list
timeout -k 10 "$(awk "BEGIN { print 60 * $minutes + 30 }")" "$python" "$root/tests/peers/measure.py" gpu \
    --build "$build" --out "$out" --device "$device" --minutes "$minutes" $others >>"$log" 2>&1 || code=$?
[ ! -f "$out/gpu.jsonl.part" ] || mv "$out/gpu.jsonl.part" "$out/gpu.jsonl"
"$python" "$root/tests/peers/report.py" --gpu "$out/gpu.jsonl" >"$out/gpu.md" 2>>"$log" || code=1
(cd "$LINNET_CACHE_DIR" 2>/dev/null && tar -czf "$out/gpu-tuning.tar.gz" ./*.txt 2>/dev/null)
say "done ($code): $out/gpu.md"
exit "$code"
