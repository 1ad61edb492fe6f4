//! `packhouse healthcheck`: for containers, which have no other client inside.

use anyhow::ensure;
use bytes::Bytes;
use http::Request;
use http::header::HOST;
use http_body_util::Full;

use crate::cli;
use crate::client::ask;
use crate::files::Files;

pub(crate) fn run(arguments: &cli::Data) -> anyhow::Result<()> {
    let files = Files::new(&arguments.data);
    let address = files.read_address()?;
    let request = Request::get("/readyz")
        .header(HOST, &address)
        .body(Full::<Bytes>::default())?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let response = runtime.block_on(ask(&files, &address, request))?;
    let said = String::from_utf8_lossy(response.body());
    ensure!(response.status().is_success(), "not ready: {}", said.trim());
    Ok(())
}
