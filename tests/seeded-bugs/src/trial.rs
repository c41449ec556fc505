//! Which test notices a bug: random stories first, then those about one fault, a crowd or one short life, then the
//! tests of the library, then the stories about a crash or a pause, then those about two crashes, which take longest.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use supervisor::Program;

/// More than any of the tests takes; a bug may make them go on for ever.
const LONGEST: Duration = Duration::from_mins(15);
/// The program itself is built without optimisation, which takes seconds and not a minute.
const QUICKLY_BUILT: &str = "profile.simulation.package.breakglass.opt-level=0";

/// The tests after the random stories, the quick ones first: what they are called, their package and
/// source, and which of them.
const STAGES: [(&str, &str, &str, &[&str]); 4] = [
    (
        "simulation",
        "simulation",
        "tests/suite/main.rs",
        &["faults::", "seeds::where_", "crashes::every_life"],
    ),
    ("library", "breakglass", "src/lib.rs", &[]),
    (
        "simulation",
        "simulation",
        "tests/suite/main.rs",
        &["crashes::a_crash", "pauses::"],
    ),
    (
        "simulation",
        "simulation",
        "tests/suite/main.rs",
        &["crashes::two_crashes"],
    ),
];

/// How many of them take minutes at most.
const QUICK: usize = 2;

/// Who noticed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// A random story, the so many-th, broke that rule.
    Story {
        /// Such as `R3`.
        rule: String,
        /// How many stories were played, that one included.
        after: u64,
    },
    /// Tests of that kind failed.
    Tests {
        /// `simulation` or `library`.
        of: &'static str,
        /// The first of them, by name.
        first: String,
        /// How many.
        failed: usize,
    },
    /// It goes on for ever, so the tests do too.
    Endless,
    /// Nobody.
    Nobody,
}

/// Where to build and run.
#[derive(Debug)]
pub struct Bench {
    /// The copy with the bug in it.
    pub tree: PathBuf,
    /// Cargo's folder for what it builds.
    pub target: PathBuf,
    /// Where the output of all that is run is kept.
    pub log: PathBuf,
    /// How many random stories are played at most.
    pub stories: u64,
    /// Whether the stories about crashes and pauses are left out.
    pub quick: bool,
}

impl Bench {
    /// Builds the program as it stands in the copy, and has it tested until somebody notices.
    ///
    /// # Errors
    /// If it can't be built.
    pub fn trial(&self) -> Result<Verdict> {
        if self.log.exists() {
            std::fs::remove_file(&self.log)?;
        }
        self.cargo(&["build", "--package", "simulation", "--bin", "simulate"])?;
        let stories = Program::new("simulate", self.target.join("simulation/simulate"))
            .args(["--first", "--shrink", "0", "--seeds"])
            .arg(self.stories.to_string());
        match self.run(stories)? {
            None => return Ok(Verdict::Endless),
            Some(output) => {
                if let Some(verdict) = broken_story(&output) {
                    return Ok(verdict);
                }
            }
        }
        let stages = if self.quick { QUICK } else { STAGES.len() };
        for (of, package, source, which) in STAGES.into_iter().take(stages) {
            let built = self.cargo(&["test", "--no-run", "--package", package])?;
            let tests = Program::new(of, executable(&built, source)?).args(which);
            match self.run(tests)? {
                None => return Ok(Verdict::Endless),
                Some(output) => {
                    if let Some(verdict) = failed_tests(of, &output) {
                        return Ok(verdict);
                    }
                }
            }
        }
        Ok(Verdict::Nobody)
    }

    /// Asks only who noticed before, by a row of the table: a test. None where it was a story, or notices no more.
    ///
    /// # Errors
    /// If it can't be built.
    pub fn noticed_again(&self, row: &str) -> Result<Option<Verdict>> {
        let Some((of, test)) = named(row) else {
            return Ok(None);
        };
        let stage = STAGES.into_iter().find(|(name, ..)| *name == of);
        let (of, package, source, _) = stage.context("a kind of tests")?;
        let built = self.cargo(&["test", "--no-run", "--package", package])?;
        let tests = Program::new(of, executable(&built, source)?).args([test, "--exact"]);
        let output = self.run(tests)?;
        Ok(output.map_or(Some(Verdict::Endless), |output| failed_tests(of, &output)))
    }

