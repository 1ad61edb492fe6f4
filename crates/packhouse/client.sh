#!/usr/bin/env bash
# Operations of our own with clients that know nothing of us: a validator of OpenAPI descriptions from PyPI, and curl, which
# signs by itself.
#
#   crates/packhouse/client.sh [path/to/packhouse]
#
# A line for each scenario, `ok N - name` or `not ok N - name` with the end of what it said; at last how many passed.
set -euo pipefail
# shellcheck source=scripts/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/../../scripts/lib.sh"
[ $# -eq 0 ] || PACKHOUSE_BIN=$(realpath "$1")
# shellcheck source=scripts/scenarios.sh
source "$PACKHOUSE_ROOT/scripts/scenarios.sh"

need_pip openapi-spec-validator 0.9.0
packhouse_start
packhouse_repository acme app
token=$(packhouse_token acme)
generic=$(packhouse_endpoint acme generic app)
printf 'a thing' >"$PACKHOUSE_WORK/thing.bin"

# own METHOD PATH [BODY]: one of our operations, signed by curl.
own() {
    local body=()
    [ $# -lt 3 ] || body=(-H 'content-type: application/json' --data "$3")
    curl -sS --fail-with-body -X "$1" "$PACKHOUSE_URL/packhouse/v1/$2" "${body[@]}" \
        --aws-sigv4 "aws:amz:$AWS_REGION:packhouse" --user "$AWS_ACCESS_KEY_ID:$AWS_SECRET_ACCESS_KEY"
}

description_is_valid() {
    curl -fsS -o "$PACKHOUSE_WORK/openapi.json" "$PACKHOUSE_URL/packhouse/v1/openapi.json"
    cmp "$PACKHOUSE_WORK/openapi.json" "$PACKHOUSE_ROOT/docs/openapi.json"
    openapi-spec-validator --schema 3.1.0 "$PACKHOUSE_WORK/openapi.json"
}

thing_is_found() {
    curl -fsS -u "aws:$token" -T "$PACKHOUSE_WORK/thing.bin" "${generic%/}/ns/thing/1.0/thing.bin"
    want "$(own GET 'search?domain=acme&text=thing' | json packages.0.package)" thing 'the package by a word'
    want "$(own GET "search?domain=acme&hash=$(sha256 "$PACKHOUSE_WORK/thing.bin")" | json files.0.asset)" thing.bin 'the file by its digest'
}

fetch_is_told() {
    curl -fsS -u "aws:$token" -o "$PACKHOUSE_WORK/got" "${generic%/}/ns/thing/1.0/thing.bin"
    cmp "$PACKHOUSE_WORK/got" "$PACKHOUSE_WORK/thing.bin"
    local of='domain=acme&format=generic&namespace=ns&package=thing&repository=app&version=1.0'
    # Behind the back of the download: it may be a moment late.
    until own GET "fetches?$of" | json fetches.0.count; do sleep 0.2; done
    "$PACKHOUSE_BIN" fetched --data "$PACKHOUSE_DATA" --domain acme --repository app --format generic --namespace ns \
        --package thing --package-version 1.0 | grep user/admin
}

rules_are_applied_and_undone() {
    local rules='{"rules":[{"name":"all","keep":{"newest":0},"then":"Delete"}]}' at='domain=acme&repository=app' run state
    want "$(own POST "lifecycle/preview?$at" "$rules" | json versions.0.version)" 1.0 'the preview'
    own PUT "lifecycle/rules?$at" "$rules"
    for state in lifecycle undo; do
        case $state in
        lifecycle) run=$(own POST "lifecycle/runs?$at" | json run.id) ;;
        undo) run=$(own POST "lifecycle/runs/$run/undo?$at" | json run.id) ;;
        esac
        until [ "$(own GET "lifecycle/runs/$run?$at" | json run.state)" = Succeeded ]; do sleep 0.2; done
    done
    curl -fsS -u "aws:$token" -o "$PACKHOUSE_WORK/got" "${generic%/}/ns/thing/1.0/thing.bin"
    cmp "$PACKHOUSE_WORK/got" "$PACKHOUSE_WORK/thing.bin"
}

jobs_are_done() {
    "$PACKHOUSE_BIN" sweep --data "$PACKHOUSE_DATA" | grep Succeeded
    "$PACKHOUSE_BIN" scrub --data "$PACKHOUSE_DATA" | grep 'blobs 1, bytes 7, damaged 0'
    want "$(own GET 'jobs' | json runs.0.job)" Scrub 'the newest run'
}

scenario 'the description of our operations is valid OpenAPI 3.1' description_is_valid
scenario 'a package is found by a word, a file by its digest' thing_is_found
scenario 'a download is told with its caller' fetch_is_told
scenario 'rules are previewed, applied and undone' rules_are_applied_and_undone
scenario 'a sweep and a scrub are started and waited for' jobs_are_done
scenarios_end
