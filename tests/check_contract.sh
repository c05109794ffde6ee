#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Every numbered rule of docs/backend-contract.md names a test that exists. usage: check_contract.sh SOURCE_DIR
# A rule is a line that starts with "**R<number>**"; behind it, before the next rule, a line
#     Test: `file` `what is found in it`
set -u
cd "${1:?usage: check_contract.sh SOURCE_DIR}" || exit 2
contract=docs/backend-contract.md
failures=0

fail() {
    echo "$contract: $*"
    failures=$((failures + 1))
}

rules=$(sed -n 's/^\*\*R\([0-9.]*\)\*\*.*/\1/p' "$contract")
[ -n "$rules" ] || fail "no rules"
expected=0
for rule in $rules; do
    expected=$((expected + 1))
    [ "$rule" = "$expected" ] || fail "rule R$rule where R$expected is due"
done

# One line per test: rule, file, name; rules without a test have an empty file.
list=$(awk -F '`' '
    /^\*\*R[0-9]+\*\*/ { if (rule != "" && !tests) print rule; match($0, /[0-9]+/); rule = substr($0, RSTART, RLENGTH); tests = 0 }
    /^ *Test: / { for (i = 2; i + 2 <= NF; i += 4) { print rule, $i, $(i + 2); tests++ } }
    END { if (rule != "" && !tests) print rule }' "$contract")
while read -r rule file name; do
    if [ -z "$file" ]; then
        fail "R$rule names no test"
    elif [ ! -f "$file" ]; then
        fail "R$rule: $file does not exist"
    elif ! grep -qF -- "$name" "$file"; then
        fail "R$rule: nothing called $name in $file"
    fi
done <<EOT
$list
EOT

[ "$failures" -eq 0 ] || exit 1
echo "$expected rules, each with its test"
