//! Values from flags.

use std::path::Path;

use anyhow::{Context, Result};

use super::{
    Layer,
    exposure::KEY_SCHEMES as SCHEMES,
    value::{Source, Value},
};
use crate::cli::{LogFormat, Overrides};

/// # Errors
/// A path that is not text.
pub(super) fn read(overrides: &Overrides) -> Result<Layer> {
    let mut layer = Layer::new();
    let mut set = |key, flag, value| {
        layer.insert(key, (value, Source::Flag(flag)));
    };
    let Overrides {
        place,
        listen,
        auth,
        log_format,
    } = overrides;
    if let Some(path) = &place.data_dir {
        let value = text("--data-dir", path)?.to_owned();
        set("data_dir", "--data-dir", Value::Text(value));
    }
    if let Some(path) = &place.root_key {
        let path = text("--root-key", path)?;
        // A bare path is the most usual; a file called like a scheme needs its own.
        let is_source = SCHEMES.iter().any(|scheme| path.starts_with(scheme));
        let source = if is_source {
            path.to_owned()
        } else {
            format!("file:{path}")
        };
        let value = Value::Text(source);
        set("root_key.current", "--root-key", value);
    }
    if !listen.is_empty() {
        set("http.listen", "--listen", Value::List(listen.clone()));
    }
    if !auth.is_empty() {
        set("auth.modes", "--auth", Value::List(auth.clone()));
    }
    if let Some(format) = log_format {
        let name = match format {
            LogFormat::Text => "text",
            LogFormat::Json => "json",
        };
        set("log.format", "--log-format", Value::Text(name.to_owned()));
    }
    Ok(layer)
}

fn text<'a>(flag: &str, path: &'a Path) -> Result<&'a str> {
    path.to_str()
        .with_context(|| format!("flag {flag}: the path is not UTF-8"))
}
