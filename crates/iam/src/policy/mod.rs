//! Policies: what is written in them, and what it means for a request.
//!
//! A text from outside passes [`validate`], which answers in the words of the API it was sent to; a
//! text that was stored is read again with [`Policy::parse`]. Either gives a [`Policy`], compiled
//! once. [`evaluate`] then answers an [`Ask`] from [`Policies`]: a pure function of its two
//! arguments, for every request and every simulation alike.
//!
//! Source: the IAM user guide, "IAM JSON policy reference" and "Policy evaluation logic", and the
//! `CodeArtifact` user guide, "Domain policies" and "Repository policies".

mod compiled;
mod condition;
mod context;
mod document;
mod evaluate;
pub(crate) mod json;
mod malformed;
mod managed;
mod mentioned;
mod message;
mod pattern;
mod principal;
mod principal_rules;
mod services;
mod validate;
mod variables;

pub use compiled::{Policy, PolicySource};
pub use context::Context;
pub use document::{Position, Span};
pub use evaluate::{
    Ask, Decision, MatchedStatement, Policies, PolicyType, Reason, ResourcePolicies, evaluate,
};
pub use malformed::{Malformed, MalformedCode};
pub use managed::{ManagedPolicy, managed};
pub use mentioned::mentioned_keys;
pub use principal::{Principal, map_principals, principals_in};
pub use validate::{InlineOwner, PolicyKind, size, validate};
