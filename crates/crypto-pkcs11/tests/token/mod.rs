//! Tokens of SoftHSM2 in a folder of their own.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
    sync::Arc,
};

use donjon_crypto_pkcs11::Module;
use tempfile::TempDir;

pub(crate) const PIN: &str = "12345678";

/// Where distributions put the module.
const MODULES: &[&str] = &[
    "/usr/lib/softhsm/libsofthsm2.so",
    "/usr/lib64/softhsm/libsofthsm2.so",
    "/usr/lib64/pkcs11/libsofthsm2.so",
    "/usr/local/lib/softhsm/libsofthsm2.so",
];

/// A module whose tokens lie in a folder of this process.
///
/// The workspace's `.cargo/config.toml` makes SoftHSM look for tokens in
/// `./tokens`, so the process goes to a folder of its own.
pub(crate) struct SoftHsm {
    folder: PathBuf,
    module: Arc<Module>,
}

impl SoftHsm {
    /// With tokens of these labels. A module sees those alone that are there when
    /// it is loaded.
    pub(crate) fn new(labels: &[&str]) -> Self {
        let all = Path::new(env!("CARGO_TARGET_TMPDIR")).join("softhsm");
        fs::create_dir_all(&all).unwrap();
        // Statics are not dropped, so each run takes away what earlier ones left.
        for left in fs::read_dir(&all).unwrap().flatten() {
            let age = left.metadata().and_then(|data| data.modified());
            let is_old = age.is_ok_and(|at| at.elapsed().is_ok_and(|age| age.as_secs() > 600));
            if is_old {
                drop(fs::remove_dir_all(left.path()));
            }
        }
        let folder = TempDir::new_in(&all).unwrap().keep();
        fs::create_dir(folder.join("tokens")).unwrap();
        env::set_current_dir(&folder).unwrap();
        for label in labels {
            init_token(label);
        }
        let module = module_path();
        Self {
            module: Module::load(&module).unwrap(),
            folder,
        }
    }

    pub(crate) fn module(&self) -> Arc<Module> {
        Arc::clone(&self.module)
    }

    /// Where the token lies, and where it can be put away.
    pub(crate) fn folders_of(&self, label: &str) -> (PathBuf, PathBuf) {
        let is_meant = |folder: &PathBuf| {
            let file = fs::read(folder.join("token.object")).unwrap_or_default();
            file.windows(label.len())
                .any(|part| part == label.as_bytes())
        };
        let mut tokens = fs::read_dir(self.folder.join("tokens")).unwrap();
        let here = tokens.find_map(|token| Some(token.unwrap().path()).filter(is_meant));
        (here.unwrap(), self.folder.join(format!("{label}-away")))
    }
}

fn init_token(label: &str) {
    let output = Command::new("softhsm2-util")
        .args(["--init-token", "--free", "--label", label])
        .args(["--pin", PIN, "--so-pin", PIN])
        .output()
        .expect("softhsm2-util runs; on Debian: apt-get install softhsm2");
    assert!(output.status.success(), "{output:?}");
}

fn module_path() -> PathBuf {
    if let Some(path) = env::var_os("SOFTHSM2_MODULE") {
        return path.into();
    }
    let found = MODULES.iter().map(PathBuf::from).find(|path| path.exists());
    found.expect("SoftHSM2 is there; on Debian: apt-get install softhsm2")
}
