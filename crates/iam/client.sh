#!/usr/bin/env bash
# Every operation of IAM and STS with the unmodified AWS SDK for Python, and the story of the refused machine with the
# unmodified command line.
#
#   crates/iam/client.sh [path/to/packhouse]
#
# A line for each scenario, `ok N - name` or `not ok N - name`; at last how many passed.
set -euo pipefail
# shellcheck source=scripts/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/../../scripts/lib.sh"
[ $# -eq 0 ] || PACKHOUSE_BIN=$(realpath "$1")
need_boto3
packhouse_start
PACKHOUSE_OPERATIONS=$PACKHOUSE_ROOT/crates/iam/src/api/operations.rs python3 "$PACKHOUSE_ROOT/crates/iam/client.py"
