//! Serves a simulated AWS on a loopback port until it is stopped.

use std::error::Error;
use std::path::{Path, PathBuf};

use aws_simulator::{Clock, Delay, Seed, Simulator};
use clap::Parser;
use jiff::SignedDuration;

/// A stand-in for AWS IAM Identity Center, IAM, STS and Organizations on 127.0.0.1.
///
/// Point any AWS SDK or the AWS CLI at it with `AWS_ENDPOINT_URL`. The account comes from the access key: `AKIA`, the twelve digits of the
/// account id, and anything; the secret key can be anything.
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    /// Port on 127.0.0.1; 0 takes a free one.
    #[arg(long, default_value_t = 0)]
    port: u16,
    /// The world to begin with, in YAML or JSON; absent: a small example.
    #[arg(long)]
    world: Option<PathBuf>,
    /// From a Create or `DeleteAccountAssignment` to its end, such as 2s.
    #[arg(long)]
    assignment_delay: Option<SignedDuration>,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments = Arguments::parse();
    let mut seed = arguments
        .world
        .as_deref()
        .map_or_else(|| Ok(Seed::example()), read)?;
    if let Some(delay) = arguments.assignment_delay {
        seed.settings.assignment_delay = Delay::exactly(delay);
    }
    let simulator = Simulator::new(&seed, Clock::system())?;
    let listener = Simulator::bind(arguments.port).await?;
    let region = seed
        .instances
        .first()
        .map_or("us-east-1", |instance| instance.region.as_str());
    println!(
        "AWS_ENDPOINT_URL=http://{} AWS_REGION={region} AWS_ACCESS_KEY_ID=AKIA{}TEST AWS_SECRET_ACCESS_KEY=test",
        listener.local_addr()?,
        seed.management_account
    );
    simulator.serve(listener).await?;
    Ok(())
}

fn read(path: &Path) -> Result<Seed, Box<dyn Error>> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| format!("can't read {}: {error}", path.display()))?;
    Ok(serde_saphyr::from_str(&text)
        .map_err(|error| format!("{} is not a world: {error}", path.display()))?)
}
