//! The parameters of a call, checked against the constraints of the service model as they are read.

use serde_json::{Map, Value};

use crate::error::ServiceError;
use crate::wire::Service;

/// What a text parameter may look like.
pub(crate) struct Shape {
    /// The service model's words for it, quoted in the error.
    rule: &'static str,
    valid: fn(&str) -> bool,
}

/// Parameters of one call, or of one structure within it.
#[derive(Clone, Copy)]
pub(crate) struct Input<'a> {
    service: Service,
    members: &'a Map<String, Value>,
}

impl<'a> Input<'a> {
    pub(crate) fn new(service: Service, members: &'a Map<String, Value>) -> Self {
        Self { service, members }
    }

    /// A text that must be there.
    pub(crate) fn required(&self, member: &str, shape: &Shape) -> Result<&'a str, ServiceError> {
        self.text(member, shape)?
            .ok_or_else(|| self.missing(member))
    }

    /// A text that may be there.
    pub(crate) fn text(
        &self,
        member: &str,
        shape: &Shape,
    ) -> Result<Option<&'a str>, ServiceError> {
        match self.members.get(member) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) if (shape.valid)(text) => Ok(Some(text)),
            Some(Value::String(text)) => {
                Err(self.violation(member, &format!("Value '{text}'"), shape.rule))
            }
            Some(_) => Err(self.unreadable(member)),
        }
    }

    /// A whole number within bounds; the query protocol writes it as text.
    pub(crate) fn number(
        &self,
        member: &str,
        least: usize,
        most: usize,
    ) -> Result<Option<usize>, ServiceError> {
        let number = match self.members.get(member) {
            None | Some(Value::Null) => return Ok(None),
            Some(Value::Number(number)) => number.as_i64(),
            Some(Value::String(text)) => text.parse().ok(),
            Some(_) => None,
        };
        let Some(number) = number else {
            return Err(self.unreadable(member));
        };
        match usize::try_from(number) {
            Ok(fits) if fits < least => Err(self.violation(
                member,
                &format!("Value '{number}'"),
                &format!("have value greater than or equal to {least}"),
            )),
            Ok(fits) if fits <= most => Ok(Some(fits)),
            _ => Err(self.violation(
                member,
                &format!("Value '{number}'"),
                &format!("have value between {least} and {most}"),
            )),
        }
    }

    /// A structure that may be there.
    pub(crate) fn structure(&self, member: &str) -> Result<Option<Input<'a>>, ServiceError> {
        match self.members.get(member) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::Object(members)) => Ok(Some(Input {
                service: self.service,
                members,
            })),
            Some(_) => Err(self.unreadable(member)),
        }
    }

    /// A structure that must be there.
    pub(crate) fn required_structure(&self, member: &str) -> Result<Input<'a>, ServiceError> {
        self.structure(member)?.ok_or_else(|| self.missing(member))
    }

    /// The structures of a list, none if it is absent.
    pub(crate) fn structures(&self, member: &str) -> Result<Vec<Input<'a>>, ServiceError> {
        self.list(member)?
            .iter()
            .map(|item| match item {
                Value::Object(members) => Ok(Input {
                    service: self.service,
                    members,
                }),
                _ => Err(self.unreadable(member)),
            })
            .collect()
    }

    /// The texts of a list that must hold `least` to `most` of them.
    pub(crate) fn texts(
        &self,
        member: &str,
        shape: &Shape,
        least: usize,
        most: usize,
    ) -> Result<Vec<&'a str>, ServiceError> {
        let list = self.list(member)?;
        if list.len() < least || list.len() > most {
            let rule = format!("have length between {least} and {most}");
            return Err(self.violation(member, "Value", &rule));
        }
        list.iter()
            .map(|item| match item {
                Value::String(text) if (shape.valid)(text) => Ok(text.as_str()),
                other => Err(self.violation(member, &format!("Value '{other}'"), shape.rule)),
            })
            .collect()
    }

    fn list(&self, member: &str) -> Result<&'a [Value], ServiceError> {
        match self.members.get(member) {
            // An empty list in the query protocol is `Tags=`.
            None | Some(Value::Null) => Ok(&[]),
            Some(Value::String(text)) if text.is_empty() => Ok(&[]),
            Some(Value::Array(items)) => Ok(items),
            Some(_) => Err(self.unreadable(member)),
        }
    }

    pub(crate) fn missing(&self, member: &str) -> ServiceError {
        self.violation(member, "Value null", "not be null")
    }

    fn violation(&self, member: &str, found: &str, rule: &str) -> ServiceError {
        let mut letters = member.chars();
        let first = letters.next().map(|letter| letter.to_ascii_lowercase());
        let member: String = first.into_iter().chain(letters).collect();
        let message = format!(
            "1 validation error detected: {found} at '{member}' failed to satisfy constraint: Member must {rule}"
        );
        ServiceError::invalid(self.service, message)
    }

    fn unreadable(&self, member: &str) -> ServiceError {
        let code = if self.service.is_query() {
            "MalformedInput"
        } else {
            "SerializationException"
        };
        ServiceError::new(self.service, code, format!("{member} is of the wrong type"))
    }
}

