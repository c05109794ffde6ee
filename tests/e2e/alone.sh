#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# A backend trains with every other plugin taken away.
# usage: alone.sh PROGRAM WORK_ROOT LIB_DIR SELECTION
LINNET=$1
WORK_ROOT=$2
lib_dir=$3
selection=$4
. "$(dirname "$0")/lib.sh"
need_device "$selection"

plugin=$(cd "$lib_dir/linnet" && ls linnet-"${selection%%:*}"-abi*.so)
mkdir -p "$WORK/lib/linnet"
cp -P "$lib_dir"/liblinnet.so* "$WORK/lib/" && cp "$lib_dir/linnet/$plugin" "$WORK/lib/linnet/" || fail "copying the library"
LD_LIBRARY_PATH=$WORK/lib${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
LINNET_PLUGIN_PATH=$WORK/lib/linnet
LINNET_FALLBACK=error
LINNET_BACKEND=$selection
export LD_LIBRARY_PATH LINNET_PLUGIN_PATH LINNET_FALLBACK LINNET_BACKEND

must devices --json
[ "$(grep -vc "\"backend\":\"${selection%%:*}\"" "$WORK/out")" -eq 0 ] || fail "another backend is still here"
for net in lenet5 mlp; do
    must train $net --limit 320 --test-limit 100 --epochs 1 --json
    [ "$(field backend)" = "${selection%%:*}" ] || fail "$net trained on $(field backend)"
    [ "$(field fallbacks)" = 0 ] || fail "$net: $(field fallbacks) nodes ran elsewhere"
done
case $selection in
reference) ;;
*) refuses 4 "no backend 'reference'" train lenet5 --backend reference ;;
esac
echo "$selection needs nobody else"
