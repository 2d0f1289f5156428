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
            .flat_map(|line| line.split(['|', '&']))
            .filter_map(|command| {
                command.split_once("donjon ").filter(|(before, _)| {
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
