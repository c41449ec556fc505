//! Patterns as Go reads them.

use regex_lite::Regex;

use super::DefinitionError;

/// Go's `\p{Z}`: separators.
const SEPARATORS: &str =
    r" \x{A0}\x{1680}\x{2000}-\x{200A}\x{2028}\x{2029}\x{202F}\x{205F}\x{3000}";

/// Go's `\p{C}`: control, format and private characters.
const OTHERS: &str = concat!(
    r"\x{0}-\x{1F}\x{7F}-\x{9F}\x{AD}\x{600}-\x{605}\x{61C}\x{6DD}\x{70F}\x{890}\x{891}\x{8E2}\x{180E}",
    r"\x{200B}-\x{200F}\x{202A}-\x{202E}\x{2060}-\x{2064}\x{2066}-\x{206F}\x{E000}-\x{F8FF}\x{FEFF}",
    r"\x{FFF9}-\x{FFFB}\x{110BD}\x{110CD}\x{13430}-\x{1343F}\x{1BCA0}-\x{1BCA3}\x{1D173}-\x{1D17A}",
    r"\x{E0001}\x{E0020}-\x{E007F}\x{F0000}-\x{FFFFD}\x{100000}-\x{10FFFD}",
);

/// A pattern, and how it was written.
#[derive(Clone, Debug)]
pub(crate) struct Pattern {
    pub(crate) written: String,
    regex: Regex,
}

impl Pattern {
    /// Reads a pattern. Two classes of Unicode characters, which Go knows, are spelled out, inside of brackets only.
    pub(super) fn read(written: &str) -> Result<Self, DefinitionError> {
        let spelled = written
            .replace(r"\p{Z}", SEPARATORS)
            .replace(r"\p{C}", OTHERS);
        let regex =
            Regex::new(&spelled).map_err(|_| DefinitionError::Pattern(written.to_owned()))?;
        Ok(Self {
            written: written.to_owned(),
            regex,
        })
    }

    pub(crate) fn fits(&self, text: &str) -> bool {
        self.regex.is_match(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_of_unicode_are_spelled_out() {
        let pattern = Pattern::read(r"^[^\p{C}\p{Z}]+( +[^\p{C}\p{Z}]+)*$").unwrap();
        assert!(pattern.fits("alice@example.com") && pattern.fits("Zoë  Ünal"));
        for text in ["", " ", "a ", "a\u{200B}b", "a\u{A0}b", "a\nb", "\u{E000}"] {
            assert!(!pattern.fits(text), "{text:?}");
        }
        assert!(Pattern::read(r"\p{Greek}").is_err());
    }
}
