//! Keystone slow, away, or answering nonsense.

use tokio::time::Instant;

use super::*;

pub(super) const FAULTS: &[Fault] = &[
    Fault::Silent,
    Fault::Trickle,
    Fault::Status(400),
    Fault::Status(403),
    Fault::Status(429),
    Fault::Status(500),
    Fault::Status(502),
    Fault::Status(503),
    Fault::Html(200),
    Fault::Html(302),
    Fault::Html(404),
    Fault::Html(503),
    Fault::HalfJson,
    Fault::OtherJson,
    Fault::EmptyBody,
    Fault::Endless,
    Fault::Cut,
    Fault::NotHttp,
    Fault::Away,
];

/// Within which every request is answered.
const LONGEST: Duration = Duration::from_secs(3);

/// Each fault, at each place, with known and new tokens, with and without a
/// service token: known ones work, and nobody else is let in; nobody waits for
/// long; and when the fault is over, the next request works.
#[tokio::test(flavor = "multi_thread")]
async fn the_matrix_of_outages() {
    let mut running = JoinSet::new();
    for fault in FAULTS {
        for at in [At::Everywhere, At::Login, At::Validation] {
            let is_about_connections = matches!(fault, Fault::NotHttp | Fault::Away);
            if !is_about_connections || at == At::Everywhere {
                running.spawn(outage(*fault, at));
            }
        }
    }
    let cases = running.join_all().await;
    assert_eq!(cases.len(), (FAULTS.len() - 2) * 3 + 2);
    assert_eq!(cases.iter().sum::<usize>(), cases.len() * 8);
}

/// Gives the number of requests that were made during the outage.
async fn outage(fault: Fault, at: At) -> usize {
    let rig = Rig::new().await;
    for token in ["known", "new", "new2", "later"] {
        rig.fake.knows(token, member());
    }
    for token in ["service", "new-service", "later-service"] {
        rig.fake.knows(token, service("service"));
    }
    assert!(rig.ask(served("known", "service")).await.is_ok());
    assert!(rig.show("known").await.is_ok());
    if at == At::Login {
        rig.fake.forgets_own();
    }
    rig.fake.fails(fault, at);

    let cases = [
        (shown("known"), true),
        (served("known", "service"), true),
        (shown("new"), false),
        (served("known", "new-service"), false),
        (served("new2", "service"), false),
        (served("new", "new-service"), false),
        (shown("nobody"), false),
        (served("nobody", "service"), false),
    ];
    let count = cases.len();
    for (credential, is_known) in cases {
        let what = format!("{fault:?} {at:?} {:?}", (credential.token, is_known));
        let began = Instant::now();
        let found = rig.ask(credential).await;
        assert!(began.elapsed() < LONGEST, "{what}: {:?}", began.elapsed());
        if is_known {
            assert!(found.is_ok(), "{what}: {found:?}");
        } else {
            assert_eq!(found, UNAVAILABLE, "{what}");
        }
    }

    rig.fake.recovers().await;
    let began = Instant::now();
    while rig.ask(served("later", "later-service")).await.is_err() {
        assert!(began.elapsed() < LONGEST, "{fault:?} {at:?} does not end");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(rig.show("nobody").await, REFUSED);
    count
}

/// A token of another scope is no outage.
#[tokio::test]
async fn an_outage_is_not_remembered_as_a_refusal() {
    let rig = Rig::new().await;
    rig.fake.knows("t", member());
    rig.fake.fails(Fault::Status(503), At::Everywhere);
    assert_eq!(rig.show("t").await, UNAVAILABLE);
    rig.fake.recovers().await;
    assert!(rig.show("t").await.is_ok());
}

#[tokio::test]
async fn one_failure_among_answers_is_made_good_by_another_try() {
    let rig = Rig::new().await;
    rig.fake.knows("t", member());
    rig.fake.fails(Fault::Status(503), At::Validation);
    let asked = {
        let keystone = rig.keystone.clone();
        tokio::spawn(async move { keystone.authenticate(shown("t")).await.is_ok() })
    };
    while rig.fake.validations() == 0 {
        tokio::task::yield_now().await;
    }
    rig.fake.recovers().await;
    assert!(asked.await.unwrap());
    assert_eq!(rig.fake.validations(), 2);
}

#[tokio::test]
async fn a_failing_keystone_is_left_alone() {
    let rig = Rig::with(|config| config.patience.rest = Duration::from_secs(60)).await;
    rig.fake.fails(Fault::Html(200), At::Validation);
    for number in 0..20 {
        assert_eq!(rig.show(&format!("t{number}")).await, UNAVAILABLE);
    }
    assert_eq!(rig.fake.validations(), 3);
}

/// Whoever sends many tokens at once waits for the others, which is no fault of
/// Keystone's.
#[tokio::test]
async fn a_flood_of_tokens_is_no_outage() {
    let rig = Rig::with(|config| {
        config.patience.call = Duration::from_millis(600);
        config.patience.rest = Duration::from_secs(60);
    })
    .await;
    rig.fake.knows("first", member());
    rig.fake.knows("t", member());
    assert!(rig.show("first").await.is_ok());
    rig.fake.delay(Duration::from_millis(100));
    let mut flood = JoinSet::new();
    for number in 0..400 {
        let keystone = rig.keystone.clone();
        flood.spawn(async move {
            let token = format!("flood{number}");
            let asked = keystone.authenticate(shown(&token)).await;
            asked.map_err(|error| error.kind())
        });
    }
    let answers = flood.join_all().await;
    assert!(answers.contains(&REFUSED) && answers.contains(&UNAVAILABLE));
    assert!(answers.iter().all(Result::is_err));
    assert!(rig.show("t").await.is_ok());
}

/// A connection that was kept and that Keystone has closed since is no failure.
#[tokio::test]
async fn a_restart_between_two_requests_goes_unnoticed() {
    let rig = Rig::new().await;
    for number in 0..5 {
        let token = format!("t{number}");
        rig.fake.knows(&token, member());
        assert!(rig.show(&token).await.is_ok());
        rig.fake.fails(Fault::Away, At::Everywhere);
        rig.fake.recovers().await;
    }
    assert_eq!((rig.fake.logins(), rig.fake.validations()), (1, 5));
}

#[tokio::test]
async fn errors_hold_no_token() {
    let rig = Rig::new().await;
    for fault in FAULTS {
        if *fault == Fault::Away {
            continue;
        }
        rig.fake.fails(*fault, At::Everywhere);
        let error = rig.keystone.authenticate(shown("canary-token")).await;
        let text = format!("{:?}", error.unwrap_err());
        assert!(!text.contains("canary") && !text.contains("own-"), "{text}");
        assert!(!text.contains("word"), "{text}");
    }
}
