//! The doors: each reads what its clients send, finds out who is asking, and hands on.

pub(crate) mod agent;
pub(crate) mod control;
pub(crate) mod health;
pub(crate) mod own;
pub(crate) mod packages;
mod token;
