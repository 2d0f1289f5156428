use donjon_domain::{KekState, SecretId};
use donjon_testkit::{
    FakeCrypto, FakeKeyGenerator, FakeWorkers, FixedClock, MemoryRepository, SeededEntropy,
    block_on, sample,
};

use super::*;
use crate::{
    App, Bounds, OutsideStores, Policy, Ports, Startup,
    tests::{caller, member, new},
};

/// One database, and servers on it one after another.
struct Rig {
    repository: Arc<MemoryRepository>,
    clock: Arc<FixedClock>,
    entropy: Arc<SeededEntropy>,
}

impl Rig {
    fn new() -> Self {
        Self {
            repository: Arc::new(MemoryRepository::new().running_jobs_twice()),
            clock: Arc::new(FixedClock::new(sample::NOW)),
            entropy: Arc::new(SeededEntropy::new(1)),
        }
    }

    fn start(&self, crypto: FakeCrypto) -> Result<App, Error> {
        let crypto = Arc::new(crypto);
        let startup = Startup {
            repository: &*self.repository,
            crypto: &*crypto,
            clock: &*self.clock,
            entropy: &*self.entropy,
        };
        block_on(startup.adopt_or_create())?;
        Ok(App::new(Ports {
            repository: self.repository.clone(),
            crypto,
            clock: self.clock.clone(),
            entropy: self.entropy.clone(),
            generator: Arc::new(FakeKeyGenerator::new()),
            workers: Arc::new(FakeWorkers::new()),
            policy: Policy::secure_rbac(),
            quotas: donjon_domain::Quotas::UNLIMITED,
            bounds: Bounds::default(),
            secret_stores: Vec::new(),
            outside: OutsideStores::none(),
        }))
    }
}

fn store(app: &App, payload: &str) -> SecretId {
    block_on(app.secrets.create(&member(), new(Some(payload)))).unwrap()
}

fn payload(app: &App, id: SecretId) -> Vec<u8> {
    let fetched = block_on(app.secrets.fetch_payload(&member(), id)).unwrap();
    fetched.bytes.expose().to_vec()
}

fn step(app: &App) -> Step {
    block_on(app.rotation.step(2, 45)).unwrap()
}

fn status(app: &App) -> RotationStatus {
    block_on(app.rotation.status()).unwrap()
}

fn begin(app: &App) -> Begun {
    block_on(app.rotation.begin_project(&ProjectId::new("p"))).unwrap()
}

#[test]
fn a_project_gets_another_key_and_the_old_one_goes() {
    let rig = Rig::new();
    let app = rig.start(FakeCrypto::new(1)).unwrap();
    assert_eq!(begin(&app), Begun::Nothing);
    let ids: Vec<_> = (0..5)
        .map(|number| store(&app, &number.to_string()))
        .collect();
    assert_eq!(step(&app), Step::Done);
    assert_eq!(begin(&app), Begun::Begun);
    let late = store(&app, "late");
    assert_eq!(status(&app).retired, [(ProjectId::new("p"), 1, 5)]);
    assert_eq!(step(&app), Step::Changed(2));
    assert_eq!(status(&app).left(), 4);
    // What is deleted meanwhile is not brought back.
    let gone = ids[4];
    block_on(
        app.secrets
            .delete(&member(), gone, crate::Deletion::UnlessConsumed),
    )
    .unwrap();
    assert_eq!(step(&app), Step::Changed(2));
    assert_eq!(step(&app), Step::Changed(0));
    // Requests may still come in with what the old key sealed.
    assert_eq!(step(&app), Step::Waiting);
    assert_eq!(status(&app).left(), 1);
    rig.clock.advance_seconds(45);
    assert_eq!(step(&app), Step::Changed(1));
    assert_eq!(step(&app), Step::Done);
    assert_eq!(status(&app).left(), 0);
    for (number, id) in ids[..4].iter().enumerate() {
        assert_eq!(payload(&app, *id), number.to_string().as_bytes());
    }
    assert_eq!(payload(&app, late), b"late");
    let scope = KekScope::Project(ProjectId::new("p"));
    let kek: Result<_, RepositoryError> = block_on(
        rig.repository
            .read_with(Reading::Point, move |tx| tx.active_kek(&scope)),
    );
    let kek = kek.unwrap().unwrap();
    assert_eq!((kek.generation, kek.state), (2, KekState::Active));
}

