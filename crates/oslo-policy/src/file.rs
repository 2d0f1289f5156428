//! Policy files: YAML or JSON, a mapping from rule names to rules.
//!
//! JSON is read as YAML 1.2, of which it is a part.

use std::collections::{HashMap, HashSet};
use std::rc::Rc;

use saphyr_parser::{Event, Parser, ScalarStyle, ScanError, Span, StrInput, Tag};

use crate::check::Check;
use crate::parse::ParseError;

/// The rules of a policy file, parsed but not resolved.
///
/// A value is a rule as text, or in the old form as lists of checks. Aliases may stand for texts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PolicyFile {
    rules: Vec<(String, Check, usize)>,
}

/// Why a policy file can't be used.
#[derive(Debug, thiserror::Error)]
#[error("line {line}: {problem}")]
pub struct FileError {
    line: usize,
    #[source]
    problem: FileProblem,
}

/// What is wrong with a policy file.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FileProblem {
    /// It has more bytes than [`PolicyFile::BYTES_MAX`].
    #[error("the file has more than {max} bytes", max = PolicyFile::BYTES_MAX)]
    TooLong,
    /// Its texts have more bytes than [`PolicyFile::BYTES_MAX`], those counted again that aliases repeat.
    #[error("up to here all texts, with what aliases repeat, have more than {max} bytes", max = PolicyFile::BYTES_MAX)]
    TooMuchText,
    /// Neither YAML nor JSON.
    #[error("{0}")]
    Syntax(String),
    /// The whole is not one mapping.
    #[error("expected a mapping from rule names to rules, found {0}")]
    NoMapping(&'static str),
    /// A rule's name is not a text.
    #[error("expected the name of a rule, found {0}")]
    Name(&'static str),
    /// A value is not a rule. Python's implementation takes a value that is missing for a rule that always allows.
    #[error("rule {rule:?} must be a text or lists of texts, found {found}")]
    Value {
        /// The rule.
        rule: String,
        /// What stands there.
        found: &'static str,
    },
    /// A rule is there twice. Python's implementation takes the last.
    #[error("rule {0:?} is there twice")]
    Duplicate(String),
    /// A value is not in the policy language.
    #[error("rule {rule:?}: {source}")]
    Rule {
        /// The rule.
        rule: String,
        /// What is wrong.
        source: ParseError,
    },
}

// === impl PolicyFile ===

impl PolicyFile {
    /// Longer files are refused, and such whose aliases would make them longer.
    pub const BYTES_MAX: usize = 1 << 20;

    /// Reads a policy file. One without content has no rules.
    ///
    /// # Errors
    /// The first thing that is wrong, with its line. Nothing of a file with an error should be used.
    pub fn parse(text: &str) -> Result<Self, FileError> {
        if text.len() > Self::BYTES_MAX {
            return Err(FileError::new(1, FileProblem::TooLong));
        }
        let mut reader = Reader {
            parser: Parser::new_from_str(text),
            texts: HashMap::new(),
            text_bytes: 0,
        };
        Ok(Self {
            rules: reader.document()?,
        })
    }

    /// Name, rule and line, in the order of the file.
    pub fn rules(&self) -> impl Iterator<Item = (&str, &Check, usize)> {
        self.rules
            .iter()
            .map(|(name, check, line)| (name.as_str(), check, *line))
    }
}

// === impl FileError ===

impl FileError {
    fn new(line: usize, problem: FileProblem) -> Self {
        Self { line, problem }
    }

    /// Where in the file, from 1.
    #[must_use]
    pub fn line(&self) -> usize {
        self.line
    }

    /// What is wrong.
    #[must_use]
    pub fn problem(&self) -> &FileProblem {
        &self.problem
    }
}

impl From<ScanError> for FileError {
    fn from(error: ScanError) -> Self {
        Self::new(
            error.marker().line(),
            FileProblem::Syntax(error.info().to_owned()),
        )
    }
}

// === impl Reader ===

struct Reader<'a> {
    parser: Parser<'a, StrInput<'a>>,
    /// Texts with an anchor, by its number.
    texts: HashMap<usize, Rc<str>>,
    /// Of all texts so far, those of aliases too.
    text_bytes: usize,
}

/// A piece of the file, reduced to what matters here.
enum Piece {
    Text(Rc<str>),
    /// A number, a truth value and the like.
    Other(&'static str),
    Null,
    Lists,
    Mapping,
    /// The end of lists, of a mapping or of the document.
    End,
}

impl Piece {
    fn name(&self) -> &'static str {
        match self {
            Self::Text(_) => "a text",
            Self::Other(name) => name,
            Self::Null => "nothing",
            Self::Lists => "a list",
            Self::Mapping => "a mapping",
            Self::End => "the end",
        }
    }
}

