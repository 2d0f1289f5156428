//! Root keys, and other secrets that a file names or holds.

use super::*;

const INLINE_KEY: &str = "c2VjcmV0IHNlY3JldCBzZWNyZXQgc2VjcmV0IHNlYzE=";

#[test]
fn a_file_without_secrets_may_be_read_by_all() {
    let text = "[root_key]\ncurrent = \"file:/etc/donjon/root.key\"\n";
    assert!(Rig::new().file(0o644, text).load().is_ok());
}

#[test]
fn a_file_with_a_secret_may_not_be_read_by_others() {
    let lines = [
        format!("[root_key]\ncurrent = \"base64:{INLINE_KEY}\"\n"),
        format!("[root_key]\nprevious = \"{INLINE_KEY}\"\n"),
        format!("[http]\nhost_href = [\"https://user:{INLINE_KEY}@kms\"]\n"),
        format!("[db]\npassword = \"{INLINE_KEY}\"\n"),
        format!("[db]\nurl = \"postgres://user:{INLINE_KEY}@host/db\"\n"),
    ];
    for text in &lines {
        for mode in [0o644, 0o640, 0o604] {
            let rig = Rig::new().file(mode, text);
            check(&rig, "donjon.toml:2: ");
            check(
                &rig,
                "holds a secret, and others than the owner may read the file",
            );
            assert!(!rig.error().contains(INLINE_KEY));
        }
        // With a mode of its own the file is refused for what it says, still without showing it.
        let rig = Rig::new().file(0o600, text);
        assert!(!rig.error().contains("others than the owner"));
        assert!(!rig.error().contains(INLINE_KEY), "{}", rig.error());
    }
}

#[test]
fn a_root_key_without_a_scheme_is_told_so_before_anything_of_modes() {
    let text = "[root_key]\ncurrent = \"/etc/donjon/root.key\"\n";
    for mode in [0o644, 0o600] {
        let error = Rig::new().file(mode, text).error();
        let (_, said) = error.split_once("root_key.current: has to be ").unwrap();
        assert!(said.contains("file:"), "{error}");
        assert!(!error.contains("/etc/donjon"), "{error}");
    }
}

#[test]
fn a_key_cannot_stand_in_the_configuration() {
    let text = format!("[root_key]\ncurrent = \"base64:{INLINE_KEY}\"\n");
    let rig = Rig::new().file(0o600, &text);
    check(&rig, "donjon.toml:2: root_key.current: has to be file:PATH");
    let rig = Rig::new().env("DONJON_ROOT_KEY__CURRENT", INLINE_KEY);
    check(
        &rig,
        "environment DONJON_ROOT_KEY__CURRENT: root_key.current: has to be file:PATH",
    );
    assert!(!rig.error().contains(INLINE_KEY));
}

#[test]
fn every_source_of_root_keys_can_be_named() {
    let text = "[root_key]\ncurrent = \"passphrase:/k\"\npassphrase_from = \"file:/p\"\n\
                previous = \"env:OLD_KEY\"\n";
    let root_key = Rig::new().file(0o644, text).settings().root_key;
    let passphrase = PassphraseSource::File("/p".into());
    assert_eq!(
        root_key.current,
        RootKeySource::Passphrase("/k".into(), passphrase)
    );
    assert_eq!(
        root_key.previous,
        Some(RootKeySource::Env("OLD_KEY".into()))
    );
    assert!(!root_key.is_default);
    let mut rig = Rig::new();
    rig.overrides.place.root_key = Some("credential:donjon".into());
    let current = rig.settings().root_key.current;
    assert!(matches!(current, RootKeySource::Credential(_)));
}

const TRANSIT: &str = "[transit]\nurl = \"https://bao\"\ntoken_file = \"/t\"\n";

