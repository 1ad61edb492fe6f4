#!/usr/bin/env bash
# The scenarios of the format's specification with the real clients: mvn, curl, Java, the aws command.
#
#   crates/formats/src/maven/client.sh [path/to/packhouse]
#
# A line for each scenario, `ok N - name` or `not ok N - name` with the end of what it said; at last how many passed.
# Maven's own plugins come through Packhouse from the public registry that this machine's Maven is set up for; where
# that cannot be reached, the test is skipped.
set -euo pipefail
# shellcheck source=scripts/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/../../../../scripts/lib.sh"
[ $# -eq 0 ] || PACKHOUSE_BIN=$(realpath "$1")
# shellcheck source=scripts/scenarios.sh
source "$PACKHOUSE_ROOT/scripts/scenarios.sh"

DEPLOY=org.apache.maven.plugins:maven-deploy-plugin:3.1.3
JAR=org.apache.maven.plugins:maven-jar-plugin:3.4.2

# --- Set-up -----------------------------------------------------------------------------------------------------------

need_maven
packhouse_prepare
"$PACKHOUSE_BIN" upstreams detect --write --data "$PACKHOUSE_DATA" >"$PACKHOUSE_WORK/upstreams.txt" 2>&1 ||
    skip "no public registry is set up on this machine, and Maven needs one for its own plugins"
files=$PACKHOUSE_WORK/registry
mkdir -p "$files"
stub_start "$files"
packhouse_start --upstream "public:maven-clojars=$STUB_URL"

packhouse_repository acme stub
packhouse_repository acme central
packhouse_repository acme app --upstreams repositoryName=stub repositoryName=central
aws codeartifact associate-external-connection --domain acme --repository stub --external-connection public:maven-clojars >/dev/null
aws codeartifact associate-external-connection --domain acme --repository central --external-connection public:maven-central >/dev/null
token=$(packhouse_token acme)
app=$(packhouse_endpoint acme maven app)

# settings FILE PASSWORD: a settings.xml by which everything comes from `app`.
settings() {
    cat >"$1" <<XML
<settings>
  <servers>
    <server><id>packhouse</id><username>aws</username><password>$2</password></server>
  </servers>
  <mirrors>
    <mirror><id>packhouse</id><mirrorOf>*</mirrorOf><url>$app</url></mirror>
  </mirrors>
  <profiles>
    <profile>
      <id>snapshots</id>
      <repositories>
        <repository>
          <id>packhouse</id><url>$app</url>
          <releases><enabled>true</enabled></releases><snapshots><enabled>true</enabled></snapshots>
        </repository>
      </repositories>
    </profile>
  </profiles>
  <activeProfiles><activeProfile>snapshots</activeProfile></activeProfiles>
  <pluginGroups><pluginGroup>com.acme.plugins</pluginGroup></pluginGroups>
</settings>
XML
}
settings "$PACKHOUSE_WORK/settings.xml" "$token"

# maven LOCAL ARGUMENT…: runs Maven with this local repository; what it says is in $PACKHOUSE_WORK/mvn.log.
maven() {
    local repository=$1
    shift
    mvn -B -s "${SETTINGS:-$PACKHOUSE_WORK/settings.xml}" "-Dmaven.repo.local=$PACKHOUSE_WORK/$repository" "$@" \
        >"$PACKHOUSE_WORK/mvn.log" 2>&1
}

# fresh NAME: a local repository with Maven's plugins and nothing of ours.
fresh() {
    rm -rf "${PACKHOUSE_WORK:?}/$1"
    cp -R "$PACKHOUSE_WORK/seed" "$PACKHOUSE_WORK/$1"
    rm -rf "${PACKHOUSE_WORK:?}/$1"/{com/acme,org/stub}
}

# jar FILE TEXT: an archive that holds this text.
jar() {
    python3 - "$1" "$2" <<'PYTHON'
import sys, zipfile
with zipfile.ZipFile(sys.argv[1], "w") as archive:
    archive.writestr(zipfile.ZipInfo("text.txt"), sys.argv[2])
PYTHON
}

# pom GROUP ARTIFACT VERSION [MORE]
pom() {
    printf '<project><modelVersion>4.0.0</modelVersion><groupId>%s</groupId><artifactId>%s</artifactId><version>%s</version>%s</project>' \
        "$1" "$2" "$3" "${4:-}"
}

# metadata GROUP ARTIFACT VERSION…
metadata() {
    local group=$1 artifact=$2
    shift 2
    printf '<metadata><groupId>%s</groupId><artifactId>%s</artifactId><versioning><versions>' "$group" "$artifact"
    printf '<version>%s</version>' "$@"
    printf '</versions></versioning></metadata>'
}

# deploy LOCAL ARTIFACT VERSION TEXT: what `mvn deploy` does for a project, without building one.
deploy() {
    jar "$PACKHOUSE_WORK/$2.jar" "$4"
    pom com.acme "$2" "$3" >"$PACKHOUSE_WORK/$2.pom"
    maven "$1" $DEPLOY:deploy-file "-Durl=$app" -DrepositoryId=packhouse "-Dfile=$PACKHOUSE_WORK/$2.jar" "-DpomFile=$PACKHOUSE_WORK/$2.pom"
}

# consume LOCAL GROUP ARTIFACT RANGE [ARGUMENT…]: a project that depends on it and has its dependencies resolved.
consume() {
    local repository=$1 project=$PACKHOUSE_WORK/consumer
    rm -rf "$project"
    mkdir -p "$project"
    pom com.consumer consumer 1 "<dependencies><dependency><groupId>$2</groupId><artifactId>$3</artifactId><version>$4</version></dependency></dependencies>" \
        >"$project/pom.xml"
    shift 4
    maven "$repository" -f "$project/pom.xml" "$@" $JAR:jar
}

# holds FILE TEXT: the archive holds this text.
holds() {
    want "$(unzip_text "$1")" "$2" "what $1 holds"
}

unzip_text() {
    python3 -c 'import sys, zipfile; print(zipfile.ZipFile(sys.argv[1]).read("text.txt").decode())' "$1"
}

# status PACKAGE VERSION: of a version of com.acme in `app`, or nothing.
status() {
    aws codeartifact list-package-versions --domain acme --repository "${REPOSITORY:-app}" --format maven --namespace com.acme \
        --package "$1" --query "versions[?version=='$2'].status" --output text
}

# put PATH FILE-OR-TEXT [CURL ARGUMENT…]: the status of a PUT to `app`.
put() {
    local url=$app$1 body=$2
    shift 2
    [ -f "$body" ] && body=@$body
    curl -sS -m 120 -o "$PACKHOUSE_WORK/body" -w '%{http_code}' -u "aws:$token" -X PUT --data-binary "$body" "$@" "$url"
}

# get PATH [CURL ARGUMENT…]: the body from `app`, on standard output; fails unless it is there.
get() {
    local path=$1
    shift
    curl -fsS -m 120 -u "aws:$token" "$@" "$app$path"
}

# code PATH [CURL ARGUMENT…]: the status of a GET from `app`.
code() {
    local path=$1
    shift
    curl -sS -m 120 -o /dev/null -w '%{http_code}' -u "aws:$token" "$@" "$app$path"
}

# on_stub VERSION: a version of org.stub:core on the stub, listed.
on_stub() {
    local at=$files/org/stub/core versions
    mkdir -p "$at/$1"
    jar "$at/$1/core-$1.jar" "stub $1"
    pom org.stub core "$1" >"$at/$1/core-$1.pom"
    versions=("$at"/[0-9]*)
    metadata org.stub core "${versions[@]##*/}" >"$at/maven-metadata.xml"
}

# Maven's plugins, once; a machine without a registry stops here.
jar "$PACKHOUSE_WORK/seed.jar" seed
pom com.acme seed 1 >"$PACKHOUSE_WORK/seed.pom"
maven seed $DEPLOY:deploy-file "-Durl=$app" -DrepositoryId=packhouse "-Dfile=$PACKHOUSE_WORK/seed.jar" "-DpomFile=$PACKHOUSE_WORK/seed.pom" || {
    tail -n 20 "$PACKHOUSE_WORK/mvn.log"
    grep -qE 'status code: 50[234]|50[234] ' "$PACKHOUSE_WORK/mvn.log" && skip "the public registry with Maven's plugins cannot be reached"
    fail "Maven could not deploy; its last words stand above"
}
consume seed com.acme seed 1 || fail "Maven could not resolve what it deployed; see $PACKHOUSE_WORK/mvn.log"

# --- Scenarios --------------------------------------------------------------------------------------------------------

releases_are_deployed() {
    fresh one
    deploy one lib-a 1.0 "lib-a 1.0"
    want "$(status lib-a 1.0)" Published "the status after the deploy"
    local assets
    assets=$(aws codeartifact list-package-version-assets --domain acme --repository app --format maven --namespace com.acme \
        --package lib-a --package-version 1.0)
    want "$(python3 -c 'import json, sys; print(*sorted(asset["name"] for asset in json.load(sys.stdin)["assets"]))' <<<"$assets")" \
        "lib-a-1.0.jar lib-a-1.0.pom maven-metadata.xml" "the assets"
    want "$(python3 -c 'import json, sys; print(*(a["hashes"]["SHA-256"] for a in json.load(sys.stdin)["assets"] if a["name"].endswith("jar")))' <<<"$assets")" \
        "$(sha256 "$PACKHOUSE_WORK/lib-a.jar")" "the hash of the jar"
    want "$(aws codeartifact describe-package --domain acme --repository app --format maven --namespace com.acme --package lib-a \
        --query 'package.originConfiguration.restrictions.[publish,upstream]' --output text | tr '\t' ' ')" \
        "ALLOW BLOCK" "the origin controls of a package that was published first"
}

releases_are_resolved() {
    fresh two
    consume two com.acme lib-a 1.0 -C
    holds "$PACKHOUSE_WORK/two/com/acme/lib-a/1.0/lib-a-1.0.jar" "lib-a 1.0"
    ! grep -i 'checksum' "$PACKHOUSE_WORK/mvn.log"
}

interrupted_deploys_are_finished() {
    jar "$PACKHOUSE_WORK/lib-i.jar" "lib-i 1.0"
    pom com.acme lib-i 1.0 >"$PACKHOUSE_WORK/lib-i.pom"
    want "$(put com/acme/lib-i/1.0/lib-i-1.0.jar "$PACKHOUSE_WORK/lib-i.jar")" 201 "the jar"
    want "$(put com/acme/lib-i/1.0/lib-i-1.0.pom "$PACKHOUSE_WORK/lib-i.pom")" 201 "the POM"
    want "$(status lib-i 1.0)" Unfinished "the status after an interrupted deploy"
    want "$(code com/acme/lib-i/1.0/lib-i-1.0.jar)" 404 "GET of the jar"
    want "$(code com/acme/lib-i/maven-metadata.xml)" 404 "GET of the metadata"
    fresh three
    deploy three lib-i 1.0 "lib-i 1.0"
    want "$(status lib-i 1.0)" Published "the status after the next deploy"
}

releases_do_not_change() {
    fresh four
    local before
    before=$(get com/acme/lib-a/1.0/lib-a-1.0.jar.sha256)
    if deploy four lib-a 1.0 "something else"; then
        fail "deploying other bytes under the same version succeeded"
    fi
    grep -q '409 Conflict' "$PACKHOUSE_WORK/mvn.log" || fail "Maven did not say 409: $(grep ERROR "$PACKHOUSE_WORK/mvn.log" | head -n 3)"
    want "$(get com/acme/lib-a/1.0/lib-a-1.0.jar.sha256)" "$before" "the hash afterwards"
    deploy four lib-a 1.0 "lib-a 1.0" || fail "deploying the same bytes again failed"
}

curl_publishes() {
    jar "$PACKHOUSE_WORK/curl.jar" curl
    local base=com/acme/curl
    put $base/1.0/curl-1.0.jar "$PACKHOUSE_WORK/curl.jar" >/dev/null
    put $base/1.0/curl-1.0.pom "$(pom com.acme curl 1.0)" >/dev/null
    want "$(code $base/1.0/curl-1.0.jar)" 404 "before the metadata"
    want "$(put $base/maven-metadata.xml "$(metadata com.acme curl 1.0)")" 201 "the metadata"
    want "$(code $base/1.0/curl-1.0.jar)" 200 "after it"
    put $base/1.1/curl-1.1.jar "$PACKHOUSE_WORK/curl.jar" >/dev/null
    want "$(code $base/1.1/curl-1.1.jar)" 404 "before the change of status"
    set_status curl 1.1 Published
    want "$(code $base/1.1/curl-1.1.jar)" 200 "after it"
}

# set_status PACKAGE VERSION STATUS
set_status() {
    aws codeartifact update-package-versions-status --domain acme --repository app --format maven --namespace com.acme \
        --package "$1" --versions "$2" --target-status "$3" >/dev/null
}

wrong_checksums_hold_back() {
    local base=com/acme/sums sha1
    jar "$PACKHOUSE_WORK/sums.jar" sums
    sha1=$(sha1sum "$PACKHOUSE_WORK/sums.jar" | cut -d ' ' -f 1)
    put $base/1.0/sums-1.0.jar "$PACKHOUSE_WORK/sums.jar" >/dev/null
    want "$(put $base/1.0/sums-1.0.jar.sha1 "${sha1//[0-9]/0}")" 400 "a wrong checksum"
    want "$(put $base/maven-metadata.xml "$(metadata com.acme sums 1.0)")" 400 "metadata after it"
    want "$(status sums 1.0)" Unfinished "the status"
    want "$(put $base/1.0/sums-1.0.jar.sha1 "${sha1^^}")" 400 "a checksum in upper case"
    want "$(put $base/1.0/sums-1.0-none.jar.sha1 "$sha1")" 404 "a checksum of nothing"
    want "$(put $base/1.0/sums-1.0.jar.sha1 "$sha1")" 201 "the right checksum"
    want "$(put $base/maven-metadata.xml "$(metadata com.acme sums 1.0)")" 201 "metadata after that"
    want "$(status sums 1.0)" Published "the status"
}

checksums_are_computed() {
    local algorithm
    for algorithm in md5 sha1 sha256 sha512; do
        want "$(get "com/acme/curl/1.0/curl-1.0.jar.$algorithm")" "$("${algorithm}sum" "$PACKHOUSE_WORK/curl.jar" | cut -d ' ' -f 1)" "$algorithm"
    done
}

snapshots_are_builds() {
    fresh five
    deploy five lib-s 1.1-SNAPSHOT "build 1"
    local first
    first=$(get com/acme/lib-s/1.1-SNAPSHOT/maven-metadata.xml | sed -n 's|.*<value>\(.*\)</value>.*|\1|p' | head -n 1)
    fresh consumer-s
    consume consumer-s com.acme lib-s 1.1-SNAPSHOT
    holds "$PACKHOUSE_WORK/consumer-s/com/acme/lib-s/1.1-SNAPSHOT/lib-s-1.1-SNAPSHOT.jar" "build 1"
    deploy five lib-s 1.1-SNAPSHOT "build 2"
    want "$(get com/acme/lib-s/maven-metadata.xml | grep -c '<version>1.1-SNAPSHOT</version>')" 1 "times that the metadata lists the snapshot"
    want "$(aws codeartifact list-package-versions --domain acme --repository app --format maven --namespace com.acme --package lib-s \
        --status Unlisted --query 'versions[].version' --output text)" "$first" "the versions that are Unlisted"
    consume consumer-s com.acme lib-s 1.1-SNAPSHOT -U
    holds "$PACKHOUSE_WORK/consumer-s/com/acme/lib-s/1.1-SNAPSHOT/lib-s-1.1-SNAPSHOT.jar" "build 2"
    want "$(code "com/acme/lib-s/1.1-SNAPSHOT/lib-s-$first.jar")" 200 "GET of the first build"
    aws codeartifact delete-package-versions --domain acme --repository app --format maven --namespace com.acme --package lib-s \
        --versions "$first" >/dev/null
    want "$(code "com/acme/lib-s/1.1-SNAPSHOT/lib-s-$first.jar")" 404 "GET of the first build, deleted"
}

ranges_pick_the_highest() {
    fresh six
    deploy six lib-r 1.0 "lib-r 1.0"
    deploy six lib-r 2.0 "lib-r 2.0"
    deploy six lib-r 3.0 "lib-r 3.0"
    fresh seven
    consume seven com.acme lib-r '[1.0,3.0)'
    holds "$PACKHOUSE_WORK/seven/com/acme/lib-r/2.0/lib-r-2.0.jar" "lib-r 2.0"
    set_status lib-r 2.0 Unlisted
    fresh seven
    consume seven com.acme lib-r '[1.0,3.0)'
    holds "$PACKHOUSE_WORK/seven/com/acme/lib-r/1.0/lib-r-1.0.jar" "lib-r 1.0"
    consume seven com.acme lib-r 2.0 || fail "an unlisted version is not to be had by its number"
    set_status lib-r 2.0 Archived
    fresh seven
    if consume seven com.acme lib-r 2.0; then
        fail "an archived version was served"
    fi
    aws codeartifact dispose-package-versions --domain acme --repository app --format maven --namespace com.acme --package lib-r --versions 2.0 >/dev/null
    want "$(code com/acme/lib-r/2.0/lib-r-2.0.jar)" 404 "a file of a disposed version"
    if aws codeartifact get-package-version-asset --domain acme --repository app --format maven --namespace com.acme --package lib-r \
        --package-version 2.0 --asset lib-r-2.0.jar "$PACKHOUSE_WORK/disposed.jar" >/dev/null 2>&1; then
        fail "the bytes of a disposed version can be had"
    fi
}

registries_may_be_gone() {
    on_stub 1.0
    on_stub 2.0
    fresh eight
    consume eight org.stub core 1.0 -C
    holds "$PACKHOUSE_WORK/eight/org/stub/core/1.0/core-1.0.jar" "stub 1.0"
    stub_mode error
    fresh eight
    consume eight org.stub core 1.0 || fail "what was imported is not served without the registry"
    if consume eight org.stub core 2.0; then
        fail "Maven resolved what nobody can have sent"
    fi
    want "$(code org/stub/core/2.0/core-2.0.jar)" 503 "a file that cannot be asked for"
    stub_mode normal
    stub_settles org/stub/core/2.0/core-2.0.pom
    consume eight org.stub core 2.0 || fail "the local repository remembers the outage: $(grep ERROR "$PACKHOUSE_WORK/mvn.log" | head -n 2)"
    holds "$PACKHOUSE_WORK/eight/org/stub/core/2.0/core-2.0.jar" "stub 2.0"
}

# stub_settles PATH: waits until `app` serves this, the registry having come back.
stub_settles() {
    local deadline=$((SECONDS + 45))
    until [ "$(code "$1")" = 200 ]; do
        [ "$SECONDS" -lt "$deadline" ] || fail "$1 is not served 45 s after the registry came back"
        sleep 1
    done
}

lying_registries_are_not_believed() {
    local mode
    on_stub 3.0
    for mode in wrong-checksum html truncate; do
        stub_mode $mode
        case $(code org/stub/core/3.0/core-3.0.jar) in
        502 | 503 | 504 | 000) ;;
        *) fail "a registry in mode $mode was believed" ;;
        esac
        stub_mode normal
        [ -z "$(aws codeartifact list-package-versions --domain acme --repository app --format maven --namespace org.stub --package core \
            --query "versions[?version=='3.0'].status" --output text)" ] || fail "in mode $mode something was kept"
    done
    stub_settles org/stub/core/3.0/core-3.0.jar
    get org/stub/core/3.0/core-3.0.jar >"$PACKHOUSE_WORK/core.jar"
    holds "$PACKHOUSE_WORK/core.jar" "stub 3.0"
}

