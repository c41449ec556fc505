//! The two protocols: AWS JSON 1.1 and the AWS query protocol, both read into and written from JSON values.

mod render;

use std::collections::BTreeMap;

use axum::body::Bytes;
use axum::http::{self, HeaderMap};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::error::ServiceError;

pub(crate) use render::{REQUEST_ID, epoch, iso, render, response};

/// An AWS service that is simulated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Service {
    /// IAM Identity Center: instances, permission sets, assignments.
    SsoAdmin,
    /// IAM Identity Center: users, groups, memberships.
    #[serde(rename = "identitystore")]
    IdentityStore,
    /// Users, groups and roles of one account.
    Iam,
    /// Who the caller is, and roles assumed.
    Sts,
    /// The accounts.
    Organizations,
}

/// How a service is spoken to.
struct Dialect {
    service: Service,
    /// `X-Amz-Target` before the dot, or the query API's version.
    key: &'static str,
    /// What its actions are called in policies.
    action_prefix: &'static str,
    /// XML namespace; none for JSON.
    namespace: Option<&'static str>,
}

const DIALECTS: [Dialect; 5] = [
    Dialect {
        service: Service::SsoAdmin,
        key: "SWBExternalService",
        action_prefix: "sso",
        namespace: None,
    },
    Dialect {
        service: Service::IdentityStore,
        key: "AWSIdentityStore",
        action_prefix: "identitystore",
        namespace: None,
    },
    Dialect {
        service: Service::Organizations,
        key: "AWSOrganizationsV20161128",
        action_prefix: "organizations",
        namespace: None,
    },
    Dialect {
        service: Service::Iam,
        key: "2010-05-08",
        action_prefix: "iam",
        namespace: Some("https://iam.amazonaws.com/doc/2010-05-08/"),
    },
    Dialect {
        service: Service::Sts,
        key: "2011-06-15",
        action_prefix: "sts",
        namespace: Some("https://sts.amazonaws.com/doc/2011-06-15/"),
    },
];

impl Service {
    fn dialect(self) -> Option<&'static Dialect> {
        DIALECTS.iter().find(|dialect| dialect.service == self)
    }

    pub(crate) fn is_query(self) -> bool {
        self.namespace().is_some()
    }

    pub(crate) fn action_prefix(self) -> &'static str {
        self.dialect().map_or("", |dialect| dialect.action_prefix)
    }

    pub(crate) fn version(self) -> &'static str {
        self.dialect().map_or("", |dialect| dialect.key)
    }

    fn namespace(self) -> Option<&'static str> {
        self.dialect().and_then(|dialect| dialect.namespace)
    }
}

/// The signing information of a request. Signatures are not checked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Credentials {
    pub(crate) access_key_id: String,
    pub(crate) session_token: Option<String>,
    pub(crate) region: String,
}

/// A request as the services see it.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub(crate) service: Service,
    pub(crate) operation: String,
    pub(crate) parameters: Map<String, Value>,
    pub(crate) credentials: Option<Credentials>,
    pub(crate) user_agent: String,
}

/// A request, and the error that its service gives if it can't read it.
pub(crate) struct Received {
    pub(crate) call: Call,
    pub(crate) unreadable: Option<ServiceError>,
}

/// Reads a request. What can't be read has no operation.
pub(crate) fn receive(request: &http::Request<Bytes>) -> Received {
    let headers = request.headers();
    let parsed = match text(headers, "x-amz-target") {
        Some(target) => parse_json(target, request.body()),
        None => parse_query(request.body()),
    };
    let (service, operation, parameters, unreadable) = match parsed {
        Ok((service, operation, parameters)) => (service, operation, parameters, None),
        Err((service, error)) => (service, String::new(), Map::new(), Some(error)),
    };
    let user_agent = text(headers, "user-agent").unwrap_or_default().to_owned();
    let call = Call {
        service,
        operation,
        parameters,
        credentials: credentials(headers),
        user_agent,
    };
    Received { call, unreadable }
}

fn text<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

type Parsed = (Service, String, Map<String, Value>);

