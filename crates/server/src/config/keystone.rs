//! What `[auth.keystone]` says. Names are those of `[keystone_authtoken]`.

use std::{fs::File, io::Read, path::Path, sync::Arc, time::Duration};

use anyhow::{Context, Result, bail, ensure};
use donjon_auth_keystone::{KeystoneConfig, Patience, ServiceCredential, TlsFiles};
use donjon_domain::SecretBytes;
use http::Uri;
use zeroize::Zeroizing;

use super::{exposure, settings::Values, texts::path};

/// How to ask a Keystone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct KeystoneSettings {
    pub(crate) auth_url: String,
    /// Where clients get tokens.
    pub(crate) www_authenticate_uri: String,
    credential: Credential,
    tls: TlsFiles,
    interface: Option<String>,
    region_name: Option<String>,
    pub(crate) token_cache_time: Duration,
    service_type: String,
    service_token_roles: Vec<String>,
    service_token_roles_required: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Credential {
    Password {
        username: String,
        user_domain_name: String,
        password: Arc<SecretBytes>,
        project_name: String,
        project_domain_name: String,
    },
    Application {
        id: String,
        secret: Arc<SecretBytes>,
    },
}

impl KeystoneSettings {
    /// # Errors
    /// Something needed is missing, or values contradict one another.
    pub(super) fn new(values: &Values<'_>) -> Result<Self> {
        let auth_url = values.each("auth.keystone.auth_url", url)?;
        let auth_url = auth_url.with_context(|| {
            let modes = values.place("auth.modes");
            format!("{modes} has keystone: set auth.keystone.auth_url, such as https://keystone.example.org:5000")
        })?;
        let service_type = values.each("auth.keystone.service_type", text)?;
        let www_authenticate_uri = values.each("auth.keystone.www_authenticate_uri", url)?;
        let seconds = values.count("auth.keystone.token_cache_time", 0..=CACHE_S_MAX)?;
        Ok(Self {
            www_authenticate_uri: www_authenticate_uri.unwrap_or_else(|| auth_url.clone()),
            auth_url,
            credential: credential(values)?,
            tls: tls(values)?,
            interface: values.each("auth.keystone.interface", interface)?,
            region_name: values.each("auth.keystone.region_name", text)?,
            token_cache_time: Duration::from_secs(seconds),
            service_type: service_type.unwrap_or_default(),
            service_token_roles: values.list("auth.keystone.service_token_roles", text)?,
            service_token_roles_required: values.flag("auth.keystone.service_token_roles_required"),
        })
    }

    /// For the authenticator, with secrets of its own.
    pub(crate) fn config(&self) -> KeystoneConfig {
        let copy = |secret: &SecretBytes| SecretBytes::new(secret.expose().to_vec());
        let credential = match &self.credential {
            Credential::Password {
                username,
                user_domain_name,
                password,
                project_name,
                project_domain_name,
            } => ServiceCredential::Password {
                username: username.clone(),
                user_domain_name: user_domain_name.clone(),
                password: copy(password),
                project_name: project_name.clone(),
                project_domain_name: project_domain_name.clone(),
            },
            Credential::Application { id, secret } => ServiceCredential::ApplicationCredential {
                id: id.clone(),
                secret: copy(secret),
            },
        };
        KeystoneConfig {
            auth_url: self.auth_url.clone(),
            credential,
            tls: self.tls.clone(),
            interface: self.interface.clone(),
            region_name: self.region_name.clone(),
            token_cache_time: self.token_cache_time,
            service_type: Some(self.service_type.clone()),
            service_token_roles: self.service_token_roles.clone(),
            service_token_roles_required: self.service_token_roles_required,
            patience: Patience::default(),
        }
    }

    /// Whether passwords and tokens are readable on the way.
    pub(crate) fn is_plain(&self) -> bool {
        let uri: Option<Uri> = self.auth_url.parse().ok();
        let host = uri.as_ref().and_then(Uri::host).unwrap_or_default();
        let is_here = host == "localhost" || host == "[::1]" || host.starts_with("127.");
        !is_here && !self.auth_url.starts_with("https://")
    }
}

