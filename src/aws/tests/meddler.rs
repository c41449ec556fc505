//! Something between us and AWS that spoils answers.

use std::convert::Infallible;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient,
    SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_runtime_api::http::StatusCode;
use aws_smithy_types::body::SdkBody;
use futures::StreamExt;
use http_body::Frame;
use http_body_util::StreamBody;
use proptest::sample::Index;
use serde_json::Value;

use super::{Aws, Cloud, Config, Desk, Settings, caller};
use crate::hostile::Change;

/// What is done to the answers of one operation.
#[derive(Clone, Debug)]
pub(super) enum Spoil {
    /// Something else answers, and AWS is never asked.
    Instead(u16, String),
    /// The same, with the header by which AWS's answers are known.
    Posing(u16, String),
    /// Nothing comes after this part of it.
    Cut(Index),
    /// Something in it is changed: the kind of change, and where.
    Within(Index, Change),
    /// There is always another page.
    Endless {
        /// Whether each page has a mark of its own.
        new_marks: bool,
    },
    /// There is more, but nothing says where.
    MoreWithoutMark,
    /// So many bytes come each time, so far apart, and never the last.
    Trickle(usize, Duration),
}

#[derive(Clone, Debug, Default)]
struct Order(
    Arc<Mutex<Option<(String, Spoil, usize)>>>,
    Page,
    Arc<AtomicUsize>,
);

/// The page that is there again and again.
type Page = Arc<Mutex<Option<Vec<u8>>>>;

/// A way to a simulated AWS on which somebody sits.
#[derive(Clone, Debug)]
pub(super) struct Meddler {
    client: SharedHttpClient,
    order: Order,
}

impl Meddler {
    pub(super) fn new(cloud: &Cloud) -> Self {
        Self {
            client: SharedHttpClient::new(cloud.simulator.http_client()),
            order: Order::default(),
        }
    }

    /// A program that knows nothing yet.
    pub(super) async fn aws(&self, cloud: &Cloud, account: &str) -> Aws {
        let sdk = caller(account).into_builder().http_client(self.clone());
        let settings = Settings {
            calls_per_second: 1_000,
            ..Settings::default()
        };
        let (config, desk) = (Config::default(), Desk::new(&settings));
        Aws::connect(&sdk.build(), &config, desk, cloud.clock())
            .await
            .unwrap()
    }

    pub(super) fn spoil(&self, operation: &str, spoil: &Spoil) {
        *self.order.0.lock().unwrap() = Some((operation.to_owned(), spoil.clone(), 0));
    }

    /// How many bytes have trickled.
    pub(super) fn trickled(&self) -> usize {
        self.order.2.load(Ordering::Relaxed)
    }

    /// How many answers were spoilt since that was asked for. None is spoilt any more.
    pub(super) fn stop(&self) -> usize {
        let order = self.order.0.lock().unwrap().take();
        order.map_or(0, |(_, _, spoilt)| spoilt)
    }
}

impl HttpClient for Meddler {
    fn http_connector(
        &self,
        settings: &HttpConnectorSettings,
        components: &RuntimeComponents,
    ) -> SharedHttpConnector {
        SharedHttpConnector::new(Connector {
            connector: self.client.http_connector(settings, components),
            order: self.order.clone(),
        })
    }
}

#[derive(Debug)]
struct Connector {
    connector: SharedHttpConnector,
    order: Order,
}

impl HttpConnector for Connector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let operation = operation_of(&request);
        let spoil = match &mut *self.order.0.lock().unwrap() {
            Some((name, spoil, spoilt)) if *name == operation => {
                *spoilt += 1;
                (spoil.clone(), *spoilt)
            }
            _ => return self.connector.call(request),
        };
        let id = |id: bool| id.then_some("c0ffee");
        match spoil.0 {
            Spoil::Instead(status, body) => return answer(status, id(false), body.into_bytes()),
            Spoil::Posing(status, body) => return answer(status, id(true), body.into_bytes()),
            Spoil::Trickle(bytes, apart) => return trickle(bytes, apart, &self.order.2),
            _ => {}
        }
        let page = Arc::clone(&self.order.1);
        if let (Spoil::Endless { .. }, 2..) = &spoil {
            // AWS would not know the mark.
            let page = page.lock().unwrap().clone().unwrap();
            return answer(200, id(true), spoilt(&page, &spoil.0, spoil.1));
        }
        let real = self.connector.call(request);
        HttpConnectorFuture::new(async move {
            let real = real.await?;
            *page.lock().unwrap() = real.body().bytes().map(<[u8]>::to_vec);
            let body = real.body().bytes().unwrap_or_default();
            let spoilt = spoilt(body, &spoil.0, spoil.1);
            let id = real.headers().get("x-amzn-requestid");
            answer(real.status().as_u16(), id, spoilt).await
        })
    }
}

fn operation_of(request: &HttpRequest) -> String {
    if let Some(target) = request.headers().get("x-amz-target") {
        return target.rsplit('.').next().unwrap_or_default().to_owned();
    }
    let body = request.body().bytes().unwrap_or_default();
    let fields = String::from_utf8_lossy(body);
    let action = fields
        .split('&')
        .find_map(|field| field.strip_prefix("Action="));
    action.unwrap_or_default().to_owned()
}

