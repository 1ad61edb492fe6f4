//! The four digests of every blob, computed in one pass while the bytes go by.

use std::fmt;

use serde::{Deserialize, Serialize};
use sha2::Digest as _;

/// MD5, SHA-1, SHA-256 and SHA-512 of the same bytes, each as lower-case hex.
///
/// The four that `ListPackageVersionAssets` reports, and that the package managers between them ask for.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Digests {
    /// 32 hex digits.
    pub md5: String,
    /// 40 hex digits.
    pub sha1: String,
    /// 64 hex digits.
    pub sha256: String,
    /// 128 hex digits.
    pub sha512: String,
}

impl Digests {
    /// The digests of bytes that are at hand.
    pub fn of(bytes: &[u8]) -> Self {
        let mut digester = Digester::default();
        digester.update(bytes);
        digester.finish()
    }
}

/// Takes bytes piece by piece and gives their [`Digests`].
///
/// Not cheap: call it on a blocking thread for more than a few pieces.
#[derive(Clone, Default)]
pub struct Digester {
    md5: md5::Md5,
    sha1: sha1::Sha1,
    sha256: sha2::Sha256,
    sha512: sha2::Sha512,
}

impl Digester {
    /// Takes the next bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        // Small enough that the second to fourth algorithm find the bytes in the processor's first-level cache (32 KiB).
        for piece in bytes.chunks(16 * 1024) {
            self.md5.update(piece);
            self.sha1.update(piece);
            self.sha256.update(piece);
            self.sha512.update(piece);
        }
    }

    /// The digests of all bytes taken.
    pub fn finish(self) -> Digests {
        Digests {
            md5: hex::encode(self.md5.finalize()),
            sha1: hex::encode(self.sha1.finalize()),
            sha256: hex::encode(self.sha256.finalize()),
            sha512: hex::encode(self.sha512.finalize()),
        }
    }
}

impl fmt::Debug for Digester {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Digester").finish_non_exhaustive()
    }
}

/// SHA-256 of bytes at hand, as 64 lower-case hex digits.
pub fn sha256_hex(bytes: &[u8]) -> String {
    hex::encode(sha2::Sha256::digest(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    // RFC 1321 appendix A.5 and FIPS 180-4's example message.
    #[test]
    fn the_digests_of_abc_are_those_of_the_standards() {
        let expected = Digests {
            md5: "900150983cd24fb0d6963f7d28e17f72".into(),
            sha1: "a9993e364706816aba3e25717850c26c9cd0d89d".into(),
            sha256: "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad".into(),
            sha512: "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a\
                     2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f"
                .into(),
        };
        assert_eq!(Digests::of(b"abc"), expected);
        assert_eq!(sha256_hex(b"abc"), expected.sha256);
    }

    #[test]
    fn pieces_make_no_difference() {
        let bytes: Vec<u8> = (0..100_000_u32).flat_map(u32::to_le_bytes).collect();
        let whole = Digests::of(&bytes);
        for size in [1_000, 16_384, 16_385, 399_999] {
            let mut digester = Digester::default();
            bytes.chunks(size).for_each(|piece| digester.update(piece));
            assert_eq!(digester.finish(), whole, "{size}");
        }
    }
}