private_packages_hide_public_ones() {
    local at=$files/com/acme/private
    mkdir -p "$at"/{1.0,2.0}
    for version in 1.0 2.0; do
        jar "$at/$version/private-$version.jar" "public $version"
        pom com.acme private $version >"$at/$version/private-$version.pom"
    done
    metadata com.acme private 1.0 2.0 >"$at/maven-metadata.xml"
    fresh nine
    deploy nine private 1.5 "private 1.5"
    fresh nine
    consume nine com.acme private '[1.0,3.0)'
    holds "$PACKHOUSE_WORK/nine/com/acme/private/1.5/private-1.5.jar" "private 1.5"
    want "$(code com/acme/private/2.0/private-2.0.jar)" 404 "GET of the public version"
}

public_versions_are_not_published_over() {
    on_stub 4.0
    want "$(put org/stub/core/5.0/core-5.0.jar "$PACKHOUSE_WORK/curl.jar")" 403 "publishing to a package that came from a registry"
    local at=$files/com/acme/both
    mkdir -p "$at/1.0"
    jar "$at/1.0/both-1.0.jar" "public"
    pom com.acme both 1.0 >"$at/1.0/both-1.0.pom"
    metadata com.acme both 1.0 >"$at/maven-metadata.xml"
    want "$(put com/acme/both/1.0/both-1.0.jar "$PACKHOUSE_WORK/curl.jar")" 409 "publishing over a version of the registry"
    aws codeartifact put-package-origin-configuration --domain acme --repository app --format maven --namespace org.stub --package core \
        --restrictions publish=ALLOW,upstream=ALLOW >/dev/null
    want "$(put org/stub/core/4.0/core-4.0.jar "$PACKHOUSE_WORK/curl.jar")" 409 "the same where both ways are open"
    want "$(put org/stub/core/5.0/core-5.0.jar "$PACKHOUSE_WORK/curl.jar")" 201 "another version there"
}

