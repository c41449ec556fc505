//! A request, read from HTTP.

use std::sync::Arc;

use axum::body::Bytes;
use axum::http::{self, Method};
use serde_json::Value;

use super::answer::Answer;
use crate::call::Verb;

/// A request for a kind, as the path, the query and the body say.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) verb: Verb,
    pub(crate) group: String,
    pub(crate) version: String,
    pub(crate) resource: String,
    pub(crate) namespace: Option<String>,
    pub(crate) name: Option<String>,
    pub(crate) subresource: Option<String>,
    pub(crate) query: Query,
    pub(crate) body: Body,
}

/// The parameters that are understood; others are refused, since ignoring them would lie.
#[derive(Clone, Debug, Default)]
pub(crate) struct Query {
    pub(crate) resource_version: Option<String>,
    pub(crate) exact: bool,
    pub(crate) limit: Option<usize>,
    pub(crate) continue_token: Option<String>,
    pub(crate) timeout_seconds: Option<u64>,
    pub(crate) bookmarks: bool,
    pub(crate) initial_events: bool,
    pub(crate) only_name: Option<String>,
}

/// What was sent along.
#[derive(Clone, Debug)]
pub(crate) enum Body {
    Nothing,
    Json(Arc<Value>),
    MergePatch(Arc<Value>),
    JsonPatch(Arc<Value>),
    /// Not JSON.
    Unreadable,
}

impl Body {
    pub(crate) fn value(&self) -> Option<&Arc<Value>> {
        match self {
            Self::Json(value) | Self::MergePatch(value) | Self::JsonPatch(value) => Some(value),
            Self::Nothing | Self::Unreadable => None,
        }
    }
}

/// What a path means.
#[derive(Debug, Default)]
struct Place {
    group: String,
    version: String,
    namespace: Option<String>,
    resource: String,
    name: Option<String>,
    subresource: Option<String>,
}

impl Request {
    /// Reads a request; one that means nothing here has its answer at once.
    pub(crate) fn read(request: &http::Request<Bytes>) -> Result<Self, Answer> {
        let place = place(request.uri().path()).ok_or_else(Answer::no_such_path)?;
        let (query, watch) = query(request.uri().query().unwrap_or_default())?;
        let verb = match (request.method(), place.name.is_some()) {
            (&Method::GET, true) => Verb::Get,
            (&Method::GET, false) if watch => Verb::Watch,
            (&Method::GET, false) => Verb::List,
            (&Method::PUT, true) => Verb::Replace,
            (&Method::PATCH, true) => Verb::Patch,
            (&Method::DELETE, true) => Verb::Delete,
            // With a name as well: that of an object is ignored, that of a subresource is refused later.
            (&Method::POST, _) => Verb::Create,
            (&Method::PUT | &Method::PATCH, false) => {
                return Err(Answer::bad_request("name must be provided"));
            }
            _ => {
                let message = "the server does not allow this method on the requested resource";
                return Err(Answer::failure(405, "MethodNotAllowed", message, None));
            }
        };
        let kind = request.headers().get(http::header::CONTENT_TYPE);
        let kind = kind.and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        Ok(Self {
            verb,
            group: place.group,
            version: place.version,
            resource: place.resource,
            namespace: place.namespace,
            name: place.name,
            subresource: place.subresource,
            query,
            body: body(verb, kind, request.body())?,
        })
    }
}

fn place(path: &str) -> Option<Place> {
    let mut parts = path.trim_matches('/').split('/');
    if parts.next()? != "apis" {
        return None;
    }
    let mut place = Place {
        group: parts.next()?.to_owned(),
        version: parts.next()?.to_owned(),
        ..Place::default()
    };
    let rest: Vec<&str> = parts.collect();
    let rest = match rest.as_slice() {
        ["namespaces", namespace, rest @ ..] if !rest.is_empty() => {
            place.namespace = Some((*namespace).to_owned());
            rest
        }
        rest => rest,
    };
    let mut rest = rest.iter().map(|part| (*part).to_owned());
    place.resource = rest.next()?;
    place.name = rest.next();
    place.subresource = rest.next();
    rest.next().is_none().then_some(place)
}

fn query(text: &str) -> Result<(Query, bool), Answer> {
    let mut query = Query::default();
    let mut watch = false;
    for (name, value) in form_urlencoded::parse(text.as_bytes()) {
        let is_true = matches!(value.as_ref(), "true" | "1");
        let unknown = || {
            Err(Answer::bad_request(&format!(
                "not simulated: {name}={value}"
            )))
        };
        match name.as_ref() {
            "watch" => watch = is_true,
            "allowWatchBookmarks" => query.bookmarks = is_true,
            "sendInitialEvents" => query.initial_events = is_true,
            "resourceVersion" => {
                query.resource_version = (!value.is_empty()).then(|| value.into_owned());
            }
            "resourceVersionMatch" => match value.as_ref() {
                "Exact" => query.exact = true,
                "NotOlderThan" => {}
                _ => return unknown(),
            },
            "limit" => query.limit = value.parse().ok().filter(|limit| *limit > 0),
            "continue" => query.continue_token = (!value.is_empty()).then(|| value.into_owned()),
            "timeoutSeconds" => query.timeout_seconds = value.parse().ok(),
            "fieldSelector" => match value.strip_prefix("metadata.name=") {
                Some(name) if !name.contains([',', '=']) => {
                    query.only_name = Some(name.to_owned());
                }
                _ => return unknown(),
            },
            // Who a field belongs to is not kept, and unknown fields are dropped without a warning.
            "fieldManager" | "fieldValidation" | "pretty" => {}
            _ => return unknown(),
        }
    }
    Ok((query, watch))
}

fn body(verb: Verb, kind: &str, bytes: &Bytes) -> Result<Body, Answer> {
    if bytes.is_empty() || matches!(verb, Verb::Get | Verb::List | Verb::Watch) {
        return Ok(Body::Nothing);
    }
    let Ok(value) = serde_json::from_slice(bytes).map(Arc::new) else {
        return Ok(Body::Unreadable);
    };
    let kind = kind.split(';').next().unwrap_or_default().trim();
    match (verb, kind) {
        (Verb::Patch, "application/merge-patch+json") => Ok(Body::MergePatch(value)),
        (Verb::Patch, "application/json-patch+json") => Ok(Body::JsonPatch(value)),
        (Verb::Patch, _) => Err(Answer::failure(
            415,
            "UnsupportedMediaType",
            "the body of the request was in an unknown format - accepted media types include: application/json-patch+json, application/merge-patch+json, application/apply-patch+yaml",
            None,
        )),
        _ => Ok(Body::Json(value)),
    }
}
