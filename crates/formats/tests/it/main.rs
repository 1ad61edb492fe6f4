//! The protocols as clients speak them, over a real catalog and a registry on loopback.

#![allow(clippy::unwrap_used, reason = "tests")]

mod generic;
mod maven;
mod npm;
mod npm_hostile;
mod npm_packages;
mod npm_search;
mod npm_upstream;
mod plugins;
mod pypi;
mod pypi_attested;
mod pypi_pages;
mod pypi_upstream;
mod registry;
mod snapshots;
mod upstream;
mod wheels;
mod world;
