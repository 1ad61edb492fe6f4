//! What went wrong, in the codes and words of IAM (`identity.md` 2.3).

use aws::Fault;
use http::StatusCode;

use crate::error::{Error, Noun};
use crate::policy::{Malformed, MalformedCode};
use crate::{AuthorizeError, Denial};

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        match error {
            Error::NotFound { noun, name } => no_such_entity(noun, &name),
            Error::Exists { noun, name } => exists(noun, &name),
            Error::InUse(in_use) => {
                Self::new("DeleteConflict", StatusCode::CONFLICT, in_use.to_string())
            }
            Error::Quota(message) => limit_exceeded(message),
            Error::Malformed(malformed) => malformed.into(),
            Error::Invalid(message) => invalid_input(message),
            Error::Unmodifiable(what) => Self::new(
                "UnmodifiableEntity",
                StatusCode::BAD_REQUEST,
                format!("{what} belongs to AWS and cannot be changed."),
            ),
            Error::AccountExists(account) => Self::new(
                "EntityAlreadyExists",
                StatusCode::CONFLICT,
                format!("Account {account} already exists."),
            ),
            // Somebody removed, or made, in the meantime what this was about.
            Error::Store(store::Error::Reference | store::Error::Conflict { .. }) => Self::new(
                "ConcurrentModification",
                StatusCode::CONFLICT,
                "The request was not carried out because something that it is about was changed at the same time. Try \
                 again.",
            ),
            Error::NoSession
            | Error::NoTokenKey
            | Error::ClockWentBack
            | Error::Store(_)
            | Error::Unconfirmed
            | Error::Vault(_)
            | Error::Damaged { .. } => internal(&error),
        }
    }
}

impl From<Malformed> for Fault {
    fn from(malformed: Malformed) -> Self {
        let message = malformed.message().to_owned();
        match malformed.code() {
            MalformedCode::MalformedPolicyDocument => {
                Self::new("MalformedPolicyDocument", StatusCode::BAD_REQUEST, message)
            }
            MalformedCode::LimitExceeded => limit_exceeded(message),
            MalformedCode::ValidationError | MalformedCode::ValidationException => {
                validation_error(message)
            }
        }
    }
}

/// `AccessDenied`, with the resource as this operation shows it; `shown` replaces the ARN.
pub(super) fn refused(error: AuthorizeError, arn: &str, shown: Option<&str>) -> Fault {
    match error {
        AuthorizeError::Denied(denial) => {
            let Denial { id, message, .. } = *denial;
            let fault = Fault::access_denied(match shown {
                Some(shown) => message.replacen(
                    &format!("on resource: {arn}"),
                    &format!("on resource: {shown}"),
                    1,
                ),
                None => message,
            });
            fault.decided(id)
        }
        AuthorizeError::Unavailable(error) => error.into(),
    }
}

/// `ValidationError`, 400, for what is not one of the service model's rules.
pub(super) fn validation_error(message: impl Into<String>) -> Fault {
    Fault::new("ValidationError", StatusCode::BAD_REQUEST, message)
}

/// `InvalidInput`, 400.
pub(super) fn invalid_input(message: impl Into<String>) -> Fault {
    Fault::new("InvalidInput", StatusCode::BAD_REQUEST, message)
}

fn limit_exceeded(message: impl Into<String>) -> Fault {
    Fault::new("LimitExceeded", StatusCode::CONFLICT, message)
}

/// What happened inside goes to the log, and nothing of it to the client.
fn internal(error: &Error) -> Fault {
    let error: &dyn std::error::Error = error;
    tracing::error!(error, "an operation failed");
    Fault::internal()
}

fn no_such_entity(noun: Noun, name: &str) -> Fault {
    let message = match noun {
        Noun::User | Noun::Member => format!("The user with name {name} cannot be found."),
        Noun::Group => format!("The group with name {name} cannot be found."),
        Noun::Role | Noun::ProfileRole => {
            format!("The role with name {name} cannot be found.")
        }
        Noun::Policy => format!("Policy {name} was not found."),
        Noun::Attachable | Noun::PolicyVersion => {
            format!("Policy {name} does not exist or is not attachable.")
        }
        Noun::InlinePolicy(kind) => format!("The {kind} policy with name {name} cannot be found."),
        Noun::AccessKey => format!("The Access Key with id {name} cannot be found."),
        Noun::InstanceProfile => format!("Instance Profile {name} cannot be found."),
        Noun::OidcProvider => format!("OpenIDConnect Provider not found for arn {name}"),
        Noun::Alias => format!("The account alias {name} cannot be found."),
        Noun::LoginProfile => format!("Login Profile for User {name} cannot be found."),
        Noun::PasswordPolicy => {
            format!("The Password Policy with domain name {name} cannot be found.")
        }
        Noun::TokenKey => format!("The token key {name} cannot be found."),
        Noun::Machine => format!("The machine with id {name} cannot be found."),
        Noun::Association => format!("The association with id {name} cannot be found."),
    };
    Fault::new("NoSuchEntity", StatusCode::NOT_FOUND, message)
}

fn exists(noun: Noun, name: &str) -> Fault {
    let message = match noun {
        Noun::User => format!("User with name {name} already exists."),
        Noun::Group => format!("Group with name {name} already exists."),
        Noun::Role => format!("Role with name {name} already exists."),
        Noun::InstanceProfile => format!("Instance Profile {name} already exists."),
        Noun::Policy => {
            format!("A policy called {name} already exists. Duplicate names are not allowed.")
        }
        Noun::OidcProvider => format!("Provider with url {name} already exists."),
        Noun::Alias => format!("The account alias {name} already exists."),
        // What is left is never made under a name of the client's choice.
        Noun::Member
        | Noun::Attachable
        | Noun::PolicyVersion
        | Noun::InlinePolicy(_)
        | Noun::AccessKey
        | Noun::ProfileRole
        | Noun::LoginProfile
        | Noun::PasswordPolicy
        | Noun::TokenKey
        | Noun::Machine
        | Noun::Association => format!("{name} already exists."),
    };
    Fault::new("EntityAlreadyExists", StatusCode::CONFLICT, message)
}