strangers_are_told_apart() {
    curl -sS -o /dev/null -D "$PACKHOUSE_WORK/head" "${app}com/acme/lib-a/1.0/lib-a-1.0.pom"
    grep -q '^HTTP/1.1 401' "$PACKHOUSE_WORK/head"
    want "$(grep -i '^www-authenticate' "$PACKHOUSE_WORK/head" | head -n 1 | tr -d '\r' | cut -d ' ' -f 2-)" 'Basic realm="acme/app"' "the first challenge"
    settings "$PACKHOUSE_WORK/expired.xml" "eyJub3QiOiJhIHRva2VuIn0"
    fresh ten
    if SETTINGS=$PACKHOUSE_WORK/expired.xml consume ten com.acme lib-a 1.0; then
        fail "Maven resolved with a token that is none"
    fi
    grep -q '401' "$PACKHOUSE_WORK/mvn.log" || fail "Maven did not say 401: $(grep ERROR "$PACKHOUSE_WORK/mvn.log" | head -n 2)"
    expect_status 200 GET "${app}com/acme/lib-a/1.0/lib-a-1.0.pom" -H "Authorization: Bearer $token"
}

readers_do_not_write() {
    local keys reader
    aws iam create-user --user-name reader >"$PACKHOUSE_WORK/iam.log" 2>&1 || {
        # A server without these operations has nobody who may only read.
        grep -q 'Could not find operation' "$PACKHOUSE_WORK/iam.log" && return 77
        cat "$PACKHOUSE_WORK/iam.log"
        return 1
    }
    aws iam put-user-policy --user-name reader --policy-name read --policy-document '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["codeartifact:GetAuthorizationToken","codeartifact:ReadFromRepository","sts:GetServiceBearerToken"],"Resource":"*"}]}'
    keys=$(aws iam create-access-key --user-name reader)
    reader=$(AWS_ACCESS_KEY_ID=$(json AccessKey.AccessKeyId <<<"$keys") AWS_SECRET_ACCESS_KEY=$(json AccessKey.SecretAccessKey <<<"$keys") packhouse_token acme)
    settings "$PACKHOUSE_WORK/reader.xml" "$reader"
    fresh ten
    if SETTINGS=$PACKHOUSE_WORK/reader.xml deploy ten lib-x 1.0 x; then
        fail "somebody who may only read deployed"
    fi
    grep -q '403' "$PACKHOUSE_WORK/mvn.log" || fail "Maven did not say 403: $(grep ERROR "$PACKHOUSE_WORK/mvn.log" | head -n 2)"
    expect_status 200 GET "${app}com/acme/lib-a/1.0/lib-a-1.0.pom" -u "aws:$reader"
}

