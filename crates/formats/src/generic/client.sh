#!/usr/bin/env bash
# The scenarios of the format's specification with the real clients: the aws command, boto3, curl, wget.
#
#   crates/formats/src/generic/client.sh [path/to/packhouse]
#
# A line for each scenario, `ok N - name` or `not ok N - name` with the end of what it said; at last how many passed.
set -euo pipefail
# shellcheck source=scripts/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/../../../../scripts/lib.sh"
[ $# -eq 0 ] || PACKHOUSE_BIN=$(realpath "$1")
# shellcheck source=scripts/scenarios.sh
source "$PACKHOUSE_ROOT/scripts/scenarios.sh"

packhouse_prepare
packhouse_start
packhouse_repository acme app
packhouse_repository acme team --upstreams repositoryName=app
token=$(packhouse_token acme)
app=$(packhouse_endpoint acme generic app)

# codeartifact OPERATION [ARGUMENT…]: of the package ns/p in `app`, unless said otherwise.
codeartifact() {
    local operation=$1
    shift
    aws codeartifact "$operation" --domain acme --repository "${REPOSITORY:-app}" --format generic --namespace "${NAMESPACE-ns}" --package "${PACKAGE:-p}" "$@"
}

# publish VERSION ASSET FILE [ARGUMENT…]
publish() {
    local version=$1 asset=$2 file=$3
    shift 3
    codeartifact publish-package-version --package-version "$version" --asset-name "$asset" --asset-content "$file" \
        --asset-sha256 "${SHA256:-$(sha256 "$file")}" "$@"
}

# fetch VERSION ASSET: into $PACKHOUSE_WORK/got
fetch() {
    codeartifact get-package-version-asset --package-version "$1" --asset "$2" "$PACKHOUSE_WORK/got" >/dev/null
}

# refused EXCEPTION COMMAND…: the command fails with this exception.
refused() {
    local exception=$1
    shift
    if "$@" >"$PACKHOUSE_WORK/refused.log" 2>&1; then
        fail "\`$*\` was done"
    fi
    grep -q "($exception)" "$PACKHOUSE_WORK/refused.log" || fail "\`$*\` failed otherwise than with $exception: $(tail -n 1 "$PACKHOUSE_WORK/refused.log")"
}

status() { codeartifact describe-package-version --package-version "$1" --query packageVersion.status --output text; }

set_status() { codeartifact update-package-versions-status --versions "$1" --target-status "$2" >/dev/null; }

printf 'hello' >"$PACKHOUSE_WORK/hello"
printf 'other' >"$PACKHOUSE_WORK/other"

one_file_is_published() {
    local answer
    answer=$(publish 1.0 hello.txt "$PACKHOUSE_WORK/hello")
    want "$(json status <<<"$answer")" Published "the status"
    want "$(json asset.hashes.SHA-256 <<<"$answer")" "$(sha256 "$PACKHOUSE_WORK/hello")" "the hash"
    want "$(codeartifact describe-package-version --package-version 1.0 --query packageVersion.origin.originType --output text)" INTERNAL "the origin"
    want "$(codeartifact describe-package --query 'package.originConfiguration.restrictions.[publish,upstream]' --output text | tr '\t' ' ')" "ALLOW BLOCK" "the origin controls"
    fetch 1.0 hello.txt
    cmp "$PACKHOUSE_WORK/got" "$PACKHOUSE_WORK/hello"
}

files_come_one_by_one() {
    publish 2.0 a "$PACKHOUSE_WORK/hello" --unfinished >/dev/null
    publish 2.0 b "$PACKHOUSE_WORK/other" --unfinished >/dev/null
    want "$(status 2.0)" Unfinished "the status"
    refused ResourceNotFoundException fetch 2.0 a
    publish 2.0 c "$PACKHOUSE_WORK/hello" >/dev/null
    want "$(status 2.0)" Published "the status"
    fetch 2.0 a
    cmp "$PACKHOUSE_WORK/got" "$PACKHOUSE_WORK/hello"
    fetch 2.0 b
    cmp "$PACKHOUSE_WORK/got" "$PACKHOUSE_WORK/other"
}

a_status_finishes() {
    publish 3.0 a "$PACKHOUSE_WORK/hello" --unfinished >/dev/null
    set_status 3.0 Published
    want "$(status 3.0)" Published "the status"
    fetch 3.0 a
}

wrong_hashes_keep_nothing() {
    local before
    before=$(aws codeartifact list-packages --domain acme --repository app --format generic --query 'packages[].package' --output text)
    SHA256=$(sha256 "$PACKHOUSE_WORK/other") PACKAGE=wrong refused ValidationException publish 1.0 a "$PACKHOUSE_WORK/hello"
    want "$(aws codeartifact list-packages --domain acme --repository app --format generic --query 'packages[].package' --output text)" "$before" "the packages"
}

files_do_not_change() {
    publish 1.0 hello.txt "$PACKHOUSE_WORK/hello" >/dev/null
    refused ConflictException publish 1.0 hello.txt "$PACKHOUSE_WORK/other"
    publish 4.0 a "$PACKHOUSE_WORK/hello" >/dev/null
    codeartifact delete-package-versions --versions 4.0 >/dev/null
    publish 4.0 a "$PACKHOUSE_WORK/other" >/dev/null
}

names_are_those_of_aws() {
    local name number=0 version
    for name in 'a (1) ünï.tar.gz' '模型.bin' 'x@^&[]{};,.!~'; do
        version=5.$((number++))
        publish "$version" "$name" "$PACKHOUSE_WORK/hello" >/dev/null
        fetch "$version" "$name"
        cmp "$PACKHOUSE_WORK/got" "$PACKHOUSE_WORK/hello"
        codeartifact list-package-version-assets --package-version "$version" |
            python3 -c 'import json, sys; assert sys.argv[1] in [asset["name"] for asset in json.load(sys.stdin)["assets"]]' "$name"
    done
    for name in . .. ' a' 'a  b' 'a/b' 'a:b' 'a%b'; do
        refused ValidationException publish 5.9 "$name" "$PACKHOUSE_WORK/hello"
    done
}

a_namespace_is_needed() {
    refused ValidationException aws codeartifact publish-package-version --domain acme --repository app --format generic --package p \
        --package-version 1.0 --asset-name a --asset-content "$PACKHOUSE_WORK/hello" --asset-sha256 "$(sha256 "$PACKHOUSE_WORK/hello")"
    refused ValidationException aws codeartifact publish-package-version --domain acme --repository app --format maven --namespace ns --package p \
        --package-version 1.0 --asset-name a --asset-content "$PACKHOUSE_WORK/hello" --asset-sha256 "$(sha256 "$PACKHOUSE_WORK/hello")"
}

upstreams_are_not_asked() {
    REPOSITORY=team refused ResourceNotFoundException fetch 1.0 hello.txt
    aws codeartifact copy-package-versions --domain acme --source-repository app --destination-repository team --format generic \
        --namespace ns --package p --versions 1.0 >/dev/null
    REPOSITORY=team fetch 1.0 hello.txt
    cmp "$PACKHOUSE_WORK/got" "$PACKHOUSE_WORK/hello"
}

statuses_decide() {
    publish 6.0 a "$PACKHOUSE_WORK/hello" >/dev/null
    set_status 6.0 Unlisted
    fetch 6.0 a
    set_status 6.0 Archived
    refused ResourceNotFoundException fetch 6.0 a
    codeartifact dispose-package-versions --versions 6.0 >/dev/null
    refused ResourceNotFoundException fetch 6.0 a
    codeartifact delete-package-versions --versions 6.0 >/dev/null
    refused ResourceNotFoundException codeartifact describe-package-version --package-version 6.0
}

# curl with the token: the status; the body is in $PACKHOUSE_WORK/body, the head in $PACKHOUSE_WORK/head.
http() { curl -sS -m 120 -u "aws:$token" -o "$PACKHOUSE_WORK/body" -D "$PACKHOUSE_WORK/head" -w '%{http_code}' "$@"; }

limits_hold() {
    local number
    seq 350 | xargs -P 8 -I {} curl -sS -o /dev/null -u "aws:$token" -X PUT --data-binary x "${app}ns/many/1.0/{}?unfinished=true"
    want "$(http -X PUT --data-binary x "${app}ns/many/1.0/over?unfinished=true")" 402 "the 351st file"
    PACKAGE=many refused ServiceQuotaExceededException publish 1.0 over "$PACKHOUSE_WORK/hello"
    number=$(PACKAGE=many codeartifact list-package-version-assets --package-version 1.0 | json assets.#)
    want "$number" 350 "the files of the version"
}

large_files_stream() {
    local before after
    head -c 314572800 /dev/urandom >"$PACKHOUSE_WORK/large"
    before=$(memory)
    publish 7.0 large "$PACKHOUSE_WORK/large" >/dev/null
    fetch 7.0 large
    cmp "$PACKHOUSE_WORK/got" "$PACKHOUSE_WORK/large"
    after=$(memory)
    [ $((after - before)) -lt 150000 ] || fail "memory grew from $before to $after KiB over a file of 300 MiB"
    rm -f "$PACKHOUSE_WORK"/{large,got}
}

# The most memory that the server ever had, in KiB.
memory() { sed -n 's/^VmHWM:[^0-9]*\([0-9]*\) kB/\1/p' "/proc/$PACKHOUSE_PID/status"; }

boto3_streams() {
    local python
    # The aws command is written in Python, and what it stands on is what boto3 stands on.
    python=$(sed -n '1s/^#!//p' "$(command -v aws)")
    case $python in */python*) ;; *) python=python3 ;; esac
    "$python" -c 'import botocore' 2>/dev/null || python=python3
    "$python" -c 'import botocore' 2>/dev/null || return 77
    "$python" - "$PACKHOUSE_WORK/hello" <<'PYTHON'
import hashlib, sys
import botocore.session
client = botocore.session.get_session().create_client("codeartifact")
body = open(sys.argv[1], "rb").read()
at = dict(domain="acme", repository="app", format="generic", namespace="ns", package="boto")
for name, content in (("file", open(sys.argv[1], "rb")), ("bytes", body)):
    at["packageVersion"] = name
    answer = client.publish_package_version(**at, assetName=name, assetContent=content, assetSHA256=hashlib.sha256(body).hexdigest())
    assert answer["asset"]["size"] == len(body), answer
    got = client.get_package_version_asset(**at, asset=name)
    assert got["assetName"] == name and got["packageVersion"] == name, got
    assert got["packageVersionRevision"] == client.describe_package_version(**at)["packageVersion"]["revision"]
    assert b"".join(got["asset"].iter_chunks()) == body
PYTHON
}

