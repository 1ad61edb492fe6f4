"""Every operation of IAM and STS with boto3, against the server that the environment points at.

Run by client.sh. The operations are read from the table in src/api/operations.rs, so none can be forgotten.
"""

import base64
import json
import os
import re
import subprocess
import sys

import boto3
import botocore
from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import ClientError

URL = os.environ["AWS_ENDPOINT_URL"]
called = set()


def client(service, **credentials):
    made = boto3.session.Session().client(service, endpoint_url=URL, **credentials)
    made.meta.events.register("before-call", lambda model, **_: called.add(f"{service} {model.name}"))
    return made


def keys(credentials):
    return {
        "aws_access_key_id": credentials["AccessKeyId"],
        "aws_secret_access_key": credentials["SecretAccessKey"],
        "aws_session_token": credentials.get("SessionToken"),
    }


def refused(code, call, **parameters):
    try:
        call(**parameters)
    except ClientError as error:
        found = error.response["Error"]["Code"]
        assert found == code, f"{call.__name__}: {found}: {error}"
        return error.response["Error"]["Message"]
    raise AssertionError(f"{call.__name__} was not refused with {code}")


def document(action="codeartifact:ReadFromRepository", resource="*"):
    return json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": action, "Resource": resource}]})


def trust(principal, action="sts:AssumeRole", condition=None):
    statement = {"Effect": "Allow", "Principal": principal, "Action": action}
    if condition:
        statement["Condition"] = condition
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


iam = client("iam")
sts = client("sts")
account = sts.get_caller_identity()["Account"]
team = [{"Key": "team", "Value": "build"}]


def users():
    made = iam.create_user(UserName="ci", Path="/build/", Tags=team)["User"]
    assert made["Arn"] == f"arn:aws:iam::{account}:user/build/ci", made
    assert made["UserId"].startswith("AIDA") and made["Tags"] == team
    iam.get_waiter("user_exists").wait(UserName="ci")
    assert iam.get_user(UserName="CI")["User"]["UserName"] == "ci"
    assert iam.get_user()["User"]["UserName"] == "admin"
    refused("EntityAlreadyExists", iam.create_user, UserName="Ci")
    refused("ValidationError", iam.create_user, UserName="a b")
    try:
        iam.get_user(UserName="nope")
    except iam.exceptions.NoSuchEntityException as error:
        assert "cannot be found" in str(error)
    iam.update_user(UserName="ci", NewPath="/", NewUserName="ci2")
    assert iam.get_user(UserName="ci2")["User"]["UserId"] == made["UserId"]
    iam.tag_user(UserName="ci2", Tags=[{"Key": "Cost", "Value": ""}])
    iam.untag_user(UserName="ci2", TagKeys=["team"])
    assert iam.list_user_tags(UserName="ci2")["Tags"] == [{"Key": "Cost", "Value": ""}]
    for number in range(5):
        iam.create_user(UserName=f"many-{number}", Path="/many/")
    pages = iam.get_paginator("list_users").paginate(PathPrefix="/many/", PaginationConfig={"PageSize": 2})
    names = [user["UserName"] for page in pages for user in page["Users"]]
    assert names == [f"many-{number}" for number in range(5)], names
    for name in names:
        iam.delete_user(UserName=name)


def access_keys():
    key = iam.create_access_key(UserName="ci2")["AccessKey"]
    assert len(key["AccessKeyId"]) == 20 and len(key["SecretAccessKey"]) == 40
    assert [k["AccessKeyId"] for k in iam.list_access_keys(UserName="ci2")["AccessKeyMetadata"]] == [key["AccessKeyId"]]
    used = iam.get_access_key_last_used(AccessKeyId=key["AccessKeyId"])
    assert used["AccessKeyLastUsed"]["Region"] == "N/A"
    own = client("sts", **keys(key))
    assert own.get_caller_identity()["Arn"].endswith(":user/ci2")
    assert "LastUsedDate" in iam.get_access_key_last_used(AccessKeyId=key["AccessKeyId"])["AccessKeyLastUsed"]
    assert sts.get_access_key_info(AccessKeyId=key["AccessKeyId"])["Account"] == account
    iam.create_access_key(UserName="ci2")
    refused("LimitExceeded", iam.create_access_key, UserName="ci2")
    iam.update_access_key(UserName="ci2", AccessKeyId=key["AccessKeyId"], Status="Inactive")
    refused("InvalidClientTokenId", own.get_caller_identity)
    for each in iam.list_access_keys(UserName="ci2")["AccessKeyMetadata"]:
        iam.delete_access_key(UserName="ci2", AccessKeyId=each["AccessKeyId"])


