//! `[auth.keystone]`, and the sweep, which needs it.

use super::*;

const KEYSTONE: &str = r#"
[auth]
modes = ["keystone", "tokens"]
[auth.keystone]
auth_url = "https://k:5000"
username = "barbican"
password = "canary"
project_name = "service"
"#;

/// One that is good, with a line replaced or taken out.
fn keystone(line: &str, by: &str) -> Rig {
    assert!(KEYSTONE.contains(line), "{line}");
    Rig::new().file(0o600, &KEYSTONE.replace(line, by))
}

#[test]
fn keystone_is_asked_as_configured() {
    let settings = keystone("", "").settings();
    assert_eq!(settings.auth.modes, [AuthMode::Keystone, AuthMode::Tokens]);
    let keystone = settings.auth.keystone.unwrap();
    assert_eq!(keystone.www_authenticate_uri, "https://k:5000");
    let config = keystone.config();
    assert_eq!(config.auth_url, "https://k:5000");
    assert_eq!(config.token_cache_time, Duration::from_secs(300));
    assert_eq!(config.service_type.as_deref(), Some("key-manager"));
    assert_eq!(config.service_token_roles, ["service"]);
    assert!(!config.service_token_roles_required);
    let donjon_auth_keystone::ServiceCredential::Password {
        user_domain_name,
        password,
        ..
    } = config.credential
    else {
        panic!("it is a password");
    };
    assert_eq!(user_domain_name, "Default");
    assert_eq!(password.expose(), b"canary");
}

#[test]
fn the_password_of_keystone_is_not_shown() {
    let rig = keystone("", "");
    let config = rig.load().unwrap();
    assert!(!format!("{config}{config:?}").contains("canary"));
    assert!(config.to_string().contains("password = \"...\""));
    let rig = file(KEYSTONE);
    check(&rig, "donjon.toml:7: auth.keystone.password holds a secret");
    let id = "application_credential_id = \"x\"\napplication_credential_secret = \"canary\"";
    let text = KEYSTONE.replace("username = \"barbican\"\npassword = \"canary\"", id);
    check(&file(&text), "application_credential_secret holds a secret");
    assert!(Rig::new().file(0o600, &text).load().is_ok());
    let rig =
        keystone("password = \"canary\"", "").env("DONJON_AUTH__KEYSTONE__PASSWORD", "canary2");
    let config = rig.load().unwrap();
    assert!(!format!("{config}{config:?}").contains("canary2"));
}

#[test]
fn a_password_file_is_its_owners_alone() {
    let rig = Rig::new();
    let path = rig.folder.path().join("password");
    fs::write(&path, "canary\n").unwrap();
    let line = format!("password_file = \"{}\"", path.display());
    let rig = rig.file(0o644, &KEYSTONE.replace("password = \"canary\"", &line));
    fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
    check(&rig, "others than the owner may read it");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o400)).unwrap();
    let config = rig.settings().auth.keystone.unwrap().config();
    let donjon_auth_keystone::ServiceCredential::Password { password, .. } = config.credential
    else {
        panic!("it is a password");
    };
    assert_eq!(password.expose(), b"canary");
}

#[test]
fn half_a_keystone_is_none() {
    let other = "application_credential_id = \"x\"";
    for (line, by, expected) in [
        (
            "auth_url = \"https://k:5000\"",
            "",
            "set auth.keystone.auth_url",
        ),
        ("https://k:5000", "k:5000", "has to look like https://"),
        (
            "https://k:5000",
            "https://u:canary@k",
            "has to look like https://",
        ),
        ("username = \"barbican\"", "", "auth.keystone.username or "),
        (
            "password = \"canary\"",
            "",
            "set auth.keystone.password_file",
        ),
        (
            "password = \"canary\"",
            "password = \"\"",
            "set auth.keystone.password_file",
        ),
        (
            "project_name = \"service\"",
            "",
            "set auth.keystone.project_name",
        ),
        ("project_name = \"service\"", other, "name one of them"),
        (
            "username = \"barbican\"",
            other,
            "application_credential_secret too",
        ),
        (
            "project_name",
            "certfile = \"x\"\nproject_name",
            "keyfile too",
        ),
        (
            "project_name",
            "keyfile = \"x\"\nproject_name",
            "certfile too",
        ),
        (
            "project_name",
            "interface = \"x\"\nproject_name",
            "unknown interface",
        ),
        (
            "project_name",
            "token_cache_time = 3601\nproject_name",
            "has to be 0 to 3600",
        ),
    ] {
        let rig = keystone(line, by);
        check(&rig, expected);
        assert!(!rig.error().contains("canary"), "{}", rig.error());
    }
}

#[test]
fn nothing_is_swept_unless_asked_for_and_not_too_soon() {
    let sweep = Rig::new().settings().sweep;
    assert!(!sweep.is_enabled);
    assert_eq!(sweep.interval, Duration::from_secs(3_600));
    assert_eq!(sweep.rules.delay_s, 7 * 86_400);
    assert_eq!(sweep.rules.missing_percent_max, 50);

    let rig = keystone("", "").env("DONJON_SWEEP__ENABLED", "true");
    assert!(rig.settings().sweep.is_enabled);
    let rig = rig.env("DONJON_SWEEP__DELAY_S", "300");
    let error = rig.error();
    assert!(
        error.contains("sweep.delay_s: has to be more than"),
        "{error}"
    );
    let rig = rig.env("DONJON_AUTH__KEYSTONE__TOKEN_CACHE_TIME", "299");
    assert_eq!(rig.settings().sweep.rules.delay_s, 300);
    for (name, value) in [
        ("DONJON_SWEEP__INTERVAL_S", "0"),
        ("DONJON_SWEEP__INTERVAL_S", "86401"),
        ("DONJON_SWEEP__MISSING_PERCENT_MAX", "101"),
        ("DONJON_SWEEP__DELAY_S", "3155760001"),
    ] {
        let error = Rig::new().env(name, value).error();
        assert!(error.contains("has to be"), "{error}");
    }
}
