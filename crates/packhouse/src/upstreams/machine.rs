//! The machine whose clients are asked: a home directory, variables, commands.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use tokio::process::Command;
use tokio::time::timeout;

use super::PATIENCE;

/// A machine; in tests, one made of a temporary directory.
#[derive(Debug)]
pub(super) struct Machine {
    home: PathBuf,
    variables: BTreeMap<String, String>,
}

impl Machine {
    /// This one.
    pub(super) fn this() -> Self {
        Self::new(crate::environment().collect())
    }

    pub(super) fn new(variables: BTreeMap<String, String>) -> Self {
        let home = variables
            .get("HOME")
            .map_or_else(PathBuf::new, PathBuf::from);
        Self { home, variables }
    }

    /// The user's home directory.
    pub(super) fn home(&self) -> &Path {
        &self.home
    }

    /// A variable that is set to something.
    pub(super) fn variable(&self, name: &str) -> Option<&str> {
        let value = self.variables.get(name)?;
        (!value.is_empty()).then_some(value)
    }

    /// What a command says on its standard output. `Err` is a sentence: it is not there, fails, or takes too long.
    ///
    /// It runs in the home directory: in ours it could find settings of a project that happens to lie there.
    pub(super) async fn output(&self, program: &str, arguments: &[&str]) -> Result<String, String> {
        let mut command = Command::new(
            self.find(program)
                .ok_or_else(|| format!("no `{program}` here"))?,
        );
        command
            .args(arguments)
            .env_clear()
            .envs(&self.variables)
            .stdin(Stdio::null())
            .kill_on_drop(true);
        if self.home.is_dir() {
            command.current_dir(&self.home);
        }
        let called = || format!("`{program} {}`", arguments.join(" "));
        let output = match timeout(PATIENCE, command.output()).await {
            Err(_) => {
                return Err(format!(
                    "{} took longer than {} s",
                    called(),
                    PATIENCE.as_secs()
                ));
            }
            Ok(Err(error)) if error.kind() == io::ErrorKind::NotFound => {
                return Err(format!("no `{program}` here"));
            }
            Ok(Err(error)) => return Err(format!("{} cannot be run: {error}", called())),
            Ok(Ok(output)) => output,
        };
        if !output.status.success() {
            return Err(format!("{} ended with {}", called(), output.status));
        }
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// Where `PATH` has a program. Looked up here, so that this machine's `PATH` counts and not that of the process.
    fn find(&self, program: &str) -> Option<PathBuf> {
        let path = self.variables.get("PATH")?;
        std::env::split_paths(path)
            .map(|directory| directory.join(program))
            .find(|path| path.is_file())
    }

    /// A file's text, if there is such a file.
    pub(super) async fn read(&self, path: &Path) -> Option<String> {
        tokio::fs::read_to_string(path).await.ok()
    }
}
