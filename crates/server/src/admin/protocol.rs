//! What is said on the admin socket.

use std::{fmt, time::Duration};

use donjon_domain::SecretBytes;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use zeroize::Zeroizing;

/// What an operator asks for.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "verb", deny_unknown_fields)]
pub(crate) enum Request {
    #[serde(rename = "token-create")]
    Create(NewTokenRequest),
    #[serde(rename = "token-list")]
    List {},
    #[serde(rename = "token-revoke")]
    Revoke { id: String },
    #[serde(rename = "policy-explain")]
    Explain(Question),
    #[serde(rename = "rotate-root")]
    RotateRoot {},
    #[serde(rename = "rotate-project")]
    RotateProject { project: Option<String> },
    #[serde(rename = "rotate-status")]
    RotateStatus {},
    /// Which keys are past these limits.
    #[serde(rename = "keys-worn")]
    KeysWorn {
        age_s: Option<i64>,
        rows: Option<u64>,
    },
    #[serde(rename = "rotate-pause")]
    RotatePause {},
    #[serde(rename = "rotate-resume")]
    RotateResume {},
    #[serde(rename = "projects-sweep")]
    ProjectsSweep { is_dry: bool },
    #[serde(rename = "project-holdings")]
    ProjectHoldings { project: String },
    #[serde(rename = "project-purge")]
    ProjectPurge { project: String },
    /// What was removed goes from stores too.
    #[serde(rename = "outbox-empty")]
    OutboxEmpty {},
    #[serde(rename = "diagnose")]
    Diagnose {
        /// Whether what is nobody's is removed from stores.
        is_repairing: bool,
        /// Whether every payload is read.
        is_reading: bool,
    },
    #[serde(rename = "secrets-move")]
    SecretsMove {
        from: String,
        to: String,
        is_dry: bool,
    },
    #[serde(rename = "secrets-move-status")]
    SecretsMoveStatus {},
}

/// What a rule is asked.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Question {
    pub(crate) who: Who,
    pub(crate) rule: String,
    /// Of a secret, a container or an order.
    pub(crate) id: Option<String>,
}

/// A caller, as the operator describes it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Who {
    pub(crate) user: Option<String>,
    pub(crate) project: String,
    pub(crate) roles: Vec<String>,
    /// `project`, `domain` or `system`.
    pub(crate) scope: String,
}

/// Whom a new token is for.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewTokenRequest {
    pub(crate) project: String,
    /// Without one the token is a user of its own.
    pub(crate) user: Option<String>,
    /// Without any: member and reader.
    pub(crate) roles: Vec<String>,
    /// Seconds from now; without them it is valid for ever.
    pub(crate) expires_s: Option<i64>,
}

/// What comes of it.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "kebab-case")]
pub(crate) enum Response {
    TokenCreated {
        id: String,
        token: SecretText,
    },
    Tokens {
        tokens: Vec<TokenView>,
    },
    TokenRevoked {},
    Explained {
        text: String,
    },
    Rotation(Box<RotationView>),
    Sweep(SweepView),
    /// A line for each.
    KeysWorn {
        lines: Vec<String>,
    },
    SweepBegun {},
    /// What a project has.
    Holdings {
        /// Rows and keys.
        left: u64,
        text: String,
    },
    /// Names of stores, and how many payloads still wait to be removed there.
    Leftovers {
        stores: Vec<(String, u64)>,
    },
    Diagnosis(Box<DiagnosisView>),
    Move(Box<MoveView>),
    /// None was begun since the server started.
    NoMove {},
    /// The request makes no sense.
    Refused {
        message: String,
    },
    /// Storage failed.
    Failed {
        message: String,
    },
}

/// How far changes of keys are.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct RotationView {
    /// Id of the root key that is configured as the current one.
    pub(crate) current: String,
    /// Id of the root key that the data was last moved to.
    pub(crate) installed: String,
    pub(crate) root_keys: Vec<KeyCount>,
    /// Of so many of them that people can read it.
    pub(crate) retired: Vec<ProjectLeft>,
    pub(crate) retired_keys: u64,
    pub(crate) retired_rows: u64,
    /// Keys and rows that wait.
    pub(crate) left: u64,
    pub(crate) is_paused: bool,
    /// Keys and rows that this server has changed since it started.
    pub(crate) changed: u64,
    /// Steps that failed since it started, and were tried again.
    pub(crate) failed_steps: u64,
}

/// How many keys a root key wraps.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct KeyCount {
    pub(crate) id: String,
    pub(crate) keys: u64,
}

/// How many rows the retired key of a project still seals.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct ProjectLeft {
    pub(crate) project: String,
    pub(crate) generation: u32,
    pub(crate) rows: u64,
}

/// What is not well.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct DiagnosisView {
    /// Of the database.
    pub(crate) damage: FoundView,
    /// Those outside.
    pub(crate) stores: Vec<StoreView>,
    /// Payloads that cannot be read, and why.
    pub(crate) unreadable: FoundView,
    /// Whether all were tried.
    pub(crate) is_read: bool,
}

/// Some lines of many.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct FoundView {
    pub(crate) count: u64,
    pub(crate) shown: Vec<String>,
}

