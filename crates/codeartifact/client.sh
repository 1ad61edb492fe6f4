#!/usr/bin/env bash
# Every operation of CodeArtifact with the unmodified AWS SDK for Python, then what infrastructure as code relies on:
# the calls of CloudFormation's and Terraform's resources, and Terraform itself where it and its AWS provider are here.
#
#   crates/codeartifact/client.sh [path/to/packhouse]
#
# A line for each scenario, `ok N - name` or `not ok N - name`. What is covered stands in docs/coverage.md; the run fails
# when that page says otherwise, and PACKHOUSE_WRITE_COVERAGE=1 writes it anew.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=scripts/lib.sh
source "$here/../../scripts/lib.sh"
[ $# -eq 0 ] || PACKHOUSE_BIN=$(realpath "$1")
need_boto3
packhouse_start --limit-domains-per-account 10000
PACKHOUSE_COVERAGE=$PACKHOUSE_ROOT/docs/coverage.md python3 "$here/client.py"
python3 "$here/infrastructure.py"
PACKHOUSE_WORK=$PACKHOUSE_WORK bash "$here/terraform.sh"
