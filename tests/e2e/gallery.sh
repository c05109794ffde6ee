#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Every command of the lecture's gallery works, and its page holds the pictures itself.
# usage: gallery.sh PROGRAM WORK_ROOT SOURCE_DIR SELECTION
LINNET=$1
WORK_ROOT=$2
source_dir=$3
LINNET_BACKEND=$4
LINNET_FALLBACK=error
export LINNET_BACKEND LINNET_FALLBACK
. "$(dirname "$0")/lib.sh"
need_device "$LINNET_BACKEND"

"$source_dir/tools/gallery.sh" --quick --program "$LINNET" --out "$WORK/gallery" >"$WORK/out" 2>"$WORK/err" ||
    fail "$(tail -n 3 "$WORK/out"; cat "$WORK/err")"
tail -n 1 "$WORK/out"
page=$WORK/gallery/index.html
[ "$(grep -c 'src="data:image/' "$page")" -ge 9 ] || fail "the page has $(grep -c 'src="data:image/' "$page") pictures"
! grep -q 'src="[^d]' "$page" || fail "the page points elsewhere"
