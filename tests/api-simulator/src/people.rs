//! What people, and others than the controller, do: at once, past all gates.

use std::sync::Arc;

use axum::body::Bytes;
use axum::http;
use kube::core::Status;
use serde_json::{Value, json};

use crate::ApiSimulator;
use crate::call::Verb;
use crate::server::answer::Answer;
use crate::server::metadata;
use crate::server::request::{Body, Query, Request};
use crate::storage::{Entry, key};

impl ApiSimulator {
    /// Carries out a request at once, past all gates and books, by the rules of anybody's request. It can't be a watch.
    #[expect(clippy::needless_pass_by_value, reason = "a request is sent once")]
    pub fn act(&self, actor: &str, request: http::Request<Bytes>) -> http::Response<Bytes> {
        let asker = self.asker(actor, None);
        let answer = match Request::read(&request) {
            Ok(request) => self.carry_out(&asker, &request),
            Err(answer) => answer,
        };
        answer.response(answer.bytes(), asker.now)
    }

    /// Makes an object; its namespace and name are its own.
    pub fn create(
        &self,
        actor: &str,
        resource: &str,
        object: Value,
    ) -> Result<Arc<Value>, Box<Status>> {
        let namespace = metadata::text(&object, "namespace").map(str::to_owned);
        let place = (namespace.as_deref(), None);
        self.ask(actor, Verb::Create, resource, place, json_body(object))
    }

    /// Writes a whole object. Without a resourceVersion of its own it is written over whatever is there.
    pub fn replace(
        &self,
        actor: &str,
        resource: &str,
        mut object: Value,
    ) -> Result<Arc<Value>, Box<Status>> {
        let text = |field| metadata::text(&object, field).map(str::to_owned);
        let (namespace, name) = (text("namespace"), text("name").unwrap_or_default());
        let current = self.get(resource, namespace.as_deref(), &name);
        if text("resourceVersion").is_none()
            && let Some(current) = &current
            && let Some(version) = metadata::text(current, "resourceVersion")
            && let Some(metadata) = metadata::of_mut(&mut object)
        {
            metadata.insert("resourceVersion".to_owned(), version.into());
        }
        let place = (namespace.as_deref(), Some(name.as_str()));
        self.ask(actor, Verb::Replace, resource, place, json_body(object))
    }

    /// Changes what a merge patch says.
    pub fn merge_patch(
        &self,
        actor: &str,
        resource: &str,
        namespace: Option<&str>,
        name: &str,
        patch: Value,
    ) -> Result<Arc<Value>, Box<Status>> {
        let body = Body::MergePatch(Arc::new(patch));
        self.ask(actor, Verb::Patch, resource, (namespace, Some(name)), body)
    }

    /// Deletes an object, or asks for it where finalizers hold it. Answers the object then, a `Status` otherwise.
    pub fn delete(
        &self,
        actor: &str,
        resource: &str,
        namespace: Option<&str>,
        name: &str,
    ) -> Result<Arc<Value>, Box<Status>> {
        let place = (namespace, Some(name));
        self.ask(actor, Verb::Delete, resource, place, Body::Nothing)
    }

    /// Deletes an object whatever holds it: its finalizers are taken off.
    pub fn remove_by_force(
        &self,
        actor: &str,
        resource: &str,
        namespace: Option<&str>,
        name: &str,
    ) -> Result<(), Box<Status>> {
        let patch = json!({"metadata": {"finalizers": null}});
        self.delete(actor, resource, namespace, name)?;
        match self.merge_patch(actor, resource, namespace, name, patch) {
            Err(status) if !status.is_not_found() => Err(status),
            _ => Ok(()),
        }
    }

    /// Changes an object past pruning, validation and all other rules, as a hostile writer or one with newer definitions could.
    /// The resourceVersion changes, and the generation if a field does that it counts. None if there is no such object.
    pub fn overwrite(
        &self,
        actor: &str,
        resource: &str,
        namespace: Option<&str>,
        name: &str,
        change: impl FnOnce(&mut Value),
    ) -> Option<Arc<Value>> {
        let key = key(namespace, name);
        let old = self.get(resource, namespace, name)?;
        let mut new = Value::clone(&old);
        change(&mut new);
        let asker = self.asker(actor, None);
        let mut state = self.state();
        let kind = state.kinds.named(resource)?;
        if kind.has_generation() && kind.is_another(&new, &old) {
            metadata::of_mut(&mut new).map(metadata::bump_generation);
        }
        let entry = Entry::as_it_is(Arc::new(new));
        let change = state.store.put(resource, &key, Some(entry), asker.now);
        let commit = state.committed(&asker, Verb::Replace, resource, None, &change);
        drop(state);
        self.tell(Some(&commit));
        change.after.clone()
    }

    fn ask(
        &self,
        actor: &str,
        verb: Verb,
        resource: &str,
        (namespace, name): (Option<&str>, Option<&str>),
        body: Body,
    ) -> Result<Arc<Value>, Box<Status>> {
        let kind = self.state().kinds.named(resource);
        let Some(kind) = kind else {
            return Err(Status::failure("no such kind", "NotFound")
                .with_code(404)
                .boxed());
        };
        let request = Request {
            verb,
            group: kind.group.clone(),
            version: kind.version.clone(),
            resource: resource.to_owned(),
            namespace: namespace.map(str::to_owned),
            name: name.map(str::to_owned),
            subresource: None,
            query: Query::default(),
            body,
        };
        let answer = self.carry_out(&self.asker(actor, None), &request);
        outcome(&answer)
    }
}

fn json_body(object: Value) -> Body {
    Body::Json(Arc::new(object))
}

fn outcome(answer: &Answer) -> Result<Arc<Value>, Box<Status>> {
    let value = answer.value().cloned().unwrap_or_default();
    if answer.is_success() {
        return Ok(value);
    }
    let status: Option<Status> = serde_json::from_value(Value::clone(&value)).ok();
    let status = status.unwrap_or_else(|| {
        Status::failure("the path means nothing", "NotFound").with_code(answer.code)
    });
    Err(status.boxed())
}
