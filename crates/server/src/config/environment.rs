//! Values from variables that begin with `DONJON_`.

use std::{ffi::OsString, os::unix::ffi::OsStrExt};

use anyhow::{Context, Result, bail};

use super::{
    Layer,
    keys::{KEYS, VARIABLE_PREFIX},
    value::Source,
};

/// # Errors
/// A variable with the prefix that is no key: a setting somebody believes in
/// must not be passed over.
pub(super) fn read(variables: impl Iterator<Item = (OsString, OsString)>) -> Result<Layer> {
    let mut layer = Layer::new();
    for (name, text) in variables {
        if !name.as_bytes().starts_with(VARIABLE_PREFIX.as_bytes()) {
            continue;
        }
        let name = name.to_string_lossy().into_owned();
        let Some(key) = KEYS.iter().find(|key| key.variable() == name) else {
            bail!(
                "environment {name}: unknown setting; unset it, or see `donjon config check` for those there are"
            );
        };
        let value = text
            .to_str()
            .and_then(|text| key.kind.parse(text))
            .with_context(|| format!("environment {name}: has to be {}", key.kind.name()))?;
        layer.insert(key.path, (value, Source::Environment(name)));
    }
    Ok(layer)
}
