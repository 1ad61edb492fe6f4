//! Who is asking: made by authentication alone, so that having one is the proof.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use aws::{AccountId, Timestamp};

use crate::identity::Identity;
use crate::tokens::Bearer;

/// An authenticated caller and the circumstances of this one request; cheap to clone.
///
/// Holds no permissions: they are looked up when it asks for something.
#[derive(Clone)]
pub struct Caller(Arc<Request>);

struct Request {
    identity: Arc<Identity>,
    bearer: Option<Bearer>,
    source: Source,
}

/// Where a request came from, as the door saw it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Source {
    /// The peer, or what a trusted proxy says of it (`aws:SourceIp`).
    pub ip: Option<IpAddr>,
    /// Whether it came over TLS, here or at a trusted proxy (`aws:SecureTransport`).
    pub secure_transport: bool,
}

/// What kind of caller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Principal {
    /// The root of the account.
    Root,
    /// A user.
    User {
        /// `AIDA…`.
        id: String,
        /// As created.
        name: String,
        /// `/` or `/…/`.
        path: String,
    },
    /// Somebody who has taken a role: a person, a job, a machine.
    Session {
        /// `AROA…`.
        role_id: String,
        /// As created.
        role_name: String,
        /// `/` or `/…/`; not part of the session's ARN.
        role_path: String,
        /// What the taker called it.
        session_name: String,
    },
}

impl Caller {
    pub(crate) fn new(identity: Arc<Identity>, bearer: Option<Bearer>, source: Source) -> Self {
        Self(Arc::new(Request {
            identity,
            bearer,
            source,
        }))
    }

    /// The caller's account, not that of what it acts on.
    pub fn account(&self) -> &AccountId {
        &self.0.identity.holder.account
    }

    /// `arn:aws:iam::A:root`, `arn:aws:iam::A:user/PATH/name` or `arn:aws:sts::A:assumed-role/ROLE/SESSION`.
    pub fn arn(&self) -> &str {
        &self.0.identity.arn
    }

    /// `aws:userid`: the account's number, `AIDA…`, or `AROA…:session`.
    pub fn user_id(&self) -> &str {
        &self.0.identity.user_id
    }

    /// Its kind and names.
    pub fn principal(&self) -> &Principal {
        &self.0.identity.principal
    }

    /// Whether it is the root of its account.
    pub fn is_root(&self) -> bool {
        matches!(self.principal(), Principal::Root)
    }

    /// The access key that signed the request, or the name under which the audit log shows its bearer token (`ABIA…`).
    pub fn access_key_id(&self) -> String {
        match &self.0.bearer {
            Some(bearer) => bearer.token.bearer_id(),
            None => self.0.identity.access_key_id(),
        }
    }

    /// When temporary credentials or a bearer token end; `None` for a long-term key.
    pub fn expires(&self) -> Option<Timestamp> {
        match (&self.0.bearer, &self.0.identity.session) {
            (Some(bearer), _) => Some(Timestamp::from_seconds(bearer.expires.into())),
            (None, Some(session)) => Some(session.expires),
            (None, None) => None,
        }
    }

    /// When the session behind temporary credentials or a token began; `None` for a long-term key.
    pub fn issued(&self) -> Option<Timestamp> {
        let session = self.0.identity.session.as_ref()?;
        Some(session.issued)
    }

    /// What the taker of the role said about who is behind it (`aws:SourceIdentity`).
    pub fn source_identity(&self) -> Option<&str> {
        self.0.identity.session.as_ref()?.source_identity.as_deref()
    }

    /// The provider that vouched for whoever took the role.
    pub fn federated_provider(&self) -> Option<&str> {
        let session = self.0.identity.session.as_ref()?;
        session.federated_provider.as_deref()
    }

    /// The only domain that it may touch, for a bearer token; `None` for a signature.
    pub fn domain_number(&self) -> Option<u64> {
        self.0.bearer.map(|bearer| bearer.domain)
    }

    /// The ARN of the machine whose agent fetched the session, if it was one: `ec2:SourceInstanceARN`.
    pub fn source_instance(&self) -> Option<&str> {
        let session = self.0.identity.session.as_deref()?;
        session.source_instance.as_deref()
    }

    /// Where the request came from.
    pub fn source(&self) -> &Source {
        &self.0.source
    }

    pub(crate) fn identity(&self) -> &Arc<Identity> {
        &self.0.identity
    }
}

impl fmt::Debug for Caller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Caller")
            .field("arn", &self.arn())
            .field("source", self.source())
            .finish_non_exhaustive()
    }
}
