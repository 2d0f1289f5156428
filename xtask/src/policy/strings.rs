//! Random rules, random rules to refer to, and random callers and targets.
//!
//! Six of ten rules are from the grammar. The others are words of the language in any order, rules with a few
//! characters changed, and noise: most of them can't be parsed, and both sides must say so of the same ones.

use serde_json::{Map, Value as Json, json};

use super::ask::Setup;
use crate::kit::random::Random;

/// The origin of rules from the grammar.
pub(super) const GRAMMAR: &str = "from the grammar";

const CONTEXTS: usize = 20;
/// Rules to refer to. Each refers to earlier ones only.
const NAMED: usize = 12;

/// One random rule.
pub(super) struct Rule {
    pub(super) text: Json,
    pub(super) origin: &'static str,
}

/// Draws from a seed.
pub(super) struct Generator {
    random: Random,
    /// How many of the named rules may be referred to.
    named: u64,
}

const KINDS: &[&str] = &[
    "role",
    "role",
    "role",
    "rule",
    "rule",
    "user_id",
    "user_id",
    "project_id",
    "project_id",
    "domain_id",
    "system",
    "system_scope",
    "roles",
    "is_admin",
    "nothing",
    "level",
    "tags",
    "user.id",
    "user.name",
    "user.domain.id",
    "user.domain",
    "user",
    "groups.id",
    "groups.tags",
    "groups",
    "nested.id",
    "nested",
    "absent",
    "absent.id",
    "user_id.id",
    "level.id",
    "True",
    "False",
    "None",
    "'read'",
    "\"read\"",
    "'u1'",
    "''",
    "'it\"s'",
    "1",
    "-1",
    "+2",
    "1_0",
    "00",
    "0",
];

const TEXTS: &[&str] = &[
    "u1",
    "u2",
    "p1",
    "p2",
    "d1",
    "all",
    "read",
    "True",
    "False",
    "None",
    "0",
    "1",
    "-1",
    "2",
    "10",
    "",
    "a",
    "b",
    "'u1'x",
    "\"x",
    "u1:u2",
    "%%",
    "x(y)z",
    "é",
    "['a', 'b']",
    "(",
    "=",
];

const ROLES: &[&str] = &[
    "admin",
    "member",
    "Reader",
    "AUDIT",
    "key-manager:service-admin",
    "élève",
    "a",
    "b",
];

const KEYS: &[&str] = &[
    "target.secret.project_id",
    "target.secret.creator_id",
    "target.secret.read",
    "target.open",
    "user",
    "level",
    "nothing",
    "list",
    "role",
    "absent",
    "",
];

const WORDS: &[&str] = &[
    "and",
    "or",
    "not",
    "AND",
    "Or",
    "NOT",
    "(",
    ")",
    "((",
    "))",
    "()",
    "@",
    "!",
    "'",
    "\"",
    "'a:b'",
    "\"x\"",
    "'x')",
    "word",
    ":",
    "role:",
    "rule:",
    "a:b",
    "role:member",
    "rule:r1",
    "http://localhost/x",
    "https:x",
    "andor",
    "(not",
    "and)",
    "%",
    "@)",
    "(!",
    "a:%(x",
    "a:%s",
    "a-b:c",
    "1.5:x",
    "class:x",
];

const ALPHABET: &[&str] = &[
    "a", "n", "d", "o", "r", "t", "l", "e", "u", ":", ":", "%", "(", "(", ")", ")", "s", "'", "\"",
    "@", "!", ".", " ", " ", "\t", "\n", "\u{1d}", "\u{a0}", "\u{3000}", "_", "-", "0", "1", ",",
    "[", "]", "{", "}", "\\", "#", "$", "/", "é", "K", "\u{0}", "😀",
];

const SPACES: &[&str] = &[" ", " ", " ", " ", "  ", "\t", "\n", " \u{a0} ", "\u{1f}"];

