//! Orders: one at a time, lists, and those that are pending.

use donjon_domain::{
    BitLength, ContentType, KeySpec, Order, OrderFailure, OrderId, OrderQuery, OrderResult,
    OrderState, OrderType, Page, PageRequest, Start, Timestamp, UserId,
    ports::{Repository, RepositoryErrorKind},
};

use super::{add_bare, add_kek, count, read, write, write_fails};
use crate::sample;

/// An order is read back as it was, in every state.
pub fn an_order_is_read_back(repository: &dyn Repository) {
    add_kek(repository);
    let bare = sample::order(1, "project");
    let full = full_order(2);
    let ended = states().into_iter().zip(3..).map(|(state, number)| Order {
        passphrase: None,
        state,
        ..full_order(number)
    });
    for order in [bare, full].into_iter().chain(ended) {
        insert(repository, &order);
        check(repository, &order);
    }
}

/// The ends of every range, and texts that are hard on databases.
pub fn odd_orders_are_read_back(repository: &dyn Repository) {
    let texts = ["", "a\0b", "'; --", "\u{1f511}\u{fffd}", "100%_"];
    let (bits, times) = (
        [BitLength::MIN, BitLength::MAX],
        [i64::MIN, -1, 0, i64::MAX],
    );
    let mut number = 0;
    for text in texts {
        for (micros, bits) in times.into_iter().zip(bits.into_iter().cycle()) {
            number += 1;
            let at = Timestamp::from_micros(micros);
            let order = Order {
                creator: Some(UserId::new(text)),
                created: at,
                updated: at,
                meta: text.repeat(1_000),
                spec: KeySpec {
                    name: Some(sample::label(text)),
                    mode: Some(sample::label(text)),
                    expiration: Some(at),
                    ..sample::key_spec(text, bits)
                },
                state: OrderState::Error(OrderFailure {
                    status_code: text.to_owned(),
                    reason: text.to_owned(),
                }),
                ..sample::order(number, text)
            };
            insert(repository, &order);
            check(repository, &order);
        }
    }
}

/// An unknown order is `None`, not an error.
pub fn an_unknown_order_is_not_there(repository: &dyn Repository) {
    let found = read(repository, |tx| tx.order(sample::order_id(1)));
    assert_eq!(found, None);
}

/// An id belongs to one order, whatever the project; the first one stays.
pub fn a_taken_order_id_is_a_duplicate(repository: &dyn Repository) {
    let first = sample::order(1, "project");
    insert(repository, &first);
    for project in ["project", "other"] {
        let second = Order {
            meta: "{}".to_owned(),
            ..sample::order(1, project)
        };
        let kind = write_fails(repository, move |tx| tx.insert_order(&second));
        assert_eq!(kind, RepositoryErrorKind::Duplicate);
    }
    check(repository, &first);
}

/// A passphrase is stored only beside the KEK that opens it, and only while the
/// order is pending.
pub fn a_passphrase_is_kept_while_it_is_needed(repository: &dyn Repository) {
    let kind = write_fails(repository, |tx| tx.insert_order(&full_order(1)));
    assert_eq!(kind, RepositoryErrorKind::Internal);
    add_kek(repository);
    for state in states() {
        let ended = Order {
            state,
            ..full_order(1)
        };
        let kind = write_fails(repository, move |tx| tx.insert_order(&ended));
        assert_eq!(kind, RepositoryErrorKind::Internal);
    }
    insert(repository, &full_order(1));
    check(repository, &full_order(1));
}

/// Ending sets state and time, removes the passphrase, and leaves the rest.
pub fn a_pending_order_ends(repository: &dyn Repository) {
    add_kek(repository);
    let later = sample::NOW.plus_seconds(60);
    for (number, state) in (1..).zip(states()) {
        let order = full_order(number);
        insert(repository, &order);
        let (id, end) = (order.id, state.clone());
        write(repository, move |tx| tx.end_order(id, &end, later));
        let ended = Order {
            updated: later,
            passphrase: None,
            state,
            ..order
        };
        check(repository, &ended);
    }
}

