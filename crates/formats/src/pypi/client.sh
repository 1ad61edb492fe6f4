#!/usr/bin/env bash
# The scenarios of the format's specification with the real clients: pip, uv, Poetry, twine, curl, Python's standard
# library, the aws command.
#
#   crates/formats/src/pypi/client.sh [path/to/packhouse]
#
# A line for each scenario, `ok N - name` or `not ok N - name` with the end of what it said; at last how many passed.
# Flask and what it needs come through Packhouse from the public index that this machine's pip is set up for, in its settings
# or by its own default; where that cannot be reached, the test is skipped.
set -euo pipefail
# shellcheck source=scripts/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/../../../../scripts/lib.sh"
[ $# -eq 0 ] || PACKHOUSE_BIN=$(realpath "$1")
# shellcheck source=scripts/scenarios.sh
source "$PACKHOUSE_ROOT/scripts/scenarios.sh"

# --- Set-up -----------------------------------------------------------------------------------------------------------

need_python_clients
packhouse_prepare
index=$(python3 -c 'from pip._internal.models.index import PyPI; print(PyPI.simple_url)')
index=$(pip config get global.index-url 2>/dev/null || printf '%s' "${PIP_INDEX_URL:-$index}")
index=${index%/}

# The host of the files on a page of the public index: in a network of its own it may have an address of its own.
files_host=$(python3 - "$index/pip/" <<'PYTHON'
import json, sys, urllib.request
from urllib.parse import urljoin, urlsplit
page = sys.argv[1]
ask = urllib.request.Request(page, headers={"Accept": "application/vnd.pypi.simple.v1+json"})
with urllib.request.urlopen(ask, timeout=30) as answer:
    print(urlsplit(urljoin(page, json.load(answer)["files"][0]["url"])).hostname)
PYTHON
) || skip "the public index of this machine's pip cannot be reached"

# None of this machine's own settings, and none of its caches.
while IFS= read -r name; do unset "$name"; done < <(env | sed -n 's/^\(PIP_[A-Z_]*\|UV_[A-Z_]*\|TWINE_[A-Z_]*\|POETRY_[A-Z_]*\)=.*/\1/p')
certificates=${SSL_CERT_FILE:-${REQUESTS_CA_BUNDLE:-}}
export HOME=$PACKHOUSE_WORK/home PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_INPUT=1
export UV_NO_CONFIG=1 UV_PYTHON_DOWNLOADS=never UV_CACHE_DIR=$PACKHOUSE_WORK/uv-cache UV_NO_PROGRESS=1
export POETRY_CACHE_DIR=$PACKHOUSE_WORK/poetry-cache POETRY_VIRTUALENVS_IN_PROJECT=true PYTHON_KEYRING_BACKEND=keyring.backends.null.Keyring
[ -z "$certificates" ] || export SSL_CERT_FILE=$certificates REQUESTS_CA_BUNDLE=$certificates
mkdir -p "$HOME"

files=$PACKHOUSE_WORK/registry
mkdir -p "$files"
stub_start "$files"
public() { packhouse_start --upstream "public:pypi=${index%simple}" --registry-host "$files_host" "$@"; }
public

packhouse_repository acme pypi-store
packhouse_repository acme app --upstreams repositoryName=pypi-store
packhouse_repository acme team --upstreams repositoryName=pypi-store
aws codeartifact associate-external-connection --domain acme --repository pypi-store --external-connection public:pypi >/dev/null
token=$(packhouse_token acme)
app=$(packhouse_endpoint acme pypi app)
team=$(packhouse_endpoint acme pypi team)

# with_token URL: the address with user and token in it.
with_token() { printf '%s' "${1/:\/\//:\/\/aws:$token@}"; }

# fresh NAME: a new environment of Python; prints its directory.
fresh() {
    rm -rf "${PACKHOUSE_WORK:?}/$1"
    python3 -m venv --without-pip "$PACKHOUSE_WORK/$1"
    printf '%s' "$PACKHOUSE_WORK/$1"
}

# install ENVIRONMENT INDEX ARGUMENT…: pip without any cache.
install() {
    local environment=$1 from=$2
    shift 2
    PIP_CONFIG_FILE=/dev/null pip --python "$environment/bin/python" install --no-cache-dir --index-url "$from" "$@"
}

# distribution NAME VERSION TEXT [METADATA]: dist/ with a wheel and a source distribution that hold this text; prints the
# directory. Made by hand, so that no build tool has to be fetched.
distribution() {
    python3 - "$PACKHOUSE_WORK/dist-$1-$2" "$@" <<'PYTHON'
import io, os, re, shutil, sys, tarfile, zipfile
folder, name, version, text, *more = sys.argv[1:]
shutil.rmtree(folder, ignore_errors=True)
os.makedirs(folder)
stem = re.sub(r"[-_.]+", "_", name).lower()
metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\nSummary: Tools of Acme\nHome-page: https://acme.example/\n"
metadata += "License: Apache-2.0\nRequires-Python: >=3.8\n" + "".join(line + "\n" for line in more) + f"\n# {name}\n\nA tool.\n"
info = f"{stem}-{version}.dist-info"
members = {f"{stem}.py": f"TEXT = {text!r}\n", f"{info}/METADATA": metadata,
           f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"}
members[f"{info}/RECORD"] = "".join(f"{member},,\n" for member in [*members, f"{info}/RECORD"])
with zipfile.ZipFile(f"{folder}/{stem}-{version}-py3-none-any.whl", "w", zipfile.ZIP_DEFLATED) as wheel:
    for member, content in members.items():
        wheel.writestr(zipfile.ZipInfo(member), content)
with tarfile.open(f"{folder}/{stem}-{version}.tar.gz", "w:gz") as sdist:
    for member, content in {"PKG-INFO": metadata, f"{stem}.py": members[f"{stem}.py"], "setup.py": ""}.items():
        entry = tarfile.TarInfo(f"{stem}-{version}/{member}")
        entry.size = len(content.encode())
        sdist.addfile(entry, io.BytesIO(content.encode()))
print(folder)
PYTHON
}

# publish URL FILE…: with twine. What it says is on standard output.
publish() {
    local url=$1
    shift
    twine upload --non-interactive --disable-progress-bar --repository-url "$url" -u aws -p "$token" "$@" 2>&1
}

# flat TEXT: in one line, as it was before a client wrapped it.
flat() { tr -s ' \n' ' ' <<<"$1"; }

# status PATH [CURL ARGUMENT…]: of a GET from `app`.
status() {
    local path=$1
    shift
    curl -sS -o "$PACKHOUSE_WORK/body" -D "$PACKHOUSE_WORK/head" -w '%{http_code}' -u "aws:$token" "$@" "$app$path"
}

# page PROJECT [BASE]: as JSON.
page() { curl -fsS -u "aws:$token" -H 'Accept: application/vnd.pypi.simple.v1+json' "${2:-$app}simple/$1/"; }

# hashes LOCK PROJECT: the sha256 digests that a lock file has of a project, sorted.
hashes() {
    python3 - "$1" "$2" <<'PYTHON'
import sys, tomllib
lock = tomllib.load(open(sys.argv[1], "rb"))
found = set()
for package in lock["package"]:
    if package["name"].lower() == sys.argv[2]:
        files = [package["sdist"]] if "sdist" in package else []
        for file in files + package.get("wheels", []) + package.get("files", []):
            found.add(file["hash"])
print(*sorted(found))
PYTHON
}

# stub_project NAME JSON…: a page of the stub registry; each JSON a file.
stub_project() {
    local name=$1
    mkdir -p "$files/simple/$name"
    shift
    (
        IFS=,
        printf '{"meta":{"api-version":"1.1"},"name":"%s","versions":[],"files":[%s]}' "$name" "$*" >"$files/simple/$name/index.json"
    )
}

# stub_file PATH [MORE]: a file of a distribution for a page of the stub registry.
stub_file() {
    mkdir -p "$files/packages"
    cp "$1" "$files/packages/"
    printf '{"filename":"%s","url":"../../packages/%s","hashes":{"sha256":"%s"},"size":%s%s}' \
        "$(basename "$1")" "$(basename "$1")" "$(sha256 "$1")" "$(stat -c %s "$1")" "${2:-}"
}

# --- Scenarios --------------------------------------------------------------------------------------------------------

login_and_install() {
    local environment
    aws codeartifact login --tool pip --domain acme --domain-owner 111122223333 --repository app
    environment=$(fresh flask)
    pip --python "$environment/bin/python" install --no-cache-dir flask
    "$environment/bin/python" - <<'PYTHON'
import flask, markupsafe._speedups
app = flask.Flask("test")
app.add_url_rule("/", view_func=lambda: flask.render_template_string("Hello {{ name }}", name="<you>"))
assert app.test_client().get("/").text == "Hello &lt;you&gt;"
PYTHON
    "$environment/bin/python" -c 'from importlib.metadata import distributions as d; print(*sorted(f"{x.name}=={x.version}" for x in d()))' >"$PACKHOUSE_WORK/installed.txt"
    grep -qi 'markupsafe.*\.whl\.metadata.*status=200' "$PACKHOUSE_LOG"
    want "$(aws codeartifact list-package-versions --domain acme --repository app --format pypi --package flask --query 'versions[].status' --output text)" Published "flask in app"
    want "$(aws codeartifact list-package-versions --domain acme --repository pypi-store --format pypi --package flask --query 'versions[].origin.originType' --output text)" EXTERNAL "flask in pypi-store"
}
scenario "aws codeartifact login --tool pip, and a Flask application with binary wheels from the public index" login_and_install

unplugged() {
    local environment requirements
    environment=$(fresh unplugged)
    read -ra requirements <"$PACKHOUSE_WORK/installed.txt"
    install "$environment" "$(with_token "${app}simple/")" flask
    want "$("$environment/bin/python" -c 'from importlib.metadata import distributions as d; print(*sorted(f"{x.name}=={x.version}" for x in d()))')" "${requirements[*]}" "what was installed"
    want "$(status simple/never-asked-for-before/)" 503 "a page that nobody has"
    grep -qi '^retry-after' "$PACKHOUSE_WORK/head"
}
packhouse_stop
packhouse_start --upstream public:pypi=http://127.0.0.1:1/
scenario "the same with the index gone and an empty client cache" unplugged
packhouse_stop
public

own_package() {
    local folder described
    folder=$(distribution Acme.Tool 1.0 one 'Project-URL: Source, https://acme.example/git' 'Requires-Dist: itsdangerous (>=2,<3)')
    aws codeartifact login --tool twine --domain acme --domain-owner 111122223333 --repository app
    twine upload --non-interactive --disable-progress-bar --repository codeartifact "$folder"/* 2>&1
    described=$(aws codeartifact describe-package-version --domain acme --repository app --format pypi --package acme-tool --package-version 1.0)
    for expected in displayName=Acme.Tool 'summary=Tools of Acme' homePage=https://acme.example/ sourceCodeRepository=https://acme.example/git licenses.0.name=Apache-2.0 origin.originType=INTERNAL; do
        want "$(json "packageVersion.${expected%%=*}" <<<"$described")" "${expected#*=}" "${expected%%=*}"
    done
    want "$(aws codeartifact list-package-version-assets --domain acme --repository app --format pypi --package acme-tool --package-version 1.0 --query 'assets[].hashes."SHA-256"' --output text | tr '\t' '\n' | sort)" \
        "$(sha256sum "$folder"/* | cut -d ' ' -f 1 | sort)" "the digests of both files"
    want "$(aws codeartifact list-package-version-dependencies --domain acme --repository app --format pypi --package acme-tool --package-version 1.0 --query 'dependencies[0].[package,dependencyType,versionRequirement]' --output text)" \
        "$(printf 'itsdangerous\tRequires-Dist\t>=2,<3')" "its dependency"
    want "$(aws codeartifact get-package-version-readme --domain acme --repository app --format pypi --package acme-tool --package-version 1.0 --query readme --output text | head -n 1)" "# Acme.Tool" "its readme"
}
scenario "aws codeartifact login --tool twine, twine upload, and what the API says of it" own_package

install_own() {
    local name environment
    for name in acme_tool Acme.Tool acme-tool; do
        environment=$(fresh own)
        install "$environment" "$(with_token "${app}simple/")" "$name"
        want "$("$environment/bin/python" -c 'import acme_tool; print(acme_tool.TEXT)')" one "what $name holds"
    done
    grep -q 'acme_tool-1.0-py3-none-any.whl.metadata.*status=200' "$PACKHOUSE_LOG"
    want "$(status simple/acme-tool/1.0/acme_tool-1.0-py3-none-any.whl.metadata)" 200 metadata
    want "$(sha256 "$PACKHOUSE_WORK/body")" "$(page acme-tool | json files.0.core-metadata.sha256)" "the digest of the metadata"
}
scenario "installed by each spelling of its name, by way of its metadata" install_own

publish_again() {
    local folder said
    folder=$PACKHOUSE_WORK/dist-Acme.Tool-1.0
    publish "$app" "$folder"/*.whl
    folder=$(distribution Acme.Tool 1.0 other)
    said=$(publish "$app" "$folder"/*.whl) && fail "other bytes under the same name were taken"
    grep -q '409.*already exists with different content' <<<"$(flat "$said")"
    said=$(uv publish --publish-url "$app" -u aws -p "$token" "$folder"/*.whl 2>&1) && fail "other bytes under the same name were taken"
    grep -q 'already exists with different content' <<<"$(flat "$said")"
    distribution Acme.Tool 1.0 one 'Project-URL: Source, https://acme.example/git' 'Requires-Dist: itsdangerous (>=2,<3)' >/dev/null
}
scenario "published again: the same bytes are well, others are refused with a sentence that twine and uv show" publish_again

uv_client() {
    local folder project=$PACKHOUSE_WORK/uv-project said
    folder=$(distribution acme-uv 1.0 uv 'Requires-Dist: acme-tool')
    uv publish --publish-url "$app" -u aws -p "$token" "$folder"/*
    said=$(uv publish --publish-url "$app" --check-url "$(with_token "${app}simple/")" -u aws -p "$token" "$folder"/* 2>&1)
    grep -q 'already exists' <<<"$said"
    rm -rf "$project" "$UV_CACHE_DIR"
    mkdir -p "$project"
    printf '[project]\nname = "demo"\nversion = "0"\nrequires-python = ">=3.9"\ndependencies = ["acme-uv", "flask==3.1.0"]\n' >"$project/pyproject.toml"
    cd "$project"
    UV_DEFAULT_INDEX=$(with_token "${app}simple/") uv sync
    .venv/bin/python -c 'import acme_uv, acme_tool, flask; assert acme_uv.TEXT == "uv"'
    grep -q "aws" uv.lock && fail "the lock file has credentials"
    # Only what the public index had before then.
    want "$(printf 'flask\n' | UV_DEFAULT_INDEX=$(with_token "${app}simple/") uv pip compile -q --no-header --no-annotate --no-deps --exclude-newer 2023-12-01 -)" flask==3.0.0 "the newest Flask of that time"
}
scenario "uv: publish, publish with --check-url, lock and sync, and what was there at some time" uv_client

pip_modes() {
    local environment work=$PACKHOUSE_WORK/pip-modes whl=$PACKHOUSE_WORK/dist-Acme.Tool-1.0/acme_tool-1.0-py3-none-any.whl said
    mkdir -p "$work"
    cd "$work"
    printf 'acme-tool==1.0 --hash=sha256:%s\n' "$(sha256 "$whl")" >good.txt
    printf 'acme-tool==1.0 --hash=sha256:%064d\n' 0 >bad.txt
    environment=$(fresh modes)
    install "$environment" "$(with_token "${app}simple/")" --no-deps --require-hashes -r good.txt
    environment=$(fresh modes)
    said=$(install "$environment" "$(with_token "${app}simple/")" --no-deps --require-hashes -r bad.txt 2>&1) && fail "another hash was taken"
    grep -q 'DO NOT MATCH THE HASHES' <<<"$said"
    # Credentials from the netrc file alone, and a version that only the constraints ask for.
    printf 'machine %s login aws password %s\n' "${PACKHOUSE_ADDRESS%:*}" "$token" >"$HOME/.netrc"
    chmod 600 "$HOME/.netrc"
    printf 'itsdangerous==2.1.2\n' >constraints.txt
    install "$environment" "${app}simple/" -c constraints.txt acme-tool
    want "$("$environment/bin/python" -c 'from importlib.metadata import version; print(version("itsdangerous"))')" 2.1.2 "what the constraints say"
    PIP_CONFIG_FILE=/dev/null pip download --no-cache-dir --no-deps --no-binary :none: -d here --index-url "${app}simple/" acme-tool==1.0
    want "$(sha256 here/acme_tool-1.0-py3-none-any.whl)" "$(sha256 "$whl")" "what was downloaded"
    said=$(PIP_CONFIG_FILE=/dev/null pip index versions --index-url "${app}simple/" itsdangerous)
    grep -q 'Available versions: .*2\.1\.2' <<<"$said"
    rm "$HOME/.netrc"
    # A token in a variable, as CI has it.
    said=$(PIP_CONFIG_FILE=/dev/null PIP_INDEX_URL=$(with_token "${app}simple/") pip index versions acme-tool)
    grep -q 'Available versions: 1\.0' <<<"$said"
}
scenario "pip: hashes that are required, constraints, download, index versions, credentials from netrc" pip_modes

attested() {
    local folder=$PACKHOUSE_WORK/attested file=pypi_attestation_models-0.0.4a2.tar.gz signed shown
    packhouse_repository acme signed
    signed=$(packhouse_endpoint acme pypi signed)
    mkdir -p "$folder"
    cp "$PACKHOUSE_ROOT/crates/formats/src/pypi/fixtures/$file" "$folder/"
    cp "$PACKHOUSE_ROOT/crates/formats/src/pypi/fixtures/$file.attestation" "$folder/$file.publish.attestation"
    uv publish --publish-url "$signed" -u aws -p "$token" "$folder"/*
    shown=$(page pypi-attestation-models "$signed" | json files.0.provenance)
    shown=$(curl -fsS -u "aws:$token" "${signed}simple/pypi-attestation-models/$shown")
    want "$(json attestation_bundles.0.publisher.repository <<<"$shown")" trailofbits/pypi-attestation-models "who signed"
}
scenario "uv: publish with an attestation, which is verified and shown" attested

uv_lock_is_the_same() {
    local project=$PACKHOUSE_WORK/uv-direct package
    for way in direct packhouse; do
        rm -rf "$project" "$UV_CACHE_DIR"
        mkdir -p "$project"
        cd "$project"
        printf '[project]\nname = "demo"\nversion = "0"\nrequires-python = ">=3.9"\ndependencies = ["flask==3.1.0"]\n' >pyproject.toml
        if [ $way = direct ]; then
            UV_DEFAULT_INDEX=$index/ uv lock
        else
            UV_DEFAULT_INDEX=$(with_token "${team}simple/") uv lock
        fi
        cp uv.lock "$PACKHOUSE_WORK/$way.lock"
    done
    for package in flask markupsafe werkzeug jinja2; do
        want "$(hashes "$PACKHOUSE_WORK/packhouse.lock" $package)" "$(hashes "$PACKHOUSE_WORK/direct.lock" $package)" "the digests of $package"
        [ -n "$(hashes "$PACKHOUSE_WORK/direct.lock" $package)" ]
    done
}
scenario "a lock file of uv has the digests that the public index has" uv_lock_is_the_same

uv_from_lock() {
    local project=$PACKHOUSE_WORK/uv-frozen other
    packhouse_repository acme never-listed --upstreams repositoryName=pypi-store
    other=$(packhouse_endpoint acme pypi never-listed)
    rm -rf "$project" "$UV_CACHE_DIR"
    mkdir -p "$project"
    cp "$PACKHOUSE_WORK/packhouse.lock" "$project/uv.lock"
    cp "$PACKHOUSE_WORK/uv-direct/pyproject.toml" "$project/"
    cd "$project"
    sed -i "s|${team}|${other}|g" uv.lock
    UV_DEFAULT_INDEX=$(with_token "${other}simple/") uv sync --frozen
    .venv/bin/python -c 'import flask, markupsafe._speedups'
    grep 'acme/never-listed' "$PACKHOUSE_LOG" | grep -q 'simple/flask/"' && fail "the page was asked for"
    grep -q 'pypi/never-listed/simple/flask/3.1.0/flask-3.1.0-py3-none-any.whl".*status=200' "$PACKHOUSE_LOG"
}
scenario "uv sync from a lock file, from a repository that was never asked for a page" uv_from_lock

poetry_client() {
    local project=$PACKHOUSE_WORK/poetry-project package way
    for way in direct packhouse; do
        rm -rf "$project" "$POETRY_CACHE_DIR"
        mkdir -p "$project"
        cd "$project"
        printf '[project]\nname = "demo"\nversion = "0"\nrequires-python = ">=3.11,<4"\n[tool.poetry]\npackage-mode = false\n' >pyproject.toml
        if [ $way = direct ]; then
            poetry source add --priority primary packhouse "$index/"
        else
            poetry source add --priority primary packhouse "${team}simple/"
            export POETRY_HTTP_BASIC_PACKHOUSE_USERNAME=aws POETRY_HTTP_BASIC_PACKHOUSE_PASSWORD=$token
        fi
        poetry add --lock -n flask==3.1.0
        cp poetry.lock "$PACKHOUSE_WORK/poetry-$way.lock"
    done
    for package in flask markupsafe werkzeug; do
        want "$(hashes "$PACKHOUSE_WORK/poetry-packhouse.lock" $package)" "$(hashes "$PACKHOUSE_WORK/poetry-direct.lock" $package)" "the digests of $package"
        [ -n "$(hashes "$PACKHOUSE_WORK/poetry-direct.lock" $package)" ]
    done
    poetry install -n
    poetry run python -c 'import flask'
}
scenario "Poetry: add and install, and its lock file has the digests that the public index has" poetry_client

poetry_publish() {
    local project=$PACKHOUSE_WORK/acme-poet folder
    folder=$(distribution acme-poet 1.0 poet)
    rm -rf "$project"
    mkdir -p "$project"
    cd "$project"
    cp -R "$folder" dist
    printf '[project]\nname = "acme-poet"\nversion = "1.0"\n' >pyproject.toml
    POETRY_REPOSITORIES_PACKHOUSE_URL=$app POETRY_HTTP_BASIC_PACKHOUSE_USERNAME=aws POETRY_HTTP_BASIC_PACKHOUSE_PASSWORD=$token \
        poetry publish -n -r packhouse
    want "$(page acme-poet | json files.#)" 2 "the files that Poetry published"
}
scenario "Poetry: publish" poetry_publish

without_token() {
    local environment said
    environment=$(fresh nobody)
    said=$(install "$environment" "${app}simple/" acme-tool 2>&1) && fail "pip installed without a token"
    grep -q 'No matching distribution found' <<<"$said"
    want "$(curl -sS -o /dev/null -D "$PACKHOUSE_WORK/head" -w '%{http_code}' "${app}simple/acme-tool/")" 401 "nobody"
    want "$(grep -i '^www-authenticate' "$PACKHOUSE_WORK/head" | cut -d ' ' -f 2 | tr -d '\r' | tr '\n' ' ')" "Basic Bearer " "the challenges"
    python3 - "$app" "$token" <<'PYTHON'
import sys, urllib.request as r
app, token = sys.argv[1:]
passwords = r.HTTPPasswordMgrWithDefaultRealm()
passwords.add_password(None, app, "aws", token)
opener = r.build_opener(r.HTTPBasicAuthHandler(passwords), r.HTTPDigestAuthHandler(passwords))
assert b"acme_tool" in opener.open(app + "simple/acme-tool/").read()
PYTHON
    said=$(twine upload --non-interactive --disable-progress-bar --repository-url "$app" -u aws -p wrong "$PACKHOUSE_WORK"/dist-Acme.Tool-1.0/*.whl 2>&1) && fail "twine published without a token"
    grep -q 401 <<<"$said"
}
scenario "nothing without a token, and the standard library finds its way with one" without_token

accept_matrix() {
    local json=application/vnd.pypi.simple.v1+json html=application/vnd.pypi.simple.v1+html
    while read -r code type accept; do
        want "$(status simple/acme-tool/ -H "Accept: $accept")" "$code" "$accept"
        [ "$code" != 200 ] || want "$(sed -n 's/^content-type: //Ip' "$PACKHOUSE_WORK/head" | tr -d '\r')" "${type/_/ }" "$accept"
    done <<END
200 $json $json, $html; q=0.1, text/html; q=0.01
200 $json $json, */*;q=0.1
200 $json application/vnd.pypi.simple.latest+json
200 $html $html
200 text/html;_charset=utf-8 text/html
200 text/html;_charset=utf-8 */*
200 text/html;_charset=utf-8
406 - application/json
END
    want "$(status simple/acme-tool/ -H 'Accept: text/html')" 200 html
    grep -q 'href="1.0/acme_tool-1.0-py3-none-any.whl#sha256=[0-9a-f]*" data-requires-python="&gt;=3.8" data-core-metadata="sha256=' "$PACKHOUSE_WORK/body"
    want "$(status simple/Acme_Tool/)" 301 "another spelling"
    want "$(status simple/acme-tool)" 301 "without a slash"
    want "$(status simple/Acme_Tool/ -L)" 200 "where it leads"
    want "$(status simple/)" 200 "the list"
    grep -q 'href="acme-tool/"' "$PACKHOUSE_WORK/body"
    want "$(status acme-tool/json)" 404 "the old JSON"
}
scenario "each form of a page for those who accept it" accept_matrix

parts() {
    local path=simple/acme-tool/1.0/acme_tool-1.0-py3-none-any.whl etag
    want "$(status $path -I)" 200 HEAD
    want "$(status $path -r 0-9)" 206 "the first ten bytes"
    want "$(stat -c %s "$PACKHOUSE_WORK/body")" 10 "their number"
    want "$(status $path -r -100)" 206 "the last hundred"
    want "$(status $path -r 99999999-)" 416 "beyond the end"
    etag=$(status $path >/dev/null && sed -n 's/^etag: //Ip' "$PACKHOUSE_WORK/head" | tr -d '\r')
    want "$(status $path -H "If-None-Match: $etag")" 304 "known already"
    # Of a file that is nowhere yet: passed on, and nothing kept.
    path=simple/click/7.0/Click-7.0-py2.py3-none-any.whl
    want "$(status $path -r 0-3)" 206 "a part of a file of the public index"
    want "$(head -c 2 "$PACKHOUSE_WORK/body")" PK "the beginning of an archive"
    aws codeartifact list-package-versions --domain acme --repository app --format pypi --package click --query 'versions[].version' --output text | grep -qw 7.0 && fail "a part was kept as the whole"
    want "$(status $path.metadata)" 200 "its metadata"
    grep -q '^Name: Click' "$PACKHOUSE_WORK/body"
}
scenario "ranges, HEAD and conditions; a part of a file that is not here is passed on" parts

statuses() {
    local path=simple/acme-gone/1.0/acme_gone-1.0-py3-none-any.whl
    publish "$app" "$(distribution acme-gone 1.0 gone)"/* >/dev/null
    set_status() { aws codeartifact update-package-versions-status --domain acme --repository app --format pypi --package acme-gone --versions 1.0 --target-status "$1" >/dev/null; }
    want "$(status simple/acme-gone/)" 200 "a published version's page"
    set_status Unlisted
    want "$(status simple/acme-gone/)" 404 "the page of nothing but an unlisted version"
    want "$(status $path)" 200 "an unlisted version's file"
    set_status Archived
    want "$(status $path)" 404 "an archived version's file"
    want "$(status $path.metadata)" 404 "an archived version's metadata"
    publish "$app" "$PACKHOUSE_WORK"/dist-acme-gone-1.0/*.whl && fail "an archived version took a file"
    aws codeartifact delete-package-versions --domain acme --repository app --format pypi --package acme-gone --versions 1.0 >/dev/null
    want "$(status $path)" 404 "a deleted version's file"
    publish "$app" "$PACKHOUSE_WORK"/dist-acme-gone-1.0/* >/dev/null
    want "$(status $path)" 200 "published once more"
}
scenario "unlisted, archived, deleted and published once more" statuses

conflicts() {
    local said
    said=$(publish "$app" "$(distribution click 8.1.7 ours)"/*.whl) && fail "a version of the public index was published"
    grep -q '40[39]' <<<"$said"
    publish "$app" "$(distribution Acme.Tool 1.0.0 same)"/*.tar.gz >/dev/null
    want "$(page acme-tool | json versions.#)" 1 "versions that are equal"
    publish "$app" "$(distribution acme-local 1.0+Local.1 local)"/* >/dev/null
    want "$(status simple/acme-local/1.0%2Blocal.1/acme_local-1.0+Local.1-py3-none-any.whl)" 200 "a local version"
}
scenario "a version of the public index is not published over; equal versions are one" conflicts

reader() {
    local said arn
    aws iam create-user --user-name reader >/dev/null
    aws iam put-user-policy --user-name reader --policy-name read --policy-document '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["codeartifact:GetAuthorizationToken","codeartifact:ReadFromRepository","sts:GetServiceBearerToken"],"Resource":"*"}]}'
    arn=$(aws iam create-access-key --user-name reader --query 'AccessKey.[AccessKeyId,SecretAccessKey]' --output text)
    read -r AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY <<<"$arn"
    export AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY
    token=$(packhouse_token acme)
    want "$(status simple/acme-tool/)" 200 "a page for a reader"
    said=$(publish "$app" "$(distribution acme-read 1.0 read)"/*.whl) && fail "a reader published"
    grep -q '403' <<<"$said"
    grep -q 'PublishPackageVersion' <<<"$(flat "$said")"
}
scenario "who may only read cannot publish, and is told why" reader

# --- With a registry that can be told what to say ----------------------------------------------------------------------

packhouse_stop
packhouse_start --upstream "public:pypi=$STUB_URL"

yanked() {
    local environment said
    stub_project stub-lib "$(stub_file "$(distribution stub-lib 1.0 old)"/*.whl)" \
        "$(stub_file "$(distribution stub-lib 2.0 new)"/*.whl ',"yanked":"it is <broken>"')"
    environment=$(fresh yanked)
    install "$environment" "$(with_token "${app}simple/")" stub-lib
    want "$("$environment/bin/python" -c 'import stub_lib; print(stub_lib.TEXT)')" old "what is installed instead of a yanked version"
    said=$(install "$environment" "$(with_token "${app}simple/")" stub-lib==2.0 2>&1)
    grep -q 'it is <broken>' <<<"$said"
    want "$(page stub-lib | json files.1.yanked)" "it is <broken>" "the reason on the page"
}
scenario "a version that was yanked is passed over, and installed with a warning when it is named" yanked

confusion() {
    local environment
    stub_project acme-util "$(stub_file "$(distribution acme-util 99 evil)"/*.whl)"
    publish "$app" "$(distribution acme-util 1.0 ours)"/* >/dev/null
    want "$(stub_asked simple/acme-util/)" 1 "questions about the name before it was ours"
    environment=$(fresh confusion)
    install "$environment" "$(with_token "${app}simple/")" acme-util
    want "$("$environment/bin/python" -c 'import acme_util; print(acme_util.TEXT)')" ours "what is installed"
    want "$(stub_asked simple/acme-util/)" 1 "questions about the name since"
}
scenario "a public project of the same name as ours is not seen" confusion

lying() {
    local environment said folder
    folder=$(distribution stub-liar 1.0 truth)
    stub_project stub-liar "$(stub_file "$folder"/*.whl)"
    printf 'something else' >>"$files/packages/stub_liar-1.0-py3-none-any.whl"
    environment=$(fresh lying)
    said=$(install "$environment" "$(with_token "${app}simple/")" --no-deps stub-liar 2>&1) && fail "other bytes than promised were installed"
    want "$(status simple/stub-liar/1.0/stub_liar-1.0-py3-none-any.whl)" 502 "other bytes than promised"
    aws codeartifact list-package-versions --domain acme --repository app --format pypi --package stub-liar >/dev/null 2>&1 && fail "other bytes than promised were kept"
    return 0
}
scenario "a registry that sends other bytes than it promises: refused, and nothing kept" lying

scenarios_end
