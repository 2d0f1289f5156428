//! Turns Barbican's configuration into this server's.
//!
//! Each key of `barbican.conf` becomes a value, or is named with the reason
//! why it does not. Values are never named.

mod ini;
mod rules;
mod specials;
mod stores;

use std::{
    collections::BTreeSet,
    fmt::{self, Write as _},
    fs::File,
    io::Read,
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::{Context, Result, ensure};
use zeroize::Zeroizing;

use super::{
    Layer, exposure, keys,
    settings::Settings,
    value::{Kind, Source, Value, write_text},
};

use self::{
    ini::Entry,
    rules::{Becomes, RULES, SECTIONS},
};

/// What a `barbican.conf` becomes.
#[derive(Debug)]
pub(crate) struct Converted {
    path: Arc<PathBuf>,
    values: Layer,
    stores: Vec<Layer>,
    /// In the order of the file.
    remarks: Vec<Remark>,
    /// How many keys became values.
    carried: usize,
}

/// What there is to say about a key.
#[derive(Debug)]
struct Remark {
    line: usize,
    key: String,
    about: About,
}

#[derive(Debug, PartialEq, Eq)]
enum About {
    /// Somebody has to look at it.
    Look(String),
    Nothing(&'static str),
    Unknown,
}

/// Keys on the way.
#[derive(Debug)]
struct Conversion<'a> {
    path: &'a Arc<PathBuf>,
    entries: &'a [Entry],
    values: Layer,
    stores: Vec<Layer>,
    carried: BTreeSet<usize>,
    remarks: Vec<Remark>,
}

/// Reads a `barbican.conf` of at most 1 MiB and converts it. Blocks.
///
/// # Errors
/// It cannot be read, or a line is none of such a file; never shows the line.
pub(crate) fn convert(path: &Path) -> Result<Converted> {
    let unreadable = || format!("{}: cannot be read", path.display());
    let file = File::open(path).with_context(unreadable)?;
    // It holds passwords.
    let mut text = Zeroizing::new(String::new());
    let bytes = file.take(BYTES_MAX + 1).read_to_string(&mut text);
    ensure!(
        u64::try_from(bytes.with_context(unreadable)?)? <= BYTES_MAX,
        "{}: longer than {BYTES_MAX} bytes, which is no configuration",
        path.display()
    );
    convert_text(path, &text)
}

fn convert_text(path: &Path, text: &str) -> Result<Converted> {
    let mut entries = ini::parse(text)
        .map_err(|error| anyhow::anyhow!("{}:{}: {}", path.display(), error.line, error.what))?;
    take_auth_section(&mut entries);
    let path = Arc::new(path.to_owned());
    let mut conversion = Conversion {
        path: &path,
        entries: &entries,
        values: Layer::new(),
        stores: Vec::new(),
        carried: BTreeSet::new(),
        remarks: Vec::new(),
    };
    conversion.carry_all();
    let Conversion {
        values,
        stores,
        carried,
        mut remarks,
        ..
    } = conversion;
    remarks.sort_by_key(|remark| remark.line);
    Ok(Converted {
        carried: carried.len(),
        path,
        values,
        stores,
        remarks,
    })
}

/// The credential may stand in a section of its own.
fn take_auth_section(entries: &mut [Entry]) {
    let is_name = |entry: &&Entry| entry.section == AUTH && entry.name == "auth_section";
    let Some(section) = entries.iter().rev().find(is_name) else {
        return;
    };
    let section = section.value.to_lowercase();
    for entry in entries.iter_mut().filter(|entry| entry.section == section) {
        AUTH.clone_into(&mut entry.section);
    }
}

// === impl Conversion ===

impl<'a> Conversion<'a> {
    fn carry_all(&mut self) {
        let entries = self.entries;
        // Of a key that comes again the last one counts.
        let is_last = |entry: &&Entry| self.last(&entry.section, &entry.name) == Some(*entry);
        let mut lasting: Vec<(usize, &Entry)> = entries
            .iter()
            .filter(is_last)
            .map(|entry| (rank(entry), entry))
            .collect();
        lasting.sort_by_key(|(rank, _)| *rank);
        for (_, entry) in lasting {
            self.carry(entry);
        }
        self.take_policy_file();
        stores::take(self);
    }

    fn carry(&mut self, entry: &Entry) {
        let Some(becomes) = becomes(entry) else {
            self.remark(entry, About::Unknown);
            return;
        };
        let value = match ini::filled(entry, self.entries) {
            Ok(value) => value,
            Err(ini::Unfilled) => {
                let why = "has a $name that stands for nothing in this file; a plain $ is `$$`";
                self.remark(entry, About::Look(why.to_owned()));
                return;
            }
        };
        let outcome = match becomes {
            Becomes::Nothing(why) => {
                self.nothing(entry, why);
                Ok(())
            }
            Becomes::By(special) => special(self, entry, &value),
            Becomes::Key(_) if value.is_empty() => Ok(()),
            Becomes::Key(key) => self.copy(key, entry, &value),
        };
        if let Err(why) = outcome {
            self.remark(entry, About::Look(why.to_string()));
        }
    }

    fn copy(&mut self, key: &'static str, entry: &Entry, value: &str) -> Result<()> {
        let kind = keys::find(key).map_or(Kind::Text, |key| key.kind);
        let value = match kind {
            Kind::Text => Value::Text(value.to_owned()),
            Kind::Secret => specials::secret(value),
            Kind::List => Value::List(ini::list(value)),
            Kind::Count => Value::Count(specials::number(value)?),
            Kind::Limit => Value::Limit(specials::number(value)?),
            Kind::Flag => Value::Flag(specials::flag(value)?),
        };
        self.set(key, value, entry);
        Ok(())
    }

    /// Barbican finds this file by itself.
    fn take_policy_file(&mut self) {
        let path = self.beside("policy.yaml");
        if self.last("oslo_policy", "policy_file").is_none() && path.exists() {
            let source = Source::File {
                path: Arc::new(path.clone()),
                line: 1,
            };
            let value = Value::Text(path.to_string_lossy().into_owned());
            self.values.insert("policy.file", (value, source));
        }
    }

    fn last(&self, section: &str, name: &str) -> Option<&'a Entry> {
        let is_it = |entry: &&Entry| entry.section == section && entry.name == name;
        self.entries.iter().rev().find(is_it)
    }

    /// Another key's value.
    fn text(&self, section: &str, name: &str) -> Option<Zeroizing<String>> {
        ini::filled(self.last(section, name)?, self.entries).ok()
    }

    /// A path as Barbican takes it, which looks beside its configuration.
    fn beside(&self, path: &str) -> PathBuf {
        let folder = self.path.parent().unwrap_or(Path::new(""));
        folder.join(path)
    }

    fn set(&mut self, key: &'static str, value: Value, from: &Entry) {
        self.mark(from);
        self.values.insert(key, (value, self.source(from)));
    }

    /// Counts a key as carried over.
    fn mark(&mut self, from: &Entry) {
        self.carried.insert(from.line);
    }

    fn source(&self, from: &Entry) -> Source {
        Source::File {
            path: Arc::clone(self.path),
            line: from.line,
        }
    }

    fn nothing(&mut self, entry: &Entry, why: &'static str) {
        self.remark(entry, About::Nothing(why));
    }

    fn remark(&mut self, entry: &Entry, about: About) {
        self.remarks.push(Remark {
            line: entry.line,
            key: format!("[{}] {}", entry.section, entry.name),
            about,
        });
    }
}

