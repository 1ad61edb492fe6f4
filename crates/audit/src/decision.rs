//! "Why was I denied?": refusals with what they rest on, found again by their id or by that of their request.

use aws::{AccountId, Timestamp};
use iam::policy::{PolicyType, Reason};
use iam::{Evaluation, Ground};
use serde::{Deserialize, Serialize};
use store::{Database, Tx, Value};

use crate::Error;
use crate::draft::{Draft, Who};
use crate::table::read;

/// A refusal as it is kept and shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Explained {
    /// The id that the client was told.
    pub id: String,
    /// When, `2026-03-14T15:09:26Z`.
    pub time: String,
    /// The request's id, as the client was told too.
    pub request_id: String,
    /// The id of its record.
    pub event_id: String,
    /// Who was refused: an ARN; `SUBJECT of PROVIDER-ARN` for a web identity; the name of a service.
    pub principal: String,
    /// Its account; the role's for those who have none.
    pub account: AccountId,
    /// The account of what was asked for.
    pub resource_account: AccountId,
    /// `codeartifact:ReadFromRepository`.
    pub action: String,
    /// An ARN, or `*`.
    pub resource: String,
    /// `implicit-identity`, `explicit-resource`, `origin-control`, ….
    pub reason: String,
    /// The statements that spoke. Of an explicit denial, those that deny; otherwise those that allow, and were not enough.
    pub statements: Vec<Statement>,
    /// The sentence that the client read.
    pub message: String,
    /// All of it as a sentence, made when it is shown.
    #[serde(default)]
    pub explanation: String,
}

/// A statement of a policy, as a decision names it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Statement {
    /// `identity`, `resource`, `trust`, `boundary`, `session`.
    pub policy_type: String,
    /// The policy's name; `domain` or `repository` for theirs.
    pub policy: String,
    /// The ARN of a managed policy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy_arn: Option<String>,
    /// The statement's own name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sid: Option<String>,
    /// Its place among the statements, from 0.
    pub index: usize,
}

const INSERT: &str = "
    INSERT INTO decisions (id, at, request_id, account, owner, principal, document)
    VALUES ($1, $2, $3, $4, $5, $6, $7)
    ON CONFLICT (id) DO NOTHING";

/// By the id of the decision or of the request; of several of one request the last decided it.
const GET: &str = "
    SELECT document
      FROM decisions
     WHERE (id = $1 OR request_id = $1)
       AND (account = $2 OR owner = $2)
     ORDER BY id DESC
     LIMIT 1";

const LIST: &str = "
    SELECT id, document
      FROM decisions
     WHERE account = $1
       AND id < $2
     ORDER BY id DESC
     LIMIT $3";

const FORGET: &str = "
    DELETE FROM decisions
     WHERE id IN (SELECT id
                    FROM decisions
                   WHERE at < $1
                   ORDER BY at
                   LIMIT 2000)";

const OLDEST_KEPT: &str = "
    SELECT at
      FROM decisions
     ORDER BY at DESC
     LIMIT 1
    OFFSET $1";

impl Statement {
    fn of(ground: &Ground) -> Self {
        Self {
            policy_type: policy_type(ground.kind).to_owned(),
            policy: ground.policy.clone(),
            policy_arn: ground.arn.clone(),
            sid: ground.sid.clone(),
            index: ground.index,
        }
    }

    /// ``statement 2 `NoReads` of the identity-based policy `deny-all` ``
    fn sentence(&self) -> String {
        let Self {
            policy_type,
            policy,
            policy_arn,
            sid,
            index,
        } = self;
        let sid = sid
            .as_ref()
            .map(|sid| format!(" `{sid}`"))
            .unwrap_or_default();
        let number = index + 1;
        let of = match policy_type.as_str() {
            "resource" => format!("the policy of the {policy}"),
            "boundary" => format!("the permissions boundary `{policy}`"),
            "session" => "the session policy".to_owned(),
            "trust" => "the role's trust policy".to_owned(),
            _ => format!("the identity-based policy `{policy}`"),
        };
        let arn = policy_arn
            .as_ref()
            .map(|arn| format!(" ({arn})"))
            .unwrap_or_default();
        format!("statement {number}{sid} of {of}{arn}")
    }
}

