#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The rules of the house that grep can see. usage: check_house.sh SOURCE_DIR
set -u
LC_ALL=C
export LC_ALL
cd "${1:?usage: check_house.sh SOURCE_DIR}" || exit 2
failures=0

# complain RULE LINES: one rule, the lines that break it; nothing when there are none.
complain() {
    if [ -n "$2" ]; then
        printf '%s:\n%s\n' "$1" "$2" | sed '2,$s/^/    /'
        failures=$((failures + 1))
    fi
}

# Every file of the tree, without build trees and what git keeps.
tree() {
    find . -type f -not -path './build*' -not -path './.git/*' -not -path './out/*' | sort
}

all=$(tree | grep -E '(\.(c|h|cl|def|inc|cmake|sh|py|map|in|supp)|/CMakeLists\.txt|^\./\.ci/run)$')
library=$(tree | grep -E '^\./(runtime|backends)/.*\.(c|h|inc)$')

complain "the SPDX line is missing (first line, or second behind #!)" "$(
    for file in $all; do
        head -n 2 "$file" | grep -q 'SPDX-License-Identifier: Apache-2.0' || echo "$file"
    done)"

complain "over 700 lines" "$(for file in $all; do
    lines=$(wc -l <"$file")
    [ "$lines" -le 700 ] || echo "$file: $lines"
done)"

# shellcheck disable=SC2086 # all is a list
{
    complain "tabs" "$(grep -ln "$(printf '\t')" $all)"
    complain "trailing blanks or carriage returns" "$(grep -nE '[[:space:]]+$' $all)"
    complain "unfinished work" "$(grep -nE '\b(TODO|FIXME|XXX|HACK)\b|^ *# *if +0\b' $all | grep -v check_house.sh)"
    complain "tuned for the building machine" "$(grep -n 'march=native' $all | grep -v check_house.sh)"
}

# shellcheck disable=SC2086 # library is a list
{
    complain "getenv (linnet_environment or host->option, which know what to trust)" \
        "$(grep -nE '(^|[^_[:alnum:]])getenv *\(' $library)"
    complain "the library prints, aborts or exits" \
        "$(grep -nE '(^|[^_[:alnum:]>.])(printf|puts|putchar|perror|abort|exit|_exit|_Exit|quick_exit) *\(' $library)"
    # What LINNET_VERBOSE shows when nobody took the log.
    complain "writes to stderr or stdout" \
        "$(grep -nE '\b(stderr|stdout)\b' $library | grep -v '^\./runtime/core/context\.c:')"
}

# A head says what its kernel can be tuned by. Not meant: what a layout or a file that only names a size fixes.
complain "a kernel's size is not among the Tunables of its file's head" "$(
    for file in kernels/*; do
        for name in $(sed -nE 's/^ *# *define ([A-Z][A-Z_]+) +[0-9]+ *$/\1/p' "$file" | sort -u); do
            case $name in LANES | IN_LANES | TILE | TILE_COLUMNS | CONSTANT | REPLICATE | REFLECT | NONE) continue ;; esac
            sed -n '/Tunables:/,/\*\//p' "$file" | grep -qw "$name" || echo "$file: $name"
        done
    done)"

# Arrows point one way.
complain "a backend includes more than backend.h, system headers and its own" "$(
    grep -rnE '^ *# *include *"' backends --include='*.[ch]' --include='*.inc' |
        grep -E '"(linnet/|.*runtime/|.*core/|.*tools/)' |
        grep -vE '"linnet/(backend\.h|layers\.h|layers\.def)"')"
complain "one backend includes another's file" "$(
    for backend in backends/*/; do
        for other in backends/*/; do
            [ "$backend" = "$other" ] ||
                grep -rnE "^ *# *include *\".*$(basename "$other")/" "$backend" --include='*.[ch]'
        done
    done)"
complain "the runtime includes a backend's file" "$(
    grep -rnE '^ *# *include *"[^"]*(backends|kernels|reference|opencl|cpu)/' runtime --include='*.[ch]')"
complain "a public header includes an internal one" "$(
    grep -nE '^ *# *include *"' include/linnet/*.h | grep -E '"(\.\.|runtime|core)/')"

# The runtime knows no backend by name. Allowed: verification compares with the backend called reference; the kernel's
# files of control groups begin with cpu.
complain "the runtime names a backend" "$(
    grep -rnEi '"[^"]*\b(opencl|reference|cpu|skeleton)\b[^"]*"' runtime --include='*.[ch]' |
        grep -vE '^runtime/verify/[a-z_]+\.[ch]:.*\breference\b' |
        grep -vE '^runtime/core/processors\.c:' |
        grep -vE ':[0-9]+: *(/\*|\*|# *include)')"

# One row per layer kind, numbers explicit and never reused.
for table in LINNET_LAYER LINNET_UNARY_OP LINNET_BINARY_OP; do
    complain "numbers used twice in $table rows of layers.def" \
        "$(sed -n "s/^$table(\([0-9][0-9]*\),.*/\1/p" include/linnet/layers.def | sort -n | uniq -d)"
done
complain "a layer lacks its file" "$(
    sed -n 's/^LINNET_LAYER([0-9]*, *[A-Z0-9_]*, *\([a-z0-9_]*\),.*/\1/p' include/linnet/layers.def |
        while read -r layer; do
            for file in "runtime/layers/$layer.c" "backends/reference/$layer.c" "tests/cases/$layer.def"; do
                [ -f "$file" ] || echo "$file"
            done
        done)"

# Pages keep up with the code.
complain "a variable is not in docs/environment.md" "$(
    {
        grep -rhoE '"LINNET_[A-Z_]+"' runtime/core runtime/device runtime/graph tools tests/conformance --include='*.[ch]'
        grep -rhoE 'option\("[A-Z_]+"' backends --include='*.[ch]' | sed 's/option(//'
    } | tr -d '"' | sort -u | grep -vE '^LINNET_(DEVICE_ERROR|TEST_|)$' |
        while read -r variable; do
            grep -qF "\`$variable\`" docs/environment.md || echo "$variable"
        done)"
complain "the variables of docs/environment.md are not those that tools/doctor_environment.c knows" "$(
    {
        sed -n 's/^| `\(LINNET_[A-Z_]*\)` |.*/\1/p' docs/environment.md
        grep -oE '"LINNET_[A-Z_]+[A-Z]"' tools/doctor_environment.c | tr -d '"'
    } | sort | uniq -u)"
complain "the variants of docs/environment.md are not those of backends/opencl/variants.def" "$(
    {
        sed -n 's/^LINNET_CL_VARIANT([A-Z0-9_]*, "\([^"]*\)",.*/\1/p' backends/opencl/variants.def
        sed -n '/^| `LINNET_OPENCL_VARIANT` |/p' docs/environment.md | cut -d'|' -f3 | grep -oE '`[a-z0-9_]+=?`' | tr -d '`' |
            awk '/=$/ { group = $0; next } group { print group $0 }'
    } | sort | uniq -u)"
complain "a link leads nowhere" "$(
    find . -name '*.md' -not -path './build*' -not -path './out/*' | while read -r page; do
        grep -oE '\]\([^)#: ]+' "$page" | sed 's/^](//' | while read -r target; do
            [ -e "$(dirname "$page")/$target" ] || echo "$page: $target"
        done
    done)"

if [ "$failures" -ne 0 ]; then
    echo "$failures rules of the house are broken"
    exit 1
fi
echo "the house is in order"
