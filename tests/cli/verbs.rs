//! Help, version, and the command line itself.

use super::support::Rig;

#[test]
fn the_plain_program_shows_its_help() {
    let ended = Rig::new().run(&[]);
    assert_eq!(ended.code, Some(0));
    assert!(ended.stdout.contains("Usage: donjon"));
    assert!(ended.stdout.contains("donjon serve"));
    assert_eq!(ended.stderr, "");
}

#[test]
fn every_verb_explains_itself() {
    let verbs: [&[&str]; 8] = [
        &["serve"],
        &["init"],
        &["token"],
        &["token", "create"],
        &["token", "list"],
        &["token", "revoke"],
        &["config"],
        &["config", "check"],
    ];
    let rig = Rig::new();
    for verb in verbs {
        let ended = rig.run(&[verb, &["--help"]].concat());
        assert_eq!(ended.code, Some(0), "{verb:?}");
        assert!(ended.stdout.contains("Examples:"), "{verb:?}");
    }
}

#[test]
fn the_version_is_shown() {
    let ended = Rig::new().run(&["--version"]);
    assert_eq!(ended.code, Some(0));
    assert_eq!(
        ended.stdout,
        concat!("donjon ", env!("CARGO_PKG_VERSION"), "\n")
    );
}

#[test]
fn what_the_command_line_does_not_know_is_a_configuration_error() {
    let rig = Rig::new();
    for args in [
        &["serve", "--port", "1"][..],
        &["start"],
        &["token"],
        &["token", "create"],
    ] {
        assert_eq!(rig.run(args).code, Some(2), "{args:?}");
    }
    assert!(!rig.path("donjon-data").exists());
}
