//! Attestations that come with an upload (PEP 740): what somebody signed about a file.
//!
//! Only what is verified is shown to others: signed by a certificate that Sigstore gave out at that time, written down in
//! its log, about this very file. Nobody is asked for it. Who signed is read from the certificate; whether that is somebody
//! who should is for the reader to say, as the upload itself is for the permissions of whoever uploads.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use sigstore_verify::crypto::x509::CertificateInfo;
use sigstore_verify::types::{Bundle, Sha256Hash};
use sigstore_verify::{VerificationPolicy, Verifier};

use super::filename::Distribution;
use super::version;

/// Bytes of what is shown of a file, at most; pages are made from records that have it. A signature is some 10 KiB.
const SHOWN_BYTES: usize = 64 * 1024;
/// What the signed text is, as its signature has it.
const PAYLOAD_TYPE: &str = "application/vnd.in-toto+json";
/// What the one Sigstore format is called whose parts an attestation has.
const BUNDLE_TYPE: &str = "application/vnd.dev.sigstore.bundle.v0.3+json";

/// An attestation as it came.
type Raw = Map<String, Value>;

/// Reads the list in the form; `None` when it is no list of attestations.
pub(crate) fn parse(text: &str) -> Option<Vec<Raw>> {
    serde_json::from_str(text).ok()
}

/// What attestations are about.
#[derive(Debug, Clone, Copy)]
pub(crate) struct About<'a> {
    /// The normalised name of the project.
    pub project: &'a str,
    /// The file.
    pub filename: &'a str,
    /// Its SHA-256, in hex.
    pub sha256: &'a str,
}

/// An attestation is about something else: a sentence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Misplaced(pub String);

/// What came of verifying the attestations of a file.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Verified {
    /// The provenance object with those that are good, JSON text, if there are any.
    pub provenance: Option<String>,
    /// Why the others are not shown.
    pub problems: Vec<String>,
}

/// Verifies attestations of a file. What cannot be verified may be good by another trust root; what says that it is about
/// another file is wrong whoever signed it.
pub(crate) fn verify(
    verifier: &Verifier,
    attestations: Vec<Raw>,
    about: &About<'_>,
) -> Result<Verified, Misplaced> {
    let mut outcome = Verified::default();
    let mut bundles: Vec<(Value, Vec<Raw>)> = Vec::new();
    for raw in attestations {
        match verify_one(verifier, &raw, about)? {
            Err(problem) => outcome.problems.push(problem),
            Ok(publisher) => match bundles.iter_mut().find(|(known, _)| *known == publisher) {
                Some((_, attestations)) => attestations.push(raw),
                None => bundles.push((publisher, vec![raw])),
            },
        }
    }
    if bundles.is_empty() {
        return Ok(outcome);
    }
    let bundles: Vec<Value> = bundles
        .into_iter()
        .map(|(publisher, attestations)| json!({"publisher": publisher, "attestations": attestations}))
        .collect();
    let text = json!({"version": 1, "attestation_bundles": bundles}).to_string();
    if text.len() > SHOWN_BYTES {
        let problem = format!("together they have more than {SHOWN_BYTES} bytes");
        outcome.problems.push(problem);
    } else {
        outcome.provenance = Some(text);
    }
    Ok(outcome)
}

/// An attestation, as the standard has it.
#[derive(Deserialize)]
struct Attestation {
    version: u32,
    verification_material: Material,
    envelope: Envelope,
}

#[derive(Deserialize)]
struct Material {
    certificate: String,
    transparency_entries: Vec<Value>,
}

#[derive(Deserialize)]
struct Envelope {
    statement: String,
    signature: String,
}

/// What is signed: an in-toto statement.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Statement {
    subject: Vec<Subject>,
    predicate_type: String,
}

#[derive(Deserialize)]
struct Subject {
    name: String,
    digest: Digest,
}

#[derive(Deserialize)]
struct Digest {
    sha256: Option<String>,
}

