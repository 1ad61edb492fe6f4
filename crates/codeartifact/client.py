"""Every operation of CodeArtifact with boto3, against the server that the environment points at.

Run by client.sh. What there is to try is generated from botocore's own service model: the least and the most that a
call may say, every required member left out, every constraint of every member broken, everything that may be missing,
conflicts, pages of one entry. Every answer is held against the model. The table of what was covered is compared with
docs/coverage.md.
"""

import base64
import hashlib
import io
import json
import os
import sys
import tarfile
import urllib.error
import urllib.request

import boto3
import botocore
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.exceptions import ClientError

URL = os.environ["AWS_ENDPOINT_URL"]
PAGE = os.environ["PACKHOUSE_COVERAGE"]
COLUMNS = ["minimal", "full", "required", "constraints", "unknown", "conflicts", "pages", "answers"]

# What boto3 would refuse itself must reach the server.
once = Config(parameter_validation=False, retries={"total_max_attempts": 1})
client = boto3.client("codeartifact", endpoint_url=URL, config=once)
model = client.meta.service_model
OPERATIONS = list(model.operation_names)
METHODS = {operation: name for name, operation in client.meta.method_to_api_mapping.items()}
covered = {operation: dict.fromkeys(COLUMNS, 0) for operation in OPERATIONS}
problems = []

# Raised in front of every operation, or by any: not every operation's model lists them.
COMMON = {"AccessDeniedException", "ValidationException", "ThrottlingException", "InternalServerException"}


def problem(text):
    problems.append(text)
    print(f"  {text}")


# --- Answers against the model ----------------------------------------------------------------------------------------


def check(shape, value, at):
    """Fails where a value of an answer is not what its shape says."""
    kind = shape.type_name
    if kind == "structure":
        assert isinstance(value, dict), f"{at}: {value!r} is no structure"
        for name, member in value.items():
            assert name in shape.members, f"{at}: {shape.name} has no {name}"
            check(shape.members[name], member, f"{at}.{name}")
        for name in shape.required_members:
            assert name in value, f"{at}: {name} is missing"
    elif kind == "list":
        assert isinstance(value, list), f"{at}: {value!r} is no list"
        for entry in value:
            check(shape.member, entry, f"{at}[]")
    elif kind == "map":
        assert isinstance(value, dict), f"{at}: {value!r} is no map"
        for key, entry in value.items():
            check(shape.key, key, at)
            check(shape.value, entry, f"{at}.{key}")
    elif kind in ("integer", "long"):
        assert type(value) is int, f"{at}: {value!r} is no whole number"
    elif kind == "timestamp":
        assert type(value) in (int, float), f"{at}: {value!r} is no time"
    elif kind == "boolean":
        assert type(value) is bool, f"{at}: {value!r} is no boolean"
    elif kind == "string":
        assert isinstance(value, str), f"{at}: {value!r} is no text"
        low, high = shape.metadata.get("min", 0), shape.metadata.get("max", len(value))
        assert low <= len(value) <= high, f"{at}: {value!r} has not {low} to {high} characters"
        # The model has `Available`; the service sends capitals, and clients compare with those.
        capitals = shape.name == "ExternalConnectionStatus" and value == "AVAILABLE"
        assert not shape.enum or value in shape.enum or capitals, f"{at}: {value!r} is not in {shape.enum}"
    else:
        raise AssertionError(f"{at}: {kind} is a type that this does not know")


def on_answer(operation_model, response_dict, **_):
    """Before boto3 parses it, which is more lenient."""
    name, status, headers = operation_model.name, response_dict["status_code"], response_dict["headers"]
    try:
        assert headers.get("x-amzn-requestid"), f"{name}: an answer without a request id"
        if status < 300:
            assert status == 200, f"{name}: status {status}"
            if operation_model.has_streaming_output:
                for header in ("x-assetname", "x-packageversion", "x-packageversionrevision", "content-length"):
                    assert headers.get(header), f"{name}: no header {header}"
            else:
                assert headers["content-type"] == "application/json", f"{name}: {headers['content-type']}"
                check(operation_model.output_shape, json.loads(response_dict["body"]), name)
            covered[name]["answers"] += 1
        else:
            code = headers["x-amzn-errortype"]
            listed = {shape.name: shape for shape in operation_model.error_shapes}
            assert code in listed or code in COMMON, f"{name}: the model has no {code} for it"
            shape = model.shape_for(code)
            assert status == shape.metadata["error"]["httpStatusCode"], f"{name}: {code} with status {status}"
            members = json.loads(response_dict["body"])
            members = {key: value for key, value in members.items() if key not in ("__type", "code")}
            check(shape, members, f"{name} {code}")
    except AssertionError as error:
        problem(f"answer: {error}")


client.meta.events.register("before-parse.codeartifact.*", on_answer)


def call(operation, parameters):
    return getattr(client, METHODS[operation])(**parameters)


def refusal(operation, parameters):
    """Code, text and members of the error, or None."""
    try:
        call(operation, parameters)
    except ClientError as error:
        return error.response["Error"]["Code"], error.response["Error"]["Message"], error.response
    return None