fn credential(values: &Values<'_>) -> Result<Credential> {
    let username = values.each("auth.keystone.username", text)?;
    let id = values.each("auth.keystone.application_credential_id", text)?;
    let (username, id) = match (username, id) {
        (Some(_), Some(_)) => bail!(
            "{}: auth.keystone.username is set too; name one of them",
            values.place("auth.keystone.application_credential_id")
        ),
        (None, None) => bail!(
            "auth.keystone.username or auth.keystone.application_credential_id is missing: \
             Keystone answers only who has a credential of its own"
        ),
        names => names,
    };
    if let Some(id) = id {
        let secret = values.secret("auth.keystone.application_credential_secret");
        let secret = secret.with_context(|| {
            let id = values.place("auth.keystone.application_credential_id");
            format!("{id}: set auth.keystone.application_credential_secret too")
        })?;
        return Ok(Credential::Application { id, secret });
    }
    let place = || values.place("auth.keystone.username");
    let file = values.each("auth.keystone.password_file", path)?;
    let password = match (values.secret("auth.keystone.password"), file) {
        (Some(password), None) => password,
        (None, Some(file)) => password_in(&file)
            .with_context(|| values.place("auth.keystone.password_file"))?
            .into(),
        (Some(_), Some(_)) => bail!(
            "{}: auth.keystone.password is set too; name one of them",
            values.place("auth.keystone.password_file")
        ),
        (None, None) => bail!(
            "{}: set auth.keystone.password_file, or auth.keystone.password",
            place()
        ),
    };
    let project_name = values.each("auth.keystone.project_name", text)?;
    let domain = |key| Ok::<_, anyhow::Error>(values.each(key, text)?.unwrap_or_default());
    Ok(Credential::Password {
        username: username.unwrap_or_default(),
        user_domain_name: domain("auth.keystone.user_domain_name")?,
        password,
        project_name: project_name
            .with_context(|| format!("{}: set auth.keystone.project_name too", place()))?,
        project_domain_name: domain("auth.keystone.project_domain_name")?,
    })
}

/// Reads a file that its owner alone may read. Blanks at its end do not count.
pub(super) fn password_in(path: &Path) -> Result<SecretBytes> {
    let unreadable = || format!("{}: cannot be read", path.display());
    let mut file = File::open(path).with_context(unreadable)?;
    ensure!(
        !exposure::is_readable_by_others(&file).with_context(unreadable)?,
        "{0}: others than the owner may read it; run `chmod 600 {0}` and change the password",
        path.display()
    );
    // Large enough from the start, so that no copy is left behind.
    let mut bytes = Zeroizing::new(Vec::with_capacity(PASSWORD_BYTES_MAX));
    let limit = u64::try_from(PASSWORD_BYTES_MAX)?;
    let read = (&mut file).take(limit).read_to_end(&mut bytes);
    read.with_context(unreadable)?;
    let length = bytes.trim_ascii_end().len();
    bytes.truncate(length);
    ensure!(
        !bytes.is_empty() && str::from_utf8(&bytes).is_ok(),
        "{}: holds no password",
        path.display()
    );
    Ok(SecretBytes::from_zeroizing(bytes))
}

fn tls(values: &Values<'_>) -> Result<TlsFiles> {
    let files = TlsFiles {
        cafile: values.each("auth.keystone.cafile", path)?,
        certfile: values.each("auth.keystone.certfile", path)?,
        keyfile: values.each("auth.keystone.keyfile", path)?,
    };
    match (&files.certfile, &files.keyfile) {
        (Some(_), None) => bail!(
            "{}: set auth.keystone.keyfile too",
            values.place("auth.keystone.certfile")
        ),
        (None, Some(_)) => bail!(
            "{}: set auth.keystone.certfile too",
            values.place("auth.keystone.keyfile")
        ),
        _ => Ok(files),
    }
}

fn text(text: &str) -> Result<String> {
    ensure!(!text.is_empty(), "has to be a name");
    Ok(text.to_owned())
}

fn interface(text: &str) -> Result<String> {
    // As they stand in the catalog; the long forms are older.
    let name = text.strip_suffix("URL").unwrap_or(text);
    ensure!(
        matches!(name, "public" | "internal" | "admin"),
        "unknown interface {text:?}; there are public, internal and admin"
    );
    Ok(name.to_owned())
}

/// Never shows the text: it may hold a password.
fn url(text: &str) -> Result<String> {
    let uri: Option<Uri> = text.parse().ok();
    let is_good = uri.is_some_and(|uri| {
        let is_web = matches!(uri.scheme_str(), Some("http" | "https"));
        let is_plain = uri
            .authority()
            .is_some_and(|host| !host.as_str().contains('@'));
        is_web && is_plain && uri.query().is_none()
    });
    ensure!(
        is_good && !text.contains('"'),
        "has to look like https://keystone.example.org:5000/v3"
    );
    Ok(text.to_owned())
}

/// An hour: that long a token is good that Keystone has revoked.
const CACHE_S_MAX: u64 = 3_600;
const PASSWORD_BYTES_MAX: usize = 4_096;
