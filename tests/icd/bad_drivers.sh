#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# A driver that crashes, hangs or exits is found out by linnet-probe: the program goes on without OpenCL, names the driver, and
# remembers. usage: bad_drivers.sh PROGRAM WORK_ROOT DRIVERS_FOLDER LIB_DIR
LINNET=$1
WORK_ROOT=$2
drivers=$3
lib_dir=$4
. "$(dirname "$0")/../e2e/lib.sh"
need_device opencl:pocl

LINNET_CACHE_DIR=$WORK/cache
OCL_ICD_VENDORS=$WORK/vendors
LINNET_PROBE=3
export LINNET_CACHE_DIR OCL_ICD_VENDORS LINNET_PROBE
mkdir "$WORK/vendors"
cp /etc/OpenCL/vendors/pocl.icd "$WORK/vendors"
# What leads to no device is not advised: a driver that is not installed, a folder with a driver in it.
echo libnot_installed.so >"$WORK/vendors/absent.icd"
mkdir "$WORK/vendors/folder.icd"
cp /etc/OpenCL/vendors/pocl.icd "$WORK/vendors/folder.icd"

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
        grep -q "; without it: OCL_ICD_VENDORS=$WORK/vendors/pocl.icd;" "$WORK/err" || fail "$1: the way around is not named"
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

# Two good ones: both are named, and a folder with links to them has the devices of both.
printf '%s\n' "$drivers/libbad_leave.so" >"$WORK/vendors/bad.icd"
cp /etc/OpenCL/vendors/pocl.icd "$WORK/vendors/second.icd"
must devices
said="; without it: OCL_ICD_VENDORS=$WORK/vendors/pocl.icd, or for more a folder with links to that and $WORK/vendors/second.icd;"
grep -qF "$said" "$WORK/err" || fail "not both of the good drivers are named"
mkdir "$WORK/links"
ln -s "$WORK/vendors/pocl.icd" "$WORK/vendors/second.icd" "$WORK/links"
OCL_ICD_VENDORS=$WORK/links must devices
grep -q '^[* ] *opencl:0' "$WORK/out" || fail "a folder with links has no device"
rm "$WORK/vendors/second.icd" "$WORK/vendors/bad.icd"

# Without the driver all is well again, and none of that was for nothing.
must devices
grep -q '^[* ] *opencl:0' "$WORK/out" || fail "the good driver is still refused"
printf '%s\n' "$drivers/libbad_leave.so" >"$WORK/vendors/bad.icd"
LINNET_PROBE=inline run devices
[ "$code" -eq 3 ] || fail "LINNET_PROBE=inline: exit code $code instead of the driver's 3"

# Without linnet-probe the drivers are asked in the process itself, which is said unless that was asked for.
rm "$WORK/vendors/bad.icd"
must doctor
grep -q '^ *linnet-probe  *ok  */' "$WORK/out" || fail "doctor does not show linnet-probe"
cp -rP "$lib_dir" "$WORK/lib" || fail "copying the library"
usual_plugins=${LINNET_PLUGIN_PATH:-}
LD_LIBRARY_PATH=$WORK/lib
LINNET_PLUGIN_PATH=$WORK/lib/linnet
export LD_LIBRARY_PATH LINNET_PLUGIN_PATH
must devices
[ "$(grep -c 'there is no linnet-probe here' "$WORK/err")" -eq 1 ] || fail "a missing linnet-probe is not said once"
LINNET_PROBE=inline must devices
! grep -q 'linnet-probe' "$WORK/err" || fail "what was asked for is warned of"
must doctor
grep -q "^ *linnet-probe  *missing  *$WORK/libexec/linnet/linnet-probe, " "$WORK/out" ||
    fail "doctor does not say where linnet-probe is missing"
unset LD_LIBRARY_PATH
LINNET_PLUGIN_PATH=$usual_plugins

# A verdict of any bytes is none.
for file in "$LINNET_CACHE_DIR"/probe-*.txt; do printf 'linnet probe 1\nbad' >"$file"; done
must devices
grep -q '^[* ] *opencl:0' "$WORK/out" || fail "a damaged verdict was believed"
[ "$(grep -c 'probe-.* is ignored: it is damaged' "$WORK/err")" -eq 1 ] || fail "a damaged verdict is not said once"
must devices
! grep -q 'is ignored' "$WORK/err" || fail "a damaged verdict is not made anew"
LINNET_PROBE=soon
refuses 2 "LINNET_PROBE='soon' makes no sense" devices
echo "a bad driver takes nobody with it"
