//! Which requests an application credential is good for.

/// One kind of request that is allowed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccessRule {
    /// Type of the service, as in the catalog.
    pub service: String,
    /// HTTP method in capitals.
    pub method: String,
    /// Pattern, see [`path_matches`].
    pub path: String,
}

/// What limits an application credential.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AccessRules {
    /// What is allowed; without any, nothing.
    pub rules: Vec<AccessRule>,
    /// Types of the services in the catalog of the token.
    pub catalog: Vec<String>,
}

impl AccessRules {
    /// Whether the token may be used at all at a service of this type.
    #[must_use]
    pub fn know(&self, service_type: &str) -> bool {
        self.catalog.iter().any(|known| known == service_type)
    }

    /// Whether a rule allows the request; `path` is percent-decoded.
    #[must_use]
    pub fn allow(&self, service_type: &str, method: &str, path: &str) -> bool {
        self.rules.iter().any(|rule| {
            rule.service == service_type && rule.method == method && path_matches(path, &rule.path)
        })
    }
}

/// Whether a path matches a pattern: `*` and `{name}` stand for one or more
/// characters other than a slash, `**` for any characters, and everything else
/// for itself.
///
/// # Source
/// keystonemiddleware `auth_token/__init__.py`, `_path_matches`. It takes the
/// rest as a regular expression, so that there a dot stands for any character.
#[must_use]
pub fn path_matches(path: &str, pattern: &str) -> bool {
    let tokens = tokens(pattern);
    let path: Vec<char> = path.chars().collect();
    // Which prefixes of the pattern can have eaten the path so far.
    let mut reached = vec![false; tokens.len() + 1];
    set(&mut reached, 0);
    skip_empty(&mut reached, &tokens);
    for c in path {
        let mut next = vec![false; tokens.len() + 1];
        for (at, token) in tokens.iter().enumerate() {
            let is_inside = reached.get(at + 1).is_some_and(|reached| *reached);
            let is_before = reached.get(at).is_some_and(|reached| *reached);
            let is_eaten = match token {
                Token::Literal(literal) => is_before && *literal == c,
                Token::Segment => (is_before || is_inside) && c != '/',
                Token::Any => is_before || is_inside,
            };
            if is_eaten {
                set(&mut next, at + 1);
            }
        }
        skip_empty(&mut next, &tokens);
        reached = next;
    }
    reached.last().is_some_and(|reached| *reached)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Token {
    Literal(char),
    /// One or more characters other than a slash.
    Segment,
    /// Any number of characters.
    Any,
}

fn tokens(pattern: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    let mut rest = pattern;
    while let Some(c) = rest.chars().next() {
        let (token, eaten) = match (c, rest.find('}')) {
            ('*', _) if rest.starts_with("**") => (Token::Any, 2),
            ('*', _) => (Token::Segment, 1),
            ('{', Some(end)) => (Token::Segment, end + 1),
            _ => (Token::Literal(c), c.len_utf8()),
        };
        tokens.push(token);
        rest = rest.get(eaten..).unwrap_or_default();
    }
    tokens
}

/// `**` may stand for nothing.
fn skip_empty(reached: &mut [bool], tokens: &[Token]) {
    for (at, token) in tokens.iter().enumerate() {
        if *token == Token::Any && reached.get(at).is_some_and(|reached| *reached) {
            set(reached, at + 1);
        }
    }
}

fn set(reached: &mut [bool], at: usize) {
    if let Some(reached) = reached.get_mut(at) {
        *reached = true;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each row but the last group was decided by keystonemiddleware 13 too.
    #[test]
    fn paths_match_as_in_keystonemiddleware() {
        for (pattern, path, expected) in [
            ("/v1/secrets", "/v1/secrets", true),
            ("/v1/secrets", "/v1/secrets/", false),
            ("/v1/secrets", "/v1/secret", false),
            ("/v1/secrets", "/v1/secrets/a", false),
            ("/v1/secrets", "x/v1/secrets", false),
            ("/v1/secrets/*", "/v1/secrets/a", true),
            ("/v1/secrets/*", "/v1/secrets/", false),
            ("/v1/secrets/*", "/v1/secrets/a/b", false),
            ("/v1/secrets/*", "/v1/secrets/a/", false),
            ("/v1/secrets/*/payload", "/v1/secrets/a/payload", true),
            ("/v1/secrets/*/payload", "/v1/secrets//payload", false),
            ("/v1/secrets/*/payload", "/v1/secrets/a/b/payload", false),
            ("/v1/secrets/a*", "/v1/secrets/abc", true),
            ("/v1/secrets/a*", "/v1/secrets/a", false),
            ("/v1/secrets/{id}", "/v1/secrets/a", true),
            ("/v1/secrets/{id}", "/v1/secrets/a/payload", false),
            ("/v1/secrets/{id}/payload", "/v1/secrets/a/payload", true),
            ("/v1/{what}/{id}", "/v1/orders/a", true),
            ("/v1/{}", "/v1/a", true),
            ("/v1/**", "/v1/", true),
            ("/v1/**", "/v1/secrets/a/payload", true),
            ("/v1/**", "/v1", false),
            ("/v1/**", "/v2/secrets", false),
            ("/v1/**/payload", "/v1/secrets/a/payload", true),
            ("/v1/**/payload", "/v1//payload", true),
            ("/v1/**/payload", "/v1/secrets/a", false),
            ("**", "/", true),
            ("**", "", true),
            ("*", "", false),
            ("", "", true),
            ("", "/", false),
            ("/v1/***", "/v1/", false),
            ("/v1/***", "/v1/a/b", true),
            ("/v1/é/*", "/v1/é/ü", true),
        ] {
            assert_eq!(path_matches(path, pattern), expected, "{pattern} {path}");
        }
    }

    /// There these characters mean something, and an odd pattern would match
    /// more than who wrote it can have meant.
    #[test]
    fn nothing_else_means_anything() {
        for (pattern, path, expected) in [
            ("/v1.0/a", "/v1.0/a", true),
            ("/v1.0/a", "/v1x0/a", false),
            ("/a+b", "/a+b", true),
            ("/a+b", "/aab", false),
            ("/(a|b)", "/a", false),
            ("/a$", "/a$", true),
            ("/a{b", "/a{b", true),
            ("/a{b", "/ab", false),
            ("/a}b", "/a}b", true),
            ("/a", "/a\n", false),
        ] {
            assert_eq!(path_matches(path, pattern), expected, "{pattern} {path}");
        }
    }

    #[test]
    fn a_long_pattern_takes_no_time() {
        let pattern = "/**a".repeat(100);
        let path = "/a".repeat(2_000);
        assert!(path_matches(&path, &pattern));
        assert!(!path_matches(&format!("{path}b"), &pattern));
    }

    #[test]
    fn service_method_and_path_have_to_fit() {
        let rule = |service: &str, method: &str, path: &str| AccessRule {
            service: service.to_owned(),
            method: method.to_owned(),
            path: path.to_owned(),
        };
        let rules = AccessRules {
            rules: vec![
                rule("key-manager", "GET", "/v1/secrets/a"),
                rule("compute", "POST", "/v1/secrets/a"),
            ],
            catalog: vec!["key-manager".to_owned()],
        };
        let allow = |method, path| rules.allow("key-manager", method, path);
        assert!(allow("GET", "/v1/secrets/a"));
        assert!(!allow("GET", "/v1/secrets/b"));
        assert!(!allow("HEAD", "/v1/secrets/a"));
        assert!(!allow("POST", "/v1/secrets/a"));
        assert!(rules.know("key-manager") && !rules.know("compute"));
        assert!(!AccessRules::default().allow("key-manager", "GET", "/v1/secrets/a"));
    }
}
