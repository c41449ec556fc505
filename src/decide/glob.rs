//! Globs of policies: `*` is any run of characters, `?` is one. Case counts.

use std::str::Chars;

/// Whether the whole of `text` matches `pattern`. Takes time proportional to the product of both
/// lengths at worst, and no memory, so a hostile pattern can't stall the controller.
pub fn matches(pattern: &str, text: &str) -> bool {
    let (mut pattern, mut text) = (pattern.chars(), text.chars());
    // Behind the last star: what the pattern goes on with, and the text that the star has not taken.
    // Earlier stars need not take more: what the last one can't find, none before it could.
    let mut star: Option<(Chars<'_>, Chars<'_>)> = None;
    loop {
        let here = text.clone();
        match (pattern.next(), text.next()) {
            (Some('*'), _) => {
                star = Some((pattern.clone(), here.clone()));
                text = here;
            }
            (Some('?'), Some(_)) => {}
            (Some(wanted), Some(found)) if wanted == found => {}
            (None, None) => return true,
            _ => {
                let Some((behind, left)) = &mut star else {
                    return false;
                };
                if left.next().is_none() {
                    return false;
                }
                pattern = behind.clone();
                text = left.clone();
            }
        }
    }
}

/// Whether any of the patterns matches.
pub fn any(patterns: &[String], text: &str) -> bool {
    patterns.iter().any(|pattern| matches(pattern, text))
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn stars_and_question_marks_match_what_they_say() {
        for (pattern, text) in [
            ("*", ""),
            ("*", "anything"),
            ("*@example.com", "alice@example.com"),
            ("ReadOnly*", "ReadOnlyAccess"),
            ("a?c", "abc"),
            ("a?c", "aéc"),
            ("a*b*c", "a--b--b--c"),
            ("**", "x"),
        ] {
            assert!(matches(pattern, text), "{pattern} should match {text}");
        }
        for (pattern, text) in [
            ("", "x"),
            ("?", ""),
            ("*@example.com", "alice@example.com.evil"),
            ("*@example.com", "alice@Example.com"),
            ("a?c", "ac"),
            ("ReadOnly", "ReadOnlyAccess"),
            ("a.c", "abc"),
            ("[ab]", "a"),
        ] {
            assert!(!matches(pattern, text), "{pattern} should not match {text}");
        }
    }

    #[test]
    fn a_hostile_pattern_ends_quickly() {
        let pattern = "*a".repeat(128);
        assert!(!matches(&pattern, &"a".repeat(120)));
    }
}