def groups():
    iam.create_group(GroupName="devs", Path="/x/")
    iam.add_user_to_group(GroupName="devs", UserName="ci2")
    assert iam.get_group(GroupName="devs")["Users"][0]["UserName"] == "ci2"
    assert iam.list_groups()["Groups"][0]["GroupName"] == "devs"
    assert iam.list_groups_for_user(UserName="ci2")["Groups"][0]["Path"] == "/x/"
    iam.update_group(GroupName="devs", NewGroupName="dev")
    refused("DeleteConflict", iam.delete_group, GroupName="dev")
    iam.remove_user_from_group(GroupName="dev", UserName="ci2")


def policies():
    policy = iam.create_policy(PolicyName="consumer", PolicyDocument=document(), Description="read & get", Tags=team)["Policy"]
    arn = policy["Arn"]
    iam.get_waiter("policy_exists").wait(PolicyArn=arn)
    read = iam.get_policy(PolicyArn=arn)["Policy"]
    assert read["Description"] == "read & get" and read["Tags"] == team
    iam.tag_policy(PolicyArn=arn, Tags=[{"Key": "a", "Value": "b"}])
    iam.untag_policy(PolicyArn=arn, TagKeys=["team"])
    assert iam.list_policy_tags(PolicyArn=arn)["Tags"] == [{"Key": "a", "Value": "b"}]
    refused("MalformedPolicyDocument", iam.create_policy, PolicyName="bad", PolicyDocument="{}")
    second = iam.create_policy_version(PolicyArn=arn, PolicyDocument=document("s3:*"), SetAsDefault=True)["PolicyVersion"]
    assert second["VersionId"] == "v2" and second["IsDefaultVersion"]
    # boto3 decodes documents to what they were.
    assert iam.get_policy_version(PolicyArn=arn, VersionId="v1")["PolicyVersion"]["Document"] == json.loads(document())
    iam.set_default_policy_version(PolicyArn=arn, VersionId="v1")
    assert [v["VersionId"] for v in iam.list_policy_versions(PolicyArn=arn)["Versions"]] == ["v2", "v1"]
    iam.delete_policy_version(PolicyArn=arn, VersionId="v2")
    names = [p["PolicyName"] for p in iam.list_policies(Scope="AWS")["Policies"]]
    assert "AWSCodeArtifactReadOnlyAccess" in names
    assert [p["PolicyName"] for p in iam.list_policies(Scope="Local")["Policies"]] == ["consumer"]


def holders():
    arn = f"arn:aws:iam::{account}:policy/consumer"
    iam.create_role(RoleName="ec2-ca", AssumeRolePolicyDocument=trust({"Service": "ec2.amazonaws.com"}), Description="EC2")
    for noun, parameter, name in [("user", "UserName", "ci2"), ("group", "GroupName", "dev"), ("role", "RoleName", "ec2-ca")]:
        holder = {parameter: name}

        def call(verb, **more):
            return getattr(iam, verb.format(noun))(**holder, **more)

        call("attach_{}_policy", PolicyArn=arn)
        call("put_{}_policy", PolicyName="own", PolicyDocument=document())
        assert call("list_attached_{}_policies")["AttachedPolicies"] == [{"PolicyName": "consumer", "PolicyArn": arn}]
        assert call("list_{}_policies")["PolicyNames"] == ["own"]
        assert call("get_{}_policy", PolicyName="own")["PolicyDocument"] == json.loads(document())
        refused("DeleteConflict", getattr(iam, f"delete_{noun}"), **holder)
    entities = iam.list_entities_for_policy(PolicyArn=arn)
    assert [len(entities[kind]) for kind in ("PolicyUsers", "PolicyGroups", "PolicyRoles")] == [1, 1, 1]
    iam.put_user_permissions_boundary(UserName="ci2", PermissionsBoundary=arn)
    iam.put_role_permissions_boundary(RoleName="ec2-ca", PermissionsBoundary=arn)
    boundary = iam.get_role(RoleName="ec2-ca")["Role"]["PermissionsBoundary"]
    assert boundary["PermissionsBoundaryArn"] == arn
    iam.delete_user_permissions_boundary(UserName="ci2")
    iam.delete_role_permissions_boundary(RoleName="ec2-ca")


