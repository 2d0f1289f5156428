//! What `--help` shows at the end of each verb. Tests run every line.

pub(super) const EXAMPLES: &str = "\
Examples:
  donjon serve
  donjon token create --project web --expires 30d
  donjon serve --help";

pub(super) const SERVE_EXAMPLES: &str = "\
Examples:
  donjon serve
  donjon serve --config /etc/donjon/donjon.toml
  donjon serve --data-dir /var/lib/donjon --listen 127.0.0.1:9311 --listen unix:/run/donjon/api.sock
  donjon serve --auth noauth --listen 127.0.0.1:9312 --data-dir ./trial

Every setting can stand in the file or in the environment too:
  DONJON_HTTP__LISTEN=127.0.0.1:9311,[::1]:9311 donjon serve

Exit codes: 0 stopped, 1 other, 2 configuration, 3 root key, 4 data folder, 75 storage.";

pub(super) const INIT_EXAMPLES: &str = "\
Examples:
  donjon init
  donjon init --data-dir /var/lib/donjon
  donjon init --data-dir /var/lib/donjon --root-key /etc/donjon/root.key";

pub(super) const TOKEN_EXAMPLES: &str = "\
Examples:
  donjon token create --project web
  donjon token list
  donjon token revoke 7f3c1f6e-0b1d-4c59-9d0a-3a5f6e2b7c11";

pub(super) const TOKEN_CREATE_EXAMPLES: &str = "\
Examples:
  donjon token create --project web
  donjon token create --project web --user deploy --role member --expires 30d
  donjon token create --project web --role reader --data-dir /var/lib/donjon > token";

pub(super) const TOKEN_LIST_EXAMPLES: &str = "\
Examples:
  donjon token list
  donjon token list --data-dir /var/lib/donjon";

pub(super) const TOKEN_REVOKE_EXAMPLES: &str = "\
Examples:
  donjon token revoke 7f3c1f6e-0b1d-4c59-9d0a-3a5f6e2b7c11";

pub(super) const POLICY_EXAMPLES: &str = "\
Examples:
  donjon policy explain --as role=member,project=web,user=deploy secret:decrypt 7f3c1f6e-0b1d-4c59-9d0a-3a5f6e2b7c11
  donjon policy check --file policy.yaml
  donjon policy show";

pub(super) const POLICY_EXPLAIN_EXAMPLES: &str = "\
Examples:
  donjon policy explain --as role=member,project=web,user=deploy secret:decrypt 7f3c1f6e-0b1d-4c59-9d0a-3a5f6e2b7c11
  donjon policy explain --as role=reader,role=member,project=web secrets:post
  donjon policy explain --as role=admin,project=ops,scope=system --data-dir /var/lib/donjon project_quotas:put";

pub(super) const POLICY_CHECK_EXAMPLES: &str = "\
Examples:
  donjon policy check --file policy.yaml
  donjon policy check --config /etc/donjon/donjon.toml";

pub(super) const POLICY_SHOW_EXAMPLES: &str = "\
Examples:
  donjon policy show
  donjon policy show --file policy.yaml
  DONJON_POLICY__DEFAULTS=legacy donjon policy show > legacy.yaml";

pub(super) const ROOT_KEY_EXAMPLES: &str = "\
Examples:
  donjon root-key new /etc/donjon/root.key.2027
  donjon root-key check";

pub(super) const ROOT_KEY_NEW_EXAMPLES: &str = "\
Examples:
  donjon root-key new /etc/donjon/root.key.2027
  donjon root-key new --passphrase /etc/donjon/root.passphrase-key
  donjon root-key new > root.key.base64";

pub(super) const ROOT_KEY_CHECK_EXAMPLES: &str = "\
Examples:
  donjon root-key check
  donjon root-key check --data-dir /var/lib/donjon";

pub(super) const ROOT_KEY_SPLIT_EXAMPLES: &str = "\
Examples:
  donjon root-key split --shares 5 --threshold 3
  donjon root-key split --shares 3 --threshold 2 --root-key /etc/donjon/root.key --to .";

pub(super) const ROOT_KEY_JOIN_EXAMPLES: &str = "\
Examples:
  donjon root-key split --shares 5 --threshold 3 | tail -n 3 | donjon root-key join
  donjon root-key split --shares 3 --threshold 2 --to . && donjon root-key join share-1 share-3 --to root.key.joined";

