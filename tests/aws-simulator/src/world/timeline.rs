//! Values with a past, so that a read can be answered from an older replica.

use jiff::{SignedDuration, Timestamp};

/// How far back a read can look. Older entries are forgotten.
const KEPT: SignedDuration = SignedDuration::from_hours(2);

/// What a value was, and since when.
#[derive(Clone, Debug)]
pub(crate) struct Timeline<T> {
    entries: Vec<(Timestamp, T)>,
}

impl<T> Default for Timeline<T> {
    fn default() -> Self {
        Self {
            entries: Vec::new(),
        }
    }
}

impl<T> Timeline<T> {
    /// A value that has always been so.
    pub(crate) fn always(value: T) -> Self {
        Self {
            entries: vec![(Timestamp::MIN, value)],
        }
    }

    /// From `at` on the value is this.
    pub(crate) fn set(&mut self, at: Timestamp, value: T) {
        let still_seen = self
            .entries
            .iter()
            .rposition(|(since, _)| at.duration_since(*since) > KEPT)
            .unwrap_or(0);
        self.entries.drain(..still_seen);
        self.entries.push((at, value));
    }

    /// The value as of the last change.
    pub(crate) fn latest(&self) -> Option<&T> {
        self.entries.last().map(|(_, value)| value)
    }

    /// The value that a reader sees whose copy ends at `when`.
    pub(crate) fn at(&self, when: Timestamp) -> Option<&T> {
        self.entries
            .iter()
            .rev()
            .find(|(since, _)| *since <= when)
            .map(|(_, value)| value)
    }
}

impl Timeline<bool> {
    pub(crate) fn holds(&self) -> bool {
        self.latest().copied().unwrap_or(false)
    }

    pub(crate) fn held_at(&self, when: Timestamp) -> bool {
        self.at(when).copied().unwrap_or(false)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn a_reader_sees_the_value_of_its_own_time() {
        let mut present = Timeline::default();
        present.set(at(10), true);
        present.set(at(20), false);
        assert_eq!(
            [5, 10, 19, 20].map(|second| present.held_at(at(second))),
            [false, true, true, false]
        );
        assert!(!present.holds());
    }

    #[test]
    fn forgetting_keeps_the_value_that_old_readers_see() {
        let mut value = Timeline::always('a');
        value.set(at(1), 'b');
        value.set(at(100_000), 'c');
        assert_eq!(value.at(at(99_999)), Some(&'b'));
        assert_eq!(value.entries.len(), 2);
    }
}
