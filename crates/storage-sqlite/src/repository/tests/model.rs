//! Random operations on SQLite and in memory: both show the same lists, and
//! every count is what counting again gives.

use donjon_domain::ports::{RepositoryErrorKind, WriteTx};
use donjon_testkit::MemoryRepository;
use proptest::prelude::*;

use super::*;

#[derive(Debug, Clone)]
enum Operation {
    /// Adds secrets to a project, one in `every` of them with an expiration.
    Add {
        project: usize,
        count: u64,
        every: u64,
        expires: i64,
    },
    /// Deletes every so many of a project's secrets.
    Delete { project: usize, every: usize },
    /// Deletes and adds, and then fails.
    Fail { project: usize },
    /// Takes expired secrets out of the counts, or brings some back.
    Sweep { horizon: i64, limit: usize },
    /// Closes and opens.
    Reopen,
}

const PROJECTS: [&str; 3] = ["a", "b", "c"];

fn operation() -> impl Strategy<Value = Operation> {
    let project = 0..PROJECTS.len();
    let add = (project.clone(), 1..300_u64, 1..5_u64, 0..100_i64);
    let delete = (project.clone(), 1..7_usize);
    let sweep = (0..120_i64, 1..300_usize);
    prop_oneof![
        4 => add.prop_map(|(project, count, every, expires)| Operation::Add {
            project,
            count,
            every,
            expires,
        }),
        3 => delete.prop_map(|(project, every)| Operation::Delete { project, every }),
        1 => project.prop_map(|project| Operation::Fail { project }),
        2 => sweep.prop_map(|(horizon, limit)| Operation::Sweep { horizon, limit }),
        1 => Just(Operation::Reopen),
    ]
}

/// Where to look at the lists.
#[derive(Debug, Clone)]
struct Look {
    now: i64,
    offset: u64,
    limit: u32,
}

fn look() -> impl Strategy<Value = Look> {
    (-10..130_i64, 0..600_u64, 1..120_u32).prop_map(|(now, offset, limit)| Look {
        now,
        offset,
        limit,
    })
}

/// SQLite and its model.
struct Both {
    fixture: Fixture,
    model: MemoryRepository,
    next: u64,
}

impl Both {
    fn apply(&mut self, operation: &Operation) {
        match *operation {
            Operation::Add {
                project,
                count,
                every,
                expires,
            } => self.add(project, count, every, expires),
            Operation::Delete { project, every } => self.delete(project, every),
            Operation::Fail { project } => self.fail(project),
            Operation::Sweep { horizon, limit } => {
                assert!(self.fixture.sweep(at(horizon), limit) <= limit);
            }
            Operation::Reopen => self.fixture.reopen(),
        }
    }

    fn add(&mut self, project: usize, count: u64, every: u64, expires: i64) {
        let numbers = self.next..self.next + count;
        self.next += count;
        self.write(move |tx| {
            numbers.clone().try_for_each(|number| {
                let secret = Secret {
                    expiration: number.is_multiple_of(every).then(|| at(expires)),
                    ..sample::secret(number, PROJECTS[project])
                };
                tx.insert_secret(&secret, None)
            })
        });
    }

    fn delete(&self, project: usize, every: usize) {
        let all = self.all(project);
        let ids: Vec<_> = all.iter().step_by(every).map(|secret| secret.id).collect();
        self.write(move |tx| {
            for id in &ids {
                assert!(tx.delete_secret(*id)?);
            }
            Ok(())
        });
    }

    fn fail(&self, project: usize) {
        let (all, next) = (self.all(project), self.next);
        let done = block_on(self.fixture.repository().write_with(move |tx| {
            for secret in all.iter().take(40) {
                tx.delete_secret(secret.id)?;
            }
            for number in next..next + 40 {
                tx.insert_secret(&sample::secret(number, PROJECTS[project]), None)?;
            }
            Err::<(), _>(RepositoryError::new(RepositoryErrorKind::Corrupt))
        }));
        assert!(done.is_err());
    }

    /// All secrets of a project, expired ones too.
    fn all(&self, project: usize) -> Vec<Secret> {
        let query = page_of(PROJECTS[project], Start::Offset(0), u32::MAX);
        list(&self.model, &query, at(-1_000)).items
    }

    fn write(
        &self,
        job: impl FnMut(&mut dyn WriteTx) -> Result<(), RepositoryError> + Clone + Send + 'static,
    ) {
        self.fixture.write(job.clone());
        block_on(self.model.write_with(job)).unwrap();
    }

    fn compare(&self, look: &Look) {
        let repository = self.fixture.repository();
        let now = at(look.now);
        for project in PROJECTS {
            let offset = page_of(project, Start::Offset(look.offset), look.limit);
            let expected = list(&self.model, &offset, now);
            assert_eq!(list(repository, &offset, now), expected);
            if let Some(marker) = expected.items.first() {
                let after = page_of(project, Start::After(marker.id), look.limit);
                let expected = list(&self.model, &after, now);
                assert_eq!(list(repository, &after, now), expected);
            }
            assert_eq!(count(repository, project, now), expected.total);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn counts_hold_whatever_happens(
        operations in prop::collection::vec(operation(), 1..14),
        looks in prop::collection::vec(look(), 6),
    ) {
        let mut both = Both {
            fixture: Fixture::new(),
            model: MemoryRepository::new(),
            next: 0,
        };
        for operation in &operations {
            both.apply(operation);
            both.fixture.assert_sound();
        }
        for look in &looks {
            both.compare(look);
        }
    }
}
