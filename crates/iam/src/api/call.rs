//! One call: what it came with, and how it is allowed and answered.
//!
//! The order is the same everywhere: read the parameters, load what they name, be allowed, and only then learn that it is
//! not there. So nobody who may not see a thing learns whether it exists.

use aws::page::Filters;
use aws::query::{Form, query_empty_response, query_response};
use aws::xml::Xml;
use aws::{AccountId, Fault, QueryService};
use bytes::Bytes;
use http::Response;

use super::fault::{refused, validation_error};
use super::params::{Paging, Params};
use crate::authorize::Beside;
use crate::lists::Part;
use crate::tags::Tag;
use crate::{Ask, Caller, Error, Iam, Principal, RequestTags};

/// One call of an operation.
#[derive(Clone, Copy)]
pub(super) struct Call<'a> {
    pub(super) iam: &'a Iam,
    pub(super) caller: &'a Caller,
    pub(super) form: &'a Form,
    pub(super) service: QueryService,
    /// The operation's name.
    pub(super) operation: &'static str,
    pub(super) request_id: &'a str,
}

/// What an operation answers.
pub(super) type Answered = Result<Response<Bytes>, Fault>;

/// The resource of a question, with all that conditions may look at.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    /// An ARN, or `*`.
    pub(super) resource: String,
    /// How a refusal shows it instead, for things that go by a name.
    pub(super) shown: Option<String>,
    pub(super) owner: AccountId,
    pub(super) resource_tags: Vec<Tag>,
    pub(super) request_tags: Option<Vec<Tag>>,
    /// Keys of tags that are taken away.
    pub(super) tag_keys: Option<Vec<String>>,
    /// `iam:PolicyARN` and its like.
    pub(super) keys: Vec<(&'static str, String)>,
}

impl Asked {
    /// A question about something that does not exist yet, or about a list.
    pub(super) fn about(resource: impl Into<String>, owner: &AccountId) -> Self {
        Self {
            resource: resource.into(),
            shown: None,
            owner: *owner,
            resource_tags: Vec::new(),
            request_tags: None,
            tag_keys: None,
            keys: Vec::new(),
        }
    }

    /// With a condition key.
    pub(super) fn with(mut self, key: &'static str, value: impl Into<String>) -> Self {
        self.keys.push((key, value.into()));
        self
    }

    /// With a condition key that may be absent.
    pub(super) fn with_optional(self, key: &'static str, value: Option<&str>) -> Self {
        match value {
            Some(value) => self.with(key, value),
            None => self,
        }
    }

    /// With the tags that the request puts on it; none at all are no tags.
    pub(super) fn with_tags(mut self, tags: &[Tag]) -> Self {
        self.request_tags = (!tags.is_empty()).then(|| tags.to_vec());
        self
    }
}

/// What a call is about, whether or not it is there.
pub(super) struct Target<T> {
    pub(super) found: Option<T>,
    pub(super) asked: Asked,
    /// Said only to those who may know.
    pub(super) absent: Error,
}

impl<T> Target<T> {
    /// With a condition key that may be absent.
    pub(super) fn with_optional(mut self, key: &'static str, value: Option<&str>) -> Self {
        self.asked = self.asked.with_optional(key, value);
        self
    }
}

/// A part of a list, and how to go on after it.
pub(super) struct Page {
    after: String,
    max_items: usize,
    filters: Filters,
}

/// What is shown of a list.
pub(super) struct Shown<T> {
    pub(super) items: Vec<T>,
    /// The marker of the next page.
    next: Option<String>,
}

