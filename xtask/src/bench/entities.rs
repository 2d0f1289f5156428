//! Containers and orders, on a server of their own, so that the figures of secrets stay those of a server with secrets alone:
//! lists at their start and far in, and the time of a key order.

use std::time::Instant;

use anyhow::{Context, Result, ensure};

use super::figures::{Report, Series, Target};
use super::fill::{self, ANSWER_WAIT, What};
use super::wrk::{self, Load};
use super::{READ_CONNECTIONS, far_offset};
use crate::kit::http::{Connection, Request};
use crate::kit::server::Launch;

const CONTAINER: What<'_> = What {
    plural: "containers",
    body: r#"{"name":"bench","type":"generic"}"#,
    status: 201,
};
const ORDER: What<'_> = What {
    plural: "orders",
    body: r#"{"type":"key","meta":{"name":"bench","algorithm":"aes","bit_length":256}}"#,
    status: 202,
};
/// Of a round.
const KEY_ORDERS: usize = 500;

/// How much to do.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Size {
    pub(crate) rounds: u32,
    /// Of each measurement.
    pub(crate) seconds: u32,
    /// Of containers and of orders.
    pub(crate) count: usize,
}

/// All figures, round by round.
#[derive(Debug, Default)]
pub(crate) struct Measured {
    containers: Lists,
    orders: Lists,
    key_order_ms: Series,
    key_order_p99_ms: Series,
}

#[derive(Debug, Default)]
struct Lists {
    first: Series,
    far: Series,
    ratio: Series,
}

/// # Errors
/// An answer that was no success, or a server that does not start.
pub(crate) fn measure(launch: &Launch, size: Size) -> Result<Measured> {
    let server = launch.start_again()?;
    let host = server.host();
    let token = super::first_token(launch)?;
    for what in [CONTAINER, ORDER] {
        fill::create(host, &token, what, size.count)?;
    }
    let mut measured = Measured::default();
    for round in 1..=size.rounds {
        lists(host, &token, CONTAINER, size, &mut measured.containers)?;
        lists(host, &token, ORDER, size, &mut measured.orders)?;
        let mut times = key_orders(host, &token)?;
        times.sort_by(f64::total_cmp);
        let at = |index: usize| times.get(index).copied().context("too few orders");
        measured.key_order_ms.push(at(times.len() / 2)?);
        measured.key_order_p99_ms.push(at(times.len() * 99 / 100)?);
        println!(
            "containers and orders: round {round} of {} done",
            size.rounds
        );
    }
    server.stop()?;
    Ok(measured)
}

fn lists(host: &str, token: &str, what: What<'_>, size: Size, lists: &mut Lists) -> Result<()> {
    let list = |offset: usize| {
        let figures = wrk::run(&Load {
            host,
            method: "GET",
            path: &format!("/v1/{}?limit=10&offset={offset}", what.plural),
            ids: None,
            body: None,
            headers: &[("X-Auth-Token", token), ("Accept", "application/json")],
            connections: READ_CONNECTIONS,
            seconds: size.seconds,
        });
        figures.map(|figures| figures.per_second())
    };
    let (first, far) = (list(0)?, list(far_offset(size.count))?);
    lists.first.push(first);
    lists.far.push(far);
    lists.ratio.push(first / far);
    Ok(())
}

/// Milliseconds of each key order, POST and GET, through one client.
fn key_orders(host: &str, token: &str) -> Result<Vec<f64>> {
    let mut connection = Connection::open(host, ANSWER_WAIT)?;
    let mut times = Vec::with_capacity(KEY_ORDERS);
    for _ in 0..KEY_ORDERS {
        let started = Instant::now();
        let id = fill::create_one(&mut connection, host, token, ORDER)?;
        let request = Request::new("GET", &format!("/v1/orders/{id}"))
            .header("X-Auth-Token", token)
            .header("Accept", "application/json");
        let response = connection.exchange(&request)?;
        times.push(started.elapsed().as_secs_f64() * 1e3);
        let order = response.json()?;
        ensure!(
            order.get("status").is_some_and(|status| status == "ACTIVE"),
            "GET of an order: {} {order}",
            response.status
        );
    }
    Ok(times)
}

impl Measured {
    pub(crate) fn report(&self, size: Size, report: &mut Report) {
        for (what, lists) in [("containers", &self.containers), ("orders", &self.orders)] {
            report.figure(
                &format!("(f) list of 10 {what} at offset 0"),
                "answers/s",
                &lists.first,
            );
            report.figure(
                &format!("(f) list of 10 {what} at offset {}", far_offset(size.count)),
                "answers/s",
                &lists.far,
            );
            report.aim_series(
                "    times slower than offset 0",
                "",
                &lists.ratio,
                Target::AtMost(10.0),
            );
        }
        report.aim_series(
            "(g) key order, POST and GET, one client",
            "ms",
            &self.key_order_ms,
            Target::AtMost(3.0),
        );
        report.figure("    99th percentile", "ms", &self.key_order_p99_ms);
    }
}