/// The publisher of a good one, or what is wrong with it.
fn verify_one(
    verifier: &Verifier,
    raw: &Raw,
    about: &About<'_>,
) -> Result<Result<Value, String>, Misplaced> {
    let attestation: Attestation = match serde_json::from_value(Value::Object(raw.clone())) {
        Ok(attestation) => attestation,
        Err(error) => return Ok(Err(error.to_string())),
    };
    if attestation.version != 1 {
        let version = attestation.version;
        return Ok(Err(format!(
            "version {version} of attestations is not known"
        )));
    }
    let statement = BASE64
        .decode(&attestation.envelope.statement)
        .map_err(|error| error.to_string())
        .and_then(|text| {
            serde_json::from_slice::<Statement>(&text).map_err(|error| error.to_string())
        });
    let statement = match statement {
        Ok(statement) => statement,
        Err(error) => return Ok(Err(format!("its statement cannot be read: {error}"))),
    };
    about.must_be(&statement)?;
    if !is_known(&statement.predicate_type) {
        let kind = statement.predicate_type;
        return Ok(Err(format!(
            "statements of the kind `{kind}` are not known"
        )));
    }
    Ok(verify_signature(verifier, attestation, about.sha256))
}

impl About<'_> {
    fn must_be(&self, statement: &Statement) -> Result<(), Misplaced> {
        let [subject] = statement.subject.as_slice() else {
            return Err(Misplaced("an attestation is not about one file".to_owned()));
        };
        let is_digest = |digest: &String| digest.eq_ignore_ascii_case(self.sha256);
        if self.is_named(&subject.name) && subject.digest.sha256.as_ref().is_some_and(is_digest) {
            return Ok(());
        }
        let Self { filename, .. } = self;
        Err(Misplaced(format!("an attestation is not about {filename}")))
    }

    /// Whether a name is that of the file, which tools spell in different ways before they sign.
    fn is_named(&self, name: &str) -> bool {
        let parse = |name| Distribution::parse(name, self.project);
        name == self.filename
            || matches!(
                (parse(name), parse(self.filename)),
                (Some(a), Some(b)) if a.kind == b.kind && version::are_equal(a.version, b.version)
            )
    }
}

/// Kinds of statements that the public index takes too: how a file was built, and that it was published.
fn is_known(predicate_type: &str) -> bool {
    predicate_type == "https://slsa.dev/provenance/v1"
        || predicate_type.ends_with("/attestations/publish/v1")
}

fn verify_signature(
    verifier: &Verifier,
    attestation: Attestation,
    sha256: &str,
) -> Result<Value, String> {
    let Attestation {
        verification_material: material,
        envelope,
        ..
    } = attestation;
    let bundle = json!({
        "mediaType": BUNDLE_TYPE,
        "verificationMaterial": {
            "certificate": {"rawBytes": material.certificate},
            "tlogEntries": material.transparency_entries,
        },
        "dsseEnvelope": {
            "payload": envelope.statement,
            "payloadType": PAYLOAD_TYPE,
            "signatures": [{"sig": envelope.signature}],
        },
    });
    let bundle: Bundle = serde_json::from_value(bundle).map_err(|error| error.to_string())?;
    let sha256 = Sha256Hash::from_hex(sha256).map_err(|error| error.to_string())?;
    let found = verifier
        .verify(sha256, &bundle, &VerificationPolicy::any_identity())
        .map_err(|error| error.to_string())?;
    let certificate = found.certificate().ok_or("it has no certificate")?;
    publisher(certificate).ok_or_else(|| "its certificate does not say who signed".to_owned())
}