fn policy_type(kind: PolicyType) -> &'static str {
    match kind {
        PolicyType::Identity => "identity",
        PolicyType::Resource => "resource",
        PolicyType::Trust => "trust",
        PolicyType::Boundary => "boundary",
        PolicyType::Session => "session",
    }
}

/// How a role of another account says no, whether it denies, does not allow, or is not there.
pub(crate) const SILENT: Reason = Reason::Implicit(PolicyType::Trust);

fn is_about_trust(reason: &str) -> bool {
    [SILENT, Reason::Explicit(PolicyType::Trust)]
        .iter()
        .any(|one| one.as_str() == reason)
}

impl Explained {
    /// The refusal that ended a request; `None` when it was not one that can be explained.
    pub(crate) fn of(draft: &Draft) -> Option<Self> {
        let state = draft.snapshot();
        let refused = state.refused?;
        let id = refused.decision?;
        let evaluations = draft.trace().evaluations();
        let asked = evaluations
            .iter()
            .rfind(|asked| asked.id.as_ref() == Some(&id));
        // A rule that is not a policy refused what the policies had granted.
        let last = asked.or(evaluations.last());
        let (principal, account) = match &state.who {
            Who::Caller(caller) => (caller.arn().to_owned(), *caller.account()),
            Who::WebIdentity { provider, subject } => {
                (format!("{subject} of {provider}"), last?.owner)
            }
            Who::Service(service, _) => ((*service).to_owned(), last?.owner),
            Who::Nobody | Who::Stranger { .. } => return None,
        };
        let text = |of: fn(&Evaluation) -> &str| last.map_or("*", of).to_owned();
        Some(Self {
            id,
            time: draft.arrival.at.iso8601(),
            request_id: draft.arrival.request_id.clone(),
            event_id: draft.id().to_owned(),
            principal,
            account,
            resource_account: last.map_or(account, |asked| asked.owner),
            action: text(|asked| &asked.action),
            resource: text(|asked| &asked.resource),
            reason: asked
                .map_or("origin-control", |asked| asked.reason.as_str())
                .to_owned(),
            statements: asked
                .map(|asked| asked.grounds.iter().map(Statement::of).collect())
                .unwrap_or_default(),
            message: refused.message,
            explanation: String::new(),
        })
    }

    /// As an account may see it: what the policies of another account say is not told, only that they had a say. A role that
    /// does not let somebody in looks like one that is not there, so nothing is told of it that would tell them apart.
    fn shown_to(mut self, account: &AccountId) -> Self {
        let of_resource =
            |statement: &Statement| matches!(statement.policy_type.as_str(), "resource" | "trust");
        let (own, other) = (*account == self.account, *account == self.resource_account);
        if !other && is_about_trust(&self.reason) {
            SILENT.as_str().clone_into(&mut self.reason);
            self.statements.clear();
        }
        self.statements
            .retain(|statement| if of_resource(statement) { other } else { own });
        self.explanation = self.sentence();
        self
    }

    fn sentence(&self) -> String {
        let Self {
            principal,
            action,
            resource,
            reason,
            ..
        } = self;
        let asked = format!("{principal} asked for {action} on {resource}");
        let named: Vec<_> = self.statements.iter().map(Statement::sentence).collect();
        let named = named.join(", and ");
        let policy = match reason.split_once('-').map_or("", |(_, kind)| kind) {
            "resource" => "policy of the domain or repository",
            "boundary" => "permissions boundary",
            "session" => "session policy",
            "trust" => "trust policy",
            _ => "identity-based policy",
        };
        match reason.as_str() {
            "root-not-allowed" => format!("{asked}; this is closed to root users."),
            "origin-control" => format!("{asked}, which its policies allow. {}.", self.message),
            explicit if explicit.starts_with("explicit") && named.is_empty() => {
                format!("{asked}; a {policy} of another account denies it.")
            }
            explicit if explicit.starts_with("explicit") => format!("{asked}; {named} denies it."),
            _ if named.is_empty() => format!("{asked}; no {policy} allows it."),
            _ => format!(
                "{asked}; {named} allows it, and that is not enough: no {policy} allows it."
            ),
        }
    }