def raw(method, path, body=b"", query=None, headers=None, hashed=None):
    """A request that no SDK would send, signed with botocore's signer: status, code, document."""
    request = AWSRequest(method=method, url=URL + path, data=body, params=query or {}, headers=headers or {})
    if hashed is not None:
        request.headers["X-Amz-Content-SHA256"] = hashed
    credentials = boto3.session.Session().get_credentials()
    SigV4Auth(credentials, "codeartifact", client.meta.region_name).add_auth(request)
    ready = request.prepare()
    sent = urllib.request.Request(ready.url, data=ready.body or None, headers=dict(ready.headers), method=method)
    try:
        with urllib.request.urlopen(sent, timeout=30) as answer:
            return answer.status, "", json.loads(answer.read() or b"{}")
    except urllib.error.HTTPError as error:
        return error.code, error.headers.get("x-amzn-errortype"), json.loads(error.read() or b"{}")


# --- A world of its own for each operation ----------------------------------------------------------------------------

account = boto3.client("sts", endpoint_url=URL).get_caller_identity()["Account"]
domains = 0
POM = """<project><modelVersion>4.0.0</modelVersion><groupId>com.example</groupId><artifactId>app</artifactId>
<version>1.0</version><name>App</name><description>An app</description><url>https://example.com/app</url>
<dependencies><dependency><groupId>com.example</groupId><artifactId>core</artifactId><version>1.1</version></dependency>
<dependency><groupId>com.example</groupId><artifactId>util</artifactId><version>2</version><scope>test</scope></dependency>
</dependencies></project>"""


def policy(sid="all"):
    statement = {"Sid": sid, "Effect": "Allow", "Principal": "*", "Action": "codeartifact:ReadFromRepository", "Resource": "*"}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def publish(domain, repository="main", package="hammer", version="1.0", asset="a.bin", content=b"bytes", **more):
    digest = hashlib.sha256(content).hexdigest()
    return client.publish_package_version(
        domain=domain, repository=repository, format="generic", namespace="tools", package=package,
        packageVersion=version, assetName=asset, assetContent=content, assetSHA256=digest, **more)  # fmt: skip


def deploy(domain, version):
    """A POM, as Maven sends it."""
    token = client.get_authorization_token(domain=domain)["authorizationToken"]
    endpoint = client.get_repository_endpoint(domain=domain, repository="main", format="maven")["repositoryEndpoint"]
    path = f"com/example/app/{version}/app-{version}.pom"
    body = POM.replace("<version>1.0<", f"<version>{version}<").encode()
    listed = f"<metadata><groupId>com.example</groupId><artifactId>app</artifactId><versioning><versions>"
    listed += f"<version>{version}</version></versions></versioning></metadata>"
    for path, content in ((path, body), ("com/example/app/maven-metadata.xml", listed.encode())):
        put = urllib.request.Request(endpoint + path, data=content, method="PUT")
        put.add_header("Authorization", f"Bearer {token}")
        urllib.request.urlopen(put, timeout=30).close()


def publish_npm(domain):
    """A package with a readme, as npm sends it."""
    token = client.get_authorization_token(domain=domain)["authorizationToken"]
    endpoint = client.get_repository_endpoint(domain=domain, repository="main", format="npm")["repositoryEndpoint"]
    manifest = {"name": "@tools/hammer", "version": "1.0.0"}
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        for name, text in (("package.json", json.dumps(manifest)), ("README.md", "# Hammer\n")):
            entry = tarfile.TarInfo(f"package/{name}")
            entry.size = len(text)
            archive.addfile(entry, io.BytesIO(text.encode()))
    data = base64.b64encode(packed.getvalue()).decode()
    document = {
        "_id": "@tools/hammer", "name": "@tools/hammer", "dist-tags": {"latest": "1.0.0"}, "versions": {"1.0.0": manifest},
        "_attachments": {"@tools/hammer-1.0.0.tgz": {"content_type": "application/octet-stream", "data": data, "length": len(packed.getvalue())}},
    }  # fmt: skip
    put = urllib.request.Request(endpoint + "@tools%2fhammer", data=json.dumps(document).encode(), method="PUT")
    put.add_header("Authorization", f"Bearer {token}")
    put.add_header("Content-Type", "application/json")
    urllib.request.urlopen(put, timeout=30).close()


REPOSITORIES = ("up", "other", "main")


def world(full_of_packages=True):
    """A domain with repositories, groups, policies, tags and packages: three of whatever is listed."""
    global domains
    domains += 1
    domain = f"d-{domains}"
    client.create_domain(domain=domain, tags=[{"key": "a", "value": "1"}, {"key": "b", "value": ""}])
    for name in REPOSITORIES:
        client.create_repository(domain=domain, repository=name, description=f"the {name} one")
    client.create_package_group(domain=domain, packageGroup="/generic/*", contactInfo="us", description="ours")
    client.create_package_group(domain=domain, packageGroup="/generic/tools/*")
    client.create_package_group(domain=domain, packageGroup="/maven/*")
    if full_of_packages:
        for package, versions in (("hammer", ("1.0", "2.0", "3.0")), ("saw", ("1.0",)), ("nail", ("1.0",))):
            for version in versions:
                publish(domain, package=package, version=version, content=b"a.bin", unfinished=version == "1.0")
        publish(domain, asset="b.bin", content=b"b.bin", unfinished=True)
        publish(domain, asset="c.bin", content=b"c.bin")
    return domain


