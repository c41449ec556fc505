//! Starts a control plane for a person to try things on, until Ctrl-C.

use std::process::ExitCode;

use control_plane::{ControlPlane, Error, Options};

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("control-plane: {error:?}");
            ExitCode::FAILURE
        }
    }
}

async fn run() -> Result<(), Error> {
    let control_plane = ControlPlane::start(Options::default())?;
    control_plane.start_controller_manager()?;
    println!(
        "export KUBECONFIG={}",
        control_plane.kubeconfig("admin")?.display()
    );
    eprintln!(
        "control-plane: ready at {}; Ctrl-C ends it",
        control_plane.url()
    );
    if let Err(error) = tokio::signal::ctrl_c().await {
        eprintln!("control-plane: can't wait for Ctrl-C ({error}), so this ends at once");
    }
    Ok(())
}
