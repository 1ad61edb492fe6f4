//! What the specification's vector files say, read whole.
#![allow(clippy::unwrap_used, reason = "tests")]

mod sigv4_roundtrip;
mod sigv4_vectors;
