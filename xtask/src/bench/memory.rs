//! Memory of a process, from `/proc`.

use std::fs;

use anyhow::{Context, Result};

/// Resident memory in KiB: now, and the most since the start.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Memory {
    pub(crate) now_kib: u64,
    pub(crate) peak_kib: u64,
}

/// # Errors
/// No such process, or no Linux.
pub(crate) fn of(pid: u32) -> Result<Memory> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).context("reading /proc")?;
    let value = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        line.and_then(|rest| rest.split_whitespace().next()?.parse().ok())
            .with_context(|| format!("no {name}"))
    };
    Ok(Memory {
        now_kib: value("VmRSS:")?,
        peak_kib: value("VmHWM:")?,
    })
}
