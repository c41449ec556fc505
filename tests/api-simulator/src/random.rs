//! Everything drawn by chance, from one seed.

/// A seeded source: the same seed and the same requests give the same world.
#[derive(Clone, Debug)]
pub(crate) struct Random(fastrand::Rng);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(fastrand::Rng::with_seed(seed))
    }

    /// A random version 4 UUID in lower case.
    pub(crate) fn uuid(&mut self) -> String {
        let bits = self.0.u128(..);
        let variant = ((bits >> 124) & 0x3) | 0x8;
        format!(
            "{:08x}-{:04x}-4{:03x}-{variant:x}{:03x}-{:012x}",
            (bits >> 88) & 0xffff_ffff,
            (bits >> 72) & 0xffff,
            (bits >> 60) & 0xfff,
            (bits >> 48) & 0xfff,
            bits & 0xffff_ffff_ffff
        )
    }

    /// What the server appends to a `generateName`.
    pub(crate) fn suffix(&mut self) -> String {
        const LETTERS: &[u8] = b"bcdfghjklmnpqrstvwxz2456789";
        (0..5)
            .filter_map(|_| self.0.choice(LETTERS.iter()))
            .map(|letter| char::from(*letter))
            .collect()
    }

    /// A number of at least `least` and less than twice that.
    pub(crate) fn up_to_double(&mut self, least: u64) -> u64 {
        self.0.u64(least..least.saturating_mul(2))
    }
}