def roles():
    iam.get_waiter("role_exists").wait(RoleName="ec2-ca")
    role = iam.get_role(RoleName="ec2-ca")["Role"]
    assert role["AssumeRolePolicyDocument"] == json.loads(trust({"Service": "ec2.amazonaws.com"}))
    assert role["MaxSessionDuration"] == 3600
    iam.update_role(RoleName="ec2-ca", MaxSessionDuration=7200)
    assert iam.update_role_description(RoleName="ec2-ca", Description="new")["Role"]["MaxSessionDuration"] == 7200
    iam.update_assume_role_policy(RoleName="ec2-ca", PolicyDocument=trust({"AWS": f"arn:aws:iam::{account}:user/ci2"}))
    assert "ec2-ca" in [r["RoleName"] for r in iam.list_roles()["Roles"]]
    message = refused(
        "MalformedPolicyDocument",
        iam.update_assume_role_policy,
        RoleName="ec2-ca",
        PolicyDocument=trust({"AWS": f"arn:aws:iam::{account}:user/nope"}),
    )
    assert message.startswith("Invalid principal in policy"), message
    iam.tag_role(RoleName="ec2-ca", Tags=team)
    assert iam.list_role_tags(RoleName="ec2-ca")["Tags"] == team
    iam.untag_role(RoleName="ec2-ca", TagKeys=["TEAM"])


def instance_profiles():
    iam.create_instance_profile(InstanceProfileName="machines", Tags=team)
    iam.get_waiter("instance_profile_exists").wait(InstanceProfileName="machines")
    iam.add_role_to_instance_profile(InstanceProfileName="machines", RoleName="ec2-ca")
    profile = iam.get_instance_profile(InstanceProfileName="machines")["InstanceProfile"]
    assert profile["Roles"][0]["RoleName"] == "ec2-ca" and profile["InstanceProfileId"].startswith("AIPA")
    assert len(iam.list_instance_profiles()["InstanceProfiles"]) == 1
    assert len(iam.list_instance_profiles_for_role(RoleName="ec2-ca")["InstanceProfiles"]) == 1
    iam.tag_instance_profile(InstanceProfileName="machines", Tags=[{"Key": "a", "Value": "b"}])
    iam.untag_instance_profile(InstanceProfileName="machines", TagKeys=["a"])
    assert iam.list_instance_profile_tags(InstanceProfileName="machines")["Tags"] == team
    iam.remove_role_from_instance_profile(InstanceProfileName="machines", RoleName="ec2-ca")
    iam.delete_instance_profile(InstanceProfileName="machines")


