//! How AWS is called: the settings that all calls share, and the clients of the services.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, SystemTime};

use aws_config::identity::IdentityCache;
use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{AppName, BehaviorVersion, Region, SdkConfig};
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_sdk_sts::config::interceptors::{
    AfterDeserializationInterceptorContextRef, BeforeDeserializationInterceptorContextMut,
    BeforeDeserializationInterceptorContextRef, BeforeTransmitInterceptorContextRef,
};
use aws_sdk_sts::config::retry::{RetryPartition, TokenBucket};
use aws_sdk_sts::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_sts::error::BoxError;
use aws_smithy_async::time::TimeSource;
use aws_smithy_runtime_api::client::identity::{
    IdentityFuture, ResolveCachedIdentity, SharedIdentityCache, SharedIdentityResolver,
};
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::config_bag::{Storable, StoreReplace};
use http_body_util::Limited;
use tokio::time::Instant;

use crate::clock::{Clock, Witness};

/// In the User-Agent of every call, and so in `CloudTrail`.
const APP_NAME: &str = "breakglass";

/// Credentials, Region and endpoint as the environment gives them (variables, profile, web identity,
/// container, instance); a Region that is given counts before its. Nothing is asked of AWS yet.
pub async fn environment(region: Option<&str>) -> SdkConfig {
    let mut loader = aws_config::defaults(BehaviorVersion::v2026_01_12());
    if let Some(region) = region {
        loader = loader.region(Region::new(region.to_owned()));
    }
    loader.load().await
}

/// Credentials, with the settings that all our calls share.
#[derive(Clone, Debug)]
pub(super) struct Sdk {
    config: SdkConfig,
    clock: Clock,
    identities: Identities,
}

impl Sdk {
    /// The SDK has a limit for connecting only; the others are ours.
    pub(super) fn new(config: &SdkConfig, clock: Clock) -> Self {
        let timeouts = TimeoutConfig::builder()
            .connect_timeout(Duration::from_secs(3))
            .operation_attempt_timeout(Duration::from_secs(10))
            .operation_timeout(Duration::from_secs(30))
            .build();
        let identities = Identities::default();
        let mut config = config
            .to_builder()
            .timeout_config(timeouts)
            .time_source(SdkClock(clock.clone()))
            .identity_cache(identities.clone())
            .retry_config(RetryConfig::standard().with_max_attempts(2));
        config.set_app_name(AppName::new(APP_NAME).ok());
        let config = config.build();
        Self {
            config,
            clock,
            identities,
        }
    }

    pub(super) fn config(&self) -> &SdkConfig {
        &self.config
    }

    /// The same, where nothing is sent twice.
    pub(super) fn once(&self) -> Self {
        let config = self.config.to_builder();
        Self {
            config: config.retry_config(RetryConfig::disabled()).build(),
            clock: self.clock.clone(),
            identities: self.identities.clone(),
        }
    }

    pub(super) fn with_credentials(&self, credentials: SharedCredentialsProvider) -> Self {
        let (config, identities) = (self.config.to_builder(), Identities::default());
        let config = config
            .identity_cache(identities.clone())
            .credentials_provider(credentials);
        Self {
            config: config.build(),
            clock: self.clock.clone(),
            identities,
        }
    }
}

/// The program's one clock, for signatures and for the end of credentials.
#[derive(Debug)]
struct SdkClock(Clock);

impl TimeSource for SdkClock {
    fn now(&self) -> SystemTime {
        self.0.now().into()
    }
}

/// Credentials that were resolved, until they end, or AWS refuses them: sessions of a role may be ended
/// before their time, and half an answer of STS may leave half a token. A revoke must not wait for the end.
#[derive(Clone, Debug)]
struct Identities(Arc<Mutex<(SharedIdentityCache, Instant)>>);

impl Default for Identities {
    fn default() -> Self {
        Self(Arc::new(Mutex::new(nothing_known())))
    }
}

fn nothing_known() -> (SharedIdentityCache, Instant) {
    (IdentityCache::lazy().build(), Instant::now())
}

impl Identities {
    fn now(&self) -> SharedIdentityCache {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.0.clone()
    }

    /// They are asked for anew, unless that was done so short a time ago.
    fn forget(&self, if_older_than: Duration) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.1.elapsed() >= if_older_than {
            *known = nothing_known();
        }
    }
}

impl ResolveCachedIdentity for Identities {
    fn resolve_cached_identity<'a>(
        &'a self,
        resolver: SharedIdentityResolver,
        components: &'a RuntimeComponents,
        config: &'a ConfigBag,
    ) -> IdentityFuture<'a> {
        let known = self.now();
        IdentityFuture::new(async move {
            let identity = known.resolve_cached_identity(resolver, components, config);
            identity.await
        })
    }
}

/// Hears what every answer says besides what was asked, those that refuse us included: the time, and
/// that our credentials are none, or none any more.
#[derive(Clone, Debug)]
struct Listener {
    clock: Clock,
    identities: Identities,
}

/// When a request was sent.
#[derive(Debug)]
struct Sent(Instant);