one_of_two_wins() {
    local codes
    codes=$(printf '%s\n' hello other | xargs -P 2 -I {} curl -sS -o /dev/null -w '%{http_code}\n' -u "aws:$token" -T "$PACKHOUSE_WORK/{}" "${app}ns/race/1.0/a" | sort | tr '\n' ' ')
    want "$codes" "201 409 " "the statuses"
}

http_works() {
    local url=${app}ns/http/1.0/
    want "$(http -T "$PACKHOUSE_WORK/hello" "$url")" 201 "an upload, the name added by curl"
    want "$(http -T "$PACKHOUSE_WORK/hello" "$url")" 200 "the same again"
    want "$(http -T "$PACKHOUSE_WORK/other" "${url}hello")" 409 "other bytes"
    want "$(http -X PUT --data-binary x -H "X-Checksum-Sha256: $(sha256 "$PACKHOUSE_WORK/hello")" "${url}lie")" 400 "bytes that were not promised"
    want "$(http "${url}hello")" 200 "a download"
    cmp "$PACKHOUSE_WORK/body" "$PACKHOUSE_WORK/hello"
    grep -qi '^content-disposition: attachment' "$PACKHOUSE_WORK/head"
    grep -qi '^content-security-policy: sandbox' "$PACKHOUSE_WORK/head"
    want "$(http -H "If-None-Match: \"$(sha256 "$PACKHOUSE_WORK/hello")\"" "${url}hello")" 304 "a download of what is here"
    want "$(http "${url}hello.sha256")" 200 "the digest"
    want "$(cat "$PACKHOUSE_WORK/body")" "$(sha256 "$PACKHOUSE_WORK/hello")" "the digest"
    want "$(http "$url")" 200 "the files"
    want "$(json 0.name <"$PACKHOUSE_WORK/body")" hello "the first file"
    want "$(http "${app}ns/http/")" 200 "the versions"
    want "$(json 0 <"$PACKHOUSE_WORK/body")" 1.0 "the first version"
    want "$(http -X DELETE "${url}hello")" 405 "DELETE"
    printf 'he' >"$PACKHOUSE_WORK/part"
    curl -fsS -u "aws:$token" -C - -o "$PACKHOUSE_WORK/part" "${url}hello"
    cmp "$PACKHOUSE_WORK/part" "$PACKHOUSE_WORK/hello"
    want "$(curl -sS -o /dev/null -w '%{http_code}' "${url}hello")" 401 "without a token"
}

