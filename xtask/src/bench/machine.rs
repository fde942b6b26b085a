//! What a timing was taken on, as the system tells it.

use std::fs;

/// Most memory this process ever occupied, in bytes, if the system says.
pub(super) fn peak_rss_bytes() -> Option<u64> {
    peak_rss_of(std::process::id())
}

/// Most memory that a running process ever occupied, in bytes, if the system says.
pub(super) fn peak_rss_of(process: u32) -> Option<u64> {
    let text = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.split_whitespace().next()?.parse::<u64>().ok()?.checked_mul(1024)
}

/// The processor's name.
pub(super) fn cpu_name() -> String {
    let text = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let name = text.lines().find(|line| line.starts_with("model name")).and_then(|line| line.split_once(':'));
    name.map_or_else(|| std::env::consts::ARCH.to_owned(), |(_, name)| name.trim().to_owned())
}

/// How many processes wanted to run in the last 1, 5 and 15 minutes.
pub(super) fn load_average() -> String {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let three: Vec<&str> = text.split_whitespace().take(3).collect();
    if three.is_empty() { "unknown".to_owned() } else { three.join(" ") }
}

/// A name for a folder: lower case, words parted by single hyphens.
pub(super) fn folder_name(text: &str) -> String {
    let plain: String =
        text.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { ' ' }).collect();
    plain.split_whitespace().collect::<Vec<_>>().join("-")
}

#[cfg(test)]
mod tests {
    use super::folder_name;

    #[test]
    fn names_of_processors_become_names_of_folders() {
        assert_eq!(folder_name("AMD EPYC(tm) 9R14 96-Core"), "amd-epyc-tm-9r14-96-core");
        assert_eq!(folder_name("  "), "");
    }
}
