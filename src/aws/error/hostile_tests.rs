//! Every failed call has a class, and only AWS's own words make it "gone".

use proptest::prelude::*;
use proptest::sample::select;

use super::{Class, Effect, classify, classify_failure_reason, is_whole};
use crate::hostile::{cases, text};

fn code() -> impl Strategy<Value = Option<String>> {
    const KNOWN: &[&str] = &[
        "ThrottlingException",
        "ResourceNotFoundException",
        "NoSuchEntity",
        "nosuchentity",
        "NoSuchEntity ",
        "ResourceNotFoundExceptiоn",
        "AccessDenied",
        "ConflictException",
        "InternalFailure",
    ];
    prop_oneof![
        1 => Just(None),
        3 => select(KNOWN).prop_map(|code| Some(code.to_owned())),
        2 => text().prop_map(Some),
    ]
}

proptest! {
    #![proptest_config(cases(3000))]

    #[test]
    fn only_aws_saying_so_with_a_refusal_is_gone(
        code in code(),
        reason in prop::option::of(prop_oneof![text(), select(&["KMS_KEY_NOT_FOUND", "KMS_"][..]).prop_map(str::to_owned)]),
        status in prop_oneof![any::<u16>(), 200u16..600],
        write in any::<bool>(),
    ) {
        let effect = if write { Effect::Write } else { Effect::Read };
        let class = classify(code.as_deref(), reason.as_deref(), status, effect);
        let said = matches!(
            code.as_deref(),
            Some("ResourceNotFoundException" | "NoSuchEntity" | "NoSuchEntityException")
        );
        let of_a_key = reason.is_some_and(|reason| reason.starts_with("KMS_"));
        prop_assert_eq!(class == Class::Gone, said && !of_a_key && (400..500).contains(&status));
        // A read has no outcome to be in doubt of, and a write without a code is nothing but doubt.
        prop_assert!(write || class != Class::OutcomeUnknown);
        if write && code.is_none() && !of_a_key && status != 429 {
            prop_assert_eq!(class, Class::OutcomeUnknown);
        }
        // What AWS failed at may have been done, whatever it calls that.
        if write && status >= 500 && class == Class::Invalid {
            prop_assert!(code.is_some_and(|code| code.starts_with(char::is_uppercase)));
        }
    }

    #[test]
    fn every_reason_of_a_failure_has_a_class(reason in text()) {
        let class = classify_failure_reason(&reason);
        prop_assert!(class != Class::OutcomeUnknown && class != Class::Quota);
    }

    /// A body is whole up to its last character, and no earlier.
    #[test]
    fn half_a_body_is_not_whole(code in "[A-Za-z]{1,12}", message in "[a-z<>&;/ ]{0,20}", cut in any::<prop::sample::Index>()) {
        let message = message.replace('&', "&amp;").replace('<', "&lt;");
        let xml = format!("<?xml version=\"1.0\"?>\n<ErrorResponse xmlns=\"x\"><Error><Code>{code}</Code><Message>{message}</Message></Error></ErrorResponse>");
        prop_assert!(is_whole(xml.as_bytes()));
        let at = 1 + cut.index(xml.len() - 1);
        prop_assert!(!is_whole(&xml.as_bytes()[..at]), "{}", &xml[..at]);
    }
}
