#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The table of docs/devices.md is what the reports in docs/devices/ say. usage: check_devices.sh SOURCE_DIR [--print]
# --print: prints the table's rows instead, to be put into the page.
set -u
LC_ALL=C
export LC_ALL
cd "${1:?usage: check_devices.sh SOURCE_DIR [--print]}" || exit 2

# The value of a line "key: value" of a report.
value() {
    sed -n "s/^$1: //p" "$2" | head -n 1 | tr -s ' ' | sed 's/ $//'
}

rows() {
    for report in docs/devices/*.txt; do
        result=$(sed -n '/^\[result\]$/{n;p;}' "$report")
        verdict=${result%%:*}
        cases=$(echo "$result" | sed 's/^[^:]*: \([0-9]* of [0-9]*\) cases.* \([0-9]* skipped\).*/\1, \2/')
        if [ -z "$result" ]; then # its last line is a case that did not end
            verdict='takes the program down'
            cases="in \`$(tail -n 1 "$report" | cut -d ' ' -f 1)\`, $(grep -c ' passed ' "$report") passed before"
        fi
        largest=$(awk '/^\[layers\]/ { on = 1; next } /^\[result\]/ { on = 0 } on && $6 + 0 > worst { worst = $6 + 0; at = $7 }
            END { sub(/,$/, "", at); printf "%.2g (%s)", worst, at }' "$report")
        setting=$(sed -n 's/^setting: \(LINNET_OPENCL_KERNELS=.*\)/, `\1`/p' "$report")
        platform=$(value platform "$report")
        echo "| $(value name "$report")$setting | $(value backend "$report") | ${platform:+$platform, }$(value driver "$report") |" \
            "$(value linnet "$report"), $(value date "$report") | $(value cases "$report" | sed 's/,.*//') | $verdict: $cases |" \
            "\`$largest\` | [${report#docs/devices/}](${report#docs/}) |"
    done
}

if [ "${2:-}" = --print ]; then
    rows
    exit
fi
wanted=$(rows)
[ -n "$wanted" ] || { echo "no reports"; exit 1; }
found=$(sed -n '/^|---/,/^$/p' docs/devices.md | grep '^| ')
[ "$wanted" = "$found" ] && exit 0
echo "docs/devices.md differs from what the reports say; sh tests/check_devices.sh . --print says:"
echo "$wanted"
exit 1