    fn values(&self, at: i64) -> Result<[Value; 7], Error> {
        let document = serde_json::to_string(self).map_err(|source| Error::Damaged {
            what: "decision",
            source,
        })?;
        Ok([
            self.id.as_str().into(),
            at.into(),
            self.request_id.as_str().into(),
            self.account.as_str().into(),
            self.resource_account.as_str().into(),
            self.principal.as_str().into(),
            document.into(),
        ])
    }
}

pub(crate) fn rows(decisions: &[(Explained, i64)]) -> Result<Vec<[Value; 7]>, Error> {
    decisions
        .iter()
        .map(|(decision, at)| decision.values(*at))
        .collect()
}

pub(crate) fn insert(tx: &mut Tx<'_>, rows: &[[Value; 7]]) -> Result<(), store::Error> {
    for row in rows {
        tx.execute(INSERT, row)?;
    }
    Ok(())
}

/// The refusal with this id, or of the request with this id. Errors: `NotFound`, also for those of other accounts.
pub(crate) async fn get(
    database: &Database,
    account: &AccountId,
    id: &str,
) -> Result<Explained, Error> {
    let rows = database
        .rows(GET, vec![id.into(), account.as_str().into()])
        .await?;
    let row = rows.first().ok_or_else(|| Error::NotFound {
        kind: "decision",
        id: id.to_owned(),
    })?;
    Ok(read::<Explained>(row, "decision")?.shown_to(account))
}

/// The newest refusals of callers of an account, and where the next page begins.
pub(crate) async fn list(
    database: &Database,
    account: &AccountId,
    before: Option<&str>,
    limit: u32,
) -> Result<(Vec<Explained>, Option<String>), Error> {
    let values = vec![
        account.as_str().into(),
        // After every id.
        before.unwrap_or("g").into(),
        (i64::from(limit) + 1).into(),
    ];
    let rows = database.rows(LIST, values).await?;
    let wanted = usize::try_from(limit).unwrap_or(usize::MAX);
    let shown = &rows[..rows.len().min(wanted)];
    let decisions = shown
        .iter()
        .map(|row| Ok(read::<Explained>(row, "decision")?.shown_to(account)));
    let next = match shown.last() {
        Some(last) if rows.len() > wanted => Some(last.text("id")?),
        _ => None,
    };
    Ok((decisions.collect::<Result<_, Error>>()?, next))
}