def oidc_providers():
    arn = iam.create_open_id_connect_provider(Url="https://issuer.example", ClientIDList=["a"])["OpenIDConnectProviderArn"]
    iam.add_client_id_to_open_id_connect_provider(OpenIDConnectProviderArn=arn, ClientID="b")
    iam.remove_client_id_from_open_id_connect_provider(OpenIDConnectProviderArn=arn, ClientID="a")
    iam.update_open_id_connect_provider_thumbprint(OpenIDConnectProviderArn=arn, ThumbprintList=["0" * 40])
    iam.tag_open_id_connect_provider(OpenIDConnectProviderArn=arn, Tags=team)
    assert iam.list_open_id_connect_provider_tags(OpenIDConnectProviderArn=arn)["Tags"] == team
    iam.untag_open_id_connect_provider(OpenIDConnectProviderArn=arn, TagKeys=["team"])
    read = iam.get_open_id_connect_provider(OpenIDConnectProviderArn=arn)
    assert (read["Url"], read["ClientIDList"], read["ThumbprintList"]) == ("issuer.example", ["b"], ["0" * 40])
    assert iam.list_open_id_connect_providers()["OpenIDConnectProviderList"] == [{"Arn": arn}]
    iam.delete_open_id_connect_provider(OpenIDConnectProviderArn=arn)


def web_identity():
    # Without a signature, as SDKs call it; a token that nobody signed gets no further than its form and its issuer.
    def part(value):
        return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()

    unsigned = boto3.session.Session().client("sts", endpoint_url=URL, config=Config(signature_version=UNSIGNED))
    unsigned.meta.events.register("before-call", lambda model, **_: called.add(f"sts {model.name}"))
    asked = {"RoleArn": f"arn:aws:iam::{account}:role/ec2-ca", "RoleSessionName": "job"}
    take = unsigned.assume_role_with_web_identity
    refused("InvalidIdentityToken", take, WebIdentityToken="no token", **asked)
    claims = part({"iss": "https://issuer.example", "sub": "job", "aud": "a", "exp": 4_000_000_000})
    for header in ({"alg": "none", "kid": "k"}, {"alg": "HS256", "kid": "k"}, {"alg": "RS256", "kid": "k", "crit": ["x"]}):
        refused("InvalidIdentityToken", take, WebIdentityToken=f"{part(header)}.{claims}.c2ln", **asked)
    token = f"{part({'alg': 'RS256', 'kid': 'k'})}.{claims}.c2ln"
    said = refused("InvalidIdentityToken", take, WebIdentityToken=token, **asked)
    assert said == "No OpenIDConnect provider found in your account for https://issuer.example", said
    # Nothing else comes without a signature.
    refused("MissingAuthenticationToken", unsigned.get_caller_identity)
    # A role for everybody's repositories is not stored.
    shared = iam.create_open_id_connect_provider(Url="https://token.actions.githubusercontent.com", ClientIDList=["sts.amazonaws.com"])
    arn, name = shared["OpenIDConnectProviderArn"], "token.actions.githubusercontent.com"
    everybody = trust({"Federated": arn}, "sts:AssumeRoleWithWebIdentity", {"StringEquals": {f"{name}:aud": "sts.amazonaws.com"}})
    refused("MalformedPolicyDocument", iam.create_role, RoleName="gha", AssumeRolePolicyDocument=everybody)
    own = trust({"Federated": arn}, "sts:AssumeRoleWithWebIdentity", {"StringLike": {f"{name}:sub": "repo:acme/*"}})
    iam.create_role(RoleName="gha", AssumeRolePolicyDocument=own)
    iam.delete_role(RoleName="gha")
    iam.delete_open_id_connect_provider(OpenIDConnectProviderArn=arn)


def the_account():
    iam.create_account_alias(AccountAlias="packhouse-lab")
    assert iam.list_account_aliases()["AccountAliases"] == ["packhouse-lab"]
    iam.delete_account_alias(AccountAlias="packhouse-lab")
    summary = iam.get_account_summary()["SummaryMap"]
    assert summary["AccountMFAEnabled"] == 0 and summary["Policies"] == 1, summary
    pages = iam.get_paginator("get_account_authorization_details").paginate(PaginationConfig={"PageSize": 3})
    details = {"UserDetailList": [], "GroupDetailList": [], "RoleDetailList": [], "Policies": []}
    for page in pages:
        for kind, found in details.items():
            found.extend(page[kind])
    assert [user["UserName"] for user in details["UserDetailList"]] == ["admin", "ci2"]
    assert details["RoleDetailList"][0]["RolePolicyList"][0]["PolicyDocument"] == json.loads(document())