/// An order ends once, and not as pending; one that is not there does not end.
pub fn an_order_ends_once(repository: &dyn Repository) {
    let order = sample::order(1, "project");
    insert(repository, &order);
    let fails = |number, state: OrderState| {
        let kind = write_fails(repository, move |tx| {
            tx.end_order(sample::order_id(number), &state, sample::NOW)
        });
        assert_eq!(kind, RepositoryErrorKind::Internal);
    };
    fails(1, OrderState::Pending);
    check(repository, &order);
    for (state, number) in states().into_iter().zip(2..) {
        let ended = Order {
            state,
            ..sample::order(number, "project")
        };
        insert(repository, &ended);
        for again in states() {
            fails(number, again);
        }
        check(repository, &ended);
        fails(99, ended.state);
    }
}

/// A deleted order is gone, pending or not; what it made stays. What it made
/// may go before it, and is named all the same.
pub fn an_order_is_apart_from_what_it_made(repository: &dyn Repository) {
    add_bare(repository, "project", 2);
    let made = |number| Order {
        state: OrderState::Active(OrderResult::Secret(sample::secret_id(number))),
        ..sample::order(number, "project")
    };
    insert(repository, &made(1));
    insert(repository, &made(2));
    insert(repository, &sample::order(3, "project"));
    assert!(write(repository, |tx| tx.delete_secret(sample::secret_id(2))));
    check(repository, &made(2));
    for number in [1, 3] {
        let id = sample::order_id(number);
        assert!(write(repository, move |tx| tx.delete_order(id)));
        assert!(!write(repository, move |tx| tx.delete_order(id)));
        assert_eq!(read(repository, move |tx| tx.order(id)), None);
    }
    assert!(read(repository, |tx| tx.secret(sample::secret_id(1))).is_some());
    assert_eq!(pending(repository, 10), []);
    // The id is free again.
    insert(repository, &sample::order(1, "other"));
    check(repository, &sample::order(1, "other"));
}

/// Of the pending orders the first of each project come first, in the order in
/// which they were added, whatever times they carry; then the second ones, up to
/// the limits.
pub fn pending_orders_take_turns(repository: &dyn Repository) {
    assert_eq!(pending(repository, 10), []);
    for (number, project) in [(5, "a"), (1, "b"), (4, "a"), (2, "c"), (3, "b")] {
        let seconds = i64::try_from(number).expect("a small number");
        let order = Order {
            created: sample::NOW.plus_seconds(-seconds),
            updated: sample::NOW.plus_seconds(-seconds),
            ..sample::order(number, project)
        };
        insert(repository, &order);
    }
    assert_eq!(pending(repository, 10), numbered([5, 1, 2, 4, 3]));
    assert_eq!(pending(repository, 2), numbered([5, 1]));
    assert_eq!(pending(repository, 0), []);
    assert_eq!(pending(repository, 4), numbered([5, 1, 2, 4]));
    assert_eq!(pending(repository, u32::MAX), numbered([5, 1, 2, 4, 3]));
    for (of_each, expected) in [(0, 0), (1, 3), (2, 5)] {
        let found = read(repository, move |tx| tx.pending_orders(of_each, 10));
        assert_eq!(found.len(), expected, "of each: {of_each}");
    }
    let state = states().pop().expect("there is an end");
    write(repository, move |tx| {
        tx.end_order(sample::order_id(1), &state, sample::NOW)?;
        assert!(tx.delete_order(sample::order_id(4))?);
        tx.insert_order(&sample::order(6, "a"))
    });
    assert_eq!(pending(repository, 10), numbered([5, 2, 3, 6]));
    let first = read(repository, |tx| tx.pending_orders(10, 1));
    let whole = read(repository, |tx| tx.order(sample::order_id(5)));
    assert_eq!(first.into_iter().next(), whole);
}