#[test]
fn a_transit_key_is_what_the_table_says_but_for_attributes() {
    let root_keys = |lines: &str, table: &str| {
        let text = format!("[root_key]\n{lines}\n{TRANSIT}{table}");
        Rig::new().file(0o600, &text).settings().root_key
    };
    let transit = |source: &RootKeySource| match source {
        RootKeySource::Transit(key) => (**key).clone(),
        other => panic!("{other}"),
    };
    let plain = root_keys("current = \"transit:\"", "");
    assert!(plain.has_transit() && !plain.has_hsm());
    assert_eq!(plain.keks_max(), 16_384);
    let key = transit(&plain.current);
    let shown = "version 1 of transit key \"donjon\" in transit/ of https://bao";
    assert_eq!(key.to_string(), shown);
    assert_eq!(key.server.timeout.as_millis(), 5_000);

    let both = root_keys(
        "current = \"transit:key_version=2;timeout_ms=700;namespace=a%2Fb\"\nprevious = \"transit:\"",
        "key = \"k\"\nmount = \"a/b\"\npkek_cache_limit = 7\n",
    );
    let (current, previous) = (transit(&both.current), transit(&both.previous.unwrap()));
    let shown = "version 2 of transit key \"k\" in a/b/ of https://bao (namespace a/b)";
    assert_eq!(current.to_string(), shown);
    assert_eq!(current.server.timeout.as_millis(), 700);
    assert_eq!((previous.version.get(), previous.pkek_cache_limit), (1, 7));

    // Another server, where one logs in another way.
    let other = "current = \"transit:url=https://b;role_id=r;secret_id_file=/s\"";
    let other = transit(&root_keys(other, "").current);
    assert!(matches!(other.server.login, VaultLogin::AppRole { .. }));
}

#[test]
fn half_a_transit_key_is_none() {
    for (current, table, expected) in [
        ("transit:", "", "set transit.url"),
        (
            "transit:",
            "url = \"https://b\"",
            "set either token_file, or role_id",
        ),
        (
            "transit:",
            "url = \"https://b\"\nrole_id = \"r\"",
            "set either token_file, or role_id",
        ),
        (
            "transit:",
            "url = \"https://b\"\ntoken = \"s.hush\"\ntoken_file = \"/t\"",
            "set either token_file, or role_id",
        ),
        (
            "transit:",
            "url = \"https://b\"\ntoken = \"s.hush\"\ncertfile = \"/c\"",
            "certfile and keyfile need each other",
        ),
        ("transit:key_version=0", "", "set transit.url"),
        (
            "transit:key_version=x",
            "",
            "key_version: has to be a number",
        ),
        (
            "transit:token=s.hush",
            "",
            "unknown attribute; there are url",
        ),
        ("transit:s.hush", "", "has to look like transit:"),
        ("transit:key=a;key=b", "", "key is there twice"),
        ("transit:key=%zz", "", "key: wrong %-encoding"),
    ] {
        let text = format!("[root_key]\ncurrent = \"{current}\"\n[transit]\n{table}\n");
        let rig = Rig::new().file(0o600, &text);
        check(&rig, expected);
        assert!(!rig.error().contains("hush"), "{}", rig.error());
    }
    for (attributes, expected) in [
        ("key_version=0", "transit.key_version: has to be 1 to"),
        ("mount=a//b", "transit.mount: has to be a path"),
        ("mount=..%2Fsys", "transit.mount: has to be a path"),
        ("key=a/b", "transit.key: has to be a name"),
        (
            "timeout_ms=99",
            "transit.timeout_ms: has to be 100 to 20000",
        ),
    ] {
        let text = format!("[root_key]\ncurrent = \"transit:{attributes}\"\n{TRANSIT}");
        check(&Rig::new().file(0o600, &text), expected);
    }
}

#[test]
fn root_keys_have_to_make_sense_together() {
    let bad = [
        (
            "current = \"env:A\"\nprevious = \"env:A\"",
            "the same place as the current root key",
        ),
        (
            "passphrase_from = \"terminal\"",
            "root_key.passphrase_from: nothing asks for a passphrase",
        ),
        (
            "current = \"file:/k\"\npassphrase_from = \"terminal\"",
            "root_key.passphrase_from: nothing asks for a passphrase",
        ),
        (
            "current = \"passphrase:hunter2\"",
            "a passphrase cannot stand here",
        ),
    ];
    for (lines, expected) in bad {
        let rig = Rig::new().file(0o600, &format!("[root_key]\n{lines}\n"));
        check(&rig, expected);
        assert!(!rig.error().contains("hunter2"));
    }
}

#[test]
fn a_file_that_anybody_may_write_is_refused() {
    check(&Rig::new().file(0o666, ""), "anybody may change this file");
}
