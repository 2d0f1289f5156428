//! `donjon hsm doctor` and `new-keys`.

use std::{
    fmt::{self, Write as _},
    io::Write as _,
    path::PathBuf,
    sync::Arc,
};

use anyhow::{Context, anyhow};
use donjon_crypto_pkcs11::{
    Device, DeviceKeys, FoundKey, HmacKeyType, KeyLabels, Module, Survey, TokenFound, WrapMechanism,
};
use donjon_domain::ports::Entropy;

use super::ask;
use crate::{
    cli::{self, HsmPlace},
    exit::{Exit, Failure, OrExit},
    hsm::{HsmDraft, Hsms, Pin},
    root_key::PassphraseSource,
    system::OsEntropy,
};

/// Looks at an HSM, or makes keys in it.
///
/// # Errors
/// [`Exit::RootKey`] with what to do, where the HSM does not do what it should.
pub(crate) fn hsm(verb: &cli::Hsm) -> Result<Exit, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .or_exit(Exit::Other)?;
    match verb {
        cli::Hsm::Doctor(place) => runtime.block_on(doctor(place)),
        cli::Hsm::NewKeys(place) => runtime.block_on(new_keys(place)),
    }
}

/// Tells on stderr what it finds, and prints a configuration.
async fn doctor(place: &HsmPlace) -> Result<Exit, Failure> {
    let mut patient = Patient::find(place)?;
    patient.tell_tokens()?;
    let device = patient.device()?;
    let keys = device.keys().await.or_exit(Exit::RootKey)?;
    tell(&format!("keys with a label:{}", list(&keys, key_line)))?;
    let (mkek, hmac) = choose(&patient.draft, &keys).or_exit(Exit::RootKey)?;
    let labels = patient.draft.labels(&mkek, &hmac).or_exit(Exit::Config)?;
    let entropy = OsEntropy;
    let survey = device.survey(&labels, &entropy).await;
    let survey = survey.or_exit(Exit::RootKey)?;
    tell(&format!(
        "mechanisms, tried with {mkek:?} and {hmac:?}:{}",
        list(&survey.tried, |tried| {
            let outcome = match &tried.outcome {
                Ok(()) => "works".to_owned(),
                Err(error) if tried.is_listed => error.to_string(),
                Err(error) => format!("{error}; the token does not list it"),
            };
            format!("{:<21} {:<8} {outcome}", tried.name, tried.operation)
        })
    ))?;
    let wrapper = works(&device, &labels, &survey).await?;
    tell(&format!(
        "root key {}: a key was wrapped by {} ({}), authenticated and unwrapped",
        wrapper.id,
        wrapper.mechanism.name(),
        wrapper.mechanism.operation()
    ))?;
    match DeviceKeys::open(Arc::clone(&device)).await {
        Ok(made) => tell(&format!(
            "with orders.generate_in = \"hsm\" the token would generate {made}"
        ))?,
        Err(error) => tell(&format!("the token cannot generate keys: {error}"))?,
    }
    let found = keys.iter().find(|key| key.label == hmac);
    let config = Configuration {
        patient: &patient,
        mkek: &mkek,
        hmac: &hmac,
        hmac_key_type: labels.hmac_key_type.or(found.and_then(|key| key.key_type)),
        mechanism: wrapper.mechanism,
    };
    ask::print(&config.to_string())
}

async fn new_keys(place: &HsmPlace) -> Result<Exit, Failure> {
    let mut patient = Patient::find(place)?;
    let device = patient.device()?;
    let draft = &patient.draft;
    let mkek = draft.mkek_label.as_deref().unwrap_or(MKEK);
    let hmac = draft.hmac_label.as_deref().unwrap_or(HMAC);
    let labels = draft.labels(mkek, hmac).or_exit(Exit::Config)?;
    let made = device.make_keys(&labels).await.or_exit(Exit::RootKey)?;
    tell(&format!(
        "made {mkek:?} (CKK_AES) and {hmac:?} ({}), which never leave the token; back it up as its vendor \
         says: without them nothing opens. `donjon hsm doctor` prints the configuration",
        made.hmac_key_type.name()
    ))?;
    Ok(Exit::Good)
}

/// What keys do for the server.
struct Works {
    id: donjon_domain::RootKeyId,
    mechanism: WrapMechanism,
}

