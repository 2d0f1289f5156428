//! Lists of containers: whose, which, which part, and how many.

use donjon_domain::{
    Container, ContainerId, ContainerQuery, ContainerType, Page, PageRequest, Start,
    ports::Repository,
};

use super::{containers::insert, count, read, write};
use crate::sample;

/// A list has the containers of one project, in the order in which they were
/// added, whole.
pub fn a_list_of_containers_is_in_order_of_creation(repository: &dyn Repository) {
    for (number, project) in [(9, "project"), (1, "other"), (5, "project"), (7, "project")] {
        let container = Container {
            created: sample::NOW.plus_seconds(-i64::try_from(number).expect("a small number")),
            name: Some(sample::label("same")),
            ..sample::container(number, project)
        };
        insert(repository, &container, &[]);
        let page = list(repository, &all_of(project));
        assert_eq!(page.items.last(), Some(&container));
    }
    check(repository, &all_of("project"), &[9, 5, 7]);
    check(repository, &all_of("other"), &[1]);
    check(repository, &all_of("nobody"), &[]);
}

/// A page starts after as many containers as asked, or after one of them; at
/// the start where that is not in the list.
pub fn containers_come_in_pages(repository: &dyn Repository) {
    add_many(repository, 10);
    insert(repository, &sample::container(77, "other"), &[]);
    for offset in [0, 1, 9, 10, 11, u64::MAX] {
        for limit in [1, 4, u32::MAX] {
            let page = list(repository, &part(Start::Offset(offset), limit));
            let expected = (1..=10)
                .filter(|number| *number > offset)
                .take(usize::try_from(limit).expect("32 bits fit"));
            assert_eq!(ids(&page), numbered(expected), "{offset} {limit}");
            assert_eq!((page.offset, page.total), (offset, 10));
        }
    }
    for (after, offset) in [(1, 1), (9, 9), (10, 10), (50, 0), (77, 0)] {
        let page = list(
            repository,
            &part(Start::After(sample::container_id(after)), 2),
        );
        let expected = (1..=10).filter(|number| *number > offset).take(2);
        assert_eq!(ids(&page), numbered(expected), "after {after}");
        assert_eq!((page.offset, page.total), (offset, 10), "after {after}");
    }
}

/// Names match as `LIKE` does, types exactly, and both have to.
pub fn containers_are_filtered(repository: &dyn Repository) {
    let (generic, rsa) = (ContainerType::Generic, ContainerType::Rsa);
    for (number, name, container_type) in [
        (1, Some("web-1"), generic),
        (2, Some("WEB-2"), rsa),
        (3, None, rsa),
        (4, Some(""), generic),
        (5, Some("w%b"), rsa),
    ] {
        let container = Container {
            name: name.map(sample::label),
            container_type,
            ..sample::container(number, "project")
        };
        insert(repository, &container, &[]);
    }
    for (name, container_type, expected) in [
        (None, None, &[1, 2, 3, 4, 5][..]),
        (Some("web%"), None, &[1, 2]),
        (Some("WEB__"), None, &[1, 2]),
        (Some("w%b"), None, &[5]),
        (Some("web"), None, &[]),
        (Some("%"), None, &[1, 2, 4, 5]),
        (Some(""), None, &[4]),
        (None, Some(rsa), &[2, 3, 5]),
        (None, Some(ContainerType::Certificate), &[]),
        (Some("w%"), Some(rsa), &[2, 5]),
        (Some("' OR 1=1 --"), None, &[]),
    ] {
        let query = ContainerQuery {
            name: name.map(str::to_owned),
            container_type,
            ..all_of("project")
        };
        check(repository, &query, expected);
    }
    let second = ContainerQuery {
        container_type: Some(rsa),
        ..part(Start::After(sample::container_id(2)), 1)
    };
    let page = list(repository, &second);
    assert_eq!(ids(&page), numbered([3]));
    assert_eq!((page.offset, page.total), (1, 3));
    // What the filter leaves out is not in the list, and marks nothing.
    let outside = ContainerQuery {
        page: part(Start::After(sample::container_id(1)), 1).page,
        ..second
    };
    let page = list(repository, &outside);
    assert_eq!(ids(&page), numbered([2]));
    assert_eq!((page.offset, page.total), (0, 3));
}

/// Long lists with gaps are cut at every place as short ones are.
pub fn long_lists_of_containers_are_cut_anywhere(repository: &dyn Repository) {
    const CONTAINERS: u64 = 900;
    add_many(repository, CONTAINERS);
    write(repository, |tx| {
        // A hole that is longer than any block of rows one might count by.
        for number in (200..=600).chain((1..200).filter(|number| number % 5 == 0)) {
            tx.delete_container(sample::container_id(number))?;
        }
        Ok(())
    });
    let expected: Vec<u64> = (1..=CONTAINERS)
        .filter(|number| *number > 600 || (*number < 200 && number % 5 != 0))
        .collect();
    let total = count(&expected);
    for offset in (0..total + 50).step_by(37) {
        let skipped = usize::try_from(offset).expect("a small number");
        let page = list(repository, &part(Start::Offset(offset), 5));
        let items = expected.iter().copied().skip(skipped).take(5);
        assert_eq!(ids(&page), numbered(items), "{offset}");
        assert_eq!((page.offset, page.total), (offset, total));
        let Some(before) = skipped.checked_sub(1).and_then(|at| expected.get(at)) else {
            continue;
        };
        let marker = Start::After(sample::container_id(*before));
        assert_eq!(list(repository, &part(marker, 5)), page, "after {before}");
    }
}

fn add_many(repository: &dyn Repository, count: u64) {
    write(repository, move |tx| {
        (1..=count)
            .try_for_each(|number| tx.insert_container(&sample::container(number, "project"), &[]))
    });
}

fn all_of(project: &str) -> ContainerQuery {
    ContainerQuery {
        project: sample::project(project),
        name: None,
        container_type: None,
        page: PageRequest {
            start: Start::Offset(0),
            limit: 10_000,
        },
    }
}

fn part(start: Start<ContainerId>, limit: u32) -> ContainerQuery {
    ContainerQuery {
        page: PageRequest { start, limit },
        ..all_of("project")
    }
}

fn list(repository: &dyn Repository, query: &ContainerQuery) -> Page<Container> {
    let query = query.clone();
    read(repository, move |tx| tx.list_containers(&query))
}

fn ids(page: &Page<Container>) -> Vec<ContainerId> {
    page.items.iter().map(|container| container.id).collect()
}

fn numbered(numbers: impl IntoIterator<Item = u64>) -> Vec<ContainerId> {
    numbers.into_iter().map(sample::container_id).collect()
}

fn check(repository: &dyn Repository, query: &ContainerQuery, expected: &[u64]) {
    let page = list(repository, query);
    assert_eq!(
        ids(&page),
        numbered(expected.iter().copied()),
        "items of {query:?}"
    );
    assert_eq!(page.total, count(expected), "total of {query:?}");
}
