#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Compiles every OpenCL program for GPUs that need not be here: AMD's gfx906 (clang-15 with libclc-15) and NVIDIA's
# (the same, to PTX; where ptxas is installed, on to machine code for sm_90), and Intel's Arc by Intel's own compiler
# where its ocloc is installed. Fails where one does not compile. What a kernel takes of the machine is known then:
# --table optimises fully, and prints it as Markdown; --check compares that with docs/gpu-kernels.md (without NVIDIA's
# columns where there is no ptxas, and Intel's without ocloc). Without either, Intel's are left out. What reduces over
# groups is compiled with sub-groups, too, of AMD's waves of 64 (subgroups.clh) and as Intel's has them.
# usage: kernels.sh SOURCE_DIR WORK_DIR [--table|--check]      exit code 77: no clang-15 or no libclc-15 here
set -u
LC_ALL=C
export LC_ALL
source=${1:?usage: kernels.sh SOURCE_DIR WORK_DIR [--table|--check]}
work=${2:?usage: kernels.sh SOURCE_DIR WORK_DIR [--table|--check]}
how=${3:-}
: "${CLANG:=clang-15}" "${CLC:=/usr/lib/clc}" "${PTXAS:=}" "${OCLOC:=ocloc}"
amd_library=$CLC/gfx906-amdgcn-mesa-mesa3d.bc
nvidia_library=$CLC/nvptx64--nvidiacl.bc
if [ -z "$PTXAS" ]; then
    PTXAS=$(command -v ptxas || ls /usr/local/cuda/bin/ptxas 2>/dev/null)
fi
command -v "$OCLOC" >/dev/null || OCLOC=
if ! command -v "$CLANG" >/dev/null || [ ! -f "$amd_library" ] || [ ! -f "$nvidia_library" ]; then
    echo "skipped: no $CLANG, or no libclc-15 in $CLC"
    exit 77
fi
optimise=-O3
if [ -z "$how" ]; then
    optimise=-O1 # it is enough to see that all of it compiles, and takes a fifth of the time
    PTXAS='' OCLOC=''
fi
mkdir -p "$work"
failures=0

# compiled PROGRAM OUTPUT LIBRARY OPTION...
compiled() {
    program=$1 output=$2 library=$3
    shift 3
    "$CLANG" -x cl -cl-std=CL1.2 $optimise -Wall -Werror -nogpulib -Xclang -finclude-default-header -Xclang -mlink-bitcode-file \
        -Xclang "$library" -I "$source/kernels" "$@" -S -o "$output" "$source/kernels/$program" 2>"$work/log" && return
    echo "$program does not compile: $*"
    cat "$work/log"
    failures=$((failures + 1))
    return 1
}

# Lines "kernel vgprs sgprs scratch lds occupancy" from the comments of an assembly for AMD.
amd_numbers() {
    awk '/^[ \t]*\.globl/ { name = $2 }
        /^; Kernel info:/ { kernel = name }
        kernel == "" { next }
        /^; NumSgprs:/ { sgprs = $3 }
        /^; NumVgprs:/ { vgprs = $3 }
        /^; ScratchSize:/ { scratch = $3 }
        /^; LDSByteSize:/ { lds = $3 }
        /^; Occupancy:/ { print kernel, vgprs, sgprs, scratch, lds, $3; kernel = "" }' "$1" | sort
}

# Lines "kernel registers stack" from what ptxas says.
nvidia_numbers() {
    awk -F "'" '/Compiling entry function/ { name = $2 }
        /bytes stack frame/ { split($0, word, " "); stack = word[1] }
        / Used [0-9]+ registers/ { match($0, /Used [0-9]+/); print name, substr($0, RSTART + 5, RLENGTH - 5), stack }' "$1" | sort
}

# Lines "kernel lanes scratch" from Intel's binary: work-items of a thread, and bytes of memory that it has instead of registers.
intel_numbers() {
    readelf -W -p .ze_info "$1" | sed 's/\\n$//; s/^ *\[ *[0-9a-f]*\]//' | awk '
        function put() { if (lanes) print kernel, lanes, scratch; lanes = 0 }
        /^ *- name:/ { put(); kernel = $NF; scratch = 0 }
        /^ *simd_size:/ { lanes = $NF }
        /^ *- type:/ { memory = $NF }
        /^ *size:/ && memory == "scratch" { scratch += $NF; memory = "" }
        END { put() }' | grep -v ^Intel_ | sort
}

# intel PROGRAM BASE OPTION...: the numbers in BASE.intel; none without ocloc.
intel() {
    program=$1 base=$2
    shift 2
    : >"$base.intel"
    [ -n "$OCLOC" ] || return 0
    "$OCLOC" compile -q -file "$source/kernels/$program" -device acm-g10 -options "-I $source/kernels $*" \
        -internal_options -ze-allow-zebin -out_dir "$work" -output "${base##*/}.bin" -output_no_suffix >"$work/log" 2>&1 &&
        intel_numbers "$base.bin" >"$base.intel" && [ -s "$base.intel" ] && return
    echo "$program: ocloc refuses it: $*"
    cat "$work/log"
    failures=$((failures + 1))
    return 1
}

