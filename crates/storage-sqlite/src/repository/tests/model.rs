//! Random operations on SQLite and in memory: both show the same lists, and
//! every count is what counting again gives.

use donjon_domain::{
    Container, ContainerEntry, ContainerId, ContainerQuery, Order, OrderId, OrderQuery,
    OrderResult, OrderState, SecretId, StoredConsumer, StoredContainerConsumer,
    ports::{Counted, RepositoryErrorKind, WriteTx},
};
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
    /// Adds containers with an entry each, consumers of both kinds, and orders.
    AddOthers { project: usize, count: u64 },
    /// Deletes every so many containers and orders, and ends the other orders.
    DeleteOthers { project: usize, every: usize },
    /// Takes expired secrets out of the counts, or brings some back.
    Sweep { horizon: i64, limit: usize },
    /// Removes rows of what expired and was swept.
    CleanUp { horizon: i64, limit: usize },
    /// Closes and opens.
    Reopen,
}

const PROJECTS: [&str; 3] = ["a", "b", "c"];

fn operation() -> impl Strategy<Value = Operation> {
    let project = 0..PROJECTS.len();
    let add = (project.clone(), 1..300_u64, 1..5_u64, 0..100_i64);
    let delete = (project.clone(), 1..7_usize);
    let sweep = (0..120_i64, 1..300_usize);
    let others = (project.clone(), 1..300_u64);
    let delete_others = (project.clone(), 1..7_usize);
    prop_oneof![
        4 => add.prop_map(|(project, count, every, expires)| Operation::Add {
            project,
            count,
            every,
            expires,
        }),
        3 => delete.prop_map(|(project, every)| Operation::Delete { project, every }),
        1 => project.prop_map(|project| Operation::Fail { project }),
        2 => sweep.clone().prop_map(|(horizon, limit)| Operation::Sweep { horizon, limit }),
        1 => sweep.prop_map(|(horizon, limit)| Operation::CleanUp { horizon, limit }),
        3 => others.prop_map(|(project, count)| Operation::AddOthers { project, count }),
        2 => delete_others.prop_map(|(project, every)| Operation::DeleteOthers { project, every }),
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
            Operation::CleanUp { horizon, limit } => self.clean_up(horizon, limit),
            Operation::AddOthers { project, count } => self.add_others(project, count),
            Operation::DeleteOthers { project, every } => self.delete_others(project, every),
            Operation::Reopen => self.fixture.reopen(),
        }
    }

    /// Containers refer to a secret of the project, if it has one.
    fn add_others(&mut self, project: usize, count: u64) {
        let numbers = self.next..self.next + count;
        self.next += count;
        let secrets: Vec<_> = self.all(project).iter().map(|secret| secret.id).collect();
        self.write(move |tx| {
            for number in numbers.clone() {
                let secret = secrets.iter().cycle().nth(usize::try_from(number).unwrap());
                let entry = |secret: &SecretId| ContainerEntry {
                    name: None,
                    secret: *secret,
                };
                let entries: Vec<_> = secret.map(entry).into_iter().collect();
                let container = sample::container(number, PROJECTS[project]);
                tx.insert_container(&container, &entries)?;
                tx.insert_order(&sample::order(number, PROJECTS[project]))?;
                // Whoever registers may be of another project.
                let registrar = ProjectId::new(PROJECTS[usize::try_from(number % 3).unwrap()]);
                let consumer = StoredContainerConsumer {
                    project: registrar.clone(),
                    ..sample::stored_container_consumer(number, "c")
                };
                tx.insert_container_consumer(container.id, &consumer)?;
                if let Some(secret) = secret {
                    let consumer = StoredConsumer {
                        project: registrar,
                        ..sample::stored_consumer(number, &number.to_string())
                    };
                    tx.insert_secret_consumer(*secret, &consumer)?;
                }
            }
            Ok(())
        });
    }

    fn delete_others(&self, project: usize, every: usize) {
        let all = list_containers(&self.model, project, Start::Offset(0), u32::MAX);
        let containers: Vec<_> = all.items.iter().map(|container| container.id).collect();
        let all = list_orders(&self.model, project, Start::Offset(0), u32::MAX);
        let orders: Vec<_> = all.items.iter().map(|order| order.id).collect();
        self.write(move |tx| {
            for id in containers.iter().step_by(every) {
                assert!(tx.delete_container(*id)?);
            }
            for (at, id) in orders.iter().enumerate() {
                if at.is_multiple_of(every) {
                    assert!(tx.delete_order(*id)?);
                } else if tx
                    .order(*id)?
                    .is_some_and(|order| order.state == OrderState::Pending)
                {
                    let made = OrderResult::Secret(sample::secret_id(0));
                    tx.end_order(*id, &OrderState::Active(made), sample::NOW)?;
                }
            }
            Ok(())
        });
    }

    /// Which secrets go depends on the sweep, so the model follows.
    fn clean_up(&self, horizon: i64, limit: usize) {
        let expired: Vec<_> = (0..PROJECTS.len())
            .flat_map(|project| self.all(project))
            .filter(|secret| secret.expiration.is_some_and(|time| time <= at(horizon)))
            .map(|secret| secret.id)
            .collect();
        let mut removed = limit;
        while removed >= limit {
            removed = self.fixture.clean_up(at(horizon), limit);
            assert!(removed <= limit);
        }
        let here = self.fixture.repository();
        let gone: Vec<_> = expired
            .into_iter()
            .filter(|id| {
                let id = *id;
                let found = block_on(here.read_with(Reading::Point, move |tx| tx.secret(id)));
                found
                    .map_err(|error: RepositoryError| error)
                    .unwrap()
                    .is_none()
            })
            .collect();
        block_on(self.model.write_with(move |tx| {
            gone.iter()
                .try_for_each(|id| tx.delete_secret(*id).map(|_| ()))
        }))
        .map_err(|error: RepositoryError| error)
        .unwrap();
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
                tx.insert_order(&sample::order(number, PROJECTS[project]))?;
                let container = sample::container(number, PROJECTS[project]);
                tx.insert_container(&container, &[])?;
                let consumer = sample::stored_container_consumer(number, "c");
                tx.insert_container_consumer(container.id, &consumer)?;
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
        for project in 0..PROJECTS.len() {
            self.compare_others(project, look);
        }
    }

    fn compare_others(&self, project: usize, look: &Look) {
        let (here, model) = (self.fixture.repository(), &self.model);
        let (offset, limit) = (Start::Offset(look.offset), look.limit);
        let expected = list_containers(model, project, offset, limit);
        assert_eq!(list_containers(here, project, offset, limit), expected);
        if let Some(marker) = expected.items.first().map(|container| container.id) {
            let expected = list_containers(model, project, Start::After(marker), limit);
            let found = list_containers(here, project, Start::After(marker), limit);
            assert_eq!(found, expected);
            assert_eq!(entries(here, marker), entries(model, marker));
        }
        let offset = Start::Offset(look.offset);
        let expected = list_orders(model, project, offset, limit);
        assert_eq!(list_orders(here, project, offset, limit), expected);
        if let Some(marker) = expected.items.first().map(|order| order.id) {
            let expected = list_orders(model, project, Start::After(marker), limit);
            let found = list_orders(here, project, Start::After(marker), limit);
            assert_eq!(found, expected);
        }
        for what in [
            Counted::Orders,
            Counted::Containers,
            Counted::SecretConsumers,
            Counted::ContainerConsumers,
        ] {
            let name = PROJECTS[project];
            assert_eq!(counted(here, name, what), counted(model, name, what));
        }
        let pending = |repository: &dyn Repository| {
            let found = block_on(
                repository.read_with(Reading::Scan(Turn::SERVER), move |tx| {
                    tx.pending_orders(2, limit)
                }),
            );
            found.map_err(|error: RepositoryError| error).unwrap()
        };
        assert_eq!(pending(here), pending(model));
    }
}