def simulation():
    role = f"arn:aws:iam::{account}:role/ec2-ca"
    pages = iam.get_paginator("simulate_principal_policy").paginate(
        PolicySourceArn=role,
        ActionNames=["codeartifact:ReadFromRepository", "codeartifact:DeleteRepository"],
        ContextEntries=[{"ContextKeyName": "aws:TagKeys", "ContextKeyValues": ["a", "b"], "ContextKeyType": "stringList"}],
        PaginationConfig={"PageSize": 1},
    )
    decisions = [result["EvalDecision"] for page in pages for result in page["EvaluationResults"]]
    assert decisions == ["allowed", "implicitDeny"], decisions
    custom = iam.simulate_custom_policy(PolicyInputList=[document()], ActionNames=["codeartifact:ReadFromRepository"])
    assert custom["EvaluationResults"][0]["MatchedStatements"][0]["StartPosition"]["Line"] == 1
    text = document(resource="arn:aws:s3:::${aws:username}/*")
    assert iam.get_context_keys_for_custom_policy(PolicyInputList=[text])["ContextKeyNames"] == ["aws:username"]
    iam.get_context_keys_for_principal_policy(PolicySourceArn=role)


def what_nobody_has():
    for operation, key in [
        ("list_mfa_devices", "MFADevices"),
        ("list_ssh_public_keys", "SSHPublicKeys"),
        ("list_signing_certificates", "Certificates"),
        ("list_service_specific_credentials", "ServiceSpecificCredentials"),
    ]:
        assert getattr(iam, operation)(UserName="ci2")[key] == [], operation
    assert iam.list_virtual_mfa_devices()["VirtualMFADevices"] == []
    assert iam.list_server_certificates()["ServerCertificateMetadataList"] == []
    assert iam.list_saml_providers()["SAMLProviderList"] == []
    refused("NoSuchEntity", iam.get_login_profile, UserName="ci2")
    refused("NoSuchEntity", iam.delete_login_profile, UserName="ci2")
    refused("NoSuchEntity", iam.get_account_password_policy)
    refused("InvalidAction", iam.create_login_profile, UserName="ci2", Password="x" * 12)


def temporary_credentials():
    policy = trust({"AWS": account}, ["sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity"])
    target = iam.create_role(RoleName="target", AssumeRolePolicyDocument=policy)["Role"]
    iam.attach_role_policy(RoleName="target", PolicyArn="arn:aws:iam::aws:policy/IAMReadOnlyAccess")
    taken = sts.assume_role(
        RoleArn=target["Arn"],
        RoleSessionName="s1",
        DurationSeconds=900,
        PolicyArns=[{"arn": "arn:aws:iam::aws:policy/IAMReadOnlyAccess"}],
        Policy=document("iam:ListUsers"),
        Tags=team,
        TransitiveTagKeys=["team"],
        ExternalId="unique-1",
        SourceIdentity="alice",
    )
    assert taken["SourceIdentity"] == "alice" and taken["PackedPolicySize"] > 0
    session = keys(taken["Credentials"])
    identity = client("sts", **session).get_caller_identity()
    assert identity["Arn"] == f"arn:aws:sts::{account}:assumed-role/target/s1", identity
    inside = client("iam", **session)
    inside.list_users()
    refused("AccessDenied", inside.create_user, UserName="x")
    refused("AccessDenied", client("sts", **session).get_session_token)
    own = keys(sts.get_session_token(DurationSeconds=900)["Credentials"])
    assert client("sts", **own).get_caller_identity()["Arn"].endswith(":user/admin")
    refused("InvalidClientTokenId", client("iam", **own).list_users)
    refused("AccessDenied", sts.assume_role, RoleArn=target["Arn"] + "-gone", RoleSessionName="s1")
    # Once the role is gone, so is everything that was taken with it.
    iam.detach_role_policy(RoleName="target", PolicyArn="arn:aws:iam::aws:policy/IAMReadOnlyAccess")
    iam.delete_role(RoleName="target")
    refused("InvalidClientTokenId", inside.list_users)


