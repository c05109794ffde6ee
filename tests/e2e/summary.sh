#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Receptive fields and the price of connections in `linnet summary`, against numbers worked out by hand.
# usage: summary.sh PROGRAM WORK_ROOT
LINNET=$1
WORK_ROOT=$2
. "$(dirname "$0")/lib.sh"

# has PATTERN: a line on stdout, blanks counting as one.
has() {
    tr -s ' ' <"$WORK/out" | grep -q -- "$1" || fail "no '$1'"
}

must summary lenet5
has '^conv2 conv2d \[N, 16, 10, 10\] 14 2 4.5 2,416 240,000$'
has '^max_pool2d2 max_pool2d \[N, 16, 5, 5\] 16 4 5.5$'
has '^fc1 linear \[N, 120\] 28 13.5 48,120 48,000$'
! grep -q ' $' "$WORK/out" || fail "lines end in blanks"
must summary squeezenet1_1
has '^fire9 concat \[N, 512, 13, 13\] 207 16 15$'
must summary "input 3x?x?; conv 8 k3x5 s2x1; relu; globalpool; linear 5"
has '^conv1 conv2d \[N, 8, ?, ?\] 3x5 2x1 1x2 368$'
has '^linear1 linear \[N, 5\] all 45 40$'
must summary "input 3x?x9; conv 8 k3; globalpool" --json
json_only
grep -q '"layer":"conv1",.*"field_size":\[3,3\],"field_stride":\[1,1\],"field_offset":\[1.0,1.0\]' "$WORK/out" || fail "conv1"
grep -q '"layer":"globalpool1",.*"field_size":\[null,9\],"field_stride":\[0,0\],"field_offset":\[null,4.0\]' "$WORK/out" ||
    fail "globalpool1"

# 28 x 28 pixels to 6 x 28 x 28 units: 784 x 4704 weights + 4704 biases, 25 each + 4704, 6 x 25 + 6.
must summary lenet5 --sharing --json
json_only
head -n 1 "$WORK/out" | grep -q '"connected_parameters":3692640,"connected_multiply_adds":3687936,"local_parameters":122304,"local_multiply_adds":117600,"shared_parameters":156,"shared_multiply_adds":117600}' || fail "conv1"
[ "$(field connected_parameters)" = 5575840 ] || fail "total: $(field connected_parameters)"
[ "$(field shared_parameters)" = 2572 ] || fail "total: $(field shared_parameters)"
cp "$WORK/out" "$WORK/shared"
must summary lenet5_local --sharing --json
cmp -s "$WORK/out" "$WORK/shared" || fail "the same layers without shared weights cost something else"
must summary "conv 4 k3 g1 nb; conv 4 k3 g4 nb" --sharing --json
[ "$(field shared_parameters)" = 72 ] || fail "without bias: $(field shared_parameters)"
# 2^62 connections and more.
must summary "input 1024x2048x2048; conv 1024 k1" --sharing
has '^conv1 1024x2048x2048 1024x2048x2048 18.4 E'
refuses 2 "no convolution" summary mlp --sharing