    /// Runs cargo in the copy. Its output.
    fn cargo(&self, arguments: &[&str]) -> Result<String> {
        let cargo = Program::new("cargo", "cargo")
            .args(arguments)
            .args(["--profile", "simulation", "--locked"])
            .args(["--config", QUICKLY_BUILT])
            .env("CARGO_TARGET_DIR", &self.target);
        match self.run_to_end(cargo)? {
            Some((0, output)) => Ok(output),
            Some((code, output)) => bail!("cargo ended with {code}:\n{output}"),
            None => bail!("cargo did not end"),
        }
    }

    fn run(&self, program: Program) -> Result<Option<String>> {
        Ok(self.run_to_end(program)?.map(|(_, output)| output))
    }

    /// Its exit code and its output; none if it has not ended in time.
    fn run_to_end(&self, program: Program) -> Result<Option<(u8, String)>> {
        let said = std::fs::read(&self.log).map_or(0, |bytes| bytes.len());
        let running = program.current_dir(&self.tree).spawn(&self.log)?;
        let ended = running.wait(LONGEST);
        let output = std::fs::read(&self.log).context("its output")?;
        let output = output.get(said..).unwrap_or_default();
        let output = String::from_utf8_lossy(output).into_owned();
        Ok(ended.ok().map(|exit| (exit.code(), output)))
    }
}

/// The kind and the name of a test, from a row such as "`a::b` and 1 more (library)".
fn named(row: &str) -> Option<(&str, &str)> {
    let (test, rest) = row.strip_prefix('`')?.split_once('`')?;
    let (_, of) = rest.strip_suffix(')')?.rsplit_once('(')?;
    Some((of, test))
}

/// The first story that broke a rule, from lines such as `seed 4: 02:10:33 R3: ...`.
fn broken_story(output: &str) -> Option<Verdict> {
    let broken = output.lines().filter_map(|line| {
        let (seed, violation) = line.strip_prefix("seed ")?.split_once(": ")?;
        let rule = violation.split(": ").next()?.split(' ').next_back()?;
        Some((seed.parse::<u64>().ok()?, rule.to_owned()))
    });
    broken.min().map(|(seed, rule)| Verdict::Story {
        rule,
        after: seed + 1,
    })
}

fn failed_tests(of: &'static str, output: &str) -> Option<Verdict> {
    let mut failed: Vec<_> = output
        .lines()
        .filter_map(|line| line.strip_prefix("test ")?.strip_suffix(" ... FAILED"))
        .collect();
    failed.sort_unstable();
    failed.first().map(|first| Verdict::Tests {
        of,
        first: (*first).to_owned(),
        failed: failed.len(),
    })
}

/// The file of a test, from lines of cargo such as `Executable unittests src/lib.rs (path)`.
fn executable(output: &str, source: &str) -> Result<PathBuf> {
    let line = output
        .lines()
        .find(|line| line.contains("Executable") && line.contains(&format!(" {source} (")));
    let path = line
        .and_then(|line| line.rsplit_once('('))
        .and_then(|(_, path)| path.strip_suffix(')'));
    path.map(|path| Path::new(path).to_owned())
        .with_context(|| format!("cargo tells no executable of {source}:\n{output}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_programs_say_is_understood() {
        let output = "seed 7: 1d 02:10:33 R3: a: b\nseed 4: 00:00:01 panic: at x\n2 stories\n";
        let (rule, after) = ("panic".to_owned(), 5);
        assert_eq!(broken_story(output), Some(Verdict::Story { rule, after }));
        assert_eq!(broken_story("20 stories\n"), None);

        let output = "test b::c ... FAILED\ntest a ... ok\ntest b::a ... FAILED\n";
        let verdict = Verdict::Tests {
            of: "library",
            first: "b::a".to_owned(),
            failed: 2,
        };
        assert_eq!(
            named(&crate::table::told(&verdict)),
            Some(("library", "b::a"))
        );
        assert_eq!(named("R6, in the first story"), None);
        assert_eq!(failed_tests("library", output), Some(verdict));
        assert_eq!(failed_tests("library", "test a ... ok\n"), None);

        let output = "   Compiling a\n  Executable unittests src/lib.rs (/t/a-1)\n  Executable tests/suite/main.rs (/t/b-2)\n";
        let of = |source| executable(output, source).ok();
        assert_eq!(of("src/lib.rs"), Some("/t/a-1".into()));
        assert_eq!(of("tests/suite/main.rs"), Some("/t/b-2".into()));
        assert_eq!(of("other.rs"), None);
    }
}
