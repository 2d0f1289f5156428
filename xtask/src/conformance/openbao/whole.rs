//! A whole server that keeps payloads in OpenBao, while that is sealed, killed and back again.

use anyhow::{Result, ensure};

use crate::conformance::project::Project;
use crate::kit::build::{self, Profile};
use crate::kit::openbao::OpenBao;
use crate::kit::server::Launch;

/// How many facts were checked.
///
/// # Errors
/// OpenBao cannot be had, or an answer was not the right one.
pub(super) fn run() -> Result<usize> {
    let donjon = build::donjon(Profile::Dev, &[])?;
    let mut bao = OpenBao::start()?;
    let mut launch = Launch::new(&donjon, "noauth")?;
    let token = format!("plugin = \"vault\"\nurl = \"{}\"\n", bao.url());
    launch.config(&format!(
        "[[secret_stores]]\nname = \"bao\"\nglobal_default = true\n{}\n\
         [[secret_stores]]\nname = \"by-token\"\n{token}token_file = \"{}\"\n",
        bao.kv_settings()?,
        launch.secret("bao-token", &bao.token()?)?.display()
    ))?;
    let server = launch.start_again()?;
    let web = Project::new(&server, "web");
    let stored = web.store("kept in OpenBao")?;
    ensure!(web.read(&stored)?.text() == "kept in OpenBao");
    let ordered = web.order()?;
    println!("a secret is stored and read, an order makes a key");
    bao.seal()?;
    web.expect(&stored, 503)?;
    bao.unseal()?;
    let back = web.wait(&stored)?;
    println!("sealed: 503; read again {back:.1} s after it was unsealed");
    bao.kill()?;
    web.expect(&stored, 503)?;
    ensure!(web.try_store("lost?")?.status == 503);
    bao.start_again()?;
    let back = web.wait(&stored)?;
    println!("killed: 503; read again {back:.1} s after it was started");
    ensure!(web.read(&ordered)?.body.len() == 32);
    ensure!(web.read(&stored)?.text() == "kept in OpenBao");
    web.store("kept afterwards")?;
    server.stop()?;
    Ok(5)
}