def takes_packages(operation):
    members = model.operation_model(operation).input_shape.members
    return "package" in members or operation in ("ListPackages", "ListAssociatedPackages")


REVISION = "0" * 43 + "="
BASE = {
    "domainOwner": account, "repository": "main", "format": "generic", "namespace": "tools", "package": "hammer",
    "packageVersion": "1.0", "asset": "a.bin", "packageGroup": "/generic/tools/*", "description": "said anew",
    "contactInfo": "them", "tags": [{"key": "team", "value": "x"}], "tagKeys": ["a"], "maxResults": 100,
    "upstreams": [{"repositoryName": "up"}], "externalConnection": "public:maven-central", "versions": ["1.0", "2.0"],
    "sourceRepository": "main", "destinationRepository": "other", "allowOverwrite": True, "includeFromUpstream": True,
    "expectedStatus": "Published", "targetStatus": "Archived", "durationSeconds": 900, "endpointType": "dualstack",
    "repositoryPrefix": "ma", "administratorAccount": account, "prefix": "/generic", "originRestrictionType": "PUBLISH",
    "preview": True, "status": "Published", "sortBy": "PUBLISHED_TIME", "originType": "INTERNAL", "packagePrefix": "ha",
    "publish": "ALLOW", "upstream": "BLOCK", "policyDocument": policy("new"),
    "encryptionKey": f"arn:aws:kms:us-east-1:{account}:key/00000000-0000-0000-0000-000000000000",
    "assetContent": b"fresh", "assetName": "fresh.bin", "assetSHA256": hashlib.sha256(b"fresh").hexdigest(),
    "unfinished": True,
}  # fmt: skip
# What the service asks for though the model does not: a generic package has a namespace, a copy its versions.
ALSO = {operation: {"namespace"} for operation in OPERATIONS
        if {"namespace", "package"} <= set(model.operation_model(operation).input_shape.members)}  # fmt: skip
ALSO["CopyPackageVersions"] = {"namespace", "versions"}
# Of two that exclude each other, the other one; and tokens have a test of their own.
NEVER = {"nextToken"}


def arn(domain):
    return f"arn:aws:codeartifact:{client.meta.region_name}:{account}:domain/{domain}"


def revision(domain, version="1.0"):
    return client.describe_package_version(
        domain=domain, repository="main", format="generic", namespace="tools", package="hammer", packageVersion=version
    )["packageVersion"]["revision"]


def prepared(operation, domain):
    """What the members have to be for this operation, the world being made ready for it."""
    values = dict(BASE, domain=domain, resourceArn=arn(domain))
    members = model.operation_model(operation).input_shape.members
    if operation == "CreateDomain":
        values["domain"] = f"{domain}-new"
    if operation == "DeleteDomain":
        for name in REPOSITORIES:
            client.delete_repository(domain=domain, repository=name)
    if operation == "CreateRepository":
        values["repository"] = "made"
    if operation == "CreatePackageGroup":
        values["packageGroup"] = "/generic/made/*"
    if operation == "PublishPackageVersion":
        values["packageVersion"] = "9.0"
    if operation == "DisassociateExternalConnection":
        client.associate_external_connection(domain=domain, repository="main", externalConnection="public:maven-central")
    if operation == "PutPackageOriginConfiguration":
        values["restrictions"] = {"publish": "BLOCK", "upstream": "ALLOW"}
    if operation == "UpdatePackageGroupOriginConfiguration":
        values["restrictions"] = {"PUBLISH": "ALLOW_SPECIFIC_REPOSITORIES"}
        entry = {"repositoryName": "main", "originRestrictionType": "PUBLISH"}
        values["addAllowedRepositories"], values["removeAllowedRepositories"] = [entry], [entry]
    if operation == "ListAllowedRepositoriesForGroup":
        listed = [{"repositoryName": name, "originRestrictionType": "PUBLISH"} for name in ("main", "other", "up")]
        client.update_package_group_origin_configuration(
            domain=domain, packageGroup="/generic/tools/*", restrictions={"PUBLISH": "ALLOW_SPECIFIC_REPOSITORIES"},
            addAllowedRepositories=listed)  # fmt: skip
    if operation == "ListSubPackageGroups":
        values["packageGroup"] = "/*"
        client.create_package_group(domain=domain, packageGroup="/npm/*")
    if operation == "ListPackageVersionDependencies":
        deploy(domain, "1.0")
        values.update(format="maven", namespace="com.example", package="app")
    if operation == "GetPackageVersionReadme":
        publish_npm(domain)
        values.update(format="npm", packageVersion="1.0.0")
    for holder in ("Domain", "Repository"):
        if operation in (f"Get{holder}PermissionsPolicy", f"Delete{holder}PermissionsPolicy", f"Put{holder}PermissionsPolicy"):
            of = {"domain": domain} if holder == "Domain" else {"domain": domain, "repository": "main"}
            put = client.put_domain_permissions_policy if holder == "Domain" else client.put_repository_permissions_policy
            values["policyRevision"] = put(**of, policyDocument=policy())["policy"]["revision"]
    if "packageVersionRevision" in members:
        values["packageVersionRevision"] = revision(domain)
    if "versionRevisions" in members:
        values["versionRevisions"] = {version: revision(domain, version) for version in ("1.0", "2.0")}
    return values


