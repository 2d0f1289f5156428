//! Words, operators and parentheses.

/// A piece of the text of a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Token<'a> {
    Open,
    Close,
    And,
    Or,
    Not,
    Check(&'a str),
    /// With its quotes.
    Quoted(&'a str),
}

/// The tokens of a rule, each with its column in characters from 1.
///
/// Only parentheses at the ends of a word are operators, for a check may hold some: `user_id:%(owner)s`.
pub(super) fn tokens(text: &str) -> impl Iterator<Item = (Token<'_>, usize)> {
    words(text).flat_map(|(word, column)| {
        let inner = word.trim_start_matches('(');
        let opens = word.len() - inner.len();
        let bare = inner.trim_end_matches(')');
        let closes = inner.len() - bare.len();
        let close_column = column + opens + bare.chars().count();
        let opens = (0..opens).map(move |number| (Token::Open, column + number));
        let opened = opens.len();
        let middle = (!bare.is_empty()).then(|| (middle(inner, bare), column + opened));
        let closes = (0..closes).map(move |number| (Token::Close, close_column + number));
        opens.chain(middle).chain(closes)
    })
}

/// `inner` is `bare` with the parentheses that close.
fn middle<'a>(inner: &'a str, bare: &'a str) -> Token<'a> {
    let operators = [("and", Token::And), ("or", Token::Or), ("not", Token::Not)];
    let operator = operators
        .into_iter()
        .find(|(word, _)| bare.eq_ignore_ascii_case(word));
    if let Some((_, operator)) = operator {
        return operator;
    }
    let is_quoted = |quote| inner.len() >= 2 && inner.starts_with(quote) && inner.ends_with(quote);
    if is_quoted('"') || is_quoted('\'') {
        return Token::Quoted(inner);
    }
    Token::Check(bare)
}

/// The words between white space, each with its column in characters from 1.
fn words(text: &str) -> impl Iterator<Item = (&str, usize)> {
    let mut column = 1;
    text.split(is_space).filter_map(move |word| {
        let start = column;
        column += word.chars().count() + 1;
        (!word.is_empty()).then_some((word, start))
    })
}

/// White space to Python: Unicode's, and four separators of ASCII besides.
fn is_space(c: char) -> bool {
    c.is_whitespace() || ('\u{1c}'..='\u{1f}').contains(&c)
}

#[cfg(test)]
mod tests {
    use super::{Token, tokens};

    #[test]
    fn parentheses_at_the_ends_of_a_word_are_operators() {
        let found: Vec<_> = tokens("((a:(b) AND\u{1f}\u{a0} not)) 'c:d' 'c') ()").collect();
        let expected = [
            (Token::Open, 1),
            (Token::Open, 2),
            (Token::Check("a:(b"), 3),
            (Token::Close, 7),
            (Token::And, 9),
            (Token::Not, 15),
            (Token::Close, 18),
            (Token::Close, 19),
            (Token::Quoted("'c:d'"), 21),
            (Token::Check("'c'"), 27),
            (Token::Close, 30),
            (Token::Open, 32),
            (Token::Close, 33),
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn columns_count_characters() {
        let found: Vec<_> = tokens("é:ü) or x").map(|(_, column)| column).collect();
        assert_eq!(found, [1, 4, 6, 9]);
    }
}
