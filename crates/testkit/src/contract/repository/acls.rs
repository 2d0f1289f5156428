//! ACLs.

use donjon_domain::{Acl, UserId, ports::Repository};

use super::{add, read, write};
use crate::sample;

/// An ACL is read back with its secret and alone.
pub fn an_acl_is_read_back(repository: &dyn Repository) {
    add(repository, &sample::secret(1, "project"));
    check(repository, None);
    for acl in [
        sample::acl(&[], true),
        sample::acl(&[], false),
        sample::acl(&["a", "b", "", "ü", "A"], true),
        Acl {
            created: sample::NOW.plus_seconds(-5),
            updated: sample::NOW.plus_seconds(5),
            ..sample::acl(&["a"], false)
        },
    ] {
        let stored = acl.clone();
        write(repository, move |tx| {
            tx.put_secret_acl(sample::secret_id(1), &stored)
        });
        check(repository, Some(acl));
    }
}

/// Writing an ACL replaces the one before as a whole.
pub fn an_acl_replaces_the_one_before(repository: &dyn Repository) {
    add(repository, &sample::secret(1, "project"));
    for names in [&["a", "b"][..], &["b", "c"], &[], &["d"]] {
        write(repository, move |tx| {
            tx.put_secret_acl(sample::secret_id(1), &sample::acl(names, true))
        });
        check(repository, Some(sample::acl(names, true)));
    }
}

/// A removed ACL is gone; removing none is no error.
pub fn an_acl_can_be_removed(repository: &dyn Repository) {
    add(repository, &sample::secret(1, "project"));
    write(repository, |tx| {
        tx.put_secret_acl(sample::secret_id(1), &sample::acl(&["a"], false))
    });
    for _ in 0..2 {
        write(repository, |tx| tx.delete_secret_acl(sample::secret_id(1)));
        check(repository, None);
    }
}

/// ACLs of two secrets have nothing to do with each other.
pub fn acls_are_apart(repository: &dyn Repository) {
    add(repository, &sample::secret(1, "project"));
    add(repository, &sample::secret(2, "project"));
    write(repository, |tx| {
        tx.put_secret_acl(sample::secret_id(1), &sample::acl(&["a"], false))?;
        tx.put_secret_acl(sample::secret_id(2), &sample::acl(&["a", "b"], true))?;
        tx.delete_secret_acl(sample::secret_id(2))
    });
    check(repository, Some(sample::acl(&["a"], false)));
}

/// A list of many users is kept.
pub fn an_acl_may_be_long(repository: &dyn Repository) {
    add(repository, &sample::secret(1, "project"));
    let acl = Acl {
        users: (0..1_000)
            .map(|n| UserId::new(format!("user-{n}")))
            .collect(),
        ..sample::acl(&[], true)
    };
    let stored = acl.clone();
    write(repository, move |tx| {
        tx.put_secret_acl(sample::secret_id(1), &stored)
    });
    check(repository, Some(acl));
}

fn check(repository: &dyn Repository, expected: Option<Acl>) {
    let id = sample::secret_id(1);
    let (with_secret, alone) = read(repository, move |tx| {
        Ok((
            tx.secret(id)?.and_then(|stored| stored.acl),
            tx.secret_acl(id)?,
        ))
    });
    assert_eq!(with_secret, expected);
    assert_eq!(alone, expected);
}