def minimal(operation, values):
    shape = model.operation_model(operation).input_shape
    wanted = set(shape.required_members) | ALSO.get(operation, set())
    return {name: values[name] for name in shape.members if name in wanted}


def full(operation, values):
    shape = model.operation_model(operation).input_shape
    left_out = set(NEVER)
    if operation == "CopyPackageVersions":
        left_out.add("versions")
    return {name: values[name] for name in shape.members if name not in left_out}


# --- Valid calls ------------------------------------------------------------------------------------------------------


def valid(operation):
    for column, members in (("minimal", minimal), ("full", full)):
        domain = world(takes_packages(operation))
        parameters = members(operation, prepared(operation, domain))
        answer = call(operation, parameters)
        if "failedVersions" in answer:
            assert answer["failedVersions"] == {} and set(answer["successfulVersions"]) == {"1.0", "2.0"}, answer
        if operation == "GetPackageVersionReadme":
            assert answer["readme"] == "# Hammer\n", answer
        if operation == "GetPackageVersionAsset":
            assert answer["asset"].read() == b"a.bin", "other bytes"
        covered[operation][column] += 1


# --- Calls that the model forbids -------------------------------------------------------------------------------------

# Beside each pattern of the model a text of good length that it does not match.
OFF = {
    "[0-9]{12}": "11112222333x", "\\S+": "a b", "\\P{C}+": "a\0b", "\\P{C}*": "a\0b", "[\\P{C}\\s]+": "a\0b",
    "[a-z][a-z0-9\\-]{0,48}[a-z0-9]": "My_domain", "[A-Za-z0-9][A-Za-z0-9._\\-:]{1,99}": "public/npm",
    "[0-9a-f]+": "AB" * 32, "[^\\p{C}\\p{IsWhitespace}]+": "a b", "[^#/\\s]+": "a/b",
    "[A-Za-z0-9][A-Za-z0-9._\\-]{1,99}": "my/repository",
}  # fmt: skip


def sample(shape):
    """A value that the shape allows."""
    kind = shape.type_name
    if kind == "structure":
        return {name: sample(member) for name, member in shape.members.items()}
    if kind == "list":
        return [sample(shape.member)]
    if kind == "map":
        return {sample(shape.key): sample(shape.value)}
    if kind == "string":
        if shape.enum:
            return shape.enum[0]
        text = {"AccountId": account, "SHA256": "0" * 64}.get(shape.name, "sample")
        return text
    return {"boolean": True, "integer": shape.metadata.get("min", 1), "long": 1}[kind]


def violations(shape, value):
    """Everything that is wrong in one way only: what, and the value."""
    kind, rules = shape.type_name, shape.metadata
    if kind == "string":
        if shape.enum:
            yield f"not in {shape.enum}", "no-such-value"
            return
        if rules.get("min", 0) > 0:
            yield f"shorter than {rules['min']}", value[: rules["min"] - 1] if value.isascii() else ""
        if "max" in rules:
            yield f"longer than {rules['max']}", (value or "a") + "a" * rules["max"]
        if "pattern" in rules:
            yield f"not {rules['pattern']}", OFF[rules["pattern"]]
    elif kind in ("integer", "long"):
        if "min" in rules:
            yield f"less than {rules['min']}", rules["min"] - 1
        if "max" in rules:
            yield f"more than {rules['max']}", rules["max"] + 1
    elif kind == "list":
        if "max" in rules:
            yield f"more than {rules['max']} entries", [sample(shape.member)] * (rules["max"] + 1)
        entry = value[0] if value else sample(shape.member)
        for what, bad in violations(shape.member, entry):
            yield f"entry {what}", [bad]
    elif kind == "map":
        key, entry = next(iter(value.items()))
        for what, bad in violations(shape.key, key):
            yield f"key {what}", {bad: entry}
        for what, bad in violations(shape.value, entry):
            yield f"value {what}", {key: bad}
    elif kind == "structure":
        for name in shape.required_members:
            yield f"without {name}", {key: entry for key, entry in value.items() if key != name}
        for name, member in shape.members.items():
            for what, bad in violations(member, value.get(name, sample(member))):
                yield f"{name} {what}", dict(value, **{name: bad})


def is_invalid(found, member):
    if not found or found[0] != "ValidationException":
        return False
    # The hash of the body is part of the signature, whose own check comes first.
    return found[2].get("reason") == "FIELD_VALIDATION_FAILED" or member == "assetSHA256"


