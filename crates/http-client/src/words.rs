//! What servers say in plain text ends up in logs and on terminals.

/// The words of a server in one line, up to so many characters of it: without what
/// ends lines, steers a terminal, or changes the order in which text is read. Blanks
/// at both ends and next to one another do not count.
#[must_use]
pub fn one_line(words: &str, chars_max: usize) -> String {
    let words: Vec<&str> = words
        .split(|c: char| c.is_whitespace() || is_steering(c))
        .filter(|word| !word.is_empty())
        .collect();
    words.join(" ").chars().take(chars_max).collect()
}

fn is_steering(c: char) -> bool {
    c.is_control()
        || matches!(
            c,
            '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}'
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_steers_a_terminal() {
        for (said, shown) in [
            ("permission denied", "permission denied"),
            ("  two\r\n\tlines ", "two lines"),
            ("a\u{1b}[2J\u{1b}]0;title\u{7}b", "a [2J ]0;title b"),
            ("c1 \u{9b}31m", "c1 31m"),
            ("rubout\u{7f}\0nul", "rubout nul"),
            ("turned \u{202e}gnp.exe", "turned gnp.exe"),
            ("Schlüssel fehlt", "Schlüssel fehlt"),
            ("\u{1b}\u{1b}", ""),
        ] {
            assert_eq!(one_line(said, 300), shown, "{said:?}");
        }
        assert_eq!(one_line("ä ö ü", 3), "ä ö");
        assert_eq!(one_line("\u{1b} a b", 1), "a");
    }
}
