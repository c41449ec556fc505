//! The whole program on virtual time, against simulated Kubernetes and AWS, with everything that can
//! go wrong.
//!
//! - [`story`]: what happens, as data, drawn from a seed; [`cast`]: who and what there is;
//! - [`stage`]: plays a story with real controllers ([`replica`]), people ([`people`]) and lines
//!   between them that fail ([`network`]);
//! - [`lives`]: short stories, each about one turn of a life, to be crossed with every crash;
//! - [`checker`]: knows the truth and asks each rule after every step;
//! - [`shrink`]: makes a story that breaks a rule short; [`report`]: what is told of it;
//! - [`entropy`]: the one source of chance, so that a seed plays the same story for ever.

pub mod cast;
pub mod checker;
pub mod entropy;
pub mod lives;
pub mod network;
pub mod people;
pub mod replica;
pub mod report;
pub mod shrink;
pub mod stage;
pub mod story;

/// A third of a story's time goes to small allocations, of which each message has hundreds.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;
