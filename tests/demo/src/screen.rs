//! How the demo looks. Colours only on a terminal.

use std::io::{IsTerminal as _, Write as _};
use std::sync::LazyLock;

use jiff::Timestamp;

/// `NO_COLOR` is heeded.
static COLOURS: LazyLock<bool> = LazyLock::new(|| {
    let wanted = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    wanted && std::io::stdout().is_terminal()
});

const BOLD: &str = "1";
const FAINT: &str = "2";
const CYAN: &str = "36";

/// Begins a part of the show.
pub fn heading(text: &str) {
    say(&format!("\n{}", styled(BOLD, &format!("=== {text} ==="))));
}

/// Explains something to the spectator.
pub fn say(text: &str) {
    // Nobody may be looking any more, as behind a pipe into `head`; the show ends in order all the same.
    drop(writeln!(std::io::stdout(), "{text}"));
}

/// Shows a command and what it printed.
pub fn command(command: &str, output: &str) {
    block(&format!("$ {command}"), output);
}

/// Shows a table or file.
pub fn block(title: &str, text: &str) {
    say(&format!("\n{}\n{text}", styled(CYAN, title)));
}

/// Tells what just happened.
pub fn event(time: Timestamp, text: &str) {
    say(&format!("{}  {text}", styled(FAINT, &clock(time))));
}

/// The time of day in UTC, as `kubectl` shows it too: `12:00:07Z`.
pub fn clock(time: Timestamp) -> String {
    time.strftime("%H:%M:%SZ").to_string()
}

fn styled(style: &str, text: &str) -> String {
    if *COLOURS {
        format!("\u{1b}[{style}m{text}\u{1b}[0m")
    } else {
        text.to_owned()
    }
}