fn answer(status: u16, id: Option<&str>, body: Vec<u8>) -> HttpConnectorFuture {
    let status = StatusCode::try_from(status).unwrap();
    let mut response = HttpResponse::new(status, SdkBody::from(body));
    if let Some(id) = id {
        let headers = response.headers_mut();
        headers.insert("x-amzn-requestid", id.to_owned());
    }
    HttpConnectorFuture::ready(Ok(response))
}

fn trickle(bytes: usize, apart: Duration, trickled: &Arc<AtomicUsize>) -> HttpConnectorFuture {
    let trickled = Arc::clone(trickled);
    let frames = futures::stream::unfold((), move |()| {
        let trickled = Arc::clone(&trickled);
        async move {
            tokio::time::sleep(apart).await;
            let before = trickled.fetch_add(bytes, Ordering::Relaxed);
            // Who takes so much takes all: the test must end.
            (before < TOO_MUCH).then(|| {
                (
                    Ok::<_, Infallible>(Frame::data(vec![b' '; bytes].into())),
                    (),
                )
            })
        }
    });
    let body = SdkBody::from_body_1_x(StreamBody::new(Box::pin(frames.fuse())));
    let mut response = HttpResponse::new(StatusCode::try_from(200).unwrap(), body);
    let headers = response.headers_mut();
    headers.insert("x-amzn-requestid", "c0ffee");
    HttpConnectorFuture::ready(Ok(response))
}

/// In bytes.
const TOO_MUCH: usize = 256 << 20;

fn spoilt(body: &[u8], spoil: &Spoil, time: usize) -> Vec<u8> {
    let text = String::from_utf8(body.to_vec()).unwrap();
    let json = serde_json::from_slice::<Value>(body).ok();
    let mark = |new: bool| format!("mark{}", if new { time } else { 0 });
    match (spoil, json) {
        (Spoil::Cut(at), _) if !text.is_empty() => body[..at.index(body.len())].to_vec(),
        (Spoil::Within(place, change), Some(mut json)) => {
            let before = json.clone();
            crate::hostile::spoil(&mut json, *place, change);
            // A list with a row less is as good an answer as any.
            if matches!(change, Change::Drop) && one_less(&before, &json) {
                json = before;
                crate::hostile::spoil(&mut json, *place, &Change::Put(Value::Null));
            }
            json.to_string().into_bytes()
        }
        (Spoil::Within(place, change), None) => xml_spoilt(&text, *place, change).into_bytes(),
        (Spoil::Endless { new_marks }, Some(mut json)) => {
            json["NextToken"] = mark(*new_marks).into();
            json.to_string().into_bytes()
        }
        (Spoil::Endless { new_marks }, None) => {
            let more = format!("<Marker>{}</Marker>", mark(*new_marks));
            truncated(&text, &more).into_bytes()
        }
        (Spoil::MoreWithoutMark, None) => truncated(&text, "").into_bytes(),
        _ => text.into_bytes(),
    }
}

/// Whether one list lacks a row that another has.
fn one_less(before: &Value, after: &Value) -> bool {
    match (before, after) {
        (Value::Array(a), Value::Array(b)) if a.len() != b.len() => true,
        (Value::Array(a), Value::Array(b)) => a.iter().zip(b).any(|(a, b)| one_less(a, b)),
        (Value::Object(a), Value::Object(b)) => {
            let both = a.iter().filter_map(|(key, a)| Some((a, b.get(key)?)));
            both.into_iter().any(|(a, b)| one_less(a, b))
        }
        _ => false,
    }
}

fn truncated(xml: &str, marker: &str) -> String {
    let more = format!("<IsTruncated>true</IsTruncated>{marker}");
    xml.replace("<IsTruncated>false</IsTruncated>", &more)
}

/// XML with one element changed as a value would be.
fn xml_spoilt(xml: &str, place: Index, change: &Change) -> String {
    let elements = elements(xml);
    let (from, to, name) = &elements[place.index(elements.len())];
    let whole = &xml[*from..*to];
    let new = match change {
        Change::Drop => String::new(),
        // An element without rows is an empty list, and as good an answer as any.
        Change::Put(Value::Null) if whole.contains("<member>") => String::new(),
        Change::Double => format!("{whole}{whole}"),
        Change::Rename(_) => whole.replace(name, "Other"),
        Change::Wrap => format!("<Other>{whole}</Other>"),
        Change::Nest(depth) => format!("{}{whole}{}", "<a>".repeat(*depth), "</a>".repeat(*depth)),
        Change::Put(Value::Null) => format!("<{name}/>"),
        Change::Put(Value::String(text)) => {
            let safe = text.replace('&', "&amp;").replace('<', "&lt;");
            format!("<{name}>{safe}</{name}>")
        }
        // In XML a number is text like any other; what is of another type is an element.
        Change::Put(value) => format!("<{name}><Other>{value}</Other></{name}>"),
    };
    format!("{}{new}{}", &xml[..*from], &xml[*to..])
}

/// Where each element begins and ends, and its name. Rows of lists are left out: a list with a row
/// less is as good as any.
fn elements(xml: &str) -> Vec<(usize, usize, String)> {
    let mut found = Vec::new();
    for (from, _) in xml.match_indices('<') {
        let rest = &xml[from + 1..];
        let name: String = rest
            .chars()
            .take_while(char::is_ascii_alphanumeric)
            .collect();
        let end = format!("</{name}>");
        if name.is_empty() || name == "member" || name == "ResponseMetadata" || name == "RequestId"
        {
            continue;
        }
        if let Some(length) = xml[from..].find(&end) {
            found.push((from, from + length + end.len(), name));
        }
    }
    found
}