impl Storable for Sent {
    type Storer = StoreReplace<Self>;
}

/// How the names of errors begin that refuse the credentials and not the call: those of IAM and STS, and
/// those of Identity Center, which end in `Exception` (Common Error Types in each reference).
const REFUSALS: [&str; 7] = [
    "ExpiredToken",
    "IncompleteSignature",
    "InvalidClientTokenId",
    "InvalidSignature",
    "MissingAuthenticationToken",
    "SignatureDoesNotMatch",
    "UnrecognizedClient",
];

/// Who ends the sessions of a role in IAM denies everything to those that began before ("Revoke IAM role
/// temporary security credentials"): that reads like any other denial, and new ones are allowed.
const DENIAL: &str = "AccessDenied";

/// Most denials are meant, and new credentials are denied as well.
const DENIED_FOR: Duration = Duration::from_mins(1);

/// Far more than a page of a hundred rows takes, in bytes. The SDK reads an answer whole, and whatever
/// answers in AWS's place might go on for ever.
const LONGEST_ANSWER: usize = 4 << 20;

/// Breaks off what is longer than an answer of AWS can be: nobody knows then what AWS did.
#[derive(Clone, Copy, Debug)]
struct Measure;

#[aws_smithy_runtime_api::client::interceptors::dyn_dispatch_hint]
impl Intercept for Measure {
    fn name(&self) -> &'static str {
        "Measure"
    }

    fn modify_before_deserialization(
        &self,
        context: &mut BeforeDeserializationInterceptorContextMut<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let body = context.response_mut().body_mut();
        let limited = Limited::new(std::mem::replace(body, SdkBody::taken()), LONGEST_ANSWER);
        *body = SdkBody::from_body_1_x(limited);
        Ok(())
    }
}

#[aws_smithy_runtime_api::client::interceptors::dyn_dispatch_hint]
impl Intercept for Listener {
    fn name(&self) -> &'static str {
        "Listener"
    }

    fn read_before_transmit(
        &self,
        _: &BeforeTransmitInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        config.interceptor_state().store_put(Sent(Instant::now()));
        Ok(())
    }

    fn read_before_deserialization(
        &self,
        context: &BeforeDeserializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let date = context.response().headers().get("date");
        if let Some(Sent(at)) = config.load::<Sent>() {
            self.clock.heard_date(Witness::Aws, date, *at);
        }
        Ok(())
    }

    fn read_after_deserialization(
        &self,
        context: &AfterDeserializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let response = context.response();
        if response.status().is_client_error() {
            let body = response.body().bytes().unwrap_or_default();
            let body = String::from_utf8_lossy(body);
            if REFUSALS.iter().any(|name| body.contains(name)) {
                self.identities.forget(Duration::ZERO);
            } else if body.contains(DENIAL) {
                self.identities.forget(DENIED_FOR);
            }
        }
        Ok(())
    }
}

/// Clients of the services, made when they are first needed and then kept: each has its connections,
/// and learns by how much our clock is off.
#[derive(Debug)]
pub(super) struct Clients {
    sdk: Sdk,
    /// One account's failures must not use up the retries of another.
    retries: RetryPartition,
    sso_admin: OnceLock<aws_sdk_ssoadmin::Client>,
    identity_store: OnceLock<aws_sdk_identitystore::Client>,
    iam: OnceLock<aws_sdk_iam::Client>,
    sts: OnceLock<aws_sdk_sts::Client>,
}

/// The SDK of each service has types of its own for the same settings.
macro_rules! client {
    ($sdk:ident, $clients:expr) => {{
        let config = $sdk::config::Builder::from($clients.sdk.config())
            .retry_partition($clients.retries.clone())
            .interceptor(Listener {
                clock: $clients.sdk.clock.clone(),
                identities: $clients.sdk.identities.clone(),
            })
            .interceptor(Measure)
            .build();
        $sdk::Client::from_conf(config)
    }};
}

impl Clients {
    pub(super) fn new(sdk: Sdk) -> Self {
        let retries = RetryPartition::custom(APP_NAME)
            .token_bucket(TokenBucket::default())
            .build();
        Self {
            sdk,
            retries,
            sso_admin: OnceLock::new(),
            identity_store: OnceLock::new(),
            iam: OnceLock::new(),
            sts: OnceLock::new(),
        }
    }

    pub(super) fn sso_admin(&self) -> &aws_sdk_ssoadmin::Client {
        self.sso_admin
            .get_or_init(|| client!(aws_sdk_ssoadmin, self))
    }

    pub(super) fn identity_store(&self) -> &aws_sdk_identitystore::Client {
        self.identity_store
            .get_or_init(|| client!(aws_sdk_identitystore, self))
    }

    pub(super) fn iam(&self) -> &aws_sdk_iam::Client {
        self.iam.get_or_init(|| client!(aws_sdk_iam, self))
    }

    pub(super) fn sts(&self) -> &aws_sdk_sts::Client {
        self.sts.get_or_init(|| client!(aws_sdk_sts, self))
    }
}
