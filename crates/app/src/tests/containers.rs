//! Containers, their entries and what they share with secrets.

use std::num::NonZeroU32;

use donjon_domain::{
    ContainerConsumer, ContainerId, ContainerQuery, ContainerType, ProjectQuotas, Resource,
};

use super::*;
use crate::{Bounded, EntryRequest, NewContainer};

fn entry(name: &str, secret: Option<SecretId>) -> EntryRequest {
    EntryRequest {
        name: Some(sample::label(name)),
        reference: "as it came".to_owned(),
        secret,
    }
}

fn generic(entries: &[EntryRequest]) -> NewContainer {
    NewContainer {
        name: None,
        container_type: ContainerType::Generic,
        entries: entries.to_vec(),
    }
}

fn container_consumer(name: &str) -> ContainerConsumer {
    ContainerConsumer {
        name: sample::label(name),
        url: sample::label("u"),
    }
}

impl Rig {
    fn contain(&self, actor: &Actor, entries: &[EntryRequest]) -> Result<ContainerId, Error> {
        block_on(self.app.containers.create(actor, generic(entries)))
    }

    fn names(&self, id: ContainerId) -> Vec<String> {
        let view = block_on(self.app.containers.fetch(&member(), id)).unwrap();
        let names = view.entries.iter();
        names
            .map(|entry| entry.name.as_ref().unwrap().to_string())
            .collect()
    }

    fn allow(&self, resource: Resource, limit: i64) {
        let quotas = ProjectQuotas::default().with(resource, Some(limit));
        let done: Result<(), Error> = block_on(
            self.repository
                .write_with(move |tx| Ok(tx.put_project_quotas(&ProjectId::new("p"), &quotas)?)),
        );
        done.unwrap();
    }
}

#[test]
fn secrets_of_a_new_container_are_live_and_the_project_s() {
    let rig = Rig::new();
    let own = rig.create(&member(), new(None)).unwrap();
    let theirs = rig.create(&stranger(), new(None)).unwrap();
    let expiring = NewSecret {
        expiration: Some(sample::NOW.plus_seconds(10)),
        ..new(None)
    };
    let expired = rig.create(&member(), expiring).unwrap();
    rig.clock.advance_seconds(10);
    for bad in [Some(theirs), Some(expired), None] {
        let entries = [entry("good", Some(own)), entry("bad", bad)];
        let refused = rig.contain(&member(), &entries).unwrap_err();
        assert!(
            matches!(&refused, Error::NoSuchSecret(found) if *found == entries[1]),
            "{refused}"
        );
    }
    let id = rig.contain(&member(), &[entry("good", Some(own))]).unwrap();
    assert_eq!(rig.names(id), ["good"]);
}

#[test]
fn entries_leave_with_their_secret_and_secrets_stay_behind() {
    let rig = Rig::new();
    let ids = [(); 2].map(|()| rig.create(&member(), new(None)).unwrap());
    let entries = [entry("a", Some(ids[0])), entry("b", Some(ids[1]))];
    let container = rig.contain(&member(), &entries).unwrap();
    block_on(rig.app.secrets.delete(&member(), ids[0], Deletion::Always)).unwrap();
    assert_eq!(rig.names(container), ["b"]);
    block_on(rig.app.containers.delete(&member(), container)).unwrap();
    let gone = block_on(rig.app.containers.fetch(&member(), container));
    assert!(matches!(gone, Err(Error::NotFound(Missing::Container))));
    block_on(rig.app.entities.exists(ids[1])).unwrap();
}

#[test]
fn entries_are_added_once_and_to_generic_containers_only() {
    let rig = Rig::new();
    let secret = rig.create(&member(), new(None)).unwrap();
    let containers = &rig.app.containers;
    let id = rig.contain(&member(), &[]).unwrap();
    let add = |id, name| block_on(containers.add_entry(&member(), id, entry(name, Some(secret))));
    let remove =
        |id, name| block_on(containers.remove_entry(&member(), id, entry(name, Some(secret))));
    add(id, "a").unwrap();
    add(id, "b").unwrap();
    let again = add(id, "a");
    assert!(matches!(again, Err(Error::Conflict(Conflict::EntryExists))));
    remove(id, "a").unwrap();
    assert!(matches!(
        remove(id, "a"),
        Err(Error::NotFound(Missing::Entry))
    ));
    assert_eq!(rig.names(id), ["b"]);
    let rsa = NewContainer {
        container_type: ContainerType::Rsa,
        ..generic(&[entry("private_key", Some(secret))])
    };
    let rsa = block_on(containers.create(&member(), rsa)).unwrap();
    assert!(matches!(add(rsa, "public_key"), Err(Error::FixedEntries)));
    // Barbican lets an rsa container be emptied.
    remove(rsa, "private_key").unwrap();
}