/// Does what a start does, so that what is printed starts.
async fn works(
    device: &Arc<Device>,
    labels: &KeyLabels,
    survey: &Survey,
) -> Result<Works, Failure> {
    let entropy: Arc<dyn Entropy> = Arc::new(OsEntropy);
    let labels = KeyLabels {
        mechanism: labels.mechanism.or(survey.mechanism),
        ..labels.clone()
    };
    let device = Arc::clone(device);
    let opened = donjon_crypto_pkcs11::DeviceWrapper::open(device, labels, entropy);
    let opened = opened.await.or_exit(Exit::RootKey)?;
    Ok(Works {
        id: donjon_domain::ports::KeyWrapper::id(&opened),
        mechanism: opened.mechanism(),
    })
}

// === Patient ===

/// The HSM that is looked at.
struct Patient {
    draft: HsmDraft,
    library_path: PathBuf,
    hsms: Hsms,
    tokens: Vec<TokenFound>,
}

impl Patient {
    /// Loads the module and asks for its tokens.
    fn find(place: &HsmPlace) -> Result<Self, Failure> {
        let mut draft = ask::load(&place.place)?.hsm;
        place.apply(&mut draft).or_exit(Exit::Config)?;
        let library_path = draft.library_path.clone().context(
            "which module? set pkcs11.library_path, or say --library-path, such as /usr/lib/softhsm/libsofthsm2.so",
        );
        let library_path = library_path.or_exit(Exit::Config)?;
        let mut hsms = Hsms::default();
        let module: Arc<Module> = hsms.module(&library_path).or_exit(Exit::RootKey)?;
        let tokens = module.tokens().or_exit(Exit::RootKey)?;
        Ok(Self {
            draft,
            library_path,
            hsms,
            tokens,
        })
    }

    fn tell_tokens(&self) -> Result<(), Failure> {
        tell(&format!(
            "{}: tokens:{}",
            self.library_path.display(),
            list(&self.tokens, ToString::to_string)
        ))
    }

    /// The token that is meant, which may be the only one.
    fn device(&mut self) -> Result<Arc<Device>, Failure> {
        let pin = self.draft.pin.clone();
        let pin = pin.unwrap_or(Pin::From(PassphraseSource::Terminal));
        self.hsms
            .device(&self.library_path, &self.draft, &pin)
            .or_exit(Exit::RootKey)
    }

    /// The token that the configuration will name.
    fn token(&self) -> Option<&TokenFound> {
        let draft = &self.draft;
        let is_meant = |token: &&TokenFound| {
            let by_serial = draft.token_serial_number.as_ref();
            let by_slot = draft.slot_id.is_none_or(|slot| slot == token.slot_id);
            match (by_serial, draft.token_labels.as_slice()) {
                (Some(serial), _) => *serial == token.serial_number,
                (None, []) => by_slot && token.is_initialized,
                (None, labels) => labels.contains(&token.label),
            }
        };
        self.tokens.iter().find(is_meant)
    }
}

impl HsmPlace {
    /// What flags say counts instead of what is configured.
    fn apply(&self, draft: &mut HsmDraft) -> anyhow::Result<()> {
        let Self {
            place: _,
            library_path,
            token_label,
            slot_id,
            login_from,
            mkek_label,
            hmac_label,
        } = self;
        if let Some(path) = library_path {
            draft.library_path = Some(path.clone());
        }
        if let Some(label) = token_label {
            draft.token_labels = vec![label.clone()];
            draft.token_serial_number = None;
        }
        if let Some(slot) = slot_id {
            draft.slot_id = Some(*slot);
            draft.token_labels.clear();
            draft.token_serial_number = None;
        }
        if let Some(from) = login_from {
            let from = PassphraseSource::parse(from).context("--login-from")?;
            draft.pin = Some(Pin::From(from));
        }
        if let Some(label) = mkek_label {
            draft.mkek_label = Some(label.clone());
        }
        if let Some(label) = hmac_label {
            draft.hmac_label = Some(label.clone());
        }
        Ok(())
    }
}

