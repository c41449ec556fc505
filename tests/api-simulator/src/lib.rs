//! A stand-in for the Kubernetes API server, in this process and on virtual time.