impl<'a> Call<'a> {
    pub(super) fn params(&self) -> Params<'a> {
        Params::of(self.form)
    }

    pub(super) fn account(&self) -> &'a AccountId {
        self.caller.account()
    }

    /// Whether the caller may do what the operation is called.
    pub(super) async fn authorize(&self, asked: &Asked) -> Result<(), Fault> {
        let service = match self.service {
            QueryService::Iam => "iam",
            QueryService::Sts => "sts",
        };
        let action = format!("{service}:{}", self.operation);
        self.authorize_to(&action, asked).await
    }

    /// Whether the caller may do this.
    pub(super) async fn authorize_to(&self, action: &str, asked: &Asked) -> Result<(), Fault> {
        self.authorize_beside(action, asked, &Beside::default())
            .await
            .map_err(|error| refused(error, &asked.resource, asked.shown.as_deref()))
    }

    /// The same with more that counts.
    pub(super) async fn authorize_beside(
        &self,
        action: &str,
        asked: &Asked,
        beside: &Beside<'_>,
    ) -> Result<(), crate::AuthorizeError> {
        let tags = asked.resource_tags.iter();
        let tags: Vec<(String, &String)> = tags
            .map(|(key, value)| (format!("iam:ResourceTag/{key}"), value))
            .collect();
        let tags = tags
            .iter()
            .map(|(key, value)| (key.as_str(), (*value).clone()));
        let keys = asked.keys.iter();
        let context: Vec<(&str, String)> = keys
            .map(|(key, value)| (*key, value.clone()))
            .chain(tags)
            .collect();
        let resources = [asked.resource.as_str()];
        let ask = Ask {
            caller: self.caller,
            action,
            resources: &resources,
            owner: &asked.owner,
            administrator: None,
            domain_policy: None,
            repository_policy: None,
            resource_tags: &asked.resource_tags,
            request_tags: match (&asked.request_tags, &asked.tag_keys) {
                (Some(tags), _) => Some(RequestTags::Put(tags)),
                (None, Some(keys)) => Some(RequestTags::Remove(keys)),
                (None, None) => None,
            },
            context: &context,
        };
        if beside.trust.is_none() && beside.lists.is_empty() {
            self.iam.authorize(&ask).await
        } else {
            self.iam.authorize_beside(&ask, beside).await
        }
    }

    /// Whether the caller may do what the operation is called, for operations without a resource.
    pub(super) async fn authorize_anywhere(&self) -> Result<(), Fault> {
        self.authorize(&Asked::about("*", self.account())).await
    }

    /// What the call is about, if the caller may and it is there.
    pub(super) async fn permit<T>(&self, target: Target<T>) -> Result<T, Fault> {
        self.authorize(&target.asked).await?;
        target.found.ok_or_else(|| target.absent.into())
    }

    /// Puts tags on something new, which is a permission of its own: `iam:TagUser` for users, and so on.
    pub(super) async fn authorize_tags(&self, action: &str, asked: &Asked) -> Result<(), Fault> {
        match asked.request_tags {
            Some(_) => self.authorize_to(action, asked).await,
            None => Ok(()),
        }
    }

    /// The caller's own user name, for operations that mean it when none is given; `None` for root.
    pub(super) fn own_user_name(&self) -> Result<Option<&'a str>, Fault> {
        match self.caller.principal() {
            Principal::User { name, .. } => Ok(Some(name)),
            Principal::Root => Ok(None),
            Principal::Session { .. } => Err(validation_error(
                "Must specify userName when calling with non-User credentials",
            )),
        }
    }

    /// Opens the marker. `filters` are all parameters that restrict the list.
    pub(super) fn page(&self, paging: &Paging, filters: &[Option<&str>]) -> Result<Page, Fault> {
        let account = Some(self.account().as_str());
        let filters = Filters::of(std::iter::once(account).chain(filters.iter().copied()));
        let after = match &paging.marker {
            None => String::new(),
            Some(marker) => self
                .iam
                .pages()
                .open(self.operation, &filters, marker.as_str())
                .map_err(|_| validation_error("Invalid Marker."))?,
        };
        Ok(Page {
            after,
            max_items: usize::try_from(paging.max_items.get()).unwrap_or(usize::MAX),
            filters,
        })
    }

    /// What is shown of the entries that a page asked for, each with the text that the list goes on after.
    pub(super) fn show<T>(
        &self,
        page: &Page,
        mut items: Vec<T>,
        cursor: impl Fn(&T) -> String,
    ) -> Shown<T> {
        let more = items.len() > page.max_items;
        items.truncate(page.max_items);
        let last = items.last().filter(|_| more).map(cursor);
        let seal = |cursor: String| {
            self.iam
                .pages()
                .seal(self.operation, &page.filters, &cursor)
        };
        Shown {
            items,
            next: last.map(seal),
        }
    }

    /// The same for a list that is whole in memory and in order: it goes on after a number of entries.
    pub(super) fn show_of<T>(&self, page: &Page, items: Vec<T>) -> Shown<T> {
        let start: usize = page.after.parse().unwrap_or(0);
        let items: Vec<(usize, T)> = items.into_iter().enumerate().skip(start).collect();
        let shown = self.show(page, items, |(at, _)| (at + 1).to_string());
        Shown {
            items: shown.items.into_iter().map(|(_, item)| item).collect(),
            next: shown.next,
        }
    }

    /// An answer with a result.
    #[expect(
        clippy::unnecessary_wraps,
        reason = "every operation ends with it, and gives what it gives"
    )]
    pub(super) fn answer(&self, result: impl FnOnce(&mut Xml)) -> Answered {
        Ok(query_response(
            self.operation,
            self.service,
            self.request_id,
            result,
        ))
    }

    /// The answer of an operation that has no output.
    #[expect(
        clippy::unnecessary_wraps,
        reason = "every operation ends with it, and gives what it gives"
    )]
    pub(super) fn done(&self) -> Answered {
        Ok(query_empty_response(
            self.operation,
            self.service,
            self.request_id,
        ))
    }
}

impl Page {
    /// What to ask the database for: one more than is shown, to know whether there is more.
    pub(super) fn part<'p>(&'p self, prefix: Option<&'p str>) -> Part<'p> {
        Part {
            prefix: prefix.unwrap_or("/"),
            after: &self.after,
            limit: u32::try_from(self.max_items)
                .unwrap_or(u32::MAX)
                .saturating_add(1),
        }
    }
}

impl<T> Shown<T> {
    /// `IsTruncated`, and `Marker` if it is.
    pub(super) fn end(&self, xml: &mut Xml) {
        xml.text("IsTruncated", self.next.is_some())
            .optional("Marker", self.next.as_deref());
    }
}
