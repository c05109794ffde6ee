# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
# What the end-to-end tests share. Sourced with $LINNET (the program) and $WORK_ROOT (where to write) set.

set -u
LC_ALL=C
export LC_ALL
WORK=$(mktemp -d "$WORK_ROOT/e2e.XXXXXX") || exit 1
trap 'rm -rf "$WORK"' EXIT
trap 'exit 1' HUP INT TERM

fail() {
    printf 'FAILED: %s\n' "$*" >&2
    for file in "$WORK/out" "$WORK/err"; do
        [ -s "$file" ] && sed "s|^|    $(basename "$file"): |" "$file" | tail -n 20 >&2
    done
    exit 1
}

skip() {
    printf 'skipped: %s\n' "$*"
    exit 77
}

# run ARGUMENT...: the program; its streams in $WORK/out and $WORK/err, its exit code in $code.
run() {
    code=0
    "$LINNET" "$@" >"$WORK/out" 2>"$WORK/err" || code=$?
}

# must ARGUMENT...: the program, which has to end well.
must() {
    run "$@"
    [ "$code" -eq 0 ] || fail "exit code $code: linnet $*"
}

# refuses CODE TEXT ARGUMENT...: the program ends with CODE, nothing on stdout, and says one sentence on stderr that has
# TEXT in it (a usage error adds where to read more).
refuses() {
    wanted=$1
    text=$2
    shift 2
    run "$@"
    [ "$code" -eq "$wanted" ] || fail "exit code $code instead of $wanted: linnet $*"
    [ ! -s "$WORK/out" ] || fail "something on stdout: linnet $*"
    sentences=$(grep '^linnet: ' "$WORK/err" | grep -vc '^linnet: no --weights: ') # a warning is no refusal
    [ "$sentences" -eq 1 ] || fail "$sentences sentences instead of one: linnet $*"
    others=$(grep -vcE '^(linnet: |usage: |Try )' "$WORK/err")
    [ "$others" -eq 0 ] || fail "stray lines on stderr: linnet $*"
    grep -qF -- "$text" "$WORK/err" || fail "no '$text' in what it says: linnet $*"
}

# field KEY: that member of the last JSON line on stdout.
field() {
    tail -n 1 "$WORK/out" | sed -n "s/.*\"$1\":\(\"[^\"]*\"\|[^,}]*\).*/\1/p" | tr -d '"'
}

# json_only: stdout holds JSON lines and nothing else.
json_only() {
    [ -s "$WORK/out" ] || fail "nothing on stdout"
    others=$(grep -vc '^{.*}$' "$WORK/out")
    [ "$others" -eq 0 ] || fail "$others lines on stdout are no JSON"
}

# at_least NUMBER KEY
at_least() {
    value=$(field "$2")
    awk -v a="$value" -v b="$1" 'BEGIN { exit !(a != "" && a + 0 >= b + 0) }' || fail "$2 is '$value', at least $1 is wanted"
}

# need_device SELECTION: skips where it is not here, unless LINNET_REQUIRE names its backend.
need_device() {
    "$LINNET" devices --backend "$1" >/dev/null 2>"$WORK/why" && return
    case ",${LINNET_REQUIRE:-}," in
    *",${1%%:*},"*) fail "$1 is required: $(cat "$WORK/why")" ;;
    esac
    skip "$(cat "$WORK/why")"
}

# through ICD: from now on OpenCL is tests/icd's libOpenCL.so.1, loaded by the program itself.
through() {
    LD_LIBRARY_PATH=$(dirname "$1")
    LINNET_PROBE=inline
    export LD_LIBRARY_PATH LINNET_PROBE
}

# like LOSS: $loss is as that one, but for the order of sums.
like() {
    awk -v a="$1" -v b="$loss" 'BEGIN { d = a - b; exit !(d < 1e-3 && d > -1e-3) }'
}
