#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# How long until the first step of training, with cold caches and with warm ones: the seconds stand in the output, and
# warm ones have to be worth it whatever else the machine does. usage: startup.sh PROGRAM WORK_ROOT FIRST_STEP SELECTION
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

# first WHAT: sets $seconds.
first() {
    "$first_step" "$selection" >"$WORK/out" 2>"$WORK/err" || fail "$1: exit code $?"
    echo "$1: $(cat "$WORK/out")"
    seconds=$(awk '/^opened/ { print $9 }' "$WORK/out")
}

# saves WHAT: the last one took at most a third of what it took with cold caches.
saves() {
    awk -v cold="$cold" -v warm="$seconds" 'BEGIN { exit !(3 * warm <= cold) }' || fail "$1: $seconds s, cold ones: $cold s"
}

first "cold caches"
cold=$seconds
first "warm caches"
saves "warm caches"
rm -rf "$POCL_CACHE_DIR"/*
first "our own cache alone"
saves "our own cache alone"
