//! `conformance outage`: a real Keystone is stopped, killed and started again while clients use the server.
//!
//! Each phase is a test: in none of them is anybody let in who should not be, does anybody wait for three seconds, or
//! is a token refused that was good a moment before; and after each the server works again by itself.

mod load;
mod tokens;

use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use self::load::{Call, Load, Tally};
use self::tokens::{Kind, Tokens};
use crate::kit::keystone::Keystone;
use crate::kit::table::Table;
use crate::suite::{Outcome, Run, Suite, outcome::Verdict};

pub(crate) const SUITE: Suite = Suite {
    name: "outage",
    packages: &[],
    peers: false,
    tune: |_| (),
    run,
};

/// Within which every request has to be answered.
const LONGEST: Duration = Duration::from_secs(3);
/// Until a new token has to count again, from the moment on when Keystone answers: a rest of five seconds, and a try.
const RECOVERY: Duration = Duration::from_secs(10);
const WELL: Duration = Duration::from_secs(3);
const ILL: Duration = Duration::from_secs(9);
const POLL: Duration = Duration::from_millis(50);

/// What happens to Keystone.
#[derive(Clone, Copy, Debug)]
enum Fault {
    /// It takes connections, and says nothing.
    Stopped,
    /// Nobody listens.
    Killed,
}

/// A stretch of time, and the calls that fell into it as a whole.
#[derive(Debug)]
struct Phase {
    name: String,
    calls: Vec<Call>,
    /// Keystone is away, or may be for the server.
    is_ill: bool,
    /// How long it took until a new token counted.
    recovery: Option<Duration>,
}

fn run(run: &Run<'_>) -> Result<Vec<Outcome>> {
    let keystone = &run.site.keystone;
    let server = run.site.process().context("no server of our own")?;
    let tokens = Tokens::prepare(keystone, server.host())?;
    let mut phases = Vec::new();
    thread::scope(|scope| -> Result<()> {
        let load = Load::start(scope, server.host(), &tokens);
        phases.push(phase("all is well", false, &load, WELL));
        for (number, fault) in [Fault::Stopped, Fault::Killed, Fault::Stopped, Fault::Killed]
            .into_iter()
            .enumerate()
        {
            let name = format!("{fault:?} {}", number / 2 + 1).to_lowercase();
            match fault {
                Fault::Stopped => keystone.pause()?,
                Fault::Killed => keystone.stop()?,
            }
            phases.push(phase(&name, true, &load, ILL));
            match fault {
                Fault::Stopped => keystone.resume()?,
                Fault::Killed => keystone.start_again()?,
            }
            let began = Instant::now();
            let recovery = recover(&load, keystone, began);
            let mut phase = phase_from(&format!("{name}, after"), true, &load);
            phase.recovery = recovery;
            phases.push(phase);
            phases.push(self::phase(
                &format!("{name}, well again"),
                false,
                &load,
                WELL,
            ));
        }
        Ok(())
    })?;
    println!("{}", table(&phases));
    ensure!(
        tokens.left() > 0,
        "there were too few new tokens for all phases"
    );
    Ok(phases.iter().map(outcome).collect())
}

/// Lets the clients work for a while.
fn phase(name: &str, is_ill: bool, load: &Load<'_>, time: Duration) -> Phase {
    thread::sleep(time);
    phase_from(name, is_ill, load)
}

/// What the clients did since the phase before.
fn phase_from(name: &str, is_ill: bool, load: &Load<'_>) -> Phase {
    Phase {
        name: name.to_owned(),
        calls: load.take(),
        is_ill,
        recovery: None,
    }
}

/// Waits until a new token counts that was shown after `began`.
fn recover(load: &Load<'_>, keystone: &Keystone, began: Instant) -> Option<Duration> {
    // That it is well itself is no business of the server's.
    keystone.wait_until_well(LONGEST * 10).ok()?;
    let began = began.max(Instant::now());
    while began.elapsed() < RECOVERY * 2 {
        if let Some(at) = load.first_new_since(began) {
            // All that was on its way before is part of the phase.
            thread::sleep(LONGEST);
            return Some(at.duration_since(began));
        }
        thread::sleep(POLL);
    }
    None
}

fn outcome(phase: &Phase) -> Outcome {
    let mut wrong = Vec::new();
    let tally = Tally::of(&phase.calls);
    if tally.calls == 0 {
        wrong.push("no call was made".to_owned());
    }
    for call in &phase.calls {
        if let Some(problem) = problem(call, phase.is_ill) {
            wrong.push(problem);
        }
    }
    let is_after = phase.name.ends_with("after");
    match phase.recovery {
        None if is_after => wrong.push(format!("no new token counts within {RECOVERY:?}")),
        Some(time) if time > RECOVERY => wrong.push(format!("new tokens count after {time:?}")),
        _ => {}
    }
    wrong.truncate(20);
    Outcome {
        name: format!("outage.{}", phase.name.replace([' ', ','], "_")),
        verdict: if wrong.is_empty() {
            Verdict::Passed
        } else {
            Verdict::Failed
        },
        detail: wrong.join("\n"),
    }
}