/// The labels that are configured, else those that Barbican gives, else those
/// of the only keys that will do.
fn choose(draft: &HsmDraft, keys: &[FoundKey]) -> anyhow::Result<(String, String)> {
    let has = |label: &str| keys.iter().any(|key| key.label == label);
    let mkek = draft.mkek_label.clone();
    let mkek = mkek.or_else(|| has(MKEK).then(|| MKEK.to_owned()));
    let mkek = mkek.or_else(|| only(keys, |key| key.key_type == Some(HmacKeyType::Aes)));
    let mkek = mkek.with_context(|| {
        format!(
            "which key encrypts? Set pkcs11.mkek_label or say --mkek-label; where there is none, \
             `donjon hsm new-keys` makes {MKEK:?} and {HMAC:?}"
        )
    })?;
    let hmac = draft.hmac_label.clone();
    let hmac = hmac.or_else(|| has(HMAC).then(|| HMAC.to_owned()));
    let hmac = hmac.or_else(|| only(keys, |key| key.key_type.is_some() && key.label != mkek));
    let hmac = hmac.ok_or_else(|| {
        anyhow!("which key authenticates? Set pkcs11.hmac_label or say --hmac-label")
    })?;
    Ok((mkek, hmac))
}

fn only(keys: &[FoundKey], is_good: impl Fn(&FoundKey) -> bool) -> Option<String> {
    let mut good = keys.iter().filter(|key| is_good(key));
    match (good.next(), good.next()) {
        (Some(key), None) => Some(key.label.clone()),
        _ => None,
    }
}

fn key_line(key: &FoundKey) -> String {
    let key_type = key.key_type.map_or("another type", HmacKeyType::name);
    let warning = if key.is_extractable {
        "; it can be taken out of the token, and should not be"
    } else {
        ""
    };
    format!("{:?} ({key_type}){warning}", key.label)
}

fn list<T>(items: &[T], line: impl Fn(&T) -> String) -> String {
    if items.is_empty() {
        return " none".to_owned();
    }
    let lines = items.iter().map(|item| format!("\n  {}", line(item)));
    lines.collect()
}

// === Configuration ===

/// What to write so that the server starts.
struct Configuration<'a> {
    patient: &'a Patient,
    mkek: &'a str,
    hmac: &'a str,
    hmac_key_type: Option<HmacKeyType>,
    mechanism: WrapMechanism,
}

impl fmt::Display for Configuration<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let patient = self.patient;
        f.write_str("[root_key]\ncurrent = \"pkcs11:\"\n\n[pkcs11]\n")?;
        let path = patient.library_path.to_string_lossy();
        line(f, "library_path", &path)?;
        match patient.token() {
            Some(token) if token.label.is_empty() => {
                writeln!(f, "slot_id = {}", token.slot_id)?;
            }
            // A slot may be another one after the next start.
            Some(token) if self.is_alone(token) => {
                writeln!(f, "token_labels = [{}]", quoted(&token.label))?;
            }
            Some(token) => line(f, "token_serial_number", &token.serial_number)?,
            None => {}
        }
        match &patient.draft.pin {
            Some(Pin::From(source)) => line(f, "login_from", &source.to_config())?,
            Some(Pin::Given(_)) => f.write_str("# login = as it is configured\n")?,
            None => f.write_str("login_from = \"terminal\"\n")?,
        }
        line(f, "mkek_label", self.mkek)?;
        line(f, "hmac_label", self.hmac)?;
        if let Some(key_type) = self.hmac_key_type {
            line(f, "hmac_key_type", key_type.name())?;
        }
        f.write_str("key_wrap_mechanism = ")?;
        f.write_str(&quoted(self.mechanism.name()))
    }
}

impl Configuration<'_> {
    /// Whether no other token has its label.
    fn is_alone(&self, token: &TokenFound) -> bool {
        let others = self.patient.tokens.iter();
        others.filter(|other| other.label == token.label).count() == 1
    }
}

fn line(f: &mut fmt::Formatter<'_>, key: &str, value: &str) -> fmt::Result {
    writeln!(f, "{key} = {}", quoted(value))
}

/// A basic string of TOML.
fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            c if c.is_control() => drop(write!(quoted, "\\u{:04X}", u32::from(c))),
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

fn tell(text: &str) -> Result<(), Failure> {
    writeln!(std::io::stderr(), "{text}").or_exit(Exit::Other)
}

/// Barbican's, where nothing is configured.
const MKEK: &str = "primarymkek";
const HMAC: &str = "primaryhmac";
