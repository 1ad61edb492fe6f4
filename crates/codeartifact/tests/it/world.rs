//! A whole server without its doors: a catalog on `SQLite` in a directory of its own, callers, and calls.
//!
//! Calls are made by member name; where a member travels and what it is called there is looked up in the service model,
//! and every answer is compared with it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;

use aws::page::Sealer;
use aws::query::Form;
use aws::sigv4::{Claim, Credentials, Rules, Signer, body_hash};
use aws::{AccountId, Clock, Fault, Region, Secret, Timestamp};
use bytes::Bytes;
use catalog::{
    Action, Catalog, DomainAt, Limits, PackageId, Parts, Promise, RemoteSettings, RepositoryAt,
    Then,
};
use codeartifact::{Answer, Body, Context, Endpoints, Input, OPERATIONS, Operation, call};
use futures_util::StreamExt as _;
use http::{HeaderMap, HeaderName, HeaderValue, Request};
use iam::{Caller, Iam, MasterKey, Settings, Source};
use serde_json::{Map, Value, json};
use store::{BlobSettings, BlobStore, Database};
use tempfile::TempDir;

use crate::formats::FORMATS;
use crate::model::Model;

/// The account that most tests are in, and its number in ARNs.
pub(crate) const HOME: &str = "111122223333";
/// Another account.
pub(crate) const AWAY: &str = "444455556666";
/// The region in every ARN.
pub(crate) const REGION: &str = "eu-central-1";
/// When a world begins.
pub(crate) const BEGINNING: Timestamp = Timestamp::from_seconds(1_773_500_966);

pub(crate) struct World {
    pub(crate) model: Model,
    pub(crate) catalog: Catalog,
    pub(crate) iam: Iam,
    pub(crate) clock: Clock,
    /// The root of [`HOME`].
    pub(crate) root: Caller,
    /// A user of [`HOME`] who may do everything.
    pub(crate) admin: Caller,
    /// A user of [`HOME`] without any policy.
    pub(crate) nobody: Caller,
    /// A user of [`AWAY`] who may do everything there.
    pub(crate) stranger: Caller,
    /// `Shape.member` of everything that answers had.
    pub(crate) seen: Mutex<BTreeSet<String>>,
    _directory: TempDir,
}

/// What came of a call.
pub(crate) type Outcome = Result<Value, Fault>;

impl World {
    pub(crate) async fn begin() -> Self {
        Self::begin_with(Limits::default()).await
    }

    pub(crate) async fn begin_with(limits: Limits) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str| directory.path().join(name).display().to_string();
        let address = format!("sqlite:{}", path("catalog.db"));
        let database = Database::open(&address.parse().unwrap()).await.unwrap();
        let files = format!("file:{}", path("blobs"));
        let spool = directory.path().join("spool");
        let settings = BlobSettings::default();
        let blobs = BlobStore::open(&files.parse().unwrap(), &settings, &spool)
            .await
            .unwrap();
        let clock = Clock::fixed(BEGINNING);
        let region: Region = REGION.parse().unwrap();
        let master = MasterKey::from_bytes([7; 32]);
        let settings = Settings::new(region, clock.clone());
        let iam = Iam::open(database.clone(), master, settings).await.unwrap();
        let remotes = RemoteSettings::default();
        let parts = Parts {
            database,
            blobs,
            iam: iam.clone(),
            formats: FORMATS,
            remotes,
            limits,
            completes_versions: false,
        };
        let catalog = Catalog::start(parts).await.unwrap();