/// A list has the orders of one project, in the order in which they were added,
/// whole; ended ones too.
pub fn a_list_of_orders_is_in_order_of_creation(repository: &dyn Repository) {
    add_kek(repository);
    for (number, project) in [(9, "project"), (1, "other"), (5, "project"), (7, "project")] {
        let seconds = i64::try_from(number).expect("a small number");
        let order = Order {
            project: sample::project(project),
            created: sample::NOW.plus_seconds(-seconds),
            ..full_order(number)
        };
        insert(repository, &order);
        let page = list(repository, &all_of(project));
        assert_eq!(page.items.last(), Some(&order));
    }
    let state = states().pop().expect("there is an end");
    write(repository, move |tx| {
        tx.end_order(sample::order_id(5), &state, sample::NOW)
    });
    check_list(repository, &all_of("project"), &[9, 5, 7]);
    check_list(repository, &all_of("other"), &[1]);
    check_list(repository, &all_of("nobody"), &[]);
}

/// A page starts after as many orders as asked, or after one of them; at the
/// start where that is not in the list. Lists may be long and have gaps.
pub fn orders_come_in_pages(repository: &dyn Repository) {
    const ORDERS: u64 = 900;
    write(repository, |tx| {
        tx.insert_order(&sample::order(1_000, "other"))?;
        (1..=ORDERS).try_for_each(|number| tx.insert_order(&sample::order(number, "project")))?;
        // A hole that is longer than any block of rows one might count by.
        for number in 200..=600 {
            tx.delete_order(sample::order_id(number))?;
        }
        Ok(())
    });
    let expected: Vec<u64> = (1..200).chain(601..=ORDERS).collect();
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
        let marker = Start::After(sample::order_id(*before));
        assert_eq!(list(repository, &part(marker, 5)), page, "after {before}");
    }
    for missing in [300, 1_000, 5_000] {
        let page = list(
            repository,
            &part(Start::After(sample::order_id(missing)), 2),
        );
        assert_eq!(ids(&page), numbered([1, 2]), "after {missing}");
        assert_eq!((page.offset, page.total), (0, total));
    }
    let beyond = list(repository, &part(Start::Offset(u64::MAX), 1));
    assert_eq!((beyond.items.len(), beyond.total), (0, total));
}

/// `meta` is matched by any part of its text, in both cases of ASCII letters;
/// nothing is wild.
pub fn orders_are_filtered_by_meta(repository: &dyn Repository) {
    let metas = [
        r#"{"name":"web","algorithm":"AES"}"#,
        r#"{"name":"100%_","algorithm":"aes"}"#,
        r#"{"name":"schlüssel"}"#,
        "",
    ];
    for (number, meta) in (1..).zip(metas) {
        let order = Order {
            meta: meta.to_owned(),
            ..sample::order(number, "project")
        };
        insert(repository, &order);
    }
    let other = Order {
        meta: metas.concat(),
        ..sample::order(9, "other")
    };
    insert(repository, &other);
    for (part, expected) in [
        ("aes", &[1, 2][..]),
        ("\"ALGORITHM\":\"aes\"", &[1, 2]),
        ("%", &[2]),
        ("_", &[2]),
        ("0%_", &[2]),
        ("schlüssel", &[3]),
        ("SCHLÜSSEL", &[]),
        ("SCHLüSSEL", &[3]),
        ("", &[1, 2, 3, 4]),
        ("{}", &[]),
        ("' OR 1=1 --", &[]),
        ("a\0", &[]),
    ] {
        let query = OrderQuery {
            meta: Some(part.to_owned()),
            ..all_of("project")
        };
        check_list(repository, &query, expected);
    }
    let second = OrderQuery {
        meta: Some("AES".to_owned()),
        ..part(Start::After(sample::order_id(1)), 1)
    };
    let page = list(repository, &second);
    assert_eq!(ids(&page), numbered([2]));
    assert_eq!((page.offset, page.total), (1, 2));
}

