//! Orders.

use std::collections::BTreeSet;

use donjon_domain::{
    ContainerId, KekId, KeySpec, Order, OrderFailure, OrderId, OrderQuery, OrderResult, OrderState,
    OrderType, Page, ProjectId, Sealed, SecretId, Timestamp,
    ports::{OrderReads, OrderWrites, RepositoryError},
};
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::{
    Found, Mode, Tx, WriteTransaction,
    columns::{bit_length, content_type, label, optional_time, stored_content_type, time, user},
    lists, missing,
    secrets::explain,
    seek::{Listed, Queries, queries},
};
use crate::{
    failure::Failure,
    place::{Kind, Place},
};

/// A query for the columns that [`Listed::read`] reads, in its order.
macro_rules! select_orders {
    ($($clauses:literal)+) => {
        concat!(
            "SELECT place, uuid, created, updated, order_type, state, bit_length, content_type, \
             expiration, algorithm, mode, name, creator, made_secret, made_container, \
             status_code, reason, kek, passphrase, meta FROM orders ",
            $($clauses),+
        )
    };
}

impl<M: Mode> OrderReads for Tx<'_, M> {
    fn order(&mut self, id: OrderId) -> Result<Option<Order>, RepositoryError> {
        self.run(|tx| {
            let sql = select_orders!("WHERE uuid = ?1");
            let mut statement = tx.connection.prepare_cached(sql)?;
            let mut rows = statement.query([id.as_bytes()])?;
            rows.next()?.map(|row| of_any_project(tx, row)).transpose()
        })
    }

    fn list_orders(&mut self, query: &OrderQuery) -> Result<Page<Order>, RepositoryError> {
        self.run(|tx| lists::orders(tx, query))
    }

    fn pending_orders(&mut self, of_each: u32, limit: u32) -> Result<Vec<Order>, RepositoryError> {
        self.run(|tx| {
            let places = pending_places(tx.connection, of_each, limit)?;
            let sql = select_orders!("WHERE place = ?1");
            let mut statement = tx.connection.prepare_cached(sql)?;
            let mut orders = Vec::with_capacity(places.len());
            for place in places {
                let mut rows = statement.query([place])?;
                if let Some(row) = rows.next()? {
                    orders.push(of_any_project(tx, row)?);
                }
            }
            Ok(orders)
        })
    }
}

impl OrderWrites for WriteTransaction<'_> {
    fn insert_order(&mut self, order: &Order) -> Result<(), RepositoryError> {
        self.add(|tx| insert(tx, order))
    }

    fn end_order(
        &mut self,
        id: OrderId,
        state: &OrderState,
        updated: Timestamp,
    ) -> Result<(), RepositoryError> {
        self.write(|tx| {
            let sql = "SELECT place, passphrase IS NOT NULL FROM orders \
                       WHERE uuid = ?1 AND state = 0";
            let pending: Option<(Place, bool)> = tx
                .connection
                .prepare_cached(sql)?
                .query_row([id.as_bytes()], |row| Ok((row.get(0)?, row.get(1)?)))
                .optional()?;
            let (place, has_passphrase) = pending.ok_or(missing(Kind::Orders))?;
            let ended = StoredState::of(state);
            if ended.state == PENDING_STATE {
                return Err(Failure::Misuse("an order ends in another state"));
            }
            let sql = "UPDATE orders SET state = ?2, made_secret = ?3, made_container = ?4, \
                       status_code = ?5, reason = ?6, updated = ?7, kek = NULL, \
                       passphrase = NULL WHERE place = ?1";
            tx.connection.prepare_cached(sql)?.execute(params![
                place,
                ended.state,
                ended.secret.as_ref().map(SecretId::as_bytes),
                ended.container.as_ref().map(ContainerId::as_bytes),
                ended.status_code,
                ended.reason,
                updated.as_micros(),
            ])?;
            if has_passphrase {
                tx.mode.pending.note_deletion();
            }
            Ok(())
        })
    }

    fn delete_order(&mut self, id: OrderId) -> Result<bool, RepositoryError> {
        self.write(|tx| {
            let Some(place) = tx.place(id)? else {
                return Ok(false);
            };
            tx.found = None;
            tx.connection
                .prepare_cached("DELETE FROM orders WHERE place = ?1")?
                .execute([place])?;
            tx.mode.pending.count(Kind::Orders, place, -1);
            tx.mode.pending.note_deletion();
            Ok(true)
        })
    }
}