fn parse_json(target: &str, body: &[u8]) -> Result<Parsed, (Service, ServiceError)> {
    let (prefix, operation) = target.split_once('.').unwrap_or((target, ""));
    let Some(service) = DIALECTS
        .iter()
        .find(|dialect| dialect.key == prefix)
        .map(|dialect| dialect.service)
    else {
        return Err((
            Service::SsoAdmin,
            ServiceError::unknown_operation(Service::SsoAdmin, target),
        ));
    };
    let body = if body.is_empty() {
        b"{}".as_slice()
    } else {
        body
    };
    match serde_json::from_slice(body) {
        Ok(Value::Object(parameters)) => Ok((service, operation.to_owned(), parameters)),
        _ => Err((
            service,
            ServiceError::new(
                service,
                "SerializationException",
                "The body is not a JSON object",
            ),
        )),
    }
}

fn parse_query(body: &[u8]) -> Result<Parsed, (Service, ServiceError)> {
    let mut fields: BTreeMap<String, String> = form_urlencoded::parse(body).into_owned().collect();
    let version = fields.remove("Version").unwrap_or_default();
    let action = fields.remove("Action");
    let service = DIALECTS
        .iter()
        .find(|dialect| dialect.namespace.is_some() && dialect.key == version)
        .map(|dialect| dialect.service);
    match (service, action) {
        (Some(service), Some(action)) => Ok((service, action, nest(fields))),
        (service, None) => {
            let service = service.unwrap_or(Service::Iam);
            Err((
                service,
                ServiceError::new(
                    service,
                    "MissingAction",
                    "The request is missing an action.",
                ),
            ))
        }
        (None, Some(action)) => Err((
            Service::Iam,
            ServiceError::new(
                Service::Iam,
                "InvalidAction",
                format!("Could not find operation {action} for version {version}"),
            ),
        )),
    }
}

/// `Tags.member.1.Key=a` becomes `{"Tags": [{"Key": "a"}]}`.
fn nest(fields: BTreeMap<String, String>) -> Map<String, Value> {
    let mut root = Map::new();
    for (path, value) in fields {
        let mut steps = path.split('.').peekable();
        let mut level = &mut root;
        while let Some(step) = steps.next() {
            if steps.peek().is_none() {
                level.insert(step.to_owned(), Value::String(value));
                break;
            }
            let entry = level.entry(step).or_insert_with(|| json!({}));
            let Value::Object(inner) = entry else { break };
            level = inner;
        }
    }
    root.into_iter()
        .map(|(name, value)| (name, fold_lists(value)))
        .collect()
}

fn fold_lists(value: Value) -> Value {
    let Value::Object(mut object) = value else {
        return value;
    };
    if let (1, Some(Value::Object(members))) = (object.len(), object.get_mut("member")) {
        let mut members: Vec<(u64, Value)> = std::mem::take(members)
            .into_iter()
            .filter_map(|(index, value)| Some((index.parse().ok()?, fold_lists(value))))
            .collect();
        members.sort_by_key(|(index, _)| *index);
        return Value::Array(members.into_iter().map(|(_, value)| value).collect());
    }
    Value::Object(
        object
            .into_iter()
            .map(|(name, value)| (name, fold_lists(value)))
            .collect(),
    )
}

/// The credential scope of a Signature Version 4 header: `Credential=KEY/DATE/REGION/SERVICE/aws4_request`.
fn credentials(headers: &HeaderMap) -> Option<Credentials> {
    let scope = text(headers, "authorization")?
        .split_once("Credential=")?
        .1
        .split([',', ' '])
        .next()?;
    let mut parts = scope.split('/');
    let access_key_id = parts.next()?.to_owned();
    let region = parts.nth(1)?.to_owned();
    let session_token = text(headers, "x-amz-security-token").map(str::to_owned);
    Some(Credentials {
        access_key_id,
        session_token,
        region,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn query_lists_are_read_in_the_order_of_their_numbers() {
        let fields = [
            ("Tags.member.10.Key", "j"),
            ("Tags.member.2.Key", "b"),
            ("Tags.member.2.Value", "x"),
            ("UserName", "u"),
        ];
        let nested = nest(
            fields
                .into_iter()
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .collect(),
        );
        assert_eq!(
            Value::Object(nested),
            json!({ "Tags": [{ "Key": "b", "Value": "x" }, { "Key": "j" }], "UserName": "u" })
        );
    }
}
