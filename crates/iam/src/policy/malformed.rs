//! What is wrong with a policy text, in the words the AWS command line prints.

use std::borrow::Cow;

/// A policy document that cannot be stored, with the code and text its sender is answered.
///
/// The texts are those of AWS, because tools match on them; see [`validate`](super::validate).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Malformed {
    code: MalformedCode,
    message: Cow<'static, str>,
}

/// The error code a malformed document is answered with; which one depends on the API that stores
/// it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MalformedCode {
    /// IAM and STS: the text is not a policy.
    MalformedPolicyDocument,
    /// IAM: the text is a policy, but a too long one.
    LimitExceeded,
    /// IAM and STS: the parameter itself is out of bounds.
    ValidationError,
    /// `CodeArtifact`: anything wrong with a resource policy.
    ValidationException,
}

impl MalformedCode {
    /// The code as it stands on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::MalformedPolicyDocument => "MalformedPolicyDocument",
            Self::LimitExceeded => "LimitExceeded",
            Self::ValidationError => "ValidationError",
            Self::ValidationException => "ValidationException",
        }
    }

    /// The HTTP status that belongs to the code in the service models: 409 for a quota, 400 for the
    /// rest.
    pub fn status(self) -> u16 {
        match self {
            Self::LimitExceeded => 409,
            Self::MalformedPolicyDocument | Self::ValidationError | Self::ValidationException => {
                400
            }
        }
    }
}

impl Malformed {
    pub(super) fn new(code: MalformedCode, message: impl Into<Cow<'static, str>>) -> Self {
        Self {
            code,
            message: message.into(),
        }
    }

    /// A fault in the document itself, the most frequent kind.
    pub(super) fn document(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(MalformedCode::MalformedPolicyDocument, message)
    }

    /// The shape is wrong: not JSON, an unknown element, a wrong type.
    pub(super) fn syntax() -> Self {
        Self::document("Syntax errors in policy.")
    }

    /// The shape is right, but a value in it cannot be read (a date, a number, a variable).
    pub(super) fn legacy() -> Self {
        Self::document("The policy failed legacy parsing")
    }

    /// The code the sender is answered.
    pub fn code(&self) -> MalformedCode {
        self.code
    }

    /// The text the sender is answered.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// The same fault as `CodeArtifact` words it: one code for everything.
    pub(super) fn for_resource_policy(self) -> Self {
        Self::new(
            MalformedCode::ValidationException,
            format!("The policy document is not valid: {}", self.message),
        )
    }
}
