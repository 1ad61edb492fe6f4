//! `packhouse env`: what a shell evaluates so that AWS clients talk to the server.

use std::fmt::Write as _;
use std::io::Write as _;

use crate::cli;
use crate::files::{Endpoint, Files, Key, read_credentials};

/// The services that the server is, as the variables of the SDKs name them.
const SERVICES: [&str; 4] = ["CODEARTIFACT", "IAM", "STS", "EC2"];

pub(crate) fn run(arguments: &cli::Env) -> anyhow::Result<()> {
    let files = Files::new(&arguments.server.data);
    let endpoint = files.endpoint()?;
    let path = match &arguments.account_id {
        Some(account) => files.account_credentials(account.as_str()),
        None if arguments.root => files.root_credentials(),
        None => files.admin_credentials(),
    };
    let key = read_credentials(&path)?;
    std::io::stdout().write_all(exports(&endpoint, &key, arguments.services).as_bytes())?;
    Ok(())
}

/// Both spellings of the region: the command line of version 1 and boto3 read only `AWS_DEFAULT_REGION`, all others
/// read `AWS_REGION`.
fn exports(endpoint: &Endpoint, key: &Key, services: bool) -> String {
    let Endpoint { url, region } = endpoint;
    let mut text = String::new();
    let mut export = |name: &str, value: &str| {
        // Writing to a string cannot fail.
        _ = writeln!(text, "export {name}={}", quoted(value));
    };
    if services {
        for service in SERVICES {
            export(&format!("AWS_ENDPOINT_URL_{service}"), url);
        }
    } else {
        export("AWS_ENDPOINT_URL", url);
    }
    export("AWS_ACCESS_KEY_ID", &key.id);
    export("AWS_SECRET_ACCESS_KEY", key.secret.expose());
    export("AWS_REGION", region);
    export("AWS_DEFAULT_REGION", region);
    // A session token left over from elsewhere would make every request wrong.
    text.push_str("unset AWS_SESSION_TOKEN\n");
    text
}

/// As a shell reads it back unchanged.
fn quoted(value: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-._~:/+=@%".contains(&b);
    if value.bytes().all(plain) {
        value.to_owned()
    } else {
        format!("'{}'", value.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exports_are_what_a_shell_evaluates() {
        let endpoint = Endpoint {
            url: "http://127.0.0.1:7070".to_owned(),
            region: "us-east-1".to_owned(),
        };
        let key = Key {
            id: "AKIAEXAMPLE".to_owned(),
            secret: "it's".into(),
        };
        assert_eq!(
            exports(&endpoint, &key, false),
            "export AWS_ENDPOINT_URL=http://127.0.0.1:7070\n\
             export AWS_ACCESS_KEY_ID=AKIAEXAMPLE\n\
             export AWS_SECRET_ACCESS_KEY='it'\\''s'\n\
             export AWS_REGION=us-east-1\n\
             export AWS_DEFAULT_REGION=us-east-1\n\
             unset AWS_SESSION_TOKEN\n"
        );
        let services = exports(&endpoint, &key, true);
        assert!(
            services.starts_with("export AWS_ENDPOINT_URL_CODEARTIFACT=http://127.0.0.1:7070\n")
        );
        assert!(!services.contains("AWS_ENDPOINT_URL="));
    }
}