def forbidden(operation, values):
    shape = model.operation_model(operation).input_shape
    good = full(operation, dict(values, nextToken="token"))
    good.setdefault("versions", BASE["versions"]) if operation == "CopyPackageVersions" else None
    for name in shape.required_members:
        if name == "assetContent":
            continue
        found = refusal(operation, {key: value for key, value in good.items() if key != name})
        if not is_invalid(found, name):
            problem(f"{operation} without {name}: {found and found[:2]}")
        covered[operation]["required"] += 1
    for name, member in shape.members.items():
        if name == "assetContent":
            continue
        given = good.get(name, values.get(name, sample(member) if member.type_name != "string" else "token"))
        for what, bad in violations(member, given):
            # A tag without a value has an empty one, whatever the model says.
            if name == "tags" and "without value" in what:
                continue
            # Tokens longer than the model's are read, because some of ours are; then they are not ours.
            if member.name == "PaginationToken" and what.startswith("longer"):
                continue
            found = refusal(operation, dict(good, **{name: bad}))
            if not is_invalid(found, name):
                problem(f"{operation}.{name} {what}: {found and found[:2]}")
            covered[operation]["constraints"] += 1


# --- What is not there ------------------------------------------------------------------------------------------------

# By member: what stands there instead, `resourceType` of the answer.
UNKNOWN = {
    "domain": ("no-domain", "domain"), "repository": ("no-repository", "repository"),
    "sourceRepository": ("no-repository", "repository"), "destinationRepository": ("no-repository", "repository"),
    "package": ("no-package", "package"), "packageVersion": ("0.0", "package-version"), "asset": ("no.bin", "asset"),
    "packageGroup": ("/generic/nothing/*", None), "resourceArn": (arn("no-domain"), "domain"),
    "upstreams": ([{"repositoryName": "no-repository"}], "repository"),
    "addAllowedRepositories": ([{"repositoryName": "no-repository", "originRestrictionType": "PUBLISH"}], "repository"),
}  # fmt: skip
# Where what is not there is no error: it is being made, is gone already, or need not be there.
NO_ERROR = {
    ("CreateDomain", "domain"), ("DeleteDomain", "domain"), ("CreateRepository", "repository"),
    ("DeleteRepository", "repository"), ("PutPackageOriginConfiguration", "package"), ("PublishPackageVersion", "package"),
    ("PublishPackageVersion", "packageVersion"), ("GetAssociatedPackageGroup", "package"), ("CreatePackageGroup", "packageGroup"),
}  # fmt: skip


def unknown(operation, domain, values):
    members = model.operation_model(operation).input_shape.members
    good = full(operation, values)
    good.pop("preview", None)
    if operation == "DisassociateExternalConnection":
        good = dict(good, externalConnection="public:pypi")
        found = refusal(operation, good)
        assert found and found[0] == "ResourceNotFoundException" and found[2]["resourceType"] == "repository", found
        covered[operation]["unknown"] += 1
    for name, (value, kind) in UNKNOWN.items():
        if name not in members or (operation, name) in NO_ERROR:
            continue
        found = refusal(operation, dict(good, **{name: value}))
        if found is None or found[0] != "ResourceNotFoundException" or found[2].get("resourceType") != kind:
            problem(f"{operation} of an unknown {name}: {found and (found[:2], found[2].get('resourceType'))}")
            continue
        package = "@{}/no-package" if good.get("format") == "npm" else "{}:no-package"
        asked = {"package": package.format(good.get("namespace")), "resourceArn": "no-domain"}.get(name, value)
        asked = asked if isinstance(asked, str) else "no-repository"
        if found[2].get("resourceId") != asked:
            problem(f"{operation} of an unknown {name}: resourceId {found[2].get('resourceId')!r}, not {asked!r}")
        covered[operation]["unknown"] += 1
    if "versions" in members:
        lost = {key: value for key, value in good.items() if key != "versionRevisions"}
        answer = call(operation, dict(lost, versions=["0.0", "3.0"]))
        codes = {version: failed["errorCode"] for version, failed in answer["failedVersions"].items()}
        assert codes == {"0.0": "NOT_FOUND", "3.0": "SKIPPED"} and answer["successfulVersions"] == {}, answer
        covered[operation]["unknown"] += 1
    if operation.startswith(("Get", "Delete")) and operation.endswith("PermissionsPolicy"):
        client.delete_domain_permissions_policy(domain=domain) if "Domain" in operation else (
            client.delete_repository_permissions_policy(domain=domain, repository="main"))
        found = refusal(operation, {key: value for key, value in good.items() if key != "policyRevision"})
        assert found and found[0] == "ResourceNotFoundException", found
        covered[operation]["unknown"] += 1


# --- Conflicts, quotas, states ----------------------------------------------------------------------------------------


