//! Which processes live, and on which machine this one runs.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

/// Whether a process with this number may be alive on this machine. Where the system cannot be
/// asked the answer is yes, so that nothing of a living process is ever taken from it.
pub(crate) fn may_live(pid: u32) -> bool {
    if pid == std::process::id() {
        return true;
    }
    let processes = Path::new("/proc");
    if processes.join("self").exists() {
        return processes.join(pid.to_string()).exists();
    }
    let asked = Command::new("ps").args(["-p", &pid.to_string()]).stdout(Stdio::null()).status();
    asked.map_or(true, |status| status.success())
}

/// The name of this machine; `unknown` where it cannot be learned.
pub(crate) fn host() -> String {
    let from_file =
        ["/proc/sys/kernel/hostname", "/etc/hostname"].iter().find_map(|path| fs::read_to_string(path).ok());
    let name = from_file.or_else(|| {
        let output = Command::new("hostname").output().ok()?;
        String::from_utf8(output.stdout).ok()
    });
    match name.as_deref().map(str::trim) {
        Some(name) if !name.is_empty() => name.to_owned(),
        _ => "unknown".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_lives_and_a_finished_child_does_not() {
        assert!(may_live(std::process::id()));
        let mut child = Command::new("true").spawn().unwrap();
        child.wait().unwrap();
        assert!(!may_live(child.id()));
    }

    #[test]
    fn the_host_has_a_name() {
        assert!(!host().is_empty());
        assert_eq!(host(), host());
    }
}
