//! Secret stores.

use super::*;

#[test]
fn secret_stores_are_a_list() {
    const DATABASE: &str = "[[secret_stores]]\nname = \"db\"\nplugin = \"database\"\n";
    const VAULT: &str = "[[secret_stores]]\nname = \"bao\"\nplugin = \"vault\"\n\
                         url = \"https://bao:8200\"\nglobal_default = true\n";
    const TOKEN: &str = "token_file = \"/token\"\n";
    let settings = file(&format!("{DATABASE}{VAULT}{TOKEN}")).settings();
    assert!(settings.multiple_stores);
    let names: Vec<_> = settings
        .stores
        .iter()
        .map(|store| store.name.as_str())
        .collect();
    assert_eq!(names, ["db", "bao"]);
    let defaults: Vec<_> = settings
        .stores
        .iter()
        .map(|store| store.global_default)
        .collect();
    assert_eq!(defaults, [false, true]);
    let one = "global_default = true\n";
    for (text, expected) in [
        (DATABASE.to_owned(), "exactly one, not in 0"),
        (
            format!("{DATABASE}{one}{VAULT}{TOKEN}"),
            "exactly one, not in 2",
        ),
        (
            format!("{VAULT}{TOKEN}{VAULT}{TOKEN}"),
            "two are named \"bao\"",
        ),
        (
            format!("{DATABASE}{one}{}", DATABASE.replace("db", "other")),
            "there is one database",
        ),
        (
            VAULT.to_owned(),
            "set either token_file, or role_id and secret_id_file",
        ),
        (
            format!("{VAULT}{TOKEN}role_id = \"r\"\n"),
            "set either token_file",
        ),
        (
            format!("{DATABASE}{one}url = \"http://x\"\n"),
            "donjon.toml:5: secret_stores.url: the database has none",
        ),
        (
            format!("{VAULT}{TOKEN}colour = 1\n"),
            "donjon.toml:7: unknown key secret_stores.colour",
        ),
        (
            format!("{VAULT}{TOKEN}timeout_ms = 1\n"),
            "has to be 100 to 20000",
        ),
        (
            DATABASE.replace("database", "file"),
            "has to be database, kmip or vault",
        ),
        (
            format!("{VAULT}{TOKEN}ca_certs = \"/ca\"\n"),
            "a store in OpenBao or Vault has none",
        ),
        ("secret_stores = [1]\n".to_owned(), "has to be tables"),
    ] {
        check(&file(&text), expected);
    }
}

/// What is nobody's in one would be the other's.
#[test]
fn two_stores_are_two_places() {
    const VAULT: &str = "[[secret_stores]]\nname = \"one\"\nplugin = \"vault\"\nglobal_default = true\n\
                         token_file = \"/token\"\nurl = \"https://bao\"\n\
                         [[secret_stores]]\nname = \"two\"\nplugin = \"vault\"\ntoken_file = \"/other\"\n";
    const KMIP: &str = "[[secret_stores]]\nname = \"one\"\nplugin = \"kmip\"\nglobal_default = true\n\
                        host = \"hsm\"\n\
                        [[secret_stores]]\nname = \"two\"\nplugin = \"kmip\"\n";
    let twins = [
        (VAULT, "url = \"https://bao\"\n"),
        (
            VAULT,
            "url = \"https://BAO:443/\"\nmount = \"secret\"\nprefix = \"donjon\"\n",
        ),
        (KMIP, "host = \"HSM\"\nport = 5696\n"),
    ];
    for (first, second) in twins {
        check(
            &file(&format!("{first}{second}")),
            "\"one\" and \"two\" are one place; take one of them out, or set another prefix",
        );
    }
    let others = [
        (VAULT, "url = \"https://bao:8200\"\n"),
        (VAULT, "url = \"https://bao\"\nprefix = \"other\"\n"),
        (VAULT, "url = \"https://bao\"\nmount = \"other\"\n"),
        (VAULT, "url = \"https://bao\"\nnamespace = \"other\"\n"),
        (KMIP, "host = \"hsm\"\nport = 5697\n"),
        (KMIP, "host = \"hsm\"\nprefix = \"other\"\n"),
    ];
    for (first, second) in others {
        let settings = file(&format!("{first}{second}")).settings();
        assert_eq!(settings.stores.len(), 2, "{second}");
    }
}

#[test]
fn a_kmip_server_is_a_secret_store() {
    const KMIP: &str = "[[secret_stores]]\nname = \"hsm\"\nplugin = \"kmip\"\nglobal_default = true\n\
                        host = \"kmip.example.org\"\n";
    let settings_of = |text: &str| {
        let settings = file(&format!("{KMIP}{text}")).settings();
        match settings.stores.into_iter().next().map(|store| store.plugin) {
            Some(PluginSettings::Kmip(kmip)) => *kmip,
            other => panic!("{other:?}"),
        }
    };
    let plain = settings_of("");
    assert_eq!(
        (plain.host.as_str(), plain.port),
        ("kmip.example.org", 5696)
    );
    assert_eq!(
        (plain.prefix.as_str(), plain.payload_bytes_max),
        ("donjon", 65_536)
    );
    assert_eq!(plain.timeout.as_secs(), 10);
    assert_eq!((plain.login, plain.makes_keys), (None, true));
    assert!(!settings_of("makes_keys = false\n").makes_keys);
    let all = settings_of(
        "port = 1\nusername = \"donjon\"\npassword_file = \"/password\"\nca_certs = \"/ca\"\n\
         certfile = \"/cert\"\nkeyfile = \"/key\"\nprefix = \"a/b\"\npayload_bytes_max = 7\n\
         timeout_ms = 200\n",
    );
    assert_eq!((all.port, all.payload_bytes_max), (1, 7));
    assert_eq!(
        all.login.map(|login| login.username).as_deref(),
        Some("donjon")
    );
    assert_eq!(all.ca_certs.as_deref(), Some(std::path::Path::new("/ca")));
    for (text, expected) in [
        (
            "username = \"donjon\"\n",
            "username and password_file need each other",
        ),
        (
            "password_file = \"/p\"\n",
            "username and password_file need each other",
        ),
        ("port = 0\n", "secret_stores.port: "),
        ("port = 65536\n", "secret_stores.port: "),
        (
            "payload_bytes_max = 1048577\n",
            "secret_stores.payload_bytes_max: ",
        ),
        (
            "url = \"https://kmip:5696\"\n",
            "a store in a KMIP server has none",
        ),
        (
            "cafile = \"/ca\"\n",
            "secret_stores.cafile: a store in a KMIP server has none",
        ),
    ] {
        check(&file(&format!("{KMIP}{text}")), expected);
    }
    let nowhere = KMIP.replace("host = \"kmip.example.org\"\n", "");
    check(&file(&nowhere), "set host, such as kmip.example.org");
}
