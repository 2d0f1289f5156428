//! The command line. Every verb explains itself with `--help` and examples.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

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
    /// Root key: a file, or credential:NAME, passphrase:FILE, env:NAME, pkcs11: [default: root.key in the data folder]
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
    Status(Place),
    /// Hold changes of keys, until resume or the next start of the server
    #[command(after_help = ROTATE_PAUSE_EXAMPLES)]
    Pause(Place),
    /// Go on with changes of keys
    #[command(after_help = ROTATE_RESUME_EXAMPLES)]
    Resume(Place),
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

const EXAMPLES: &str = "\
Examples:
  donjon serve
  donjon token create --project web --expires 30d
  donjon serve --help";

const SERVE_EXAMPLES: &str = "\
Examples:
  donjon serve
  donjon serve --config /etc/donjon/donjon.toml
  donjon serve --data-dir /var/lib/donjon --listen 127.0.0.1:9311 --listen unix:/run/donjon/api.sock
  donjon serve --auth noauth --listen 127.0.0.1:9312 --data-dir ./trial

Every setting can stand in the file or in the environment too:
  DONJON_HTTP__LISTEN=127.0.0.1:9311,[::1]:9311 donjon serve

Exit codes: 0 stopped, 1 other, 2 configuration, 3 root key, 4 data folder, 75 storage.";

const INIT_EXAMPLES: &str = "\
Examples:
  donjon init
  donjon init --data-dir /var/lib/donjon
  donjon init --data-dir /var/lib/donjon --root-key /etc/donjon/root.key";

const TOKEN_EXAMPLES: &str = "\
Examples:
  donjon token create --project web
  donjon token list
  donjon token revoke 7f3c1f6e-0b1d-4c59-9d0a-3a5f6e2b7c11";

const TOKEN_CREATE_EXAMPLES: &str = "\
Examples:
  donjon token create --project web
  donjon token create --project web --user deploy --role member --expires 30d
  donjon token create --project web --role reader --data-dir /var/lib/donjon > token";

const TOKEN_LIST_EXAMPLES: &str = "\
Examples:
  donjon token list
  donjon token list --data-dir /var/lib/donjon";

const TOKEN_REVOKE_EXAMPLES: &str = "\
Examples:
  donjon token revoke 7f3c1f6e-0b1d-4c59-9d0a-3a5f6e2b7c11";

const POLICY_EXAMPLES: &str = "\
Examples:
  donjon policy explain --as role=member,project=web,user=deploy secret:decrypt 7f3c1f6e-0b1d-4c59-9d0a-3a5f6e2b7c11
  donjon policy check --file policy.yaml
  donjon policy show";

const POLICY_EXPLAIN_EXAMPLES: &str = "\
Examples:
  donjon policy explain --as role=member,project=web,user=deploy secret:decrypt 7f3c1f6e-0b1d-4c59-9d0a-3a5f6e2b7c11
  donjon policy explain --as role=reader,role=member,project=web secrets:post
  donjon policy explain --as role=admin,project=ops,scope=system --data-dir /var/lib/donjon project_quotas:put";

const POLICY_CHECK_EXAMPLES: &str = "\
Examples:
  donjon policy check --file policy.yaml
  donjon policy check --config /etc/donjon/donjon.toml";

const POLICY_SHOW_EXAMPLES: &str = "\
Examples:
  donjon policy show
  donjon policy show --file policy.yaml
  DONJON_POLICY__DEFAULTS=legacy donjon policy show > legacy.yaml";

const ROOT_KEY_EXAMPLES: &str = "\
Examples:
  donjon root-key new /etc/donjon/root.key.2027
  donjon root-key check";

const ROOT_KEY_NEW_EXAMPLES: &str = "\
Examples:
  donjon root-key new /etc/donjon/root.key.2027
  donjon root-key new --passphrase /etc/donjon/root.passphrase-key
  donjon root-key new > root.key.base64";

const ROOT_KEY_CHECK_EXAMPLES: &str = "\
Examples:
  donjon root-key check
  donjon root-key check --data-dir /var/lib/donjon";

#[cfg(feature = "pkcs11")]
const HSM_EXAMPLES: &str = "\
Examples:
  donjon hsm doctor --library-path /usr/lib/softhsm/libsofthsm2.so --token-label donjon --login-from file:/etc/donjon/pin
  donjon hsm new-keys --help";

#[cfg(feature = "pkcs11")]
const HSM_DOCTOR_EXAMPLES: &str = "\
Examples:
  donjon hsm doctor --library-path /usr/lib/softhsm/libsofthsm2.so
  donjon hsm doctor --library-path /usr/lib/softhsm/libsofthsm2.so --token-label donjon --login-from file:/etc/donjon/pin > hsm.toml
  donjon hsm doctor --config /etc/donjon/donjon.toml";

#[cfg(feature = "pkcs11")]
const HSM_NEW_KEYS_EXAMPLES: &str = "\
Examples:
  donjon hsm new-keys --library-path /usr/lib/softhsm/libsofthsm2.so --token-label donjon --login-from file:/etc/donjon/pin
  donjon hsm new-keys --config /etc/donjon/donjon.toml --mkek-label mkek2027 --hmac-label hmac2027";

const ROTATE_EXAMPLES: &str = "\
Examples:
  donjon rotate project --wait
  donjon rotate status";

