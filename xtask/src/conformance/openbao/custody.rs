//! The root key moves from a file into the transit engine, from one version of the key to the next, and out again; the
//! server starts only where it can use the key, and says what to do where it cannot.

use std::fs;
use std::process::Stdio;

use anyhow::{Context, Result, ensure};
use serde_json::{Value as Json, json};

use crate::kit::build::{self, Profile};
use crate::kit::custody::{Outage, Project, rotate, visit};
use crate::kit::openbao::OpenBao;
use crate::kit::server::Launch;

const CURRENT: &str = "DONJON_ROOT_KEY__CURRENT";
const PREVIOUS: &str = "DONJON_ROOT_KEY__PREVIOUS";
/// What a start ends with that lacks a root key.
const NO_ROOT_KEY: i32 = 3;

/// How many facts were checked.
///
/// # Errors
/// OpenBao cannot be had, or an answer was not the right one.
pub(super) fn run(seconds: u64) -> Result<usize> {
    let donjon = build::donjon(Profile::Dev, &[])?;
    let mut bao = OpenBao::start()?;
    let mut launch = Launch::new(&donjon, "noauth")?;
    let mut projects = Vec::new();
    visit(&launch, &mut projects)?;
    into_transit(&bao, &mut launch, &mut projects)?;
    let told = refusals(&mut bao, &launch)?;
    to_the_next_version(&bao, &mut launch, &mut projects)?;
    out_again(&mut bao, &mut launch, &mut projects)?;

    bao.start_again()?;
    let mut launch = Launch::new(&donjon, "noauth")?;
    launch.config(&bao.transit_settings()?)?;
    launch.env(CURRENT, "transit:key_version=2");
    let bao = std::cell::RefCell::new(bao);
    Outage {
        place: "OpenBao",
        seconds,
        projects: 20,
        take_away: &mut || bao.borrow_mut().kill(),
        bring_back: &mut || bao.borrow_mut().start_again(),
    }
    .under_load(&launch)?;
    Ok(told + 4)
}

fn into_transit(bao: &OpenBao, launch: &mut Launch, projects: &mut Vec<Project>) -> Result<()> {
    let file = launch.data_dir().join("root.key");
    launch.config(&bao.transit_settings()?)?;
    launch.env(CURRENT, "transit:");
    launch.env(PREVIOUS, &format!("file:{}", file.display()));
    rotate(launch, projects)?;
    launch.forget(PREVIOUS);
    fs::remove_file(&file)?;
    visit(launch, projects)?;
    println!("the root key moved from a file into OpenBao");
    Ok(())
}

/// A new version of the key, and everything wrapped by it, so that the old one may go.
fn to_the_next_version(
    bao: &OpenBao,
    launch: &mut Launch,
    projects: &mut Vec<Project>,
) -> Result<()> {
    bao.ask("POST", "transit/keys/donjon/rotate", &json!({}))?;
    // What was configured goes on with the version that it names.
    visit(launch, projects)?;
    launch.env(CURRENT, "transit:key_version=2");
    launch.env(PREVIOUS, "transit:");
    rotate(launch, projects)?;
    launch.forget(PREVIOUS);
    let only_new = json!({"min_decryption_version": 2});
    bao.ask("POST", "transit/keys/donjon/config", &only_new)?;
    visit(launch, projects)?;
    println!("the root key moved to the next version of the key in OpenBao");
    Ok(())
}

fn out_again(bao: &mut OpenBao, launch: &mut Launch, projects: &mut Vec<Project>) -> Result<()> {
    let file = launch.secret("second.key", &format!("{}=\n", "A".repeat(43)))?;
    launch.env(CURRENT, &format!("file:{}", file.display()));
    launch.env(PREVIOUS, "transit:key_version=2");
    rotate(launch, projects)?;
    launch.forget(PREVIOUS);
    launch.config("")?;
    bao.kill()?;
    visit(launch, projects)?;
    println!(
        "the root key moved out of OpenBao; {} projects were read each time",
        projects.len()
    );
    Ok(())
}

// === starts that are refused ===

/// How many there were.
fn refusals(bao: &mut OpenBao, launch: &Launch) -> Result<usize> {
    let policy = bao.ask("GET", "sys/policies/acl/donjon", &Json::Null)?;
    let secret = launch.secret("wrong", "s.wrong")?;
    let wrong_token = format!("transit:token_file={}", secret.display());
    let cases = [
        ("transit:key=nokey", "there is no key \"nokey\""),
        (
            "transit:mount=nowhere",
            "there is no transit engine at nowhere/",
        ),
        ("transit:key_version=9", "version 9 of the transit key"),
        ("transit:namespace=nowhere", "namespace not found"),
        ("transit:role_id=wrong", "as AppRole at auth/approle"),
        (&wrong_token, "with its token"),
        ("transit:colour=red", "unknown attribute"),
    ];
    let mut told = 0;
    // The policy is about one key, as it should be; who may use all is told what is not there.
    set_policy(bao, "path \"*\" { capabilities = [\"read\", \"update\"] }")?;
    for (current, expected) in cases {
        refused(launch, Some(current), expected)?;
        told += 1;
    }
    set_policy(
        bao,
        "path \"transit/keys/donjon\" { capabilities = [\"read\"] }",
    )?;
    refused(
        launch,
        None,
        "needs capability update on transit/encrypt/donjon",
    )?;
    let policy = policy.pointer("/data/policy").and_then(Json::as_str);
    set_policy(bao, policy.context("a policy")?)?;
    bao.seal()?;
    refused(
        launch,
        None,
        "is sealed: open it with `bao operator unseal`",
    )?;
    bao.unseal()?;
    bao.kill()?;
    refused(launch, None, "cannot be asked: look whether it runs")?;
    bao.start_again()?;
    println!(
        "{} starts without a usable key were refused, each with what to do",
        told + 3
    );
    Ok(told + 3)
}

fn set_policy(bao: &OpenBao, policy: &str) -> Result<()> {
    let body = json!({"policy": policy});
    bao.ask("PUT", "sys/policies/acl/donjon", &body).map(drop)
}

/// A start that has to fail with this text and the exit code of root keys.
fn refused(launch: &Launch, current: Option<&str>, expected: &str) -> Result<()> {
    let mut command = launch.command();
    if let Some(current) = current {
        command.env(CURRENT, current);
    }
    let output = command.stderr(Stdio::piped()).output()?;
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    ensure!(text.contains(expected), "no {expected:?} in {text}");
    let code = output.status.code();
    let is_right =
        code == Some(NO_ROOT_KEY) || (expected.starts_with("unknown") && code == Some(2));
    ensure!(is_right, "exit code {code:?}: {text}");
    Ok(())
}
