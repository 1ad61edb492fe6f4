//! Ids of our own making.

use aws::Timestamp;

use crate::{Error, Result};

/// Crockford's base 32, in which text order is number order.
const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// A new id: 10 characters of milliseconds and 16 of chance (80 bits), so that ids sort by time.
pub(crate) fn new_id(now: Timestamp) -> Result<String> {
    let mut chance = [0_u8; 16];
    getrandom::fill(&mut chance).map_err(|error| Error::internal(error.to_string()))?;
    let mut millis = now.millis().unsigned_abs();
    let mut text = [0_u8; 26];
    for place in text[..10].iter_mut().rev() {
        *place = ALPHABET[usize::try_from(millis % 32).unwrap_or_default()];
        millis /= 32;
    }
    for (place, byte) in text[10..].iter_mut().zip(chance) {
        *place = ALPHABET[usize::from(byte % 32)];
    }
    Ok(text.iter().map(|byte| char::from(*byte)).collect())
}

/// A number below 2⁶³ that nobody had before, in all likelihood: for what tokens carry.
pub(crate) fn new_number() -> Result<u64> {
    let mut chance = [0_u8; 8];
    getrandom::fill(&mut chance).map_err(|error| Error::internal(error.to_string()))?;
    Ok(u64::from_be_bytes(chance) >> 1)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn ids_sort_by_time_and_differ() {
        let at = |millis| new_id(Timestamp::from_millis(millis)).unwrap();
        assert!(at(1) < at(2) && at(31) < at(32) && at(1_773_500_966_000) < at(1_773_500_966_001));
        assert_ne!(at(1), at(1));
        assert_eq!(at(1).len(), 26);
    }
}
