//! The reference page of all settings, made from their list.

use std::fmt::Write as _;

use super::settings::{Form, SETTINGS, Setting};

/// `docs/configuration.md`; a test compares the two.
pub(crate) fn page() -> String {
    let mut page = String::from(HEAD);
    for setting in SETTINGS {
        let default = match setting.default {
            "" => "none".to_owned(),
            default => format!("`{default}`"),
        };
        let flag = match setting.form {
            Form::Secret => "not a flag, since other users of a machine can read those".to_owned(),
            Form::Switch => format!("`--{}`", setting.name),
            Form::Text => format!("`--{} {}`", setting.name, setting.value),
            Form::List | Form::Upstreams => {
                format!("`--{} {}`, repeatable", setting.name, setting.value)
            }
        };
        let variable = match setting.form {
            Form::Upstreams => {
                "`PACKHOUSE_UPSTREAM_NAME`, like `PACKHOUSE_UPSTREAM_MAVEN_CENTRAL`".to_owned()
            }
            Form::List => format!("`{}`, separated by commas", setting.variable()),
            _ => format!("`{}`", setting.variable()),
        };
        // Writing to a string cannot fail.
        _ = write!(
            page,
            "\n## {}\n\n{}\n\n| | |\n|---|---|\n| flag | {flag} |\n| environment | {variable} |\n| file | {} |\n| default | {default} |\n",
            setting.name,
            setting.about,
            in_file(setting),
        );
    }
    page
}

fn in_file(setting: &Setting) -> String {
    let key = setting.key();
    match setting.form {
        Form::Upstreams => format!("`[{key}]`, then `\"public:NAME\" = \"URL\"`"),
        Form::List => format!("`{key} = [\"…\"]`"),
        _ => match key.split_once('.') {
            Some((table, key)) => format!("`[{table}]`, then `{key}`"),
            None if setting.name == "config" => "not in the file itself".to_owned(),
            None => format!("`{key}`"),
        },
    }
}

const HEAD: &str = "\
# Configuration

This page is made by `packhouse config --reference` from the list in `crates/packhouse/src/config/settings.rs`.

A value is taken from the first of these that has one:

1. a flag of `packhouse serve`;
2. the environment;
3. the file, TOML: that of `--config`, else `packhouse.toml` in the data directory;
4. what `packhouse upstreams detect --write` found, for addresses of public registries;
5. the default.

`packhouse config` takes the same flags as `packhouse serve` and shows every value and where it comes from. A server with
mistakes in its configuration does not start, and lists all of them.
";
