//! What is told of text that others wrote: one line, and nothing in it that they could have made up.

use std::io::Write;
use std::sync::{Arc, Mutex};

use proptest::prelude::*;
use serde_json::Value;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;

use super::audit::{Action, Write as AuditWrite, text_of};
use super::{LogFormat, logger};
use crate::api::access::{
    AccessState, Attempt, BreakglassAccess, EndReason, Operation, Provenance,
};
use crate::api::hostile_tests::tuple;
use crate::aws::Outcome;
use crate::aws::error::{Class, Error};
use crate::decide::fixtures::{at, claim, holder, ledger};
use crate::decide::ledger::end;
use crate::hostile::{cases, text};

#[derive(Clone, Default)]
struct Page(Arc<Mutex<Vec<u8>>>);

impl Write for Page {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Page {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

/// What the log shows of an event that has this text in every place where text can be.
fn logged(format: LogFormat, ansi: bool, said: &str) -> String {
    let page = Page::default();
    let logger = logger(format, EnvFilter::new("info"), page.clone(), ansi);
    tracing::subscriber::with_default(logger, || {
        let error = Error::new("sso:ListInstances", Class::Denied, said);
        tracing::warn!(%error, user = said, target = %said, list = ?[said], why = said, "{said}");
    });
    let bytes = page.0.lock().unwrap().clone();
    String::from_utf8(bytes).unwrap()
}

/// Every way in which a reader of lines may end one.
fn ends_lines(c: char) -> bool {
    matches!(
        c,
        '\n' | '\r' | '\u{b}' | '\u{c}' | '\u{85}' | '\u{2028}' | '\u{2029}'
    )
}

proptest! {
    #![proptest_config(cases(150))]

    #[test]
    fn a_log_line_stays_one_line(said in text(), ansi in any::<bool>()) {
        let line = logged(LogFormat::Text, ansi, &said);
        prop_assert!(line.ends_with('\n'));
        let forged = line.trim_end_matches('\n').chars().find(|c| ends_lines(*c));
        prop_assert!(forged.is_none(), "{:?}", line);
        prop_assert_eq!(line.matches('\n').count(), 1);

        let line = logged(LogFormat::Json, ansi, &said);
        prop_assert_eq!(line.matches('\n').count(), 1);
        let read: Value = serde_json::from_str(&line).unwrap();
        prop_assert_eq!(&read["user"], &Value::from(said.as_str()));
        prop_assert_eq!(&read["level"], "WARN");
        prop_assert_eq!(line.matches("\"message\":").count() - said.matches("\"message\":").count(), 1);
    }

    #[test]
    fn an_audit_line_is_one_line_of_json_that_says_what_happened(
        tuple in tuple(),
        (name, uid, hash, policy, commit, message, request, id) in
            (text(), text(), text(), text(), text(), text(), text(), text()),
        action in 0..4,
        outcome in 0..5,
    ) {
        let mut standing = claim("one", 0, 100);
        standing.grant.name.clone_from(&name);
        standing.uid.clone_from(&uid);
        standing.spec_hash = hash;
        standing.policy.name = policy;
        standing.provenance = Some(Provenance { commit: Some(commit.clone()), ..Provenance::default() });
        let mut access = BreakglassAccess::new(&name, ledger(vec![standing]));
        access.spec.user = tuple.user().to_owned();
        access.spec.target_summary = tuple.summary();
        access.spec.tuple = tuple;
        access.spec.state = AccessState::Open;
        if action % 2 == 1 {
            end(&mut access.spec, &[(uid.clone(), EndReason::Deleted)], at(5));
        }
        let attempt = Attempt {
            operation: if action == 0 { Operation::Create } else { Operation::Delete },
            id: id.clone(),
            holder: holder(&id),
            written_at: at(1),
            send_before: at(2),
        };
        let error = Error { request_id: Some(request.clone()), ..Error::new("iam:TagUser", Class::Denied, &*message) };
        let outcome = match outcome {
            0 => Outcome::Succeeded { request_id: Some(request) },
            1 => Outcome::InProgress { request_id: request },
            2 => Outcome::Failed(error),
            3 => Outcome::Unknown(error),
            _ => Outcome::NotSent,
        };
        let line = text_of(&AuditWrite {
            access: &access,
            action: match action {
                0 | 1 => Action::Attempt(&attempt),
                2 => Action::Tag,
                _ => Action::Untag,
            },
            outcome: &outcome,
            begun: at(6),
            ended: at(7),
        }).unwrap();
        prop_assert!(line.ends_with('\n'));
        prop_assert_eq!(line.matches(['\n', '\r', '\0']).count(), 1);
        let read: Value = serde_json::from_str(&line).unwrap();
        prop_assert_eq!(&read["schema"], "breakglass.dev/audit/v1");
        prop_assert_eq!(&read["access"], &Value::from(name.as_str()));
        prop_assert_eq!(&read["user"], &Value::from(access.spec.user.as_str()));
        prop_assert_eq!(&read["grants"][0]["name"], &Value::from(name.as_str()));
        prop_assert_eq!(&read["grants"][0]["uid"], &Value::from(uid.as_str()));
        prop_assert_eq!(&read["grants"][0]["unverifiedProvenance"]["commit"], &Value::from(commit.as_str()));
        if let Outcome::Failed(_) | Outcome::Unknown(_) = outcome {
            prop_assert_eq!(&read["error"], &Value::from(format!("iam:TagUser: {message}")));
        }
    }
}