# Three files of numbers side by side; - where the second or the third has none of a kernel.
side_by_side() {
    join -a 1 -e - -o 0,1.2,1.3,1.4,1.5,1.6,2.2,2.3 "$1" "$2" |
        join -a 1 -e - -o 0,1.2,1.3,1.4,1.5,1.6,1.7,1.8,2.2,2.3 - "$3"
}

row() {
    printf '%s\n' "$*" >>"$work/table"
}

# with_subgroups PROGRAM VARIANT OPTION...
with_subgroups() {
    program=$1 variant=$2
    shift 2
    base=$work/${program%.cl}.$variant
    compiled "$program" "$base.s" "$amd_library" -target amdgcn-mesa-mesa3d -mcpu=gfx906 \
        -include "$source/tests/gpu/subgroups.clh" -DSUBGROUPS "$@" || return
    intel "$program" "$base" -cl-std=CL3.0 -DSMALLEST_SUB_GROUP=8 -DSUBGROUPS "$@" || return
    amd_numbers "$base.s" >"$base.amd"
    side_by_side "$base.amd" /dev/null "$base.intel" | while read -r kernel vgprs sgprs scratch lds waves _ _ lanes spilled; do
        [ "$lds" = 0 ] ||
            row "| $program, $variant | $kernel | $vgprs | $sgprs | $scratch | $lds | $waves | - | - | $lanes | $spilled |"
    done
}

: >"$work/table"
row '| program | kernel | VGPRs | SGPRs | scratch | LDS | waves of 10 | registers sm_90 | stack sm_90 | lanes Arc | scratch Arc |'
row '|---|---|---|---|---|---|---|---|---|---|---|'
for program in $(sed -n 's/^LINNET_CL_PROGRAM(.*"\(.*\)")$/\1/p' "$source/backends/opencl/programs.def"); do
    base=$work/${program%.cl}
    : >"$base.nvidia"
    compiled "$program" "$base.s" "$amd_library" -target amdgcn-mesa-mesa3d -mcpu=gfx906 || continue
    limited='' registers=''
    if grep -q '#include "tile_64.clh"' "$source/kernels/$program"; then # as backends/opencl/program.c has it compiled there
        limited=-DTILE_REGISTERS_LIMITED registers=--maxrregcount=128
    fi
    # shellcheck disable=SC2086 # none or one
    compiled "$program" "$base.ptx" "$nvidia_library" -target nvptx64--nvidiacl -Xclang -target-cpu -Xclang sm_60 $limited ||
        continue
    if [ -n "$PTXAS" ]; then
        # shellcheck disable=SC2086
        if "$PTXAS" -v -arch=sm_90 $registers "$base.ptx" -o "$base.cubin" >"$work/log" 2>&1; then
            nvidia_numbers "$work/log" >"$base.nvidia"
        else
            echo "$program: ptxas refuses it"
            cat "$work/log"
            failures=$((failures + 1))
        fi
    fi
    intel "$program" "$base" -cl-std=CL1.2 -DSMALLEST_SUB_GROUP=8 || continue
    amd_numbers "$base.s" >"$base.amd"
    kernels=$(grep -cE '^(__)?kernel ' "$source/kernels/$program")
    found=$(wc -l <"$base.amd")
    [ "$found" -ge 1 ] || {
        echo "$program: no kernel in its assembly, $kernels in its source"
        failures=$((failures + 1))
    }
    side_by_side "$base.amd" "$base.nvidia" "$base.intel" |
        while read -r kernel vgprs sgprs scratch lds waves registers stack lanes spilled; do
            row "| $program | $kernel | $vgprs | $sgprs | $scratch | $lds | $waves | $registers | $stack | $lanes | $spilled |"
        done
    if grep -qE '#include "(group|channel|batch_norm).clh"' "$source/kernels/$program"; then
        with_subgroups "$program" barriers
        with_subgroups "$program" shuffles -DSUBGROUP_XOR=sub_group_shuffle_xor
    fi
done
[ "$failures" -eq 0 ] || exit 1
if [ "$how" = --table ]; then
    cat "$work/table"
    exit
fi
if [ "$how" = --check ]; then
    columns=1-8
    [ -z "$PTXAS" ] || columns=$columns,9-10
    [ -z "$OCLOC" ] || columns=$columns,11-12
    grep '^|' "$work/table" | cut -d '|' -f $columns >"$work/found"
    sed -n '/^| program |/,$p' "$source/docs/gpu-kernels.md" | grep '^|' | cut -d '|' -f $columns >"$work/said"
    diff "$work/said" "$work/found" || {
        echo "docs/gpu-kernels.md says something else: bring its table up to date with --table"
        exit 1
    }
fi
echo "every program compiles for gfx906 and NVIDIA${OCLOC:+ and Arc}, reductions with sub-groups, too"
