#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# How long until the first step of training, with cold caches and with warm ones. The limits are wide, for busy machines:
# what is measured stands in the output. usage: startup.sh PROGRAM WORK_ROOT FIRST_STEP SELECTION
LINNET=$1
WORK_ROOT=$2
first_step=$3
selection=$4
. "$(dirname "$0")/lib.sh"
need_device "$selection"

LINNET_CACHE_DIR=$WORK/cache
POCL_CACHE_DIR=$WORK/pocl
export LINNET_CACHE_DIR POCL_CACHE_DIR
mkdir "$POCL_CACHE_DIR"

# within WHAT SECONDS
within() {
    "$first_step" "$selection" >"$WORK/out" 2>"$WORK/err" || fail "$1: exit code $?"
    echo "$1: $(cat "$WORK/out")"
    awk -v most="$2" '{ exit !($8 <= most) }' "$WORK/out" || fail "$1: over $2 seconds"
}

within "cold caches" 60
within "warm caches" 5
rm -rf "$POCL_CACHE_DIR"/*
within "our own cache alone" 5
