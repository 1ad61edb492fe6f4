//! The package managers' own protocols: one folder a format, siblings that never import each other.
//!
//! [`Protocols`] is the list of them; routing, tests and the catalog find a format through it. Beside the
//! folders stand the things that no format may do in its own way: how bytes leave ([`deliver`]), how a small document
//! of ours leaves ([`Document`]), how a refusal reads ([`Refusal`]) and how a body is taken in ([`upload`]).

mod deliver;
mod document;
#[cfg(fuzzing)]
pub mod fuzzing;
pub mod generic;
pub mod maven;
mod multipart;
pub mod npm;
mod protocol;
pub mod pypi;
mod refusal;
mod tar;
mod trust;
pub mod upload;

pub use deliver::deliver;
pub use document::Document;
pub use protocol::{Base, Body, BoxError, Endpoint, Protocol, Reason, Step, empty, full};
pub use refusal::Refusal;
pub use trust::{InvalidTrustRoot, TrustRoot};

use catalog::Formats;

/// What a server settles for its formats, where the specification leaves a choice; the default is what AWS does.
#[derive(Debug, Clone, Default)]
pub struct Rules {
    /// Of Maven.
    pub maven: maven::Rules,
    /// Of npm.
    pub npm: npm::Rules,
    /// Of Python packages.
    pub pypi: pypi::Rules,
    /// Of generic packages.
    pub generic: generic::Rules,
    /// By whose keys attestations count that come with an upload.
    pub trust_root: TrustRoot,
}

/// Every format of a server: one list, made once for the life of the process.
#[derive(Clone, Copy)]
pub struct Protocols(&'static [&'static dyn Protocol]);

impl Protocols {
    /// All formats with these rules. What it makes is never given back.
    pub fn new(rules: Rules) -> Self {
        let all: Vec<Box<dyn Protocol>> = vec![
            Box::new(maven::Maven::new(rules.maven)),
            Box::new(npm::Npm { rules: rules.npm }),
            Box::new(pypi::Pypi::new(rules.pypi, &rules.trust_root)),
            Box::new(generic::Generic {
                rules: rules.generic,
            }),
        ];
        let all: Vec<&'static dyn Protocol> = all
            .into_iter()
            .map(|protocol| &*Box::leak(protocol))
            .collect();
        Self(all.leak())
    }

    /// The list as the catalog needs it.
    pub fn formats(self) -> Formats {
        let all: Vec<&'static dyn catalog::Format> =
            self.iter().map(|protocol| protocol as _).collect();
        Formats::new(all.leak())
    }

    /// The format of this name.
    pub fn named(self, name: &str) -> Option<&'static dyn Protocol> {
        self.iter()
            .find(|protocol| protocol.name().as_str() == name)
    }

    /// One after the other.
    pub fn iter(self) -> impl ExactSizeIterator<Item = &'static dyn Protocol> {
        self.0.iter().copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_format_says_how_to_connect() {
        let endpoint = Endpoint {
            url: "https://packages.example/d/acme-111122223333/x/app/".to_owned(),
            domain: "acme".to_owned(),
            domain_owner: "111122223333".to_owned(),
            repository: "app".to_owned(),
        };
        for format in Protocols::new(Rules::default()).iter() {
            let steps = format.connect(&endpoint);
            let all: String = steps.iter().map(|step| step.text.as_str()).collect();
            assert!(all.contains(&endpoint.url), "{}", format.name());
            assert!(all.contains("get-authorization-token"), "{}", format.name());
        }
    }
}