fn list_containers(
    repository: &dyn Repository,
    project: usize,
    start: Start<ContainerId>,
    limit: u32,
) -> Page<Container> {
    let query = ContainerQuery {
        project: ProjectId::new(PROJECTS[project]),
        name: None,
        container_type: None,
        page: PageRequest { start, limit },
    };
    block_on(
        repository.read_with(Reading::Scan(Turn::SERVER), move |tx| {
            tx.list_containers(&query)
        }),
    )
    .map_err(|error: RepositoryError| error)
    .unwrap()
}

fn list_orders(
    repository: &dyn Repository,
    project: usize,
    start: Start<OrderId>,
    limit: u32,
) -> Page<Order> {
    let query = OrderQuery {
        project: ProjectId::new(PROJECTS[project]),
        meta: None,
        page: PageRequest { start, limit },
    };
    block_on(
        repository.read_with(Reading::Scan(Turn::SERVER), move |tx| {
            tx.list_orders(&query)
        }),
    )
    .map_err(|error: RepositoryError| error)
    .unwrap()
}

fn entries(repository: &dyn Repository, id: ContainerId) -> Vec<ContainerEntry> {
    block_on(repository.read_with(Reading::Point, move |tx| tx.container_entries(id)))
        .map_err(|error: RepositoryError| error)
        .unwrap()
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
