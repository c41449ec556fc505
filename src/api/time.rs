//! Points in time and lengths of time as the API shows them.

use jiff::Timestamp;
use schemars::{Schema, SchemaGenerator, json_schema};

/// RFC 3339 with an offset. `format: date-time` alone would also let `2027-01-01t00:00:00,5z` through.
const RFC_3339: &str = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}([.][0-9]{1,9})?(Z|[+-]([01][0-9]|2[0-3]):[0-5][0-9])$";

/// Hours, minutes, seconds and milliseconds in the Gateway API's notation (GEP-2257).
const GEP_2257: &str = "^([0-9]{1,5}(h|m|s|ms)){1,4}$";

/// Schema of a point in time: RFC 3339 with an offset.
pub fn timestamp(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": "string", "format": "date-time", "maxLength": 35, "pattern": RFC_3339})
}

/// Schema of an optional point in time.
pub fn optional_timestamp(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": "string", "format": "date-time", "maxLength": 35, "pattern": RFC_3339, "nullable": true})
}

/// Schema of an optional length of time such as `8h` or `1h30m` (GEP-2257).
pub fn optional_duration(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": "string", "pattern": GEP_2257, "nullable": true})
}

/// The first instant that the schema lets through, which knows no years before that of the turn of
/// the era. An offset makes an earlier one of what it has let through.
const EARLIEST: Timestamp = Timestamp::constant(-62_167_219_200, 0);

/// A time that the schema lets through.
#[must_use]
pub fn writable(time: Timestamp) -> Timestamp {
    time.max(EARLIEST)
}

/// A time without fractions, as statuses show it.
#[must_use]
pub fn whole_seconds(time: Timestamp) -> Timestamp {
    writable(Timestamp::from_second(time.as_second()).unwrap_or(time))
}

/// A length of time in GEP-2257 notation, written and read as a string.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Duration(pub std::time::Duration);

/// A length of time that can't be read.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error(
    "`{0}` is not a length of time: write hours, minutes and seconds such as `8h`, `90m` or `1h30m`"
)]
pub struct InvalidDuration(String);

impl std::str::FromStr for Duration {
    type Err = InvalidDuration;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let invalid = || InvalidDuration(text.to_owned());
        let mut rest = text;
        let mut milliseconds: u64 = 0;
        for _ in 0..4 {
            let digits = rest
                .find(|c: char| !c.is_ascii_digit())
                .ok_or_else(invalid)?;
            let (number, tail) = rest.split_at(digits);
            if number.is_empty() || number.len() > 5 {
                return Err(invalid());
            }
            let unit_end = tail
                .find(|c: char| c.is_ascii_digit())
                .unwrap_or(tail.len());
            let (unit, tail) = tail.split_at(unit_end);
            let unit = match unit {
                "h" => 3_600_000,
                "m" => 60_000,
                "s" => 1_000,
                "ms" => 1,
                _ => return Err(invalid()),
            };
            let number: u64 = number.parse().map_err(|_| invalid())?;
            milliseconds += number * unit;
            rest = tail;
            if rest.is_empty() {
                return Ok(Self(std::time::Duration::from_millis(milliseconds)));
            }
        }
        Err(invalid())
    }
}

impl std::fmt::Display for Duration {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let total = self.0.as_millis();
        let parts = [
            (total / 3_600_000, "h"),
            (total / 60_000 % 60, "m"),
            (total / 1_000 % 60, "s"),
            (total % 1_000, "ms"),
        ];
        if total == 0 {
            return f.write_str("0s");
        }
        for (number, unit) in parts {
            if number > 0 {
                write!(f, "{number}{unit}")?;
            }
        }
        Ok(())
    }
}

impl serde::Serialize for Duration {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> serde::Deserialize<'de> for Duration {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::Duration;

    #[test]
    fn durations_read_what_gep_2257_allows_and_nothing_else() {
        let seconds = |text: &str| text.parse::<Duration>().map(|d| d.0.as_secs());
        assert_eq!(seconds("8h"), Ok(28_800));
        assert_eq!(seconds("1h30m"), Ok(5_400));
        assert_eq!(seconds("90s"), Ok(90));
        assert_eq!(seconds("0h"), Ok(0));
        for wrong in [
            "",
            "8",
            "h",
            "1d",
            "-1h",
            "1.5h",
            "8h ",
            "123456h",
            "1h1m1s1ms1h",
        ] {
            assert!(seconds(wrong).is_err(), "{wrong} was read");
        }
    }

    #[test]
    fn durations_are_written_as_they_are_read() {
        for text in ["8h", "1h30m", "45s", "250ms", "0s"] {
            assert_eq!(text.parse::<Duration>().unwrap().to_string(), text);
        }
    }
}
