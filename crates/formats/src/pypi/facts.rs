//! What is remembered of a distribution file besides its bytes: what its page says of it.

use serde::{Deserialize, Serialize, Serializer};

/// What is kept with a file, as JSON text.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "kebab-case")]
pub(crate) struct Facts {
    /// Which Pythons it is for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub requires_python: Option<String>,
    /// The SHA-256 of its core metadata, in hex, if that can be served.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub core_metadata: Option<String>,
    /// When it was uploaded to the registry that it came from, `2026-01-01T00:00:00.000000Z`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub uploaded: Option<String>,
    /// Why it was yanked, if it was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub yanked: Option<String>,
    /// Where its registry has attestations of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub provenance: Option<String>,
    /// The attestations that came with its upload, as far as they were verified: the provenance object, JSON text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attestations: Option<String>,
}

impl Facts {
    /// Reads what [`Facts::to_text`] wrote; nothing is known from anything else.
    pub(crate) fn parse(text: &str) -> Self {
        serde_json::from_str(text).unwrap_or_default()
    }

    /// As JSON.
    pub(crate) fn to_text(&self) -> String {
        serde_json::to_string(self).expect("texts have a JSON form")
    }
}

/// Whether the core metadata of a file is served beside it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum CoreMetadata<'a> {
    /// It is not.
    #[default]
    None,
    /// It is; what it is was not looked at yet.
    Unhashed,
    /// It is, and has this SHA-256.
    Sha256(&'a str),
}

/// `false`, `true`, or `{"sha256": …}`.
impl Serialize for CoreMetadata<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self {
            CoreMetadata::None => to.serialize_bool(false),
            CoreMetadata::Unhashed => to.serialize_bool(true),
            CoreMetadata::Sha256(sha256) => {
                use serde::ser::SerializeMap as _;
                let mut map = to.serialize_map(Some(1))?;
                map.serialize_entry("sha256", sha256)?;
                map.end()
            }
        }
    }
}

/// What a registry says of a project's state (PEP 792).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ProjectStatus {
    /// `active`, `archived`, `quarantined`, `deprecated`.
    pub status: String,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}