/// Forgets what is older than `before`, and the oldest of what is more than `keep`.
pub(crate) async fn forget(
    database: &Database,
    before: Timestamp,
    keep: u64,
) -> Result<u64, store::Error> {
    let oldest = database.rows(OLDEST_KEPT, vec![keep.into()]).await?;
    let oldest = oldest.first().map(|row| row.int("at")).transpose()?;
    let before = oldest.unwrap_or(i64::MIN).max(before.millis());
    let mut forgotten = 0;
    loop {
        let gone = database
            .write(move |tx| tx.execute(FORGET, &[before.into()]))
            .await?;
        forgotten += gone;
        if gone < 2000 {
            return Ok(forgotten);
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn explained(reason: Reason, statements: Vec<Statement>) -> Explained {
        Explained {
            id: "0198".to_owned(),
            time: "2026-03-14T15:09:26Z".to_owned(),
            request_id: "r".to_owned(),
            event_id: "e".to_owned(),
            principal: "P".to_owned(),
            account: "111122223333".parse().unwrap(),
            resource_account: "444455556666".parse().unwrap(),
            action: "a:B".to_owned(),
            resource: "R".to_owned(),
            reason: reason.as_str().to_owned(),
            statements,
            message: "no".to_owned(),
            explanation: String::new(),
        }
    }

    fn statement(
        kind: PolicyType,
        policy: &str,
        arn: Option<&str>,
        sid: Option<&str>,
    ) -> Statement {
        Statement::of(&Ground {
            kind,
            policy: policy.to_owned(),
            arn: arn.map(str::to_owned),
            sid: sid.map(str::to_owned),
            index: 1,
        })
    }

    #[test]
    fn every_refusal_has_its_sentence() {
        use PolicyType::{Boundary, Identity, Resource, Session, Trust};
        let (own, other) = ("111122223333", "444455556666");
        let deny = || statement(Identity, "deny-all", Some("arn:p"), Some("NoReads"));
        let domain = || statement(Resource, "domain", None, None);
        for (reason, statements, viewer, sentence) in [
            (
                Reason::Implicit(Identity),
                vec![],
                own,
                "P asked for a:B on R; no identity-based policy allows it.",
            ),
            (
                Reason::Explicit(Identity),
                vec![deny()],
                own,
                "P asked for a:B on R; statement 2 `NoReads` of the identity-based policy `deny-all` (arn:p) denies it.",
            ),
            (
                Reason::Explicit(Resource),
                vec![domain()],
                other,
                "P asked for a:B on R; statement 2 of the policy of the domain denies it.",
            ),
            (
                Reason::Explicit(Resource),
                vec![domain()],
                own,
                "P asked for a:B on R; a policy of the domain or repository of another account denies it.",
            ),
            (
                Reason::Implicit(Boundary),
                vec![deny()],
                own,
                "P asked for a:B on R; statement 2 `NoReads` of the identity-based policy `deny-all` (arn:p) allows it, \
                 and that is not enough: no permissions boundary allows it.",
            ),
            (
                Reason::Implicit(Session),
                vec![],
                own,
                "P asked for a:B on R; no session policy allows it.",
            ),
            (
                Reason::Implicit(Trust),
                vec![],
                own,
                "P asked for a:B on R; no trust policy allows it.",
            ),
            (
                Reason::Explicit(Trust),
                vec![statement(Trust, "role-trust", None, Some("NotThem"))],
                other,
                "P asked for a:B on R; statement 2 `NotThem` of the role's trust policy denies it.",
            ),
            (
                Reason::Explicit(Trust),
                vec![statement(Trust, "role-trust", None, Some("NotThem"))],
                own,
                "P asked for a:B on R; no trust policy allows it.",
            ),
            (
                Reason::Implicit(Trust),
                vec![statement(Identity, "mine", None, None)],
                own,
                "P asked for a:B on R; no trust policy allows it.",
            ),
            (
                Reason::RootNotAllowed,
                vec![],
                own,
                "P asked for a:B on R; this is closed to root users.",
            ),
        ] {
            let shown = explained(reason, statements).shown_to(&viewer.parse().unwrap());
            assert_eq!(shown.explanation, sentence);
        }
    }

    #[test]
    fn policies_of_another_account_are_not_named() {
        let statements = || {
            vec![
                statement(PolicyType::Identity, "mine", None, None),
                statement(PolicyType::Resource, "domain", None, None),
            ]
        };
        let reason = Reason::Explicit(PolicyType::Resource);
        for (viewer, seen) in [("111122223333", "mine"), ("444455556666", "domain")] {
            let shown = explained(reason, statements()).shown_to(&viewer.parse().unwrap());
            let policies: Vec<_> = shown.statements.iter().map(|s| s.policy.as_str()).collect();
            assert_eq!(policies, [seen]);
        }
    }
}
