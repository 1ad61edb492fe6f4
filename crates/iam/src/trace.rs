//! What was asked and answered in the course of one request, for whoever writes it down.
//!
//! Questions are asked deep below the door, and the door is where a request is recorded. So the door gives the task
//! that answers a [`Trace`]; every question put to [`Iam::authorize`](crate::Iam::authorize) in it, granted or not, is
//! in the trace afterwards with what it was decided on. A question that nobody wrote down could not be explained.
//!
//! Beside the questions there are notes: names that only those below know, such as the version that a path stands for.
//! Without a trace all of this costs nothing.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use aws::AccountId;

use crate::policy::{MatchedStatement, PolicyType, Reason};

/// So many questions of one request are kept: the first ones, and the last.
const EVALUATIONS: usize = 64;

/// One question and its answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Evaluation {
    /// Under which a refusal is found again; `None` for what was granted.
    pub id: Option<String>,
    /// `codeartifact:ReadFromRepository`.
    pub action: String,
    /// An ARN, or `*` for actions without a resource.
    pub resource: String,
    /// The account that the resource belongs to.
    pub owner: AccountId,
    /// The account that administers the repository, where one is concerned.
    pub administrator: Option<AccountId>,
    /// Why.
    pub reason: Reason,
    /// The statements that spoke: the denying ones of an explicit denial, otherwise all that allow. Empty for a refusal
    /// on which no policy said anything.
    pub grounds: Arc<[Ground]>,
    /// The sentence that a refused caller reads.
    pub message: Option<String>,
}

/// A statement that an answer rests on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ground {
    /// As what its policy was asked.
    pub kind: PolicyType,
    /// The policy's name; `domain`, `repository`, `session` for those that have none.
    pub policy: String,
    /// The ARN of a managed policy.
    pub arn: Option<String>,
    /// The statement's own name.
    pub sid: Option<String>,
    /// Its place among the statements, from 0.
    pub index: usize,
}

impl Ground {
    /// Under the policy's own name.
    pub(crate) fn of(matched: &MatchedStatement) -> Self {
        Self {
            kind: matched.kind,
            policy: matched.policy.name.clone(),
            arn: matched.policy.arn.clone(),
            sid: matched.sid.as_deref().map(str::to_owned),
            index: matched.index,
        }
    }
}

/// What one request asked for; clones are the same trace.
#[derive(Clone, Default)]
pub struct Trace(Arc<Mutex<Kept>>);

#[derive(Default)]
struct Kept {
    evaluations: Vec<Evaluation>,
    notes: Vec<(&'static str, String)>,
}

tokio::task_local! {
    static TRACE: Trace;
}

impl Trace {
    /// Runs a future; what is asked and noted in it is in this trace. What it spawns is not followed.
    pub async fn follow<F: Future>(&self, future: F) -> F::Output {
        TRACE.scope(self.clone(), future).await
    }

    /// The questions so far, in their order.
    pub fn evaluations(&self) -> Vec<Evaluation> {
        self.kept().evaluations.clone()
    }

    /// Whether anything was asked, and nothing but this, and all of it was granted.
    pub fn only_asked(&self, action: &str) -> bool {
        let kept = self.kept();
        let granted = |asked: &Evaluation| asked.id.is_none() && asked.action == action;
        !kept.evaluations.is_empty() && kept.evaluations.iter().all(granted)
    }

    /// The notes so far, each name once.
    pub fn notes(&self) -> Vec<(&'static str, String)> {
        self.kept().notes.clone()
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Trace")
    }
}

/// Notes something about the request that runs now; of two notes of one name the first stays. Never a secret.
pub fn note(name: &'static str, value: impl FnOnce() -> String) {
    // Nobody follows: nothing to note.
    _ = TRACE.try_with(|trace| {
        let mut kept = trace.kept();
        if kept.notes.iter().all(|(known, _)| *known != name) {
            kept.notes.push((name, value()));
        }
    });
}

/// Adds a question, if somebody follows.
pub(crate) fn add(evaluation: impl FnOnce() -> Evaluation) {
    _ = TRACE.try_with(|trace| {
        let mut kept = trace.kept();
        kept.evaluations.truncate(EVALUATIONS - 1);
        kept.evaluations.push(evaluation());
    });
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn evaluation(action: String) -> Evaluation {
        Evaluation {
            id: None,
            action,
            resource: "*".to_owned(),
            owner: "111122223333".parse().unwrap(),
            administrator: None,
            reason: Reason::Root,
            grounds: [].into(),
            message: None,
        }
    }

    #[tokio::test]
    async fn a_request_keeps_its_first_questions_and_the_last() {
        let trace = Trace::default();
        trace
            .follow(async {
                for number in 0..200 {
                    add(|| evaluation(number.to_string()));
                }
            })
            .await;
        let kept = trace.evaluations();
        assert_eq!(kept.len(), EVALUATIONS);
        assert_eq!((&*kept[0].action, &*kept[63].action), ("0", "199"));
    }

    #[tokio::test]
    async fn notes_are_made_only_while_somebody_follows_and_once() {
        note("packageName", || panic!("nobody follows"));
        let trace = Trace::default();
        trace
            .follow(async {
                note("packageName", || "first".to_owned());
                note("packageName", || "second".to_owned());
            })
            .await;
        assert_eq!(trace.notes(), [("packageName", "first".to_owned())]);
    }
}