macro_rules! shapes {
    ($($(#[$doc:meta])* $name:ident = $rule:literal, $valid:expr;)*) => {
        $($(#[$doc])* pub(crate) const $name: Shape = Shape { rule: $rule, valid: $valid };)*
    };
}

shapes! {
    /// `InstanceArn` of sso-admin.
    INSTANCE_ARN = "satisfy regular expression pattern: arn:aws(-[a-z]{1,5}){0,3}:sso:::instance/(sso)?ins-[a-zA-Z0-9-.]{16}",
        |text| sso_resource(text).and_then(|rest| rest.strip_prefix("instance/")).is_some_and(instance_id);
    /// `PermissionSetArn` of sso-admin.
    PERMISSION_SET_ARN = "satisfy regular expression pattern: arn:aws(-[a-z]{1,5}){0,3}:sso:::permissionSet/(sso)?ins-[a-zA-Z0-9-.]{16}/ps-[a-zA-Z0-9-./]{16}",
        |text| sso_resource(text).and_then(|rest| rest.strip_prefix("permissionSet/")).is_some_and(permission_set_id);
    /// What sso-admin can tag.
    TAGGABLE_ARN = "satisfy regular expression pattern of a taggable resource", |text| sso_resource(text).is_some();
    /// Twelve digits.
    ACCOUNT_ID = "satisfy regular expression pattern: \\d{12}",
        |text| text.len() == 12 && text.bytes().all(|digit| digit.is_ascii_digit());
    TARGET_TYPE = "satisfy enum value set: [AWS_ACCOUNT]", |text| text == "AWS_ACCOUNT";
    PRINCIPAL_TYPE = "satisfy enum value set: [USER, GROUP]", |text| matches!(text, "USER" | "GROUP");
    STATUS = "satisfy enum value set: [IN_PROGRESS, FAILED, SUCCEEDED]", |text| matches!(text, "IN_PROGRESS" | "FAILED" | "SUCCEEDED");
    REGION_SCOPE = "satisfy enum value set: [ALL_REGIONS, CURRENT_REGION]", |text| matches!(text, "ALL_REGIONS" | "CURRENT_REGION");
    /// Ids of users, groups and memberships: a UUID, with ten hexadecimal digits and a hyphen before it or not.
    RESOURCE_ID = "satisfy regular expression pattern: ([0-9a-f]{10}-|)[A-Fa-f0-9]{8}-[A-Fa-f0-9]{4}-[A-Fa-f0-9]{4}-[A-Fa-f0-9]{4}-[A-Fa-f0-9]{12}",
        |text| match text.len() {
            36 => uuid(text),
            47 => text.split_once('-').is_some_and(|(store, id)| store.len() == 10 && hex(store) && uuid(id)),
            _ => false,
        };
    /// Request ids of assignments.
    UUID = "satisfy regular expression pattern: [0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}",
        |text| uuid(text) && !text.bytes().any(|letter| letter.is_ascii_uppercase());
    STORE_ID = "satisfy regular expression pattern: d-[0-9a-f]{10}$|^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}",
        |text| uuid(text) || text.strip_prefix("d-").is_some_and(|id| id.len() == 10 && hex(id));
    NEXT_TOKEN = "satisfy regular expression pattern: [-a-zA-Z0-9+=/:_]*", |text| text.len() <= 65_535;
    PERMISSION_SET_NAME = "satisfy regular expression pattern: [\\w+=,.@-]+ with length between 1 and 32", |text| name(text, 32);
    DURATION = "satisfy regular expression pattern of an ISO 8601 duration", |text| text.starts_with('P') && text.len() <= 100;
    /// Free text of the identity store.
    STORE_TEXT = "have length between 1 and 1024", |text| length(text, 1, 1024);
    STORE_USER_NAME = "have length between 1 and 128, without spaces",
        |text| length(text, 1, 128) && !text.contains(char::is_whitespace);
    ATTRIBUTE_PATH = "have length between 1 and 255", |text| length(text, 1, 255);
    IAM_NEW_USER_NAME = "satisfy regular expression pattern: [\\w+=,.@-]+ with length between 1 and 64", |text| name(text, 64);
    IAM_USER_NAME = "satisfy regular expression pattern: [\\w+=,.@-]+ with length between 1 and 128", |text| name(text, 128);
    IAM_GROUP_NAME = "satisfy regular expression pattern: [\\w+=,.@-]+ with length between 1 and 128", |text| name(text, 128);
    IAM_ROLE_NAME = "satisfy regular expression pattern: [\\w+=,.@-]+ with length between 1 and 64", |text| name(text, 64);
    IAM_PATH = "satisfy regular expression pattern: (/)|(/[!-~]+/)", |text| text.starts_with('/') && text.ends_with('/');
    IAM_TAG_KEY = "satisfy regular expression pattern: [\\p{L}\\p{Z}\\p{N}_.:/=+\\-@]+ with length between 1 and 128",
        |text| length(text, 1, 128) && tag_text(text);
    IAM_TAG_VALUE = "satisfy regular expression pattern: [\\p{L}\\p{Z}\\p{N}_.:/=+\\-@]* with length between 0 and 256",
        |text| length(text, 0, 256) && tag_text(text);
    ANY_TEXT = "have length between 1 and 131072", |text| length(text, 1, 131_072);
    ROLE_ARN = "have length between 20 and 2048", |text| length(text, 20, 2048);
    SESSION_NAME = "satisfy regular expression pattern: [\\w+=,.@-]* with length between 2 and 64", |text| text.len() >= 2 && name(text, 64);
}

fn length(text: &str, least: usize, most: usize) -> bool {
    (least..=most).contains(&text.chars().count())
}

fn name(text: &str, most: usize) -> bool {
    (1..=most).contains(&text.len())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"_+=,.@-".contains(&byte))
}

fn tag_text(text: &str) -> bool {
    text.chars().all(|letter| {
        letter.is_alphanumeric()
            || (letter.is_whitespace() && !letter.is_control())
            || "_.:/=+-@".contains(letter)
    })
}

fn hex(text: &str) -> bool {
    text.bytes().all(|digit| digit.is_ascii_hexdigit())
}

fn uuid(text: &str) -> bool {
    let lengths = [8, 4, 4, 4, 12];
    let mut parts = text.split('-');
    lengths.iter().all(|length| {
        parts
            .next()
            .is_some_and(|part| part.len() == *length && hex(part))
    }) && parts.next().is_none()
}

/// What follows `arn:PARTITION:sso:::`.
fn sso_resource(arn: &str) -> Option<&str> {
    let (partition, resource) = arn.strip_prefix("arn:")?.split_once(":sso:::")?;
    let known = partition == "aws" || partition.starts_with("aws-");
    known.then_some(resource)
}

fn instance_id(id: &str) -> bool {
    let id = id.strip_prefix("sso").unwrap_or(id);
    id.strip_prefix("ins-").is_some_and(|id| id.len() == 16)
}

fn permission_set_id(id: &str) -> bool {
    id.split_once('/').is_some_and(|(instance, set)| {
        instance_id(instance) && set.strip_prefix("ps-").is_some_and(|id| id.len() == 16)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shapes_take_what_the_models_take() {
        for (shape, good, bad) in [
            (
                INSTANCE_ARN,
                "arn:aws-us-gov:sso:::instance/ssoins-0123456789abcdef",
                "arn:aws:sso:::instance/ssoins-1",
            ),
            (
                PERMISSION_SET_ARN,
                "arn:aws:sso:::permissionSet/ssoins-0123456789abcdef/ps-0123456789abcdef",
                "arn:aws:sso:::instance/ssoins-0123456789abcdef/ps-0123456789abcdef",
            ),
            (ACCOUNT_ID, "012345678901", "12345678901"),
            (
                RESOURCE_ID,
                "0123456789-01234567-89ab-cdef-0123-456789abcdef",
                "alice",
            ),
            (
                UUID,
                "01234567-89ab-cdef-0123-456789abcdef",
                "01234567-89AB-cdef-0123-456789abcdef",
            ),
            (STORE_ID, "d-0123456789", "d-012345678"),
            (IAM_TAG_VALUE, "2026-01-01T00:00:00Z at noon", "a;b"),
            (IAM_NEW_USER_NAME, "member+1@example.com", "two words"),
        ] {
            assert!((shape.valid)(good), "{good} is refused: {}", shape.rule);
            assert!(!(shape.valid)(bad), "{bad} is taken: {}", shape.rule);
        }
    }
}
