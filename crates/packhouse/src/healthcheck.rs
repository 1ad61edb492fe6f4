//! `packhouse healthcheck`: for containers, which have no other client inside.

use std::fs;

use anyhow::{Context as _, ensure};
use bytes::Bytes;
use http::Request;
use http::header::HOST;
use http_body_util::Full;

use crate::cli;
use crate::client::ask;
use crate::files::Files;

pub(crate) fn run(arguments: &cli::Data) -> anyhow::Result<()> {
    let path = Files::new(&arguments.data).address();
    let address =
        fs::read_to_string(&path).with_context(|| format!("cannot read `{}`", path.display()))?;
    let address = address.trim();
    let request = Request::get("/readyz")
        .header(HOST, address)
        .body(Full::<Bytes>::default())?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let response = runtime.block_on(ask(address, request))?;
    let said = String::from_utf8_lossy(response.body());
    ensure!(response.status().is_success(), "not ready: {}", said.trim());
    Ok(())
}
