//! Answers, and the words in which the server refuses.

use std::sync::Arc;

use axum::body::Bytes;
use axum::http;
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::fate::Ending;

/// What the server answers.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) code: u16,
    pub(crate) content: Content,
}

#[derive(Clone, Debug)]
pub(crate) enum Content {
    Json(Arc<Value>),
    Text(&'static str, String),
}

/// The kind that a refusal is about.
#[derive(Clone, Copy, Debug)]
pub(crate) struct About<'a> {
    pub(crate) group: &'a str,
    /// The plural, or the kind in refusals of a content.
    pub(crate) resource: &'a str,
    pub(crate) name: &'a str,
}

impl About<'_> {
    fn qualified(&self) -> String {
        if self.group.is_empty() {
            self.resource.to_owned()
        } else {
            format!("{}.{}", self.resource, self.group)
        }
    }

    fn details(&self) -> Value {
        let mut details = json!({"name": self.name, "group": self.group, "kind": self.resource});
        if let Some(details) = details.as_object_mut() {
            details.retain(|_, value| value != "");
        }
        details
    }
}

/// One thing that is wrong with an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Cause {
    /// Such as `FieldValueInvalid`.
    pub(crate) reason: &'static str,
    pub(crate) message: String,
    pub(crate) field: String,
}

impl Cause {
    fn told(&self) -> String {
        format!("{}: {}", self.field, self.message)
    }
}

impl Answer {
    pub(crate) fn json(code: u16, value: impl Into<Arc<Value>>) -> Self {
        Self {
            code,
            content: Content::Json(value.into()),
        }
    }

    /// What a path gets that means nothing.
    pub(crate) fn no_such_path() -> Self {
        Self {
            code: 404,
            content: Content::Text("text/plain; charset=utf-8", "404 page not found\n".into()),
        }
    }

    pub(crate) fn html(code: u16) -> Self {
        let page =
            format!("<html><head><title>{code}</title></head><body><h1>{code}</h1></body></html>");
        Self {
            code,
            content: Content::Text("text/html", page),
        }
    }

    pub(crate) fn failure(code: u16, reason: &str, message: &str, details: Option<Value>) -> Self {
        Self::json(code, failure(code, reason, message, details))
    }

    pub(crate) fn bad_request(message: &str) -> Self {
        Self::failure(400, "BadRequest", message, None)
    }

    pub(crate) fn not_found(about: About<'_>) -> Self {
        let message = format!("{} \"{}\" not found", about.qualified(), about.name);
        Self::failure(404, "NotFound", &message, Some(about.details()))
    }

    pub(crate) fn already_exists(about: About<'_>, is_deleting: bool) -> Self {
        let why = if is_deleting {
            "object is being deleted: "
        } else {
            ""
        };
        let message = format!(
            "{why}{} \"{}\" already exists",
            about.qualified(),
            about.name
        );
        Self::failure(409, "AlreadyExists", &message, Some(about.details()))
    }

    pub(crate) fn conflict(about: About<'_>, why: &str) -> Self {
        let message = format!(
            "Operation cannot be fulfilled on {} \"{}\": {why}",
            about.qualified(),
            about.name
        );
        Self::failure(409, "Conflict", &message, Some(about.details()))
    }

    /// Somebody has written the object in between.
    pub(crate) fn modified(about: About<'_>) -> Self {
        Self::conflict(
            about,
            "the object has been modified; please apply your changes to the latest version and try again",
        )
    }

    pub(crate) fn invalid(about: About<'_>, causes: &[Cause]) -> Self {
        let told: Vec<String> = causes.iter().map(Cause::told).collect();
        let told = match told.as_slice() {
            [one] => one.clone(),
            many => format!("[{}]", many.join(", ")),
        };
        let message = format!(
            "{} \"{}\" is invalid: {told}",
            about.qualified(),
            about.name
        );
        let mut details = about.details();
        if let Some(details) = details.as_object_mut() {
            let causes = causes
                .iter()
                .map(|cause| json!({"reason": cause.reason, "message": cause.message, "field": cause.field}));
            details.insert("causes".to_owned(), causes.collect());
        }
        Self::failure(422, "Invalid", &message, Some(details))
    }

    /// Not what clients are meant to see.
    pub(crate) fn internal(message: &str) -> Self {
        let mut answer = Self::failure(500, "", message, None);
        if let Content::Json(status) = &mut answer.content
            && let Some(status) = Arc::make_mut(status).as_object_mut()
        {
            status.remove("reason");
        }
        answer
    }

    /// A verb that the kind, or the subresource, doesn't have.
    pub(crate) fn unsupported(verb: &str, about: About<'_>) -> Self {
        let message = format!(
            "{verb} is not supported on resources of kind \"{}\"",
            about.qualified()
        );
        let about = About { name: "", ..about };
        Self::failure(405, "MethodNotAllowed", &message, Some(about.details()))
    }

    /// A resourceVersion that is no number.
    pub(crate) fn no_version(text: &str) -> String {
        format!("strconv.ParseUint: parsing \"{text}\": invalid syntax")
    }

    /// The version asked for is too old.
    pub(crate) fn expired(message: &str) -> Self {
        Self::failure(410, "Expired", message, None)
    }

    pub(crate) fn is_success(&self) -> bool {
        (200..300).contains(&self.code)
    }

    pub(crate) fn value(&self) -> Option<&Arc<Value>> {
        match &self.content {
            Content::Json(value) => Some(value),
            Content::Text(..) => None,
        }
    }

    pub(crate) fn bytes(&self) -> Bytes {
        match &self.content {
            Content::Json(value) => Bytes::from(format!("{value}\n")),
            Content::Text(_, text) => Bytes::from(text.clone()),
        }
    }

    fn content_type(&self) -> &'static str {
        match &self.content {
            Content::Json(_) => "application/json",
            Content::Text(kind, _) => kind,
        }
    }

    /// The answer on its way at a time by the server's clock, with this body.
    pub(crate) fn response<B>(&self, body: B, now: Timestamp) -> http::Response<B> {
        let mut response = http::Response::new(body);
        *response.status_mut() = http::StatusCode::from_u16(self.code)
            .unwrap_or(http::StatusCode::INTERNAL_SERVER_ERROR);
        response.headers_mut().insert(
            http::header::CONTENT_TYPE,
            http::HeaderValue::from_static(self.content_type()),
        );
        let date = now.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string();
        if let Ok(date) = http::HeaderValue::from_str(&date) {
            response.headers_mut().insert(http::header::DATE, date);
        }
        response
    }
}

/// A `Status` of failure.
pub(crate) fn failure(code: u16, reason: &str, message: &str, details: Option<Value>) -> Value {
    let mut status = json!({
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": message,
        "reason": reason,
        "code": code,
    });
    if let (Some(details), Some(status)) = (details, status.as_object_mut()) {
        status.insert("details".to_owned(), details);
    }
    status
}

impl Ending {
    /// What is answered; none where nothing is.
    pub(crate) fn answer(&self) -> Option<Answer> {
        match self {
            Self::Status {
                code,
                reason,
                message,
            } => Some(Answer::failure(*code, reason, message, None)),
            Self::Html(code) => Some(Answer::html(*code)),
            Self::Foreign => Some(Answer::json(200, json!({"message": "in maintenance"}))),
            Self::Reset | Self::Hang | Self::Truncated => None,
        }
    }
}
