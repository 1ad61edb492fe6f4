//! A catalog with both formats, somebody who may do everything, and requests as a door would hand them on.

use std::time::Duration;

use aws::sigv4::{Claim, Credentials, EMPTY_HASH, Rules, Signer};
use aws::{AccountId, Clock, Region, Timestamp};
use bytes::Bytes;
use catalog::{
    Catalog, DomainAt, Limits, NewRepository, OpenRepository, Parts, RemoteSettings, RepositoryAt,
};
use formats::{Base, Body, Protocol, Protocols, full};
use http::header::ACCEPT;
use http::{HeaderMap, Request, StatusCode};
use http_body_util::BodyExt as _;
use iam::{Caller, Iam, MasterKey, Settings, Source};
use store::{BlobSettings, BlobStore, Database};

use crate::registry::Registry;

pub(crate) const CONNECTION: &str = "public:maven-central";

pub(crate) struct World {
    pub(crate) catalog: Catalog,
    pub(crate) clock: Clock,
    pub(crate) admin: Caller,
    /// Somebody else who may do everything.
    pub(crate) root: Caller,
    pub(crate) nobody: Caller,
    pub(crate) registry: Registry,
    protocols: Protocols,
    _directory: tempfile::TempDir,
}

/// What a client got.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    /// What stands after the status, if that is not the usual.
    pub(crate) reason: String,
}

impl Answer {
    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.body.to_vec()).unwrap()
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().unwrap())
    }
}

impl World {
    /// With an empty repository `app`.
    pub(crate) async fn new() -> Self {
        Self::with(formats::Rules::default()).await
    }

    /// The same, where formats have other rules.
    pub(crate) async fn with(rules: formats::Rules) -> Self {
        let protocols = Protocols::new(rules);
        let directory = tempfile::tempdir().unwrap();
        let clock = Clock::fixed(Timestamp::parse_iso8601("2026-11-22T19:41:27Z").unwrap());
        let database = format!("sqlite:{}", directory.path().join("db.sqlite").display());
        let database = Database::open(&database.parse().unwrap()).await.unwrap();
        let blobs = format!("file:{}", directory.path().join("blobs").display());
        let blobs = BlobStore::open(
            &blobs.parse().unwrap(),
            &BlobSettings::default(),
            &directory.path().join("spool"),
        )
        .await
        .unwrap();
        let region: Region = "us-east-1".parse().unwrap();
        let iam = Iam::open(
            database.clone(),
            MasterKey::from_bytes([7; 32]),
            Settings::new(region, clock.clone()),
        )
        .await
        .unwrap();
        let account: AccountId = "111122223333".parse().unwrap();
        let keys = iam.first_start(&account).await.unwrap().unwrap();
        let user = iam.create_user(&account, "/", "nobody").await.unwrap();
        let nobody = iam
            .create_access_key(&account, Some(&user.id))
            .await
            .unwrap();
        let registry = Registry::start().await;
        let remotes = RemoteSettings {
            addresses: [CONNECTION, "public:npmjs", "public:pypi"]
                .map(|name| (name.parse().unwrap(), registry.url().parse().unwrap()))
                .into(),
            first_byte_timeout: Duration::from_secs(2),
            back_off: Duration::ZERO,
            ..RemoteSettings::default()
        };
        let parts = Parts {
            database,
            blobs,
            iam: iam.clone(),
            formats: protocols.formats(),
            remotes,
            completes_versions: false,
            limits: Limits {
                asset_size_bytes: 16 << 20,
                assets_per_version: 8,
                ..Limits::default()
            },
        };
        let catalog = Catalog::start(parts).await.unwrap();
        let admin = caller(&iam, &keys.admin).await;
        let root = caller(&iam, &keys.root).await;
        let nobody = caller(&iam, &nobody).await;
        let world = Self {
            catalog,
            clock,
            admin,
            root,
            nobody,
            registry,
            protocols,
            _directory: directory,
        };
        world
            .catalog
            .create_domain(
                &world.admin,
                &"acme".parse().unwrap(),
                "arn:aws:kms:k".to_owned(),
                Vec::new(),
            )
            .await
            .unwrap();
        world.repository("app", &[]).await;
        world
    }

    pub(crate) fn repository_at(&self, name: &str) -> RepositoryAt {
        RepositoryAt {
            domain: self.at(),
            name: name.parse().unwrap(),
        }
    }

    fn at(&self) -> DomainAt {
        let _ = self;
        DomainAt {
            owner: "111122223333".parse().unwrap(),
            name: "acme".parse().unwrap(),
        }
    }

    /// A repository with these upstreams.
    pub(crate) async fn repository(&self, name: &str, upstreams: &[&str]) {
        let new = NewRepository {
            name: name.parse().unwrap(),
            description: None,
            upstreams: upstreams.iter().map(|name| name.parse().unwrap()).collect(),
            tags: Vec::new(),
        };
        self.catalog
            .create_repository(&self.admin, &self.at(), new)
            .await
            .unwrap();
    }

    /// A repository connected to the public registry.
    pub(crate) async fn connected(&self, name: &str) {
        self.connected_to(name, CONNECTION).await;
    }