/// Nothing is left of a failed job; inside of it everything is seen.
pub fn a_failed_job_leaves_no_order(repository: &dyn Repository) {
    add_kek(repository);
    insert(repository, &full_order(1));
    insert(repository, &sample::order(2, "project"));
    let kind = write_fails(repository, |tx| {
        let state = states().pop().expect("there is an end");
        tx.end_order(sample::order_id(1), &state, sample::NOW)?;
        assert!(tx.delete_order(sample::order_id(2))?);
        tx.insert_order(&sample::order(3, "new project"))?;
        let pending = tx.pending_orders(10, 10)?;
        assert_eq!(pending, [sample::order(3, "new project")]);
        let page = tx.list_orders(&all_of("project"))?;
        assert_eq!((ids(&page), page.total), (numbered([1]), 1));
        tx.end_order(sample::order_id(2), &state, sample::NOW)
    });
    assert_eq!(kind, RepositoryErrorKind::Internal);
    check(repository, &full_order(1));
    check_list(repository, &all_of("project"), &[1, 2]);
    check_list(repository, &all_of("new project"), &[]);
    assert_eq!(pending(repository, 10), numbered([1, 2]));
}

/// A pending order with everything, whose passphrase is sealed under KEK 1.
fn full_order(number: u64) -> Order {
    Order {
        creator: Some(UserId::new("creator")),
        updated: sample::NOW.plus_seconds(1),
        order_type: OrderType::Asymmetric,
        spec: KeySpec {
            name: Some(sample::label("pair")),
            mode: Some(sample::label("cbc")),
            expiration: Some(sample::NOW.plus_seconds(3_600)),
            content_type: Some(ContentType::OctetStream),
            ..sample::key_spec("rsa", 2_048)
        },
        passphrase: Some(sample::sealed(1, 5)),
        ..sample::order(number, "project")
    }
}

/// The ways in which an order ends.
fn states() -> Vec<OrderState> {
    let failure = OrderFailure {
        status_code: "400".to_owned(),
        reason: "no plugin".to_owned(),
    };
    vec![
        OrderState::Active(OrderResult::Secret(sample::secret_id(70))),
        OrderState::Active(OrderResult::Container(sample::container_id(71))),
        OrderState::Error(failure),
    ]
}

/// Adds an order.
pub(crate) fn insert(repository: &dyn Repository, order: &Order) {
    let order = order.clone();
    write(repository, move |tx| tx.insert_order(&order));
}

fn pending(repository: &dyn Repository, limit: u32) -> Vec<OrderId> {
    let found = read(repository, move |tx| tx.pending_orders(u32::MAX, limit));
    found.iter().map(|order| order.id).collect()
}

fn all_of(project: &str) -> OrderQuery {
    OrderQuery {
        project: sample::project(project),
        meta: None,
        page: PageRequest {
            start: Start::Offset(0),
            limit: 10_000,
        },
    }
}

fn part(start: Start<OrderId>, limit: u32) -> OrderQuery {
    OrderQuery {
        page: PageRequest { start, limit },
        ..all_of("project")
    }
}

fn list(repository: &dyn Repository, query: &OrderQuery) -> Page<Order> {
    let query = query.clone();
    read(repository, move |tx| tx.list_orders(&query))
}

fn ids(page: &Page<Order>) -> Vec<OrderId> {
    page.items.iter().map(|order| order.id).collect()
}

fn numbered(numbers: impl IntoIterator<Item = u64>) -> Vec<OrderId> {
    numbers.into_iter().map(sample::order_id).collect()
}

fn check(repository: &dyn Repository, order: &Order) {
    let id = order.id;
    let found = read(repository, move |tx| tx.order(id));
    assert_eq!(found.as_ref(), Some(order));
}

fn check_list(repository: &dyn Repository, query: &OrderQuery, expected: &[u64]) {
    let page = list(repository, query);
    assert_eq!(
        ids(&page),
        numbered(expected.iter().copied()),
        "items of {query:?}"
    );
    assert_eq!(page.total, count(expected), "total of {query:?}");
}
