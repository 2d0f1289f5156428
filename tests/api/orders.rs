//! Orders through stops and crashes of the whole program.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{Caller, Launch, path_of, until};

/// Debug builds are slow at finding primes, and other tests run beside.
const LONG: Duration = Duration::from_secs(300);

fn pair(bits: u32, passphrase: Option<&str>) -> Value {
    let mut meta = json!({"name": "pair", "algorithm": "rsa", "bit_length": bits});
    if let Some(passphrase) = passphrase {
        meta["passphrase"] = json!(passphrase);
    }
    json!({"type": "asymmetric", "meta": meta})
}

/// Gives an order and returns its path.
fn ordered(member: &Caller, body: &Value) -> String {
    let answer = member.json("POST /v1/orders", body).ok(202);
    path_of(answer["order_ref"].as_str().unwrap()).to_owned()
}

fn carried_out(member: &Caller, path: &str) -> Value {
    until("the order is carried out", LONG, || {
        let order = member.call(&format!("GET {path}")).ok(200);
        (order["status"] != "PENDING").then_some(order)
    })
}

fn total(member: &Caller, path: &str) -> Value {
    member.call(&format!("GET {path}")).ok(200)["total"].clone()
}

/// Orders are answered at once, so that they are pending then.
fn impatient() -> Launch {
    Launch::new("noauth").env("DONJON_ORDERS__WAIT_MS", "0")
}

/// Killed between accept and finish, an order is neither lost nor carried out twice.
#[test]
fn a_kill_loses_no_order_and_makes_no_second_key() {
    let server = impatient().start();
    let path = ordered(&server.member_of("p"), &pair(4096, Some("hush")));
    let server = server.kill().start();
    // It did not end before the kill.
    server.log_lines("carrying out orders that waited", 1);
    let server = server.kill().start();
    let member = server.member_of("p");
    let order = carried_out(&member, &path);
    assert_eq!(order["status"], "ACTIVE", "{order}");
    let container = path_of(order["container_ref"].as_str().unwrap()).to_owned();
    let entries = member.call(&format!("GET {container}")).ok(200)["secret_refs"].clone();
    assert_eq!(entries.as_array().unwrap().len(), 3);
    // Nor by another start, which finds nothing left to do.
    let server = server.kill().start();
    let member = server.member_of("p");
    let again = member.call(&format!("GET {path}")).ok(200);
    assert_eq!(again["updated"], order["updated"]);
    let again = path_of(again["container_ref"].as_str().unwrap()).to_owned();
    assert_eq!(again, container);
    assert_eq!(total(&member, "/v1/secrets"), 3);
    assert_eq!(total(&member, "/v1/containers"), 1);
}

#[test]
fn a_stop_leaves_orders_for_the_next_start() {
    let server = impatient().env("DONJON_ORDERS__WORKERS", "1").start();
    let member = server.member_of("p");
    let paths: Vec<_> = (0..6)
        .map(|_| ordered(&member, &pair(1024, None)))
        .collect();
    let server = server.restart();
    let member = server.member_of("p");
    for path in &paths {
        assert_eq!(carried_out(&member, path)["status"], "ACTIVE");
    }
    assert_eq!(total(&member, "/v1/secrets"), 12);
    assert_eq!(total(&member, "/v1/containers"), 6);
}

/// More orders than wait in memory.
#[test]
fn a_full_queue_delays_orders_and_refuses_none() {
    const ORDERS: usize = 80;
    let server = impatient().env("DONJON_ORDERS__WORKERS", "1").start();
    let member = server.member_of("p");
    // Nobody makes these, so that it is over soon; the first one takes long.
    let nobodys = json!({"type": "asymmetric", "meta": {"algorithm": "rsa", "bit_length": 8}});
    let mut paths = vec![ordered(&member, &pair(2048, None))];
    paths.extend((1..ORDERS).map(|_| ordered(&member, &nobodys)));
    for path in &paths {
        assert_ne!(carried_out(&member, path)["status"], "PENDING");
    }
    assert_eq!(total(&member, "/v1/orders"), ORDERS);
}
