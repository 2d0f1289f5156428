//! Which projects Keystone has.

use donjon_domain::ports::{Presence, ProjectDirectory};
use donjon_testkit::{contract::directory::DirectoryCase, directory_contract};

use super::*;

const PROJECT: &str = "7f3c1f6e0b1d4c599d0a3a5f6e2b7c11";

async fn ask(rig: &Rig, project: &str) -> Result<Presence, String> {
    let asked = rig.keystone.look_up(&ProjectId::new(project)).await;
    asked.map_err(|error| {
        let source = std::error::Error::source(&error).unwrap();
        source.to_string()
    })
}

#[tokio::test]
async fn a_disabled_project_is_present() {
    let rig = Rig::new().await;
    rig.fake.has_project(PROJECT, false);
    assert_eq!(ask(&rig, PROJECT).await, Ok(Presence::Present));
    rig.fake.deletes_project(PROJECT);
    assert_eq!(ask(&rig, PROJECT).await, Ok(Presence::Absent));
}

/// Whatever goes wrong, and whoever answers in Keystone's place: nobody is absent.
#[tokio::test]
async fn faults_are_no_absence() {
    for fault in outage::FAULTS {
        if *fault == Fault::Silent || *fault == Fault::Trickle || *fault == Fault::Endless {
            // They last until patience ends, which others wait for.
            continue;
        }
        for at in [At::Everywhere, At::Validation] {
            let rig = Rig::new().await;
            rig.fake.has_project(PROJECT, true);
            rig.fake.fails(*fault, at);
            for project in [PROJECT, "0123456789abcdef0123456789abcdef"] {
                let said = ask(&rig, project).await;
                assert!(said.is_err(), "{fault:?} {at:?} {said:?}");
            }
            if *fault != Fault::Away {
                rig.fake.recovers().await;
                let said = ask(&rig, PROJECT).await;
                assert_eq!(said, Ok(Presence::Present), "{fault:?} {at:?}");
            }
        }
    }
}

/// Keystone's own 404 for an address that it does not have says nothing of a
/// project, and neither does a refusal of any kind.
#[tokio::test]
async fn refusals_are_no_absence() {
    for status in [400, 401, 403, 404, 405, 410, 429, 500, 503] {
        let rig = Rig::new().await;
        rig.fake.has_project(PROJECT, true);
        rig.fake.fails(Fault::Status(status), At::Validation);
        let said = ask(&rig, PROJECT).await;
        assert!(said.is_err(), "{status} {said:?}");
    }
}

#[tokio::test]
async fn who_may_not_read_projects_learns_nothing() {
    let rig = Rig::new().await;
    rig.fake.has_project(PROJECT, true);
    rig.fake.forbids_projects();
    for project in [PROJECT, "0123456789abcdef0123456789abcdef"] {
        let said = ask(&rig, project).await.unwrap_err();
        assert!(
            said.contains("does not let this service read projects"),
            "{said}"
        );
    }
}

#[tokio::test]
async fn an_own_token_that_is_forgotten_is_replaced() {
    let rig = Rig::new().await;
    rig.fake.has_project(PROJECT, true);
    assert_eq!(ask(&rig, PROJECT).await, Ok(Presence::Present));
    rig.fake.forgets_own();
    assert_eq!(ask(&rig, PROJECT).await, Ok(Presence::Present));
    assert_eq!(rig.fake.logins(), 2);
}

#[tokio::test]
async fn projects_of_valid_tokens_are_known() {
    let rig = Rig::new().await;
    assert_eq!(rig.keystone.take_projects(), []);
    rig.fake.knows("t", member());
    assert_eq!(rig.show("nobody").await, REFUSED);
    assert_eq!(rig.keystone.take_projects(), []);
    for _ in 0..2 {
        assert!(rig.show("t").await.is_ok());
    }
    assert_eq!(rig.keystone.take_projects(), [ProjectId::new("p")]);
    assert_eq!(rig.keystone.take_projects(), []);
}

/// A fake Keystone with one project, on a runtime of its own.
struct Case {
    rig: Rig,
    runtime: Runtime,
}

/// Enters the runtime, as the contract does not.
struct Inside(Case);

impl ProjectDirectory for Inside {
    fn look_up<'a>(
        &'a self,
        project: &'a ProjectId,
    ) -> BoxFuture<'a, Result<Presence, donjon_domain::ports::DirectoryError>> {
        let answer = self
            .0
            .runtime
            .block_on(self.0.rig.keystone.look_up(project));
        Box::pin(std::future::ready(answer))
    }
}

impl DirectoryCase for Inside {
    fn directory(&self) -> &dyn ProjectDirectory {
        self
    }

    fn project(&self) -> &str {
        PROJECT
    }

    fn set_out(&self, is_out: bool) {
        let fake = &self.0.rig.fake;
        if is_out {
            fake.fails(Fault::Status(503), At::Everywhere);
        } else {
            self.0.runtime.block_on(fake.recovers());
        }
    }
}

fn case() -> Box<Inside> {
    let runtime = Runtime::new().unwrap();
    let rig = runtime.block_on(Rig::new());
    rig.fake.has_project(PROJECT, true);
    Box::new(Inside(Case { rig, runtime }))
}

directory_contract!(case());