const ROTATE_ROOT_EXAMPLES: &str = "\
Examples:
  DONJON_ROOT_KEY__PREVIOUS=file:/etc/donjon/root.key donjon rotate root --root-key /etc/donjon/root.key.new --wait";

const ROTATE_PROJECT_EXAMPLES: &str = "\
Examples:
  donjon rotate project --project web --wait
  donjon rotate project";

const ROTATE_STATUS_EXAMPLES: &str = "\
Examples:
  donjon rotate status
  donjon rotate status --data-dir /var/lib/donjon";

const ROTATE_PAUSE_EXAMPLES: &str = "\
Examples:
  donjon rotate pause";

const ROTATE_RESUME_EXAMPLES: &str = "\
Examples:
  donjon rotate resume";

const PROJECTS_EXAMPLES: &str = "\
Examples:
  donjon projects sweep --dry-run";

const PROJECTS_SWEEP_EXAMPLES: &str = "\
Examples:
  donjon projects sweep --dry-run
  donjon projects sweep --config /etc/donjon/donjon.toml";
const SHRED_EXAMPLES: &str = "\
Examples:
  DONJON_ROOT_KEY__PREVIOUS=file:/etc/donjon/root.key donjon shred --root-key /etc/donjon/root.key.new
  donjon shred --project web --yes";

const CONFIG_EXAMPLES: &str = "\
Examples:
  donjon config check
  donjon config check --config /etc/donjon/donjon.toml
  donjon config convert /etc/barbican/barbican.conf --output donjon.toml";

const CONFIG_CHECK_EXAMPLES: &str = "\
Examples:
  donjon config check
  donjon config check --config /etc/donjon/donjon.toml
  DONJON_LOG__LEVEL=debug donjon config check";

const CONFIG_CONVERT_EXAMPLES: &str = "\
Examples:
  donjon config convert /etc/barbican/barbican.conf
  donjon config convert /etc/barbican/barbican.conf --output donjon.toml";

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    fn parse(line: &str) -> Result<Cli, clap::Error> {
        Cli::try_parse_from(line.split_whitespace())
    }

    #[test]
    fn the_definition_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn no_verb_is_no_error() {
        assert!(parse("donjon").unwrap().verb.is_none());
    }

    #[test]
    fn flags_of_serve() {
        let line = "donjon serve --listen 127.0.0.1:1 --listen unix:/s --auth tokens,noauth \
                    --log-format json --data-dir d --root-key k --config c";
        let Some(Verb::Serve(serve)) = parse(line).unwrap().verb else {
            panic!("not serve");
        };
        let Overrides {
            place,
            listen,
            auth,
            log_format,
        } = serve.overrides;
        assert_eq!(listen, ["127.0.0.1:1", "unix:/s"]);
        assert_eq!(auth, ["tokens", "noauth"]);
        assert_eq!(log_format, Some(LogFormat::Json));
        assert_eq!(place.data_dir, Some("d".into()));
        assert_eq!(place.root_key, Some("k".into()));
        assert_eq!(place.config, Some("c".into()));
        assert!(!serve.danger_noauth_on_any_address);
    }

    #[test]
    fn a_token_needs_a_project() {
        assert!(parse("donjon token create").is_err());
        assert!(parse("donjon token create --project p --role a --role b").is_ok());
        assert!(parse("donjon token revoke").is_err());
    }

    #[test]
    fn callers_are_described_by_name() {
        let who = parse_who("role=member,user=u,project=p,role=Reader").unwrap();
        let expected = Who {
            user: Some("u".to_owned()),
            project: "p".to_owned(),
            roles: vec!["member".to_owned(), "Reader".to_owned()],
            scope: "project".to_owned(),
        };
        assert_eq!(who, expected);
        assert_eq!(parse_who("project=p,scope=system").unwrap().scope, "system");
        for bad in [
            "",
            "role=member",
            "project=",
            "project=p,project=q",
            "project=p,user=u,user=v",
            "project=p,scope=galaxy",
            "project=p,scope=domain,scope=domain",
            "project=p,colour=red",
            "project=p,",
        ] {
            assert!(parse_who(bad).is_err(), "{bad}");
        }
    }

    /// Every verb, down to the leaves.
    fn verbs(command: &clap::Command) -> Vec<clap::Command> {
        let inner = command
            .get_subcommands()
            .filter(|verb| verb.get_name() != "help");
        let mut all = vec![command.clone()];
        all.extend(inner.flat_map(verbs));
        all
    }

    #[test]
    fn every_verb_has_examples_that_parse() {
        for verb in verbs(&Cli::command()) {
            let help = verb
                .get_after_help()
                .map(ToString::to_string)
                .unwrap_or_default();
            let examples: Vec<&str> = help
                .lines()
                .filter_map(|line| {
                    line.split_once("donjon ").filter(|(before, _)| {
                        before.trim().is_empty() || before.trim().starts_with("DONJON_")
                    })
                })
                .map(|(_, rest)| rest.split('>').next().unwrap_or(rest))
                .collect();
            assert!(!examples.is_empty(), "{}", verb.get_name());
            for example in examples {
                let parsed = parse(&format!("donjon {example}"));
                let shows_help = example.ends_with("--help");
                assert_eq!(parsed.is_ok(), !shows_help, "{example}");
            }
        }
    }
}