module_files_are_kept_as_they_are() {
    local base=com/acme/mod pom
    pom=$(pom com.acme mod 1.0 '<!-- do_not_remove: published-with-gradle-metadata -->')
    put $base/1.0/mod-1.0.pom "$pom" >/dev/null
    want "$(put $base/1.0/mod-1.0.module '{"formatVersion":"1.1"}')" 201 "the module file"
    put $base/maven-metadata.xml "$(metadata com.acme mod 1.0)" >/dev/null
    want "$(get $base/1.0/mod-1.0.pom)" "$pom" "the POM"
    get $base/1.0/mod-1.0.module -D "$PACKHOUSE_WORK/head" >/dev/null
    grep -qi '^content-type: application/vnd.org.gradle.module+json' "$PACKHOUSE_WORK/head"
}

javas_own_headers_are_enough() {
    cat >"$PACKHOUSE_WORK/Get.java" <<'JAVA'
import java.net.*;
public class Get {
    public static void main(String[] of) throws Exception {
        var connection = (HttpURLConnection) new URL(of[0]).openConnection();
        connection.setRequestProperty("Authorization", "Basic " + java.util.Base64.getEncoder().encodeToString(of[1].getBytes()));
        System.out.print(connection.getResponseCode());
    }
}
JAVA
    want "$(java "$PACKHOUSE_WORK/Get.java" "${app}com/acme/lib-a/maven-metadata.xml" "aws:$token")" 200 "a GET of Java itself"
}