impl Reader<'_> {
    fn document(&mut self) -> Result<Vec<(String, Check, usize)>, FileError> {
        let mut rules = Vec::new();
        match self.next()? {
            (Piece::End | Piece::Null, _) => {}
            (Piece::Mapping, _) => self.mapping(&mut rules)?,
            (piece, line) => {
                return Err(FileError::new(line, FileProblem::NoMapping(piece.name())));
            }
        }
        loop {
            match self.parser.next_event() {
                None | Some(Ok((Event::StreamEnd, _))) => return Ok(rules),
                Some(Ok((Event::DocumentStart(_), span))) => {
                    let problem = FileProblem::NoMapping("a second document");
                    return Err(FileError::new(span.start.line(), problem));
                }
                Some(event) => event.map(drop)?,
            }
        }
    }

    fn mapping(&mut self, rules: &mut Vec<(String, Check, usize)>) -> Result<(), FileError> {
        let mut names = HashSet::new();
        loop {
            let (name, line) = match self.next()? {
                (Piece::Text(name), line) => (name.as_ref().to_owned(), line),
                (Piece::End, _) => return Ok(()),
                (piece, line) => return Err(FileError::new(line, FileProblem::Name(piece.name()))),
            };
            if !names.insert(name.clone()) {
                return Err(FileError::new(line, FileProblem::Duplicate(name)));
            }
            let (piece, value_line) = self.next()?;
            let check = match piece {
                Piece::Text(text) => Check::parse(&text),
                Piece::Lists => Check::parse_lists(&self.lists(&name)?),
                piece => return Err(FileError::value(&name, value_line, &piece)),
            };
            let check = check.map_err(|source| {
                let rule = name.clone();
                FileError::new(value_line, FileProblem::Rule { rule, source })
            })?;
            rules.push((name, check, line));
        }
    }

    fn lists(&mut self, rule: &str) -> Result<Vec<Vec<Rc<str>>>, FileError> {
        let mut lists = Vec::new();
        loop {
            lists.push(match self.next()? {
                // An empty text is no list of one check, but an empty list.
                (Piece::Text(text), _) => Some(text)
                    .filter(|text| !text.is_empty())
                    .into_iter()
                    .collect(),
                (Piece::Lists, _) => self.list(rule)?,
                (Piece::End, _) => return Ok(lists),
                (piece, line) => return Err(FileError::value(rule, line, &piece)),
            });
        }
    }

    fn list(&mut self, rule: &str) -> Result<Vec<Rc<str>>, FileError> {
        let mut texts = Vec::new();
        loop {
            match self.next()? {
                (Piece::Text(text), _) => texts.push(text),
                (Piece::End, _) => return Ok(texts),
                (piece, line) => return Err(FileError::value(rule, line, &piece)),
            }
        }
    }

    /// The next piece and its line.
    fn next(&mut self) -> Result<(Piece, usize), FileError> {
        loop {
            let Some(event) = self.parser.next_event() else {
                return Ok((Piece::End, 1));
            };
            let (event, span) = event?;
            let piece = match event {
                Event::Nothing | Event::StreamStart | Event::DocumentStart(_) => continue,
                Event::Scalar(text, style, anchor, tag) => {
                    let piece = scalar(&text, style, tag.as_deref());
                    if let (Piece::Text(text), 1..) = (&piece, anchor) {
                        self.texts.insert(anchor, Rc::clone(text));
                    }
                    piece
                }
                Event::Alias(anchor) => match self.texts.get(&anchor) {
                    Some(text) => Piece::Text(Rc::clone(text)),
                    None => Piece::Other("an alias of something else than a text"),
                },
                Event::SequenceStart(_, None) => Piece::Lists,
                Event::MappingStart(_, None) => Piece::Mapping,
                Event::SequenceStart(..) | Event::MappingStart(..) => {
                    Piece::Other("a value with a tag")
                }
                Event::SequenceEnd | Event::MappingEnd | Event::DocumentEnd | Event::StreamEnd => {
                    Piece::End
                }
            };
            let line = line(&span);
            if let Piece::Text(text) = &piece {
                self.text_bytes = self.text_bytes.saturating_add(text.len());
                if self.text_bytes > PolicyFile::BYTES_MAX {
                    return Err(FileError::new(line, FileProblem::TooMuchText));
                }
            }
            return Ok((piece, line));
        }
    }
}

impl FileError {
    fn value(rule: &str, line: usize, piece: &Piece) -> Self {
        let problem = FileProblem::Value {
            rule: rule.to_owned(),
            found: piece.name(),
        };
        Self::new(line, problem)
    }
}

fn line(span: &Span) -> usize {
    span.start.line()
}

/// What a scalar is. Without quotes it is a text only if neither YAML 1.1 nor 1.2 takes it for something else, except
/// for dates and numbers to the base 60, which make no rules that allow anything.
fn scalar(text: &str, style: ScalarStyle, tag: Option<&Tag>) -> Piece {
    let is_text = tag.is_some_and(|tag| tag.is_yaml_core_schema() && tag.suffix == "str");
    if tag.is_some() && !is_text {
        return Piece::Other("a value with a tag");
    }
    if is_text || style != ScalarStyle::Plain {
        return Piece::Text(text.into());
    }
    if text.is_empty() || text == "~" || text.eq_ignore_ascii_case("null") {
        return Piece::Null;
    }
    let is_truth = ["true", "false", "yes", "no", "on", "off"]
        .iter()
        .any(|word| text.eq_ignore_ascii_case(word));
    if is_truth {
        return Piece::Other("a truth value");
    }
    if is_number(text) {
        return Piece::Other("a number");
    }
    Piece::Text(text.into())
}

fn is_number(text: &str) -> bool {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    let bare = digits.strip_prefix('.').unwrap_or(digits);
    let special = ["inf", "nan"]
        .iter()
        .any(|word| bare.eq_ignore_ascii_case(word))
        && bare.len() < digits.len();
    let prefixed = ["0x", "0o", "0b"]
        .iter()
        .any(|prefix| digits.starts_with(prefix));
    special
        || prefixed
        || digits.replace('_', "").parse::<f64>().is_ok()
            && bare.starts_with(|c: char| c.is_ascii_digit())
}

#[cfg(test)]
mod tests;