/// What is wrong about a call, if anything is. While Keystone is away the server may say 503, and never that a token
/// is not valid of which it does not know.
fn problem(call: &Call, is_ill: bool) -> Option<String> {
    let kind = call.kind;
    let allowed: &[u16] = match (kind, is_ill) {
        (Kind::Known | Kind::KnownService, _) => &[200],
        (Kind::New | Kind::NewService | Kind::KnownNewService, false) => &[200],
        (Kind::New | Kind::NewService | Kind::KnownNewService, true) => &[200, 503],
        (Kind::Stranger, false) => &[403],
        (Kind::Stranger, true) => &[403, 503],
        (Kind::Invented | Kind::Revoked, false) => &[401],
        (Kind::Invented | Kind::Revoked, true) => &[401, 503],
        (Kind::None, _) => &[401],
    };
    let what = match &call.status {
        Err(error) => Some(format!("no answer: {error}")),
        Ok(status) if !allowed.contains(status) => Some(format!("status {status}")),
        Ok(_) if call.has_payload && !kind.is_good() => Some("the payload".to_owned()),
        Ok(200) if !call.has_payload => Some("200 without the payload".to_owned()),
        Ok(_) if call.took >= LONGEST => Some(format!("{:?}", call.took)),
        Ok(_) => None,
    };
    what.map(|what| format!("{kind:?}: {what}"))
}

fn table(phases: &[Phase]) -> Table {
    let mut table = Table::new(&[
        "phase",
        "calls",
        "200",
        "401",
        "403",
        "503",
        "others",
        "let in wrongly",
        "longest ms",
        "over 3 s",
        "new token counts after ms",
    ]);
    for phase in phases {
        let tally = Tally::of(&phase.calls);
        let of = |status| tally.statuses.get(&status).copied().unwrap_or(0);
        let known: usize = [200, 401, 403, 503].into_iter().map(of).sum();
        table.row([
            phase.name.clone(),
            tally.calls.to_string(),
            of(200).to_string(),
            of(401).to_string(),
            of(403).to_string(),
            of(503).to_string(),
            (tally.calls - known).to_string(),
            tally.wrongly_let_in.to_string(),
            tally.longest.as_millis().to_string(),
            phase
                .calls
                .iter()
                .filter(|call| call.took >= LONGEST)
                .count()
                .to_string(),
            phase
                .recovery
                .map_or_else(String::new, |time| time.as_millis().to_string()),
        ]);
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(kind: Kind, status: u16, has_payload: bool, millis: u64) -> Call {
        Call {
            kind,
            began: Instant::now(),
            took: Duration::from_millis(millis),
            status: Ok(status),
            has_payload,
        }
    }

    #[test]
    fn whatever_should_not_be_is_told() {
        for (call, is_ill, is_bad) in [
            (call(Kind::Known, 200, true, 5), true, false),
            (call(Kind::Known, 503, false, 5), true, true),
            (call(Kind::New, 503, false, 5), true, false),
            (call(Kind::New, 503, false, 5), false, true),
            (call(Kind::New, 401, false, 5), true, true),
            (call(Kind::New, 503, false, 3_000), true, true),
            (call(Kind::Invented, 503, false, 5), true, false),
            (call(Kind::Invented, 200, true, 5), true, true),
            (call(Kind::Revoked, 401, true, 5), false, true),
            (call(Kind::Stranger, 200, true, 5), false, true),
            (call(Kind::None, 503, false, 5), true, true),
            (call(Kind::Known, 200, false, 5), false, true),
        ] {
            assert_eq!(problem(&call, is_ill).is_some(), is_bad, "{call:?}");
        }
    }

    #[test]
    fn a_phase_without_calls_or_recovery_fails() {
        let mut phase = Phase {
            name: "killed 1, after".to_owned(),
            calls: vec![call(Kind::Known, 200, true, 5)],
            is_ill: true,
            recovery: Some(Duration::from_secs(1)),
        };
        assert_eq!(outcome(&phase).verdict, Verdict::Passed);
        phase.recovery = None;
        assert_eq!(outcome(&phase).verdict, Verdict::Failed);
        phase.recovery = Some(RECOVERY * 2);
        assert_eq!(outcome(&phase).verdict, Verdict::Failed);
        phase.recovery = Some(Duration::ZERO);
        phase.calls.clear();
        assert_eq!(outcome(&phase).verdict, Verdict::Failed);
    }
}
