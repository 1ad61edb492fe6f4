//! How many connections each address holds: no client alone may take all the places there are.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::peer::network;

/// Who is there.
pub(crate) struct Guests {
    /// Connections of one address, at most.
    most: usize,
    held: Mutex<HashMap<IpAddr, usize>>,
}

/// A connection that is counted for as long as this lives.
pub(crate) struct Guest {
    guests: Arc<Guests>,
    home: IpAddr,
}

impl Guests {
    pub(crate) fn new(most: usize) -> Self {
        Self {
            most,
            held: Mutex::default(),
        }
    }

    /// `None` when there are as many from there as may be.
    pub(crate) fn admit(self: &Arc<Self>, ip: IpAddr) -> Option<Guest> {
        let home = network(ip);
        let mut held = self.held();
        let count = held.entry(home).or_default();
        if *count >= self.most {
            return None;
        }
        *count += 1;
        Some(Guest {
            guests: Arc::clone(self),
            home,
        })
    }

    /// Whoever panicked in between has left whole numbers.
    fn held(&self) -> MutexGuard<'_, HashMap<IpAddr, usize>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        let mut held = self.guests.held();
        if let Some(count) = held.get_mut(&self.home) {
            *count -= 1;
            if *count == 0 {
                held.remove(&self.home);
            }
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn each_address_has_so_many_places_and_gets_them_back() {
        let guests = Arc::new(Guests::new(2));
        let admit = |ip: &str| guests.admit(ip.parse().unwrap());
        let (first, _second) = (
            admit("192.0.2.1").unwrap(),
            admit("::ffff:192.0.2.1").unwrap(),
        );
        assert!(admit("192.0.2.1").is_none());
        let other = admit("192.0.2.2").unwrap();
        drop(first);
        let _third = admit("192.0.2.1").unwrap();
        assert!(admit("192.0.2.1").is_none());
        let _near = [
            admit("2001:db8::1").unwrap(),
            admit("2001:db8::ffff:2").unwrap(),
        ];
        assert!(admit("2001:db8::3").is_none());
        assert!(admit("2001:db8:0:1::3").is_some());
        drop(other);
        assert_eq!(guests.held().len(), 2, "whoever is gone is forgotten");
    }
}
