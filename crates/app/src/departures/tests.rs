use donjon_domain::{
    SecretId,
    ports::{RepositoryErrorKind, TokenStore as _},
};
use donjon_testkit::{FakeDirectory, block_on, sample};

use super::*;
use crate::tests::{Rig, caller, new};

const RULES: DepartureRules = DepartureRules {
    delay_s: 1_000,
    missing_percent_max: 50,
};
const LIMIT: NonZeroU32 = NonZeroU32::new(2).unwrap();

/// A server, and a directory with projects p1 to p4.
struct Case {
    rig: Rig,
    directory: FakeDirectory,
}

impl Case {
    fn new() -> Self {
        let case = Self {
            rig: Rig::new(),
            directory: FakeDirectory::new(),
        };
        for project in ["p1", "p2", "p3", "p4"] {
            case.directory.set(project, Presence::Present);
            case.store(project);
        }
        case
    }

    fn store(&self, project: &str) -> SecretId {
        let actor = caller("u", project, &["member"]);
        self.rig.create(&actor, new(Some("payload"))).unwrap()
    }

    fn at(&self, seconds: i64) {
        self.rig.clock.set(sample::NOW.plus_seconds(seconds));
    }

    /// A survey, and what follows noted.
    fn look(&self) -> Outlook {
        let departures = &self.rig.app.departures;
        let survey = block_on(departures.survey(&self.directory)).unwrap();
        let outlook = survey.outlook(RULES);
        block_on(departures.note(&survey, &outlook)).unwrap();
        outlook
    }

    fn holdings(&self, project: &str) -> Holdings {
        block_on(self.rig.app.departures.holdings(&ProjectId::new(project))).unwrap()
    }

    fn remove(&self, project: &str, since: i64) -> Removal {
        let since = sample::NOW.plus_seconds(since);
        let departures = &self.rig.app.departures;
        block_on(departures.remove_some(&ProjectId::new(project), since, LIMIT)).unwrap()
    }
}

fn ids(projects: &[&str]) -> Vec<ProjectId> {
    projects.iter().map(|id| ProjectId::new(*id)).collect()
}

fn missed(projects: &[&str], since: i64) -> Vec<(ProjectId, Timestamp)> {
    let since = sample::NOW.plus_seconds(since);
    projects
        .iter()
        .map(|id| (ProjectId::new(*id), since))
        .collect()
}

#[test]
fn a_deleted_project_goes_after_the_delay_with_its_keys() {
    let case = Case::new();
    for _ in 0..4 {
        case.store("p2");
    }
    let first = case.look();
    assert_eq!(
        (first.present, first.confirmed),
        (4, ids(&["p1", "p2", "p3", "p4"]))
    );
    case.directory.set("p2", Presence::Absent);
    case.at(100);
    let second = case.look();
    assert_eq!((second.fresh, second.confirmed), (ids(&["p2"]), vec![]));
    case.at(1_099);
    assert_eq!(case.look().waiting, missed(&["p2"], 100));
    case.at(1_100);
    // The clock of the survey before said 1,099.
    assert_eq!(case.look().waiting, missed(&["p2"], 100));
    assert_eq!(case.look().due, missed(&["p2"], 100));

    assert_eq!(case.holdings("p2").secrets, 5);
    for rows in [2, 2, 1] {
        assert_eq!(case.remove("p2", 100), Removal::Removed(rows));
    }
    assert_eq!(case.holdings("p2").keks, 1);
    assert_eq!(case.remove("p2", 100), Removal::Done);
    assert!(case.holdings("p2").is_empty());
    for project in ["p1", "p3", "p4"] {
        assert_eq!(case.holdings(project).secrets, 1);
    }
    assert_eq!(case.look().present, 3);
}

#[test]
fn what_is_registered_elsewhere_goes_too() {
    let case = Case::new();
    let foreign = case.store("p1");
    let repository = &case.rig.repository;
    let written: Result<(), RepositoryError> = block_on(repository.write_with(move |tx| {
        let mut stored = sample::stored_consumer(1, "r");
        stored.project = ProjectId::new("p2");
        tx.insert_secret_consumer(foreign, &stored)
    }));
    written.unwrap();
    case.look();
    case.directory.set("p2", Presence::Absent);
    case.look();
    assert_eq!(case.remove("p2", 0), Removal::Removed(1));
    assert_eq!(
        case.remove("p2", 0),
        Removal::Removed(1),
        "the registration"
    );
    assert_eq!(case.remove("p2", 0), Removal::Done);
    assert!(case.holdings("p2").is_empty());
    let left: Result<_, RepositoryError> =
        block_on(repository.read_with(Reading::Point, move |tx| tx.secret_consumers(foreign)));
    assert_eq!(left.unwrap(), []);
}

