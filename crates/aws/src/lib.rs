//! The wire: what a client sends and what it reads, and nothing of what it means.
//!
//! - [`identity`]: account numbers, regions, access key ids, ARNs.
//! - [`time`]: one timestamp, printed in every form a client asks for.
//! - [`secret`]: values that do not print.
//! - [`fault`]: one error, rendered in the dialect of the request.
//! - [`sigv4`]: who signed a request, checked without knowing any key but the one it is given.
//!
//! The crate knows no database and no package. Keys, principals and policies live in `iam`;
//! the only state here is the bytes of one request.

pub mod fault;
pub mod identity;
pub mod percent;
pub mod secret;
pub mod sigv4;
pub mod time;
pub mod xml;

pub use fault::{Dialect, Fault, QueryService, Reason};
pub use identity::{AccessKeyId, AccountId, Arn, Region};
pub use secret::{Secret, SecretString};
pub use time::{Clock, Timestamp};