plugins_have_prefixes() {
    local work=$PACKHOUSE_WORK/plugin api
    api=$(find "$PACKHOUSE_WORK/seed" -name 'maven-plugin-api-*.jar' | head -n 1)
    mkdir -p "$work/META-INF/maven"
    cat >"$work/Hello.java" <<'JAVA'
package com.acme;
public class Hello extends org.apache.maven.plugin.AbstractMojo {
    public void execute() { getLog().info("hello from acme"); }
}
JAVA
    cat >"$work/META-INF/maven/plugin.xml" <<'XML'
<plugin><name>Acme</name><groupId>com.acme.plugins</groupId><artifactId>acme-maven-plugin</artifactId><version>1.0</version><goalPrefix>acme</goalPrefix>
<mojos><mojo><goal>hello</goal><requiresProject>false</requiresProject><implementation>com.acme.Hello</implementation><language>java</language>
<instantiationStrategy>per-lookup</instantiationStrategy><executionStrategy>once-per-session</executionStrategy></mojo></mojos></plugin>
XML
    (cd "$work" && javac -nowarn -cp "$api:$(find "$PACKHOUSE_WORK/seed" /usr/share/maven/lib -name '*.jar' 2>/dev/null | tr '\n' ':')" -d . Hello.java &&
        python3 -m zipfile -c plugin.jar com META-INF)
    pom com.acme.plugins acme-maven-plugin 1.0 '<packaging>maven-plugin</packaging>' >"$work/plugin.pom"
    fresh eleven
    maven eleven $DEPLOY:deploy-file "-Durl=$app" -DrepositoryId=packhouse "-Dfile=$work/plugin.jar" "-DpomFile=$work/plugin.pom"
    # Maven 3.9 sends this by itself.
    want "$(put com/acme/plugins/maven-metadata.xml '<metadata><plugins><plugin><name>Acme</name><prefix>acme</prefix><artifactId>acme-maven-plugin</artifactId></plugin></plugins></metadata>')" \
        201 "the group's metadata"
    fresh eleven
    maven eleven acme:hello || fail "Maven did not find the plugin by its prefix: $(grep ERROR "$PACKHOUSE_WORK/mvn.log" | head -n 2)"
    grep -q 'hello from acme' "$PACKHOUSE_WORK/mvn.log"
}

