//! The command line. Every verb explains itself with `--help` and examples.

mod examples;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use self::examples::*;
use crate::admin::Who;

/// A key manager: stores secrets, and gives them back to who may have them.
///
/// Speaks the REST API of OpenStack Barbican, keeps everything in one folder,
/// and seals every payload under a root key.
#[derive(Debug, Parser)]
#[command(name = "donjon", version, after_help = EXAMPLES, max_term_width = 100)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) verb: Option<Verb>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Serve the API
    ///
    /// Makes the data folder, a root key and a first token where there is
    /// nothing yet, and says how to use them. SIGTERM and SIGINT finish the
    /// requests in flight and stop; SIGHUP reads the TLS files and the policy file again.
    #[command(after_help = SERVE_EXAMPLES)]
    Serve(Serve),
    /// Make the data folder, a root key and a first token, and stop
    #[command(after_help = INIT_EXAMPLES)]
    Init(Place),
    /// Create, list and revoke tokens
    ///
    /// Talks to the running server; where none runs, works on the data folder.
    #[command(subcommand, after_help = TOKEN_EXAMPLES)]
    Token(Token),
    /// Explain, check and show who may do what
    ///
    /// The rules are Barbican's defaults, of which a policy file may replace single ones.
    #[command(subcommand, after_help = POLICY_EXAMPLES)]
    Policy(Policy),
    /// Make root keys, and check the configured ones
    #[command(subcommand, after_help = ROOT_KEY_EXAMPLES)]
    RootKey(RootKey),
    /// Look at an HSM that is to keep the root key, and make keys in it
    #[cfg(feature = "pkcs11")]
    #[command(subcommand, after_help = HSM_EXAMPLES)]
    Hsm(Hsm),
    /// Move payloads from one secret store to another, while the server works
    ///
    /// Talks to the running server; where none runs, works on the data folder.
    #[command(subcommand, after_help = SECRETS_EXAMPLES)]
    Secrets(Secrets),
    /// Look whether database and secret stores are whole, and belong together
    ///
    /// Talks to the running server; where none runs, looks at the data folder. Reads the database to its end, lists every
    /// secret store outside, and names payloads there that are nobody's, and secrets whose payload is not there.
    #[command(after_help = DOCTOR_EXAMPLES)]
    Doctor(Doctor),
    /// Change root key and keys of projects, while the server works
    ///
    /// Talks to the running server, which goes on after any stop; where none runs, does it all on the data folder.
    #[command(subcommand, after_help = ROTATE_EXAMPLES)]
    Rotate(Rotate),
    /// Look after projects
    ///
    /// Talks to the running server.
    #[command(subcommand, after_help = PROJECTS_EXAMPLES)]
    Projects(Projects),
    /// Make unreadable what was deleted, in old backups too; or remove a whole project with its keys
    ///
    /// Every project gets a new key, then all moves to the new root key, which is configured as root_key.current.
    /// Whoever destroys the old one makes every older backup unreadable. Talks to the running server; where none runs,
    /// works on the data folder.
    #[command(after_help = SHRED_EXAMPLES)]
    Shred(Shred),
    /// Check the configuration, and make one from Barbican's
    #[command(subcommand, after_help = CONFIG_EXAMPLES)]
    Config(Config),
    /// Write the manual, one page for each verb, into a folder
    #[command(hide = true, after_help = MAN_EXAMPLES)]
    Man(Man),
}

/// For those who make packages.
#[derive(Debug, Args)]
pub(crate) struct Man {
    /// Folder for the pages; it has to be there, and pages in it are replaced
    #[arg(value_name = "DIR")]
    pub(crate) folder: PathBuf,
}

/// Where the data is.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct Place {
    /// Configuration file (TOML)
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Data folder [default: ./donjon-data]
    #[arg(long, value_name = "DIR")]
    pub(crate) data_dir: Option<PathBuf>,
    /// Root key: a file, or credential:NAME, passphrase:FILE, env:NAME, pkcs11:, transit: [default: root.key in the data folder]
    #[arg(long, value_name = "KEY")]
    pub(crate) root_key: Option<PathBuf>,
}

/// What of the configuration has a flag.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct Overrides {
    #[command(flatten)]
    pub(crate) place: Place,
    #[arg(long, value_name = "ADDR", help = LISTEN_HELP)]
    pub(crate) listen: Vec<String>,
    /// Who is believed: keystone, tokens, or both with a comma between them; or noauth (anybody who can connect) [default: tokens]
    #[arg(long, value_name = "MODE", value_delimiter = ',')]
    pub(crate) auth: Vec<String>,
    /// How log lines look [default: text]
    #[arg(long, value_name = "FORMAT")]
    pub(crate) log_format: Option<LogFormat>,
}

