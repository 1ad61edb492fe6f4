//! The package managers' own protocols: one folder a format, siblings that never import each other.
//!
//! [`ALL`] is the list of them; routing, the console, tests and the catalog find a format through it. Beside the
//! folders stand the things that no format may do in its own way: how bytes leave ([`deliver`]), how a small document
//! of ours leaves ([`Document`]), how a refusal reads ([`Refusal`]) and how a body is taken in ([`upload`]).

mod deliver;
mod document;
pub mod generic;
pub mod maven;
mod protocol;
mod refusal;
pub mod upload;

pub use deliver::deliver;
pub use document::Document;
pub use protocol::{Body, BoxError, Endpoint, Protocol, Step, empty, full};
pub use refusal::Refusal;

use catalog::{Format, Formats};

/// Every format, as the door needs it.
pub static ALL: &[&dyn Protocol] = &[&maven::Maven::DEFAULT, &generic::Generic];

/// The same list, as the catalog needs it.
pub static FORMATS: &[&dyn Format] = &[&maven::Maven::DEFAULT, &generic::Generic];

/// [`FORMATS`], wrapped for [`catalog::Parts`].
pub fn formats() -> Formats {
    Formats::new(FORMATS)
}

/// The format of this name.
pub fn named(name: &str) -> Option<&'static dyn Protocol> {
    ALL.iter()
        .copied()
        .find(|format| format.name().as_str() == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_lists_name_the_same_formats() {
        let doors: Vec<_> = ALL.iter().map(|format| format.name()).collect();
        let shelves: Vec<_> = FORMATS.iter().map(|format| format.name()).collect();
        assert_eq!(doors, shelves);
        for name in doors {
            assert!(named(name.as_str()).is_some());
        }
    }

    #[test]
    fn every_format_says_how_to_connect() {
        let endpoint = Endpoint {
            url: "https://packages.example/d/acme-111122223333/x/app/".to_owned(),
            domain: "acme".to_owned(),
            domain_owner: "111122223333".to_owned(),
            repository: "app".to_owned(),
        };
        for format in ALL {
            let steps = format.connect(&endpoint);
            let all: String = steps.iter().map(|step| step.text.as_str()).collect();
            assert!(all.contains(&endpoint.url), "{}", format.name());
            assert!(all.contains("get-authorization-token"), "{}", format.name());
        }
    }
}