large_files_stream() {
    local base=com/acme/large before after size=314572800
    head -c $size /dev/zero | openssl enc -aes-128-ctr -K 0 -iv 0 2>/dev/null >"$PACKHOUSE_WORK/large.zip" || head -c $size /dev/urandom >"$PACKHOUSE_WORK/large.zip"
    before=$(memory)
    want "$(curl -sS -o /dev/null -w '%{http_code}' -u "aws:$token" -T "$PACKHOUSE_WORK/large.zip" "$app$base/1.0/large-1.0.zip")" 201 "the upload"
    put $base/maven-metadata.xml "$(metadata com.acme large 1.0)" >/dev/null
    get $base/1.0/large-1.0.zip -r 0-99999999 >"$PACKHOUSE_WORK/again.zip"
    get $base/1.0/large-1.0.zip -C 100000000 -o "$PACKHOUSE_WORK/again.zip"
    cmp "$PACKHOUSE_WORK/large.zip" "$PACKHOUSE_WORK/again.zip"
    after=$(memory)
    [ $((after - before)) -lt 150000 ] || fail "memory grew from $before to $after KiB over a file of $size bytes"
    want "$(code $base/1.0/large-1.0.zip -H 'Range: bytes=5-' -H 'If-Unmodified-Since: Thu, 01 Jan 2015 00:00:00 GMT')" 412 "resuming after a change"
    rm -f "$PACKHOUSE_WORK"/{large,again}.zip
}

