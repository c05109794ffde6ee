#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# A plugin taken away or replaced with garbage changes one line of `linnet doctor` and nothing else.
# usage: doctor.sh PROGRAM WORK_ROOT LIB_DIR
LINNET=$1
WORK_ROOT=$2
lib_dir=$3
. "$(dirname "$0")/lib.sh"

# A cache of its own: other tests fill the common one meanwhile.
LINNET_CACHE_DIR=$WORK/cache
export LINNET_CACHE_DIR

# A copy of the library finds the plugins beside itself.
mkdir "$WORK/lib"
cp -P "$lib_dir"/liblinnet.so* "$WORK/lib/" && cp -r "$lib_dir/linnet" "$WORK/lib/linnet" || fail "copying the library"
LD_LIBRARY_PATH=$WORK/lib${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
LINNET_PLUGIN_PATH=$WORK/lib/linnet
export LD_LIBRARY_PATH LINNET_PLUGIN_PATH

report() {
    run doctor
    [ "$code" -eq 0 ] || [ "$code" -eq 4 ] || fail "exit code $code: linnet doctor"
    cp "$WORK/out" "$1"
}

# one_line WHAT FILE: the report differs from the first one in the line of that file alone.
one_line() {
    report "$WORK/after"
    changed=$(diff "$WORK/before" "$WORK/after" | grep -c '^<')
    added=$(diff "$WORK/before" "$WORK/after" | grep -c '^>')
    [ "$changed" -eq 1 ] && [ "$added" -le 1 ] || {
        diff "$WORK/before" "$WORK/after"
        fail "$2 $1: $changed lines changed, $added came"
    }
    diff "$WORK/before" "$WORK/after" | grep '^<' | grep -qF "$2" || fail "another line than that of $2 changed"
}

report "$WORK/before"
for plugin in "$WORK"/lib/linnet/linnet-*.so; do
    name=$(basename "$plugin")
    grep -qF "$name" "$WORK/before" || fail "no line for $name"
    mv "$plugin" "$WORK/aside"
    one_line "taken away" "$name"
    echo "garbage, and more of it" >"$plugin"
    one_line "replaced with garbage" "$name"
    grep -qE "^ +$name +refused +[^ ]" "$WORK/after" || fail "$name is garbage and not refused with a reason"
    head -c 3000 "$WORK/aside" >"$plugin"
    one_line "cut short" "$name"
    mv "$WORK/aside" "$plugin"
done
report "$WORK/after"
cmp "$WORK/before" "$WORK/after" || fail "the report does not come back"

# One file is one file.
mkdir "$WORK/cache"
printf 'x' >"$WORK/cache/a"
LINNET_CACHE_DIR=$WORK/cache must doctor
grep -q ' 1 file, 1 ' "$WORK/out" || fail "the cache of one file"

# A variable that nobody reads.
LINNET_OPENCL_KERNEL=gpu LINNET_VERBOS=2 LINNET_CHECK='' "$LINNET" doctor >"$WORK/out" 2>"$WORK/err"
grep -q '^ *LINNET_OPENCL_KERNEL  *unknown  *.* LINNET_OPENCL_KERNELS$' "$WORK/out" || fail "a misspelt variable"
grep -q '^ *LINNET_VERBOS  *unknown  *.* LINNET_VERBOSE$' "$WORK/out" || fail "another misspelt variable"
[ "$(grep -c ' unknown ' "$WORK/out")" -eq 2 ] || fail "a known variable is called unknown"

# A cache that can never be made, or written to.
LINNET_CACHE_DIR=$WORK/before/cache must doctor
grep -q 'state  *refused  *it cannot be made: Not a directory' "$WORK/out" || fail "a file in the place of a folder"
LINNET_CACHE_DIR=$WORK/before must doctor
grep -q 'state  *refused  *it cannot be written to: Not a directory' "$WORK/out" || fail "a file as the cache"
mkdir -m 0755 "$WORK/theirs"
chmod 0755 "$WORK"
other='setpriv --reuid 65534 --regid 65534 --clear-groups'
# shellcheck disable=SC2086 # other is a command and its arguments
if $other "$LINNET" --version >/dev/null 2>&1; then
    env -u LINNET_CACHE_DIR -u XDG_CACHE_HOME HOME="$WORK/theirs" $other "$LINNET" doctor >"$WORK/out" 2>"$WORK/err"
    grep -q 'state  *refused  *it cannot be made: Permission denied' "$WORK/out" || fail "a home of somebody else's"
else
    echo "(not tried, this user may not become another: a home of somebody else's)"
fi

# Drivers that load and have no device, and why.
drivers=/etc/OpenCL/vendors
if [ -f $drivers/pocl.icd ]; then
    OCL_ICD_VENDORS=$drivers/pocl.icd must doctor
    grep -q '^ *pocl.icd  *ok  *.*, 1 device$' "$WORK/out" || fail "PoCL's device is not counted"
    OCL_ICD_VENDORS=$drivers/pocl.icd POCL_CACHE_DIR=$WORK/before/kcache run doctor
    said="0 devices: its own cache $WORK/before/kcache cannot be written to: Not a directory (POCL_CACHE_DIR"
    grep '^ *pocl.icd  *idle  ' "$WORK/out" | grep -qF "$said" || fail "PoCL's cache is not said to be in the way"
fi
if [ -f $drivers/rusticl.icd ]; then
    OCL_ICD_VENDORS=$drivers/rusticl.icd RUSTICL_ENABLE=llvmpipe must doctor
    grep -q '^ *rusticl.icd  *ok  *.*, 1 device$' "$WORK/out" || fail "rusticl's device is not counted"
    OCL_ICD_VENDORS=$drivers/rusticl.icd RUSTICL_ENABLE='' must doctor
    grep -q '^ *rusticl.icd  *idle  *.*, 0 devices: .*RUSTICL_ENABLE' "$WORK/out" || fail "RUSTICL_ENABLE is not named"
fi

# No OpenCL driver at all: what to install.
OCL_ICD_VENDORS=/nonexistent
export OCL_ICD_VENDORS
must doctor --json
json_only
grep -q 'pocl-opencl-icd' "$WORK/out" || fail "it does not say what to install"
must train lenet5 --limit 64 --test-limit 20 --epochs 1 -q
echo "one line each"
