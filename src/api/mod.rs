//! The Kubernetes API of breakglass: group `breakglass.dev`, version `v1alpha1`.
//!
//! The doc comments of the fields are what `kubectl explain` shows, so they are written for the
//! people who use the product.

pub mod access;
pub mod conditions;
pub mod crds;
pub mod grant;
pub mod policy;
pub mod time;
pub mod tuple;

#[cfg(test)]
pub(crate) mod hostile_tests;

/// The one served and stored version.
pub const VERSION: &str = "v1alpha1";

/// Finalizer of grants and accesses: access may still have to be taken away.
pub const FINALIZER: &str = "breakglass.dev/revoke";
/// Annotation on a grant that ends it, for emergencies. Its value says why. `GitOps` tools leave
/// annotations alone that are not in Git, so self-healing does not undo it.
pub const REVOKE_ANNOTATION: &str = "breakglass.dev/revoke";
/// Annotation on a grant that asks for a check now; any new value counts.
pub const REQUESTED_AT_ANNOTATION: &str = "breakglass.dev/requestedAt";
/// Annotations that say where a grant came from. They are copied into claim and audit line,
/// unverified: who can write a grant can write them.
pub const PROVENANCE_ANNOTATIONS: [&str; 3] = [
    "breakglass.dev/pull-request",
    "breakglass.dev/commit",
    "breakglass.dev/approved-by",
];
