//! Everything drawn by chance, from one seed.

use jiff::SignedDuration;

use crate::settings::Delay;

/// A seeded source of ids and delays: the same seed and the same calls give the same world.
#[derive(Clone, Debug)]
pub(crate) struct Random(fastrand::Rng);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(fastrand::Rng::with_seed(seed))
    }

    /// A random version 4 UUID in lower case.
    pub(crate) fn uuid(&mut self) -> String {
        let bits = self.0.u128(..);
        let (low, high) = (bits & 0xffff_ffff_ffff, bits >> 48);
        let variant = self.digits(1, b"89ab");
        format!(
            "{:08x}-{:04x}-4{:03x}-{variant}{:03x}-{low:012x}",
            high >> 48,
            (high >> 32) & 0xffff,
            (high >> 16) & 0xfff,
            high & 0xfff
        )
    }

    /// `length` lower-case hexadecimal digits.
    pub(crate) fn hex(&mut self, length: usize) -> String {
        self.digits(length, b"0123456789abcdef")
    }

    /// `length` characters as in IAM's unique ids.
    pub(crate) fn base32(&mut self, length: usize) -> String {
        self.digits(length, b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567")
    }

    pub(crate) fn up_to(&mut self, most: usize) -> usize {
        self.0.usize(..=most)
    }

    /// Evenly between 0 and 1.
    pub(crate) fn share(&mut self) -> f64 {
        self.0.f64()
    }

    /// One of these.
    pub(crate) fn one_of<T: Copy>(&mut self, first: T, others: &[T]) -> T {
        let drawn = self.up_to(others.len());
        others.get(drawn).copied().unwrap_or(first)
    }

    /// True with the given probability.
    pub(crate) fn chance(&mut self, probability: f64) -> bool {
        probability >= 1.0 || (probability > 0.0 && self.0.f64() < probability)
    }

    pub(crate) fn delay(&mut self, delay: Delay) -> SignedDuration {
        let spread = delay.max.saturating_sub(delay.min).as_millis();
        let extra = u64::try_from(spread).map_or(0, |spread| self.0.u64(..=spread));
        delay.min.saturating_add(SignedDuration::from_millis(
            i64::try_from(extra).unwrap_or(i64::MAX),
        ))
    }

    fn digits(&mut self, length: usize, alphabet: &[u8]) -> String {
        (0..length)
            .filter_map(|_| self.0.choice(alphabet.iter()))
            .map(|digit| char::from(*digit))
            .collect()
    }
}
