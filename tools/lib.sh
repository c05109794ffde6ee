# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh disable=SC2034
# What quickstart.sh and test.sh share: which packages are needed, and getting them. Debian 12, Ubuntu 24.04.
# Sourced; sets nothing but functions and lists.

# To build.
LINNET_BUILD_PACKAGES="gcc libc6-dev cmake ninja-build pkgconf zlib1g-dev libjansson-dev libpng-dev liblbfgs-dev
libturbojpeg0-dev ocl-icd-opencl-dev opencl-headers libclblast-dev"
# An OpenCL device where there is no GPU.
LINNET_RUN_PACKAGES="pocl-opencl-icd"
# To test: g++ for the headers, two more OpenCL implementations, the tools that watch, compilers for GPUs.
LINNET_TEST_PACKAGES="g++ binutils libcmocka-dev mesa-opencl-icd oclgrind clinfo valgrind clang clang-15 libclc-15"

say() {
    printf '%s\n' "$*"
}

die() {
    printf '%s\n' "$*" >&2
    exit 1
}

# as_root COMMAND...: sudo when not root.
as_root() {
    if [ "$(id -u)" -eq 0 ]; then
        "$@"
    elif command -v sudo >/dev/null 2>&1; then
        sudo "$@"
    else
        die "not root and no sudo; as root, run: $*"
    fi
}

# missing_packages PACKAGE...: those that are not installed.
missing_packages() {
    for package; do
        dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || printf ' %s' "$package"
    done
}

# need INSTALL PACKAGE...: says what is missing and installs it (INSTALL yes) or ends with the line to type (no).
# Touches no network when nothing is missing.
need() {
    install=$1
    shift
    command -v dpkg-query >/dev/null 2>&1 || {
        say "No dpkg here: please see to these yourself: $*"
        return 0
    }
    missing=$(missing_packages "$@")
    if [ -z "$missing" ]; then
        say "All packages are there."
        return 0
    fi
    say "Missing packages:$missing"
    if [ "$install" = no ]; then
        say "Please install them:"
        say "    sudo apt-get install --no-install-recommends$missing"
        exit 1
    fi
    # shellcheck disable=SC2086 # a list
    {
        as_root env DEBIAN_FRONTEND=noninteractive apt-get update -q &&
            as_root env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends $missing
    } || die "The packages could not be installed."
}

# What machine is this? One line each.
describe_machine() {
    if [ -r /etc/os-release ]; then
        # shellcheck source=/dev/null
        say "System:     $(. /etc/os-release && echo "$PRETTY_NAME") ($(uname -m))"
    else
        say "System:     $(uname -sm)"
    fi
    processor=$(sed -n 's/^model name[[:space:]]*: //p' /proc/cpuinfo 2>/dev/null | head -n 1)
    say "Processor:  ${processor:-unknown}, $(nproc) threads"
    drivers=
    for file in /etc/OpenCL/vendors/*.icd; do
        [ -e "$file" ] && drivers="$drivers $(basename "$file" .icd)"
    done
    say "OpenCL:    ${drivers:- no driver}"
}