        let home = iam.create_account(&account(HOME)).await.unwrap();
        let away = iam.create_account(&account(AWAY)).await.unwrap();
        let user = iam
            .create_user(&account(HOME), "/", "nobody")
            .await
            .unwrap();
        let nobody = iam
            .create_access_key(&account(HOME), Some(&user.id))
            .await
            .unwrap();
        Self {
            model: Model::load(),
            root: caller(&iam, &home.root).await,
            admin: caller(&iam, &home.admin).await,
            nobody: caller(&iam, &nobody).await,
            stranger: caller(&iam, &away.admin).await,
            catalog,
            iam,
            clock,
            seen: Mutex::default(),
            _directory: directory,
        }
    }

    /// A user of [`HOME`] with this one policy.
    pub(crate) async fn user(&self, name: &str, policy: &Value) -> Caller {
        let user = self
            .iam
            .create_user(&account(HOME), "/", name)
            .await
            .unwrap();
        self.iam
            .put_inline_policy(&user.id, "only", &policy.to_string())
            .await
            .unwrap();
        let key = self
            .iam
            .create_access_key(&account(HOME), Some(&user.id))
            .await
            .unwrap();
        caller(&self.iam, &key).await
    }

    /// Deletes what [`Self::user`] made; `caller` is its result.
    pub(crate) async fn delete_user(&self, caller: &Caller, name: &str) {
        let key = caller.access_key_id();
        for call in [
            format!("Action=DeleteAccessKey&UserName={name}&AccessKeyId={key}"),
            format!("Action=DeleteUserPolicy&UserName={name}&PolicyName=only"),
            format!("Action=DeleteUser&UserName={name}"),
        ] {
            let form = format!("{call}&Version=2010-05-08");
            let form = Form::parse(form.as_bytes()).unwrap();
            self.iam.call(&self.root, &form, "test").await.unwrap();
        }
    }

    pub(crate) fn context(&self, caller: &Caller) -> Context {
        Context {
            catalog: self.catalog.clone(),
            iam: self.iam.clone(),
            caller: caller.clone(),
            endpoints: Endpoints::new("https://packages.example.com"),
            sealer: Sealer::new(&Secret::new([9; 32])),
        }
    }

    /// Calls an operation as somebody, with these members.
    pub(crate) async fn call_as(&self, caller: &Caller, name: &str, members: Value) -> Outcome {
        let operation = operation(name);
        let input = self.input(name, &members);
        let cx = self.context(caller);
        match call(&cx, operation, input).await {
            Answer::Json(body) => {
                let answer = serde_json::from_slice(&body).unwrap();
                self.model
                    .check_answer(name, &answer, &mut self.seen.lock().unwrap());
                Ok(answer)
            }
            Answer::Asset { asset, headers } => {
                let bytes = asset.bytes(None).await.unwrap();
                let pieces: Vec<Bytes> = bytes.map(|piece| piece.unwrap()).collect().await;
                let mut answer = Map::new();
                for (name, value) in &headers {
                    let text = String::from_utf8(value.as_bytes().to_vec()).unwrap();
                    answer.insert(name.to_string(), json!(text));
                }
                answer.insert(
                    "bytes".to_owned(),
                    json!(String::from_utf8_lossy(&pieces.concat())),
                );
                Ok(Value::Object(answer))
            }
            Answer::Fault(fault) => {
                self.check_fault(name, &fault);
                Err(fault)
            }
        }
    }

    /// Calls an operation as the administrator.
    pub(crate) async fn call(&self, name: &str, members: Value) -> Outcome {
        self.call_as(&self.admin, name, members).await
    }

    /// The same, where it must succeed.
    pub(crate) async fn ok(&self, name: &str, members: Value) -> Value {
        match self.call(name, members.clone()).await {
            Ok(answer) => answer,
            Err(fault) => panic!("{name} {members}: {fault}"),
        }
    }

    /// The same, where it must fail: the exception's name and its text.
    pub(crate) async fn refused(&self, name: &str, members: Value) -> (String, String) {
        match self.call(name, members.clone()).await {
            Ok(answer) => panic!("{name} {members}: {answer}"),
            Err(fault) => (fault.code.into_owned(), fault.message),
        }
    }

    /// A fault that the model knows, with its status.
    fn check_fault(&self, name: &str, fault: &Fault) {
        let errors = self.model.operations()[name]["errors"].as_array().unwrap();
        let is_it = |error: &&Value| error[0] == fault.code.as_ref();
        let known = errors
            .iter()
            .find(is_it)
            .unwrap_or_else(|| panic!("{name}: {fault}"));
        assert_eq!(known[1], fault.status.as_u16(), "{name}: {fault}");
    }

    /// The request that carries these members.
    pub(crate) fn input(&self, name: &str, members: &Value) -> Input {
        let members = members.as_object().unwrap();
        let mut query = Vec::new();
        let mut headers = HeaderMap::new();
        let mut body = Map::new();
        let mut payload = None;
        let mut places = BTreeMap::new();
        for member in self.model.inputs(name) {
            places.insert(member.name.clone(), member);
        }
        for (name, value) in members {
            let member = places
                .get(name)
                .unwrap_or_else(|| panic!("no input member {name}"));
            let text = match value {
                Value::String(text) => text.clone(),
                other => other.to_string(),
            };
            match member.place.as_str() {
                "query" => query.push((member.wire.clone(), text)),
                "header" => {
                    let header: HeaderName = member.wire.parse().unwrap();
                    headers.insert(header, HeaderValue::from_str(&text).unwrap());
                }
                "body" => drop(body.insert(name.clone(), value.clone())),
                "payload" => payload = Some(Bytes::from(text)),
                other => panic!("{name} is in {other}"),
            }
        }
        let body = if let Some(bytes) = payload {
            let pieces: Vec<_> = bytes
                .chunks(3)
                .map(|piece| Ok(Bytes::copy_from_slice(piece)))
                .collect();
            Body::Stream(Box::pin(futures_util::stream::iter(pieces)))
        } else if body.is_empty() {
            Body::Whole(Bytes::new())
        } else {
            Body::Whole(Value::Object(body).to_string().into())
        };
        Input {
            query,
            headers,
            body,
        }
    }

    /// Publishes a generic asset with the digest that it has.
    pub(crate) async fn publish(&self, members: Value, content: &str) -> Outcome {
        let mut members = members;
        members["assetContent"] = json!(content);
        members["assetSHA256"] = json!(body_hash(content.as_bytes()));
        self.call("PublishPackageVersion", members).await
    }
}