# The most memory that the server ever had, in KiB.
memory() { sed -n 's/^VmHWM:[^0-9]*\([0-9]*\) kB/\1/p' "/proc/$PACKHOUSE_PID/status"; }

paths_do_not_leave() {
    local path got
    for path in ../../../etc/passwd %2e%2e%2f%2e%2e%2fetc%2fpasswd ..%5c..%5cetc%5cpasswd com/acme/lib-a/1.0/../../../../../../etc/passwd \
        com/acme/lib-a/%2e%2e/lib-a-1.0.jar com/acme/%252e%252e/1.0/a-1.0.jar com//acme/lib-a/1.0/lib-a-1.0.jar com/acme/lib-a/1.0/lib-a-1.0.jar%00; do
        got=$(code "$path" --path-as-is)
        case $got in 400 | 404) ;; *) fail "GET $path: $got" ;; esac
        got=$(put "$path" x --path-as-is)
        case $got in 400 | 404) ;; *) fail "PUT $path: $got" ;; esac
    done
}

parallel_deploys_all_count() {
    local number
    one_of_many() {
        put "com/acme/many/1.$1/many-1.$1.jar" "PK $1" >/dev/null
        put "com/acme/many/1.$1/many-1.$1.pom" "$(pom com.acme many "1.$1")" >/dev/null
        get com/acme/many/maven-metadata.xml >/dev/null 2>&1 || :
        put com/acme/many/maven-metadata.xml "$(metadata com.acme many "1.$1")" >/dev/null
    }
    for number in $(seq 50); do
        one_of_many "$number" &
        [ $((number % 10)) -ne 0 ] || wait
    done
    wait
    get com/acme/many/maven-metadata.xml >"$PACKHOUSE_WORK/many.xml"
    want "$(grep -c '<version>' "$PACKHOUSE_WORK/many.xml")" 50 "versions in the metadata"
    want "$(get com/acme/many/maven-metadata.xml.sha1)" "$(sha1sum "$PACKHOUSE_WORK/many.xml" | cut -d ' ' -f 1)" "the SHA-1 of the metadata"
}