#[test]
fn a_project_that_comes_back_is_spared() {
    let case = Case::new();
    case.store("p2");
    case.store("p2");
    case.look();
    case.directory.set("p2", Presence::Absent);
    case.look();
    // In between: as before.
    case.directory.set("p2", Presence::Present);
    let outlook = case.look();
    assert_eq!(
        (outlook.confirmed, outlook.returned),
        (ids(&["p2"]), ids(&["p2"]))
    );
    assert_eq!(case.remove("p2", 0), Removal::Spared);
    case.directory.set("p2", Presence::Absent);
    case.at(500);
    assert_eq!(case.look().fresh, ids(&["p2"]));
    case.at(1_400);
    case.look();
    assert_eq!(case.look().due, [], "the time counts anew");
    // In the middle of its removal, by a token that is valid.
    assert_eq!(case.remove("p2", 500), Removal::Removed(2));
    block_on(case.rig.app.departures.confirm(&ids(&["p2"]))).unwrap();
    assert_eq!(case.remove("p2", 500), Removal::Spared);
    assert_eq!(case.holdings("p2").secrets, 1);
    let id = case.store("p2");
    let member = caller("u", "p2", &["member"]);
    assert_eq!(case.rig.payload(&member, id).unwrap(), b"payload");
}

#[test]
fn silence_is_no_absence() {
    let case = Case::new();
    case.look();
    case.directory.set("p2", Presence::Absent);
    case.directory.set_out(true);
    let survey = block_on(case.rig.app.departures.survey(&case.directory));
    assert!(
        matches!(survey, Err(SurveyError::Directory(_))),
        "{survey:?}"
    );
    case.directory.set_out(false);
    for project in ["p1", "p3"] {
        case.directory.set(project, Presence::Unclear);
    }
    let outlook = case.look();
    assert_eq!((outlook.unclear, outlook.fresh), (2, ids(&["p2"])));
}

#[test]
fn a_keystone_that_knows_few_is_not_believed() {
    let case = Case::new();
    case.look();
    for project in ["p1", "p2", "p3"] {
        case.directory.set(project, Presence::Absent);
    }
    for _ in 0..3 {
        let outlook = case.look();
        assert!(outlook.is_implausible);
        assert_eq!(outlook.fresh.len(), 3, "nothing is noted");
    }
    // Half of them is what the rules allow.
    case.directory.set("p1", Presence::Present);
    assert!(!case.look().is_implausible);
    // The rest one by one, until nobody is left.
    case.directory.set("p1", Presence::Absent);
    assert!(!case.look().is_implausible);
    case.directory.set("p4", Presence::Absent);
    case.at(5_000);
    let outlook = case.look();
    assert!(outlook.is_implausible);
    assert_eq!(outlook.fresh, ids(&["p4"]));
    let survey = block_on(case.rig.app.departures.survey(&case.directory)).unwrap();
    let anything = DepartureRules {
        missing_percent_max: 100,
        ..RULES
    };
    assert!(!survey.outlook(anything).is_implausible);
}

#[test]
fn projects_of_others_are_never_missed() {
    let case = Case::new();
    // Of local tokens, of a time before Keystone, and other spellings.
    let strangers = ["P1", "default", "p-1", "p1 ", "web"];
    for project in strangers {
        case.store(project);
    }
    case.look();
    for seconds in [0, 2_000, 4_000] {
        case.at(seconds);
        let outlook = case.look();
        assert_eq!(outlook.strangers, ids(&strangers));
        assert_eq!((outlook.fresh.len(), outlook.due.len()), (0, 0));
    }
    for project in strangers {
        assert_eq!(case.remove(project, 0), Removal::Spared);
        assert_eq!(case.holdings(project).secrets, 1);
    }
}

#[test]
fn a_project_with_a_local_token_stays() {
    let case = Case::new();
    let mut token = sample::token(1);
    token.project = ProjectId::new("p2");
    token.expires = Some(sample::NOW.plus_seconds(3_000));
    block_on(case.rig.repository.insert_token(token)).unwrap();
    case.look();
    case.directory.set("p2", Presence::Absent);
    case.look();
    case.at(2_000);
    assert!(case.holdings("p2").has_token);
    assert_eq!(case.remove("p2", 0), Removal::Spared);
    case.at(3_000);
    assert!(!case.holdings("p2").has_token);
    assert_eq!(case.remove("p2", 0), Removal::Removed(1));
}

