//! The demo is what people try first, so it must not rot.

use std::process::Command;

/// Takes as long as the grants live, about a minute.
#[test]
fn the_demo_ends_with_aws_as_it_was_found() {
    let output = Command::new(env!("CARGO_BIN_EXE_demo")).output().unwrap();
    let (stdout, stderr) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    assert!(output.status.success(), "{stdout}\n{stderr}");
    for words in [
        "AWS is as it was found",
        "From the expiry to the first call",
    ] {
        assert!(stdout.contains(words), "{words} is not in\n{stdout}");
    }
    assert!(!stdout.contains('\u{1b}'), "colours are for terminals only");
}
