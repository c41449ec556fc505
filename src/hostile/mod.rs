//! Hostile input for property tests: what was right once and then was spoilt, the ends of time, and
//! text that pretends to be something else.

pub(crate) mod schema;

use proptest::prelude::*;
use proptest::sample::{Index, select};
use serde_json::{Map, Value, json};

/// A configuration with so many cases.
pub(crate) fn cases(cases: u32) -> ProptestConfig {
    ProptestConfig {
        cases,
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

const NASTY: &[&str] = &[
    "",
    " ",
    "\n",
    "\0",
    "\r\n2026-01-01T00:00:00Z  INFO granted",
    "alice\u{2028}bob",
    "\u{85}\u{b}\u{1b}[2J",
    "\u{202e}ecila",
    "аlice",
    "alice\u{200b}",
    "ALICE",
    "alice ",
    "true",
    "True",
    "null",
    "{}",
    "</UserName><UserId>AIDA2</UserId>",
    "\"}\n{\"outcome\":\"Succeeded\"",
    "*",
    "**?",
    "9223372036854775807",
    "-9223372036854775808",
    "1e999",
    "PT9223372036854775807S",
    "-PT1H",
    "99999h99999h99999h99999h",
    "arn:aws:sso:::instance/",
    "{{.Values.x}}",
    "🧨",
];

/// Where calendars and clocks run out, some of it behind the end.
const ENDS_OF_TIME: &[&str] = &[
    "0000-01-01T00:00:00Z",
    "0000-01-01T00:00:00+23:59",
    "-000001-12-31T23:59:59Z",
    "-009999-01-02T01:59:59Z",
    "9999-12-30T22:00:00.999999999Z",
    "9999-12-31T23:59:59Z",
    "9999-12-31T23:59:59-23:59",
    "+262143-01-01T00:00:00Z",
    "2016-12-31T23:59:60Z",
    "2038-01-19T03:14:08Z",
];

/// Any text, most of it unpleasant, some of it long.
pub(crate) fn text() -> BoxedStrategy<String> {
    let long = (
        select(&['x', '\n', 'é', '🧨', '"', '\u{7}'][..]),
        500usize..9_000,
        // What is cut at so many bytes is cut within a character.
        0usize..3,
    );
    prop_oneof![
        3 => "[ -~]{0,24}",
        3 => prop::collection::vec(any::<char>(), 0..24).prop_map(String::from_iter),
        4 => select(NASTY).prop_map(str::to_owned),
        1 => long.prop_map(|(c, count, before)| "x".repeat(before) + &c.to_string().repeat(count)),
        2 => time(),
    ]
    .boxed()
}

/// A point in time as people might write it: the ends of time, days that no calendar has, leap
/// seconds, offsets, small letters.
pub(crate) fn time() -> BoxedStrategy<String> {
    let year = prop_oneof![
        select(&[0u32, 1, 1969, 1970, 2025, 2026, 2027, 9998, 9999][..]),
        0u32..10_000
    ];
    let day = (1u32..=12, prop_oneof![9 => 1u32..=28, 1 => 0u32..=33]);
    let clock = (
        prop_oneof![9 => 0u32..24, 1 => 24u32..26],
        prop_oneof![9 => 0u32..60, 1 => 60u32..62],
        prop_oneof![9 => 0u32..60, 1 => 60u32..62],
    );
    let fraction = select(&["", "", "", ".5", ".999999999", ".0000000001", ",5", "."][..]);
    let separator = select(&["T", "T", "T", "T", "t", " "][..]);
    let offset = select(
        &[
            "Z", "Z", "Z", "z", "+01:00", "-23:59", "+23:59", "-00:00", "+24:00", "+0100", "",
            "+05:45", "Z[UTC]",
        ][..],
    );
    let written = (year, day, clock, separator, fraction, offset).prop_map(|(year, (month, day), (hour, minute, second), separator, fraction, offset)| {
            format!("{year:04}-{month:02}-{day:02}{separator}{hour:02}:{minute:02}:{second:02}{fraction}{offset}")
        });
    let ends = select(ENDS_OF_TIME).prop_map(str::to_owned);
    prop_oneof![9 => written, 1 => ends].boxed()
}

/// Nanoseconds since 1970 of a strictly written RFC 3339 time; none for anything else, leap seconds
/// included. Reckoned here by hand, so that the parser of the product is held against another.
pub(crate) fn nanoseconds(text: &str) -> Option<i128> {
    let number = |from: usize, to: usize| -> Option<i128> {
        let digits = text.get(from..to)?;
        digits
            .bytes()
            .all(|byte| byte.is_ascii_digit())
            .then(|| digits.parse().ok())?
    };
    let is = |at: usize, byte: u8| (text.as_bytes().get(at) == Some(&byte)).then_some(());
    let (year, month, day) = (number(0, 4)?, number(5, 7)?, number(8, 10)?);
    let (hour, minute, second) = (number(11, 13)?, number(14, 16)?, number(17, 19)?);
    for (at, byte) in [(4, b'-'), (7, b'-'), (10, b'T'), (13, b':'), (16, b':')] {
        is(at, byte)?;
    }
    let mut rest = text.get(19..)?;
    let mut nanos = 0;
    if let Some(fraction) = rest.strip_prefix('.') {
        let digits = fraction.bytes().take_while(u8::is_ascii_digit).count();
        if digits == 0 || digits > 9 {
            return None;
        }
        nanos = format!("{:0<9}", &fraction[..digits]).parse().ok()?;
        rest = &fraction[digits..];
    }
    let offset = match (rest.as_bytes(), rest) {
        (_, "Z") => 0,
        ([sign @ (b'+' | b'-'), h1, h2, b':', m1, m2], _) => {
            let two = |tens: u8, ones: u8| {
                let digits = [tens, ones].map(|byte| char::from(byte).to_digit(10));
                Some(i128::from(digits[0]? * 10 + digits[1]?))
            };
            let (hours, minutes) = (two(*h1, *h2)?, two(*m1, *m2)?);
            if hours > 23 || minutes > 59 {
                return None;
            }
            (hours * 60 + minutes) * if *sign == b'-' { -60 } else { 60 }
        }
        _ => return None,
    };
    let leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    let longest = match month {
        4 | 6 | 9 | 11 => 30,
        2 => 28 + i128::from(leap),
        1..=12 => 31,
        _ => return None,
    };
    if !(1..=longest).contains(&day) || hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    // Days from civil: the year begins in March, so that the leap day is its last.
    let (y, m) = if month > 2 {
        (year, month - 3)
    } else {
        (year - 1, month + 9)
    };
    let days =
        365 * y + y.div_euclid(4) - y.div_euclid(100) + y.div_euclid(400) + (153 * m + 2) / 5 + day
            - 1
            - 719_468;
    let seconds = days * 86_400 + hour * 3_600 + minute * 60 + second - offset;
    Some(seconds * 1_000_000_000 + nanos)
}

/// Any JSON.
pub(crate) fn any_json() -> BoxedStrategy<Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        select(&[u64::MAX, 0, 1 << 53][..]).prop_map(Value::from),
        text().prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((text(), inner), 0..4)
                .prop_map(|fields| Value::Object(Map::from_iter(fields))),
        ]
    })
    .boxed()
}

