//! What happened: written down, found again, told to others.
//!
//! - A [`Draft`] is what is known of one request while it runs. At its end it goes to the [`Ledger`], which makes a
//!   record in the form of CloudTrail of it, in a file and in a table, behind the back of the request.
//! - A refusal is kept with what it was decided on ([`Explained`]), so that its id answers "why?".
//! - What happened to versions of packages becomes an [`event`], in the form of EventBridge, and is delivered to
//!   [webhooks](Webhook).
//!
//! Nothing secret is ever in any of it: who fills a draft says what may be written down, member by member.

#![allow(
    clippy::doc_markdown,
    reason = "CloudTrail and EventBridge are names, not code"
)]

mod decision;
mod delivery;
mod draft;
mod error;
pub mod event;
mod fetches;
mod file;
mod gate;
mod identity;
mod ledger;
mod record;
mod signature;
mod table;
mod webhook;
mod window;

use store::Migration;

pub use decision::{Explained, Statement};
pub use delivery::Dispatcher;
pub use draft::{Arrival, Draft, Refused, Service};
pub use error::Error;
pub use fetches::{FetchedFrom, Fetcher};
pub use file::Keeping;
pub use ledger::{Counts, Ledger, Settings};
pub use signature::{Signature, sign};
pub use table::{Found, Lookup};
pub use webhook::{Filter, NewWebhook, Webhook, WebhookChange, Webhooks};

const MIGRATIONS: &[Migration] = &[
    Migration {
        number: 1,
        name: "records",
        sql: include_str!("../migrations/0001_records.sql"),
    },
    Migration {
        number: 2,
        name: "events",
        sql: include_str!("../migrations/0002_events.sql"),
    },
    Migration {
        number: 3,
        name: "fetches",
        sql: include_str!("../migrations/0003_fetches.sql"),
    },
    Migration {
        number: 4,
        name: "deliveries",
        sql: include_str!("../migrations/0004_deliveries.sql"),
    },
];