    /// A repository connected to a public registry.
    pub(crate) async fn connected_to(&self, name: &str, connection: &str) {
        self.repository(name, &[]).await;
        let permit = self
            .catalog
            .repository(
                &self.admin,
                catalog::Action::AssociateExternalConnection,
                &self.repository_at(name),
            )
            .await
            .unwrap();
        permit.connect(&connection.parse().unwrap()).await.unwrap();
    }

    /// Takes a repository's connection away.
    pub(crate) async fn disconnected_from(&self, name: &str, connection: &str) {
        let action = catalog::Action::DisassociateExternalConnection;
        let at = self.repository_at(name);
        let permit = self.catalog.repository(&self.admin, action, &at).await;
        let permit = permit.unwrap();
        permit
            .disconnect(&connection.parse().unwrap())
            .await
            .unwrap();
    }

    pub(crate) async fn open(
        &self,
        caller: &Caller,
        repository: &str,
        format: &str,
    ) -> OpenRepository {
        let format = format.parse().unwrap();
        self.catalog
            .open(caller, &self.repository_at(repository), &format)
            .await
            .unwrap()
    }

    /// Sends a request of `who` as a door would. `line` is `GET maven/app/com/acme/…`.
    pub(crate) async fn ask_as(
        &self,
        who: &Caller,
        line: &str,
        headers: &[(&str, &str)],
        body: impl Into<Bytes>,
    ) -> Answer {
        let (method, rest) = line.split_once(' ').unwrap();
        let (format, rest) = rest.split_once('/').unwrap();
        let (repository, path) = rest.split_once('/').unwrap();
        let protocol = self.protocols.named(format).unwrap();
        self.send(
            protocol,
            who,
            &format!("{method} {repository}/{path}"),
            headers,
            body,
        )
        .await
    }

    /// The same to a protocol that need not be in the list. `line` is `GET app/com/acme/…`.
    pub(crate) async fn send(
        &self,
        protocol: &dyn Protocol,
        who: &Caller,
        line: &str,
        headers: &[(&str, &str)],
        body: impl Into<Bytes>,
    ) -> Answer {
        let (method, rest) = line.split_once(' ').unwrap();
        let (repository, path) = rest.split_once('/').unwrap();
        let base = format!(
            "http://packages.test/d/acme-111122223333/{}/{repository}/",
            protocol.name()
        );
        let repository = self.open(who, repository, protocol.name().as_str()).await;
        let mut request = Request::builder().method(method).uri(format!("/{path}"));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let mut request = request.body(full(body)).unwrap();
        request.extensions_mut().insert(Base(base.into()));
        let accept = request.headers().get(ACCEPT).cloned();
        let answer = match protocol.serve(request, &repository).await {
            Ok(answer) => answer,
            Err(error) => protocol.refuse(&error, accept.as_ref()),
        };
        let (parts, body): (_, Body) = answer.into_parts();
        Answer {
            status: parts.status,
            headers: parts.headers,
            reason: parts
                .extensions
                .get::<formats::Reason>()
                .map(|reason| reason.as_str().to_owned())
                .unwrap_or_default(),
            body: body.collect().await.unwrap().to_bytes(),
        }
    }

    pub(crate) async fn ask(
        &self,
        line: &str,
        headers: &[(&str, &str)],
        body: impl Into<Bytes>,
    ) -> Answer {
        self.ask_as(&self.admin, line, headers, body).await
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.ask(&format!("GET {path}"), &[], "").await
    }

    pub(crate) async fn put(&self, path: &str, body: impl Into<Bytes>) -> u16 {
        let answer = self.ask(&format!("PUT {path}"), &[], body).await;
        answer.status.as_u16()
    }

    /// `version status`, of what a repository itself records.
    pub(crate) async fn recorded(
        &self,
        repository: &str,
        namespace: &str,
        name: &str,
    ) -> Vec<String> {
        let open = self.open(&self.admin, repository, "maven").await;
        let package = self
            .protocols
            .named("maven")
            .unwrap()
            .package(Some(namespace), name, false)
            .unwrap();
        let versions = open.versions(&package).await.unwrap();
        versions
            .iter()
            .map(|row| format!("{} {}", row.version, row.status))
            .collect()
    }

    /// The files that a repository itself records of a version.
    pub(crate) async fn files(
        &self,
        repository: &str,
        namespace: &str,
        name: &str,
        version: &str,
    ) -> Vec<String> {
        let open = self.open(&self.admin, repository, "maven").await;
        let package = self
            .protocols
            .named("maven")
            .unwrap()
            .package(Some(namespace), name, false)
            .unwrap();
        let id = package.version(version.parse().unwrap());
        let files = open.assets(&id).await.unwrap();
        files.iter().map(|file| file.name.to_string()).collect()
    }
}

/// Who signs with these keys.
async fn caller(iam: &Iam, keys: &Credentials) -> Caller {
    let request = Request::get("/v1/domains").header("host", "localhost");
    let (mut parts, ()) = request.body(()).unwrap().into_parts();
    let now = iam.clock().now();
    let signer = Signer {
        credentials: keys,
        region: iam.region(),
        service: "codeartifact",
    };
    signer.sign(&mut parts, EMPTY_HASH, now).unwrap();
    let claim = Claim::read(&parts, &Rules::new("codeartifact", None), now).unwrap();
    let source = Source {
        ip: None,
        secure_transport: false,
    };
    iam.by_signature(&claim, EMPTY_HASH, source).await.unwrap()
}