#[test]
fn a_clock_that_is_ahead_for_a_while_removes_nothing() {
    let case = Case::new();
    case.look();
    case.directory.set("p2", Presence::Absent);
    case.look();
    case.at(1_000_000);
    assert_eq!(case.look().due, []);
    case.at(10);
    assert_eq!(case.look().due, []);
    case.at(20);
    assert_eq!(case.look().due, []);
}

#[test]
fn a_start_looks_twice_before_anything_goes() {
    let case = Case::new();
    case.look();
    case.directory.set("p2", Presence::Absent);
    case.look();
    case.at(5_000);
    let again = Departures::new(Arc::clone(&case.rig.app.departures.core));
    let survey = block_on(again.survey(&case.directory)).unwrap();
    assert_eq!(survey.outlook(RULES).due, []);
    // It is what a dry run shows, which changes nothing.
    assert_eq!(survey.forecast(RULES).due, missed(&["p2"], 0));
    let survey = block_on(again.survey(&case.directory)).unwrap();
    assert_eq!(survey.outlook(RULES).due, []);
    block_on(again.note(&survey, &survey.outlook(RULES))).unwrap();
    let survey = block_on(again.survey(&case.directory)).unwrap();
    assert_eq!(survey.outlook(RULES).due, missed(&["p2"], 0));
}

#[test]
fn a_create_after_the_end_of_the_keys_is_whole_or_nothing() {
    let case = Case::new();
    case.look();
    case.directory.set("p2", Presence::Absent);
    case.look();
    // A request that has sealed, and has not stored yet.
    let id = SecretId::from_uuid(case.rig.app.departures.core.entropy.uuid_v4());
    let core = &case.rig.app.departures.core;
    let plain = donjon_domain::SecretBytes::new(b"late".to_vec());
    let sealed = block_on(core.sealing.seal(&ProjectId::new("p2"), id, &plain)).unwrap();
    while case.remove("p2", 0) != Removal::Done {}
    let mut secret = sample::full_secret(1, "p2");
    secret.id = id;
    let late: Result<(), RepositoryError> = block_on(
        case.rig
            .repository
            .write_with(move |tx| tx.insert_secret(&secret, Some(&sealed.clone().into()))),
    );
    assert_eq!(late.unwrap_err().kind(), RepositoryErrorKind::Internal);
    assert!(case.holdings("p2").is_empty());
    // The next one gets a key of its own, and can be read.
    let id = case.store("p2");
    let member = caller("u", "p2", &["member"]);
    assert_eq!(case.rig.payload(&member, id).unwrap(), b"payload");
    let kek: Result<_, RepositoryError> =
        block_on(case.rig.repository.read_with(Reading::Point, |tx| {
            tx.active_kek(&donjon_domain::KekScope::Project(ProjectId::new("p2")))
        }));
    assert_eq!(kek.unwrap().unwrap().generation, 2);
    // It is nobody's whom Keystone knows.
    assert_eq!(case.look().strangers, ids(&["p2"]));
}

#[test]
fn a_removal_goes_on_after_a_failure() {
    let case = Case::new();
    for _ in 0..3 {
        case.store("p2");
    }
    case.look();
    case.directory.set("p2", Presence::Absent);
    case.look();
    assert_eq!(case.remove("p2", 0), Removal::Removed(2));
    case.rig
        .repository
        .fail_next_write(RepositoryErrorKind::OutcomeUnknown);
    let departures = &case.rig.app.departures;
    let project = ProjectId::new("p2");
    let failed = departures.remove_some(&project, sample::NOW, LIMIT);
    assert!(block_on(failed).is_err());
    assert_eq!(case.remove("p2", 0), Removal::Removed(2));
    assert_eq!(case.remove("p2", 0), Removal::Done);
}

#[test]
fn the_operator_can_remove_a_project_that_is_known_and_in_use() {
    let case = Case::new();
    case.look();
    let member = caller("u", "p2", &["member"]);
    let id = case.store("p2");
    let departures = &case.rig.app.departures;
    let project = ProjectId::new("p2");
    while block_on(departures.purge_some(&project, LIMIT)).unwrap() != Removal::Done {}
    assert!(case.holdings("p2").is_empty());
    assert!(matches!(
        case.rig.payload(&member, id).unwrap_err(),
        Error::NotFound(_)
    ));
    assert_eq!(case.holdings("p1").secrets, 1);
    let id = case.store("p2");
    assert_eq!(case.rig.payload(&member, id).unwrap(), b"payload");
}
