//! What the unmodified `aws` command makes of machines. Where there is no such command, nothing is played.

use std::fs;
use std::path::PathBuf;

use crate::machine::{Agent, CONSUMER, TRUST, aws_command, said};
use crate::server::{ACCOUNT, Server, until};

#[test]
fn the_aws_command_is_refused_and_then_allowed_with_the_agent_alone() {
    let server = Server::start(&[]);
    server.make_repository("app");
    let agent = Agent::enroll(&server).start(&[]);
    let token = |expected: i32| -> Option<String> {
        let mut command = agent.aws(&server)?;
        command.args([
            "codeartifact",
            "get-authorization-token",
            "--domain",
            "team",
        ]);
        command.args(["--query", "authorizationToken", "--output", "text"]);
        let output = command.output().unwrap();
        assert_eq!(output.status.code(), Some(expected), "{}", said(&output));
        Some(said(&output).trim().to_owned())
    };
    let Some(refused) = token(255) else { return };
    assert_eq!(
        refused,
        "Unable to locate credentials. You can configure credentials by running \"aws configure\"."
    );
    server.role("ec2-ca", None);
    server.bind(&agent.machine, "ec2-ca");
    agent.session();
    let arn = format!(
        "arn:aws:sts::{ACCOUNT}:assumed-role/ec2-ca/{}",
        agent.machine
    );
    assert_eq!(
        token(255).unwrap(),
        format!(
            "An error occurred (AccessDeniedException) when calling the GetAuthorizationToken operation: User: {arn} is not \
             authorized to perform: codeartifact:GetAuthorizationToken on resource: \
             arn:aws:codeartifact:us-east-1:{ACCOUNT}:domain/team because no identity-based policy allows the \
             codeartifact:GetAuthorizationToken action"
        )
    );
    let policy = [
        ("RoleName", "ec2-ca"),
        ("PolicyName", "own"),
        ("PolicyDocument", CONSUMER),
    ];
    server.admin("iam", "PutRolePolicy", &policy);
    assert!(token(0).unwrap().starts_with("phk1_"));
    // With version 1 as well as 2 at hand, clients take 2; the same as a profile that chains from the machine.
    let config = agent.directory.path().join("config");
    let chained = format!(
        "[profile chained]\nrole_arn = arn:aws:iam::{ACCOUNT}:role/next\ncredential_source = Ec2InstanceMetadata\n"
    );
    fs::write(&config, chained).unwrap();
    let trust = TRUST.replace(
        r#"{"Service":"ec2.amazonaws.com"}"#,
        &format!(r#"{{"AWS":"arn:aws:iam::{ACCOUNT}:role/ec2-ca"}}"#),
    );
    let next = [("RoleName", "next"), ("AssumeRolePolicyDocument", &trust)];
    server.admin("iam", "CreateRole", &next);
    let mut command = agent.aws(&server).unwrap();
    command.env("AWS_CONFIG_FILE", &config);
    // There the command keeps sessions of roles, whichever server they are of.
    if let Some(home) = std::env::var_os("HOME") {
        let packages = PathBuf::from(home).join(".local");
        command.env("PYTHONUSERBASE", packages);
        command.env("HOME", agent.directory.path());
    }
    command.args(["--profile", "chained", "sts", "get-caller-identity"]);
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", said(&output));
    assert!(said(&output).contains("assumed-role/next/botocore-session-"));
}

#[test]
fn the_aws_command_reads_the_container_endpoint_and_runs_the_process() {
    let server = Server::start(&[]);
    let agent = Agent::enroll(&server);
    server.role("ec2-ca", None);
    let arn = format!(
        "arn:aws:sts::{ACCOUNT}:assumed-role/ec2-ca/{}",
        agent.machine
    );
    let agent = agent.start(&[]);
    let Some(mut command) = aws_command(&server) else {
        return;
    };
    command.env("AWS_EC2_METADATA_DISABLED", "true").args([
        "sts",
        "get-caller-identity",
        "--query",
        "Arn",
        "--output",
        "text",
    ]);
    let uri = format!("http://{}/v1/credentials", agent.address());
    let token_file = agent.state().join("container-token");
    command.env("AWS_CONTAINER_CREDENTIALS_FULL_URI", &uri);
    command.env("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", &token_file);
    // Without a role the client repeats the agent's sentence.
    until("the agent has heard from its server", || {
        agent.log().contains("no role is attached").then_some(())
    });
    let output = command.output().unwrap();
    assert!(!output.status.success());
    assert!(
        said(&output).contains("no role is attached to this machine"),
        "{}",
        said(&output)
    );
    server.bind(&agent.machine, "ec2-ca");
    agent.session();
    let output = command.output().unwrap();
    assert_eq!(said(&output).trim(), arn);
    command.env_remove("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE");
    command.env("AWS_CONTAINER_AUTHORIZATION_TOKEN", "wrong");
    let output = command.output().unwrap();
    assert!(said(&output).contains("401"), "{}", said(&output));
    // Neither endpoint, but a program to run.
    command.env_remove("AWS_CONTAINER_AUTHORIZATION_TOKEN");
    command.env_remove("AWS_CONTAINER_CREDENTIALS_FULL_URI");
    let config = agent.directory.path().join("config");
    let program = format!(
        "[default]\ncredential_process = {} agent credentials --format process --state {}\n",
        env!("CARGO_BIN_EXE_packhouse"),
        agent.state().display()
    );
    fs::write(&config, program).unwrap();
    command.env("AWS_CONFIG_FILE", &config);
    let output = command.output().unwrap();
    assert_eq!(said(&output).trim(), arn);
}

#[test]
fn the_aws_command_binds_and_lists_machines() {
    let server = Server::start(&[]);
    let agent = Agent::enroll(&server);
    server.role("ec2-ca", None);
    server.role("other", None);
    let key = server.key("admin-credentials");
    let aws = |arguments: &[&str]| -> Option<String> {
        let mut command = aws_command(&server)?;
        command
            .env("AWS_ACCESS_KEY_ID", key.access_key_id.as_str())
            .env("AWS_SECRET_ACCESS_KEY", key.secret_access_key.expose())
            .arg("ec2")
            .args(arguments)
            .args(["--output", "text"]);
        Some(said(&command.output().unwrap()).trim().to_owned())
    };
    let machine = agent.machine.as_str();
    let bind = [
        "associate-iam-instance-profile",
        "--instance-id",
        machine,
        "--iam-instance-profile",
        "Name=ec2-ca",
        "--query",
        "IamInstanceProfileAssociation.AssociationId",
    ];
    let Some(association) = aws(&bind) else {
        return;
    };
    assert!(association.starts_with("iip-assoc-"), "{association}");
    assert_eq!(
        aws(&bind).unwrap(),
        format!(
            "An error occurred (IncorrectState) when calling the AssociateIamInstanceProfile operation: There is an existing \
             association for instance {machine}"
        )
    );
    let instances =
        "Reservations[].Instances[].[InstanceId,State.Name,Tags[0].Value,IamInstanceProfile.Arn]";
    assert_eq!(
        aws(&[
            "describe-instances",
            "--instance-ids",
            machine,
            "--query",
            instances
        ])
        .unwrap(),
        format!("{machine}\trunning\tbuild-01\tarn:aws:iam::{ACCOUNT}:instance-profile/ec2-ca")
    );
    let replaced = aws(&[
        "replace-iam-instance-profile-association",
        "--association-id",
        &association,
        "--iam-instance-profile",
        "Name=other",
        "--query",
        "IamInstanceProfileAssociation.AssociationId",
    ])
    .unwrap();
    let filter = format!("Name=instance-id,Values={machine}");
    let listed = aws(&[
        "describe-iam-instance-profile-associations",
        "--filters",
        &filter,
        "--query",
        "IamInstanceProfileAssociations[].[AssociationId,State]",
    ]);
    assert_eq!(listed.unwrap(), format!("{replaced}\tassociated"));
    let gone = aws(&[
        "disassociate-iam-instance-profile",
        "--association-id",
        &replaced,
        "--query",
        "IamInstanceProfileAssociation.State",
    ]);
    assert_eq!(gone.unwrap(), "disassociating");
}