/// What is done to one place in a value.
#[derive(Clone, Debug)]
pub(crate) enum Change {
    /// It is not there any more.
    Drop,
    /// Something else stands there.
    Put(Value),
    /// It stands in a list.
    Wrap,
    /// It stands in so many lists.
    Nest(usize),
    /// It has another name.
    Rename(String),
    /// It is there twice, as far as a value can have that.
    Double,
}

/// Any change.
pub(crate) fn change() -> impl Strategy<Value = Change> + Clone {
    prop_oneof![
        2 => damage(),
        3 => text().prop_map(|text| Change::Put(text.into())),
        1 => any_json().prop_map(Change::Put),
        1 => Just(Change::Double),
        1 => text().prop_map(Change::Rename),
    ]
}

/// A change that leaves nothing of what was there: dropped, of another type, in the wrong place.
pub(crate) fn damage() -> impl Strategy<Value = Change> + Clone {
    prop_oneof![
        4 => Just(Change::Drop),
        3 => Just(Change::Put(Value::Null)),
        3 => select(vec![json!(7), json!(-1.5), json!(i64::MIN), json!(u64::MAX)]).prop_map(Change::Put),
        2 => any::<bool>().prop_map(|value| Change::Put(value.into())),
        2 => Just(Change::Put(json!({}))),
        2 => Just(Change::Put(json!({"Value": "x", "": null}))),
        2 => Just(Change::Wrap),
        1 => (2usize..60).prop_map(Change::Nest),
    ]
}

