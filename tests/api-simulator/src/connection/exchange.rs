//! The life of a request, from its sending to its answer.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use axum::http;
use serde_json::Value;
use tokio::sync::oneshot;

use super::Connection;
use super::stream::WatchStream;
use crate::call::{Call, Verb};
use crate::fate::{Ending, Fate, Reset};
use crate::server::answer::Answer;
use crate::server::request::Request;
use crate::server::{Asker, metadata};

/// How a request ended.
pub(super) enum Exchanged {
    Whole(http::Response<Bytes>),
    /// With a head, and a body that goes on.
    Watch(Answer, Box<WatchStream>),
}

/// A request under way.
struct Sent {
    call: Arc<Call>,
    request: Arc<Result<Request, Answer>>,
    fate: Fate,
}

impl Connection {
    pub(super) async fn exchange(
        &self,
        request: &http::Request<Bytes>,
    ) -> Result<Exchanged, Reset> {
        let sent = self.dispatch(request);
        if let Some(ending) = sent.fate.instead.clone() {
            pause(sent.fate.before).await;
            let code = ending.answer().map(|answer| answer.code);
            self.simulator
                .state()
                .note(sent.call.number, |record| record.status = code);
            pause(sent.fate.after).await;
            return self.end(&ending, None).await;
        }
        if let (Verb::Watch, Ok(request)) = (sent.call.verb, &*sent.request) {
            return self.watch(&sent, request).await;
        }
        let answer = self.work(&sent).await?;
        pause(sent.fate.after).await;
        match &sent.fate.reply {
            Some(ending) => self.end(ending, Some(&answer)).await,
            None => Ok(self.whole(&answer, answer.bytes())),
        }
    }

    /// Numbers a request, writes it into the books and asks the gate about it.
    fn dispatch(&self, request: &http::Request<Bytes>) -> Sent {
        let request = Request::read(request);
        let now = self.simulator.now();
        let mut state = self.simulator.state();
        state.calls += 1;
        let call = Arc::new(call(state.calls, &self.actor, &request));
        state.record(&call, now);
        drop(state);
        let fate = self.gate.as_ref().map(|gate| gate(&call));
        Sent {
            fate: fate.unwrap_or_default(),
            request: Arc::new(request),
            call,
        }
    }

    /// Lets the request arrive, even if its sender gives up meanwhile.
    async fn work(&self, sent: &Sent) -> Result<Answer, Reset> {
        let (simulator, lag) = (self.simulator.clone(), self.lag);
        let (call, request) = (Arc::clone(&sent.call), Arc::clone(&sent.request));
        if sent.fate.before.is_zero() {
            return Ok(simulator.arrive(&call, lag, &request));
        }
        let (answers, answer) = oneshot::channel();
        let before = sent.fate.before;
        tokio::spawn(async move {
            tokio::time::sleep(before).await;
            // Nobody may be waiting for it any more.
            drop(answers.send(simulator.arrive(&call, lag, &request)));
        });
        answer.await.map_err(|_| Reset)
    }

    async fn watch(&self, sent: &Sent, request: &Request) -> Result<Exchanged, Reset> {
        pause(sent.fate.before).await;
        let asker = Asker {
            lag: self.lag,
            ..self.simulator.asker(&self.actor, Some(sent.call.number))
        };
        let opened = self.simulator.state().open(&asker, request);
        let answer = match &opened {
            Ok(_) => Answer::json(200, Value::Null),
            Err(answer) => answer.clone(),
        };
        self.simulator.state().note(sent.call.number, |record| {
            record.handled = Some(asker.now);
            record.status = Some(answer.code);
        });
        let begun = tokio::time::Instant::now();
        pause(sent.fate.after).await;
        if let Some(ending) = &sent.fate.reply {
            return self.end(ending, Some(&answer)).await;
        }
        Ok(match opened {
            Err(answer) => self.whole(&answer, answer.bytes()),
            Ok(opened) => {
                let stream = WatchStream::new(self, Arc::clone(&sent.call), opened, begun);
                Exchanged::Watch(answer, Box::new(stream))
            }
        })
    }

    /// An answer as it leaves the server.
    fn whole(&self, answer: &Answer, body: Bytes) -> Exchanged {
        Exchanged::Whole(answer.response(body, self.simulator.now()))
    }

    async fn end(&self, ending: &Ending, answer: Option<&Answer>) -> Result<Exchanged, Reset> {
        match (ending, answer) {
            (Ending::Hang, _) => std::future::pending().await,
            (Ending::Reset, _) => Err(Reset),
            (Ending::Truncated, Some(answer)) => {
                let bytes = answer.bytes();
                let half = bytes.slice(..bytes.len() / 2);
                Ok(self.whole(answer, half))
            }
            (Ending::Truncated, None) => {
                let answer = Answer::json(200, Value::Null);
                Ok(self.whole(&answer, Bytes::from_static(b"{\"kind\":\"Sta")))
            }
            (ending @ (Ending::Status { .. } | Ending::Html(_) | Ending::Foreign), _) => {
                let answer = ending.answer().ok_or(Reset)?;
                Ok(self.whole(&answer, answer.bytes()))
            }
        }
    }
}

fn call(number: u64, actor: &str, request: &Result<Request, Answer>) -> Call {
    let base = Call {
        number,
        actor: actor.to_owned(),
        verb: Verb::Get,
        resource: String::new(),
        group: String::new(),
        namespace: None,
        name: None,
        subresource: None,
        resource_version: None,
        body: None,
    };
    let Ok(request) = request else { return base };
    let body = request.body.value().cloned();
    let named = || {
        let body = body.as_ref().filter(|_| request.verb == Verb::Create)?;
        metadata::text(body, "name").map(str::to_owned)
    };
    Call {
        verb: request.verb,
        resource: request.resource.clone(),
        group: request.group.clone(),
        namespace: request.namespace.clone(),
        name: request.name.clone().or_else(named),
        subresource: request.subresource.clone(),
        resource_version: request.query.resource_version.clone(),
        body,
        ..base
    }
}

/// Tokio's shortest sleep is a millisecond; no time is none.
async fn pause(time: Duration) {
    if !time.is_zero() {
        tokio::time::sleep(time).await;
    }
}