impl World {
    /// Publishes a version of format `maven` with this description of itself, as its own protocol would.
    pub(crate) async fn publish_described(&self, name: &str, version: &str, manifest: &Value) {
        let domain = DomainAt {
            owner: account(HOME),
            name: "my-domain".parse().unwrap(),
        };
        let at = RepositoryAt {
            domain,
            name: "my-repository".parse().unwrap(),
        };
        let id = PackageId {
            format: "maven".parse().unwrap(),
            namespace: Some("com.acme".parse().unwrap()),
            name: name.parse().unwrap(),
        };
        let action = Action::PublishPackageVersion;
        let package = self
            .catalog
            .package(&self.admin, action, &at, &id)
            .await
            .unwrap();
        let mut publication = package.publish(&version.parse().unwrap()).await.unwrap();
        let bytes = Bytes::from(manifest.to_string());
        let body = futures_util::stream::iter([Ok(bytes)]);
        let asset = "described.json".parse().unwrap();
        publication
            .add(asset, body, &Promise::default())
            .await
            .unwrap();
        publication.commit(Then::Publish).await.unwrap();
    }

    /// `my-domain` with `my-repository`.
    pub(crate) async fn with_repository(self) -> Self {
        self.ok("CreateDomain", json!({"domain": "my-domain"}))
            .await;
        self.ok("CreateRepository", repository("my-repository"))
            .await;
        self
    }

    /// Every entry of a list, by following the tokens of pages of this size.
    pub(crate) async fn pages(
        &self,
        name: &str,
        members: &Value,
        entries: &str,
        size: Option<u32>,
    ) -> Vec<Value> {
        let mut found = Vec::new();
        let mut members = members.clone();
        if let Some(size) = size {
            members["maxResults"] = json!(size);
        }
        loop {
            let mut answer = self.ok(name, members.clone()).await;
            found.append(answer[entries].as_array_mut().unwrap());
            match answer["nextToken"].take() {
                Value::Null => return found,
                token => {
                    assert_ne!(members["nextToken"], token, "the same token twice");
                    members["nextToken"] = token;
                }
            }
        }
    }
}

/// The members that name a repository of `my-domain`.
pub(crate) fn repository(name: &str) -> Value {
    json!({"domain": "my-domain", "repository": name})
}

/// The members that name a version of a generic package of `my-repository`.
pub(crate) fn version(package: &str, version: &str) -> Value {
    let names = json!({
        "format": "generic", "namespace": "tools", "package": package, "packageVersion": version
    });
    with(&repository("my-repository"), &names)
}

pub(crate) fn account(number: &str) -> AccountId {
    number.parse().unwrap()
}

pub(crate) fn operation(name: &str) -> &'static Operation {
    OPERATIONS
        .iter()
        .find(|operation| operation.name == name)
        .unwrap()
}

/// Several objects of members as one.
pub(crate) fn with(base: &Value, more: &Value) -> Value {
    let mut members = base.clone();
    for (name, value) in more.as_object().unwrap() {
        members[name] = value.clone();
    }
    members
}

/// Whoever holds this key: there is no other way to be a caller than to sign.
async fn caller(iam: &Iam, credentials: &Credentials) -> Caller {
    let region: Region = REGION.parse().unwrap();
    let request = Request::get("https://packages.example.com/v1/domain")
        .body(())
        .unwrap();
    let mut parts = request.into_parts().0;
    parts
        .headers
        .insert("host", HeaderValue::from_static("packages.example.com"));
    let hash = body_hash(b"");
    let now = iam.clock().now();
    let signer = Signer {
        credentials,
        region: &region,
        service: "codeartifact",
    };
    signer.sign(&mut parts, &hash, now).unwrap();
    let rules = Rules::new("codeartifact", None);
    let claim = Claim::read(&parts, &rules, now).unwrap();
    iam.by_signature(&claim, &hash, Source::default())
        .await
        .unwrap()
}
