#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# A driver that crashes, hangs or exits is found out by linnet-probe: the program goes on without OpenCL, names the driver, and
# remembers. usage: bad_drivers.sh PROGRAM WORK_ROOT DRIVERS_FOLDER
LINNET=$1
WORK_ROOT=$2
drivers=$3
. "$(dirname "$0")/../e2e/lib.sh"
need_device opencl:pocl

LINNET_CACHE_DIR=$WORK/cache
OCL_ICD_VENDORS=$WORK/vendors
LINNET_PROBE=3
export LINNET_CACHE_DIR OCL_ICD_VENDORS LINNET_PROBE
mkdir "$WORK/vendors"
cp /etc/OpenCL/vendors/pocl.icd "$WORK/vendors"

must devices
grep -q '^[* ] *opencl:0' "$WORK/out" || fail "no device of the good driver"
[ "$(find "$LINNET_CACHE_DIR" -name 'probe-*.txt' | wc -l)" -eq 1 ] || fail "no verdict is kept"

# bad NAME WORDS: the driver called so does what WORDS say.
bad() {
    printf '%s\n' "$drivers/libbad_$1.so" >"$WORK/vendors/bad.icd"
    for again in 0 1; do
        started=$(date +%s)
        must devices
        ! grep -q opencl "$WORK/out" || fail "$1: devices of a backend that cannot be loaded"
        grep -q '^[* ] *cpu:0' "$WORK/out" || fail "$1: the other devices are gone, too"
        grep -q "its driver bad.icd (.*libbad_$1.so) $2" "$WORK/err" || fail "$1: the driver is not named"
        grep -q "OCL_ICD_VENDORS=$WORK/vendors/pocl.icd" "$WORK/err" || fail "$1: the way around is not named"
        took=$(($(date +%s) - started))
        [ "$again" -eq 0 ] || [ "$took" -lt 3 ] || fail "$1: asked again ($took s)"
    done
    run summary lenet5 --backend opencl
    run selftest --quick --layer unary --backend opencl
    [ "$code" -eq 4 ] || fail "$1: exit code $code instead of 4"
    must doctor
    grep -q "bad.icd .*refused" "$WORK/out" || fail "$1: doctor does not refuse it"
    OCL_ICD_VENDORS=$WORK/vendors/pocl.icd must selftest --quick --layer unary --backend opencl
    rm "$WORK/vendors/bad.icd"
}

bad crash 'crashes (Segmentation fault)'
bad crash_at_once 'crashes (Segmentation fault)'
bad leave 'ends the process that asks it (exit code 3)'
bad hang 'hangs (no answer in 3 seconds)'

# Without the driver all is well again, and none of that was for nothing.
must devices
grep -q '^[* ] *opencl:0' "$WORK/out" || fail "the good driver is still refused"
printf '%s\n' "$drivers/libbad_leave.so" >"$WORK/vendors/bad.icd"
LINNET_PROBE=inline run devices
[ "$code" -eq 3 ] || fail "LINNET_PROBE=inline: exit code $code instead of the driver's 3"

# A verdict of any bytes is none.
rm "$WORK/vendors/bad.icd"
for file in "$LINNET_CACHE_DIR"/probe-*.txt; do printf 'linnet probe 1\nbad' >"$file"; done
must devices
grep -q '^[* ] *opencl:0' "$WORK/out" || fail "a damaged verdict was believed"
LINNET_PROBE=soon
refuses 2 "LINNET_PROBE='soon' makes no sense" devices
echo "a bad driver takes nobody with it"
