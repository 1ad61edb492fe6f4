# shellcheck shell=bash
# For client tests: scenarios that are counted, and a public registry of files. Source it after lib.sh.
#
#   scenario "what is shown" function     a line `ok N - what is shown`, or `not ok` and the end of what it said;
#                                         a function that returns 77 is counted as skipped
#   scenarios_end                         `N passed, N failed, N skipped`; fails if one did
#   stub_start DIRECTORY [CHECKSUMS]      scripts/stub-registry over this directory; sets STUB_URL
#   stub_mode MODE                        how it behaves from now on
#   stub_asked PATH                       how often it was asked for this
#   stub_sent PATH                        the body that was last posted there

scenario_number=0 scenario_passed=0 scenario_failed=0 scenario_skipped=0

scenario() {
    local status log=$PACKHOUSE_WORK/scenario.log began=$SECONDS
    scenario_number=$((scenario_number + 1))
    # Not in a condition: there, a command that fails would not end the function.
    set +e
    (
        set -e
        "$2"
    ) >"$log" 2>&1
    status=$?
    set -e
    case $status in
    0)
        scenario_passed=$((scenario_passed + 1))
        printf 'ok %s - %s (%s s)\n' $scenario_number "$1" $((SECONDS - began))
        ;;
    77)
        scenario_skipped=$((scenario_skipped + 1))
        printf 'ok %s - %s # skipped\n' $scenario_number "$1"
        ;;
    *)
        scenario_failed=$((scenario_failed + 1))
        printf 'not ok %s - %s\n' $scenario_number "$1"
        tail -n 15 "$log" | sed 's/^/    /'
        ;;
    esac
}

scenarios_end() {
    printf '%s passed, %s failed, %s skipped\n' $scenario_passed $scenario_failed $scenario_skipped
    [ $scenario_failed -eq 0 ]
}

# It ends when this shell does, because its standard input does.
stub_start() {
    local said=$PACKHOUSE_WORK/stub.address deadline=$((SECONDS + 10))
    # shellcheck disable=SC2034 # kept open, that is its use
    exec {stub_input}> >(exec "$PACKHOUSE_ROOT/scripts/stub-registry" "$1" --checksums "${2:-sha1,md5}" >"$said")
    until [ -s "$said" ]; do
        [ "$SECONDS" -lt "$deadline" ] || fail "the stub registry did not start"
        sleep 0.1
    done
    STUB_URL=$(head -n 1 "$said")
}

stub_mode() { curl -fsS -X PUT --data "$1" "${STUB_URL}-/mode"; }
stub_asked() { curl -fsS "${STUB_URL}-/asked/$1"; }
stub_sent() { curl -fsS "${STUB_URL}-/sent/$1"; }
