//! What every request finds: the parts of the house, put together once at the start.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use audit::{Ledger, Webhooks};
use aws::page::Sealer;
use aws::{AccountId, Clock, Region};
use catalog::{Catalog, FormatName};
use formats::Protocol;
use http::HeaderMap;
use iam::Iam;
use store::Database;

use crate::attempts::Attempts;
use crate::master_key::Keeper;
use crate::metrics::Metrics;
use crate::peer::{Peer, Proxies};
use crate::rates::Meter;

/// The parts of a running server. Everything in it is cheap to share.
pub(crate) struct House {
    pub(crate) database: Database,
    pub(crate) iam: Iam,
    pub(crate) catalog: Catalog,
    pub(crate) protocols: Vec<(FormatName, &'static dyn Protocol)>,
    pub(crate) clock: Clock,
    /// The first account, whose root runs the installation.
    pub(crate) account: AccountId,
    pub(crate) region: Region,
    pub(crate) sealer: Sealer,
    pub(crate) public_url: Option<String>,
    pub(crate) master_key: Keeper,
    pub(crate) proxies: Proxies,
    pub(crate) metrics: Metrics,
    /// Where requests are written down.
    pub(crate) ledger: Ledger,
    pub(crate) webhooks: Webhooks,
    /// Of agents that were refused.
    pub(crate) attempts: Attempts,
    /// How many requests come in a second.
    pub(crate) meter: Meter,
    /// Set when the process was asked to end: it finishes what runs and asks for no more.
    pub(crate) is_ending: AtomicBool,
}

impl House {
    pub(crate) fn is_ending(&self) -> bool {
        self.is_ending.load(Ordering::Relaxed)
    }

    /// The address of this server as the client has it: `https://packages.example`, without a slash.
    pub(crate) fn base_url(&self, peer: &Peer, headers: &HeaderMap) -> Option<String> {
        self.public_url.clone().or_else(|| peer.base_url(headers))
    }
}

pub(crate) type SharedHouse = Arc<House>;
