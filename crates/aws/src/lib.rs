//! The wire: what a client sends and what it reads, and nothing of what it means.
//!
//! - [`identity`]: account numbers, regions, access key ids, ARNs.
//! - [`time`]: one timestamp, printed in every form a client asks for.
//! - [`secret`]: values that do not print.
//! - [`fault`]: one error, rendered in the dialect of the request.
//! - [`sigv4`]: who signed a request, checked without knowing any key but the one it is given.
//! - [`rest_json`] and [`query`]: the two dialects in which operations are called and answered;
//!   [`reader`] reads the members of either, and [`member`] says what is wrong with them.
//! - [`page`]: where the next page of a list begins.
//! - [`machine`]: how a machine says that it is itself.
//! - [`credentials`]: the files and answers in which clients find their keys.
//!
//! The crate knows no database and no package. Keys, principals and policies live in `iam`;
//! the only state here is the bytes of one request.

pub mod credentials;
pub mod fault;
pub mod identity;
pub mod machine;
pub mod member;
pub mod page;
pub mod percent;
pub mod query;
pub mod reader;
pub mod rest_json;
pub mod secret;
pub mod sigv4;
pub mod time;
pub mod xml;

pub use fault::{Dialect, Fault, QueryService, Reason};
pub use identity::{AccessKeyId, AccountId, Arn, Region};
pub use machine::MachineId;
pub use member::{Member, Violation};
pub use secret::{Secret, SecretString};
pub use time::{Clock, Timestamp};
