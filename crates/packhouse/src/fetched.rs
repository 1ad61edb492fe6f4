//! `packhouse fetched`: who fetched a version, asked of the running server in the name of the account's `admin`.

use std::io::Write as _;

use anyhow::Context as _;
use aws::percent;
use http::Method;
use serde_json::{Value, json};

use crate::cli::Fetched;
use crate::client::call_as;
use crate::doors::own::FETCHES;

pub(crate) fn run(arguments: &Fetched) -> anyhow::Result<()> {
    let admin = &arguments.admin;
    let mut uri = format!("{FETCHES}?maxResults=1000");
    for (name, value) in [
        ("domain", Some(&arguments.domain)),
        ("repository", Some(&arguments.repository)),
        ("format", Some(&arguments.format)),
        ("namespace", arguments.namespace.as_ref()),
        ("package", Some(&arguments.package)),
        ("version", Some(&arguments.version)),
    ] {
        if let Some(value) = value {
            uri.push('&');
            uri.push_str(name);
            uri.push('=');
            uri.push_str(&percent::encode(value));
        }
    }
    let (mut fetches, mut since, mut token) = (Vec::new(), String::new(), None::<String>);
    loop {
        let next = token
            .as_deref()
            .map(|token| format!("&nextToken={}", percent::encode(token)));
        let request = format!("{uri}{}", next.unwrap_or_default());
        let answer = call_as(admin, (Method::GET, &request), Vec::new())?;
        let page: Value =
            serde_json::from_slice(&answer).context("the answer of the server does not read")?;
        fetches.extend(page["fetches"].as_array().cloned().unwrap_or_default());
        page["knownSince"]
            .as_str()
            .unwrap_or_default()
            .clone_into(&mut since);
        token = page["nextToken"].as_str().map(str::to_owned);
        if token.is_none() {
            break;
        }
    }
    let text = if admin.json {
        let whole = json!({"fetches": fetches, "knownSince": since});
        format!("{}\n", serde_json::to_string_pretty(&whole)?)
    } else {
        let lines: String = fetches.iter().map(line).collect();
        format!("{lines}known since {since}\n")
    };
    std::io::stdout().write_all(text.as_bytes())?;
    Ok(())
}

/// `arn:aws:iam::111122223333:user/ci  203.0.113.40  12 times from 2026-03-14T15:09:26Z to 2026-03-15T08:00:00Z`
fn line(fetch: &Value) -> String {
    let text = |name: &str| fetch[name].as_str().unwrap_or("-").to_owned();
    let (principal, source) = (text("principal"), text("sourceIpAddress"));
    match fetch["count"].as_u64() {
        Some(1) | None => format!("{principal}  {source}  once at {}\n", text("first")),
        Some(count) => {
            format!(
                "{principal}  {source}  {count} times from {} to {}\n",
                text("first"),
                text("last")
            )
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_fetched_is_a_line() {
        for (fetch, expected) in [
            (
                json!({"principal": "P", "sourceIpAddress": "::1", "count": 1, "first": "T", "last": "T"}),
                "P  ::1  once at T\n",
            ),
            (
                json!({"principal": "P", "count": 3, "first": "T", "last": "U"}),
                "P  -  3 times from T to U\n",
            ),
        ] {
            assert_eq!(line(&fetch), expected);
        }
    }
}
