//! A policy made ready to be asked.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::condition::Condition;
use super::context::Context;
use super::document::{Clause, Document, Effect, Listed, Span, Version, spans};
use super::malformed::Malformed;
use super::pattern::{ArnParts, ArnPattern, Pattern};
use super::principal::{Named, Naming, Principal};

/// Where a policy comes from, for records and simulations.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicySource {
    /// The name of the policy; for a policy without one, what it is (`role-trust`, `domain`).
    pub name: String,
    /// The ARN of a managed policy.
    pub arn: Option<String>,
}

impl PolicySource {
    /// The source of a policy that has a name and no ARN.
    pub fn named(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            arn: None,
        }
    }
}

/// A policy, compiled once when it is stored or loaded.
#[derive(Debug)]
pub struct Policy {
    text: Box<str>,
    source: Arc<PolicySource>,
    statements: Vec<Statement>,
    context_keys: BTreeSet<String>,
}

impl Policy {
    /// Compiles a text of any kind of policy. Checks its shape, not whether some API may store it:
    /// that is [`validate`](super::validate), which every text from outside passes first.
    ///
    /// Errors: texts that cannot be understood, and `NotPrincipal` with `Allow`, which would grant
    /// to the world.
    pub fn parse(text: &str, source: PolicySource) -> Result<Self, Malformed> {
        Self::compile(Document::read(text)?, text, source)
    }

    pub(super) fn compile(
        document: Document,
        text: &str,
        source: PolicySource,
    ) -> Result<Self, Malformed> {
        let variables = document.version == Version::Current;
        let spans = spans(text);
        let statements = document
            .statements
            .into_iter()
            .zip(spans)
            .map(|(clause, span)| Statement::read(clause, span, variables))
            .collect::<Result<Vec<_>, _>>()?;
        let context_keys = statements
            .iter()
            .flat_map(Statement::keys)
            .map(str::to_owned)
            .collect();
        Ok(Self {
            text: text.into(),
            source: Arc::new(source),
            statements,
            context_keys,
        })
    }

    /// The text as it was stored.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Where it comes from.
    pub fn source(&self) -> &Arc<PolicySource> {
        &self.source
    }

    /// The condition keys it may read, in lower case. A decision depends on no other part of the
    /// context.
    pub fn context_keys(&self) -> &BTreeSet<String> {
        &self.context_keys
    }

    /// Whether its answer may change with the hour.
    pub fn mentions_time(&self) -> bool {
        ["aws:currenttime", "aws:epochtime"]
            .iter()
            .any(|key| self.context_keys.contains(*key))
    }

    pub(super) fn statements(&self) -> &[Statement] {
        &self.statements
    }
}

/// One statement.
#[derive(Debug)]
pub(super) struct Statement {
    pub(super) sid: Option<Arc<str>>,
    pub(super) span: Span,
    pub(super) effect: Effect,
    principal: Option<Named>,
    actions: Option<Listed<Vec<Pattern>>>,
    resources: Option<Listed<Vec<Resource>>>,
    conditions: Vec<Condition>,
}

/// One entry of `Resource`.
#[derive(Debug)]
enum Resource {
    /// `*`, which alone matches actions that have no resource.
    Everything,
    Arn(ArnPattern),
}

/// What is asked for, prepared once for all statements.
#[derive(Debug)]
pub(super) struct Subject<'a> {
    /// In lower case.
    pub(super) action: &'a str,
    pub(super) resource: Asked<'a>,
    /// Another name of the same resource.
    pub(super) also: Option<Asked<'a>>,
    pub(super) context: &'a Context,
}

/// A resource that is asked for; `None` for the `*` of actions without one.
pub(super) type Asked<'a> = Option<ArnParts<'a>>;

impl Statement {
    fn read(clause: Clause, span: Span, variables: bool) -> Result<Self, Malformed> {
        let principal = clause.principal.map(Named::read);
        if clause.effect == Effect::Allow && principal.as_ref().is_some_and(Named::is_negated) {
            return Err(Malformed::document(
                "NotPrincipal cannot be used with Effect Allow.",
            ));
        }
        let actions = clause.action.map(|Listed { negated, values }| Listed {
            negated,
            values: values
                .iter()
                .map(|action| Pattern::action(action))
                .collect(),
        });
        let resources = match clause.resource {
            None => None,
            Some(Listed { negated, values }) => {
                let values = values
                    .iter()
                    .map(|value| Resource::read(value, variables))
                    .collect::<Result<_, _>>()?;
                Some(Listed { negated, values })
            }
        };
        let conditions = clause.conditions.iter();
        Ok(Self {
            sid: clause.sid.filter(|sid| !sid.is_empty()).map(Into::into),
            span,
            effect: clause.effect,
            principal,
            actions,
            resources,
            conditions: conditions
                .map(|found| Condition::read(&found.operator, &found.key, &found.values, variables))
                .collect::<Result<_, _>>()?,
        })
    }

    fn keys(&self) -> impl Iterator<Item = &str> {
        let resources = self.resources.iter().flat_map(|listed| &listed.values);
        resources
            .flat_map(Resource::keys)
            .chain(self.conditions.iter().flat_map(Condition::keys))
    }

    /// Whether and how closely it names the caller; a statement without a principal names nobody.
    pub(super) fn naming(&self, caller: &Principal<'_>) -> Option<Naming> {
        self.principal.as_ref()?.naming(caller)
    }

    /// Whether it speaks about what is asked for, and its conditions hold.
    pub(super) fn applies(&self, subject: &Subject<'_>) -> bool {
        self.covers_action(subject)
            && self.covers_resource(subject)
            && self
                .conditions
                .iter()
                .all(|condition| condition.holds(subject.context))
    }

    fn covers_action(&self, subject: &Subject<'_>) -> bool {
        self.actions.as_ref().is_some_and(|listed| {
            listed
                .values
                .iter()
                .any(|pattern| pattern.matches(subject.action, subject.context))
                != listed.negated
        })
    }

    /// Without the element, as in trust policies, the statement speaks about whatever it is
    /// attached to.
    fn covers_resource(&self, subject: &Subject<'_>) -> bool {
        let Some(listed) = &self.resources else {
            return true;
        };
        let covers = |asked: &Asked<'_>| {
            listed
                .values
                .iter()
                .any(|resource| resource.matches(asked, subject.context))
                != listed.negated
        };
        covers(&subject.resource) || subject.also.as_ref().is_some_and(covers)
    }
}

impl Resource {
    fn read(text: &str, variables: bool) -> Result<Self, Malformed> {
        if text == "*" {
            return Ok(Self::Everything);
        }
        ArnPattern::resource(text, variables).map(Self::Arn)
    }

    fn matches(&self, asked: &Asked<'_>, context: &Context) -> bool {
        match (self, asked) {
            (Self::Everything, _) => true,
            (Self::Arn(_), None) => false,
            (Self::Arn(pattern), Some(arn)) => pattern.matches(arn, context),
        }
    }

    fn keys(&self) -> impl Iterator<Item = &str> {
        let variables = match self {
            Self::Everything => None,
            Self::Arn(pattern) => Some(pattern.variables()),
        };
        variables
            .into_iter()
            .flatten()
            .map(|variable| variable.key.as_str())
    }
}
