//! Secret stores, and which one a project prefers.

use donjon_domain::{
    ProjectId, SecretStore, SecretStoreId,
    ports::{Repository, RepositoryError, RepositoryErrorKind},
};

use super::{read, write, write_fails};
use crate::sample;

/// Secret stores are read back as they were, in the order in which they came.
pub fn secret_stores_are_read_back(repository: &dyn Repository) {
    let mut expected = Vec::new();
    for number in [3, 1, 2] {
        let mut store = sample::secret_store(number, "store_crypto");
        if number == 1 {
            store.crypto_plugin = None;
        }
        insert(repository, &store);
        expected.push(store);
        assert_eq!(read(repository, |tx| tx.secret_stores()), expected);
    }
}

/// An id belongs to one secret store; the first one stays.
pub fn a_taken_secret_store_id_is_a_duplicate(repository: &dyn Repository) {
    let first = sample::secret_store(1, "a");
    insert(repository, &first);
    let kind = write_fails(repository, |tx| {
        tx.insert_secret_store(&sample::secret_store(1, "b"))
    });
    assert_eq!(kind, RepositoryErrorKind::Duplicate);
    assert_eq!(read(repository, |tx| tx.secret_stores()), [first]);
}

/// A project prefers one store, whether or not anything else is known of the
/// project, until it prefers another or none.
pub fn a_project_prefers_one_secret_store(repository: &dyn Repository) {
    for number in [1, 2] {
        insert(repository, &sample::secret_store(number, "plugin"));
    }
    assert_eq!(preferred(repository, "p"), None);
    assert!(!forget(repository, "p"));
    for number in [1, 2, 2] {
        prefer(repository, "p", number);
        let expected = Some(sample::secret_store(number, "plugin").id);
        assert_eq!(preferred(repository, "p"), expected);
        assert_eq!(preferred(repository, "q"), None);
    }
    assert!(!forget(repository, "q"));
    assert!(forget(repository, "p"));
    assert!(!forget(repository, "p"));
    assert_eq!(preferred(repository, "p"), None);
}

/// Only a store that is there is preferred, and nothing is left of a failed job.
pub fn an_unknown_secret_store_is_not_preferred(repository: &dyn Repository) {
    insert(repository, &sample::secret_store(1, "plugin"));
    let unknown = sample::secret_store(2, "plugin").id;
    let kind = write_fails(repository, move |tx| {
        tx.put_preferred_secret_store(&ProjectId::new("p"), unknown)
    });
    assert_eq!(kind, RepositoryErrorKind::Internal);
    let known = sample::secret_store(1, "plugin").id;
    let kind = write_fails(repository, move |tx| {
        tx.put_preferred_secret_store(&ProjectId::new("p"), known)?;
        Err::<(), _>(RepositoryError::new(RepositoryErrorKind::Corrupt))
    });
    assert_eq!(kind, RepositoryErrorKind::Corrupt);
    assert_eq!(preferred(repository, "p"), None);
}

fn insert(repository: &dyn Repository, store: &SecretStore) {
    let store = store.clone();
    write(repository, move |tx| tx.insert_secret_store(&store));
}

fn prefer(repository: &dyn Repository, project: &str, number: u64) {
    let (project, id) = (
        ProjectId::new(project),
        sample::secret_store(number, "plugin").id,
    );
    write(repository, move |tx| {
        tx.put_preferred_secret_store(&project, id)
    });
}

fn forget(repository: &dyn Repository, project: &str) -> bool {
    let project = ProjectId::new(project);
    write(repository, move |tx| {
        tx.delete_preferred_secret_store(&project)
    })
}

fn preferred(repository: &dyn Repository, project: &str) -> Option<SecretStoreId> {
    let project = ProjectId::new(project);
    read(repository, move |tx| tx.preferred_secret_store(&project))
}
