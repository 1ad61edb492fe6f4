#![doc = include_str!("README.md")]
#![allow(dead_code)]
mod archive;
mod document;
mod facts;
mod filename;
mod html;
mod index;
mod metadata;
mod name;
mod negotiate;
mod request;
mod tar;
#[cfg(test)]
mod tests;
mod version;
mod zip;
