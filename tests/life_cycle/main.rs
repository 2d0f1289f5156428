//! The life of secrets, at random: sequences of requests by several callers, each answer foretold by a small model.
//!
//! `LIFE_CYCLE_SEED=N` begins elsewhere than the default, and `LIFE_CYCLE_CASES=N` goes on for longer; the seed is
//! printed. A sequence that fails is shrunk and kept in `proptest-regressions`, and tried first from then on.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test may fail; clippy's own exception does not reach helpers of integration tests"
)]

mod actions;
mod expiry;
mod model;
mod play;

#[path = "../support/lib.rs"]
#[expect(
    dead_code,
    unused_imports,
    reason = "each test binary uses a part of it"
)]
mod support;

use std::{
    cell::{Cell, RefCell},
    fmt::Debug,
    str::FromStr,
};

use proptest::test_runner::{Config, FileFailurePersistence, RngSeed, TestRunner};

use play::Play;
use support::Server;

macro_rules! regressions {
    ($name:literal) => {
        concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../../tests/life_cycle/proptest-regressions/",
            $name
        )
    };
}

#[test]
fn every_answer_is_foretold() {
    let server = Server::new("noauth");
    let case = Cell::new(0);
    let mut runner = runner(256, regressions!("answers.txt"));
    let ran = runner.run(&actions::steps(1..60), |steps| {
        case.set(case.get() + 1);
        let mut play = Play::new(&server, case.get());
        steps.iter().try_for_each(|step| play.step(step))?;
        play.look_at_everything()
    });
    ran.unwrap_or_else(|failure| panic!("{failure}"));
}

#[test]
fn restarts_and_kills_change_nothing() {
    let server = RefCell::new(Some(Server::new("noauth")));
    let case = Cell::new(0);
    let mut runner = runner(64, regressions!("restarts.txt"));
    let strategy = (actions::steps(10..60), actions::interruptions());
    let ran = runner.run(&strategy, |(steps, interruptions)| {
        case.set(case.get() + 1);
        let mut slot = server.borrow_mut();
        let mut play = Play::new(slot.as_ref().unwrap(), case.get());
        for (at, step) in steps.iter().enumerate() {
            for interruption in interruptions.iter().filter(|i| i.comes_at(at, steps.len())) {
                let next = interruption.pass(slot.take().unwrap());
                play.reconnect(&next);
                *slot = Some(next);
            }
            play.step(step)?;
        }
        play.look_at_everything()
    });
    ran.unwrap_or_else(|failure| panic!("{failure}"));
}

fn runner(cases: u32, regressions: &'static str) -> TestRunner {
    let seed = number("LIFE_CYCLE_SEED").unwrap_or(SEED);
    let cases = number("LIFE_CYCLE_CASES").unwrap_or(cases);
    eprintln!("{cases} cases with LIFE_CYCLE_SEED={seed}");
    TestRunner::new(Config {
        cases,
        rng_seed: RngSeed::Fixed(seed),
        failure_persistence: Some(Box::new(FileFailurePersistence::Direct(regressions))),
        max_shrink_iters: 1_000,
        ..Config::default()
    })
}

fn number<T: FromStr<Err: Debug>>(variable: &str) -> Option<T> {
    let text = std::env::var(variable).ok()?;
    Some(text.parse().unwrap())
}

const SEED: u64 = 20_261_124;