/// As in Barbican, which fails there.
#[test]
fn an_entry_with_a_name_does_not_come_back() {
    let bounds = Bounds {
        container_secrets: NonZeroU32::new(3).unwrap(),
        ..Bounds::default()
    };
    let rig = Rig::with(Policy::secure_rbac(), bounds);
    let [secret, other] = [(); 2].map(|()| rig.create(&member(), new(None)).unwrap());
    let containers = &rig.app.containers;
    let id = rig.contain(&member(), &[entry("0", Some(secret))]).unwrap();
    let add = |entry| block_on(containers.add_entry(&member(), id, entry));
    let remove = |entry| block_on(containers.remove_entry(&member(), id, entry));
    let refused = |name: &str| {
        let added = add(entry(name, Some(secret)));
        matches!(added, Err(Error::Conflict(Conflict::EntryWasRemoved)))
    };
    // What was not there is not remembered.
    assert!(remove(entry("1", Some(secret))).is_err());
    remove(entry("0", Some(secret))).unwrap();
    assert!(refused("0"));
    add(entry("0", Some(other))).unwrap();
    let unnamed = EntryRequest {
        name: None,
        ..entry("", Some(secret))
    };
    for _ in 0..3 {
        add(unnamed.clone()).unwrap();
        remove(unnamed.clone()).unwrap();
    }
    // The first is forgotten with the fourth.
    for name in ["1", "2"] {
        add(entry(name, Some(secret))).unwrap();
        remove(entry(name, Some(secret))).unwrap();
    }
    assert!(["0", "1", "2"].into_iter().all(refused));
    remove(entry("0", Some(other))).unwrap();
    assert!(["1", "2"].into_iter().all(refused));
    add(entry("0", Some(secret))).unwrap();
    // It is refused for what it is before it is one too many.
    add(entry("a", Some(secret))).unwrap();
    add(entry("b", Some(secret))).unwrap();
    assert!(refused("1"));
    assert!(matches!(
        add(entry("c", Some(secret))),
        Err(Error::BoundReached { .. })
    ));
    // Other containers do not know of it.
    rig.contain(&member(), &[entry("1", Some(secret))]).unwrap();
}

/// Where the rules of an operator let in another project, its secrets do not
/// get into the container all the same.
#[test]
fn no_rule_mixes_projects_in_a_container() {
    let policy = Policy::secure_rbac();
    let file = donjon_oslo_policy::PolicyFile::parse(
        r#"{"container_secret:post": "", "container_secret:delete": "", "container:delete": ""}"#,
    );
    policy.override_with(&file.unwrap()).unwrap();
    let rig = Rig::with_policy(policy);
    let own = rig.create(&member(), new(None)).unwrap();
    let theirs = rig.create(&stranger(), new(None)).unwrap();
    let id = rig.contain(&member(), &[entry("own", Some(own))]).unwrap();
    let containers = &rig.app.containers;
    for secret in [own, theirs] {
        let entry = entry("own", Some(secret));
        let added = block_on(containers.add_entry(&stranger(), id, entry.clone()));
        assert!(matches!(added, Err(Error::NoSuchSecret(_))), "{added:?}");
        let removed = block_on(containers.remove_entry(&stranger(), id, entry));
        assert!(
            matches!(removed, Err(Error::NoSuchSecret(_))),
            "{removed:?}"
        );
    }
    let deleted = block_on(containers.delete(&stranger(), id));
    assert!(matches!(deleted, Err(Error::NotFound(Missing::Container))));
    assert_eq!(rig.names(id), ["own"]);
}

#[test]
fn strangers_are_refused_everywhere_in_containers() {
    let rig = Rig::new();
    let secret = rig.create(&member(), new(None)).unwrap();
    let id = rig.contain(&member(), &[entry("e", Some(secret))]).unwrap();
    let (app, who) = (&rig.app, stranger());
    let page = PageRequest {
        start: Start::Offset(0),
        limit: 10,
    };
    let foreign = ContainerQuery {
        project: ProjectId::new("p"),
        name: None,
        container_type: None,
        page: PageRequest {
            start: Start::Offset(0),
            limit: 10,
        },
    };
    let change = || Some(AclChange::default());
    let consumer = || container_consumer("c");
    let registration = donjon_domain::ConsumerId::from_bytes([1; 16]);
    for refused in [
        block_on(app.containers.fetch(&who, id)).map(drop),
        block_on(app.containers.list(&who, foreign)).map(drop),
        block_on(app.containers.delete(&who, id)),
        block_on(app.containers.authorize_addition(&who, id)).map(drop),
        block_on(app.containers.add_entry(&who, id, entry("f", Some(secret)))),
        block_on(
            app.containers
                .remove_entry(&who, id, entry("e", Some(secret))),
        ),
        block_on(app.acls.fetch(&who, id)).map(drop),
        block_on(app.acls.replace(&who, id, change())),
        block_on(app.acls.patch(&who, id, change())),
        block_on(app.acls.remove(&who, id)),
        block_on(app.consumers.list(&who, id, page)).map(drop),
        block_on(app.consumers.fetch(&who, id, registration)).map(drop),
        block_on(app.consumers.register(&who, id, consumer())).map(drop),
        block_on(app.consumers.remove(&who, id, consumer())).map(drop),
    ] {
        assert!(matches!(refused, Err(Error::Denied(_))), "{refused:?}");
    }
    assert_eq!(rig.names(id), ["e"]);
}

