//! `packhouse operations`: every route there is, one a line, with the actions that it asks for: what a policy can be
//! written from, and what a test compares itself with.

use std::io::Write as _;

use aws::QueryService;
use formats::{Protocols, Rules};

use crate::agent::wire::{BINDING, CREDENTIALS, ENROLL};
use crate::doors::own;

pub(crate) fn run() -> anyhow::Result<()> {
    std::io::stdout().write_all(text().as_bytes())?;
    Ok(())
}

/// `SERVICE  NAME  METHOD PATH  ACTION …`
fn text() -> String {
    let mut lines = Vec::new();
    let mut line = |service: &str, name: &str, route: String, actions: String| {
        lines.push(format!("{service:<13} {name:<40} {route:<58} {actions}"));
    };
    for operation in codeartifact::OPERATIONS {
        let actions: Vec<_> = operation.actions.iter().map(|one| one.as_str()).collect();
        let mut actions = actions.join(" ");
        if operation.name == "GetAuthorizationToken" {
            actions.push_str(" sts:GetServiceBearerToken");
        }
        let route = format!("{} {}", operation.method, operation.path);
        line("codeartifact", operation.name, route, actions);
    }
    for operation in iam::api::OPERATIONS {
        let service = match operation.service {
            QueryService::Iam => "iam",
            QueryService::Sts => "sts",
        };
        let action = format!("{service}:{}", operation.name);
        let actions = with_further(action, operation.name);
        line(service, operation.name, "POST /".to_owned(), actions);
    }
    for operation in iam::api::EC2_OPERATIONS {
        let actions = with_further(format!("ec2:{}", operation.name), operation.name);
        line("ec2", operation.name, "POST /".to_owned(), actions);
    }
    for operation in own::OPERATIONS {
        let route = format!("{} {}", operation.method, operation.path);
        line(
            "packhouse",
            operation.name,
            route,
            operation.action.to_owned(),
        );
    }
    for (name, path) in [
        ("EnrollMachine", ENROLL),
        ("GetMachineCredentials", CREDENTIALS),
        ("GetMachineRole", BINDING),
    ] {
        line("agent", name, format!("POST {path}"), "-".to_owned());
    }
    for protocol in Protocols::new(Rules::default()).iter() {
        let format = protocol.name();
        let route = format!("* /d/{{domain}}-{{owner}}/{format}/{{repository}}/…");
        let actions = "codeartifact:ReadFromRepository codeartifact:PublishPackageVersion \
                       codeartifact:PutPackageMetadata";
        line("packages", format.as_str(), route, actions.to_owned());
    }
    let route = format!("GET {}", own::DESCRIPTION);
    line("public", "GetDescription", route, "-".to_owned());
    for path in ["/healthz", "/readyz", "/metrics"] {
        line("health", path, format!("GET {path}"), "-".to_owned());
    }
    let mut text = String::new();
    for line in lines {
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

/// The action of an operation with those that it asks for besides, if it is given tags or a role.
fn with_further(action: String, operation: &str) -> String {
    let further = match operation {
        "CreateUser" => "iam:TagUser",
        "CreateRole" => "iam:TagRole",
        "CreatePolicy" => "iam:TagPolicy",
        "CreateInstanceProfile" => "iam:TagInstanceProfile",
        "CreateOpenIDConnectProvider" => "iam:TagOpenIDConnectProvider",
        "AddRoleToInstanceProfile"
        | "AssociateIamInstanceProfile"
        | "ReplaceIamInstanceProfileAssociation" => "iam:PassRole",
        "AssumeRole" => "sts:TagSession sts:SetSourceIdentity",
        _ => return action,
    };
    format!("{action} {further}")
}
