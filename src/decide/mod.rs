//! decide
pub mod target;
