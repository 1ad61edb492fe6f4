//! iam
mod ids;
pub mod revocations;
pub mod tokens;
mod master_key;
pub use ids::Id128;
pub use master_key::{MasterKey, MasterKeyError};