impl Generator {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            random: Random::new(seed),
            named: 0,
        }
    }

    /// Contexts and named rules. To be called once, before [`Generator::rule`].
    pub(super) fn setup(&mut self) -> Setup {
        let contexts: Vec<Json> = (0..CONTEXTS)
            .map(|_| json!({"creds": self.creds(), "target": self.target()}))
            .collect();
        let mut rules = Map::new();
        for number in 0..NAMED {
            self.named = number as u64;
            rules.insert(format!("r{number}"), self.tree(2).into());
        }
        self.named = NAMED as u64;
        // Half of the runs have a rule that stands for those that are not there.
        if self.one_in(2) {
            rules.insert("default".to_owned(), "role:admin or user_id:u2".into());
        }
        Setup(json!({"contexts": contexts, "rules": rules}))
    }

    pub(super) fn rule(&mut self) -> Rule {
        let (text, origin) = match self.random.below(100) {
            0..54 => (self.tree(5).into(), GRAMMAR),
            54..60 => (self.lists(), GRAMMAR),
            60..78 => (self.words().into(), "words in any order"),
            78..92 => (self.changed().into(), "changed by characters"),
            _ => (self.noise().into(), "noise"),
        };
        Rule { text, origin }
    }

    // === from the grammar ===

    /// A rule with at most this many levels of operators.
    fn tree(&mut self, levels: u64) -> String {
        if levels == 0 || self.one_in(4) {
            return self.check();
        }
        match self.random.below(10) {
            0..2 => {
                let not = self.cased("not");
                let space = self.space();
                // Only something in parentheses or a check can follow.
                let inner = if self.one_in(2) {
                    self.check()
                } else {
                    self.parentheses(levels - 1)
                };
                format!("{not}{space}{inner}")
            }
            2..4 => self.parentheses(levels - 1),
            _ => {
                let count = 2 + self.random.below(3);
                let mut text = self.tree(levels - 1);
                for _ in 1..count {
                    let operator = if self.one_in(2) { "and" } else { "or" };
                    let (before, operator, after) =
                        (self.space(), self.cased(operator), self.space());
                    let part = self.tree(levels - 1);
                    text = format!("{text}{before}{operator}{after}{part}");
                }
                text
            }
        }
    }

    fn parentheses(&mut self, levels: u64) -> String {
        let inner = self.tree(levels);
        let space = if self.one_in(4) { self.space() } else { "" };
        format!("({space}{inner}{space})")
    }

    fn check(&mut self) -> String {
        match self.random.below(30) {
            0 => return "@".to_owned(),
            1 => return "!".to_owned(),
            _ => {}
        }
        match self.one_of(KINDS) {
            "role" => {
                let role = if self.one_in(5) {
                    self.side()
                } else {
                    self.one_of(ROLES).to_owned()
                };
                format!("role:{}", role.replace(' ', ""))
            }
            "rule" => format!("rule:{}", self.reference()),
            kind => format!("{kind}:{}", self.side().replace(' ', "")),
        }
    }

    fn reference(&mut self) -> String {
        if self.named == 0 || self.one_in(8) {
            return self.one_of(&["nowhere", "", "R1", "%(user)s"]).to_owned();
        }
        format!("r{}", self.random.below(self.named))
    }

    /// A right side. Where a check ends with a parenthesis, that would be an operator, so none does.
    fn side(&mut self) -> String {
        match self.random.below(10) {
            0..4 => self.one_of(TEXTS).to_owned(),
            4..9 => self.key(),
            _ => {
                let (before, key, after) = (self.one_of(TEXTS), self.key(), self.one_of(TEXTS));
                let more = if self.one_in(2) {
                    self.key()
                } else {
                    String::new()
                };
                format!("{before}{key}{after}{more}")
            }
        }
    }

    fn key(&mut self) -> String {
        format!("%({})s", self.one_of(KEYS))
    }

    fn lists(&mut self) -> Json {
        let lists = (0..self.random.below(4)).map(|_| match self.random.below(6) {
            0 => json!([]),
            1 => self.check().into(),
            2 => "".into(),
            _ => (0..=self.random.below(3))
                .map(|_| self.check())
                .collect::<Vec<_>>()
                .into(),
        });
        Json::Array(lists.collect())
    }

    // === from less ===

    fn words(&mut self) -> String {
        let mut text = String::new();
        for _ in 0..=self.random.below(9) {
            let word = if self.one_in(2) {
                self.check()
            } else {
                self.one_of(WORDS).to_owned()
            };
            text.push_str(&word);
            text.push_str(if self.one_in(6) { "" } else { self.space() });
        }
        text
    }

    fn changed(&mut self) -> String {
        let mut text: Vec<char> = self.tree(3).chars().collect();
        for _ in 0..=self.random.below(3) {
            let at = usize::try_from(self.random.below(text.len() as u64 + 1)).unwrap_or(0);
            let end = (at + usize::try_from(self.random.below(3)).unwrap_or(0)).min(text.len());
            let new: Vec<char> = if self.one_in(3) {
                Vec::new()
            } else {
                self.one_of(ALPHABET).chars().collect()
            };
            text.splice(at..end, new);
        }
        text.into_iter().collect()
    }

    fn noise(&mut self) -> String {
        (0..self.random.below(24))
            .map(|_| self.one_of(ALPHABET))
            .collect()
    }

    // === contexts ===

    fn creds(&mut self) -> Json {
        let mut creds = Map::new();
        let mut put = |this: &mut Self, name: &str, often: u64, value: Json| {
            if !this.one_in(often) {
                creds.insert(name.to_owned(), value);
            }
        };
        let roles = self.some_of(ROLES);
        let (user, project) = (self.one_of(&["u1", "u2"]), self.one_of(&["p1", "p2"]));
        let domain = json!({"id": self.one_of(&["d1", "d2"])});
        let name = self.one_of(&["read", "it\"s"]);
        let groups: Vec<Json> = (0..self.random.below(4)).map(|_| self.group()).collect();
        let tags = self.some_of(TEXTS);
        let level = self.random.below(3);
        put(self, "roles", 9, roles.into());
        put(self, "user_id", 9, user.into());
        put(self, "project_id", 9, project.into());
        put(
            self,
            "domain_id",
            2,
            domain.get("id").cloned().unwrap_or_default(),
        );
        put(self, "system_scope", 2, json!("all"));
        put(self, "is_admin", 3, json!(level == 0));
        put(self, "nothing", 3, Json::Null);
        put(self, "level", 3, json!(level));
        put(self, "tags", 3, json!(tags));
        put(
            self,
            "user",
            3,
            json!({"id": user, "name": name, "domain": domain, "level": level}),
        );
        put(self, "groups", 3, json!(groups));
        put(self, "nested", 3, json!([["a", "b"], [level, null], []]));
        creds.into()
    }

    /// Mostly a group, sometimes something else, which Python can't look into.
    fn group(&mut self) -> Json {
        if self.one_in(6) {
            return self.one_of(TEXTS).into();
        }
        json!({"id": self.one_of(TEXTS), "tags": self.some_of(TEXTS)})
    }

    fn target(&mut self) -> Json {
        let mut target = Map::new();
        for key in KEYS.iter().filter(|key| **key != "absent") {
            let value = match *key {
                "target.open" => json!(self.one_in(2)),
                "level" => json!(self.random.below(12)),
                "nothing" => Json::Null,
                "list" => json!(["a", self.one_of(TEXTS)]),
                "role" => self.one_of(ROLES).into(),
                "target.secret.project_id" => self.one_of(&["p1", "p2"]).into(),
                "target.secret.creator_id" | "user" => self.one_of(&["u1", "u2"]).into(),
                _ => self.one_of(TEXTS).into(),
            };
            if !self.one_in(6) {
                target.insert((*key).to_owned(), value);
            }
        }
        target.into()
    }

    // === chance ===

    fn one_in(&mut self, count: u64) -> bool {
        self.random.below(count) == 0
    }

    fn one_of(&mut self, items: &'static [&'static str]) -> &'static str {
        self.random.pick(items).copied().unwrap_or("")
    }

    fn some_of(&mut self, items: &'static [&'static str]) -> Vec<&'static str> {
        (0..self.random.below(4))
            .map(|_| self.one_of(items))
            .collect()
    }

    fn space(&mut self) -> &'static str {
        self.one_of(SPACES)
    }

    /// The word as it is, mostly, or in upper case, or with one capital.
    fn cased(&mut self, word: &str) -> String {
        let capital = match self.random.below(8) {
            0 => return word.to_uppercase(),
            1 => 0,
            2 => 1,
            _ => return word.to_owned(),
        };
        let letters = word.chars().enumerate();
        letters
            .map(|(at, letter)| {
                if at == capital {
                    letter.to_ascii_uppercase()
                } else {
                    letter
                }
            })
            .collect()
    }
}