def refused_then_allowed():
    """The command line's half of the story: no policy, no token; a policy, a role, the same command succeeds."""
    boto3.session.Session().client("codeartifact", endpoint_url=URL).create_domain(domain="story")
    role = iam.create_role(RoleName="story", AssumeRolePolicyDocument=trust({"AWS": account}))["Role"]
    taken = sts.assume_role(RoleArn=role["Arn"], RoleSessionName="i-0123456789abcdef0")["Credentials"]
    environment = dict(
        os.environ,
        AWS_ACCESS_KEY_ID=taken["AccessKeyId"],
        AWS_SECRET_ACCESS_KEY=taken["SecretAccessKey"],
        AWS_SESSION_TOKEN=taken["SessionToken"],
    )

    def token():
        command = ["aws", "codeartifact", "get-authorization-token", "--domain", "story", "--query", "authorizationToken"]
        return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)

    before = token()
    assert before.returncode != 0 and "AccessDeniedException" in before.stderr, before
    assert "is not authorized to perform: codeartifact:GetAuthorizationToken" in before.stderr, before.stderr
    domain = f"arn:aws:codeartifact:*:{account}:domain/story"
    policy = iam.create_policy(PolicyName="story", PolicyDocument=document("codeartifact:GetAuthorizationToken", domain))["Policy"]
    iam.attach_role_policy(RoleName="story", PolicyArn=policy["Arn"])
    half = token()
    assert "sts:GetServiceBearerToken on resource: *" in half.stderr, half.stderr
    iam.put_role_policy(RoleName="story", PolicyName="bearer", PolicyDocument=document("sts:GetServiceBearerToken"))
    after = token()
    assert after.returncode == 0 and after.stdout.strip().strip('"').startswith("phk1_"), after
    iam.detach_role_policy(RoleName="story", PolicyArn=policy["Arn"])
    assert token().returncode != 0
    iam.delete_role_policy(RoleName="story", PolicyName="bearer")
    iam.delete_role(RoleName="story")
    iam.delete_policy(PolicyArn=policy["Arn"])


def taking_away():
    for noun, parameter, name in [("user", "UserName", "ci2"), ("group", "GroupName", "dev"), ("role", "RoleName", "ec2-ca")]:
        holder = {parameter: name}
        getattr(iam, f"detach_{noun}_policy")(PolicyArn=f"arn:aws:iam::{account}:policy/consumer", **holder)
        getattr(iam, f"delete_{noun}_policy")(PolicyName="own", **holder)
        getattr(iam, f"delete_{noun}")(**holder)
    iam.delete_policy(PolicyArn=f"arn:aws:iam::{account}:policy/consumer")
    assert [user["UserName"] for user in iam.list_users()["Users"]] == ["admin"]


def every_operation_was_called():
    with open(os.environ["PACKHOUSE_OPERATIONS"], encoding="utf-8") as table:
        rows = re.findall(r"^    (Iam|Sts) (\w+) =>", table.read(), re.MULTILINE)
    known = {f"{service.lower()} {name}" for service, name in rows}
    assert len(known) > 100, len(known)
    missing = sorted(known - called)
    assert not missing, f"never called: {missing}"


SCENARIOS = [
    users,
    access_keys,
    groups,
    policies,
    holders,
    roles,
    instance_profiles,
    oidc_providers,
    web_identity,
    the_account,
    simulation,
    what_nobody_has,
    temporary_credentials,
    refused_then_allowed,
    taking_away,
    every_operation_was_called,
]

print(f"boto3 {boto3.__version__}, botocore {botocore.__version__}")
failed = 0
for number, scenario in enumerate(SCENARIOS, 1):
    name = scenario.__name__.replace("_", " ")
    try:
        scenario()
        print(f"ok {number} - {name}")
    except Exception as error:  # each scenario is judged; the next ones may still tell something
        failed += 1
        print(f"not ok {number} - {name}\n    {type(error).__name__}: {error}")
print(f"{len(SCENARIOS) - failed} of {len(SCENARIOS)} passed")
sys.exit(1 if failed else 0)
