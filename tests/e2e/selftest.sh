#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# `linnet selftest` passes what computes right and finds what does not: exit code 5, the case named.
# usage: selftest.sh PROGRAM WORK_ROOT WRONG_FOLDER       (where the plugin is whose linear layer is off)
LINNET=$1
WORK_ROOT=$2
wrong=$3
. "$(dirname "$0")/lib.sh"

must selftest --quick --backend cpu
grep -q 'computes right\.$' "$WORK/out" || fail "it does not say so"
must selftest --quick --layer conv2d --backend reference --json
json_only
[ "$(field backend)" = reference ] || fail "it looked at $(field backend)"
[ "$(field passed)" -gt 3 ] || fail "$(field passed) cases of conv2d passed"
[ "$(field failed)" = 0 ] || fail "$(field failed) cases of conv2d failed"

# A report: the device, each case as the program saw it, and nothing of where files are.
must selftest --quick --layer conv2d --backend cpu --report "$WORK/report.txt" --json
json_only
for part in '^linnet selftest report 1$' '^backend: cpu$' '^instruction set: ' '^conv2d:n1c1h1w1_oc1k1  *passed  *[0-9]' \
    '^conv2d  *[0-9][0-9]*  *0  *[0-9]' "^computes right: $(field passed) of "; do
    grep -q "$part" "$WORK/report.txt" || fail "the report has no line $part"
done
[ "$(sed -n 's/^linnet: //p' "$WORK/report.txt")" = "$("$LINNET" --version | sed 's/^linnet //')" ] ||
    fail "the report's version is not the program's"
must --version
grep -qE '^linnet [0-9]+\.[0-9]+\.[0-9]+( \([^ ()]+\))?$' "$WORK/out" || fail "the version"
! grep -q "$HOME/" "$WORK/report.txt" || fail "the report says where files are"
refuses 1 "nowhere/report.txt" selftest --quick --layer conv2d --backend cpu --report "$WORK/nowhere/report.txt"

must selftest --list --layer linear
grep -vq '^linear:' "$WORK/out" && fail "--list --layer linear names other layers"
must selftest --case conv2d:n2c3h7w5_oc4k3s2p1 --backend cpu
refuses 2 "no case of layer 'convolution'" selftest --layer convolution
refuses 2 "--list runs nothing that --report" selftest --list --report "$WORK/never.txt"
[ ! -e "$WORK/never.txt" ] || fail "a report of a list"
refuses 2 "--quick and --case exclude each other" selftest --quick --case conv2d:n2c3h7w5_oc4k3s2p1
refuses 2 "conv2d:nonsense" selftest --case conv2d:nonsense
(export LINNET_REQUIRE=cpu,tpu; refuses 4 "no backend 'tpu'" selftest --quick --backend cpu) || exit 1

# No memory says nothing against a device: skipped, the reason here and in the report, and nothing is claimed.
huge=conv2d:n1000c1000h1000w1000_oc2k3
run selftest --case $huge --backend cpu --report "$WORK/huge.txt"
[ "$code" -eq 6 ] || fail "exit code $code instead of 6 for a case that there is no memory for"
grep -q "^$huge skipped\$" "$WORK/out" || fail "the case is not called skipped"
grep -q '^no memory for it: .*at least [0-9]* bytes' "$WORK/out" || fail "no reason, or no bytes"
grep -q 'was not tested: every case was skipped for want of memory\.$' "$WORK/out" || fail "the verdict"
! grep -q 'compute' "$WORK/out" || fail "something is claimed"
grep -q '^    no memory for it: ' "$WORK/huge.txt" || fail "no reason in the report"
grep -q '^was not tested: 0 of 1 cases passed, 0 failed, 1 skipped' "$WORK/huge.txt" || fail "the report's verdict"

LINNET_PLUGIN_PATH=$wrong${LINNET_PLUGIN_PATH:+:$LINNET_PLUGIN_PATH}
export LINNET_PLUGIN_PATH
run selftest --quick --layer linear --backend wrong
[ "$code" -eq 5 ] || fail "exit code $code instead of 5 for a linear layer that is off"
grep -q '^linear:.* failed' "$WORK/out" || fail "the case that failed is not named"
grep -q 'does NOT compute right' "$WORK/out" || fail "it does not say so"
run selftest --quick --layer linear --backend wrong --report "$WORK/wrong.txt"
grep -q '^does NOT compute right: ' "$WORK/wrong.txt" || fail "the report of what is wrong"
grep -q '^linear:.*  failed ' "$WORK/wrong.txt" || fail "the case that failed is not in the report"
run selftest --quick --layer unary --backend wrong
[ "$code" -eq 0 ] || fail "exit code $code: its relu is right"
echo "right is right, wrong is wrong"