/// A store, beside what the database knows of it.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct StoreView {
    pub(crate) name: String,
    pub(crate) payloads: u64,
    /// Secrets that have their payload there.
    pub(crate) secrets: u64,
    /// Puts under way, and what is to be removed.
    pub(crate) waiting: u64,
    /// Names of payloads that are nobody's.
    pub(crate) strays: FoundView,
    /// Such that are gone now.
    pub(crate) removed: u64,
    /// Ids of secrets whose payload is not there.
    pub(crate) lost: FoundView,
    /// Why it was not looked at to the end.
    pub(crate) trouble: Option<String>,
}

/// How far a move of payloads is.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct MoveView {
    /// Names of stores.
    pub(crate) from: String,
    pub(crate) to: String,
    /// Payloads that wait, the stuck ones among them.
    pub(crate) left: u64,
    pub(crate) moved: u64,
    /// Payloads that cannot be moved.
    pub(crate) stuck: u64,
    /// Some of them.
    pub(crate) shown: Vec<StuckView>,
    /// What holds it up now.
    pub(crate) trouble: Option<String>,
    pub(crate) is_done: bool,
    /// Whether new payloads still go where these come from.
    pub(crate) is_from_default: bool,
}

/// A payload that cannot be moved.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct StuckView {
    /// Id of its secret.
    pub(crate) secret: String,
    pub(crate) error: String,
}

/// What a sweep would do about deleted projects.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct SweepView {
    /// How many projects Keystone knows of those that own something.
    pub(crate) known: u64,
    /// How many it knew, and said nothing of that counts.
    pub(crate) unclear: u64,
    /// Whether so many are missed that nothing is removed.
    pub(crate) is_implausible: bool,
    pub(crate) departed: Vec<DepartedView>,
    /// Ids of projects that Keystone never knew.
    pub(crate) others: Vec<String>,
}

/// A project that Keystone does not know any more. Times are in UTC.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct DepartedView {
    pub(crate) project: String,
    /// Since when it is missed; not yet noted where there is none.
    pub(crate) since: Option<String>,
    /// When it goes; not there where that is now.
    pub(crate) goes: Option<String>,
    pub(crate) secrets: u64,
    pub(crate) containers: u64,
    pub(crate) orders: u64,
    pub(crate) consumers: u64,
    pub(crate) keys: u64,
    pub(crate) has_token: bool,
}

/// A token as the operator sees it. Times are in UTC.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct TokenView {
    pub(crate) id: String,
    pub(crate) project: String,
    pub(crate) user: String,
    pub(crate) roles: Vec<String>,
    pub(crate) expires: Option<String>,
    pub(crate) last_used: Option<String>,
}

/// A text that nobody else may see; wiped when dropped.
pub(crate) struct SecretText(Zeroizing<String>);

impl Request {
    /// How long the answer may take. Keystone is asked about one project after
    /// the other, and wherever root keys are makes a key for one after the other.
    pub(super) fn patience(&self) -> Duration {
        match self {
            Self::ProjectsSweep { is_dry: true }
            | Self::Diagnose { .. }
            | Self::RotateProject { project: None } => Duration::from_secs(3_600),
            // Two stores are asked first.
            Self::SecretsMove { .. } => Duration::from_secs(120),
            _ => Duration::from_secs(30),
        }
    }
}

impl NewTokenRequest {
    /// # Errors
    /// A text for the operator: which name, and what is wrong with it.
    pub(crate) fn check(&self) -> Result<(), String> {
        check_name("project", &self.project)?;
        self.user
            .as_deref()
            .map_or(Ok(()), |user| check_name("user", user))?;
        for role in &self.roles {
            check_name("role", role)?;
            if role.contains(',') || role.contains(char::is_whitespace) {
                return Err(format!(
                    "role {role:?} has a comma or a blank in it; name each role by itself"
                ));
            }
        }
        match self.expires_s {
            Some(seconds) if !(1..=EXPIRES_S_MAX).contains(&seconds) => {
                Err("a token lasts from one second to a hundred years".to_owned())
            }
            _ => Ok(()),
        }
    }
}

/// Names stand in logs and lists, one a line.
fn check_name(what: &str, name: &str) -> Result<(), String> {
    let chars = name.chars().count();
    if (1..=NAME_CHARS_MAX).contains(&chars) && !name.contains(char::is_control) {
        Ok(())
    } else {
        Err(format!(
            "a {what} has 1 to {NAME_CHARS_MAX} characters, and no control characters"
        ))
    }
}

// === impl SecretText ===

impl SecretText {
    /// Tokens are ASCII.
    pub(super) fn from_utf8(bytes: &SecretBytes) -> Self {
        Self(Zeroizing::new(
            String::from_utf8_lossy(bytes.expose()).into_owned(),
        ))
    }

    pub(crate) fn expose(&self) -> &str {
        &self.0
    }
}

impl Serialize for SecretText {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for SecretText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(|text| Self(Zeroizing::new(text)))
    }
}

impl fmt::Debug for SecretText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SecretText({} bytes)", self.0.len())
    }
}

const NAME_CHARS_MAX: usize = 255;
const EXPIRES_S_MAX: i64 = 100 * 365 * 86_400;
