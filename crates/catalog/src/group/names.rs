//! The names of a domain by what they look like, so that those of a group are found without looking at all others.
//!
//! Kept in the transactions that make a package and remove one. Where packages are older than this, it is made aside
//! (`catch_up.rs`); until that is done names are read from the packages, in another order, and all of them are looked at.

use store::{Row, Tx};

use super::pattern::{GroupPattern, Looks};
use crate::Result;
use crate::change::read_package_id;
use crate::names::PackageId;
use crate::repository::Repository;

/// How much of the looks of a name is kept, in characters: what is longer is told apart by asking the pattern.
const KEPT_CHARS: usize = 64;

const INSERT: &str = "
    INSERT INTO package_names (domain_id, format, looks, namespace, name)
    VALUES ($1, $2, $3, $4, $5)
    ON CONFLICT (domain_id, format, looks, namespace, name) DO NOTHING";

const DELETE: &str = "
    DELETE FROM package_names
     WHERE domain_id = $1
       AND format = $2
       AND looks = $3
       AND namespace = $4
       AND name = $5
       AND NOT EXISTS (SELECT 1
                         FROM packages
                         JOIN repositories ON repositories.id = packages.repository_id
                        WHERE packages.format = $2
                          AND packages.namespace = $4
                          AND packages.name = $5
                          AND repositories.domain_id = $1
                          AND repositories.id <> $6)";

pub(super) const AFTER: &str = "
    SELECT format, looks, namespace, name
      FROM package_names
     WHERE domain_id = $1
       AND (format, looks, namespace, name) > ($2, $3, $4, $5)
     ORDER BY format, looks, namespace, name
     LIMIT $6";

/// The same names in another order, from the packages themselves. What they look like is left out.
pub(super) const AFTER_BY_NAME: &str = "
    SELECT packages.format, '' AS looks, packages.namespace, packages.name
      FROM packages
     CROSS JOIN repositories
     WHERE repositories.id = packages.repository_id
       AND repositories.domain_id = $1
       AND (packages.format, packages.namespace, packages.name) > ($2, $3, $4)
     GROUP BY packages.format, packages.namespace, packages.name
     ORDER BY packages.format, packages.namespace, packages.name
     LIMIT $5";

/// What is kept of how a name looks.
fn kept(looks: &str) -> String {
    looks.chars().take(KEPT_CHARS).collect()
}

/// How a package's name looks, each way once, in order.
pub(super) fn looks_of(id: &PackageId) -> Vec<String> {
    distinct(&Looks::of_package(id), id.format.as_str())
}

/// How the names of a pattern's packages begin to look, each way once. One empty text where they may be any.
pub(super) fn beginnings(pattern: &GroupPattern, looks: &Looks) -> Vec<String> {
    match pattern.format() {
        Some(format) => distinct(looks, format),
        None => vec![String::new()],
    }
}

fn distinct(looks: &Looks, format: &str) -> Vec<String> {
    let of_names = |form: &String| {
        let names = form.get(format.len() + 2..).unwrap_or_default();
        kept(names)
    };
    let mut forms: Vec<_> = looks.forms().iter().map(of_names).collect();
    forms.sort();
    forms.dedup();
    forms
}

/// Notes that a repository of the domain records a package of this name.
pub(crate) fn note(tx: &mut Tx<'_>, domain_id: &str, id: &PackageId) -> Result<()> {
    for looks in looks_of(id) {
        tx.execute(INSERT, &key(domain_id, &looks, id))?;
    }
    Ok(())
}

/// Forgets a package that a repository no longer records, if no other one of the domain does.
pub(crate) fn forget(tx: &mut Tx<'_>, repository: &Repository, id: &PackageId) -> Result<()> {
    for looks in looks_of(id) {
        let mut values = key(&repository.domain.id, &looks, id);
        values.push((&*repository.id).into());
        tx.execute(DELETE, &values)?;
    }
    Ok(())
}

fn key(domain_id: &str, looks: &str, id: &PackageId) -> Vec<store::Value> {
    vec![
        domain_id.into(),
        id.format.as_str().into(),
        looks.into(),
        id.namespace_text().into(),
        id.name.as_str().into(),
    ]
}

/// A name, and where it stands.
pub(super) struct Named {
    pub(super) id: PackageId,
    pub(super) looks: String,
}

impl Named {
    pub(super) fn read(row: &Row) -> Result<Self> {
        Ok(Self {
            id: read_package_id(row)?,
            looks: row.text("looks")?,
        })
    }

    /// Where it stands in the list. No name has a line break.
    pub(super) fn place(&self) -> Place {
        Place {
            format: self.id.format.to_string(),
            looks: self.looks.clone(),
            namespace: self.id.namespace_text().to_owned(),
            name: self.id.name.to_string(),
        }
    }
}

/// A place in the list of names.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    pub(super) format: String,
    pub(super) looks: String,
    namespace: String,
    name: String,
}

impl Place {
    /// Before everything of a format that looks so.
    pub(super) fn before(format: &str, looks: &str) -> Self {
        Self {
            format: format.to_owned(),
            looks: looks.to_owned(),
            ..Self::default()
        }
    }

    pub(super) fn parse(text: &str) -> Self {
        let mut parts = text.splitn(4, '\n');
        let mut next = || parts.next().unwrap_or_default().to_owned();
        Self {
            format: next(),
            looks: next(),
            namespace: next(),
            name: next(),
        }
    }

    pub(super) fn text(&self) -> String {
        let Self {
            format,
            looks,
            namespace,
            name,
        } = self;
        format!("{format}\n{looks}\n{namespace}\n{name}")
    }

    /// Whether it is one in the order of names: every name looks like something.
    pub(super) fn is_by_name(&self) -> bool {
        self.looks.is_empty()
    }

    /// For [`AFTER`].
    pub(super) fn values(&self, domain_id: &str, limit: u32) -> Vec<store::Value> {
        vec![
            domain_id.into(),
            self.format.as_str().into(),
            self.looks.as_str().into(),
            self.namespace.as_str().into(),
            self.name.as_str().into(),
            limit.into(),
        ]
    }

    /// For [`AFTER_BY_NAME`].
    pub(super) fn values_by_name(&self, domain_id: &str, limit: u32) -> Vec<store::Value> {
        vec![
            domain_id.into(),
            self.format.as_str().into(),
            self.namespace.as_str().into(),
            self.name.as_str().into(),
            limit.into(),
        ]
    }
}
