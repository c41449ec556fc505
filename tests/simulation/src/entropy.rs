//! The one source of chance. A simulation that is run again must draw the same numbers, also where
//! libraries ask the operating system for them: the seeds of hash maps above all.

use std::cell::Cell;

/// A generator that is fast, small, and the same everywhere (`SplitMix64`).
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// The same seed gives the same numbers.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Another generator, for a part that must not disturb the rest when it draws more or less.
    #[must_use]
    pub fn split(&mut self, salt: u64) -> Self {
        Self(self.next() ^ salt.wrapping_mul(0x9E37_79B9_7F4A_7C15))
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// Below `end`, which must not be zero.
    pub fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    /// Between the two, both included.
    pub fn between(&mut self, from: u64, to: u64) -> u64 {
        from + self.below(to - from + 1)
    }

    /// True with that probability.
    pub fn chance(&mut self, probability: f64) -> bool {
        #[expect(clippy::cast_precision_loss, reason = "53 bits are exact")]
        let drawn = (self.next() >> 11) as f64 / (1_u64 << 53) as f64;
        drawn < probability
    }

    /// One of them.
    pub fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        let at = usize::try_from(self.below(from.len() as u64)).expect("a length");
        from[at]
    }
}

thread_local! {
    static SYSTEM: Cell<u64> = const { Cell::new(0) };
}

/// From here on this thread draws from that seed, whoever asks. To be called first on a new thread:
/// what was drawn before stays drawn.
pub fn seed_this_thread(seed: u64) {
    SYSTEM.set(Random::new(seed).next());
    fastrand::seed(seed);
}

/// Seeds the hash maps of kube, which count all maps of the process otherwise.
#[derive(Debug)]
pub struct HashSeeds;

impl ahash::random_state::RandomSource for HashSeeds {
    fn gen_hasher_seed(&self) -> usize {
        let mut random = Random::new(SYSTEM.get());
        let seed = random.next();
        SYSTEM.set(random.0);
        usize::try_from(seed).unwrap_or_default()
    }
}

/// Answers for the operating system. Linked into every test program of this crate, it takes the place
/// of the C library's function of that name: no program of ours that is shipped contains it.
///
/// # Safety
/// As documented for getrandom(2): `buffer` must be writable for `length` bytes.
#[unsafe(no_mangle)]
#[expect(
    unsafe_code,
    reason = "an external symbol can't be defined without, and the caller's buffer is a pointer"
)]
pub unsafe extern "C" fn getrandom(buffer: *mut u8, length: usize, _flags: u32) -> isize {
    // SAFETY: the caller vouches for the buffer, as it would to the C library.
    let buffer = unsafe { std::slice::from_raw_parts_mut(buffer, length) };
    // A thread that is about to end has no state any more; its numbers concern nobody.
    let mut random = Random::new(SYSTEM.try_with(Cell::get).unwrap_or_default());
    for chunk in buffer.chunks_mut(8) {
        chunk.copy_from_slice(&random.next().to_le_bytes()[..chunk.len()]);
    }
    let _ = SYSTEM.try_with(|state| state.set(random.0));
    isize::try_from(length).unwrap_or(isize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::hash::{BuildHasher, RandomState};

    fn hashed_with(seed: u64) -> u64 {
        std::thread::spawn(move || {
            seed_this_thread(seed);
            RandomState::new().hash_one(1)
        })
        .join()
        .unwrap()
    }

    #[test]
    fn hash_maps_are_seeded_by_us() {
        assert_eq!(hashed_with(7), hashed_with(7));
        assert_ne!(hashed_with(7), hashed_with(8));
    }

    #[test]
    fn the_same_seed_draws_the_same() {
        let (mut a, mut b) = (Random::new(3), Random::new(3));
        let drawn: Vec<_> = (0..100).map(|_| a.below(10)).collect();
        assert!(drawn.iter().all(|n| *n == b.below(10)));
        assert!((0..10).all(|n| drawn.contains(&n)), "{drawn:?}");
    }
}
