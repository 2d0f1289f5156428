//! A project that asks for many scans waits for itself, and nobody for it.

#[path = "support/fixture.rs"]
#[expect(dead_code, reason = "other tests use the rest")]
mod fixture;

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
        mpsc,
    },
    time::Duration,
};

use donjon_domain::{
    Direction, ListScope, PageRequest, ProjectId, SecretFilter, SecretQuery, SecretSortKey, Start,
    ports::{
        BoxFuture, Reading, Repository, RepositoryError, RepositoryErrorKind, RepositoryExt,
        TokenStore, Turn, TxError,
    },
};
use donjon_storage_sqlite::SqliteRepository;
use donjon_testkit::{block_on, sample};

use fixture::{Fixture, eventually, insert};

fn turn(project: &str) -> Turn {
    Turn::of(&ProjectId::new(project))
}

/// Scans that last until they are let go.
struct Greedy<'r> {
    go: mpsc::Sender<()>,
    running: Arc<AtomicUsize>,
    done: Vec<BoxFuture<'r, Result<(), TxError>>>,
}

impl<'r> Greedy<'r> {
    fn ask(repository: &'r SqliteRepository, project: &str, scans: usize) -> Self {
        let (go, wait) = mpsc::channel::<()>();
        let wait = Arc::new(Mutex::new(wait));
        let running = Arc::new(AtomicUsize::new(0));
        let done = (0..scans).map(|_| {
            let (wait, running) = (Arc::clone(&wait), Arc::clone(&running));
            let job = move |_: &mut dyn donjon_domain::ports::ReadTx| {
                running.fetch_add(1, Ordering::SeqCst);
                // The end of the channel is the sign to go on.
                let ended = wait.lock().is_ok_and(|wait| wait.recv().is_err());
                if ended {
                    Ok(())
                } else {
                    Err(TxError::Abandoned)
                }
            };
            repository.read(Reading::Scan(turn(project)), Box::new(job))
        });
        let done = done.collect();
        Self { go, running, done }
    }

    fn running(&self) -> usize {
        self.running.load(Ordering::SeqCst)
    }

    fn let_go(self) {
        drop(self.go);
        for done in self.done {
            block_on(done).expect("the scan ends");
        }
    }
}

/// Runs what should not wait on a thread of its own, and gives it ten seconds.
fn soon<T: Send + 'static>(
    repository: &Arc<SqliteRepository>,
    what: impl FnOnce(&SqliteRepository) -> T + Send + 'static,
) -> T {
    let (reply, answer) = mpsc::channel();
    let repository = Arc::clone(repository);
    std::thread::spawn(move || reply.send(what(&repository)));
    answer
        .recv_timeout(Duration::from_secs(10))
        .expect("it does not wait for the others")
}

#[test]
fn a_filtered_list_and_the_operator_wait_for_no_other_project() {
    let fixture = Fixture::new();
    let repository = Arc::new(fixture.create());
    block_on(insert(&repository, 1)).unwrap();
    block_on(repository.insert_token(sample::token(1))).unwrap();
    let greedy = Greedy::ask(&repository, "greedy", 40);
    eventually("one of them runs", || greedy.running() > 0);

    let found = soon(&repository, |repository| {
        let project = ProjectId::new("project");
        let reading = Reading::Scan(Turn::of(&project));
        let query = SecretQuery {
            scope: ListScope::Project(project),
            filter: SecretFilter::default(),
            sort: vec![(SecretSortKey::Name, Direction::Ascending)],
            page: PageRequest {
                start: Start::Offset(0),
                limit: 10,
            },
        };
        let list: Result<_, RepositoryError> =
            block_on(repository.read_with(reading, move |tx| tx.list_secrets(&query, sample::NOW)));
        list.unwrap().total
    });
    assert_eq!(found, 1);
    let tokens = soon(&repository, |repository| block_on(repository.list_tokens()));
    assert_eq!(tokens.unwrap().len(), 1);
    assert_eq!(greedy.running(), 1, "one of two threads is left to others");
    greedy.let_go();
}

#[test]
fn two_greedy_projects_do_not_keep_the_operator_waiting() {
    let fixture = Fixture::new();
    let repository = Arc::new(fixture.create());
    let all = ["one", "two"].map(|project| Greedy::ask(&repository, project, 20));
    eventually("all threads are at work", || {
        all.iter().all(|greedy| greedy.running() == 1)
    });
    let tokens = soon(&repository, |repository| block_on(repository.list_tokens()));
    assert_eq!(tokens.unwrap(), []);
    all.into_iter().for_each(Greedy::let_go);
}

#[test]
fn too_many_scans_are_refused_to_whoever_asks_for_them() {
    let fixture = Fixture::new();
    let repository = fixture.create();
    let greedy = Greedy::ask(&repository, "greedy", 1);
    eventually("it runs", || greedy.running() == 1);
    let more = Greedy::ask(&repository, "greedy", 64);
    let scan = |project| {
        let done = block_on(repository.read(Reading::Scan(turn(project)), Box::new(|_| Ok(()))));
        done.err().map(|error| match error {
            TxError::Storage(error) => error.kind(),
            TxError::Abandoned => RepositoryErrorKind::Internal,
        })
    };
    assert_eq!(scan("greedy"), Some(RepositoryErrorKind::Overloaded));
    assert_eq!(scan("modest"), None);
    greedy.let_go();
    more.let_go();
}
