//! Short free text, as names, algorithms and modes are.

use std::fmt;

/// Free text of 0 to 255 characters (Unicode scalar values).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Label(String);

/// The text has more than [`Label::CHARS_MAX`] characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("text of {chars} characters, at most {} are allowed", Label::CHARS_MAX)]
pub struct LabelTooLong {
    /// How many characters it has.
    pub chars: usize,
}

impl Label {
    /// The most characters a label may have.
    pub const CHARS_MAX: usize = 255;

    /// Checks the length.
    ///
    /// # Errors
    /// [`LabelTooLong`] beyond [`Label::CHARS_MAX`] characters.
    pub fn new(text: String) -> Result<Self, LabelTooLong> {
        let chars = text.chars().count();
        if chars > Self::CHARS_MAX {
            Err(LabelTooLong { chars })
        } else {
            Ok(Self(text))
        }
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn characters_count_not_bytes() {
        assert!(Label::new("ü".repeat(255)).is_ok());
        assert_eq!(
            Label::new("ü".repeat(256)),
            Err(LabelTooLong { chars: 256 })
        );
    }
}