#[test]
fn an_acl_of_a_container_lets_a_stranger_read_and_register() {
    let rig = Rig::new();
    let id = rig.contain(&member(), &[]).unwrap();
    let change = AclChange {
        users: Some(sample::users(&["s"])),
        project_access: Some(false),
    };
    rig.clock.advance_seconds(5);
    block_on(rig.app.acls.replace(&member(), id, Some(change))).unwrap();
    let view = block_on(rig.app.containers.fetch(&stranger(), id)).unwrap();
    assert_eq!(view.container.updated, sample::NOW.plus_seconds(5));
    let colleague = caller("c", "p", &["member"]);
    let refused = block_on(rig.app.containers.fetch(&colleague, id));
    assert!(matches!(refused, Err(Error::Denied(_))));
    let consumers = &rig.app.consumers;
    block_on(consumers.register(&member(), id, container_consumer("mine"))).unwrap();
    let both = block_on(consumers.register(&stranger(), id, container_consumer("theirs"))).unwrap();
    assert_eq!(
        both.consumers,
        [container_consumer("mine"), container_consumer("theirs")]
    );
    let refused = block_on(consumers.remove(&stranger(), id, container_consumer("mine")));
    assert!(matches!(refused, Err(Error::NotTheRegistrar)));
    let left = block_on(consumers.remove(&member(), id, container_consumer("theirs"))).unwrap();
    assert_eq!(left.consumers, [container_consumer("mine")]);
}

/// Whoever may only read registers consumers too, and must not take the room of the container's own project.
#[test]
fn other_projects_register_up_to_half_of_the_bound() {
    let limit = |number| NonZeroU32::new(number).unwrap();
    let bounds = Bounds {
        consumers: limit(4),
        ..Bounds::default()
    };
    let rig = Rig::with(Policy::secure_rbac(), bounds);
    let id = rig.contain(&member(), &[]).unwrap();
    let change = AclChange {
        users: Some(sample::users(&["s"])),
        project_access: Some(true),
    };
    block_on(rig.app.acls.replace(&member(), id, Some(change))).unwrap();
    let register = |who, name| {
        let consumer = container_consumer(name);
        block_on(rig.app.consumers.register(&who, id, consumer)).map(drop)
    };
    let full = |outcome, most| {
        let Err(Error::BoundReached { bounded, limit }) = outcome else {
            panic!("{outcome:?}");
        };
        assert_eq!((bounded, limit), (Bounded::Consumers, most));
    };
    register(stranger(), "a").unwrap();
    register(stranger(), "b").unwrap();
    full(register(stranger(), "c"), 2);
    register(stranger(), "b").unwrap();
    register(member(), "c").unwrap();
    register(member(), "d").unwrap();
    full(register(member(), "e"), 4);
}

#[test]
fn quotas_are_asked_before_anything_is_added() {
    let rig = Rig::new();
    rig.allow(Resource::Containers, 1);
    let id = rig.contain(&member(), &[]).unwrap();
    // The quota is told before the secret that is not there.
    let refused = rig.contain(&member(), &[entry("e", None)]);
    assert!(
        matches!(
            refused,
            Err(Error::QuotaReached {
                resource: Resource::Containers,
                limit: 1
            })
        ),
        "{refused:?}"
    );
    block_on(rig.app.containers.delete(&member(), id)).unwrap();
    let id = rig.contain(&member(), &[]).unwrap();
    rig.allow(Resource::Consumers, 1);
    let register = |name| {
        let consumer = container_consumer(name);
        block_on(rig.app.consumers.register(&member(), id, consumer)).map(drop)
    };
    register("a").unwrap();
    // Also where it would add nothing.
    for name in ["a", "b"] {
        let refused = register(name);
        assert!(
            matches!(
                refused,
                Err(Error::QuotaReached {
                    resource: Resource::Consumers,
                    limit: 1
                })
            ),
            "{refused:?}"
        );
    }
    // Consumers of secrets are another count.
    let secret = rig.create(&member(), new(None)).unwrap();
    block_on(rig.app.consumers.register(&member(), secret, consumer("1"))).unwrap();
}
