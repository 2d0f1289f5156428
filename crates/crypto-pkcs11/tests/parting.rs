//! How a device lets go of its module. Alone in its process, whose threads it counts.

#![expect(
    clippy::unwrap_used,
    reason = "a test may fail; clippy's own exception does not reach helpers of integration tests"
)]
#![expect(dead_code, reason = "another test needs more of the tokens")]

mod token;

use std::{fs, sync::Arc, time::Duration};

use donjon_crypto_pkcs11::{Device, DeviceConfig, DeviceKeys, TokenChoice};
use donjon_domain::SecretBytes;
use donjon_testkit::block_on;

use self::token::{PIN, SoftHsm};

/// A thread that still ends while the process does takes it down: OpenSSL, on which
/// SoftHSM2 stands, cleans up after both.
#[test]
fn no_thread_is_left_when_a_device_is_dropped() {
    let softhsm = SoftHsm::new(&["parting"]);
    for round in 0..50 {
        let device = Device::new(
            softhsm.module(),
            DeviceConfig {
                token: TokenChoice::default(),
                pin: Arc::new(SecretBytes::new(PIN.into())),
                rw_session: true,
                sessions_max: 4,
                patience: Duration::from_secs(20),
                rest: Duration::from_millis(50),
            },
        );
        let keys = block_on(DeviceKeys::open(Arc::new(device))).unwrap();
        drop(keys);
        assert_eq!(threads_in_the_module(), 0, "round {round}");
    }
}

/// Those that may still run something of the library's. One that was joined may be listed for
/// a moment more, while the kernel buries it.
fn threads_in_the_module() -> usize {
    let threads = fs::read_dir("/proc/self/task").unwrap().flatten();
    let stats = threads.map(|thread| fs::read_to_string(thread.path().join("stat")));
    stats
        .filter(|stat| stat.as_ref().is_ok_and(|stat| is_in_the_module(stat)))
        .count()
}

/// By a line as proc(5) has it: id, (name), state, five ids, flags.
fn is_in_the_module(stat: &str) -> bool {
    let (head, rest) = stat.rsplit_once(") ").unwrap();
    let flags: u32 = rest.split(' ').nth(6).unwrap().parse().unwrap();
    head.ends_with("(donjon-hsm") && flags & PF_EXITING == 0
}

/// From the kernel's `linux/sched.h`.
const PF_EXITING: u32 = 4;
