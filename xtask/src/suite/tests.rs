//! Every verdict of a run, and what a list may say.

use super::expected::Expected;
use super::outcome::{Outcome, Verdict};
use super::report::{Judged, Tally};
use super::site::Server;

const LIST: &str = r#"
[[expected]]
test = "m.C.fails"
server = "donjon"
reason = "needs a thing that is no key manager's"

[[expected]]
test = "m.C.fails_both"
server = "both"
reason = "as well"

[[expected]]
test = "m.C.fails_there"
server = "barbican"
reason = "a bug of Barbican"

[[expected]]
test = "m.Skipped.*"
server = "both"
verdict = "skipped"
reason = "not of this version"
"#;

const ALL: [(&str, Verdict); 5] = [
    ("m.C.passes", Verdict::Passed),
    ("m.C.fails", Verdict::Failed),
    ("m.C.fails_both", Verdict::Failed),
    ("m.Skipped.a", Verdict::Skipped),
    ("m.Skipped.b", Verdict::Skipped),
];

fn judge(server: Server, outcomes: &[(&str, Verdict)], is_whole: bool) -> Judged {
    let outcome = |(name, verdict): &(&str, Verdict)| Outcome {
        name: (*name).to_owned(),
        verdict: *verdict,
        detail: format!("detail of {name}"),
    };
    let outcomes = outcomes.iter().map(outcome).collect();
    Judged::new(&Expected::parse(LIST).unwrap(), server, outcomes, is_whole)
}

/// The run above, with one test ended in another way.
fn with(server: Server, name: &str, verdict: Verdict) -> Tally {
    let mut outcomes = ALL.to_vec();
    outcomes.retain(|(known, _)| *known != name);
    outcomes.push((name, verdict));
    judge(server, &outcomes, true).tally()
}

#[test]
fn a_run_as_expected() {
    let tally = judge(Server::Donjon, &ALL, true).tally();
    let expected = Tally {
        tests: 5,
        passed: 1,
        expected_failures: 2,
        skipped: 2,
        failed: 0,
        unexpected_passes: 0,
    };
    assert_eq!(tally, expected);
    assert_eq!(tally.bad(), 0);
}

#[test]
fn what_is_not_expected_is_bad() {
    use Verdict::{Failed, Passed, Skipped};
    for (name, verdict, failed, unexpected_passes) in [
        ("m.C.passes", Failed, 1, 0),
        ("m.C.passes", Skipped, 1, 0),
        ("m.C.fails", Passed, 0, 1),
        ("m.C.fails", Skipped, 1, 0),
        ("m.Skipped.a", Failed, 1, 0),
        ("m.Skipped.a", Passed, 0, 1),
        ("m.C.new", Failed, 1, 0),
        ("m.C.new", Skipped, 1, 0),
        ("m.C.new", Passed, 0, 0),
    ] {
        let tally = with(Server::Donjon, name, verdict);
        let found = (tally.failed, tally.unexpected_passes, tally.bad());
        let wanted = (failed, unexpected_passes, failed + unexpected_passes);
        assert_eq!(found, wanted, "{name} {verdict:?}");
    }
}

#[test]
fn a_list_holds_for_the_servers_that_it_names() {
    let tally = judge(Server::Barbican, &ALL, false).tally();
    assert_eq!((tally.failed, tally.expected_failures), (1, 1));
    let tally = judge(Server::Other, &ALL, true).tally();
    assert_eq!((tally.failed, tally.expected_failures), (1, 1));
    assert_eq!(tally.skipped, 2);
}

#[test]
fn each_entry_has_to_name_a_test() {
    let one = &ALL[..1];
    assert_eq!(judge(Server::Donjon, one, true).tally().failed, 3);
    assert_eq!(judge(Server::Donjon, one, true).tally().tests, 1);
    assert_eq!(judge(Server::Donjon, one, false).tally().failed, 0);
}

#[test]
fn the_report_says_why() {
    let suite = super::Suite {
        name: "some",
        packages: &["some==1"],
        peers: true,
        tune: |_| (),
        run: |_| Ok(Vec::new()),
    };
    let mut outcomes = ALL.to_vec();
    outcomes.push(("m.C.new", Verdict::Failed));
    let text = judge(Server::Donjon, &outcomes, true).markdown(&suite, "Donjon");
    for part in [
        "# some against Donjon",
        "some==1",
        "| 6 | 1 | 2 | 2 | 1 | 0 |",
        "## failed\n\n- `m.C.new`\n\n      detail of m.C.new",
        "- `m.C.fails`: needs a thing that is no key manager's",
        "- `m.Skipped.a`: not of this version",
    ] {
        assert!(text.contains(part), "{part}\n{text}");
    }
}

#[test]
fn wrong_lists_are_refused() {
    let entry = |test: &str, server: &str, rest: &str| {
        format!("[[expected]]\ntest = \"{test}\"\nserver = \"{server}\"\n{rest}\n")
    };
    let reason = "reason = \"why\"";
    let good = entry("a", "donjon", reason);
    assert!(Expected::parse(&good).is_ok());
    assert!(Expected::parse(&(good.clone() + &entry("a", "barbican", reason))).is_ok());
    for bad in [
        entry("a", "donjon", ""),
        entry("a", "donjon", "reason = \" \""),
        entry("a", "nova", reason),
        entry("a.*", "donjon", reason),
        entry("a*b", "donjon", &format!("verdict = \"skipped\"\n{reason}")),
        entry("a", "donjon", &format!("verdict = \"passed\"\n{reason}")),
        good.clone() + &entry("a", "both", reason),
        good.clone() + &good,
    ] {
        assert!(Expected::parse(&bad).is_err(), "{bad}");
    }
}
