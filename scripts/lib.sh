# shellcheck shell=bash
# For scripts that drive a Packhouse of their own: the demo and the client tests. Source it after `set -euo pipefail`.
#
#   source "$(dirname "$0")/../../../../scripts/lib.sh"    # from crates/formats/src/FORMAT/client.sh
#   packhouse_start                      # builds if need be; free port, own data directory; cleans up on exit
#   packhouse_repository demo app        # a domain and a repository
#   token=$(packhouse_token demo)
#   expect_status 404 GET "$(packhouse_endpoint demo maven app)nothing/here" -u "aws:$token"
#
# What a caller may set before: PACKHOUSE_BIN (a built binary; else it is built), PACKHOUSE_PROFILE (`dev` or
# `release`), PACKHOUSE_WORK (where everything is put; else a new temporary directory, removed on exit).
# What it then has: PACKHOUSE_URL, PACKHOUSE_ADDRESS, PACKHOUSE_DATA, PACKHOUSE_LOG, PACKHOUSE_PID and the AWS_ variables.

PACKHOUSE_ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# shellcheck source=scripts/setup
source "$PACKHOUSE_ROOT/scripts/setup"

# --- Saying -----------------------------------------------------------------------------------------------------------

# step TITLE: what is done now.
step() { printf '\n== %s\n' "$*"; }
# saw TEXT: what came of it.
saw() { printf '   %s\n' "$*"; }

# skip SENTENCE: ends a client test that cannot be run here; `make clients` counts it as skipped and shows why.
skip() {
    printf '%s\n' "$*"
    exit 77
}

# want ACTUAL EXPECTED WHAT: ends the script unless both are the same.
want() {
    [ "$1" = "$2" ] || fail "$3: expected \`$2\`, got \`$1\`"
}

# json PATH: the value at a dotted path of the JSON document on standard input, numbers being places in a list; `#` after
# a list is its length. Nothing and a failure when there is no such value.
json() {
    # shellcheck disable=SC2016 # nothing in it is for the shell
    python3 -c '
import json, sys
value = json.load(sys.stdin)
for part in sys.argv[1].split("."):
    try:
        value = len(value) if part == "#" else value[int(part) if isinstance(value, list) else part]
    except (KeyError, IndexError, ValueError, TypeError):
        sys.exit(f"no `{sys.argv[1]}` in the answer")
print(value if isinstance(value, str) else json.dumps(value))
' "$1"
}

# sha256 FILE: its digest in lower-case hex.
sha256() { sha256sum "$1" | cut -d ' ' -f 1; }

# --- The binary -------------------------------------------------------------------------------------------------------

# packhouse_build: sets PACKHOUSE_BIN.
packhouse_build() {
    if [ -n "${PACKHOUSE_BIN:-}" ]; then
        [ -x "$PACKHOUSE_BIN" ] || fail "PACKHOUSE_BIN names \`$PACKHOUSE_BIN\`, which is not a program"
        return
    fi
    need_cargo
    local profile=${PACKHOUSE_PROFILE:-dev} target folder
    (cd "$PACKHOUSE_ROOT" && cargo build --locked --profile "$profile" -p packhouse --bin packhouse) ||
        fail "the build failed; the compiler's words stand above"
    target=$(cd "$PACKHOUSE_ROOT" && cargo metadata --locked --no-deps --format-version 1 | json target_directory)
    folder=$profile
    [ "$profile" = dev ] && folder=debug
    PACKHOUSE_BIN=$target/$folder/packhouse
    [ -x "$PACKHOUSE_BIN" ] || fail "the build ended well but left no \`$PACKHOUSE_BIN\`"
}

# --- The server -------------------------------------------------------------------------------------------------------

PACKHOUSE_PID=
PACKHOUSE_ADDRESS=
PACKHOUSE_KEEP=${PACKHOUSE_KEEP:-}
packhouse_owns_work=

# packhouse_prepare: the directories and the build, without starting anything.
packhouse_prepare() {
    if [ -z "${PACKHOUSE_WORK:-}" ]; then
        PACKHOUSE_WORK=$(mktemp -d "${TMPDIR:-/tmp}/packhouse.XXXXXX")
        packhouse_owns_work=yes
    fi
    PACKHOUSE_DATA=$PACKHOUSE_WORK/data
    PACKHOUSE_LOG=$PACKHOUSE_WORK/packhouse.log
    mkdir -p "$PACKHOUSE_DATA"
    trap packhouse_cleanup EXIT
    packhouse_build
    need_aws
}

# packhouse_start [ARGUMENT…]: starts the server with these further arguments of `serve` and returns when it is ready.
# The first start takes a free port; later ones take the same again, so that addresses stay good.
packhouse_start() {
    [ -z "$PACKHOUSE_PID" ] || fail "the server runs already"
    [ -n "${PACKHOUSE_DATA:-}" ] || packhouse_prepare
    local listen=${PACKHOUSE_ADDRESS:-127.0.0.1:0} deadline=$((SECONDS + 60))
    rm -f "$PACKHOUSE_DATA/address"
    nohup "$PACKHOUSE_BIN" serve --data "$PACKHOUSE_DATA" --listen "$listen" "$@" >>"$PACKHOUSE_LOG" 2>&1 </dev/null &
    PACKHOUSE_PID=$!
    while true; do
        if [ -z "$PACKHOUSE_ADDRESS" ] && [ -s "$PACKHOUSE_DATA/address" ]; then
            PACKHOUSE_ADDRESS=$(<"$PACKHOUSE_DATA/address")
        fi
        if [ -n "$PACKHOUSE_ADDRESS" ] && curl -fsS -m 2 -o /dev/null "http://$PACKHOUSE_ADDRESS/readyz" 2>/dev/null; then
            break
        fi
        kill -0 "$PACKHOUSE_PID" 2>/dev/null || packhouse_lost "the server ended before it was ready"
        [ "$SECONDS" -lt "$deadline" ] || packhouse_lost "the server was not ready within a minute"
        sleep 0.1
    done
    PACKHOUSE_URL=http://$PACKHOUSE_ADDRESS
    packhouse_env
}

