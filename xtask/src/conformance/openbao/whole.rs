//! A whole server that has its root key and payloads in OpenBao, while that is sealed, killed and back again.

use anyhow::{Result, ensure};

use crate::conformance::project::Project;
use crate::kit::build::{self, Profile};
use crate::kit::openbao::{KV_PREFIX, OpenBao};
use crate::kit::server::{Launch, Server};

/// A secret of a project: the names of both, and the path of its payload.
struct Kept {
    project: &'static str,
    payload: String,
}

/// How many facts were checked.
///
/// # Errors
/// OpenBao cannot be had, or an answer was not the right one.
pub(super) fn run() -> Result<usize> {
    let donjon = build::donjon(Profile::Dev, &[])?;
    let mut bao = OpenBao::start()?;
    let mut launch = Launch::new(&donjon, "noauth")?;
    launch.config(&settings(&bao, &launch)?)?;
    let server = launch.start_again()?;
    let web = Project::new(&server, "web");
    let in_bao = Kept::new(&server, "web")?;
    let ordered = web.order()?;
    for (project, store) in [
        ("by-token", "by-token"),
        ("seen", "database"),
        ("unseen", "database"),
    ] {
        Project::new(&server, project).prefer(store)?;
    }
    let by_token = Kept::new(&server, "by-token")?;
    let (seen, unseen) = (Kept::new(&server, "seen")?, Kept::new(&server, "unseen")?);
    server.stop()?;
    println!("root key and payloads in OpenBao: a secret is stored and read, an order makes a key");

    // From here on its memory decides who is served.
    let server = launch.start_again()?;
    for kept in [&in_bao, &by_token, &seen] {
        kept.expect(&server, 200)?;
    }
    let web = Project::new(&server, "web");
    let is_away = || -> Result<()> {
        seen.expect(&server, 200)?;
        Kept::new(&server, "seen")?.expect(&server, 200)?;
        for kept in [&unseen, &in_bao, &by_token] {
            kept.expect(&server, 503)?;
        }
        ensure!(web.try_store("lost?")?.status == 503);
        ensure!(Project::new(&server, "new").try_store("lost?")?.status == 503);
        Ok(())
    };
    bao.seal()?;
    is_away()?;
    bao.unseal()?;
    let back = web.wait(&in_bao.payload)?;
    println!(
        "sealed: what was read before and is in the database is served, the rest is 503; all again after {back:.1} s"
    );
    bao.kill()?;
    is_away()?;
    bao.start_again()?;
    let back = web.wait(&in_bao.payload)?;
    println!("killed: likewise; all again after {back:.1} s");
    for kept in [&by_token, &seen, &unseen] {
        Project::new(&server, kept.project).wait(&kept.payload)?;
    }
    ensure!(web.read(&ordered)?.body.len() == 32);
    Kept::new(&server, "new")?.expect(&server, 200)?;
    server.stop()?;
    Ok(5)
}

/// The root key in transit, and three stores: KV by a role and by a token, and the database.
fn settings(bao: &OpenBao, launch: &Launch) -> Result<String> {
    let token = launch.secret("bao-token", &bao.token()?)?;
    Ok(format!(
        "[root_key]\ncurrent = \"transit:\"\n\n{}\n\
         [[secret_stores]]\nname = \"bao\"\nglobal_default = true\n{}\n\
         [[secret_stores]]\nname = \"by-token\"\nplugin = \"vault\"\nurl = \"{}\"\ntoken_file = \"{}\"\n\
         prefix = \"{KV_PREFIX}/by-token\"\n\n\
         [[secret_stores]]\nname = \"database\"\nplugin = \"database\"\n",
        bao.transit_settings()?,
        bao.kv_settings()?,
        bao.url(),
        token.display()
    ))
}

impl Kept {
    fn new(server: &Server, project: &'static str) -> Result<Self> {
        let payload = Project::new(server, project).store(project)?;
        Ok(Self { project, payload })
    }

    fn expect(&self, server: &Server, status: u16) -> Result<()> {
        let project = Project::new(server, self.project);
        project.expect(&self.payload, status)?;
        let is_right = status != 200 || project.read(&self.payload)?.text() == self.project;
        ensure!(is_right, "another payload than that of {}", self.project);
        Ok(())
    }
}
