//! `packhouse key`: changing keys under way is asked of the running server; replacing lost ones needs nothing but the host.

mod reset;

use std::io::Write as _;

use anyhow::{Context as _, bail};
use aws::SecretString;
use bytes::Bytes;
use http::Method;
use iam::TokenKey;
use serde::de::DeserializeOwned;

use crate::cli::{Admin, Key, Rotated};
use crate::client::{block_on, call_as, element, query};
use crate::doors::own::{Changed, MASTER_KEY, SIGNING_KEYS, SigningKeys};
use crate::files::{self, Files, read_credentials, replace_credentials};

pub(crate) fn run(command: Key) -> anyhow::Result<()> {
    match command {
        Key::List(arguments) => list(&arguments.admin),
        Key::Drop(arguments) => {
            let path = format!("{SIGNING_KEYS}/{}/drop", arguments.number);
            show(&arguments.admin, &post(&arguments.admin, &path)?)
        }
        Key::Rotate(arguments) => {
            for which in &arguments.keys {
                rotate(&arguments.admin, *which)?;
            }
            Ok(())
        }
        Key::Reset(arguments) => reset::run(arguments),
    }
}

fn list(admin: &Admin) -> anyhow::Result<()> {
    let answer = call_as(admin, (Method::GET, SIGNING_KEYS), Vec::new())?;
    show(admin, &answer)
}

fn rotate(admin: &Admin, which: Rotated) -> anyhow::Result<()> {
    match which {
        Rotated::Tokens => show(admin, &post(admin, &format!("{SIGNING_KEYS}/rotate"))?),
        Rotated::Master => {
            let answer = post(admin, MASTER_KEY)?;
            if admin.json {
                return print(&answer);
            }
            let Changed { rewrapped } = read(&answer)?;
            say(&format!(
                "the master key was changed; {rewrapped} data keys are wrapped with the new one\n\
                 hint: back it up; the one before stays on the second line, for backups made until now\n"
            ))
        }
        Rotated::Admin => rotate_access_key(admin, false),
        Rotated::Root => rotate_access_key(admin, true),
    }
}

/// Makes the second of two keys, puts it into the file, and deletes the first. Killed in between it leaves two good keys.
fn rotate_access_key(admin: &Admin, is_root: bool) -> anyhow::Result<()> {
    const VERSION: &str = "Version=2010-05-08";
    let files = Files::new(&admin.server.data);
    let region = files.endpoint()?.region.parse()?;
    let path = files.credentials_of(admin.account_id.as_ref(), is_root);
    let old = read_credentials(&path)?;
    block_on(async {
        let form = format!("Action=CreateAccessKey&{VERSION}");
        let made = query(&files, &region, &old, form).await.context(
            "no second key was made\nhint: there may be two already; `aws iam list-access-keys` shows them",
        )?;
        let value = |name| element(&made, name);
        let (Some(id), Some(secret)) = (value("AccessKeyId"), value("SecretAccessKey")) else {
            bail!("the answer of the server does not read");
        };
        let new = files::Key {
            id: id.to_owned(),
            secret: SecretString::from(secret),
        };
        replace_credentials(&path, &new)
            .with_context(|| format!("cannot write `{}`", path.display()))?;
        let form = format!("Action=DeleteAccessKey&{VERSION}&AccessKeyId={}", old.id);
        query(&files, &region, &new, form).await.with_context(|| {
            format!(
                "the new key is in `{}`, but the old one is still good",
                path.display()
            )
        })?;
        let text = format!(
            "`{}` holds the new key {}; {} is dead\n",
            path.display(),
            new.id,
            old.id
        );
        if admin.json {
            let value = serde_json::json!({"accessKeyId": new.id, "deleted": old.id});
            return say(&format!("{value:#}\n"));
        }
        say(&text)
    })
}

fn post(admin: &Admin, path: &str) -> anyhow::Result<Bytes> {
    call_as(admin, (Method::POST, path), Vec::new())
}

fn show(admin: &Admin, answer: &Bytes) -> anyhow::Result<()> {
    if admin.json {
        return print(answer);
    }
    say(&table(&read(answer)?))
}

fn table(keys: &SigningKeys) -> String {
    let head = format!("{:<8}{:<9}{:<10}{}\n", "NUMBER", "SIGNS", "STATE", "SINCE");
    let line = |key: &TokenKey| {
        let signs = match key.purpose.as_str() {
            "bearer" => "tokens",
            _ => "sessions",
        };
        let TokenKey {
            number,
            state,
            changed,
            ..
        } = key;
        format!("{number:<8}{signs:<9}{state:<10}{changed}\n")
    };
    let lines: String = keys.keys.iter().map(line).collect();
    head + &lines
}

fn read<T: DeserializeOwned>(answer: &Bytes) -> anyhow::Result<T> {
    serde_json::from_slice(answer).context("the answer of the server does not read")
}

fn print(answer: &Bytes) -> anyhow::Result<()> {
    let value: serde_json::Value = read(answer)?;
    say(&format!("{value:#}\n"))
}

fn say(text: &str) -> anyhow::Result<()> {
    std::io::stdout().write_all(text.as_bytes())?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signing_keys_are_listed_in_columns() {
        let key = |number, purpose: &str, state: &str| TokenKey {
            number,
            purpose: purpose.to_owned(),
            state: state.to_owned(),
            created: String::new(),
            changed: "2026-03-14T15:09:26Z".to_owned(),
        };
        let keys = vec![key(1, "bearer", "retiring"), key(12, "sts", "active")];
        assert_eq!(
            table(&SigningKeys { keys }),
            "NUMBER  SIGNS    STATE     SINCE\n\
             1       tokens   retiring  2026-03-14T15:09:26Z\n\
             12      sessions active    2026-03-14T15:09:26Z\n"
        );
    }
}
