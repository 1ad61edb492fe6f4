"""The calls of CloudFormation's resource handlers and Terraform's resources for CodeArtifact, in their order.

Run by client.sh. Each function is one resource: create, read, update, list, delete, and what is read after that, with
what the tool relies on in the answers.
"""

import json
import os
import sys
import traceback

import boto3
from botocore.exceptions import ClientError

URL = os.environ["AWS_ENDPOINT_URL"]
client = boto3.client("codeartifact", endpoint_url=URL)
account = boto3.client("sts", endpoint_url=URL).get_caller_identity()["Account"]
region = client.meta.region_name


def arn(resource):
    return f"arn:aws:codeartifact:{region}:{account}:{resource}"


def gone(call, **parameters):
    """What both tools take for "it is not there"; anything else is an error to them."""
    try:
        call(**parameters)
    except client.exceptions.ResourceNotFoundException:
        return
    raise AssertionError(f"{call.__name__} answers after the deletion")


def refused(code, call, **parameters):
    try:
        call(**parameters)
    except ClientError as error:
        assert error.response["Error"]["Code"] == code, error
        return error.response["Error"]["Message"]
    raise AssertionError(f"{call.__name__} was not refused with {code}")


def document(*actions):
    statement = {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{account}:root"}, "Action": list(actions), "Resource": "*"}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def same(one, other):
    return json.loads(one) == json.loads(other)


# --- CloudFormation ---------------------------------------------------------------------------------------------------


def cloudformation_domain():
    """AWS::CodeArtifact::Domain: create, wait, policy, tags; read; update; list; delete."""
    name, of = "cf-domain", {"domain": "cf-domain", "domainOwner": account}
    tags = [{"key": "a", "value": "1"}, {"key": "b", "value": "2"}]
    gone(client.describe_domain, **of)
    client.create_domain(domain=name, tags=tags)
    # The handler waits until this stops being ResourceNotFoundException.
    assert client.describe_domain(**of)["domain"]["arn"] == arn(f"domain/{name}")
    client.put_domain_permissions_policy(**of, policyDocument=document("codeartifact:DescribeDomain"))
    # A second create is a conflict even when nothing differs; that is how "already exists" is told.
    refused("ConflictException", client.create_domain, domain=name, tags=tags)

    read = client.describe_domain(**of)["domain"]
    assert {"name", "owner", "arn", "encryptionKey"} <= set(read), read
    policy = client.get_domain_permissions_policy(**of)["policy"]
    assert same(policy["document"], document("codeartifact:DescribeDomain")) and policy["resourceArn"] == read["arn"]
    assert client.list_tags_for_resource(resourceArn=read["arn"])["tags"] == tags

    # An update removes the policy, or puts another one, and brings the tags in line.
    client.delete_domain_permissions_policy(**of)
    gone(client.get_domain_permissions_policy, **of)
    client.untag_resource(resourceArn=read["arn"], tagKeys=["a", "never there"])
    client.tag_resource(resourceArn=read["arn"], tags=[{"key": "b", "value": "3"}])
    assert client.list_tags_for_resource(resourceArn=read["arn"])["tags"] == [{"key": "b", "value": "3"}]

    assert name in [entry["name"] for page in client.get_paginator("list_domains").paginate() for entry in page["domains"]]
    client.create_repository(domain=name, repository="in-the-way")
    text = refused("ConflictException", client.delete_domain, **of)
    assert text == "Domain must contain 0 repositories before deletion", text
    client.delete_repository(domain=name, repository="in-the-way")
    client.delete_domain(**of)
    gone(client.describe_domain, **of)
    gone(client.get_domain_permissions_policy, **of)
    gone(client.list_tags_for_resource, resourceArn=read["arn"])
    client.delete_domain(**of)


def cloudformation_repository():
    """AWS::CodeArtifact::Repository: create, connect; update of upstreams and connections; policy; delete."""
    client.create_domain(domain="cf-repo")
    domain = {"domain": "cf-repo", "domainOwner": account}
    of = dict(domain, repository="app")
    gone(client.describe_repository, **of)
    for name in ("one", "two"):
        client.create_repository(**domain, repository=name)
    client.create_repository(**of, description="", tags=[{"key": "k", "value": "v"}])
    client.associate_external_connection(**of, externalConnection="public:pypi")
    read = client.describe_repository(**of)["repository"]
    assert read["arn"] == arn("repository/cf-repo/app") and read["upstreams"] == [], read
    assert [each["externalConnectionName"] for each in read["externalConnections"]] == ["public:pypi"]
    gone(client.get_repository_permissions_policy, **of)
    refused("ConflictException", client.create_repository, **of)
    # From a connection to upstreams: first the one has to go; even an empty list is refused beside it.
    refused("ValidationException", client.update_repository, **of, upstreams=[])
    client.disassociate_external_connection(**of, externalConnection="public:pypi")
    upstreams = [{"repositoryName": "two"}, {"repositoryName": "one"}]
    changed = client.update_repository(**of, description="app", upstreams=upstreams)["repository"]
    assert changed["upstreams"] == upstreams and client.describe_repository(**of)["repository"] == changed
    # And back.
    refused("ValidationException", client.associate_external_connection, **of, externalConnection="public:pypi")
    client.update_repository(**of, upstreams=[])
    client.associate_external_connection(**of, externalConnection="public:npmjs")
    client.put_repository_permissions_policy(**of, policyDocument=document("codeartifact:ReadFromRepository"))
    assert client.get_repository_permissions_policy(**of)["policy"]["resourceArn"] == read["arn"]
    listed = client.get_paginator("list_repositories").paginate()
    assert "app" in [entry["name"] for page in listed for entry in page["repositories"] if entry["domainName"] == "cf-repo"]
    client.delete_repository(**of)
    gone(client.describe_repository, **of)
    gone(client.get_repository_permissions_policy, **of)
    gone(client.list_tags_for_resource, resourceArn=read["arn"])
    client.delete_repository(**of)


def cloudformation_package_group():
    """AWS::CodeArtifact::PackageGroup: create, then its origin configuration in steps of a hundred; read; update; delete."""
    client.create_domain(domain="cf-group")
    domain = {"domain": "cf-group", "domainOwner": account}
    names = [f"r{number:03}" for number in range(150)]
    for name in names:
        client.create_repository(**domain, repository=name)
    of = dict(domain, packageGroup="/npm/company/*")
    gone(client.describe_package_group, **of)
    client.create_package_group(**of, description="d", contactInfo="c", tags=[{"key": "k", "value": "v"}])
    refused("ConflictException", client.create_package_group, **of)
    entries = [{"repositoryName": name, "originRestrictionType": "PUBLISH"} for name in names]
    modes = {"PUBLISH": "ALLOW_SPECIFIC_REPOSITORIES", "EXTERNAL_UPSTREAM": "BLOCK"}
    client.update_package_group_origin_configuration(**of, restrictions=modes)
    for start in (0, 100):
        part = entries[start : start + 100]
        client.update_package_group_origin_configuration(**of, addAllowedRepositories=part)
    read = client.describe_package_group(**of)["packageGroup"]
    restrictions = read["originConfiguration"]["restrictions"]
    # The handler reads all three without asking whether they are there.
    found = {kind: restrictions[kind]["mode"] for kind in ("PUBLISH", "EXTERNAL_UPSTREAM", "INTERNAL_UPSTREAM")}
    assert found == dict(modes, INTERNAL_UPSTREAM="INHERIT"), found
    assert restrictions["PUBLISH"]["repositoriesCount"] == 150, restrictions
    pages = client.get_paginator("list_allowed_repositories_for_group").paginate(**of, originRestrictionType="PUBLISH")
    assert [name for page in pages for name in page["allowedRepositories"]] == names
    assert read["arn"] == arn("package-group/cf-group/npm/company/%2a"), read["arn"]
    assert client.list_tags_for_resource(resourceArn=read["arn"])["tags"] == [{"key": "k", "value": "v"}]
    client.untag_resource(resourceArn=read["arn"], tagKeys=["k"])
    client.update_package_group(**of, description="other", contactInfo="")
    client.update_package_group_origin_configuration(**of, removeAllowedRepositories=entries[:100])
    client.update_package_group_origin_configuration(**of, restrictions={"PUBLISH": "INHERIT"})
    read = client.describe_package_group(**of)["packageGroup"]
    assert read["description"] == "other" and "contactInfo" not in read, read
    assert read["originConfiguration"]["restrictions"]["PUBLISH"]["inheritedFrom"]["pattern"] == "/*"
    # The root group is there without being created, and is reset where others are deleted.
    root = dict(domain, packageGroup="/*")
    client.update_package_group_origin_configuration(**root, restrictions={"PUBLISH": "BLOCK"})
    client.update_package_group_origin_configuration(**root, restrictions={"PUBLISH": "ALLOW"})
    refused("ValidationException", client.delete_package_group, **root)
    listed = client.get_paginator("list_package_groups").paginate(**domain)
    assert [entry["pattern"] for page in listed for entry in page["packageGroups"]] == ["/*", "/npm/company/*"]
    client.delete_package_group(**of)
    gone(client.describe_package_group, **of)
    gone(client.delete_package_group, **of)


# --- Terraform, where the provider may be newer than the one at hand --------------------------------------------------


def terraform_domain_permissions_policy():
    """Put, Get; Put with the stored revision; Get; Delete; Get is 404, also after the domain is gone."""
    client.create_domain(domain="tf-policy")
    of = {"domain": "tf-policy", "domainOwner": account}
    client.put_domain_permissions_policy(domain="tf-policy", policyDocument=document("codeartifact:*"))
    first = client.get_domain_permissions_policy(**of)["policy"]
    assert same(first["document"], document("codeartifact:*")) and first["resourceArn"] == arn("domain/tf-policy")
    later = document("codeartifact:CreateRepository")
    client.put_domain_permissions_policy(**of, policyDocument=later, policyRevision=first["revision"])
    second = client.get_domain_permissions_policy(**of)["policy"]
    assert second["revision"] != first["revision"] and same(second["document"], later)
    refused("ConflictException", client.put_domain_permissions_policy, **of, policyDocument=later, policyRevision=first["revision"])
    client.delete_domain_permissions_policy(**of)
    gone(client.get_domain_permissions_policy, **of)
    gone(client.delete_domain_permissions_policy, **of)
    client.put_domain_permissions_policy(**of, policyDocument=later)
    client.delete_domain(**of)
    gone(client.get_domain_permissions_policy, **of)
    gone(client.delete_domain_permissions_policy, **of)


def terraform_repository_permissions_policy():
    """The same of a repository, which may go with its policy, and the domain with both."""
    client.create_domain(domain="tf-repo-policy")
    of = {"domain": "tf-repo-policy", "domainOwner": account, "repository": "repo"}
    client.create_repository(**of)
    client.put_repository_permissions_policy(**of, policyDocument=document("codeartifact:*"))
    first = client.get_repository_permissions_policy(**of)["policy"]
    assert first["resourceArn"] == arn("repository/tf-repo-policy/repo"), first
    client.put_repository_permissions_policy(**of, policyDocument=document("codeartifact:Get*"), policyRevision=first["revision"])
    assert client.get_repository_permissions_policy(**of)["policy"]["revision"] != first["revision"]
    client.delete_repository(**of)
    gone(client.get_repository_permissions_policy, **of)
    gone(client.delete_repository_permissions_policy, **of)
    client.delete_domain(domain="tf-repo-policy")
    gone(client.get_repository_permissions_policy, **of)
    gone(client.delete_repository_permissions_policy, **of)


def terraform_package_origin_configuration():
    """Put on a package that is not there, describe, change, destroy by putting ALLOW twice; gone with the package."""
    client.create_domain(domain="tf-origin")
    client.create_repository(domain="tf-origin", repository="repo")
    package = {"format": "maven", "namespace": "com.example", "package": "lib"}
    of = {"domain": "tf-origin", "domainOwner": account, "repository": "repo", **package}
    gone(client.describe_package, **of)
    for publish, upstream in (("ALLOW", "BLOCK"), ("BLOCK", "ALLOW"), ("ALLOW", "ALLOW")):
        restrictions = {"publish": publish, "upstream": upstream}
        put = client.put_package_origin_configuration(**of, restrictions=restrictions)
        assert put["originConfiguration"]["restrictions"] == restrictions, put
        read = client.describe_package(**of)["package"]
        assert read["originConfiguration"]["restrictions"] == restrictions and read["name"] == "lib", read
    client.delete_package(**of)
    gone(client.describe_package, **of)
    client.delete_repository(domain="tf-origin", repository="repo")
    gone(client.describe_package, **of)
    gone(client.put_package_origin_configuration, **of, restrictions={"publish": "ALLOW", "upstream": "ALLOW"})


def terraform_data_sources():
    """A token with the owner always sent, and endpoints, each ending in a slash."""
    client.create_domain(domain="tf-data")
    client.create_repository(domain="tf-data", repository="repo")
    for duration in ({}, {"durationSeconds": 900}, {"durationSeconds": 43200}):
        token = client.get_authorization_token(domain="tf-data", domainOwner=account, **duration)
        assert token["authorizationToken"] and token["expiration"], token
    for name in ("npm", "pypi", "maven", "nuget", "generic", "ruby", "swift", "cargo"):
        of = {"domain": "tf-data", "domainOwner": account, "repository": "repo", "format": name}
        endpoint = client.get_repository_endpoint(**of)["repositoryEndpoint"]
        assert endpoint.endswith(f"/{name}/repo/"), endpoint


SCENARIOS = [
    cloudformation_domain, cloudformation_repository, cloudformation_package_group,
    terraform_domain_permissions_policy, terraform_repository_permissions_policy, terraform_package_origin_configuration,
    terraform_data_sources,
]  # fmt: skip

failed = 0
for number, scenario in enumerate(SCENARIOS, 1):
    try:
        scenario()
        print(f"ok {number} - {scenario.__doc__}", flush=True)
    except Exception:  # noqa: BLE001: whatever it was, the others are still to be run
        failed += 1
        traceback.print_exc(limit=-2)
        print(f"not ok {number} - {scenario.__doc__}", flush=True)
print(f"{len(SCENARIOS) - failed} passed, {failed} failed")
sys.exit(bool(failed))
