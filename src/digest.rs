//! Short names for long things.

use std::fmt::Write as _;

use sha2::{Digest, Sha256};

/// The first `bytes` bytes of the SHA-256 of the parts, in hexadecimal. Each part is hashed behind
/// its length, which keeps ("ab", "c") apart from ("a", "bc").
pub fn of<'a>(bytes: usize, parts: impl IntoIterator<Item = &'a str>) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    hash.finalize()
        .iter()
        .take(bytes)
        .fold(String::new(), |mut text, byte| {
            let _ = write!(text, "{byte:02x}"); // Writing to a string never fails.
            text
        })
}

/// The first `longest` characters: what others wrote may be of any length, and must fit where it is
/// told.
pub fn shortened(text: &str, longest: usize) -> String {
    text.chars().take(longest).collect()
}

#[cfg(test)]
mod tests {
    #[test]
    fn where_a_part_ends_matters() {
        assert_ne!(super::of(20, ["ab", "c"]), super::of(20, ["a", "bc"]));
        assert_eq!(super::of(20, ["ab", "c"]), super::of(20, ["ab", "c"]));
        assert_eq!(super::of(20, ["ab"]).len(), 40);
    }
}
