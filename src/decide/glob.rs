//! Globs of policies: `*` is any run of characters, `?` is one. Case counts.

/// Whether the whole of `text` matches `pattern`. Takes time proportional to the product of both
/// lengths at worst, so a hostile pattern can't stall the controller.
pub fn matches(pattern: &str, text: &str) -> bool {
    let pattern: Vec<char> = pattern.chars().collect();
    // reached[i]: the text read so far matches the first i characters of the pattern.
    let mut reached = vec![false; pattern.len() + 1];
    if let Some(first) = reached.first_mut() {
        *first = true;
    }
    extend_over_stars(&pattern, &mut reached);
    for c in text.chars() {
        let before = reached.clone();
        reached.fill(false);
        for (i, p) in pattern.iter().enumerate() {
            let was = |at: usize| before.get(at).copied().unwrap_or(false);
            let next = match p {
                '*' => was(i + 1) || was(i),
                '?' => was(i),
                literal => was(i) && *literal == c,
            };
            if let Some(slot) = reached.get_mut(i + 1) {
                *slot |= next;
            }
        }
        extend_over_stars(&pattern, &mut reached);
    }
    reached.last().copied().unwrap_or(false)
}

/// Whether any of the patterns matches.
pub fn any(patterns: &[String], text: &str) -> bool {
    patterns.iter().any(|pattern| matches(pattern, text))
}

fn extend_over_stars(pattern: &[char], reached: &mut [bool]) {
    for (i, p) in pattern.iter().enumerate() {
        if *p == '*'
            && reached.get(i).copied().unwrap_or(false)
            && let Some(slot) = reached.get_mut(i + 1)
        {
            *slot = true;
        }
    }
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
