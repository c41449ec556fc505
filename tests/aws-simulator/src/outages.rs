//! What callers get while something is down.

use crate::error::ServiceError;
use crate::faults::Ending;
use crate::random::Random;
use crate::services;
use crate::settings::{IamOutage, Outages};
use crate::wire::Service;

impl Outages {
    /// Whether this operation does not work.
    fn stop(&self, service: Service, operation: &str) -> bool {
        match service {
            Service::SsoAdmin | Service::IdentityStore => self.identity_center,
            Service::Iam => match self.iam {
                IamOutage::None => false,
                IamOutage::Writes => !services::is_read(operation),
                IamOutage::WritesAndReads => true,
            },
            Service::Sts | Service::Organizations => false,
        }
    }

    /// How a call ends that is made now, if not with its own answer.
    pub(crate) fn ending(
        &self,
        service: Service,
        operation: &str,
        random: &mut Random,
    ) -> Option<Ending> {
        if self.stop(service, operation) {
            return Some(match random.up_to(4) {
                0 => Ending::Reset,
                1 => Ending::Hang,
                2 => Ending::HtmlPage(503),
                3 => Ending::Error(internal(service)),
                _ => Ending::Error(unavailable(service)),
            });
        }
        let throttled = !matches!(service, Service::Sts | Service::Organizations)
            && random.chance(self.throttling);
        throttled.then(|| Ending::Error(ServiceError::throttled(service, "Rate exceeded")))
    }

    /// Refuses what was sent before and arrives now.
    pub(crate) fn admit(&self, service: Service, operation: &str) -> Result<(), ServiceError> {
        if self.stop(service, operation) {
            return Err(unavailable(service));
        }
        Ok(())
    }
}

fn internal(service: Service) -> ServiceError {
    let code = if service.is_query() {
        "ServiceFailure"
    } else {
        "InternalServerException"
    };
    ServiceError::new(service, code, "The request processing has failed.")
}

fn unavailable(service: Service) -> ServiceError {
    let code = if service.is_query() {
        "ServiceUnavailable"
    } else {
        "ServiceUnavailableException"
    };
    let message = "The request has failed due to a temporary failure of the server.";
    ServiceError::new(service, code, message)
}