/// Reads the index of pending orders, which are in the order of their creation
/// within a project: first place, place behind the last one, limit.
pub(crate) const PENDING: &str = "SELECT place, creation FROM orders INDEXED BY orders_pending \
     WHERE state = 0 AND place >= ?1 AND place < ?2 ORDER BY place LIMIT ?3";

impl Listed for Order {
    type Id = OrderId;

    const QUERIES: Queries = queries!(select_orders, "orders", "order_blocks", "");

    fn read(row: &Row<'_>, project: ProjectId) -> Result<Self, Failure> {
        Ok(Self {
            id: OrderId::from_bytes(row.get(1)?),
            project,
            creator: user(row, 12)?,
            created: time(row, 2)?,
            updated: time(row, 3)?,
            order_type: order_type(row.get(4)?)?,
            meta: row.get(19)?,
            spec: KeySpec {
                name: label(row, 11)?,
                algorithm: label(row, 9)?.ok_or(Failure::BadRow("an order has no algorithm"))?,
                bit_length: bit_length(row.get(6)?)?
                    .ok_or(Failure::BadRow("an order has no bit length"))?,
                mode: label(row, 10)?,
                expiration: optional_time(row, 8)?,
                content_type: content_type(row.get(7)?)?,
            },
            passphrase: passphrase(row)?,
            state: state(row)?,
        })
    }
}

/// What the columns of a state hold.
#[derive(Default)]
struct StoredState<'a> {
    state: i64,
    secret: Option<SecretId>,
    container: Option<ContainerId>,
    status_code: Option<&'a str>,
    reason: Option<&'a str>,
}

const PENDING_STATE: i64 = 0;
const ACTIVE_STATE: i64 = 1;
const ERROR_STATE: i64 = 2;

impl<'a> StoredState<'a> {
    fn of(state: &'a OrderState) -> Self {
        match state {
            OrderState::Pending => Self::default(),
            OrderState::Active(result) => Self {
                state: ACTIVE_STATE,
                secret: match result {
                    OrderResult::Secret(id) => Some(*id),
                    OrderResult::Container(_) => None,
                },
                container: match result {
                    OrderResult::Secret(_) => None,
                    OrderResult::Container(id) => Some(*id),
                },
                ..Self::default()
            },
            OrderState::Error(failure) => Self {
                state: ERROR_STATE,
                status_code: Some(&failure.status_code),
                reason: Some(&failure.reason),
                ..Self::default()
            },
        }
    }
}

fn insert(tx: &mut WriteTransaction<'_>, order: &Order) -> Result<(), Failure> {
    let project = order.project.as_str();
    let place = tx
        .mode
        .pending
        .take_place(tx.connection, Kind::Orders, project)?;
    let creation = tx.mode.pending.take_creation(tx.connection)?;
    let (spec, passphrase) = (&order.spec, order.passphrase.as_ref());
    let state = StoredState::of(&order.state);
    let sql = "INSERT INTO orders (place, uuid, created, updated, creation, order_type, state, \
               bit_length, content_type, expiration, algorithm, mode, name, creator, \
               made_secret, made_container, status_code, reason, kek, passphrase, meta) \
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, \
               ?17, ?18, (SELECT uuid FROM keks WHERE uuid = ?19 AND wrapped <> x''), ?20, ?21)";
    let inserted = tx.connection.prepare_cached(sql)?.execute(params![
        place,
        order.id.as_bytes(),
        order.created.as_micros(),
        order.updated.as_micros(),
        creation,
        stored_order_type(order.order_type),
        state.state,
        spec.bit_length.get(),
        spec.content_type.map(stored_content_type),
        spec.expiration.map(Timestamp::as_micros),
        spec.algorithm.as_str(),
        spec.mode.as_ref().map(|mode| mode.as_str()),
        spec.name.as_ref().map(|name| name.as_str()),
        order.creator.as_ref().map(|creator| creator.as_str()),
        state.secret.as_ref().map(SecretId::as_bytes),
        state.container.as_ref().map(ContainerId::as_bytes),
        state.status_code,
        state.reason,
        passphrase.map(|passphrase| passphrase.kek.as_bytes()),
        passphrase.map(|passphrase| passphrase.envelope.as_slice()),
        order.meta,
    ]);
    inserted.map_err(explain)?;
    tx.found = Some(Found::new(order.id, place));
    tx.mode.pending.count(Kind::Orders, place, 1);
    Ok(())
}

