//! What must hold at the end of every scenario, whatever it was about.

use jiff::Timestamp;

use super::Access;
use super::cloud::Write;

/// What a scenario has asked for, and what others did in it.
#[derive(Default)]
pub struct Record {
    pub accesses: Vec<Access>,
    pub given_by_others: Vec<Access>,
    pub grants: Vec<Promise>,
    pub policies: Vec<String>,
    pub counted: u32,
    pub left_open: bool,
    pub judged_elsewhere: bool,
}

/// What a grant allows at most.
pub struct Promise {
    pub name: String,
    pub access: Access,
    pub start: Option<Timestamp>,
    pub latest_expiry: Timestamp,
}

impl Record {
    /// AWS has what others gave, and nothing else.
    pub fn check_presence(&self, has: impl Fn(&Access) -> bool) -> Result<(), String> {
        self.accesses.iter().try_for_each(|access| {
            match (has(access), self.given_by_others.contains(access)) {
                (true, false) => Err(format!("AWS still has {access}")),
                (false, true) => Err(format!("{access} is gone, which others had given")),
                (true, true) | (false, false) => Ok(()),
            }
        })
    }

    /// Nothing was given without a grant, before a start, or at or after an expiry.
    pub fn check_writes(&self, access: &Access, writes: &[Write]) -> Result<(), String> {
        let promised = |write: &Write| {
            self.grants.iter().any(|grant| {
                grant.access.is_written_like(access)
                    && write.time() < grant.latest_expiry
                    && grant.start.is_none_or(|start| start <= write.time())
            })
        };
        match writes
            .iter()
            .find(|write| write.creates && !promised(write))
        {
            None => Ok(()),
            Some(write) => Err(format!(
                "{access} was given though no grant was due: {:?}",
                write.record
            )),
        }
    }
}

mod tests {
    use serde_json::json;

    use super::*;
    use crate::support::Kind;

    fn access() -> Access {
        Access {
            user: "alice@example.com".to_owned(),
            user_id: "u-1".to_owned(),
            kind: Kind::Group {
                name: "Responders".to_owned(),
            },
            entitlement_id: "g-1".to_owned(),
        }
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn write(creates: bool, second: i64) -> Write {
        let record = json!({
            "sequence": 1, "time": at(second), "account": null, "region": "us-east-1", "service": "identitystore",
            "operation": "", "parameters": {}, "caller": null, "role": null, "accessKeyId": null, "userAgent": "",
            "requestId": "", "handled": null, "outcome": null, "reply": "sent",
        });
        let record = serde_json::from_value(record).unwrap();
        Write { creates, record }
    }

    fn record() -> Record {
        let promise = Promise {
            name: "grant".to_owned(),
            access: access(),
            start: Some(at(10)),
            latest_expiry: at(20),
        };
        Record {
            accesses: vec![access()],
            grants: vec![promise],
            ..Record::default()
        }
    }

    #[test]
    fn access_that_is_left_behind_is_noticed() {
        assert!(record().check_presence(|_| true).is_err());
        assert!(record().check_presence(|_| false).is_ok());
    }

    #[test]
    fn access_of_others_that_is_taken_is_noticed() {
        let mut record = record();
        record.given_by_others = vec![access()];
        assert!(record.check_presence(|_| false).is_err());
        assert!(record.check_presence(|_| true).is_ok());
    }

    #[test]
    fn access_that_is_given_before_its_start_or_from_its_expiry_on_is_noticed() {
        let check = |creates, second| record().check_writes(&access(), &[write(creates, second)]);
        for (second, fine) in [(9, false), (10, true), (19, true), (20, false)] {
            assert_eq!(check(true, second).is_ok(), fine, "at second {second}");
        }
        assert!(check(false, 30).is_ok(), "taking it late is another matter");
    }

    #[test]
    fn access_that_is_given_without_a_grant_is_noticed() {
        let nothing = Record::default();
        assert!(nothing.check_writes(&access(), &[write(true, 15)]).is_err());
    }
}
