//! The authorization cases of `vectors/identity-policy-vectors.json`, ready to be decided.

use std::collections::BTreeMap;
use std::sync::Arc;

use iam::policy::{
    Ask, Context, Decision, Policies, Policy, PolicySource, Principal, ResourcePolicies, evaluate,
};
use serde::Deserialize;
use serde_json::Value;

/// The whole file.
#[derive(Deserialize)]
pub(crate) struct Vectors {
    principals: BTreeMap<String, Caller>,
    pub(crate) cases: Vec<Case>,
}

#[derive(Deserialize)]
pub(crate) struct Caller {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    account: String,
    #[serde(default)]
    arn: String,
    #[serde(default)]
    role_arn: String,
    #[serde(default)]
    role_id: String,
    #[serde(default)]
    unique_id: String,
    #[serde(default)]
    provider: String,
    #[serde(default)]
    name: String,
    context: BTreeMap<String, Value>,
}

/// One case. A law changes a copy of it and decides again.
#[derive(Debug, Deserialize, Clone)]
pub(crate) struct Case {
    pub(crate) id: String,
    pub(crate) name: String,
    principal: String,
    action: String,
    resource: String,
    resource_owner: String,
    repository_administrator: Option<String>,
    requires: Option<String>,
    pub(crate) identity_policies: Vec<Value>,
    pub(crate) permissions_boundary: Option<Value>,
    pub(crate) session_policies: Option<Vec<Value>>,
    #[serde(default)]
    pub(crate) resource_policies: BTreeMap<String, Value>,
    #[serde(default)]
    context: BTreeMap<String, Value>,
    pub(crate) expect: Expected,
}

#[derive(Debug, Deserialize, Clone)]
pub(crate) struct Expected {
    pub(crate) decision: String,
    pub(crate) reason: String,
    pub(crate) message: Option<String>,
}

/// The policies of a case, compiled.
pub(crate) struct Compiled {
    identity: Vec<Arc<Policy>>,
    boundary: Option<Policy>,
    session: Option<Vec<Arc<Policy>>>,
    resource: BTreeMap<String, Policy>,
}

impl Vectors {
    pub(crate) fn read() -> Self {
        serde_json::from_str(include_str!("../vectors/identity-policy-vectors.json")).unwrap()
    }

    pub(crate) fn caller(&self, case: &Case) -> &Caller {
        &self.principals[&case.principal]
    }

    pub(crate) fn decide(&self, case: &Case) -> (Decision, Option<String>) {
        let context = self.context(case, |_| true);
        case.decide(self.caller(case), &case.compile(), &context)
    }

    /// The context of a case, as far as it is wanted.
    pub(crate) fn context(&self, case: &Case, wanted: impl Fn(&str) -> bool) -> Context {
        let set = |context: &mut Context, entries: &BTreeMap<String, Value>| {
            for (key, value) in entries.iter().filter(|(key, _)| wanted(key)) {
                match value {
                    Value::Array(values) => {
                        context.set_list(key, values.iter().map(|value| value.as_str().unwrap()));
                    }
                    value => context.set(key, value.as_str().unwrap()),
                }
            }
        };
        let mut base = Context::new();
        set(&mut base, &self.caller(case).context);
        let mut context = Context::over(Arc::new(base));
        set(&mut context, &case.context);
        context
    }

    /// All context keys that occur anywhere.
    pub(crate) fn all_keys(&self) -> impl Iterator<Item = &String> {
        let of_callers = self
            .principals
            .values()
            .flat_map(|caller| caller.context.keys());
        of_callers.chain(self.cases.iter().flat_map(|case| case.context.keys()))
    }
}

impl Caller {
    fn principal(&self) -> Principal<'_> {
        let Self {
            account,
            arn,
            role_arn,
            role_id,
            unique_id,
            provider,
            name,
            ..
        } = self;
        match self.kind.as_str() {
            "root" => Principal::Root { account, arn },
            "user" => Principal::User {
                account,
                arn,
                unique_id,
            },
            "role-session" => Principal::RoleSession {
                account,
                arn,
                role_arn,
                role_id,
            },
            "web-identity" => Principal::WebIdentity { provider },
            "service" => Principal::Service { name },
            "anonymous" => Principal::Anonymous,
            other => panic!("unknown principal type {other}"),
        }
    }
}

fn compile(document: &Value) -> Policy {
    Policy::parse(&document.to_string(), PolicySource::named("case")).unwrap()
}

fn compile_all(documents: &[Value]) -> Vec<Arc<Policy>> {
    documents
        .iter()
        .map(|document| Arc::new(compile(document)))
        .collect()
}

impl Case {
    pub(crate) fn compile(&self) -> Compiled {
        Compiled {
            identity: compile_all(&self.identity_policies),
            boundary: self.permissions_boundary.as_ref().map(compile),
            session: self.session_policies.as_deref().map(compile_all),
            resource: self
                .resource_policies
                .iter()
                .map(|(kind, policy)| (kind.clone(), compile(policy)))
                .collect(),
        }
    }

    pub(crate) fn decide(
        &self,
        caller: &Caller,
        policies: &Compiled,
        context: &Context,
    ) -> (Decision, Option<String>) {
        let ask = Ask {
            principal: caller.principal(),
            action: &self.action,
            resource: &self.resource,
            also: None,
            resource_owner: &self.resource_owner,
            repository_administrator: self.repository_administrator.as_deref(),
            context,
            strict_root: self.requires.as_deref() == Some("strict_root"),
        };
        let policies = Policies {
            identity: &policies.identity,
            boundary: policies.boundary.as_ref(),
            session: policies.session.as_deref(),
            resource: ResourcePolicies {
                domain: policies.resource.get("domain"),
                repository: policies.resource.get("repository"),
                role_trust: policies.resource.get("role_trust"),
            },
        };
        let decision = evaluate(&ask, &policies);
        let message = decision.message(&ask);
        (decision, message)
    }

    /// All policy documents of the case, to be changed.
    pub(crate) fn documents_mut(&mut self) -> impl Iterator<Item = &mut Value> {
        self.identity_policies
            .iter_mut()
            .chain(&mut self.permissions_boundary)
            .chain(self.session_policies.iter_mut().flatten())
            .chain(self.resource_policies.values_mut())
    }
}

impl Compiled {
    /// Whether one of the policies says that it may read the key.
    pub(crate) fn mention(&self, key: &str) -> bool {
        let key = key.to_lowercase();
        self.identity
            .iter()
            .chain(self.session.iter().flatten())
            .map(|policy| &**policy)
            .chain(&self.boundary)
            .chain(self.resource.values())
            .any(|policy| policy.context_keys().contains(&key))
    }
}