gradle_publishes_and_revalidates() {
    has gradle || return 77
    local project=$PACKHOUSE_WORK/gradle
    mkdir -p "$project/src/main/resources"
    echo gradle >"$project/src/main/resources/text.txt"
    echo "rootProject.name = 'lib-g'" >"$project/settings.gradle"
    cat >"$project/build.gradle" <<GRADLE
apply plugin: 'java'
apply plugin: 'maven-publish'
group = 'com.acme'
version = '1.0'
repositories { maven { url '$app'; credentials { username 'aws'; password '$token' } } }
configurations { probe }
dependencies { probe 'com.acme:lib-a:1.0@jar' }
publishing {
  publications { lib(MavenPublication) { from components.java } }
  repositories { maven { url '$app'; credentials { username 'aws'; password '$token' } } }
}
task probe { doLast { println configurations.probe.files } }
GRADLE
    # Debian's Gradle 4 lacks the part of Maven's resolver that sends files.
    gradle_in "$project" publish || grep -q 'available connector factories' "$PACKHOUSE_WORK/gradle.log"
    if grep -q 'available connector factories' "$PACKHOUSE_WORK/gradle.log"; then
        saw "this Gradle cannot publish"
    else
        want "$(status lib-g 1.0)" Published "the status after Gradle's deploy"
    fi
    local before
    gradle_in "$project" probe
    before=$(wc -l <"$PACKHOUSE_LOG")
    gradle_in "$project" probe --refresh-dependencies
    tail -n "+$((before + 1))" "$PACKHOUSE_LOG" | grep 'com/acme/lib-a/1.0/' | grep 'status=200' >"$PACKHOUSE_WORK/requests.log"
    grep -q 'request.method=HEAD' "$PACKHOUSE_WORK/requests.log"
    ! grep 'request.method=GET' "$PACKHOUSE_WORK/requests.log"
}

gradle_in() {
    local project=$1
    shift
    GRADLE_USER_HOME=$PACKHOUSE_WORK/gradle-home timeout 240 gradle --no-daemon -q -p "$project" "$@" >"$PACKHOUSE_WORK/gradle.log" 2>&1 || {
        # This Gradle is older than the Java beside it on some systems: that says nothing about us.
        grep -qE 'Could not determine java version|InaccessibleObject|Unsupported class file|Could not initialize class' "$PACKHOUSE_WORK/gradle.log" && return 77
        tail -n 20 "$PACKHOUSE_WORK/gradle.log"
        return 1
    }
}

scenario "mvn deploys a release" releases_are_deployed
scenario "mvn resolves it with strict checksums" releases_are_resolved
scenario "an interrupted deploy is finished by the next" interrupted_deploys_are_finished
scenario "a release does not change" releases_do_not_change
scenario "curl publishes" curl_publishes
scenario "a wrong checksum holds a version back" wrong_checksums_hold_back
scenario "all four checksums are computed" checksums_are_computed
scenario "snapshots are builds" snapshots_are_builds
scenario "a range picks the highest version" ranges_pick_the_highest
scenario "what was imported outlives its registry, and an outage is no 404" registries_may_be_gone
scenario "a registry that lies is not believed" lying_registries_are_not_believed
scenario "a private package hides the public one of its name" private_packages_hide_public_ones
scenario "a version of a registry is not published over" public_versions_are_not_published_over
scenario "strangers get 401" strangers_are_told_apart
scenario "readers who write get 403" readers_do_not_write
scenario "Gradle publishes and re-validates" gradle_publishes_and_revalidates
scenario "module files and POMs stay as they are" module_files_are_kept_as_they_are
scenario "Java's own headers are enough" javas_own_headers_are_enough
scenario "a plugin is found by its prefix" plugins_have_prefixes
scenario "a large file streams and resumes" large_files_stream
scenario "paths do not leave the tree" paths_do_not_leave
scenario "fifty parallel deploys all count" parallel_deploys_all_count
scenarios_end
