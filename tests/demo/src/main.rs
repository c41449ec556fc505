//! `make demo`: the main job from end to end, on a real control plane and a simulated AWS.
//!
//! It ends by itself, with a non-zero exit code if AWS is not left as it was found.

mod cloud;
mod grants;
mod picture;
mod playground;
mod screen;
mod story;
mod summary;
mod watch;
mod world;

use std::process::ExitCode;

use anyhow::Context as _;
use clap::Parser;
use tokio::signal::unix::{SignalKind, signal};

use world::World;

/// Shows the main job from end to end, on a real control plane and a simulated AWS.
#[derive(Debug, Parser)]
struct Arguments {
    /// Leave everything running at the end, until Ctrl-C.
    #[arg(long)]
    keep: bool,
}

#[tokio::main]
async fn main() -> ExitCode {
    match run(Arguments::parse().keep).await {
        Ok(code) => code,
        Err(error) => {
            eprintln!("\nThe demo failed: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(keep: bool) -> anyhow::Result<ExitCode> {
    let mut stop = std::pin::pin!(stop_signal()?);
    let world = tokio::select! {
        world = show() => world?,
        () = &mut stop => {
            screen::say("\nStopped before the end; everything that was started ends now.");
            return Ok(ExitCode::from(130));
        }
    };
    if keep {
        playground::explain(&world)?;
        tokio::select! {
            ended = world.controller_ended() => return Err(ended),
            () = &mut stop => screen::say("\nStopping everything."),
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// The whole show; what it was played on is returned, to be kept or dropped.
async fn show() -> anyhow::Result<World> {
    let world = World::start().await?;
    if let Err(error) = story::tell(&world).await {
        eprintln!("\nThe controller's log is kept in {}.", world.save_log());
        return Err(error);
    }
    Ok(world)
}

/// Comes true on Ctrl-C and on SIGTERM.
fn stop_signal() -> anyhow::Result<impl Future<Output = ()>> {
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot listen for Ctrl-C")?;
    let mut terminate = signal(SignalKind::terminate()).context("cannot listen for SIGTERM")?;
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    })
}
