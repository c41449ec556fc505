//! Configuration files that were typed in a hurry, or by somebody who wishes us ill.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::Config;
use crate::hostile::{Change, cases, change, spoilt, text};

/// A configuration with everything in it. What is JSON is YAML.
fn whole() -> Value {
    let role = "arn:aws:iam::111122223333:role/granter";
    json!({
        "identityCenter": {
            "instanceArn": "arn:aws:sso:::instance/ssoins-1", "region": "eu-central-1",
            "granterRoleArn": role, "reaperRoleArn": role,
        },
        "iamAccounts": [
            {"account": "111122223333", "granterRoleArn": role},
            {"account": "444455556666", "reaperRoleArn": role},
        ],
        "protectedAccounts": ["777788889999"],
        "settings": {
            "settleWindow": "2s", "iamSettleWindow": "3s", "sendWindow": "10s", "claimLead": "0s",
            "unknownOutcome": "15m", "callsPerSecond": 8, "inFlight": 8, "retryCap": "5m",
        },
    })
}

/// What must be so of every configuration that is taken.
fn makes_sense(config: &Config) {
    let accounts = config.iam_accounts.iter().map(|account| &account.account);
    let listed: std::collections::BTreeSet<_> = accounts.clone().collect();
    assert_eq!(listed.len(), config.iam_accounts.len());
    for account in accounts.chain(&config.protected_accounts) {
        assert!(account.len() == 12 && account.bytes().all(|byte| byte.is_ascii_digit()));
    }
    let settings = &config.settings;
    assert!(settings.calls_per_second > 0 && settings.in_flight > 0);
    for time in [
        settings.settle_window,
        settings.iam_settle_window,
        settings.send_window,
        settings.unknown_outcome,
        settings.retry_cap,
        settings.drift_interval,
        settings.relist_interval,
    ] {
        assert!(!time.is_zero());
    }
}

fn check(text: &str) -> Result<(), TestCaseError> {
    match Config::parse(text) {
        Ok(config) => makes_sense(&config),
        Err(why) => {
            prop_assert!(!why.is_empty());
            prop_assert_eq!(why.lines().count(), 1, "{:?}", why);
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(cases(300))]

    #[test]
    fn a_spoilt_configuration_is_refused_or_makes_sense(
        config in spoilt(whole(), prop_oneof![
            2 => change(),
            1 => "[0-9]{0,14}".prop_map(|digits| Change::Put(digits.into())),
            1 => "[0-9]{1,5}(h|m|s|ms)".prop_map(|time| Change::Put(time.into())),
            1 => (-1i64..3).prop_map(|number| Change::Put(number.into())),
        ], 2),
    ) {
        check(&config.to_string())?;
    }

    #[test]
    fn any_text_is_refused_or_makes_sense(text in prop_oneof![
        text(),
        "(settings|iamAccounts|protectedAccounts|&a|\\*a|<<|:|,|-|\\[|\\]|\\{|\\}|!!int|'|\"|\\||>|#|\n| |0x1F|1e9|12){0,20}",
    ]) {
        check(&text)?;
    }
}

/// Files that a parser would unfold into more than the machine has.
#[test]
fn a_bomb_does_not_go_off() {
    let begun = std::time::Instant::now();
    let mut bomb = "protectedAccounts:\n- &a ['x', 'x', 'x', 'x', 'x', 'x', 'x', 'x']\n".to_owned();
    for (from, to) in "abcdefgh".chars().zip("bcdefghi".chars()) {
        use std::fmt::Write as _;
        let list = vec![format!("*{from}"); 9].join(", ");
        let _ = writeln!(bomb, "- &{to} [{list}]");
    }
    let long = format!(
        "protectedAccounts: [&a '{}', {}]",
        "x".repeat(2_000),
        "*a, ".repeat(2_000)
    );
    let deep = "protectedAccounts: ".to_owned() + &"[".repeat(100_000);
    let wide = format!("protectedAccounts: [{}]", "'x', ".repeat(2_000));
    let merged = "a: &a {<<: *a}\nsettings: *a";
    let twice = "settings: {inFlight: 1}\nsettings: {inFlight: 0}";
    for text in [bomb.as_str(), &long, &deep, &wide, merged, twice] {
        let why = Config::parse(text).unwrap_err();
        assert_eq!(why.lines().count(), 1);
        assert!(why.len() < 1_000, "{} bytes", why.len());
    }
    // Tests share the machine with others.
    assert!(begun.elapsed().as_secs() < 60);
}
