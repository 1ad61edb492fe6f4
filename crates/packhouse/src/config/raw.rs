//! Settings as they were written: text, and where it stood.
//!
//! Four sources, later ones win: what `upstreams detect --write` found, the file, the environment, flags.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use clap::{Arg, ArgAction, ArgMatches, Command};

use super::settings::{Form, SETTINGS, Setting};

/// Where a value comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Origin {
    /// Nobody set it.
    Default,
    /// Found by `packhouse upstreams detect --write`, in this file.
    Detected(PathBuf),
    /// The configuration file.
    File(PathBuf),
    /// This environment variable.
    Environment(String),
    /// This flag, without its dashes.
    Flag(&'static str),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::Default => f.write_str("default"),
            Origin::Detected(path) => write!(f, "detected, {}", path.display()),
            Origin::File(path) => write!(f, "file {}", path.display()),
            Origin::Environment(variable) => write!(f, "environment {variable}"),
            Origin::Flag(name) => write!(f, "flag --{name}"),
        }
    }
}

/// A text and its origin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Written {
    /// As it was written. For a list: one entry.
    pub(crate) text: String,
    /// Where.
    pub(crate) origin: Origin,
}

/// What one source says, or all of them together.
#[derive(Debug, Clone, Default)]
pub(crate) struct Raw {
    values: BTreeMap<&'static str, Vec<Written>>,
    /// By the environment's spelling of the connection: `NPMJS` is `public:npmjs`.
    upstreams: BTreeMap<String, Written>,
}

/// Flags, as clap reads them: one for each setting that may be a flag.
#[derive(Debug, Clone, Default)]
pub(crate) struct Flags(Raw);

impl Flags {
    /// What was given on the command line.
    pub(crate) fn into_raw(self) -> Raw {
        self.0
    }
}

impl clap::Args for Flags {
    fn augment_args(command: Command) -> Command {
        command.args(SETTINGS.iter().filter_map(flag))
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

fn flag(setting: &'static Setting) -> Option<Arg> {
    let mut about = setting.about.to_owned();
    if !setting.default.is_empty() && setting.form != Form::Switch {
        about = format!("{about} [default: {}]", setting.default);
    }
    let arg = Arg::new(setting.name).long(setting.name).help(about);
    match setting.form {
        Form::Secret => None,
        Form::Switch => Some(arg.action(ArgAction::SetTrue)),
        // A negative number is a mistake of the value, and is told with all others.
        Form::Text => Some(
            arg.value_name(setting.value)
                .action(ArgAction::Set)
                .allow_negative_numbers(true),
        ),
        Form::List | Form::Upstreams => {
            Some(arg.value_name(setting.value).action(ArgAction::Append))
        }
    }
}

impl clap::FromArgMatches for Flags {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let mut flags = Self::default();
        flags.update_from_arg_matches(matches)?;
        Ok(flags)
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        for setting in SETTINGS {
            let origin = Origin::Flag(setting.name);
            match setting.form {
                Form::Secret => {}
                Form::Switch => {
                    if matches.get_flag(setting.name) {
                        self.0.set(setting.name, "true".to_owned(), origin);
                    }
                }
                Form::Text | Form::List | Form::Upstreams => {
                    for text in matches
                        .get_many::<String>(setting.name)
                        .into_iter()
                        .flatten()
                    {
                        self.0.add(setting, text, &origin);
                    }
                }
            }
        }
        Ok(())
    }
}

impl Raw {
    /// What the environment says.
    pub(crate) fn from_environment(variables: impl IntoIterator<Item = (String, String)>) -> Self {
        let mut raw = Self::default();
        for (variable, text) in variables {
            let origin = Origin::Environment(variable.clone());
            if let Some(name) = variable.strip_prefix("PACKHOUSE_UPSTREAM_") {
                raw.upstreams
                    .insert(name.to_owned(), Written { text, origin });
                continue;
            }
            let known = SETTINGS
                .iter()
                .find(|setting| setting.variable() == variable);
            match known {
                None => {}
                Some(setting) if matches!(setting.form, Form::List | Form::Upstreams) => {
                    let entries = text
                        .split(',')
                        .map(str::trim)
                        .filter(|entry| !entry.is_empty());
                    entries.for_each(|entry| raw.add(setting, entry, &origin));
                }
                Some(setting) => raw.set(setting.name, text, origin),
            }
        }
        raw
    }

    /// What a file says; a sentence for each thing in it that is not a setting.
    pub(crate) fn from_file(text: &str, path: &Path) -> (Self, Vec<String>) {
        Self::from_toml(text, path, &Origin::File(path.to_owned()))
    }

