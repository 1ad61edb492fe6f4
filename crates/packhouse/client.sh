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

answers=$PACKHOUSE_WORK/answers

# answered STATUS METHOD PATH [BODY]: one of our operations, signed by curl; prints the answer, and keeps it to be compared
# with the description.
answered() {
    local status=$1 method=$2 path=$3 body=() got
    [ $# -lt 4 ] || body=(-H 'content-type: application/json' --data "$4")
    got=$(curl -sS -o "$PACKHOUSE_WORK/answer" -w '%{http_code}' -X "$method" "$PACKHOUSE_URL/packhouse/v1/$path" "${body[@]}" \
        --aws-sigv4 "aws:amz:$AWS_REGION:packhouse" --user "$AWS_ACCESS_KEY_ID:$AWS_SECRET_ACCESS_KEY")
    printf '%s %s %s %s\n' "$method" "/packhouse/v1/${path%%\?*}" "$got" "$(tr -d '\n' <"$PACKHOUSE_WORK/answer")" >>"$answers"
    cat "$PACKHOUSE_WORK/answer"
    want "$got" "$status" "$method $path"
}

# own METHOD PATH [BODY]: the same, and it succeeds.
own() { answered 200 "$@"; }

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

others_are_answered() {
    local at='domain=acme&repository=app' of='domain=acme&format=generic&namespace=ns&package=thing&repository=app' id key
    (
        eval "$("$PACKHOUSE_BIN" env --data "$PACKHOUSE_DATA" --root)"
        own POST accounts '{"accountId":"222233334444"}'
        answered 409 POST accounts '{"accountId":"222233334444"}'
        own PUT accounts/222233334444/organization '{"organizationId":"o-acme000001"}'
        own PUT accounts/222233334444/organization '{"organizationId":null}'
        answered 400 PUT accounts/222233334444/organization '{"organizationId":"acme"}'
        answered 404 PUT accounts/333344445555/organization '{"organizationId":null}'
    )
    answered 403 POST accounts '{"accountId":"333344445555"}'
    id=$(own POST machines '{"name":"build-01"}' | json machine.machineId)
    answered 404 POST machines '{"name":"build-02","instanceProfile":"nothing"}'
    own GET machines
    own POST "machines/$id/code"
    own POST "machines/$id/disable"
    answered 400 POST machines/nothing/disable
    own DELETE "machines/$id"
    answered 404 DELETE "machines/$id"
    id=$(own POST webhooks '{"url":"https://hooks.example/","filter":{"formats":["generic"]}}' | json webhook.id)
    answered 400 POST webhooks '{"url":"nowhere"}'
    own GET webhooks
    own PUT "webhooks/$id" '{"enabled":false}'
    own POST "webhooks/$id/secret"
    own POST "webhooks/$id/replay" '{"startTime":"2026-01-01T00:00:00Z"}'
    own GET "webhooks/$id"
    own DELETE "webhooks/$id"
    answered 404 GET "webhooks/$id"
    aws iam create-user --user-name nobody
    key=$(aws iam create-access-key --user-name nobody --query AccessKey)
    (
        AWS_ACCESS_KEY_ID=$(json AccessKeyId <<<"$key") AWS_SECRET_ACCESS_KEY=$(json SecretAccessKey <<<"$key")
        answered 403 GET audit/events
    )
    id=$(own GET decisions | json decisions.0.id)
    own GET "decisions/$id"
    answered 404 GET decisions/nothing
    own GET 'audit/events?maxResults=5'
    answered 400 GET 'audit/events?startTime=soon'
    answered 404 GET 'search?domain=nothing&text=thing'
    own GET "lifecycle/rules?$at"
    own GET "lifecycle/runs?$at"
    own DELETE "lifecycle/rules?$at"
    answered 404 GET "lifecycle/rules?$at"
    aws codeartifact delete-package-versions --domain acme --repository app --format generic --namespace ns --package thing --versions 1.0
    own GET "removed-versions?$of"
    own POST "removed-versions/restore?$of" '{"versions":["1.0","2.0"]}'
    id=$(own POST jobs '{"job":"Sweep"}' | json run.id)
    own GET "jobs/$id"
    own GET quarantine
    own GET keys
    own POST keys/rotate
    answered 404 POST keys/99/drop
    own POST master-key/change
    answered 404 POST sessions/revoke '{"userName":"somebody"}'
    own POST sessions/revoke '{"userName":"admin"}'
}

# Everything that was answered above, beside what the description says of it: each status, each member, each operation.
answers_are_as_described() {
    python3 - "$PACKHOUSE_ROOT/docs/openapi.json" "$answers" <<'PYTHON'
import json, re, sys
from jsonschema import Draft202012Validator
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

text = open(sys.argv[1]).read()
document = json.loads(text.replace('"#/', '"urn:described#/'))
resolver = Registry().with_resource("urn:described", Resource(document, DRAFT202012))
wrong, left = set(), set()


def meant(value):
    while "$ref" in value:
        value = resolver.resolver().lookup(value["$ref"]).contents
    return value


def strangers(schema, value, where):
    """Members that the description does not name."""
    schema = meant(schema)
    if isinstance(value, list):
        for entry in value:
            yield from strangers(schema.get("items", {}), entry, where + "[]")
    if isinstance(value, dict):
        named = schema.get("properties")
        for name, member in value.items():
            if named and name in named:
                yield from strangers(named[name], member, f"{where}.{name}")
            elif named and not schema.get("additionalProperties"):
                yield f"{where}.{name}"


operations = []
for path, methods in document["paths"].items():
    pattern = re.compile(re.sub(r"\\{[a-z]+\\}", "[^/]+", re.escape(path)))
    for method, operation in methods.items():
        operations.append((method.upper(), pattern, operation))
        left.add(operation["operationId"])
left.discard("GetDescription")
for line in open(sys.argv[2]):
    method, path, status, body = line.rstrip("\n").split(" ", 3)
    operation = next(one for known, pattern, one in operations if known == method and pattern.fullmatch(path))
    name = operation["operationId"]
    left.discard(name)
    if status not in operation["responses"]:
        wrong.add(f"{name}: {status} is not described")
        continue
    schema = meant(operation["responses"][status])["content"]["application/json"]["schema"]
    value = json.loads(body)
    for error in Draft202012Validator(schema, registry=resolver).iter_errors(value):
        wrong.add(f"{name}, {status}: {error.json_path}: {error.message}")
    wrong.update(f"{name}, {status}: {member} is not described" for member in strangers(schema, value, ""))
for name in left:
    wrong.add(f"{name} was not called")
sys.exit("\n".join(sorted(wrong)) or 0)
PYTHON
}

scenario 'the description of our operations is valid OpenAPI 3.1' description_is_valid
scenario 'a package is found by a word, a file by its digest' thing_is_found
scenario 'a download is told with its caller' fetch_is_told
scenario 'rules are previewed, applied and undone' rules_are_applied_and_undone
scenario 'a sweep and a scrub are started and waited for' jobs_are_done
scenario 'all other operations are called, well and badly' others_are_answered
scenario 'answers are as they are described' answers_are_as_described
scenarios_end
