#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# docs/performance.md is what its raw results make. usage: check_performance.sh SOURCE_DIR
command -v python3 >/dev/null 2>&1 || exit 77
PYTHONDONTWRITEBYTECODE=1
export PYTHONDONTWRITEBYTECODE
exec python3 "${1:?usage: check_performance.sh SOURCE_DIR}/tests/peers/report.py" --check
