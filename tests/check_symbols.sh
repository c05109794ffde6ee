#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# What the shared objects export and need. usage: check_symbols.sh BUILD_DIR
set -u
LC_ALL=C
export LC_ALL
library=${1:?usage: check_symbols.sh BUILD_DIR}/lib/liblinnet.so
failures=0

complain() {
    if [ -n "$2" ]; then
        printf '%s:\n%s\n' "$1" "$2"
        failures=$((failures + 1))
    fi
}

needed() {
    readelf -d "$1" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p'
}

if [ ! -f "$library" ]; then
    echo "$library does not exist"
    exit 1
fi
soname=$(readelf -d "$library" | sed -n 's/.*(SONAME).*\[\(.*\)\]/\1/p')
[ "$soname" = liblinnet.so.0 ] || complain "SONAME of $library" "${soname:-none}"
complain "$library exports more than the public interface" \
    "$(nm -D --defined-only "$library" | awk '{ print $3 }' | grep -vE '^(linnet_[a-z0-9_]+@@LINNET_0|LINNET_0(@.*)?)$' |
        grep -vE '^_?_(asan|ubsan|tsan|sancov|odr_asan)')"
complain "$library needs a driver's library" "$(needed "$library" | grep -iE 'opencl|clblast')"

for plugin in "$1"/lib/linnet/*.so; do
    [ -f "$plugin" ] || continue
    exported=$(nm -D --defined-only "$plugin" | awk '{ print $3 }' | grep -vE '^_?_(asan|ubsan|tsan|sancov|odr_asan)')
    [ "$exported" = linnet_backend_query ] || complain "$plugin exports" "${exported:-nothing}"
    complain "$plugin needs symbols of Linnet" "$(nm -D --undefined-only "$plugin" | grep -w 'linnet_.*')"
    complain "$plugin needs the library" "$(needed "$plugin" | grep linnet)"
    case $plugin in
    *linnet-opencl-*) ;;
    *) complain "$plugin needs a driver's library" "$(needed "$plugin" | grep -iE 'opencl|clblast')" ;;
    esac
done
[ "$failures" -eq 0 ] || exit 1
echo "only what should be seen is seen"
