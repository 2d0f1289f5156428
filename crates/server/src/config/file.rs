//! Values from a file.

use std::{fs::File, io::Read, ops::Range, path::Path, sync::Arc};

use anyhow::{Context, Result, bail, ensure};
use toml::{
    Spanned,
    de::{DeArray, DeTable, DeValue},
};
use zeroize::Zeroizing;

use super::{
    Layer, exposure,
    keys::{self, Key},
    stores,
    value::{self, Kind, Source, Value},
};

/// Reads a file of at most 1 MiB. Errors name the file and the line, and never
/// show a value.
///
/// # Errors
/// It cannot be read, is no TOML, has an unknown key or a value of another
/// kind, or holds a secret that others than its owner may read.
pub(super) fn read(path: &Path) -> Result<(Layer, Vec<Layer>)> {
    let unreadable = || format!("{}: cannot be read", path.display());
    let mut file = File::open(path).with_context(unreadable)?;
    exposure::refuse_writable_by_all(path, &file)?;
    // It may hold a password.
    let mut text = Zeroizing::new(String::new());
    let bytes = (&mut file).take(BYTES_MAX + 1).read_to_string(&mut text);
    let bytes = bytes.with_context(unreadable)?;
    ensure!(
        u64::try_from(bytes)? <= BYTES_MAX,
        "{}: longer than {BYTES_MAX} bytes, which is no configuration",
        path.display()
    );
    let reader = Reader {
        path: &Arc::new(path.to_owned()),
        text: &text,
        is_exposed: exposure::is_readable_by_others(&file).with_context(unreadable)?,
    };
    reader.read()
}

struct Reader<'a> {
    path: &'a Arc<std::path::PathBuf>,
    text: &'a str,
    is_exposed: bool,
}

impl Reader<'_> {
    fn read(&self) -> Result<(Layer, Vec<Layer>)> {
        let root = DeTable::parse(self.text).map_err(|error| {
            let place = self.place(error.span().unwrap_or_default());
            anyhow::anyhow!("{place}: {}", error.message())
        })?;
        let mut layer = Layer::new();
        self.refuse_exposed("", root.get_ref())?;
        let mut stores = Vec::new();
        self.read_table("", root.get_ref(), &mut layer, &mut stores)?;
        Ok((layer, stores))
    }

    /// A list of tables.
    fn read_stores(&self, items: &DeArray<'_>) -> Result<Vec<Layer>> {
        let read = |item: &Spanned<DeValue<'_>>| {
            let DeValue::Table(table) = item.get_ref() else {
                let place = self.place(item.span());
                bail!("{place}: secret_stores has to be tables, each under [[secret_stores]]");
            };
            let mut layer = Layer::new();
            for (name, value) in table {
                let path = join("secret_stores", name.get_ref());
                let key = stores::keys().find(|key| key.path == path);
                let key = key.with_context(|| {
                    let place = self.place(name.span());
                    format!("{place}: unknown key {path}; see docs/config.md for those there are")
                })?;
                let source = self.source(name.span());
                layer.insert(key.path, (self.value(key, value)?, source));
            }
            Ok(layer)
        };
        items.iter().map(read).collect()
    }

    fn source(&self, span: Range<usize>) -> Source {
        Source::File {
            path: Arc::clone(self.path),
            line: self.line(&span),
        }
    }

    fn read_table(
        &self,
        above: &str,
        table: &DeTable<'_>,
        layer: &mut Layer,
        stores: &mut Vec<Layer>,
    ) -> Result<()> {
        for (name, value) in table {
            let path = join(above, name.get_ref());
            match (keys::find(&path), value.get_ref()) {
                (Some(key), _) => {
                    let source = self.source(name.span());
                    layer.insert(key.path, (self.value(key, value)?, source));
                }
                (None, DeValue::Array(items)) if path == "secret_stores" => {
                    *stores = self.read_stores(items)?;
                }
                (None, DeValue::Table(inner)) if keys::is_table(&path) => {
                    self.read_table(&path, inner, layer, stores)?;
                }
                _ => bail!(
                    "{}: unknown key {path}; see docs/config.md for those there are",
                    self.place(name.span())
                ),
            }
        }
        Ok(())
    }

    fn value(&self, key: &Key, value: &Spanned<DeValue<'_>>) -> Result<Value> {
        let read = match (key.kind, value.get_ref()) {
            (Kind::Text, DeValue::String(text)) => Some(Value::Text(text.to_string())),
            (Kind::Secret, DeValue::String(text)) => Some(value::secret(text)),
            (Kind::List, DeValue::Array(items)) => texts(items).map(Value::List),
            (Kind::Count, DeValue::Integer(digits)) => {
                let count = u64::from_str_radix(digits.as_str(), digits.radix());
                count.ok().map(Value::Count)
            }
            (Kind::Flag, DeValue::Boolean(flag)) => Some(Value::Flag(*flag)),
            (Kind::Limit, DeValue::Integer(digits)) => {
                let number = i64::from_str_radix(digits.as_str(), digits.radix());
                number.ok().and_then(value::limit)
            }
            _ => None,
        };
        read.with_context(|| {
            let place = self.place(value.span());
            format!("{place}: {} has to be {}", key.path, key.kind.name())
        })
    }

    /// Looks at every text of the file, under unknown keys too.
    fn refuse_exposed(&self, above: &str, table: &DeTable<'_>) -> Result<()> {
        if !self.is_exposed {
            return Ok(());
        }
        for (name, value) in table {
            let path = join(above, name.get_ref());
            self.refuse_exposed_value(&path, value)?;
        }
        Ok(())
    }

    fn refuse_exposed_value(&self, path: &str, value: &Spanned<DeValue<'_>>) -> Result<()> {
        match value.get_ref() {
            // What has no scheme may be a path as well as a key: then the mode is not what is wrong.
            DeValue::String(text) if exposure::lacks_scheme(path, text) => bail!(
                "{}: {path}: has to be one of {}; if a key or a passphrase stands there it holds a secret, \
                 and others than the owner may read the file; then run `chmod 600 {}` too, and change the secret",
                self.place(value.span()),
                exposure::schemes(path).join(" "),
                self.path.display()
            ),
            DeValue::String(text) => ensure!(
                !exposure::is_secret(path, text),
                "{}: {path} holds a secret, and others than the owner may read the file; \
                 run `chmod 600 {}` and change the secret",
                self.place(value.span()),
                self.path.display()
            ),
            DeValue::Array(items) => {
                for item in items {
                    self.refuse_exposed_value(path, item)?;
                }
            }
            DeValue::Table(inner) => self.refuse_exposed(path, inner)?,
            _ => {}
        }
        Ok(())
    }

    fn place(&self, span: Range<usize>) -> String {
        format!("{}:{}", self.path.display(), self.line(&span))
    }

    fn line(&self, span: &Range<usize>) -> usize {
        let before = self.text.get(..span.start).unwrap_or(self.text);
        before.matches('\n').count() + 1
    }
}

fn texts(items: &DeArray<'_>) -> Option<Vec<String>> {
    items
        .iter()
        .map(|item| item.get_ref().as_str().map(str::to_owned))
        .collect()
}

fn join(above: &str, name: &str) -> String {
    if above.is_empty() {
        name.to_owned()
    } else {
        format!("{above}.{name}")
    }
}

const BYTES_MAX: u64 = 1024 * 1024;
