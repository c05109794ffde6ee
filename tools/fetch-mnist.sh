#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Fetches MNIST (70,000 handwritten digits; LeCun, Cortes, Burges) into a folder that `linnet train --data` reads.
# What is there already and whole is kept. usage: fetch-mnist.sh [FOLDER]   (default: mnist)
set -u
LC_ALL=C
export LC_ALL

mirrors='https://ossci-datasets.s3.amazonaws.com/mnist https://storage.googleapis.com/cvdf-datasets/mnist'

# SHA-256 of the files as they are inflated: a mirror may have compressed them anew.
files='
ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db train-images-idx3-ubyte
65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5 train-labels-idx1-ubyte
0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7 t10k-images-idx3-ubyte
ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2 t10k-labels-idx1-ubyte'

die() {
    echo "fetch-mnist.sh: $*" >&2
    exit 1
}

# sum_of FILE.gz: SHA-256 of what is in it; nothing when it is damaged.
sum_of() {
    gzip -t "$1" 2>/dev/null || return 0
    gzip -dc "$1" | $sha256 | cut -d ' ' -f 1
}

# download URL FILE
download() {
    case $loader in
        curl) curl --fail --location --silent --show-error --retry 2 --connect-timeout 20 --output "$2" "$1" ;;
        wget) wget --quiet --tries=3 --timeout=20 --output-document="$2" "$1" ;;
    esac
}

# fetch NAME SUM: FOLDER/NAME.gz from the first mirror that has it whole.
fetch() {
    target=$folder/$1.gz
    if [ -f "$target" ] && [ "$(sum_of "$target")" = "$2" ]; then
        echo "$target is there"
        return 0
    fi
    [ -n "$loader" ] || die "neither curl nor wget is installed"
    for mirror in $mirrors; do
        echo "fetching $mirror/$1.gz"
        if ! download "$mirror/$1.gz" "$temporary"; then
            echo "fetch-mnist.sh: $mirror/$1.gz: could not be fetched" >&2
        elif [ "$(sum_of "$temporary")" != "$2" ]; then
            echo "fetch-mnist.sh: $mirror/$1.gz: not the published file (wrong SHA-256), left out" >&2
        else
            mv "$temporary" "$target" || die "$target: could not be written"
            return 0
        fi
    done
    die "no mirror gave $1; is this machine online?"
}

case ${1-} in
    -h | --help)
        sed -n '3,4s/^# //p' "$0"
        exit 0
        ;;
    -*) die "unknown option $1 (usage: fetch-mnist.sh [FOLDER])" ;;
esac
[ $# -le 1 ] || die "one folder, please (usage: fetch-mnist.sh [FOLDER])"
folder=${1-mnist}

if command -v sha256sum >/dev/null; then
    sha256=sha256sum
elif command -v shasum >/dev/null; then
    sha256='shasum -a 256'
else
    die "neither sha256sum nor shasum is installed"
fi
command -v gzip >/dev/null || die "gzip is not installed"
loader=
for program in wget curl; do
    if command -v "$program" >/dev/null; then
        loader=$program
    fi
done

mkdir -p "$folder" || die "$folder: could not be made"
[ -w "$folder" ] || die "$folder: cannot be written to"
temporary=$folder/.fetch-$$
trap 'rm -f "$temporary"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# Not a pipe: die must end the script, not a subshell.
# shellcheck disable=SC2086 # files is a list of pairs
set -- $files
while [ $# -ge 2 ]; do
    fetch "$2" "$1"
    shift 2
done
echo "MNIST is in $folder: linnet train lenet5 --data $folder"