/// Where the rule for a key stands among all.
fn rank(entry: &Entry) -> usize {
    let names = RULES
        .iter()
        .flat_map(|(section, rules)| rules.iter().map(move |(name, _)| (section, name)));
    let mut names = names;
    names
        .position(|(section, name)| *section == entry.section && *name == entry.name)
        .unwrap_or(usize::MAX)
}

fn becomes(entry: &Entry) -> Option<Becomes> {
    let rules = RULES
        .iter()
        .filter(|(section, _)| *section == entry.section);
    let mut rules = rules.flat_map(|(_, rules)| *rules);
    let rule = rules.find(|(name, _)| *name == entry.name);
    let section = || {
        let mut sections = SECTIONS.iter();
        let found = sections.find(|(pattern, _)| match pattern.strip_suffix('*') {
            Some(start) => entry.section.starts_with(start),
            None => *pattern == entry.section,
        });
        found.map(|(_, becomes)| *becomes)
    };
    rule.map(|(_, becomes)| *becomes).or_else(section)
}

// === impl Converted ===

impl Converted {
    /// The configuration as TOML. It may hold passwords.
    ///
    /// # Errors
    /// None; the type is that of formatting.
    pub(crate) fn toml(&self) -> Result<Zeroizing<String>, fmt::Error> {
        let mut text = Zeroizing::new(String::with_capacity(TOML_BYTES));
        writeln!(
            text,
            "# From {}, by `donjon config convert`.",
            self.path.display()
        )?;
        writeln!(text, "data_dir = \"{DATA_DIR}\"")?;
        let mut table = "";
        for key in keys::KEYS {
            let Some((value, source)) = self.values.get(key.path) else {
                continue;
            };
            let (own_table, name) = key.path.rsplit_once('.').unwrap_or(("", key.path));
            if own_table != table {
                table = own_table;
                write!(text, "\n[{table}]\n")?;
            }
            write_value(&mut text, name, value, source)?;
        }
        for store in &self.stores {
            write!(text, "\n[[secret_stores]]\n")?;
            for key in super::stores::keys() {
                if let Some((value, source)) = store.get(key.path) {
                    let name = key.path.trim_start_matches("secret_stores.");
                    write_value(&mut text, name, value, source)?;
                }
            }
        }
        Ok(text)
    }

