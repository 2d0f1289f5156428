use proptest::prelude::*;

use super::PolicyFile;

/// The rules of a file, each as `name = rule @ line`.
fn rules(text: &str) -> Vec<String> {
    let file = PolicyFile::parse(text).unwrap();
    file.rules()
        .map(|(name, check, line)| format!("{name} = {check} @ {line}"))
        .collect()
}

fn error(text: &str) -> String {
    PolicyFile::parse(text).unwrap_err().to_string()
}

#[test]
fn yaml_gives_rules_with_their_lines() {
    let text = "\
# who may read
---
\"secret:get\": \"role:reader or\\x20@\"
secret:put: role:admin and
  role:member
'it''s': '!'
folded: >
  role:a
  or role:b
empty: \"\"
lists: [[\"role:a\", \"role:b\"], [], role:c]
none: []
block:
  - - role:a
  - role:b
tagged: !!str role:a
anchor: &a role:x
alias: *a
...
";
    let expected = [
        "secret:get = (role:reader or @) @ 3",
        "secret:put = (role:admin and role:member) @ 4",
        "it's = ! @ 6",
        "folded = (role:a or role:b) @ 7",
        "empty = @ @ 10",
        "lists = ((role:a and role:b) or role:c) @ 11",
        "none = @ @ 12",
        "block = (role:a or role:b) @ 13",
        "tagged = role:a @ 16",
        "anchor = role:x @ 17",
        "alias = role:x @ 18",
    ];
    assert_eq!(rules(text), expected);
}

#[test]
fn what_aliases_repeat_counts_as_text() {
    let roles: Vec<String> = (0..9_000).map(|n| format!("role:r{n}")).collect();
    let text = roles.join(" or ");
    let fits = PolicyFile::BYTES_MAX / text.len() - 1;
    let with_aliases = |count: usize| {
        let aliases = vec!["*a"; count].join(",");
        format!("x0: &a \"{text}\"\ny: [{aliases}]\n")
    };
    assert!(PolicyFile::parse(&with_aliases(0)).is_ok());
    let expected = format!(
        "line 2: up to here all texts, with what aliases repeat, have more than {} bytes",
        PolicyFile::BYTES_MAX
    );
    assert_eq!(error(&with_aliases(fits + 1)), expected);
    // As many as would take gigabytes are refused no later.
    assert_eq!(error(&with_aliases(20_000)), expected);
    // Each alias of a rule counts, wherever it stands.
    let rules: String = (1..=fits + 1).map(|n| format!("x{n}: *a\n")).collect();
    let line = fits + 2;
    let found = error(&format!("x0: &a \"{text}\"\n{rules}"));
    assert!(found.starts_with(&format!("line {line}: up to")), "{found}");
}

#[test]
fn json_gives_rules() {
    let text = "{\n\t\"secret:get\": \"role:reader\",\r\n\t\"a\\/b\\u0041\": [[\"role:a\"]],\n  \"c\":\"\"\n}\n";
    assert_eq!(
        rules(text),
        [
            "secret:get = role:reader @ 2",
            "a/bA = role:a @ 3",
            "c = @ @ 4"
        ]
    );
    assert_eq!(rules("{\"a\":\"@\"}"), ["a = @ @ 1"]);
    assert_eq!(rules("{}"), [""; 0]);
}

#[test]
fn files_without_content_have_no_rules() {
    for text in [
        "",
        "\n\n",
        "# nothing here\n",
        "---\n",
        "---\n...\n",
        "~",
        "\u{feff}",
    ] {
        assert_eq!(rules(text), [""; 0], "{text:?}");
    }
}

#[test]
fn errors_name_line_and_rule() {
    let cases = [
        (
            "- a",
            "line 1: expected a mapping from rule names to rules, found a list",
        ),
        (
            "role:a",
            "line 1: expected a mapping from rule names to rules, found a text",
        ),
        (
            "1",
            "line 1: expected a mapping from rule names to rules, found a number",
        ),
        (
            "a: '@'\n---\nb: '@'",
            "line 2: expected a mapping from rule names to rules, found a second document",
        ),
        (
            "a: '@'\n1: '@'",
            "line 2: expected the name of a rule, found a number",
        ),
        (
            "? [a]\n: b",
            "line 1: expected the name of a rule, found a list",
        ),
        (
            "a: '@'\nb:\n",
            "line 2: rule \"b\" must be a text or lists of texts, found nothing",
        ),
        (
            "a: null",
            "line 1: rule \"a\" must be a text or lists of texts, found nothing",
        ),
        (
            "a: yes",
            "line 1: rule \"a\" must be a text or lists of texts, found a truth value",
        ),
        (
            "{\"a\": true}",
            "line 1: rule \"a\" must be a text or lists of texts, found a truth value",
        ),
        (
            "a: -1_0.5e3",
            "line 1: rule \"a\" must be a text or lists of texts, found a number",
        ),
        (
            "a: .inf",
            "line 1: rule \"a\" must be a text or lists of texts, found a number",
        ),
        (
            "a: 0x1f",
            "line 1: rule \"a\" must be a text or lists of texts, found a number",
        ),
        (
            "a: {b: c}",
            "line 1: rule \"a\" must be a text or lists of texts, found a mapping",
        ),
        (
            "a: [1]",
            "line 1: rule \"a\" must be a text or lists of texts, found a number",
        ),
        (
            "a:\n- [[role:a]]",
            "line 2: rule \"a\" must be a text or lists of texts, found a list",
        ),
        (
            "a: !",
            "line 1: rule \"a\" must be a text or lists of texts, found a value with a tag",
        ),
        (
            "a: !!int 12",
            "line 1: rule \"a\" must be a text or lists of texts, found a value with a tag",
        ),
        (
            "a: &x [role:a]\nb: *x",
            "line 2: rule \"b\" must be a text or lists of texts, found an alias of something else than a text",
        ),
        (
            "a: '@'\nb: '!'\n'a': '!'",
            "line 3: rule \"a\" is there twice",
        ),
        (
            "\na: role:x or",
            "line 2: rule \"a\": expected a check, found the end (column 10)",
        ),
        (
            "a: [[role:x, y]]",
            "line 1: rule \"a\": \"y\" is no check: it has no colon (column 1)",
        ),
        (
            "a: http://localhost",
            "line 1: rule \"a\": \"http://localhost\" would ask another server, which is not supported (column 1)",
        ),
    ];
    for (text, message) in cases {
        assert_eq!(error(text), message, "{text}");
    }
    // The texts of these are the YAML parser's.
    for (text, line) in [
        ("a: @", 1),
        ("a: 'x", 1),
        ("a: \"@\"\n\tb: \"@\"", 2),
        ("{\"a\": \"@\"", 2),
        ("a: *x", 1),
        ("a: b: c", 1),
    ] {
        let error = PolicyFile::parse(text).unwrap_err();
        assert_eq!(error.line(), line, "{text}: {error}");
    }
}

#[test]
fn size_is_bounded() {
    let long = format!("#{}", "x".repeat(PolicyFile::BYTES_MAX - 1));
    assert!(PolicyFile::parse(&long).is_ok());
    assert_eq!(
        error(&(long + "x")),
        "line 1: the file has more than 1048576 bytes"
    );
    assert!(PolicyFile::parse(&"[".repeat(100_000)).is_err());
    assert!(PolicyFile::parse(&format!("a: {}", "[".repeat(100_000))).is_err());
    assert!(PolicyFile::parse(&format!("? {}", "{".repeat(100_000))).is_err());
}

proptest! {
    #[test]
    fn any_text_is_a_file_or_an_error(text in "([a-c]: |\\[|\\]|\\{|\\}|- |\n|  |'|\"|role:x|&a |\\*a|!|---|#|,|\\?|\\||>|\\PC){0,30}") {
        if let Err(error) = PolicyFile::parse(&text) {
            prop_assert!(error.line() >= 1);
        }
    }
}
