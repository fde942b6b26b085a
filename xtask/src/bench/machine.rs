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

/// The processor's name, with its generation where the name does not tell it.
pub(super) fn cpu_name() -> String {
    named(&fs::read_to_string("/proc/cpuinfo").unwrap_or_default())
}

/// The name in a list of processors as Linux gives it. Virtual machines are told the brand alone, though
/// one generation is twice as fast as another.
fn named(cpuinfo: &str) -> String {
    let field = |name: &str| {
        let lines = cpuinfo.lines().filter_map(|line| line.split_once(':'));
        lines.map(|(key, value)| (key.trim(), value.trim())).find(|(key, _)| *key == name).map(|(_, v)| v)
    };
    let name = field("model name").unwrap_or(std::env::consts::ARCH);
    let has_avx512 = field("flags").is_some_and(|flags| flags.contains("avx512f"));
    match (field("vendor_id"), field("cpu family")) {
        (Some("AuthenticAMD"), Some("26")) => format!("{name} (Zen 5)"),
        (Some("AuthenticAMD"), Some("25")) if has_avx512 => format!("{name} (Zen 4)"),
        (Some("AuthenticAMD"), Some("25")) => format!("{name} (Zen 3)"),
        _ => name.to_owned(),
    }
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
    use super::*;

    #[test]
    fn a_brand_is_told_with_its_generation() {
        let amd =
            "vendor_id\t: AuthenticAMD\ncpu family\t: 25\nmodel name\t: AMD EPYC\nflags\t\t: fpu avx512f\n";
        assert_eq!(named(amd), "AMD EPYC (Zen 4)");
        assert_eq!(named(&amd.replace("25", "26")), "AMD EPYC (Zen 5)");
        assert_eq!(named(&amd.replace(" avx512f", "")), "AMD EPYC (Zen 3)");
        assert_eq!(named("vendor_id : GenuineIntel\nmodel name : Intel X\n"), "Intel X");
        assert_eq!(named(""), std::env::consts::ARCH);
    }

    #[test]
    fn names_of_processors_become_names_of_folders() {
        assert_eq!(folder_name("AMD EPYC(tm) 9R14 96-Core"), "amd-epyc-tm-9r14-96-core");
        assert_eq!(folder_name("  "), "");
    }
}
