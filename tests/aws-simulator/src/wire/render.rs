//! Answers in the protocol of their service.

use std::fmt::Write as _;

use axum::body::Bytes;
use axum::http::{self, HeaderValue, header};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::Service;
use crate::error::ServiceError;

/// Writes what a service answers.
pub(crate) fn render(
    service: Service,
    operation: &str,
    answer: &Result<Value, ServiceError>,
    request_id: &str,
    date: Timestamp,
) -> http::Response<Bytes> {
    let (status, content_type, body) = match (service.namespace(), answer) {
        (None, Ok(output)) => (
            200,
            "application/x-amz-json-1.1",
            without_nulls(output).to_string(),
        ),
        (None, Err(error)) => (
            error.status,
            "application/x-amz-json-1.1",
            json_error(service, error, request_id),
        ),
        (Some(namespace), Ok(output)) => (
            200,
            "text/xml",
            xml_answer(namespace, operation, output, request_id),
        ),
        (Some(namespace), Err(error)) => (
            error.status,
            "text/xml",
            xml_error(namespace, error, request_id),
        ),
    };
    response(status, content_type, body, request_id, date)
}

/// The header by which every answer names its request.
pub(crate) const REQUEST_ID: &str = "x-amzn-requestid";

/// An answer of any kind, with the headers that every answer of AWS has.
pub(crate) fn response(
    status: u16,
    content_type: &'static str,
    body: String,
    request_id: &str,
    date: Timestamp,
) -> http::Response<Bytes> {
    let mut response = http::Response::new(Bytes::from(body));
    *response.status_mut() =
        http::StatusCode::from_u16(status).unwrap_or(http::StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    let date = date.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string();
    for (name, value) in [(REQUEST_ID, request_id), ("date", &date)] {
        if let Ok(value) = HeaderValue::from_str(value) {
            headers.insert(name, value);
        }
    }
    response
}

/// Members that are absent are left out.
fn without_nulls(value: &Value) -> Value {
    match value {
        Value::Object(members) => {
            let present = members.iter().filter(|(_, value)| !value.is_null());
            Value::Object(
                present
                    .map(|(name, value)| (name.clone(), without_nulls(value)))
                    .collect(),
            )
        }
        Value::Array(items) => items.iter().map(without_nulls).collect(),
        other => other.clone(),
    }
}

fn json_error(service: Service, error: &ServiceError, request_id: &str) -> String {
    let mut body = error.details.clone();
    body.insert("__type".to_owned(), error.code.clone().into());
    // The model's member is `Message`; sso-admin answers have been seen with `message`.
    let message = if service == Service::IdentityStore {
        "Message"
    } else {
        "message"
    };
    body.insert(message.to_owned(), error.message.clone().into());
    if service == Service::IdentityStore {
        body.insert("RequestId".to_owned(), request_id.into());
    }
    Value::Object(body).to_string()
}

fn xml_answer(namespace: &str, operation: &str, output: &Value, request_id: &str) -> String {
    let mut body = format!("<{operation}Response xmlns=\"{namespace}\">");
    if !output.is_null() {
        element(&mut body, &format!("{operation}Result"), output);
    }
    element(
        &mut body,
        "ResponseMetadata",
        &json!({ "RequestId": request_id }),
    );
    let _ = write!(body, "</{operation}Response>");
    body
}

fn xml_error(namespace: &str, error: &ServiceError, request_id: &str) -> String {
    let kind = if error.status < 500 {
        "Sender"
    } else {
        "Receiver"
    };
    let mut body = format!("<ErrorResponse xmlns=\"{namespace}\">");
    element(
        &mut body,
        "Error",
        &json!({ "Type": kind, "Code": error.code, "Message": error.message }),
    );
    element(&mut body, "RequestId", &request_id.into());
    body.push_str("</ErrorResponse>");
    body
}

fn element(out: &mut String, name: &str, value: &Value) {
    let _ = write!(out, "<{name}>");
    match value {
        Value::Null => {}
        Value::Object(members) => members
            .iter()
            .filter(|(_, value)| !value.is_null())
            .for_each(|(name, value)| element(out, name, value)),
        Value::Array(items) => items.iter().for_each(|item| element(out, "member", item)),
        Value::String(text) => escape(out, text),
        other => escape(out, &other.to_string()),
    }
    let _ = write!(out, "</{name}>");
}

fn escape(out: &mut String, text: &str) {
    for character in text.chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            other => out.push(other),
        }
    }
}

/// A time in the JSON protocols: seconds since 1970.
#[expect(
    clippy::cast_precision_loss,
    reason = "milliseconds since 1970 fit a double"
)]
pub(crate) fn epoch(time: Timestamp) -> Value {
    json!(time.as_millisecond() as f64 / 1000.0)
}

/// A time in the query protocol: ISO 8601 in whole seconds.
pub(crate) fn iso(time: Timestamp) -> Value {
    time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn xml_text_is_escaped() {
        let mut out = String::new();
        element(&mut out, "Message", &"<a & b>".into());
        assert_eq!(out, "<Message>&lt;a &amp; b&gt;</Message>");
    }
}
