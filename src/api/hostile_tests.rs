//! Times, lengths of time, names and messages, whatever is in them.

use jiff::Timestamp;
use proptest::prelude::*;

use super::conditions::{Condition, ConditionStatus, merge};
use super::time::{Duration, whole_seconds, writable};
use super::tuple::{AccountAssignment, IamGroup, IdentityCenterGroup, Tuple};
use crate::clock::{after, until};
use crate::hostile::{cases, nanoseconds, text, time};

/// Any tuple; which kind it is and every one of its strings.
pub(crate) fn tuple() -> impl Strategy<Value = Tuple> {
    (0..3, prop::collection::vec(text(), 7)).prop_map(|(kind, texts)| {
        let [
            instance_arn,
            identity_store_id,
            account,
            entitlement,
            name,
            user_id,
            user,
        ] = texts.try_into().unwrap();
        match kind {
            0 => Tuple::AccountAssignment(AccountAssignment {
                instance_arn,
                identity_store_id,
                account,
                permission_set_arn: entitlement,
                permission_set: name,
                user_id,
                user,
            }),
            1 => Tuple::IdentityCenterGroup(IdentityCenterGroup {
                instance_arn,
                identity_store_id,
                group_id: entitlement,
                group: name,
                user_id,
                user,
            }),
            _ => Tuple::IamGroup(IamGroup {
                account,
                group_id: entitlement,
                group: name,
                user_id,
                user,
            }),
        }
    })
}

/// The sum of what a length of time says, reckoned another way than by the parser.
fn milliseconds(text: &str) -> Option<u64> {
    let pattern = regex_lite::Regex::new("^([0-9]{1,5}(h|m|s|ms)){1,4}$").unwrap();
    let part = regex_lite::Regex::new("([0-9]+)([a-z]+)").unwrap();
    pattern.is_match(text).then(|| {
        let parts = part.captures_iter(text).map(|part| {
            let unit = match &part[2] {
                "h" => 3_600_000,
                "m" => 60_000,
                "s" => 1_000,
                _ => 1,
            };
            part[1].parse::<u64>().unwrap() * unit
        });
        parts.sum()
    })
}

proptest! {
    #![proptest_config(cases(500))]

    /// An expiry that is read as another instant than it says would end access late.
    #[test]
    fn a_time_is_read_as_the_instant_that_it_says(text in prop_oneof![9 => time(), 1 => text()]) {
        match (text.parse::<Timestamp>(), nanoseconds(&text)) {
            (Ok(read), Some(said)) => prop_assert_eq!(read.as_nanosecond(), said),
            // The end of time: nothing can be granted until then.
            (Err(_), Some(said)) => prop_assert!(
                said > Timestamp::MAX.as_nanosecond() || said < Timestamp::MIN.as_nanosecond()
            ),
            (_, None) => {}
        }
    }

    #[test]
    fn times_are_moved_and_compared_up_to_their_ends(a in time(), b in time(), by in any::<u64>()) {
        let (Ok(a), Ok(b)) = (a.parse::<Timestamp>(), b.parse::<Timestamp>()) else { return Ok(()) };
        prop_assert!(after(a, std::time::Duration::from_secs(by)) >= a);
        prop_assert_eq!(until(a, b).is_zero(), b <= a);
        prop_assert!(nanoseconds(&writable(a).to_string()).is_some());
        let shown = whole_seconds(a).to_string();
        let said = nanoseconds(&shown);
        prop_assert!(said.is_some(), "{} can't be written", shown);
        if a.as_second() >= -62_167_219_200 {
            prop_assert_eq!(said, Some(i128::from(a.as_second()) * 1_000_000_000));
        }
    }

    #[test]
    fn a_length_of_time_is_what_the_schema_lets_through_and_nothing_else(
        text in prop_oneof![
            2 => "([0-9]{1,5}(h|m|s|ms)){1,4}",
            1 => "[0-9]{0,6}[hms .,-]{0,2}[0-9]{0,6}(h|m|s|ms|d)?",
            1 => text(),
        ],
    ) {
        let read = text.parse::<Duration>().ok();
        prop_assert_eq!(read.map(|read| read.0.as_millis()), milliseconds(&text).map(u128::from));
        if let Some(read) = read.filter(|read| read.0.as_secs() / 3_600 < 100_000) {
            prop_assert_eq!(read.to_string().parse::<Duration>(), Ok(read));
        }
    }

    /// The name of an access is a name that Kubernetes takes, whatever AWS calls things, and tells
    /// tuples apart by each of their ids and by nothing else.
    #[test]
    fn an_access_has_a_name_of_its_own(a in tuple(), field in any::<prop::sample::Index>(), other in text()) {
        let name = a.access_name();
        prop_assert!(name.len() <= 63);
        prop_assert!(name.bytes().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'-'));
        let mut json = serde_json::to_value(&a).unwrap();
        prop_assert_eq!(&serde_json::from_value::<Tuple>(json.clone()).unwrap(), &a);
        let (kind, fields) = json.as_object_mut().unwrap().iter_mut().next().unwrap();
        let fields = fields.as_object_mut().unwrap();
        let field = fields.keys().nth(field.index(fields.len())).unwrap().clone();
        let is_name = matches!(field.as_str(), "user" | "group" | "permissionSet")
            // The instance says which store it has.
            || (kind == "accountAssignment" && field == "identityStoreId");
        let same = is_name || fields[&field] == other;
        fields[&field] = other.into();
        let b: Tuple = serde_json::from_value(json).unwrap();
        prop_assert_eq!(name == b.access_name(), same, "{}", field);
        prop_assert_eq!(a.same_ids(&b), same);
    }

    #[test]
    fn where_a_part_ends_tells_a_digest(parts in prop::collection::vec("[ab]{0,3}", 0..4), other in prop::collection::vec("[ab]{0,3}", 0..4)) {
        let digest = |parts: &[String]| crate::digest::of(20, parts.iter().map(String::as_str));
        prop_assert_eq!(digest(&parts) == digest(&other), parts == other);
    }

    #[test]
    fn a_message_is_cut_where_a_character_ends(message in text(), old in time()) {
        let condition = |message: &str, last_transition_time| Condition {
            kind: "Ready".into(),
            status: ConditionStatus::True,
            reason: "Reason".into(),
            message: message.into(),
            last_transition_time,
            observed_generation: None,
        };
        let old = old.parse().unwrap_or(Timestamp::UNIX_EPOCH);
        let merged = merge(&[condition("", old)], vec![condition(&message, Timestamp::MAX)]);
        prop_assert!(message.starts_with(&merged[0].message));
        prop_assert!(merged[0].message.chars().count() <= 4096);
        let shown = crate::hostile::schema::complaints(
            "BreakglassGrant", "properties/status/properties/conditions",
            &serde_json::to_value(&merged).unwrap(),
        );
        prop_assert!(shown.is_empty(), "{:?}", shown);
    }
}