    /// Whether others than the owner must not read the TOML.
    pub(crate) fn has_secret(&self) -> bool {
        let layers = self.stores.iter().chain([&self.values]);
        layers.flatten().any(|(key, (value, _))| match value {
            Value::Secret(_) => true,
            Value::Text(text) => exposure::is_secret(key, text),
            Value::List(items) => items.iter().any(|item| exposure::is_secret(key, item)),
            _ => false,
        })
    }

    /// Whether a server could start with it, as far as that shows without the
    /// files that it names.
    ///
    /// # Errors
    /// What is missing or out of range, and where it stands in `barbican.conf`.
    pub(crate) fn check(&self) -> Result<()> {
        let mut values = keys::defaults();
        values.extend(self.values.clone());
        Settings::new(&values, &self.stores).map(drop)
    }
}

fn write_value(text: &mut String, name: &str, value: &Value, source: &Source) -> fmt::Result {
    write!(text, "{name} = ")?;
    match value {
        // What came from a text is one.
        Value::Secret(secret) => {
            let secret = str::from_utf8(secret.expose()).unwrap_or_default();
            write_text(text, secret)?;
        }
        value => write!(text, "{value}")?,
    }
    writeln!(text, " # {source}")
}

/// What became of the keys, for people. Never shows a value.
impl fmt::Display for Converted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { path, carried, .. } = self;
        writeln!(f, "{}: {carried} keys are carried over", path.display())?;
        type Part = fn(&About) -> Option<&str>;
        let parts: [(&str, Part); 3] = [
            ("look at these:", |about| match about {
                About::Look(why) => Some(why),
                _ => None,
            }),
            ("without a counterpart:", |about| match about {
                About::Nothing(why) => Some(why),
                _ => None,
            }),
            ("unknown, and left out:", |about| match about {
                About::Unknown => Some("neither Barbican 23 nor Donjon has it"),
                _ => None,
            }),
        ];
        for (title, part) in parts {
            let found: Vec<(&Remark, &str)> = self
                .remarks
                .iter()
                .filter_map(|remark| Some((remark, part(&remark.about)?)))
                .collect();
            if !found.is_empty() {
                writeln!(f, "{title}")?;
            }
            for (Remark { line, key, .. }, why) in found {
                writeln!(f, "  {}:{line}: {key}: {why}", path.display())?;
            }
        }
        Ok(())
    }
}

const AUTH: &str = "keystone_authtoken";
/// Where the Debian package keeps the data.
const DATA_DIR: &str = "/var/lib/donjon";
const BYTES_MAX: u64 = 1024 * 1024;
/// Larger than such a file gets, so that no copy is left behind.
const TOML_BYTES: usize = 64 * 1024;

#[cfg(test)]
mod tests;