#[derive(Debug, Clone, Default, Args)]
pub(crate) struct Serve {
    #[command(flatten)]
    pub(crate) overrides: Overrides,
    /// Let --auth noauth listen beyond this machine and answer to any Host: whoever reaches the port, or makes a browser reach it, reads and deletes everything
    #[arg(long)]
    pub(crate) danger_noauth_on_any_address: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    /// Lines for people
    Text,
    /// One JSON object a line
    Json,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Token {
    /// Make a token and print it, once
    #[command(after_help = TOKEN_CREATE_EXAMPLES)]
    Create(TokenCreate),
    /// List tokens: id, project, user, roles, expiry, last use
    #[command(after_help = TOKEN_LIST_EXAMPLES)]
    List(Place),
    /// End a token; the next request with it is refused
    #[command(after_help = TOKEN_REVOKE_EXAMPLES)]
    Revoke(TokenRevoke),
}

#[derive(Debug, Args)]
pub(crate) struct TokenCreate {
    #[command(flatten)]
    pub(crate) place: Place,
    /// Project whose secrets the token reaches
    #[arg(long, value_name = "PROJECT")]
    pub(crate) project: String,
    /// User who holds the token, and will own what it creates [default: one of its own, named like the id of the token]
    #[arg(long, value_name = "USER")]
    pub(crate) user: Option<String>,
    /// Role of the holder; may be repeated [default: member and reader]
    #[arg(long = "role", value_name = "ROLE")]
    pub(crate) roles: Vec<String>,
    /// When the token ends, from now: a number and s, m, h, d or w [default: never]
    #[arg(long, value_name = "TIME")]
    pub(crate) expires: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct TokenRevoke {
    #[command(flatten)]
    pub(crate) place: Place,
    /// Id of the token, from `donjon token list`
    #[arg(value_name = "ID")]
    pub(crate) id: String,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Policy {
    /// Tell which rule lets a caller do something, or does not, and why
    ///
    /// Asks the running server, by the rules that it has in force; where none runs, works on the data
    /// folder by the rules that are configured. What is asked about is looked up by its id, and nobody's
    /// request is needed.
    #[command(after_help = POLICY_EXPLAIN_EXAMPLES)]
    Explain(PolicyExplain),
    /// Check a policy file before a server reads it
    #[command(after_help = POLICY_CHECK_EXAMPLES)]
    Check(PolicyPlace),
    /// Print all rules, as a policy file has them
    #[command(after_help = POLICY_SHOW_EXAMPLES)]
    Show(PolicyPlace),
}

#[derive(Debug, Args)]
pub(crate) struct PolicyExplain {
    #[command(flatten)]
    pub(crate) place: Place,
    /// The caller: role=ROLE (may be repeated), project=PROJECT, user=USER, scope=project|domain|system
    #[arg(long = "as", value_name = "WHO", value_parser = parse_who)]
    pub(crate) who: Who,
    /// Name of the rule, such as secret:decrypt
    #[arg(value_name = "RULE")]
    pub(crate) rule: String,
    /// Id or reference (URL) of a secret, a container or an order; without it the rule is asked about the project
    #[arg(value_name = "ID")]
    pub(crate) id: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct PolicyPlace {
    #[command(flatten)]
    pub(crate) place: Place,
    /// Policy file (YAML or JSON) [default: policy.file of the configuration]
    #[arg(long, value_name = "FILE")]
    pub(crate) file: Option<PathBuf>,
}

/// Reads `role=member,project=P,user=U`.
fn parse_who(text: &str) -> Result<Who, String> {
    let mut who = Who::default();
    let (mut project, mut scope) = (None, None);
    for part in text.split(',') {
        let (name, value) = part
            .split_once('=')
            .filter(|(_, value)| !value.is_empty())
            .ok_or_else(|| format!("{part:?} has to look like role=member"))?;
        let once = match name {
            "role" => {
                who.roles.push(value.to_owned());
                continue;
            }
            "project" => &mut project,
            "user" => &mut who.user,
            "scope" if !["project", "domain", "system"].contains(&value) => {
                return Err(format!("there is no scope {value:?}"));
            }
            "scope" => &mut scope,
            _ => {
                return Err(format!(
                    "unknown {name:?}; there are role, project, user and scope"
                ));
            }
        };
        if once.replace(value.to_owned()).is_some() {
            return Err(format!("{name} is there twice"));
        }
    }
    who.project = project.ok_or("project=PROJECT is missing")?;
    who.scope = scope.unwrap_or_else(|| "project".to_owned());
    Ok(who)
}

#[derive(Debug, Subcommand)]
pub(crate) enum RootKey {
    /// Make a root key, and write it to a file that only you can read, or to stdout
    ///
    /// With --passphrase the file gets salt and cost instead, and the key follows from a passphrase.
    /// Nothing is changed in the data: `root_key.current` names the key.
    #[command(after_help = ROOT_KEY_NEW_EXAMPLES)]
    New(RootKeyNew),
    /// Read the configured root keys, print their ids, and try them on the data
    ///
    /// While a server runs, its data is left alone, and only the keys are read.
    #[command(after_help = ROOT_KEY_CHECK_EXAMPLES)]
    Check(Place),
    /// Split the configured root key into shares for several people, some of whom can put it together again
    ///
    /// Fewer shares than --threshold say nothing about the key. Each is one line that names the key and has a check.
    #[command(after_help = ROOT_KEY_SPLIT_EXAMPLES)]
    Split(RootKeySplit),
    /// Put a root key together from shares, and write it to a file that only you can read, or to stdout
    ///
    /// What is not a share, is damaged, or belongs to another key or split is named. The key is the one that the
    /// shares name, or nothing is written.
    #[command(after_help = ROOT_KEY_JOIN_EXAMPLES)]
    Join(RootKeyJoin),
}

#[derive(Debug, Args)]
pub(crate) struct RootKeySplit {
    #[command(flatten)]
    pub(crate) place: Place,
    /// How many shares to make: 2 to 255
    #[arg(long, value_name = "N")]
    pub(crate) shares: u8,
    /// How many of them give the key: 2 or more
    #[arg(long, value_name = "K")]
    pub(crate) threshold: u8,
    /// Make a file for each share in this folder: share-1, share-2 and so on [default: stdout]
    #[arg(long, value_name = "FOLDER")]
    pub(crate) to: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct RootKeyJoin {
    /// Files with shares, one a line [default: stdin]
    #[arg(value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,
    /// File to make; nothing that is there is replaced [default: stdout]
    #[arg(long, value_name = "FILE")]
    pub(crate) to: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct RootKeyNew {
    /// File to make; nothing that is there is replaced [default: stdout]
    #[arg(value_name = "FILE", required_if_eq("passphrase", "true"))]
    pub(crate) file: Option<PathBuf>,
    /// Make the key file of a passphrase, which it does not ask for
    #[arg(long)]
    pub(crate) passphrase: bool,
}

#[cfg(feature = "pkcs11")]
#[derive(Debug, Subcommand)]
pub(crate) enum Hsm {
    /// List tokens and keys, try every mechanism, and print a configuration that works
    ///
    /// What is found is told on stderr, the configuration is on stdout. Nothing is changed in the HSM. The PIN is
    /// asked for where no place is named; it is shown to the token once.
    #[command(after_help = HSM_DOCTOR_EXAMPLES)]
    Doctor(HsmPlace),
    /// Make the two keys of a root key in the HSM, as Barbican makes them
    ///
    /// They are called primarymkek and primaryhmac unless something else is configured or said. Labels that
    /// are taken are refused.
    #[command(after_help = HSM_NEW_KEYS_EXAMPLES)]
    NewKeys(HsmPlace),
}

/// Which HSM. Flags count instead of what is configured.
#[cfg(feature = "pkcs11")]
#[derive(Debug, Args)]
pub(crate) struct HsmPlace {
    #[command(flatten)]
    pub(crate) place: Place,
    /// PKCS#11 module that came with the HSM
    #[arg(long, value_name = "FILE")]
    pub(crate) library_path: Option<PathBuf>,
    /// Label of the token
    #[arg(long, value_name = "LABEL")]
    pub(crate) token_label: Option<String>,
    /// Slot of the token
    #[arg(long, value_name = "NUMBER", conflicts_with = "token_label")]
    pub(crate) slot_id: Option<u64>,
    /// Where the PIN is: file:PATH, credential:NAME or terminal
    #[arg(long, value_name = "PLACE")]
    pub(crate) login_from: Option<String>,
    /// Label of the AES key that encrypts
    #[arg(long, value_name = "LABEL")]
    pub(crate) mkek_label: Option<String>,
    /// Label of the key that authenticates
    #[arg(long, value_name = "LABEL")]
    pub(crate) hmac_label: Option<String>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Rotate {
    /// Wrap all keys with the current root key instead of the previous one
    ///
    /// Both have to be configured, as root_key.current and root_key.previous. When 0 are left, the
    /// previous one can be taken out.
    #[command(after_help = ROTATE_ROOT_EXAMPLES)]
    Root(RotateRoot),
    /// Give a project a new key, seal all that it has anew, and destroy the old key
    #[command(after_help = ROTATE_PROJECT_EXAMPLES)]
    Project(RotateProject),
    /// Show which root keys are needed, and how much is left to do
    #[command(after_help = ROTATE_STATUS_EXAMPLES)]
    Status(RotateStatus),
    /// Hold changes of keys, until resume or the next start of the server
    #[command(after_help = ROTATE_PAUSE_EXAMPLES)]
    Pause(Place),
    /// Go on with changes of keys
    #[command(after_help = ROTATE_RESUME_EXAMPLES)]
    Resume(Place),
}

#[derive(Debug, Args)]
pub(crate) struct RotateStatus {
    #[command(flatten)]
    pub(crate) place: Place,
    /// Print one line of JSON, with counters, for programs that watch
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct RotateRoot {
    #[command(flatten)]
    pub(crate) place: Place,
    /// Wait until it is done, and tell how far it is
    #[arg(long)]
    pub(crate) wait: bool,
}

#[derive(Debug, Args)]
pub(crate) struct RotateProject {
    #[command(flatten)]
    pub(crate) place: Place,
    /// Project [default: all that have a key]
    #[arg(long, value_name = "PROJECT")]
    pub(crate) project: Option<String>,
    /// Wait until it is done, and tell how far it is; the old key is kept for most of a minute, for requests on the way
    #[arg(long)]
    pub(crate) wait: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Doctor {
    #[command(flatten)]
    pub(crate) place: Place,
    /// Remove payloads from secret stores that are nobody's; not where this database is a copy, or was restored, and another one may still need them
    #[arg(long)]
    pub(crate) repair: bool,
    /// Read every payload too, wherever it is
    #[arg(long)]
    pub(crate) payloads: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Secrets {
    /// Move all payloads that are in one secret store to another
    ///
    /// Both are named as in [[secret_stores]]. Secrets are read, deleted and added meanwhile as ever, and each payload is
    /// whole at every moment. Whatever stops this, repeating it goes on with what is left.
    #[command(after_help = SECRETS_MOVE_EXAMPLES)]
    Move(SecretsMove),
}

#[derive(Debug, Args)]
pub(crate) struct SecretsMove {
    #[command(flatten)]
    pub(crate) place: Place,
    /// Name of the store that the payloads are in
    #[arg(long, value_name = "STORE")]
    pub(crate) from: String,
    /// Name of the store that they are to be in
    #[arg(long, value_name = "STORE")]
    pub(crate) to: String,
    /// Wait until it is done, and tell how far it is
    #[arg(long, conflicts_with = "dry_run")]
    pub(crate) wait: bool,
    /// Ask both stores whether they are there, and count what would move
    #[arg(long)]
    pub(crate) dry_run: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Shred {
    #[command(flatten)]
    pub(crate) place: Place,
    /// Remove this project instead: all that it owns, and its keys
    #[arg(long, value_name = "PROJECT")]
    pub(crate) project: Option<String>,
    /// Do so without asking
    #[arg(long, requires = "project")]
    pub(crate) yes: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Projects {
    /// Remove what projects left behind that Keystone has deleted
    ///
    /// A server with sweep.enabled does so by itself; this begins it now, within the same bounds. With
    /// --dry-run nothing changes, and sweep.enabled need not be set.
    #[command(after_help = PROJECTS_SWEEP_EXAMPLES)]
    Sweep(ProjectsSweep),
}

#[derive(Debug, Args)]
pub(crate) struct ProjectsSweep {
    #[command(flatten)]
    pub(crate) place: Place,
    /// Ask Keystone, and show what would go, and when
    #[arg(long)]
    pub(crate) dry_run: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Config {
    /// Check the configuration and print what is in force, and where each value comes from
    #[command(after_help = CONFIG_CHECK_EXAMPLES)]
    Check(Overrides),
    /// Turn a barbican.conf into a configuration file
    ///
    /// What becomes of each key is told on stderr, and which have no counterpart. Nothing is changed, and nothing
    /// of Barbican's database is taken over.
    #[command(after_help = CONFIG_CONVERT_EXAMPLES)]
    Convert(ConfigConvert),
}

#[derive(Debug, Args)]
pub(crate) struct ConfigConvert {
    /// Barbican's configuration file
    #[arg(value_name = "BARBICAN_CONF")]
    pub(crate) from: PathBuf,
    /// File to make, which only you can read; nothing that is there is replaced [default: stdout]
    #[arg(long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
}

// As a comment its brackets would be a link.
const LISTEN_HELP: &str = "Address to listen on: IP:PORT, [IPV6]:PORT or unix:PATH; may be repeated [default: 127.0.0.1:9311]";

#[cfg(test)]
mod tests;