/// A new process knows nothing but the rows.
#[test]
fn a_change_goes_on_after_a_kill_at_any_step() {
    for killed_after in 0..5 {
        let rig = Rig::new();
        let app = rig.start(FakeCrypto::new(1)).unwrap();
        let ids: Vec<_> = (0..5)
            .map(|number| store(&app, &number.to_string()))
            .collect();
        begin(&app);
        for _ in 0..killed_after {
            step(&app);
        }
        drop(app);
        let app = rig.start(FakeCrypto::new(1)).unwrap();
        let mut steps = 0;
        while step(&app) != Step::Done {
            steps += 1;
            assert!(steps < 10, "killed after {killed_after}");
        }
        assert_eq!(status(&app).left(), 0);
        for (number, id) in ids.iter().enumerate() {
            assert_eq!(payload(&app, *id), number.to_string().as_bytes());
        }
    }
}

/// A change that happened and was not heard of is a change: nothing is sealed any
/// more with the key that it retired.
#[test]
fn a_change_whose_outcome_is_unknown_comes_to_an_end() {
    let rig = Rig::new();
    let app = rig.start(FakeCrypto::new(1)).unwrap();
    let first = store(&app, "first");
    rig.repository.lose_next_outcome();
    let begun = block_on(app.rotation.begin_project(&ProjectId::new("p")));
    assert!(matches!(begun, Err(Error::OutcomeUnknown(_))), "{begun:?}");
    let second = store(&app, "second");
    assert_eq!(status(&app).retired, [(ProjectId::new("p"), 1, 1)]);
    finish(&rig, &app);
    assert_eq!(payload(&app, first), b"first");
    assert_eq!(payload(&app, second), b"second");
}

/// Even where this process was not asked, or its caller left before the answer.
#[test]
fn a_change_behind_the_back_of_a_process_comes_to_an_end() {
    let rig = Rig::new();
    let app = rig.start(FakeCrypto::new(1)).unwrap();
    let first = store(&app, "first");
    let other = rig.start(FakeCrypto::new(1)).unwrap();
    assert_eq!(begin(&other), Begun::Begun);
    let second = store(&app, "second");
    finish(&rig, &app);
    assert_eq!(payload(&app, first), b"first");
    assert_eq!(payload(&app, second), b"second");
}

/// Steps until nothing is left.
fn finish(rig: &Rig, app: &App) {
    for _ in 0..10 {
        match step(app) {
            Step::Changed(_) => {}
            Step::Waiting => rig.clock.advance_seconds(45),
            Step::Done => {
                assert_eq!(status(app).left(), 0);
                return;
            }
        }
    }
    panic!("{:?}", status(app));
}

