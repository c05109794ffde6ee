#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# variants.sh CONFORMANCE SOURCES SELECTION CC [--whole] [--small] [--set SET] [--simulator OCLGRIND]: every row of
# backends/opencl/variants.def is forced, with a cold cache and with a warm one, in cases of its layer (--whole: in all of
# them); and together with what no row is needed for, every kernel of kernels/ has run. For slow devices --small takes a
# few small cases instead, and --set only the rows of cpu or gpu; a simulator sees data races and accesses out of bounds,
# and has no cache.
set -eu
conformance=$1 sources=$2 selection=$3 cc=$4
shift 4
whole='' small='' only='' simulator='' caches='cold warm'
while [ $# -gt 0 ]; do
    case $1 in
    --whole) whole=1 ;;
    --small) small=1 ;;
    --set) only=$2 && shift ;;
    --simulator) simulator=$2 caches=cold && shift ;;
    *) echo "variants.sh: $1?" >&2 && exit 2 ;;
    esac
    shift
done
table=$sources/backends/opencl/variants.def
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export LINNET_VERBOSE=3 LINNET_CHECK=never
status=0
: >"$work/ran"

complain() {
    echo "$*"
    status=1
}

# More than the small table has: whole tiles and their edges, joined rows, groups, few and many channels, several parts.
cases_of() {
    case $1 in
    conv2d) echo conv2d:n2c32h14w14_oc48k3p1 conv2d:n1c3h23w31_oc64k7s2p3 conv2d:n1c20h31w40_oc33k3s2p1 \
        conv2d:n3c24h12w12_oc24k3p1g24 conv2d:n1c16h96w96_oc16k3p1g16 conv2d:n2c64h7w7_oc72k1+relu \
        conv2d:n1c64h9w7_oc64k1 conv2d:n1c72h9w9_oc100k3p1 conv2d:n1c16h20w20_oc80k3d2p2 ;;
    linear) echo linear:n64i400o120 linear:n3i65o130+relu linear:n130i129o257 ;;
    gram) echo gram:n2c20h13w11 ;;
    softmax) echo softmax:n3c257 softmax:n64c10 softmax:n2c21h13w9 ;;
    local_conv2d) echo local_conv2d:n3c4h9w8_oc5k3p1 ;;
    batch_norm) echo batch_norm:n64c6h14w14 batch_norm:n9c35h12w11 batch_norm:n3c33h7w5+add+relu ;;
    "") echo batch_norm:n64c6h14w14 batch_norm:n2c64h9w9 ;;
    esac
}

small_cases_of() {
    case $1 in
    conv2d) echo conv2d:n2c17h5w4_oc17k3p1 conv2d:n1c3h7w6_oc17k3s2p1 conv2d:n1c20h4w5_oc20k3p1g20 conv2d:n1c18h4w5_oc17k1 ;;
    linear) echo linear:n9i20o33 linear:n3i17o5+relu linear:n5i140o9+relu ;;
    gram) echo gram:n2c18h3w5 ;;
    softmax) echo softmax:n3c37 ;;
    local_conv2d) echo local_conv2d:n2c3h5w6_oc4k3p1 ;;
    batch_norm) echo batch_norm:n3c5h4w6 batch_norm:n2c3h7w5+add+relu ;;
    queue) echo queue:memory queue:events ;;
    esac
}

# conform argument...: adds what it says to $work/out; its exit code. A simulator's complaint is a failure.
conform() {
    if [ -z "$simulator" ]; then
        "$conformance" --backend "$selection" "$@" >>"$work/out" 2>&1
        return $?
    fi
    "$simulator" --data-races --log "$work/simulator" "$conformance" --backend "$selection" "$@" >>"$work/out" 2>&1 ||
        return $?
    [ ! -s "$work/simulator" ] || {
        head -n 40 "$work/simulator" >>"$work/out"
        return 1
    }
}

# run LAYER: its cases, in $work/log the kernels that they ran. "": the small table.
run() {
    : >"$work/out"
    if [ -n "$small" ]; then
        for case in $(small_cases_of "$1"); do
            conform --case "$case" || return $?
        done
    elif [ -n "$1" ] && [ -n "$whole" ]; then
        conform --layer "$1" || return $?
    else
        conform --quick ${1:+--layer "$1"} || return $?
        for case in $(cases_of "$1"); do
            conform --case "$case" || return $?
        done
    fi
    sed -n 's/.*opencl: kernel \([a-z0-9_]*\).*/\1/p' "$work/out" | sort -u >"$work/log"
    cat "$work/log" >>"$work/ran"
}