# packhouse_stop: asks the server to end and waits until it has.
packhouse_stop() {
    [ -n "$PACKHOUSE_PID" ] || return 0
    local pid=$PACKHOUSE_PID deadline=$((SECONDS + 30)) status=0
    PACKHOUSE_PID=
    kill -TERM "$pid" 2>/dev/null || :
    while kill -0 "$pid" 2>/dev/null; do
        if [ "$SECONDS" -ge "$deadline" ]; then
            kill -KILL "$pid" 2>/dev/null || :
            wait "$pid" 2>/dev/null || :
            fail "the server did not end within 30 seconds of being asked to; its log is $PACKHOUSE_LOG"
        fi
        sleep 0.1
    done
    wait "$pid" 2>/dev/null || status=$?
    [ "$status" -eq 0 ] || fail "the server ended with status $status when asked to stop; its log is $PACKHOUSE_LOG"
}

# packhouse_kill: ends the server at once, as a power cut would end the process.
packhouse_kill() {
    kill -KILL "$PACKHOUSE_PID" 2>/dev/null || :
    wait "$PACKHOUSE_PID" 2>/dev/null || :
    PACKHOUSE_PID=
}

packhouse_lost() {
    packhouse_kill
    tail -n 20 "$PACKHOUSE_LOG" >&2
    fail "$1; the end of its log stands above, the whole of it is $PACKHOUSE_LOG"
}

# packhouse_env: the AWS_ variables that point an unmodified client at the server, and none of the user's own.
packhouse_env() {
    local exports
    unset AWS_PROFILE AWS_DEFAULT_PROFILE AWS_SESSION_TOKEN AWS_ENDPOINT_URL_CODEARTIFACT AWS_ENDPOINT_URL_STS AWS_ENDPOINT_URL_IAM
    export AWS_CONFIG_FILE=/dev/null AWS_SHARED_CREDENTIALS_FILE=/dev/null AWS_EC2_METADATA_DISABLED=true AWS_PAGER=
    export AWS_DEFAULT_OUTPUT=json
    export NO_PROXY="127.0.0.1,localhost${NO_PROXY:+,$NO_PROXY}" no_proxy="127.0.0.1,localhost${no_proxy:+,$no_proxy}"
    exports=$("$PACKHOUSE_BIN" env --data "$PACKHOUSE_DATA") || fail "\`packhouse env\` failed"
    eval "$exports"
    want "${AWS_ENDPOINT_URL%/}" "$PACKHOUSE_URL" "AWS_ENDPOINT_URL as \`packhouse env\` prints it"
}

# packhouse_cleanup: runs on exit, however the script ends.
packhouse_cleanup() {
    local status=$?
    trap - EXIT
    if [ "$status" -eq 0 ] && [ -n "$PACKHOUSE_KEEP" ]; then
        return
    fi
    if [ "$status" -ne 0 ] && [ "$status" -ne 77 ]; then
        printf '%s\n' "What it left behind for a look: $PACKHOUSE_WORK" >&2
        packhouse_stop
    else
        packhouse_stop
        [ -z "$packhouse_owns_work" ] || rm -rf "$PACKHOUSE_WORK"
    fi
    exit "$status"
}

# --- Asking it --------------------------------------------------------------------------------------------------------

# packhouse_repository DOMAIN REPOSITORY [ARGUMENT…]: makes the domain if it is not there, and the repository with
# these further arguments of `aws codeartifact create-repository`.
packhouse_repository() {
    local domain=$1 repository=$2
    shift 2
    aws codeartifact describe-domain --domain "$domain" >/dev/null 2>&1 ||
        aws codeartifact create-domain --domain "$domain" >/dev/null || fail "could not create the domain \`$domain\`"
    aws codeartifact create-repository --domain "$domain" --repository "$repository" "$@" >/dev/null ||
        fail "could not create the repository \`$repository\`"
}

# packhouse_token DOMAIN: a token for package managers.
packhouse_token() {
    aws codeartifact get-authorization-token --domain "$1" --query authorizationToken --output text ||
        fail "got no token for the domain \`$1\`"
}

# packhouse_endpoint DOMAIN FORMAT REPOSITORY: the address that package managers are given; ends in `/`.
packhouse_endpoint() {
    aws codeartifact get-repository-endpoint --domain "$1" --format "$2" --repository "$3" \
        --query repositoryEndpoint --output text || fail "got no $2 endpoint of \`$1/$3\`"
}

# expect_status CODE METHOD URL [CURL ARGUMENT…]: sends it and ends the script unless that status came back.
# URL may be a path of the server. The body is left in $PACKHOUSE_WORK/body and the head in $PACKHOUSE_WORK/head.
expect_status() {
    local code=$1 method=$2 url=$3 got
    shift 3
    case $url in /*) url=$PACKHOUSE_URL$url ;; esac
    local how=(-X "$method")
    [ "$method" = HEAD ] && how=(-I)
    got=$(curl -sS -m 120 "${how[@]}" -o "$PACKHOUSE_WORK/body" -D "$PACKHOUSE_WORK/head" -w '%{http_code}' "$@" "$url") ||
        fail "$method $url got no answer"
    if [ "$got" != "$code" ]; then
        head -c 500 "$PACKHOUSE_WORK/body" >&2
        fail "$method $url: expected status $code, got $got; the start of the body stands above"
    fi
}