#[cfg(feature = "pkcs11")]
pub(super) const HSM_EXAMPLES: &str = "\
Examples:
  donjon hsm doctor --library-path /usr/lib/softhsm/libsofthsm2.so --token-label donjon --login-from file:/etc/donjon/pin
  donjon hsm new-keys --help";

#[cfg(feature = "pkcs11")]
pub(super) const HSM_DOCTOR_EXAMPLES: &str = "\
Examples:
  donjon hsm doctor --library-path /usr/lib/softhsm/libsofthsm2.so
  donjon hsm doctor --library-path /usr/lib/softhsm/libsofthsm2.so --token-label donjon --login-from file:/etc/donjon/pin > hsm.toml
  donjon hsm doctor --config /etc/donjon/donjon.toml";

#[cfg(feature = "pkcs11")]
pub(super) const HSM_NEW_KEYS_EXAMPLES: &str = "\
Examples:
  donjon hsm new-keys --library-path /usr/lib/softhsm/libsofthsm2.so --token-label donjon --login-from file:/etc/donjon/pin
  donjon hsm new-keys --config /etc/donjon/donjon.toml --mkek-label mkek2027 --hmac-label hmac2027";

pub(super) const DOCTOR_EXAMPLES: &str = "\
Examples:
  donjon doctor
  donjon doctor --payloads --data-dir /var/lib/donjon
  donjon doctor --config /etc/donjon/stores.toml --repair

Exit codes: 0 all is well, 1 something is not, 75 the database is damaged; others as for serve.";

pub(super) const MAN_EXAMPLES: &str = "\
Examples:
  donjon man man1";

pub(super) const SECRETS_EXAMPLES: &str = "\
Examples:
  donjon secrets move --config /etc/donjon/stores.toml --from database --to bao --dry-run";

pub(super) const SECRETS_MOVE_EXAMPLES: &str = "\
Examples:
  donjon secrets move --config /etc/donjon/stores.toml --from database --to bao --dry-run
  donjon secrets move --config /etc/donjon/stores.toml --from database --to bao --wait";

pub(super) const ROTATE_EXAMPLES: &str = "\
Examples:
  donjon rotate project --wait
  donjon rotate status";

pub(super) const ROTATE_ROOT_EXAMPLES: &str = "\
Examples:
  DONJON_ROOT_KEY__PREVIOUS=file:/etc/donjon/root.key donjon rotate root --root-key /etc/donjon/root.key.new --wait";

pub(super) const ROTATE_PROJECT_EXAMPLES: &str = "\
Examples:
  donjon rotate project --project web --wait
  donjon rotate project";

pub(super) const ROTATE_STATUS_EXAMPLES: &str = "\
Examples:
  donjon rotate status
  donjon rotate status --data-dir /var/lib/donjon
  donjon rotate status --json";

pub(super) const ROTATE_PAUSE_EXAMPLES: &str = "\
Examples:
  donjon rotate pause";

pub(super) const ROTATE_RESUME_EXAMPLES: &str = "\
Examples:
  donjon rotate resume";

pub(super) const PROJECTS_EXAMPLES: &str = "\
Examples:
  donjon projects sweep --dry-run";

pub(super) const PROJECTS_SWEEP_EXAMPLES: &str = "\
Examples:
  donjon projects sweep --dry-run
  donjon projects sweep --config /etc/donjon/donjon.toml";

pub(super) const SHRED_EXAMPLES: &str = "\
Examples:
  DONJON_ROOT_KEY__PREVIOUS=file:/etc/donjon/root.key donjon shred --root-key /etc/donjon/root.key.new
  donjon shred --project web --yes";

pub(super) const CONFIG_EXAMPLES: &str = "\
Examples:
  donjon config check
  donjon config check --config /etc/donjon/donjon.toml
  donjon config convert /etc/barbican/barbican.conf --output donjon.toml";

pub(super) const CONFIG_CHECK_EXAMPLES: &str = "\
Examples:
  donjon config check
  donjon config check --config /etc/donjon/donjon.toml
  DONJON_LOG__LEVEL=debug donjon config check";

pub(super) const CONFIG_CONVERT_EXAMPLES: &str = "\
Examples:
  donjon config convert /etc/barbican/barbican.conf
  donjon config convert /etc/barbican/barbican.conf --output donjon.toml";
