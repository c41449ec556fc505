//! The promises of `Supervised`, asked of real processes.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use supervisor::{Error, Program, Supervised};

const SOON: Duration = Duration::from_secs(20);

/// A log file that goes when the test is over.
struct Log(PathBuf);

impl Log {
    fn new() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        Self(std::env::temp_dir().join(format!("supervised-{}-{number}.log", std::process::id())))
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        drop(std::fs::remove_file(&self.0));
    }
}

fn shell(script: &str) -> Program {
    Program::new("test program", "/bin/sh").args(["-c", script])
}

/// Zombies count: the system still keeps their pid.
fn exists(pid: u32) -> bool {
    Command::new("/bin/sh")
        .args(["-c", "kill -0 \"$1\" 2>/dev/null", "kill", &pid.to_string()])
        .status()
        .is_ok_and(|status| status.success())
}

#[track_caller]
fn eventually(what: &str, condition: impl Fn() -> bool) {
    let began = Instant::now();
    while !condition() {
        assert!(began.elapsed() < SOON, "not within {SOON:?}: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn prints(program: &Supervised, line: &str) -> bool {
    program.log_tail().lines().any(|printed| printed == line)
}

#[test]
fn a_program_gets_its_arguments_environment_and_directory() {
    let log = Log::new();
    let directory = std::env::temp_dir().canonicalize().unwrap();
    let program = Program::new("printer", "/bin/sh")
        .arg("-c")
        .arg(r#"printf '%s|' "$@" "$COLOUR" "$PWD" "${HOME-no home}""#)
        .args(["arg0", "two words", "*", ""])
        .env("COLOUR", "dark blue")
        .env_remove("HOME")
        .current_dir(&directory)
        .spawn(&log.0)
        .unwrap();
    assert!(program.wait(SOON).unwrap().success());
    assert_eq!(
        program.log_tail(),
        format!("two words|*||dark blue|{}|no home|", directory.display())
    );
}

#[test]
fn the_exit_code_is_that_of_the_program() {
    let log = Log::new();
    let program = shell("echo out; echo error >&2; exit 7")
        .spawn(&log.0)
        .unwrap();
    let exit = program.wait(SOON).unwrap();
    assert_eq!(
        (exit.code(), exit.signal(), exit.success()),
        (7, None, false)
    );
    assert_eq!(program.try_wait().unwrap(), Some(exit));
    assert!(program.has_exited());
    assert_eq!(program.log_tail(), "out\nerror");
}

#[test]
fn the_pid_is_that_of_the_program_and_is_gone_after_a_kill() {
    let log = Log::new();
    let program = shell("echo $$; exec sleep 1000").spawn(&log.0).unwrap();
    eventually("the program prints its pid", || {
        prints(&program, &program.pid().to_string())
    });
    assert_eq!(program.try_wait().unwrap(), None);
    assert!(exists(program.pid()));
    assert_eq!(program.kill().unwrap().signal(), Some(9));
    assert!(!exists(program.pid()));
    // A second time there is nothing left to end.
    assert_eq!(program.kill().unwrap().signal(), Some(9));
}

#[test]
fn a_signal_reaches_the_program() {
    let log = Log::new();
    let program = shell("trap 'echo asked; exit 3' TERM; echo ready; while :; do sleep 0.05; done")
        .spawn(&log.0)
        .unwrap();
    eventually("the program is ready", || prints(&program, "ready"));
    program.signal("TERM").unwrap();
    assert_eq!(program.wait(SOON).unwrap().code(), 3);
    assert!(prints(&program, "asked"));
}

/// The pid of an ended program may belong to another process.
#[test]
fn no_signal_is_sent_after_the_end() {
    let log = Log::new();
    let program = shell("echo last words").spawn(&log.0).unwrap();
    program.wait(SOON).unwrap();
    let error = program.signal("TERM").unwrap_err();
    assert!(matches!(error, Error::Ended { .. }), "{error:?}");
    assert!(error.to_string().contains("last words"), "{error}");
}

#[test]
fn an_unknown_signal_is_an_error_and_ends_nothing() {
    let log = Log::new();
    let program = shell("exec sleep 1000").spawn(&log.0).unwrap();
    let error = program.signal("NONSENSE").unwrap_err();
    assert!(matches!(error, Error::Signal { .. }), "{error:?}");
    assert!(!program.has_exited());
}

#[test]
fn stop_lets_the_program_end_by_itself() {
    let log = Log::new();
    let program = shell("trap 'echo bye; exit 0' TERM; echo ready; while :; do sleep 0.05; done")
        .spawn(&log.0)
        .unwrap();
    eventually("the program is ready", || prints(&program, "ready"));
    assert!(program.stop().unwrap().success());
    assert!(prints(&program, "bye"));
}

#[test]
fn stop_ends_a_program_that_does_not_listen() {
    let log = Log::new();
    let program = shell("trap '' TERM; echo ready; while :; do sleep 0.05; done")
        .grace(Duration::from_millis(200))
        .spawn(&log.0)
        .unwrap();
    eventually("the program is ready", || prints(&program, "ready"));
    assert_eq!(program.stop().unwrap().signal(), Some(9));
}

/// Tests stop servers (SIGSTOP) to see what their clients do; such a server must end like any other.
#[test]
fn stop_ends_a_paused_program_gracefully() {
    let log = Log::new();
    let program = shell("trap 'exit 0' TERM; echo ready; while :; do sleep 0.05; done")
        .spawn(&log.0)
        .unwrap();
    eventually("the program is ready", || prints(&program, "ready"));
    program.signal("STOP").unwrap();
    assert!(program.stop().unwrap().success());
}

#[test]
fn drop_leaves_nothing_behind() {
    let log = Log::new();
    let program = shell("sleep 1000 & echo $!; wait").spawn(&log.0).unwrap();
    eventually("the program has a child", || !program.log_tail().is_empty());
    let (pid, child) = (program.pid(), program.log_tail().parse().unwrap());
    assert!(exists(pid) && exists(child));
    drop(program);
    assert!(!exists(pid));
    // Its parent is gone, so whoever inherits it must first see its end.
    eventually("the program's own child is gone", || !exists(child));
}

#[test]
fn a_missing_program_is_an_error_that_names_it() {
    let log = Log::new();
    let error = Program::new("server", "/nonexistent/server")
        .spawn(&log.0)
        .unwrap_err();
    assert!(error.to_string().contains("/nonexistent/server"), "{error}");
    let program = Program::new("server", "no-such-server")
        .spawn(&log.0)
        .unwrap();
    assert_eq!(program.wait(SOON).unwrap().code(), 127);
    assert!(
        program.log_tail().contains("no-such-server"),
        "{}",
        program.log_tail()
    );
}

#[test]
fn a_wait_that_takes_too_long_shows_the_log() {
    let log = Log::new();
    let program = shell("echo starting; exec sleep 1000")
        .spawn(&log.0)
        .unwrap();
    eventually("the program prints", || prints(&program, "starting"));
    let error = program.wait(Duration::from_millis(1)).unwrap_err();
    assert!(matches!(error, Error::StillRunning { .. }), "{error:?}");
    assert!(error.to_string().contains("starting"), "{error}");
}

/// Someone may end the supervising shell by hand: that is told, and the program still ends with its handle.
#[test]
fn the_program_ends_with_its_handle_even_without_the_supervising_shell() {
    let log = Log::new();
    let program = shell("echo $PPID; exec sleep 1000").spawn(&log.0).unwrap();
    eventually("the program prints the shell's pid", || {
        !program.log_tail().is_empty()
    });
    let killed = Command::new("/bin/sh")
        .args(["-c", "kill -s KILL \"$1\"", "kill", &program.log_tail()])
        .status()
        .unwrap();
    assert!(killed.success());
    let error = program.wait(SOON).unwrap_err();
    assert!(matches!(error, Error::Lost { .. }), "{error:?}");
    let pid = program.pid();
    drop(program);
    eventually("the program is gone", || !exists(pid));
}

#[test]
fn many_run_at_once() {
    let programs: Vec<_> = (0..20)
        .map(|number| {
            let log = Log::new();
            (
                number,
                shell(&format!("exit {number}")).spawn(&log.0).unwrap(),
                log,
            )
        })
        .collect();
    for (number, program, _log) in &programs {
        assert_eq!(program.wait(SOON).unwrap().code(), *number);
    }
}

/// The one promise that no destructor can keep.
#[test]
fn the_program_ends_when_its_starter_is_killed() {
    const STARTER: &str = "SUPERVISOR_TEST_STARTER_LOG";
    if let Some(log) = std::env::var_os(STARTER) {
        // This is the starter: a second run of this test program, to be killed.
        let program = shell(
            "trap 'echo asked to end; exit 0' TERM; echo ready; while :; do sleep 0.05; done",
        )
        .spawn(log.as_ref())
        .unwrap();
        eventually("the program is ready", || prints(&program, "ready"));
        println!("\nprogram {}", program.pid());
        loop {
            std::thread::park();
        }
    }
    let log = Log::new();
    let mut starter = Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "the_program_ends_when_its_starter_is_killed",
            "--nocapture",
        ])
        .env(STARTER, &log.0)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let pid: u32 = BufReader::new(starter.stdout.take().unwrap())
        .lines()
        .find_map(|line| {
            line.unwrap()
                .strip_prefix("program ")
                .map(|pid| pid.parse().unwrap())
        })
        .unwrap();
    assert!(exists(pid));
    starter.kill().unwrap();
    starter.wait().unwrap();
    eventually("the program is gone", || !exists(pid));
    assert!(
        std::fs::read_to_string(&log.0)
            .unwrap()
            .contains("asked to end"),
        "SIGTERM comes before SIGKILL"
    );
}