/// The value with some changes made somewhere in it.
pub(crate) fn spoilt(
    value: Value,
    changes: impl Strategy<Value = Change>,
    most: usize,
) -> impl Strategy<Value = Value> {
    prop::collection::vec((any::<Index>(), changes), 0..=most).prop_map(move |changes| {
        let mut value = value.clone();
        for (place, change) in &changes {
            spoil(&mut value, *place, change);
        }
        value
    })
}

/// Makes one change somewhere in a value.
pub(crate) fn spoil(value: &mut Value, place: Index, change: &Change) {
    let places = places(value);
    if places > 0 {
        spoil_at(value, &mut place.index(places), change);
    }
}

/// How many places there are below a value.
pub(crate) fn places(value: &Value) -> usize {
    let below = |value: &Value| 1 + places(value);
    match value {
        Value::Object(fields) => fields.values().map(below).sum(),
        Value::Array(items) => items.iter().map(below).sum(),
        _ => 0,
    }
}

fn spoil_at(parent: &mut Value, left: &mut usize, change: &Change) -> bool {
    match parent {
        Value::Object(fields) => {
            for name in fields.keys().cloned().collect::<Vec<_>>() {
                if *left == 0 {
                    match change {
                        Change::Drop => drop(fields.remove(&name)),
                        Change::Rename(to) => {
                            let value = fields.remove(&name).unwrap_or_default();
                            fields.insert(to.clone(), value);
                        }
                        other => put(&mut fields[&name], other),
                    }
                    return true;
                }
                *left -= 1;
                if spoil_at(&mut fields[&name], left, change) {
                    return true;
                }
            }
        }
        Value::Array(items) => {
            for at in 0..items.len() {
                if *left == 0 {
                    match change {
                        Change::Drop => drop(items.remove(at)),
                        Change::Double => items.push(items[at].clone()),
                        other => put(&mut items[at], other),
                    }
                    return true;
                }
                *left -= 1;
                if spoil_at(&mut items[at], left, change) {
                    return true;
                }
            }
        }
        _ => {}
    }
    false
}

fn put(value: &mut Value, change: &Change) {
    let depth = match change {
        Change::Put(new) => {
            *value = new.clone();
            0
        }
        Change::Wrap => 1,
        Change::Double => {
            *value = json!([value, value]);
            0
        }
        Change::Nest(depth) => *depth,
        Change::Drop | Change::Rename(_) => 0,
    };
    for _ in 0..depth {
        *value = json!([value]);
    }
}

#[test]
fn times_are_reckoned_by_hand_as_the_calendar_has_them() {
    for (text, seconds) in [
        ("1970-01-01T00:00:00Z", 0),
        ("2000-02-29T23:59:59+00:00", 951_868_799),
        ("2026-11-22T10:00:00+01:00", 1_795_338_000),
        ("0000-01-01T00:00:00Z", -62_167_219_200),
    ] {
        assert_eq!(nanoseconds(text), Some(seconds * 1_000_000_000), "{text}");
    }
    for wrong in ["2026-02-29T00:00:00Z", "2026-01-01T00:00:60Z", "2026-01-01"] {
        assert_eq!(nanoseconds(wrong), None, "{wrong}");
    }
}
