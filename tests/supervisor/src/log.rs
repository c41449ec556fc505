use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

/// As much of a log as belongs into an error message, in bytes.
const TAIL: u64 = 4096;

/// The last lines of a log file, for error messages; what can't be read is told in their place.
pub fn tail(path: &Path) -> String {
    read_tail(path).unwrap_or_else(|error| format!("(can't read {}: {error})", path.display()))
}

fn read_tail(path: &Path) -> std::io::Result<String> {
    let mut file = File::open(path)?;
    let start = file.metadata()?.len().saturating_sub(TAIL);
    file.seek(SeekFrom::Start(start))?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    let text = String::from_utf8_lossy(&bytes);
    let whole_lines = if start == 0 {
        &*text
    } else {
        text.split_once('\n').map_or(&*text, |(_, rest)| rest)
    };
    Ok(whole_lines.trim_end().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A log can be large, and an error message must stay readable.
    #[test]
    fn the_tail_of_a_long_log_is_its_last_whole_lines() {
        let path = std::env::temp_dir().join(format!("supervisor-tail-{}.log", std::process::id()));
        let lines: Vec<String> = (0..10_000).map(|line| format!("line {line}")).collect();
        std::fs::write(&path, lines.join("\n")).unwrap();
        let tail = tail(&path);
        std::fs::remove_file(&path).unwrap();
        assert!(tail.ends_with("line 9999"));
        assert!(tail.len() <= 4096);
        assert!(
            tail.lines().all(|line| lines.contains(&line.to_owned())),
            "{tail}"
        );
    }
}
