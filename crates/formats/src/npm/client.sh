#!/usr/bin/env bash
# The scenarios of the format's specification with the real clients: npm, pnpm, Yarn 1 and 4, curl, the aws command.
#
#   crates/formats/src/npm/client.sh [path/to/packhouse]
#
# A line for each scenario, `ok N - name` or `not ok N - name` with the end of what it said; at last how many passed.
# An application is installed through the public registry that this machine's npm is set up for; where that cannot be
# reached, those scenarios are skipped.
set -euo pipefail
# shellcheck source=scripts/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/../../../../scripts/lib.sh"
[ $# -eq 0 ] || PACKHOUSE_BIN=$(realpath "$1")
# shellcheck source=scripts/scenarios.sh
source "$PACKHOUSE_ROOT/scripts/scenarios.sh"

# --- Set-up -----------------------------------------------------------------------------------------------------------

packhouse_prepare
need_npm pnpm 9.15.9
pnpm=$SETUP_NPM/bin/pnpm
need_npm pnpm 12.21.0
pnpm_latest=$SETUP_NPM/bin/pnpm
need_npm yarn 1.22.22
yarn_classic=$SETUP_NPM/bin/yarn
need_npm @yarnpkg/cli-dist 4.18.1
yarn=$SETUP_NPM/bin/yarn

public=$(npm config get registry)
curl -fsS -m 20 -o /dev/null "${public%/}/ms" 2>/dev/null || public=
files=$PACKHOUSE_WORK/registry
mkdir -p "$files/files"
stub_start "$files" md5

# serve [ADDRESS [ARGUMENT…]]: the server over this registry; without one over the public registry, for which the stub
# stands in where there is none.
serve() {
    local address=${1:-${public:-$STUB_URL}}
    shift $(($# > 0))
    packhouse_start --upstream "public:npmjs=$address" "$@"
}
serve

packhouse_repository acme store
aws codeartifact associate-external-connection --domain acme --repository store --external-connection public:npmjs >/dev/null
packhouse_repository acme app --upstreams repositoryName=store
packhouse_repository acme own
token=$(packhouse_token acme)
app=$(packhouse_endpoint acme npm app)
own=$(packhouse_endpoint acme npm own)

# Nothing of this machine's own settings, and nothing left from one scenario to the next.
export HOME=$PACKHOUSE_WORK/home
mkdir -p "$HOME"
unset npm_config_registry NPM_CONFIG_REGISTRY NPM_CONFIG_USERCONFIG XDG_CONFIG_HOME XDG_DATA_HOME
export npm_config_userconfig=$HOME/.npmrc npm_config_update_notifier=false npm_config_fund=false npm_config_fetch_retries=0
export YARN_ENABLE_TELEMETRY=0 YARN_ENABLE_GLOBAL_CACHE=false YARN_ENABLE_COLORS=false CI=

# rc FILE ADDRESS TOKEN: settings by which everything comes from there.
rc() {
    printf 'registry=%s\n%s:_authToken=%s\n%s:always-auth=true\n' "$2" "${2#http:}" "$3" "${2#http:}" >"$1"
}

# fresh NAME [PACKAGE.JSON]: an empty project, and clients that have seen nothing; goes there.
fresh() {
    rm -rf "${PACKHOUSE_WORK:?}/$1"
    mkdir -p "$PACKHOUSE_WORK/$1"
    cd "$PACKHOUSE_WORK/$1"
    forget
    printf '%s\n' "${2:-{\"name\":\"consumer\",\"version\":\"1.0.0\",\"private\":true\}}" >package.json
    rc .npmrc "${ADDRESS:-$app}" "${TOKEN:-$token}"
}

# forget: the clients have seen nothing.
forget() {
    rm -rf node_modules "$PACKHOUSE_WORK/caches"
    export npm_config_cache=$PACKHOUSE_WORK/caches/npm YARN_CACHE_FOLDER=$PACKHOUSE_WORK/caches/yarn
    export XDG_DATA_HOME=$PACKHOUSE_WORK/caches/data XDG_CACHE_HOME=$PACKHOUSE_WORK/caches/cache
}

# package NAME VERSION [MEMBERS]: a package to be published, in the project at hand.
package() {
    printf '{"name":"%s","version":"%s","description":"for a test","license":"MIT","main":"index.js","files":["index.js"],"bin":{"say-%s":"index.js"}%s}\n' \
        "$1" "$2" "${1##*/}" "${3:-}" >package.json
    printf '#!/usr/bin/env node\nmodule.exports = "%s %s";\nif (require.main === module) console.log(module.exports);\n' "$1" "$2" >index.js
    printf '# %s\n' "$1" >README.md
}

# published NAME VERSION: publishes it with npm.
published() {
    fresh "publish-${1##*/}"
    package "$@"
    npm publish --tag "${TAG:-latest}"
}

# says NAME TEXT: what the installed package says.
says() { want "$(node -p "require('$1')")" "$2" "what $1 says"; }

# fails COMMAND…: it must; what it said is in said.txt.
fails() {
    if "$@" >"$PACKHOUSE_WORK/said.txt" 2>&1; then
        cat "$PACKHOUSE_WORK/said.txt"
        fail "\`$*\` succeeded"
    fi
}

# told TEXT: what failed said so.
told() {
    grep -qiF -- "$1" "$PACKHOUSE_WORK/said.txt" || {
        cat "$PACKHOUSE_WORK/said.txt"
        fail "it did not say \`$1\`"
    }
}

# lacks FILE TEXT: it is not in there.
lacks() {
    if grep -qF -- "$2" "$1"; then fail "\`$2\` is in $1"; fi
}

# code METHOD PATH [CURL ARGUMENT…]: the status of a request to `app`; the body is in $PACKHOUSE_WORK/body.
code() {
    local method=$1 path=$2
    shift 2
    curl -sS -m 60 -o "$PACKHOUSE_WORK/body" -w '%{http_code}' -H "Authorization: Bearer $token" -X "$method" "$@" "$app$path"
}

# query NAME EXPRESSION: of what the API lists of a package of the scope acme in `app`.
query() {
    aws codeartifact list-package-versions --domain acme --repository "${REPOSITORY:-app}" --format npm --namespace acme \
        --package "$1" --query "$2" --output text
}

set_status() {
    aws codeartifact update-package-versions-status --domain acme --repository app --format npm --namespace acme \
        --package "$1" --versions "$2" --target-status "$3" >/dev/null
}

needs_public() { [ -n "$public" ] || exit 77; }

# --- Scenarios --------------------------------------------------------------------------------------------------------

login_is_enough() {
    fresh login
    rm .npmrc
    aws codeartifact login --tool npm --domain acme --repository app
    want "$(npm config get registry)" "$app" "the registry after login"
    npm ping
    want "$(npm whoami)" admin "who npm says it is"
    rm -f "$HOME/.npmrc"
}

packages_are_published() {
    fresh pack
    package @acme/widget 1.0.0 ',"dependencies":{"@acme/part":"^1.0.0"},"devDependencies":{"x":"*"}'
    local tarball
    tarball=$PACKHOUSE_WORK/$(npm pack --silent --pack-destination "$PACKHOUSE_WORK")
    npm publish
    want "$(query widget 'versions[0].[version,status]' | tr '\t' ' ')" "1.0.0 Published" "the version"
    want "$(aws codeartifact list-package-version-assets --domain acme --repository app --format npm --namespace acme \
        --package widget --package-version 1.0.0 --query 'assets[0].[name,hashes."SHA-256"]' --output text | tr '\t' ' ')" \
        "package.tgz $(sha256 "$tarball")" "the asset"
    want "$(aws codeartifact list-package-version-dependencies --domain acme --repository app --format npm --namespace acme \
        --package widget --package-version 1.0.0 --query 'dependencies[].[namespace,package,dependencyType]' --output text | tr '\t\n' '  ')" \
        "acme part regular None x dev " "the dependencies"
    aws codeartifact get-package-version-readme --domain acme --repository app --format npm --namespace acme --package widget \
        --package-version 1.0.0 | grep -q '# @acme/widget'
    published @acme/part 1.0.0
    published plain 1.0.0
}

published_packages_are_installed() {
    fresh install
    npm install @acme/widget plain
    says @acme/widget "@acme/widget 1.0.0"
    says @acme/part "@acme/part 1.0.0"
    says plain "plain 1.0.0"
    want "$(json packages.node_modules/@acme/widget.resolved <package-lock.json)" "${app}@acme/widget/-/widget-1.0.0.tgz" "the address in the lock file"
    json packages.node_modules/@acme/widget.integrity <package-lock.json | grep -q '^sha512-'
    forget
    npm ci
    says plain "plain 1.0.0"
}

versions_do_not_change() {
    fresh again
    package @acme/widget 1.0.0 ',"keywords":["other"]'
    fails npm publish
    told "cannot publish over the previously published versions"
    fails "$pnpm" publish --no-git-checks
    told "previously published version"
    fresh tampered
    package @acme/widget 1.0.1
    body_of "$(npm pack --silent)" @acme/other 1.0.1 >body.json
    want "$(code PUT @acme%2fother -H 'content-type: application/json' --data-binary @body.json)" 400 "a tarball of another package"
    package @acme/same 1.0.0
    body_of "$(npm pack --silent)" @acme/same 1.0.0 >body.json
    want "$(code PUT @acme%2fsame --data-binary @body.json)" 201 "the first time"
    want "$(code PUT @acme%2fsame --data-binary @body.json)" 200 "the same bytes again"
}

# body_of TARBALL NAME VERSION: what clients put to publish it.
body_of() {
    python3 - "$@" <<'PYTHON'
import base64, json, sys
tarball, name, version = sys.argv[1:]
data = open(tarball, "rb").read()
print(json.dumps({
    "_id": name, "name": name, "dist-tags": {"latest": version}, "versions": {version: {"name": name, "version": version}},
    "_attachments": {f"{name}-{version}.tgz": {"data": base64.b64encode(data).decode(), "length": len(data)}},
}))
PYTHON
}

tags_name_versions() {
    TAG=next published @acme/tagged 2.0.0-rc.1
    TAG=latest published @acme/tagged 1.0.0
    npm dist-tag add @acme/tagged@2.0.0-rc.1 beta
    want "$(npm dist-tag ls @acme/tagged | tr '\n' ' ')" "beta: 2.0.0-rc.1 latest: 1.0.0 next: 2.0.0-rc.1 " "the tags"
    npm dist-tag rm @acme/tagged next
    fresh tagged
    npm install @acme/tagged@beta
    says @acme/tagged "@acme/tagged 2.0.0-rc.1"
    fails npm dist-tag add @acme/tagged@3.0.0 beta
    told "version not found"
    aws codeartifact delete-package-versions --domain acme --repository app --format npm --namespace acme --package tagged \
        --versions 2.0.0-rc.1 >/dev/null
    want "$(npm dist-tag ls @acme/tagged | tr '\n' ' ')" "latest: 1.0.0 " "the tags without the version"
}

deprecations_are_shown() {
    published @acme/old 1.0.0
    npm deprecate @acme/old@1.0.0 'please use something newer'
    fresh old
    npm install @acme/old 2>&1 | tee install.txt
    grep -q 'please use something newer' install.txt
    npm deprecate @acme/old@1.0.0 ''
    fresh old
    npm install @acme/old 2>&1 | tee install.txt
    lacks install.txt newer
}

pnpm_works() {
    fresh pnpm-publish
    package @acme/by-pnpm 1.0.0
    "$pnpm" publish --no-git-checks
    fresh pnpm
    "$pnpm" add @acme/by-pnpm @acme/widget plain
    says @acme/by-pnpm "@acme/by-pnpm 1.0.0"
    forget
    "$pnpm" install --frozen-lockfile
    says @acme/widget "@acme/widget 1.0.0"
}

pnpm_latest_works() {
    fresh pnpm12-publish
    package @acme/by-pnpm12 1.0.0
    "$pnpm_latest" publish --no-git-checks
    fresh pnpm12
    # What was published a moment ago is too young for it, unless it is told otherwise.
    printf 'minimumReleaseAge: 0\n' >pnpm-workspace.yaml
    "$pnpm_latest" add @acme/by-pnpm12 @acme/widget plain
    says @acme/by-pnpm12 "@acme/by-pnpm12 1.0.0"
    forget
    "$pnpm_latest" install --frozen-lockfile
    says @acme/widget "@acme/widget 1.0.0"
}

yarn_classic_works() {
    fresh yarn1-publish
    package @acme/by-yarn1 1.0.0
    "$yarn_classic" publish --non-interactive
    fresh yarn1
    "$yarn_classic" add --no-progress @acme/by-yarn1 @acme/widget plain
    says plain "plain 1.0.0"
    grep -q "$app" yarn.lock
    forget
    "$yarn_classic" install --frozen-lockfile --no-progress
    says @acme/by-yarn1 "@acme/by-yarn1 1.0.0"
}

# yarn_settings: the same for Yarn 2 and later, which reads a file of its own.
yarn_settings() {
    printf 'npmRegistryServer: "%s"\nnpmPublishRegistry: "%s"\nnpmAlwaysAuth: true\nnpmAuthToken: "%s"\nnodeLinker: node-modules\nunsafeHttpWhitelist: ["127.0.0.1"]\nnpmMinimalAgeGate: 0\n' \
        "$app" "$app" "$token" >.yarnrc.yml
    : >yarn.lock
}

yarn_works() {
    fresh yarn4-publish
    package @acme/by-yarn4 1.0.0
    yarn_settings
    "$yarn" install
    "$yarn" npm publish
    fresh yarn4
    yarn_settings
    "$yarn" add @acme/by-yarn4 @acme/widget plain
    says @acme/by-yarn4 "@acme/by-yarn4 1.0.0"
    forget
    rm -rf .yarn
    "$yarn" install --immutable
    says plain "plain 1.0.0"
}

states_decide() {
    published @acme/state 1.0.0
    published @acme/state 1.1.0
    fresh state
    npm install @acme/state@1.1.0
    set_status state 1.1.0 Unlisted
    want "$(npm view @acme/state versions --json --prefer-online | tr -d ' \n[]"')" 1.0.0 "what npm lists"
    forget
    npm ci
    set_status state 1.1.0 Archived
    forget
    fails npm ci
    told 404
    set_status state 1.1.0 Published
    forget
    npm ci
    aws codeartifact dispose-package-versions --domain acme --repository app --format npm --namespace acme --package state \
        --versions 1.1.0 >/dev/null
    forget
    fails npm ci
    cd "$PACKHOUSE_WORK/publish-state"
    fails npm publish
    aws codeartifact delete-package-versions --domain acme --repository app --format npm --namespace acme --package state \
        --versions 1.1.0 >/dev/null
    npm publish
}

strangers_are_refused() {
    TOKEN=wrong fresh stranger
    fails npm install plain
    told "authentication token seems to be invalid"
    fresh anonymous
    printf 'registry=%s\n' "$app" >.npmrc
    fails npm install plain
    want "$(curl -sS -o "$PACKHOUSE_WORK/body" -w '%{http_code}' "${app}plain")" 401 "without a token"
    grep -q '"error":"authorization token is missing' "$PACKHOUSE_WORK/body"
}

readers_do_not_publish() {
    aws iam create-user --user-name reader >/dev/null
    aws iam put-user-policy --user-name reader --policy-name read --policy-document '{"Version":"2012-10-17","Statement":[
        {"Effect":"Allow","Action":["codeartifact:GetAuthorizationToken","codeartifact:ReadFromRepository","sts:GetServiceBearerToken"],"Resource":"*"}]}'
    local keys id secret reader
    keys=$(aws iam create-access-key --user-name reader)
    id=$(json AccessKey.AccessKeyId <<<"$keys")
    secret=$(json AccessKey.SecretAccessKey <<<"$keys")
    reader=$(AWS_ACCESS_KEY_ID=$id AWS_SECRET_ACCESS_KEY=$secret packhouse_token acme)
    TOKEN=$reader fresh reader
    package @acme/forbidden 1.0.0
    fails npm publish
    told E403
    told "not authorized to perform"
    TOKEN=$reader fresh reader
    npm install plain
    says plain "plain 1.0.0"
}

everyday_commands_work() {
    fresh everyday
    npm search widget --json | grep -q '@acme/widget'
    want "$(npm view @acme/tagged@latest dist.tarball)" "${app}@acme/tagged/-/tagged-1.0.0.tgz" "npm view"
    want "$(npx --yes plain)" "plain 1.0.0" "npx"
    published @acme/part 1.0.1
    cd "$PACKHOUSE_WORK/everyday"
    npm install @acme/part@1.0.0
    # Its status is 1 where something is outdated.
    { npm outdated --json --prefer-online || :; } | grep -q '1.0.1'
    fails npm unpublish @acme/part@1.0.1 --force
    told "use delete-package-versions"
    local command
    for command in "owner add somebody @acme/part" "star @acme/part" "access list packages" "profile get" "team ls acme" "token list"; do
        # shellcheck disable=SC2086 # words of a command
        fails npm $command
        told "manage access with IAM"
    done
    npm audit
    npm pack @acme/widget
}

logout_leaves_no_token() {
    local mine
    mine=$(packhouse_token acme)
    TOKEN=$mine fresh logout
    mv .npmrc "$HOME/.npmrc"
    npm logout
    lacks "$HOME/.npmrc" authToken
    rm -f "$HOME/.npmrc"
    lacks "$PACKHOUSE_LOG" "$mine"
    grep -q 'user/token/(hidden)' "$PACKHOUSE_LOG"
}

applications_are_installed() {
    needs_public
    fresh express
    npm install express@4
    node -e 'require("express")()'
    cp package-lock.json "$PACKHOUSE_WORK/express.lock"
    want "$(aws codeartifact list-package-versions --domain acme --repository app --format npm --package express \
        --query 'versions[0].origin.originType' --output text)" EXTERNAL "the origin of what was taken"
}

lock_files_are_those_of_the_registry() {
    needs_public
    fresh direct
    printf 'registry=%s\n' "$public" >.npmrc
    npm install express@4
    cp package-lock.json "$PACKHOUSE_WORK/direct.lock"
    want "$(unplaced "$PACKHOUSE_WORK/express.lock")" "$(unplaced "$PACKHOUSE_WORK/direct.lock")" "the lock file"
}

# unplaced FILE: a lock file without the addresses in it.
unplaced() {
    python3 -c '
import json, sys
lock = json.load(open(sys.argv[1]))
for package in lock["packages"].values():
    package.pop("resolved", None)
print(json.dumps(lock, sort_keys=True))' "$1"
}

lock_files_of_the_registry_install() {
    needs_public
    packhouse_repository acme never --upstreams repositoryName=store
    ADDRESS=$(packhouse_endpoint acme npm never) fresh foreign
    cp "$PACKHOUSE_WORK/direct/package.json" .
    cp "$PACKHOUSE_WORK/direct.lock" package-lock.json
    npm ci
    node -e 'require("express")()'
    want "$(aws codeartifact list-package-versions --domain acme --repository never --format npm --package express \
        --query 'length(versions)' --output text)" 1 "what the repository keeps of it"
}

other_clients_install_applications() {
    needs_public
    fresh pnpm-express
    "$pnpm" add express@4
    node -e 'require("express")()'
    fresh yarn1-express
    "$yarn_classic" add --no-progress express@4
    node -e 'require("express")()'
    fresh yarn4-express
    yarn_settings
    "$yarn" add express@4
    node -e 'require("express")()'
}

applications_outlive_the_registry() {
    needs_public
    fresh unplugged
    cp "$PACKHOUSE_WORK/express/package.json" .
    cp "$PACKHOUSE_WORK/express.lock" package-lock.json
    npm ci
    node -e 'require("express")()'
    forget
    rm package-lock.json
    npm install
    node -e 'require("express")()'
    fails npm install a-package-that-nobody-has-asked-for
    told 503
}

# offer NAME VERSION [TARBALL]: a package on the stub, published in 2021 if its version begins with 1; the bytes may be
# others than it promises.
offer() {
    fresh offered
    package "$1" "$2"
    local tarball
    tarball=$(npm pack --silent)
    python3 - "$1" "$2" "$tarball" "${STUB_URL}files/$1-$2.tgz" "$files/$1" <<'PYTHON'
import base64, hashlib, json, os, sys
name, version, tarball, url, known = sys.argv[1:]
data = open(tarball, "rb").read()
digest = base64.b64encode(hashlib.sha512(data).digest()).decode()
document = json.load(open(known)) if os.path.exists(known) else {"name": name, "versions": {}, "time": {}}
document["dist-tags"] = {"latest": version}
document["versions"][version] = {"name": name, "version": version, "dist": {"tarball": url, "integrity": "sha512-" + digest}}
document["time"][version] = f"202{version[0]}-01-01T00:00:00.000000+00:00"
json.dump(document, open(known, "w"))
PYTHON
    cp "${3:-$tarball}" "$files/files/$1-$2.tgz"
}

times_are_those_of_the_registry() {
    offer aged 1.0.0
    offer aged 2.0.0
    fresh before
    npm install aged --before 2021-06-01
    says aged "aged 1.0.0"
    fresh after
    npm install aged
    says aged "aged 2.0.0"
    fresh before-pnpm
    printf 'minimumReleaseAge: %s\n' $((($(date +%s) - $(date -d 2021-06-01 +%s)) / 60)) >pnpm-workspace.yaml
    "$pnpm_latest" add aged
    says aged "aged 1.0.0"
}

vulnerabilities_are_told() {
    published @acme/secret 1.0.0
    offer leaky 1.0.0
    offer leaky 2.0.0
    mkdir -p "$files/-/npm/v1/security/advisories"
    printf '{"leaky":[{"id":7,"url":"http://advisories.test/7","title":"it leaks","severity":"high","vulnerable_versions":"<1.5.0","cwe":[],"cvss":{"score":7}}]}' \
        >"$files/-/npm/v1/security/advisories/bulk"
    fresh audited '{"name":"consumer","version":"1.0.0","dependencies":{"leaky":"1.0.0","sealed":"npm:leaky@2.0.0","@acme/secret":"*"}}'
    npm install
    fails npm audit
    told "it leaks"
    stub_sent -/npm/v1/security/advisories/bulk >asked.json
    grep -q leaky asked.json
    lacks asked.json secret
    fresh audited-pnpm '{"name":"consumer","version":"1.0.0","dependencies":{"leaky":"1.0.0","@acme/secret":"*"}}'
    "$pnpm" install
    fails "$pnpm" audit
    told "it leaks"
    told ">=1.5.0"
    stub_sent -/npm/v1/security/advisories/bulk >asked.json
    lacks asked.json secret
    fresh sound '{"name":"consumer","version":"1.0.0","dependencies":{"leaky":"2.0.0"}}'
    rm "$files/-/npm/v1/security/advisories/bulk"
    npm install
    npm audit
}

versions_are_unpublished() {
    published @acme/gone 1.0.0
    published @acme/gone 1.1.0
    npm unpublish @acme/gone@1.1.0 --force
    want "$(npm view @acme/gone version --prefer-online)" 1.0.0 "what latest is now"
    fresh gone
    npm install @acme/gone
    says @acme/gone "@acme/gone 1.0.0"
    npm unpublish @acme/gone --force
    fails npm view @acme/gone --prefer-online
    told 404
    published @acme/gone 1.1.0
}

lies_are_not_believed() {
    fresh wrong
    package liar 9.9.9
    local other
    other=$PWD/$(npm pack --silent)
    cp "$other" "$PACKHOUSE_WORK/other.tgz"
    offer liar 1.0.0 "$PACKHOUSE_WORK/other.tgz"
    fresh lied-to
    fails npm install liar
    told 502
    fails aws codeartifact list-package-versions --domain acme --repository app --format npm --package liar
    offer liar 1.0.0
    fresh told-the-truth
    npm install liar
    says liar "liar 1.0.0"
}

private_names_are_not_confused() {
    published acme-util 1.0.0
    offer acme-util 99.0.0
    local before
    before=$(stub_asked acme-util)
    fresh confused
    npm install acme-util
    says acme-util "acme-util 1.0.0"
    want "$(stub_asked acme-util)" "$before" "how often the registry was asked for the name"
}

outages_are_not_absence() {
    offer lasting 1.0.0
    fresh lasting
    npm install lasting
    stub_mode error
    fresh lasting
    npm install lasting
    says lasting "lasting 1.0.0"
    fails npm install unheard-of
    told 503
    stub_mode normal
}

upstream_tags_count() {
    ADDRESS=$own TAG=latest published @acme/both 1.0.1
    packhouse_repository acme above --upstreams repositoryName=own
    ADDRESS=$(packhouse_endpoint acme npm above)
    export ADDRESS
    published @acme/both 1.0.2
    fresh both
    npm install @acme/both
    says @acme/both "@acme/both 1.0.2"
    aws codeartifact put-package-origin-configuration --domain acme --repository above --format npm --namespace acme \
        --package both --restrictions publish=ALLOW,upstream=ALLOW >/dev/null
    fresh both
    npm install @acme/both
    says @acme/both "@acme/both 1.0.1"
    cd "$PACKHOUSE_WORK/publish-both"
    package @acme/both 1.0.1 ',"keywords":["other"]'
    fails "$pnpm" publish --no-git-checks --force
    told 1.0.1
}

scenario "aws codeartifact login sets npm up, which then knows who it is" login_is_enough
scenario "npm publishes; the API shows asset, hashes, dependencies and readme" packages_are_published
scenario "what was published is installed with our address and sha512 in the lock file, and again from that alone" published_packages_are_installed
scenario "a version is published once, and the refusal is shown" versions_do_not_change
scenario "tags are added, listed, installed by, removed, and go with their version" tags_name_versions
scenario "a deprecation is shown until it is taken back" deprecations_are_shown
scenario "pnpm publishes, adds, and installs from its lock file" pnpm_works
scenario "the latest pnpm publishes, adds, and installs from its lock file" pnpm_latest_works
scenario "Yarn 1 publishes, adds, and installs from its lock file" yarn_classic_works
scenario "Yarn 4 publishes, adds, and installs from its lock file" yarn_works
scenario "Unlisted installs from a lock file, Archived and Disposed do not, deleted is published anew" states_decide
scenario "a bad token and none are refused in words that help" strangers_are_refused
scenario "who may read installs, and is refused to publish with our sentence" readers_do_not_publish
scenario "search, view, npx, outdated, audit, pack; unpublish and what IAM is for are refused" everyday_commands_work
scenario "npm logout leaves no token in the log" logout_leaves_no_token
scenario "npm installs an application through us" applications_are_installed
scenario "its lock file is that of the registry but for the addresses" lock_files_are_those_of_the_registry
scenario "a lock file made elsewhere installs through a repository that has never seen a packument" lock_files_of_the_registry_install
scenario "pnpm, Yarn 1 and Yarn 4 install the application" other_clients_install_applications
packhouse_stop
serve http://127.0.0.1:9/
scenario "without the registry the application installs with empty caches, and new packages wait" applications_outlive_the_registry
packhouse_stop
serve "$STUB_URL" --npm-allow-unpublish
scenario "versions are as old as the registry says" times_are_those_of_the_registry
scenario "an audit tells of the versions that an advisory is about, and nobody of private names" vulnerabilities_are_told
scenario "versions are unpublished where the server allows it" versions_are_unpublished
scenario "a tarball with other bytes than promised is refused and not kept" lies_are_not_believed
scenario "a private name is installed from here and the registry is not asked" private_names_are_not_confused
scenario "an outage is not absence" outages_are_not_absence
scenario "tags of an upstream count where it is in reach" upstream_tags_count
scenarios_end