    /// What `upstreams detect --write` found.
    pub(crate) fn from_detected(text: &str, path: &Path) -> (Self, Vec<String>) {
        Self::from_toml(text, path, &Origin::Detected(path.to_owned()))
    }

    fn from_toml(text: &str, path: &Path, origin: &Origin) -> (Self, Vec<String>) {
        let mut raw = Self::default();
        let mut mistakes = Vec::new();
        match text.parse::<toml::Table>() {
            Ok(table) => raw.add_table("", &table, path, origin, &mut mistakes),
            Err(error) => {
                let what = error.message();
                let line = error
                    .span()
                    .map_or(1, |span| text[..span.start].lines().count().max(1));
                mistakes.push(format!("file `{}`, line {line}: {what}", path.display()));
            }
        }
        (raw, mistakes)
    }

    fn add_table(
        &mut self,
        prefix: &str,
        table: &toml::Table,
        path: &Path,
        origin: &Origin,
        mistakes: &mut Vec<String>,
    ) {
        for (key, value) in table {
            let key = format!("{prefix}{key}");
            let setting = SETTINGS.iter().find(|setting| setting.key() == key);
            let here = path.display();
            match (setting, value) {
                (Some(setting), toml::Value::Table(addresses))
                    if setting.form == Form::Upstreams =>
                {
                    for (name, address) in addresses {
                        match address.as_str() {
                            Some(address) => {
                                self.add(setting, &format!("{name}={address}"), origin);
                            }
                            None => mistakes
                                .push(format!("`{key}.\"{name}\"` in file `{here}` is not text")),
                        }
                    }
                }
                (Some(setting), toml::Value::Array(entries)) if setting.form == Form::List => {
                    for entry in entries {
                        match entry.as_str() {
                            Some(entry) => self.add(setting, entry, origin),
                            None => mistakes.push(format!(
                                "`{key}` in file `{here}` has an entry that is not text"
                            )),
                        }
                    }
                }
                (Some(setting), toml::Value::String(text)) if setting.form != Form::Upstreams => {
                    self.add(setting, text, origin);
                }
                (Some(setting), toml::Value::Integer(number)) => {
                    self.add(setting, &number.to_string(), origin);
                }
                (Some(setting), toml::Value::Boolean(on)) => {
                    self.add(setting, &on.to_string(), origin);
                }
                (Some(_), _) => mistakes.push(format!(
                    "`{key}` in file `{here}` is not of a kind that it could be"
                )),
                (None, toml::Value::Table(inner)) if prefix.is_empty() => {
                    self.add_table(&format!("{key}."), inner, path, origin, mistakes);
                }
                (None, _) => mistakes.push(format!("`{key}` in file `{here}` is not a setting")),
            }
        }
    }

    fn add(&mut self, setting: &'static Setting, text: &str, origin: &Origin) {
        let written = Written {
            text: text.to_owned(),
            origin: origin.clone(),
        };
        match setting.form {
            Form::Upstreams => {
                let (name, address) = text.split_once('=').unwrap_or((text, ""));
                let written = Written {
                    text: address.to_owned(),
                    origin: origin.clone(),
                };
                self.upstreams.insert(name.to_owned(), written);
            }
            Form::List => self.values.entry(setting.name).or_default().push(written),
            Form::Text | Form::Switch | Form::Secret => {
                self.set(setting.name, written.text, written.origin);
            }
        }
    }

    fn set(&mut self, name: &'static str, text: String, origin: Origin) {
        self.values.insert(name, vec![Written { text, origin }]);
    }

    /// The same, with `stronger` winning wherever it says anything.
    #[must_use]
    pub(crate) fn under(mut self, stronger: Raw) -> Self {
        self.values.extend(stronger.values);
        self.upstreams.extend(stronger.upstreams);
        self
    }

    /// What is written for a setting, if anything; the empty text counts as nothing.
    pub(crate) fn get(&self, name: &str) -> Option<&Written> {
        let written = self.values.get(name)?.first()?;
        (!written.text.is_empty()).then_some(written)
    }

    /// All that is written for a list.
    pub(crate) fn all(&self, name: &str) -> &[Written] {
        self.values.get(name).map_or(&[], Vec::as_slice)
    }

    /// Addresses of registries by name, as written.
    pub(crate) fn upstreams(&self) -> &BTreeMap<String, Written> {
        &self.upstreams
    }

    /// Puts another name in the place of each upstream's, so that sources that spell them differently meet.
    pub(crate) fn rename_upstreams(&mut self, rename: impl Fn(&str) -> Option<String>) {
        let old = std::mem::take(&mut self.upstreams);
        for (name, written) in old {
            self.upstreams
                .insert(rename(&name).unwrap_or(name), written);
        }
    }
}