# force NAME LAYER SET KERNEL: on a cold cache, then on a warm one. A device of few registers has a kernel's narrow form,
# unless NAME is about those.
force() {
    narrow='\(_narrow\)\{0,1\}'
    [ "${1#registers=}" = "$1" ] || narrow=''
    export LINNET_OPENCL_VARIANT="$1" LINNET_OPENCL_KERNELS="$3" LINNET_CACHE_DIR="$work/cache"
    rm -rf "$LINNET_CACHE_DIR"
    for cache in $caches; do
        code=0
        run "$2" || code=$?
        if [ $code = 77 ]; then
            tail -n 1 "$work/out"
            exit 77
        fi
        [ $code = 0 ] || {
            complain "$1 (kernels for ${3:-any}, $cache cache) fails:"
            grep -v 'opencl: ' "$work/out" | tail -n 40
        }
        [ -z "$4" ] || grep -qx "$4$narrow" "$work/log" || complain "$1 (kernels for ${3:-any}): $4 did not run"
    done
}

sed -n 's/^LINNET_CL_VARIANT([A-Z0-9_]*, "\([^"]*\)", "\([^"]*\)", "\([^"]*\)", "\([^"]*\)")/\1|\2|\3|\4/p' "$table" >"$work/rows"
[ -s "$work/rows" ] || complain "$table has no rows"
while IFS='|' read -r name layer set kernel; do
    for set in ${set:-cpu gpu}; do
        [ "${only:-$set}" != "$set" ] || force "$name" "$layer" "$set" "$kernel"
    done
done <"$work/rows"
if [ -n "$small" ]; then
    [ $status -ne 0 ] || echo "every row ${only:+for ${only}s }was forced"
    exit $status
fi
for set in cpu gpu; do
    force "" "" $set ""
done

# What makes no sense is said, and leaves no device (77).
refused() {
    code=0
    LINNET_OPENCL_VARIANT=$1 "$conformance" --backend "$selection" --quick --layer gram >"$work/out" 2>&1 || code=$?
    [ $code -eq 77 ] && grep -q "LINNET_OPENCL_VARIANT=$1: ${2:+'$2' }$3" "$work/out" || complain "$1 is not refused"
}
refused conv2d conv2d 'is none'
refused tile=64,tile=65 tile=65 'is none'
refused gemm=pannel gemm=pannel 'is none; it is names with commas between:\( gemm=[a-z]*\)*$' # of its kind alone
refused , '' 'there is no name before a comma; '
refused tile=64, '' 'it ends with a comma; '
refused tile=64,gram=tiled,tile=128 tile=128 'is the second of its kind'

# Every implementation of a layer that has several has a row.
for name in $(sed -n 's/.*linnet_cl_conv2d_way linnet_cl_conv2d_[a-z0-9_]* = {.name = "\([^"]*\)".*/\1/p' "$sources"/backends/opencl/conv2d_*.c); do
    grep -q "^conv2d=$name|" "$work/rows" || complain "$table has no row for conv2d=$name"
done
# Every kernel, with its macros replaced as a driver replaces them.
for file in "$sources"/kernels/*.cl; do
    "$cc" -E -P -x c -I "$sources/kernels" "$file" | tr '\n' ' ' | grep -o '__kernel  *\(__attribute__((.[^;{]*)) *\)\{0,1\}void  *[a-z0-9_]*' |
        sed 's/.* //'
done | sort -u >"$work/kernels"
[ "$(wc -l <"$work/kernels")" -gt 80 ] || complain "only $(wc -l <"$work/kernels") kernels were found in kernels/"
sort -u -o "$work/ran" "$work/ran"
# nchw16c_unpack: backend.h's convert has to offer the way back, which nobody takes with weights.
for kernel in $(comm -23 "$work/kernels" "$work/ran" | grep -vx nchw16c_unpack); do
    complain "kernel $kernel never ran"
done
[ $status -ne 0 ] || echo "$(wc -l <"$work/rows") variants, cold and warm; $(wc -l <"$work/kernels") kernels ran"
exit $status
