//! Records, decisions and deliveries over a whole house without its doors.
#![allow(clippy::unwrap_used, reason = "tests")]

mod deliveries;
mod fetches;
mod receiver;
mod records;
mod world;
