//! What the program says about itself: logs, the audit trail, numbers, and whether it is well.

pub mod audit;
#[cfg(test)]
mod hostile_tests;
pub mod metrics;

use std::io::Write;

use tracing::Subscriber;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::util::SubscriberInitExt as _;

/// How log lines look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// For machines: one JSON object per line.
    Json,
}

/// Sends logs to standard error. `RUST_LOG` changes what is told.
pub fn log_to_stderr(format: LogFormat) {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| {
        EnvFilter::new("info,kube_client=off,kube_runtime=warn,aws_config=error")
    });
    let ansi = std::io::IsTerminal::is_terminal(&std::io::stderr());
    logger(format, filter, std::io::stderr, ansi).init();
}

fn logger<W>(
    format: LogFormat,
    filter: EnvFilter,
    writer: W,
    ansi: bool,
) -> Box<dyn Subscriber + Send + Sync>
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_target(false);
    match format {
        LogFormat::Text => {
            let lines = lines.with_writer(OneLine(writer));
            Box::new(lines.with_ansi(ansi).finish())
        }
        // JSON has line breaks escaped.
        LogFormat::Json => Box::new(
            lines
                .with_writer(writer)
                .json()
                .flatten_event(true)
                .finish(),
        ),
    }
}

/// Writes each event as one line, whatever is in it: a line break in a message that others wrote could
/// make up an event that never was.
#[derive(Debug)]
struct OneLine<W>(W);

impl<'a, W: MakeWriter<'a>> MakeWriter<'a> for OneLine<W> {
    type Writer = OneLine<W::Writer>;

    fn make_writer(&'a self) -> Self::Writer {
        OneLine(self.0.make_writer())
    }
}

impl<W: Write> Write for OneLine<W> {
    /// Takes a whole event, as the subscriber hands it over.
    fn write(&mut self, event: &[u8]) -> std::io::Result<usize> {
        let text = String::from_utf8_lossy(event);
        let text = text.strip_suffix('\n').unwrap_or(&text);
        let mut line = String::with_capacity(event.len());
        for c in text.chars() {
            // Colours begin with an escape; in what others wrote it has been made harmless before.
            match c {
                '\u{1b}' | '\t' => line.push(c),
                '\u{2028}' | '\u{2029}' => line.extend(c.escape_default()),
                c if c.is_control() => line.extend(c.escape_default()),
                c => line.push(c),
            }
        }
        line.push('\n');
        self.0.write_all(line.as_bytes())?;
        Ok(event.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.0.flush()
    }
}

/// An error and what is behind it, on one line.
pub fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        let next = error.to_string();
        if !text.contains(&next) {
            text.push_str(": ");
            text.push_str(&next);
        }
        source = error.source();
    }
    text
}
