#!/usr/bin/env bash
# Terraform itself, with its AWS provider, over every resource it has for CodeArtifact (terraform/main.tf): created, read
# without a change, changed in place, imported, lost and found again, destroyed.
#
# Run by client.sh with a server running. Where Terraform or its provider cannot be had, every scenario is skipped.
# PACKHOUSE_TERRAFORM_PLUGINS may name a directory as `terraform providers mirror` makes it; else the usual places for
# such directories are looked at, and then Terraform may fetch the provider as it is set up to.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
work=${PACKHOUSE_WORK:?run by client.sh}
# shellcheck source=scripts/lib.sh
source "$here/../../scripts/lib.sh"
# shellcheck source=scripts/scenarios.sh
source "$here/../../scripts/scenarios.sh"
PACKHOUSE_WORK=$work

# --- Set-up -----------------------------------------------------------------------------------------------------------

export TF_IN_AUTOMATION=1 TF_INPUT=0 CHECKPOINT_DISABLE=1 TF_CLI_ARGS=-no-color TF_CLI_CONFIG_FILE=$work/terraformrc
: >"$TF_CLI_CONFIG_FILE"

plugins() {
    [ -z "${PACKHOUSE_TERRAFORM_PLUGINS:-}" ] || { printf '%s\n' "$PACKHOUSE_TERRAFORM_PLUGINS" && return; }
    # Not all of these directories are there.
    { find /opt /usr/share/terraform /usr/local/share/terraform "$HOME/.terraform.d" -maxdepth 5 -type d -path '*/hashicorp/aws' 2>/dev/null || :; } |
        sed -n '1s|/[^/]*/hashicorp/aws$||p'
}

# prepare NAME: a directory of its own with the configuration, ready for plans.
prepare() {
    local from
    mkdir -p "$work/$1"
    cp "$here/terraform/main.tf" "$work/$1/"
    from=$(plugins)
    if [ -n "$from" ]; then
        terraform -chdir="$work/$1" init -plugin-dir="$from"
    else
        timeout 120 terraform -chdir="$work/$1" init
    fi
}

tf() { terraform -chdir="$work/tf" "$@"; }
apply() { tf apply -auto-approve -var "round=$1"; }

# state ADDRESS: the values of a resource or data source as JSON.
state() {
    tf show -json | python3 -c '
import json, sys
for each in json.load(sys.stdin)["values"]["root_module"]["resources"]:
    if each["address"] == sys.argv[1]:
        print(json.dumps(each["values"]))
' "$1"
}

# no_change ROUND [DIRECTORY]: a plan that finds nothing to do.
no_change() {
    local status=0
    terraform -chdir="$work/${2:-tf}" plan -detailed-exitcode -var "round=$1" || status=$?
    want "$status" 0 "the status of a plan that should find nothing to do"
}

# some_change ROUND: a plan that finds something to do.
some_change() {
    local status=0
    tf plan -detailed-exitcode -var "round=$1" || status=$?
    want "$status" 2 "the status of a plan that should find something to do"
}

# --- Scenarios --------------------------------------------------------------------------------------------------------

everything_is_made() {
    apply 1
    no_change 1
    local plain=$work/plain.json store=$work/store.json
    state aws_codeartifact_domain.plain >"$plain"
    want "$(json asset_size_bytes <"$plain")" 0 "the size of a new domain"
    want "$(json owner <"$plain")" 111122223333 "the owner of a new domain"
    json s3_bucket_arn <"$plain" | grep -q '^arn:aws:s3:::'
    json encryption_key <"$plain" | grep -Eq '^arn:aws:kms:.*:key/.+'
    want "$(state aws_codeartifact_domain.keyed | json encryption_key)" arn:aws:kms:us-east-1:111122223333:key/00000000-0000-0000-0000-000000000000 "the key that was given"
    state aws_codeartifact_repository.store >"$store"
    want "$(json external_connections.0.status <"$store")" AVAILABLE "the status of a connection"
    want "$(json external_connections.0.package_format <"$store")" npm "the format of a connection"
    want "$(state aws_codeartifact_repository.all | json upstream.0.repository_name)" team "the first upstream"
    state 'data.aws_codeartifact_repository_endpoint.of["maven"]' | json repository_endpoint | grep -q '/maven/all/$'
    state data.aws_codeartifact_authorization_token.short | json authorization_token | grep -Eq '^[A-Za-z0-9_.-]{100,}$'
}

changes_are_made_in_place() {
    some_change 2
    apply 2 | tee "$work/apply.log"
    grep -q ' 0 added, [1-9][0-9]* changed, 0 destroyed' "$work/apply.log"
    no_change 2
    want "$(state aws_codeartifact_repository.all | json upstream.0.repository_name)" store "the first upstream, changed"
    want "$(aws codeartifact describe-repository --domain tf-plain --repository team | json repository.description)" "the team's" "the description"
    apply 3
    no_change 3
    want "$(aws codeartifact describe-repository --domain tf-plain --repository store | json repository.externalConnections.#)" 0 "the connections"
}

what_is_there_is_imported() {
    local arn=arn:aws:codeartifact:us-east-1:111122223333
    prepare imported
    import() { terraform -chdir="$work/imported" import -var round=3 "aws_codeartifact_$1" "$2"; }
    import domain.plain "$arn:domain/tf-plain"
    import domain.keyed "$arn:domain/tf-keyed"
    for name in store team all; do import "repository.$name" "$arn:repository/tf-plain/$name"; done
    import domain_permissions_policy.plain "$arn:domain/tf-plain"
    import repository_permissions_policy.team "$arn:repository/tf-plain/team"
    no_change 3 imported
}

what_was_lost_is_made_again() {
    aws codeartifact delete-domain-permissions-policy --domain tf-plain
    aws codeartifact delete-repository --domain tf-plain --repository team
    aws codeartifact delete-domain --domain tf-keyed
    some_change 3
    apply 3
    no_change 3
    want "$(aws codeartifact describe-repository --domain tf-plain --repository all | json repository.upstreams.1.repositoryName)" team "the upstream that was lost"
}

everything_is_destroyed() {
    # What is gone already is no obstacle.
    aws codeartifact delete-repository --domain tf-plain --repository store
    tf destroy -auto-approve -var round=3
    for domain in tf-plain tf-keyed; do
        if aws codeartifact describe-domain --domain $domain 2>"$work/gone"; then
            fail "the domain $domain is still there"
        fi
        grep -q ResourceNotFoundException "$work/gone"
    done
}

if ! command -v terraform >/dev/null || ! prepare tf >"$work/init.log" 2>&1; then
    tail -n 3 "$work/init.log" 2>/dev/null || :
    printf 'Terraform or its AWS provider is not to be had here\n0 passed, 0 failed, 5 skipped\n'
    exit 0
fi
scenario "terraform makes everything, and then finds nothing to do" everything_is_made
scenario "terraform changes what can be changed in place" changes_are_made_in_place
scenario "terraform imports what is there" what_is_there_is_imported
scenario "terraform makes again what was lost" what_was_lost_is_made_again
scenario "terraform destroys everything" everything_is_destroyed
scenarios_end
