//! Plays stories by their seeds, and tells which rule broke and how.

use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use clap::{Parser, ValueEnum};
use simulation::lives::lives;
use simulation::report::Report;
use simulation::shrink::shrink;
use simulation::stage::{Direction, Hold, play};
use simulation::story::{Story, calm, crowd, draw};

/// What kind of stories there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Kind {
    /// Everything goes wrong.
    Storms,
    /// Nothing goes wrong.
    Calm,
    /// Many want something at once.
    Crowds,
}

impl Kind {
    fn story(self, seed: u64) -> Story {
        match self {
            Self::Storms => draw(seed),
            Self::Calm => calm(seed),
            Self::Crowds => crowd(seed),
        }
    }
}

/// Plays the whole program through stories full of faults, and checks every rule at every step.
#[derive(Debug, Parser)]
#[command(version)]
struct Args {
    /// How many stories.
    #[arg(long, default_value_t = 100)]
    seeds: u64,
    /// The first of them.
    #[arg(long, default_value_t = 0)]
    from: u64,
    /// Of which kind.
    #[arg(long, value_enum, default_value_t = Kind::Storms)]
    stories: Kind,
    /// How many at once; by default as many as there are processors.
    #[arg(long)]
    jobs: Option<usize>,
    /// Tells every step of the stories.
    #[arg(long)]
    trace: bool,
    /// Tells for each story a checksum of all its calls to AWS, at their times.
    #[arg(long)]
    fingerprints: bool,
    /// Plays at most so many shorter stories when one breaks a rule.
    #[arg(long, default_value_t = 200)]
    shrink: usize,
    /// Plays no more stories once one has broken a rule.
    #[arg(long)]
    first: bool,
    #[command(flatten)]
    what: What,
}

/// After so many stories it is told how it goes.
const EVERY: u64 = 250;

/// What is played, and what is done to it.
#[derive(Debug, clap::Args)]
struct What {
    /// Plays the life of that name instead.
    #[arg(long)]
    life: Option<String>,
    /// With so many controllers.
    #[arg(long, default_value_t = 1, requires = "life")]
    replicas: usize,
    /// Who can't take turns.
    #[arg(long, requires = "life")]
    no_lease: bool,
    /// Lets the process that sends the write of this number die of it.
    #[arg(long)]
    crash_at: Vec<u64>,
    /// Lets it come back as another pod.
    #[arg(long)]
    new_pod: bool,
    /// Holds a call up, by its number, for so many seconds, such as 17:45; or only its answer: 17:45:answer.
    #[arg(long)]
    hold: Option<Hold>,
}

impl Args {
    fn story(&self, seed: u64) -> Story {
        let Some(name) = &self.what.life else {
            return self.stories.story(seed);
        };
        let Some(life) = lives().into_iter().find(|life| life.name == name) else {
            let names: Vec<_> = lives().iter().map(|life| life.name).collect();
            panic!("there is no life of that name, only {names:#?}");
        };
        life.with(self.what.replicas, self.what.no_lease).story
    }
}

fn main() -> ExitCode {
    let args = Args::parse();
    let direction = Direction {
        crash_at: args.what.crash_at.clone(),
        new_pod: args.what.new_pod,
        hold: args.what.hold,
        trace: args.trace,
    };
    let jobs = args
        .jobs
        .unwrap_or_else(|| std::thread::available_parallelism().map_or(1, std::num::NonZero::get));
    let begun = Instant::now();
    let next = AtomicU64::new(args.from);
    let stories = args.what.life.as_ref().map_or(args.seeds, |_| 1);
    let end = args.from + stories;
    let played = AtomicU64::new(0);
    let (total, broken) = (Mutex::new(Report::default()), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..jobs {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= end {
                        break;
                    }
                    let report = play(&args.story(seed), &direction);
                    for line in &report.trace {
                        println!("{line}");
                    }
                    if args.fingerprints {
                        println!("seed {seed}: fingerprint {:016x}", report.fingerprint);
                    }
                    if let Some(violation) = report.violations.first() {
                        println!("seed {seed}: {violation}");
                        if args.first {
                            next.store(end, Ordering::Relaxed);
                        }
                        let mut broken = broken.lock().unwrap_or_else(PoisonError::into_inner);
                        broken.push((seed, violation.rule));
                    }
                    let mut total = total.lock().unwrap_or_else(PoisonError::into_inner);
                    total.add(&report);
                    let played = played.fetch_add(1, Ordering::Relaxed) + 1;
                    if played.is_multiple_of(EVERY) && played < stories {
                        tell(&total, played, begun.elapsed());
                    }
                }
            });
        }
    });
    let took = begun.elapsed();
    let total = total.into_inner().unwrap_or_else(PoisonError::into_inner);
    tell(&total, stories, took);
    let mut broken = broken.into_inner().unwrap_or_else(PoisonError::into_inner);
    broken.sort_unstable();
    let Some((seed, rule)) = broken.first() else {
        return ExitCode::SUCCESS;
    };
    println!("\n{} of {stories} stories broke a rule", broken.len());
    if args.shrink > 0 {
        let short = shrink(&args.story(*seed), &direction, rule, args.shrink);
        println!("The shortest story found that breaks {rule}:\n{short}");
        for violation in play(&short, &direction).violations {
            println!("  {violation}");
        }
    }
    let kind = args.stories.to_possible_value();
    let kind = kind.as_ref().map_or("storms", |kind| kind.get_name());
    if args.what.life.is_none() {
        println!("Play it again: make simulate STORIES={kind} FROM={seed} SEEDS=1");
    }
    ExitCode::FAILURE
}

#[expect(clippy::cast_precision_loss, reason = "figures for people")]
fn tell(total: &Report, stories: u64, took: std::time::Duration) {
    let hours = total.seconds as f64 / 3600.0;
    println!(
        "{stories} stories, {hours:.0} simulated hours in {:.1} s: {:.0} hours per second",
        took.as_secs_f64(),
        hours / took.as_secs_f64()
    );
    println!(
        "calls: {} to AWS, {} to the API server; writes: {}",
        total.aws_calls, total.api_calls, total.writes_sent
    );
    println!("asked: {:?}", total.asked);
    println!("residues met: {:?}", total.residues);
    let mut lateness = total.lateness.clone();
    lateness.sort_unstable();
    if let (Some(middle), Some(last)) = (lateness.get(lateness.len() / 2), lateness.last()) {
        println!(
            "from an end to the first delete: {} ends, median {middle} s, longest {last} s",
            lateness.len()
        );
    }
}
