//! Servers and folders last no longer than they are needed.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use control_plane::Options;

use crate::{eventually, exists, start};

#[test]
fn nothing_is_left_after_a_drop() {
    let control_plane = start(Options::default());
    control_plane.start_controller_manager().unwrap();
    let (pids, directory) = (control_plane.pids(), control_plane.directory().to_owned());
    assert_eq!(pids.iter().filter(|pid| exists(**pid)).count(), 3);
    drop(control_plane);
    assert_eq!(pids.iter().filter(|pid| exists(**pid)).count(), 0);
    assert!(!directory.exists());
}

/// A test run that is killed can't drop anything.
#[test]
fn the_servers_end_when_their_starter_is_killed() {
    const STARTER: &str = "CONTROL_PLANE_TEST_STARTER";
    if std::env::var_os(STARTER).is_some() {
        // This is the starter: a second run of this test program, to be killed.
        let control_plane = start(Options::default());
        let pids: Vec<String> = control_plane.pids().iter().map(u32::to_string).collect();
        println!(
            "\nstarted {} {}",
            control_plane.directory().display(),
            pids.join(" ")
        );
        loop {
            std::thread::park();
        }
    }
    let mut starter = Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "lifetime::the_servers_end_when_their_starter_is_killed",
            "--nocapture",
        ])
        .env(STARTER, "yes")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let line = BufReader::new(starter.stdout.take().unwrap())
        .lines()
        .find_map(|printed| printed.unwrap().strip_prefix("started ").map(str::to_owned))
        .unwrap();
    let mut words = line.rsplit(' ');
    let pids: Vec<u32> = words
        .by_ref()
        .take(2)
        .map(|pid| pid.parse().unwrap())
        .collect();
    let directory = line.rsplitn(3, ' ').last().unwrap();
    assert!(pids.iter().all(|pid| exists(*pid)), "{line}");
    starter.kill().unwrap();
    starter.wait().unwrap();
    eventually("the servers are gone", || {
        !pids.iter().any(|pid| exists(*pid))
    });

    // The next one tidies up.
    let next = start(Options::default());
    assert!(!Path::new(directory).exists(), "{directory}");
    drop(next);
}