/// Who signed, in the words of the public index where it knows their kind, so that clients compare it with whom they expect.
fn publisher(certificate: &CertificateInfo) -> Option<Value> {
    let issuer = certificate.issuer.as_deref()?;
    let identity = certificate.identity.as_ref()?.as_str();
    let claims = &certificate.ci_claims;
    let repository = |host: &str| claims.source_repository_uri.as_deref()?.strip_prefix(host);
    let build = claims.build_config_uri.as_deref().unwrap_or_default();
    let build = build.rsplit_once('@').map_or(build, |(build, _)| build);
    let environment = claims.deployment_environment.as_deref();
    let known = match issuer {
        "https://token.actions.githubusercontent.com" => repository("https://github.com/")
            .zip(build.split_once("/.github/workflows/"))
            .map(|(repository, (_, workflow))| {
                json!({"kind": "GitHub", "repository": repository, "workflow": workflow, "environment": environment})
            }),
        "https://gitlab.com" => repository("https://gitlab.com/")
            .zip(build.strip_prefix("https://").and_then(|build| build.split_once("//")))
            .map(|(repository, (_, file))| {
                json!({"kind": "GitLab", "repository": repository, "workflow_filepath": file, "environment": environment})
            }),
        "https://accounts.google.com" => Some(json!({"kind": "Google", "email": identity})),
        _ => None,
    };
    known.or_else(|| Some(json!({"kind": issuer, "claims": {"subject": identity}})))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use sigstore_verify::trust_root::SIGSTORE_STAGING_TRUSTED_ROOT;

    use super::*;
    use crate::trust::TrustRoot;

    const MODELS: &str =
        include_str!("fixtures/pypi_attestation_models-0.0.4a2.tar.gz.attestation");
    const PUBLISHED: &str =
        include_str!("fixtures/pypi_attestations-0.0.19.tar.gz.publish.attestation");
    const BUILT: &str = include_str!("fixtures/pypi_attestations-0.0.19.tar.gz.slsa.attestation");
    const GITLAB: &str =
        include_str!("fixtures/gitlab_oidc_project-0.0.3.tar.gz.publish.attestation");
    /// Of the instance that Sigstore itself tests with.
    const STAGING: &str =
        include_str!("fixtures/rfc8785-0.1.2-py3-none-any.whl.publish.attestation");

    const ATTESTATIONS: About<'static> = About {
        project: "pypi-attestations",
        filename: "pypi_attestations-0.0.19.tar.gz",
        sha256: "9bb1add04b1b4e182be6b0b80931593f7a291eb49d69b4fd728a5d4cbcdc4bd3",
    };

    fn verify_all(
        root: &TrustRoot,
        texts: &[&str],
        about: &About<'_>,
    ) -> Result<Verified, Misplaced> {
        let list = parse(&format!("[{}]", texts.join(","))).unwrap();
        verify(&root.verifier(), list, about)
    }

    fn changed(text: &str, member: &str, to: Value) -> String {
        let mut attestation: Value = serde_json::from_str(text).unwrap();
        *attestation.pointer_mut(member).unwrap() = to;
        attestation.to_string()
    }

    #[test]
    fn what_is_verified_is_shown_with_who_signed_it() {
        let root = TrustRoot::default();
        let found = verify_all(&root, &[BUILT, PUBLISHED], &ATTESTATIONS).unwrap();
        assert_eq!(found.problems, [""; 0]);
        let shown: Value = serde_json::from_str(&found.provenance.unwrap()).unwrap();
        let expected = json!({"version": 1, "attestation_bundles": [{
            "publisher": {
                "kind": "GitHub",
                "repository": "trailofbits/pypi-attestations",
                "workflow": "release.yml",
                "environment": null,
            },
            "attestations": [
                serde_json::from_str::<Value>(BUILT).unwrap(),
                serde_json::from_str::<Value>(PUBLISHED).unwrap(),
            ],
        }]});
        assert_eq!(shown, expected);
        let about = About {
            project: "gitlab-oidc-project",
            filename: "gitlab_oidc_project-0.0.3.tar.gz",
            sha256: "c1ca9b0d85df1606451098233018534497bf584362e10e4a8c21dfaea92c02a8",
        };
        let found = verify_all(&root, &[GITLAB], &about).unwrap();
        let shown: Value = serde_json::from_str(&found.provenance.unwrap()).unwrap();
        let expected = json!({
            "kind": "GitLab",
            "repository": "facutuesca/gitlab-oidc-project",
            "workflow_filepath": ".gitlab-ci.yml",
            "environment": null,
        });
        assert_eq!(shown["attestation_bundles"][0]["publisher"], expected);
    }

    #[test]
    fn who_counts_is_said_by_the_trust_root() {
        let about = About {
            project: "rfc8785",
            filename: "rfc8785-0.1.2-py3-none-any.whl",
            sha256: "c4e92e9ecc828bef2aa7dba1de8ac983511f7532a0df11c770d39099a25cf201",
        };
        let found = verify_all(&TrustRoot::default(), &[STAGING], &about).unwrap();
        assert_eq!((found.provenance, found.problems.len()), (None, 1));
        let staging: TrustRoot = SIGSTORE_STAGING_TRUSTED_ROOT.parse().unwrap();
        let found = verify_all(&staging, &[STAGING], &about).unwrap();
        assert_eq!(found.problems, [""; 0]);
        assert!(found.provenance.is_some());
    }

    #[test]
    fn what_is_about_another_file_is_refused() {
        let root = TrustRoot::default();
        let digest = "0".repeat(64);
        for about in [
            About {
                sha256: &digest,
                ..ATTESTATIONS
            },
            About {
                filename: "pypi_attestations-0.0.20.tar.gz",
                ..ATTESTATIONS
            },
            About {
                filename: "pypi_attestations-0.0.19-py3-none-any.whl",
                ..ATTESTATIONS
            },
        ] {
            assert!(
                verify_all(&root, &[PUBLISHED], &about).is_err(),
                "{about:?}"
            );
        }
        assert!(verify_all(&root, &[PUBLISHED, MODELS], &ATTESTATIONS).is_err());
        // The same name in the spelling of old tools.
        let about = About {
            filename: "pypi-attestations-0.0.19.tar.gz",
            ..ATTESTATIONS
        };
        assert!(
            verify_all(&root, &[PUBLISHED], &about)
                .unwrap()
                .provenance
                .is_some()
        );
    }

    #[test]
    fn what_cannot_be_verified_is_not_shown() {
        let root = TrustRoot::default();
        let other: Value = serde_json::from_str(BUILT).unwrap();
        let statement = |text: &str| json!(BASE64.encode(text));
        let subject = format!(
            r#"{{"name":"{}","digest":{{"sha256":"{}"}}}}"#,
            ATTESTATIONS.filename, ATTESTATIONS.sha256
        );
        let slsa = format!(
            r#"{{"_type":"https://in-toto.io/Statement/v1","subject":[{subject}],"predicateType":"https://slsa.dev/provenance/v1","predicate":{{}}}}"#
        );
        let unknown = slsa.replace("slsa.dev", "acme.example");
        let entry = |member: &str, to: Value| {
            let member = format!("/verification_material/transparency_entries/0/{member}");
            changed(PUBLISHED, &member, to)
        };
        let (material, envelope) = ("verification_material", "envelope");
        for text in [
            "{}".to_owned(),
            changed(PUBLISHED, "/version", json!(2)),
            changed(PUBLISHED, "/envelope/statement", json!("!")),
            changed(PUBLISHED, "/envelope/statement", statement("{}")),
            changed(PUBLISHED, "/envelope/statement", statement(&slsa)),
            changed(PUBLISHED, "/envelope/statement", statement(&unknown)),
            changed(
                PUBLISHED,
                "/envelope/signature",
                other[envelope]["signature"].clone(),
            ),
            changed(PUBLISHED, "/verification_material", other[material].clone()),
            changed(
                PUBLISHED,
                "/verification_material/certificate",
                json!("AAAA"),
            ),
            changed(
                PUBLISHED,
                "/verification_material/transparency_entries",
                json!([]),
            ),
            entry("inclusionPromise", Value::Null),
            entry("inclusionProof", Value::Null),
            entry("integratedTime", json!("1")),
        ] {
            let found = verify_all(&root, &[&text, BUILT], &ATTESTATIONS).unwrap();
            assert_eq!(found.problems.len(), 1, "{text}");
            let shown: Value = serde_json::from_str(&found.provenance.unwrap()).unwrap();
            let attestations = &shown["attestation_bundles"][0]["attestations"];
            assert_eq!(attestations, &json!([other]), "{text}");
        }
        for text in ["", "{}", "[1]", "null"] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
