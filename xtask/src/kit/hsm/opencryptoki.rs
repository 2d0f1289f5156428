//! openCryptoki's software token, without a trace in the system.
//!
//! Its paths are built in, and its daemon shares memory with every program that uses it. So daemon and programs run in
//! namespaces of their own (user, mount, IPC), where folders of ours stand in place of the system's. They are left and
//! the daemon ends when the stdin of the process that holds them closes, which it does however this process ends.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result, ensure};

use super::{PIN, Token, first_of};
use crate::kit::tools;

const LACKING: &str = "on Debian: apt-get install opencryptoki";

/// Where Debian and others have the programs, which need not be on the path of a user.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

const SLOT: &str = "1";

const CONF: &str = "version opencryptoki-3.1\nslot 1\n{\nstdll = libpkcs11_sw.so\n}\n";

/// Makes a token in the folder `$1` with the PIN `$2`, and keeps the namespaces until stdin ends. Then the daemon is not
/// asked, since it stays for as long as a program is attached; what it shares goes away with the namespaces.
const HOLD: &str = r#"set -eu
mount --make-rprivate /
mount --bind "$1/group" /etc/group
mount --bind "$1/etc" /etc/opencryptoki
mount --bind "$1/lib" /var/lib/opencryptoki
mount -t tmpfs none /run
mkdir -p /run/lock/opencryptoki/swtok
pkcsslotd
trap 'kill -9 "$(cat /run/pkcsslotd.pid)"' EXIT
tries=0
until test -S /run/pkcsslotd.socket; do
    tries=$((tries + 1)); test $tries -lt 100; sleep 0.1
done
{
    echo donjon | pkcsconf -I -c 1 -S 87654321
    pkcsconf -P -c 1 -S 87654321 -n 76543210
    pkcsconf -u -c 1 -S 76543210 -n "$2"
} >&2
echo ready
read -r _ || true
"#;

/// openCryptoki with one token.
#[derive(Debug)]
pub(crate) struct OpenCryptoki {
    token: Token,
    holder: Child,
}

impl OpenCryptoki {
    /// A token without keys.
    ///
    /// # Errors
    /// openCryptoki is lacking, or the system lets nobody have namespaces.
    pub(crate) fn new() -> Result<Self> {
        tools::need_program("nsenter", "on Debian: apt-get install util-linux")?;
        let mut token = Token::new(module()?)?;
        let folder = token.folder();
        fs::create_dir_all(folder.join("lib/swtok/TOK_OBJ"))?;
        fs::create_dir(folder.join("etc"))?;
        fs::write(folder.join("etc/opencryptoki.conf"), CONF)?;
        // It wants a group of this name, and there is no other one in the namespace.
        fs::write(folder.join("group"), "root:x:0:\npkcs11:x:0:root\n")?;
        let mut holder = Command::new("unshare")
            .args(["--map-root-user", "--mount", "--ipc", "sh", "-c", HOLD])
            .arg("sh")
            .arg(folder)
            .arg(PIN)
            .env("PATH", PATH)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("running unshare")?;
        let mut line = String::new();
        let output = holder.stdout.take().context("stdout of the holder")?;
        BufReader::new(output).read_line(&mut line)?;
        let pid = holder.id().to_string();
        let within = ["nsenter", "--preserve-credentials", "-U", "-m", "-i", "-t"];
        token.within = within.map(str::to_owned).to_vec();
        token.within.extend([pid, "--".to_owned()]);
        // Its description of the token cannot be read by all.
        token.place = vec!["--slot-id".to_owned(), SLOT.to_owned()];
        let started = Self { token, holder };
        ensure!(
            line == "ready\n",
            "openCryptoki has no token; its own words are above"
        );
        Ok(started)
    }

    pub(crate) fn token(&self) -> &Token {
        &self.token
    }
}

impl Drop for OpenCryptoki {
    fn drop(&mut self) {
        drop(self.holder.stdin.take());
        // It may have ended by itself; there is nobody to tell.
        drop(self.holder.wait());
    }
}

fn module() -> Result<PathBuf> {
    first_of(&[
        "/usr/lib/x86_64-linux-gnu/libopencryptoki.so.0",
        "/usr/lib/aarch64-linux-gnu/libopencryptoki.so.0",
        "/usr/lib64/opencryptoki/libopencryptoki.so",
        "/usr/lib/opencryptoki/libopencryptoki.so",
    ])
    .with_context(|| format!("no openCryptoki; {LACKING}"))
}
