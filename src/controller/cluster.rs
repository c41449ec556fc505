//! What we ask of the API server: quorum reads and conditional writes, each with a timeout.

use std::sync::Arc;
use std::time::Duration;

use kube::Client;
use kube::api::{Api, DeleteParams, ListParams, Patch, PatchParams, PostParams, Preconditions};
use kube::core::{ApiResource, DynamicObject};
use serde_json::json;
use tokio::sync::Semaphore;

use crate::api::FINALIZER;
use crate::api::access::{BreakglassAccess, GrantRef};
use crate::api::grant::BreakglassGrant;
use crate::api::policy::BreakglassPolicy;
use crate::decide::policy::PolicySet;

/// No call to the API server may take longer: kube itself sets no read timeout.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Each call at once needs a connection of its own, and the API server turns crowds away.
const CALLS_AT_ONCE: usize = 64;

/// A call to the API server that failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Somebody else wrote the object in between: decide again.
    #[error("{0}: somebody else has written the object in between")]
    Conflict(&'static str),
    /// The object is not there any more.
    #[error("{0}: the object is gone")]
    Gone(&'static str),
    /// The API server could not be reached, did not answer in time, or failed.
    #[error("{0}: the API server can't be reached, or fails")]
    Unreachable(&'static str, #[source] Option<Box<kube::Error>>),
    /// The API server refused the call.
    #[error("{0}: {1}")]
    Refused(&'static str, String, u16),
    /// What was read makes no sense: a newer version may have written it, or it is not the API server that answers.
    #[error("{0}: {1}")]
    Unreadable(&'static str, String),
}

impl Error {
    /// Whether what was asked for is out of reach: the API server does not answer, or turns us away because it has too
    /// much to do, or because our rights were taken or a webhook stands in the way; or what comes back makes no sense,
    /// as from a proxy.
    pub fn is_out_of_reach(&self) -> bool {
        matches!(
            self,
            Self::Unreachable(..) | Self::Refused(..) | Self::Unreadable(..)
        )
    }
}

/// The API server, as far as the controller uses it.
#[derive(Clone)]
pub struct Cluster {
    client: Client,
    places: Arc<Semaphore>,
}

impl std::fmt::Debug for Cluster {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cluster").finish_non_exhaustive()
    }
}

/// Puts a status into an object that is about to be written.
pub fn set_status(object: &mut DynamicObject, status: &impl serde::Serialize) {
    if let (Ok(status), Some(data)) = (serde_json::to_value(status), object.data.as_object_mut()) {
        data.insert("status".to_owned(), status);
    }
}

fn if_there<T>(read: Result<T, Error>) -> Result<Option<T>, Error> {
    match read {
        Ok(object) => Ok(Some(object)),
        Err(Error::Gone(_)) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Grants are handled as raw JSON, so that one that no longer parses still ends.
pub fn grant_resource() -> ApiResource {
    ApiResource::erase::<BreakglassGrant>(&())
}

/// Accesses as raw JSON.
pub fn access_resource() -> ApiResource {
    ApiResource::erase::<BreakglassAccess>(&())
}

/// Policies as raw JSON, so that one that can't be read is known by name.
pub fn policy_resource() -> ApiResource {
    ApiResource::erase::<BreakglassPolicy>(&())
}

/// Reads an access from raw JSON.
pub fn parse_access(object: &DynamicObject) -> Result<BreakglassAccess, serde_json::Error> {
    serde_json::from_value(serde_json::to_value(object)?)
}

impl Cluster {
    /// Calls go through this client.
    pub fn new(client: Client) -> Self {
        Self {
            client,
            places: Arc::new(Semaphore::new(CALLS_AT_ONCE)),
        }
    }

    /// All grants.
    pub fn all_grants(&self) -> Api<DynamicObject> {
        Api::all_with(self.client.clone(), &grant_resource())
    }

    /// All accesses, raw.
    pub fn all_accesses(&self) -> Api<DynamicObject> {
        Api::all_with(self.client.clone(), &access_resource())
    }

    /// All policies.
    pub fn all_policies(&self) -> Api<DynamicObject> {
        Api::all_with(self.client.clone(), &policy_resource())
    }

    fn grants(&self, namespace: &str) -> Api<DynamicObject> {
        Api::namespaced_with(self.client.clone(), namespace, &grant_resource())
    }

    fn accesses(&self) -> Api<BreakglassAccess> {
        Api::all(self.client.clone())
    }

    /// A grant by quorum read; none if there is none by that name.
    pub async fn grant(&self, grant: &GrantRef) -> Result<Option<DynamicObject>, Error> {
        let (api, operation) = (self.grants(&grant.namespace), "read grant");
        let read = if_there(self.call(operation, api.get(&grant.name)).await)?;
        // Raw JSON may be anything: what a proxy says must not pass for another grant of that name.
        let is_it = |object: &DynamicObject| {
            let meta = &object.metadata;
            meta.uid.is_some() && meta.name.as_ref() == Some(&grant.name)
        };
        if read.as_ref().is_none_or(is_it) {
            return Ok(read);
        }
        let what = "the answer is not that grant: something before the API server answers";
        Err(Error::Unreadable(operation, what.to_owned()))
    }

    /// An access by quorum read; none if there is none by that name.
    pub async fn access(&self, name: &str) -> Result<Option<BreakglassAccess>, Error> {
        if_there(self.call("read access", self.accesses().get(name)).await)
    }

    /// All accesses that can be read, by quorum.
    pub async fn accesses_now(&self) -> Result<Vec<BreakglassAccess>, Error> {
        let all = self.all_accesses();
        let list = self
            .call("list accesses", all.list(&ListParams::default()))
            .await?;
        // One that can't be read must not hide the others.
        let readable = list.items.iter().filter_map(|item| parse_access(item).ok());
        Ok(readable.collect())
    }

    /// The policies by quorum read.
    pub async fn policies(&self) -> Result<PolicySet, Error> {
        // No resourceVersion in a list means a quorum read.
        let list = self
            .call(
                "list policies",
                self.all_policies().list(&ListParams::default()),
            )
            .await?;
        Ok(PolicySet::parse(&list.items))
    }

    /// Makes a new ledger entry. A conflict if it exists.
    pub async fn create_access(
        &self,
        access: &BreakglassAccess,
    ) -> Result<BreakglassAccess, Error> {
        self.call(
            "create access",
            self.accesses().create(&PostParams::default(), access),
        )
        .await
    }

    /// Writes a ledger entry, if nobody has since it was read.
    pub async fn replace_access(
        &self,
        access: &BreakglassAccess,
    ) -> Result<BreakglassAccess, Error> {
        let name = access.metadata.name.as_deref().unwrap_or_default();
        self.call(
            "write access",
            self.accesses()
                .replace(name, &PostParams::default(), access),
        )
        .await
    }

    /// Writes what was observed of an access, if nobody has written it since it was read.
    pub async fn replace_access_status(
        &self,
        access: &BreakglassAccess,
    ) -> Result<BreakglassAccess, Error> {
        let name = access.metadata.name.as_deref().unwrap_or_default();
        let call_api = self.accesses();
        self.call(
            "write access status",
            call_api.replace_status(name, &PostParams::default(), access),
        )
        .await
    }

    /// Removes an access that nothing holds any more, if nobody has written it since it was read:
    /// first the object, then the finalizer, each on the condition that nothing changed. [`Error::Gone`]
    /// where it was removed before.
    pub async fn remove_access(&self, access: &BreakglassAccess) -> Result<(), Error> {
        let name = access.metadata.name.as_deref().unwrap_or_default();
        let mut current = access.clone();
        if access.metadata.deletion_timestamp.is_none() {
            let preconditions = Preconditions {
                uid: access.metadata.uid.clone(),
                resource_version: access.metadata.resource_version.clone(),
            };
            let parameters = DeleteParams::default().preconditions(preconditions);
            // An object comes back where a finalizer holds it, a mere status where it is gone.
            match self
                .call("delete access", self.accesses().delete(name, &parameters))
                .await?
                .left()
            {
                Some(deleted) => current = deleted,
                None => return Ok(()),
            }
        }
        if let Some(finalizers) = &mut current.metadata.finalizers {
            finalizers.retain(|finalizer| finalizer != FINALIZER);
        }
        self.replace_access(&current).await.map(drop)
    }

    /// Puts our finalizer on a grant, if nobody has written it since it was read. A patch, since a
    /// typed write would rewrite what people wrote and can't carry a grant that no longer parses.
    pub async fn add_finalizer(&self, grant: &DynamicObject) -> Result<DynamicObject, Error> {
        let mut finalizers = grant.metadata.finalizers.clone().unwrap_or_default();
        finalizers.push(FINALIZER.to_owned());
        self.patch_finalizers(grant, &finalizers).await
    }

    /// Takes our finalizer off a grant, if nobody has written it since it was read.
    pub async fn remove_finalizer(&self, grant: &DynamicObject) -> Result<(), Error> {
        let mut finalizers = grant.metadata.finalizers.clone().unwrap_or_default();
        finalizers.retain(|finalizer| finalizer != FINALIZER);
        match self.patch_finalizers(grant, &finalizers).await {
            Ok(_) | Err(Error::Gone(_)) => Ok(()),
            Err(error) => Err(error),
        }
    }

    async fn patch_finalizers(
        &self,
        grant: &DynamicObject,
        finalizers: &[String],
    ) -> Result<DynamicObject, Error> {
        let meta = &grant.metadata;
        let patch = json!([
            {"op": "test", "path": "/metadata/uid", "value": meta.uid},
            {"op": "test", "path": "/metadata/resourceVersion", "value": meta.resource_version},
            {"op": "add", "path": "/metadata/finalizers", "value": finalizers},
        ]);
        let patch: json_patch::Patch = serde_json::from_value(patch)
            .map_err(|error| Error::Refused("patch finalizers", error.to_string(), 0))?;
        let api = self.grants(meta.namespace.as_deref().unwrap_or_default());
        let name = meta.name.as_deref().unwrap_or_default();
        let patch = Patch::Json::<DynamicObject>(patch);
        match self
            .call(
                "patch finalizers",
                api.patch(name, &PatchParams::default(), &patch),
            )
            .await
        {
            // So a failed `test` is answered, in words that differ between versions.
            Err(Error::Refused(operation, _, 422)) => Err(Error::Conflict(operation)),
            other => other,
        }
    }

    /// Writes the status of a grant, if nobody has written the grant since it was read.
    pub async fn replace_grant_status(
        &self,
        grant: &DynamicObject,
    ) -> Result<DynamicObject, Error> {
        let api = self.grants(grant.metadata.namespace.as_deref().unwrap_or_default());
        let name = grant.metadata.name.as_deref().unwrap_or_default();
        self.call(
            "write grant status",
            api.replace_status(name, &PostParams::default(), grant),
        )
        .await
    }

    /// Writes the status of a policy, if nobody has written it since it was read.
    pub async fn replace_policy_status(
        &self,
        policy: &DynamicObject,
    ) -> Result<DynamicObject, Error> {
        let name = policy.metadata.name.as_deref().unwrap_or_default();
        self.call(
            "write policy status",
            self.all_policies()
                .replace_status(name, &PostParams::default(), policy),
        )
        .await
    }

    /// One call, with a timeout and its failure classified: the one place for both.
    async fn call<T>(
        &self,
        operation: &'static str,
        future: impl Future<Output = Result<T, kube::Error>>,
    ) -> Result<T, Error> {
        let place = self.places.acquire().await;
        let Ok(answer) = tokio::time::timeout(TIMEOUT, future).await else {
            return Err(Error::Unreachable(operation, None));
        };
        drop(place);
        answer.map_err(|error| match error {
            kube::Error::Api(status) if status.is_conflict() || status.is_already_exists() => {
                Error::Conflict(operation)
            }
            // Not any answer of 404: a proxy, or an API server that has lost the kind, knows nothing of the object.
            kube::Error::Api(status) if status.reason == "NotFound" => Error::Gone(operation),
            kube::Error::Api(status) if status.code < 500 => {
                Error::Refused(operation, status.message.clone(), status.code)
            }
            // Half an answer is none.
            kube::Error::SerdeError(error) if error.is_data() => {
                Error::Unreadable(operation, error.to_string())
            }
            other => Error::Unreachable(operation, Some(Box::new(other))),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::scripted::{Answer, client, refusal};
    use super::*;

    #[tokio::test]
    async fn what_a_proxy_says_is_said_of_no_grant() {
        let asked = GrantRef {
            namespace: "team".to_owned(),
            name: "access".to_owned(),
        };
        let named = |name: &str, uid: Option<&str>| {
            let meta = json!({"name": name, "namespace": "team", "uid": uid});
            (200, json!({"metadata": meta, "spec": {}}))
        };
        let read = async |answer| {
            let api = client(move |_| Some(Answer::clone(&answer)));
            Cluster::new(api).grant(&asked).await
        };
        let found = read(named("access", Some("1"))).await;
        assert_eq!(found.unwrap().unwrap().metadata.uid.as_deref(), Some("1"));
        assert!(read(refusal(404, "NotFound")).await.unwrap().is_none());
        for foreign in [
            (200, json!({"message": "please sign in"})),
            (404, json!({"message": "no such page"})),
            named("another", Some("1")),
            named("access", None),
        ] {
            let read = read(foreign.clone()).await;
            let error = read.expect_err(&format!("{foreign:?}"));
            assert!(error.is_out_of_reach(), "{foreign:?}: {error}");
        }
    }
}