/// Where the pending orders are that are next, one project after the other. Seeks
/// from project to project, however many orders each has.
fn pending_places(
    connection: &Connection,
    of_each: u32,
    limit: u32,
) -> Result<Vec<Place>, Failure> {
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let mut found: BTreeSet<(u32, i64, Place)> = BTreeSet::new();
    let mut statement = connection.prepare_cached(PENDING)?;
    let mut behind = Place::first_of(0);
    loop {
        let next: Option<Place> = statement
            .query_row(params![behind, i64::MAX, 1], |row| row.get(0))
            .optional()?;
        let Some(first) = next else {
            break;
        };
        behind = Place::end_of(first.project());
        let mut rows = statement.query(params![first, behind, of_each])?;
        for rank in 0.. {
            let Some(row) = rows.next()? else {
                break;
            };
            found.insert((rank, row.get(1)?, row.get(0)?));
            if found.len() > limit {
                found.pop_last();
            }
        }
    }
    Ok(found.into_iter().map(|(_, _, place)| place).collect())
}

/// Reads a row, and the name of its project.
fn of_any_project<M: Mode>(tx: &mut Tx<'_, M>, row: &Row<'_>) -> Result<Order, Failure> {
    let place: Place = row.get(0)?;
    let project = tx.mode.project_name(tx.connection, place.project())?;
    Order::read(row, ProjectId::new(project))
}

fn passphrase(row: &Row<'_>) -> Result<Option<Sealed>, Failure> {
    match (row.get(17)?, row.get(18)?) {
        (None, None) => Ok(None),
        (Some(kek), Some(envelope)) => Ok(Some(Sealed {
            kek: KekId::from_bytes(kek),
            envelope,
        })),
        _ => Err(Failure::BadRow("a passphrase has no key")),
    }
}

fn state(row: &Row<'_>) -> Result<OrderState, Failure> {
    let (secret, container) = (row.get(13)?, row.get(14)?);
    let (status_code, reason) = (row.get(15)?, row.get(16)?);
    match (row.get(5)?, secret, container, status_code, reason) {
        (PENDING_STATE, None, None, None, None) => Ok(OrderState::Pending),
        (ACTIVE_STATE, Some(secret), None, None, None) => {
            let secret = SecretId::from_bytes(secret);
            Ok(OrderState::Active(OrderResult::Secret(secret)))
        }
        (ACTIVE_STATE, None, Some(container), None, None) => {
            let container = ContainerId::from_bytes(container);
            Ok(OrderState::Active(OrderResult::Container(container)))
        }
        (ERROR_STATE, None, None, Some(status_code), Some(reason)) => {
            Ok(OrderState::Error(OrderFailure {
                status_code,
                reason,
            }))
        }
        _ => Err(Failure::BadRow("an order is in no known state")),
    }
}

fn stored_order_type(order_type: OrderType) -> i64 {
    match order_type {
        OrderType::Key => 0,
        OrderType::Asymmetric => 1,
    }
}

fn order_type(stored: i64) -> Result<OrderType, Failure> {
    match stored {
        0 => Ok(OrderType::Key),
        1 => Ok(OrderType::Asymmetric),
        _ => Err(Failure::BadRow("order_type is out of range")),
    }
}