def conflicts(operation, domain, values):
    """Pairs of parameters and what has to come of them, in this order: an exception, or codes of versions."""
    good = full(operation, values)
    repository = {"domain": domain, "repository": "main"}
    conflict, quota, invalid = "ConflictException", "ServiceQuotaExceededException", "ValidationException"
    upstreams = [{"repositoryName": f"u{number:02}"} for number in range(11)]
    tags = [{"key": f"k{number}", "value": ""} for number in range(51)]
    versions = {"domain": domain, "repository": "main", "format": "generic", "namespace": "tools", "package": "hammer"}
    wrong = {"1.0": REVISION}
    rules = {"domain": domain, "packageGroup": "/generic/tools/*"}
    entry = {"repositoryName": "main", "originRestrictionType": "PUBLISH"}
    cases = {
        "CreateDomain": [({"domain": domain}, conflict), ({"domain": f"{domain}-t", "tags": tags}, quota),
                         ({"domain": f"{domain}-k", "encryptionKey": "no key"}, invalid)],
        "DeleteDomain": [({"domain": domain}, conflict)],
        "CreateRepository": [(repository, conflict),
                             (dict(repository, repository="x1", upstreams=upstreams), quota),
                             (dict(repository, repository="x2", upstreams=[{"repositoryName": "x2"}]), invalid),
                             (dict(repository, repository="x3", upstreams=[{"repositoryName": "up"}] * 2), invalid)],
        "UpdateRepository": [(dict(repository, upstreams=[{"repositoryName": "main"}]), invalid),
                             (dict(repository, upstreams=upstreams), quota)],
        "AssociateExternalConnection": [(dict(repository, externalConnection="public:maven-central"), None),
                                        (dict(repository, externalConnection="public:maven-central"), conflict),
                                        (dict(repository, externalConnection="public:npmjs"), invalid),
                                        (dict(repository, externalConnection="public:no-registry"), invalid)],
        "CreatePackageGroup": [({"domain": domain, "packageGroup": "/*"}, conflict),
                               ({"domain": domain, "packageGroup": "/generic/*"}, conflict),
                               ({"domain": domain, "packageGroup": "npm/*"}, invalid),
                               ({"domain": domain, "packageGroup": "/generic/x/*", "tags": tags}, quota)],
        "DeletePackageGroup": [({"domain": domain, "packageGroup": "/*"}, invalid)],
        "UpdatePackageGroupOriginConfiguration": [
            (dict(rules, addAllowedRepositories=[entry]), invalid),
            (dict(rules, packageGroup="/*", restrictions={"PUBLISH": "INHERIT"}), invalid),
            (dict(rules, restrictions={"PUBLISH": "ALLOW_SPECIFIC_REPOSITORIES"}, addAllowedRepositories=[entry] * 101), invalid)],
        "PublishPackageVersion": [
            (dict(good, packageVersion="1.0"), conflict),
            (dict(good, packageVersion="1.0", assetName="a.bin"), conflict),
            (dict(good, assetSHA256=hashlib.sha256(b"other").hexdigest()), invalid),
            (dict(good, format="npm"), invalid),
            (dict(good, assetName=".."), invalid)],
        "GetPackageVersionAsset": [(dict(good, packageVersionRevision=REVISION), conflict)],
        "CopyPackageVersions": [
            (dict(good, versions=["1.0"]), invalid),
            (dict(good, destinationRepository="main"), invalid),
            (dict(good, versionRevisions=wrong), {"1.0": "MISMATCHED_REVISION"}),
            (dict(good, includeFromUpstream=False, allowOverwrite=False), None)],
        "UpdatePackageVersionsStatus": [
            (dict(good, expectedStatus="Unlisted"), {"1.0": "MISMATCHED_STATUS", "2.0": "MISMATCHED_STATUS"}),
            (dict(good, versions=["1.0"], versionRevisions=wrong), {"1.0": "MISMATCHED_REVISION"}),
            (dict(good, versionRevisions=wrong), invalid),
            *((dict(good, targetStatus=status), invalid) for status in ("Disposed", "Deleted", "Unfinished"))],
        "DisposePackageVersions": [
            (dict(good, expectedStatus="Unlisted"), {"1.0": "MISMATCHED_STATUS", "2.0": "MISMATCHED_STATUS"}),
            (dict(good, versions=["1.0"], versionRevisions=wrong), {"1.0": "MISMATCHED_REVISION"}),
            (good, None), (dict(good, expectedStatus="Disposed"), None)],
        "DeletePackageVersions": [
            (dict(versions, versions=["1.0"], expectedStatus="Unlisted"), {"1.0": "MISMATCHED_STATUS"})],
        "TagResource": [(dict(good, tags=tags), quota),
                        (dict(good, tags=[{"key": "a", "value": "1"}] * 2), invalid),
                        (dict(good, resourceArn="nonsense"), invalid),
                        (dict(good, tags=[{"key": "aws:x", "value": ""}]), invalid)],
        "UntagResource": [(dict(good, resourceArn="arn:aws:s3:::bucket"), invalid)],
        "ListTagsForResource": [({"resourceArn": "arn:aws:codeartifact:eu-west-9:111122223333:domain/d"}, invalid)],
        "GetAuthorizationToken": [(dict(good, durationSeconds=0), invalid), (dict(good, durationSeconds=899), invalid)],
        "ListPackages": [({"domain": domain, "repository": "main", "namespace": "tools"}, invalid)],
    }.get(operation, [])  # fmt: skip
    for holder in ("Domain", "Repository"):
        if operation == f"Put{holder}PermissionsPolicy":
            cases = [(dict(good, policyRevision=REVISION), conflict), (dict(good, policyDocument="{}"), invalid),
                     (dict(good, policyDocument="not JSON"), invalid)]  # fmt: skip
        if operation == f"Delete{holder}PermissionsPolicy":
            cases = [(dict(good, policyRevision=REVISION), conflict)]
    for parameters, expected in cases:
        if expected is None or isinstance(expected, dict):
            failed = call(operation, parameters).get("failedVersions", {})
            found = {version: why["errorCode"] for version, why in failed.items()}
            expected = expected or {}
        else:
            found = refusal(operation, parameters)
            found = found and found[0]
        if found != expected:
            problem(f"{operation} {parameters}: {found}, not {expected}")
        covered[operation]["conflicts"] += 1