#[test]
fn the_root_key_changes_and_the_old_one_is_not_needed_any_more() {
    let rig = Rig::new();
    let app = rig.start(FakeCrypto::new(1)).unwrap();
    let id = store(&app, "x");
    for project in ["q", "r", "s"] {
        let actor = caller("u", project, &["member"]);
        block_on(app.secrets.create(&actor, new(Some("y")))).unwrap();
    }
    assert_eq!(block_on(app.rotation.begin_root()).unwrap(), Begun::Nothing);
    drop(app);
    let app = rig.start(FakeCrypto::new(2).with_previous(1)).unwrap();
    // Nothing moves before somebody says so.
    assert_eq!(step(&app), Step::Done);
    assert_eq!((status(&app).left(), status(&app).others()), (0, 4));
    assert_eq!(block_on(app.rotation.begin_root()).unwrap(), Begun::Begun);
    assert_eq!(status(&app).left(), 4);
    assert_eq!(step(&app), Step::Changed(2));
    assert_eq!(
        block_on(app.rotation.begin_root()).unwrap(),
        Begun::UnderWay
    );
    drop(app);
    let app = rig.start(FakeCrypto::new(2).with_previous(1)).unwrap();
    assert_eq!(status(&app).left(), 2);
    assert_eq!(step(&app), Step::Changed(2));
    assert_eq!(step(&app), Step::Done);
    drop(app);
    assert!(rig.start(FakeCrypto::new(1)).is_err());
    let app = rig.start(FakeCrypto::new(2)).unwrap();
    assert_eq!(status(&app).others(), 0);
    assert_eq!(payload(&app, id), b"x");
}

/// Those that are empty and have to wait are not in the way of the others.
#[test]
fn many_projects_get_other_keys_in_one_go() {
    const PROJECTS: usize = 250;
    let rig = Rig::new();
    let app = rig.start(FakeCrypto::new(1)).unwrap();
    for number in 0..PROJECTS {
        let actor = caller("u", &format!("p{number:04}"), &["member"]);
        block_on(app.secrets.create(&actor, new(Some("y")))).unwrap();
        let project = ProjectId::new(format!("p{number:04}").as_str());
        block_on(app.rotation.begin_project(&project)).unwrap();
    }
    let before = status(&app);
    let all = PROJECTS as u64;
    assert_eq!((before.retired_keys, before.retired_rows), (all, all));
    assert_eq!((before.retired.len(), before.left()), (100, 2 * all));
    while step(&app) != Step::Waiting {}
    let after = status(&app);
    assert_eq!((after.retired_keys, after.retired_rows), (all, 0));
    rig.clock.advance_seconds(45);
    while step(&app) != Step::Done {}
    assert_eq!(status(&app).left(), 0);
}

#[test]
fn keys_past_their_limits_are_named_until_they_are_changed() {
    const DAY_S: i64 = 86_400;
    let rig = Rig::new();
    let app = rig.start(FakeCrypto::new(1)).unwrap();
    let worn = |app: &App, age_s, rows| {
        let limits = KeyLimits { age_s, rows };
        block_on(app.rotation.worn_keys(limits, 10)).unwrap()
    };
    let of_project = |generation, age_s, rows| WornKey::Project {
        project: ProjectId::new("p"),
        generation,
        age_s,
        rows,
    };
    for number in 0..3 {
        store(&app, &number.to_string());
    }
    assert_eq!(worn(&app, Some(DAY_S), Some(3)), []);
    assert_eq!(worn(&app, None, Some(2)), [of_project(1, 0, 3)]);
    rig.clock.advance_seconds(DAY_S);
    assert_eq!(worn(&app, Some(DAY_S), None), []);
    rig.clock.advance_seconds(1);
    assert_eq!(worn(&app, None, None), []);
    let old = worn(&app, Some(DAY_S), None);
    assert!(matches!(&old[0], WornKey::Root { age_s, .. } if *age_s == DAY_S + 1));
    assert_eq!(old[1..], [of_project(1, DAY_S + 1, 3)]);
    begin(&app);
    while step(&app) != Step::Waiting {}
    assert_eq!(worn(&app, Some(DAY_S), None).len(), 1);
    assert_eq!(worn(&app, None, Some(2)), [of_project(2, 0, 3)]);
    drop(app);
    let app = rig.start(FakeCrypto::new(2).with_previous(1)).unwrap();
    assert_eq!(worn(&app, Some(DAY_S), None).len(), 1);
    block_on(app.rotation.begin_root()).unwrap();
    assert_eq!(worn(&app, Some(DAY_S), None), []);
}