wget_is_challenged() {
    has wget || return 77
    wget -q --user aws --password "$token" -O "$PACKHOUSE_WORK/wget" "${app}ns/http/1.0/hello"
    cmp "$PACKHOUSE_WORK/wget" "$PACKHOUSE_WORK/hello"
}

paths_do_not_leave() {
    local path got
    for path in ../../../etc/passwd ns/p/1.0/..%2f..%2f..%2fetc%2fpasswd ns/p/1.0/%2e%2e ns/../p/1.0/a ns/p/1.0/..%5ca ns/p/1.0/a%00 \
        ns/p/1.0/a%0ab ns//1.0/a ns/p/1.0/a%E2%80%AEb ns/p/1.0/a%EF%BC%8Fb; do
        got=$(http --path-as-is "$app$path")
        case $got in 400 | 404) ;; *) fail "GET $path: $got" ;; esac
        got=$(http --path-as-is -X PUT --data-binary x "$app$path")
        case $got in 400 | 404) ;; *) fail "PUT $path: $got" ;; esac
    done
}

nothing_is_interpreted() {
    want "$(codeartifact list-package-version-dependencies --package-version 1.0 --query 'length(dependencies)' --output text)" 0 "the dependencies"
    refused ResourceNotFoundException codeartifact get-package-version-readme --package-version 1.0
}

scenario "the aws command publishes a file" one_file_is_published
scenario "files come one by one" files_come_one_by_one
scenario "a change of status finishes a version" a_status_finishes
scenario "a wrong hash keeps nothing" wrong_hashes_keep_nothing
scenario "files do not change" files_do_not_change
scenario "names are those that AWS allows" names_are_those_of_aws
scenario "a namespace is needed, and this format" a_namespace_is_needed
scenario "upstreams are not asked" upstreams_are_not_asked
scenario "the status decides" statuses_decide
scenario "limits hold" limits_hold
scenario "a large file streams" large_files_stream
scenario "boto3's core streams" boto3_streams
scenario "of two parallel files one wins" one_of_two_wins
scenario "curl works" http_works
scenario "wget is challenged and comes back" wget_is_challenged
scenario "paths do not leave the tree" paths_do_not_leave
scenario "nothing is interpreted" nothing_is_interpreted
scenarios_end