# --- Pages ------------------------------------------------------------------------------------------------------------


def has_pages(operation):
    return "nextToken" in model.operation_model(operation).input_shape.members


def pages(operation, values):
    members = model.operation_model(operation).input_shape.members
    good = minimal(operation, values)
    entries = {"ListDomains": "domains", "ListRepositories": "repositories", "ListRepositoriesInDomain": "repositories",
               "ListPackages": "packages", "ListPackageVersions": "versions", "ListPackageVersionAssets": "assets",
               "ListPackageVersionDependencies": "dependencies", "ListPackageGroups": "packageGroups",
               "ListSubPackageGroups": "packageGroups", "ListAssociatedPackages": "packages",
               "ListAllowedRepositoriesForGroup": "allowedRepositories"}[operation]  # fmt: skip
    if "maxResults" not in members:
        answer = call(operation, good)
        assert len(answer[entries]) == 2 and "nextToken" not in answer, answer
        assert refusal(operation, dict(good, nextToken="not-ours"))[0] == "ValidationException"
        covered[operation]["pages"] += 1
        return
    whole = call(operation, dict(good, maxResults=1000))
    assert "nextToken" not in whole, f"{operation}: a token after the last"
    walked, tokens = [], set()
    paginator = client.get_paginator(METHODS[operation])
    # All domains, and all repositories, are many by now.
    size = max(1, len(whole[entries]) // 40)
    for page in paginator.paginate(**good, PaginationConfig={"PageSize": size}):
        assert len(page[entries]) <= size, f"{operation}: {len(page[entries])} entries"
        walked += page[entries]
        token = page.get("nextToken")
        assert token is None or token not in tokens, f"{operation}: a token twice"
        tokens.add(token)
        covered[operation]["pages"] += 1
    assert len(walked) >= 3 and walked == whole[entries], f"{operation}: {len(walked)} of {len(whole[entries])}"
    assert refusal(operation, dict(good, nextToken="not-ours"))[0] == "ValidationException"


# --- What no SDK sends ------------------------------------------------------------------------------------------------


def at_the_wire():
    domain = world(full_of_packages=False)
    for what, found, status, code, reason in [
        ("no such path", raw("GET", "/v1/nothing"), 400, "ValidationException", "UNKNOWN_OPERATION"),
        ("no such method", raw("DELETE", "/v1/domains"), 400, "ValidationException", "UNKNOWN_OPERATION"),
        ("no JSON", raw("POST", "/v1/repository", b"{", {"domain": domain, "repository": "r1"}), 400, "ValidationException", "CANNOT_PARSE"),
        ("a list for an object", raw("POST", "/v1/domains", b"[]"), 400, "ValidationException", "CANNOT_PARSE"),
        ("a text for a number", raw("POST", "/v1/domains", b'{"maxResults":"a"}'), 400, "ValidationException", "CANNOT_PARSE"),
        ("a word for a number", raw("POST", "/v1/repositories", b"", {"max-results": "many"}), 400, "ValidationException", None),
        ("a word for a boolean", raw("GET", "/v1/list-associated-packages", b"",
                                     {"domain": domain, "package-group": "/*", "preview": "yes"}), 400, "ValidationException", None),
        ("an unsigned body", raw("POST", "/v1/package/version/publish", b"x",
                                 {"domain": domain, "repository": "main", "format": "generic", "namespace": "n", "package": "p",
                                  "version": "1", "asset": "a"}, hashed="UNSIGNED-PAYLOAD"), 403, "InvalidSignatureException", None),
        ("an empty object", raw("GET", "/v1/domain", b"{}", {"domain": domain}), 200, "", None),
        ("members that are not known", raw("POST", "/v1/domains", b'{"what":1}', {"colour": "red"}), 200, "", None),
    ]:  # fmt: skip
        good = found[0] == status and found[1] == code and (reason is None or found[2].get("reason") == reason)
        if not good:
            problem(f"{what}: {found}")
    names = urllib.request.Request(URL + "/v1/domains", data=b"{}", method="POST")
    try:
        urllib.request.urlopen(names, timeout=30)
        problem("a request without a signature is answered")
    except urllib.error.HTTPError as error:
        if error.headers.get("x-amzn-errortype") != "MissingAuthenticationTokenException":
            problem(f"without a signature: {error.headers.get('x-amzn-errortype')}")


def texts_survive():
    """Whatever a name may hold comes back as it was sent, through query strings, documents and headers."""
    domain = world(full_of_packages=False)
    for package in ("a+b", "a=b&c", "100%", "ü-ñ-漢", "~!@^()", "a*b", "%2F"):
        version, asset = f"{package}+1", "ä b+c.bin"
        publish(domain, package=package, version=version, asset=asset, content=package.encode())
        of = {"domain": domain, "repository": "main", "format": "generic", "namespace": "tools", "package": package}
        answer = client.get_package_version_asset(**of, packageVersion=version, asset=asset)
        assert answer["asset"].read() == package.encode(), answer
        # Python reads headers as Latin-1; what was sent is UTF-8.
        named = [answer[member].encode("latin-1").decode() for member in ("packageVersion", "assetName")]
        assert named == [version, asset], named
        assert client.describe_package(**of)["package"]["name"] == package
        described = client.describe_package_version(**of, packageVersion=version)["packageVersion"]
        assert (described["packageName"], described["version"]) == (package, version), described
    listed = [entry["package"] for entry in client.list_packages(domain=domain, repository="main")["packages"]]
    assert listed == sorted(listed, key=str.encode) and len(listed) == 7, listed


# --- The table --------------------------------------------------------------------------------------------------------

INTRO = """# What of the API is covered

Every operation of AWS CodeArtifact's API, and how often `crates/codeartifact/client.py` puts it to a running server with the unmodified AWS SDK. The calls are made from the SDK's own
service model, and so is what answers are held against. That run writes this page (`PACKHOUSE_WRITE_COVERAGE=1 make clients ARGS=codeartifact`), and fails when other cells are covered than
stand here.

| column | counts |
|---|---|
| minimal | calls with the required members only |
| full | calls with every member |
| required | required members left out, each refused |
| constraints | lengths, patterns, values and numbers of entries that the model forbids, each refused |
| unknown | things that are not there: domain, repository, package, version, asset, group, policy |
| conflicts | names taken, states, revisions and quotas in the way, values that cannot be meant |
| pages | pages of one entry (long lists: of a fortieth), together equal to the whole list |
| answers | answers held against the model: members, types, values |

"""


def row(operation):
    cells = [str(covered[operation][column] or "–") for column in COLUMNS]
    return f"| {operation} | {' | '.join(cells)} |"


def table():
    totals = [str(sum(covered[operation][column] for operation in OPERATIONS)) for column in COLUMNS]
    lines = [f"| operation | {' | '.join(COLUMNS)} |", f"|---|{'---:|' * len(COLUMNS)}"]
    lines += [row(operation) for operation in OPERATIONS]
    return "\n".join([*lines, f"| **{len(OPERATIONS)} operations** | {' | '.join(totals)} |"]) + "\n"


def cells(text):
    """Which cells of a page's table are covered."""
    found = set()
    for line in text.splitlines():
        parts = [part.strip() for part in line.strip("|").split("|")]
        if parts[0] in OPERATIONS and len(parts) == len(COLUMNS) + 1:
            found |= {(parts[0], column) for column, count in zip(COLUMNS, parts[1:]) if count != "–"}
    return found


def compare():
    found = INTRO + table()
    if os.environ.get("PACKHOUSE_WRITE_COVERAGE"):
        with open(PAGE, "w", encoding="utf-8") as page:
            page.write(found)
    try:
        with open(PAGE, encoding="utf-8") as page:
            stated = page.read()
    except FileNotFoundError:
        stated = ""
    for operation, column in sorted(cells(stated) - cells(found)):
        problem(f"docs/coverage.md says that {column} of {operation} is covered, and it was not")
    for operation, column in sorted(cells(found) - cells(stated)):
        problem(f"docs/coverage.md does not say that {column} of {operation} is covered: write it anew")


def every(part):
    def run():
        for operation in OPERATIONS:
            try:
                part(operation)
            except (AssertionError, ClientError) as error:
                problem(f"{operation}: {error}")

    return run


def in_world(part, applies=lambda operation: True):
    def run(operation):
        if not applies(operation):
            return
        domain = world(takes_packages(operation))
        # A domain is deleted only when it is empty; what is in the way of that is a case of its own.
        values = dict(BASE, domain=domain, resourceArn=arn(domain)) if operation == "DeleteDomain" else prepared(operation, domain)
        part(operation, domain, values)

    return run


# What may not be said needs one world for all.
shared = world()
shared_values = {operation: prepared(operation, shared) for operation in OPERATIONS if operation != "DeleteDomain"
                 and operation != "AssociateExternalConnection"}  # fmt: skip
for operation in ("DeleteDomain", "AssociateExternalConnection"):
    shared_values[operation] = dict(BASE, domain=shared, resourceArn=arn(shared))

SCENARIOS = [
    ("what is valid is answered, with the least and with the most said", every(valid)),
    ("what the model forbids is refused", every(lambda operation: forbidden(operation, shared_values[operation]))),
    ("what is not there is told by its kind and name", every(in_world(unknown))),
    ("what is in the way is told", every(in_world(conflicts))),
    ("small pages together are the whole list", every(in_world(lambda operation, _, values: pages(operation, values), has_pages))),
    ("what no SDK sends is refused in the service's words", at_the_wire),
    ("any text that a name may hold survives", texts_survive),
    ("the page of what is covered agrees", compare),
]

print(f"boto3 {boto3.__version__}, botocore {botocore.__version__}: {len(OPERATIONS)} operations")
failed = 0
for number, (title, run) in enumerate(SCENARIOS, 1):
    problems.clear()
    try:
        run()
    except Exception as error:  # noqa: BLE001: whatever it was, the others are still to be run
        problem(f"{type(error).__name__}: {error}")
    failed += bool(problems)
    print(f"{'not ok' if problems else 'ok'} {number} - {title}", flush=True)
print(f"{len(SCENARIOS) - failed} passed, {failed} failed")
sys.exit(bool(failed))
