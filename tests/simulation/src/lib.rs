//! The whole program on virtual time, against simulated Kubernetes and AWS.
