//! How much room there is.

use std::path::Path;
use std::process::Command;

/// Bytes this user may still write to the file system `path` lies on; `None` where it cannot be
/// learned. A guess about the future: others write too, so a full disk still has to be handled.
///
/// Asks `df`, whose `-P` output POSIX fixes; the standard library has no call for it.
pub fn free_bytes(path: &Path) -> Option<u64> {
    let output = Command::new("df").arg("-Pk").arg(path).env("LC_ALL", "C").output().ok()?;
    output.status.success().then(|| available(&String::from_utf8_lossy(&output.stdout))).flatten()
}

/// The fourth column of the second line, in units of 1024 bytes. Columns are counted from the
/// percentage back, because the first one, the device, may hold blanks.
fn available(table: &str) -> Option<u64> {
    let columns: Vec<&str> = table.lines().nth(1)?.split_whitespace().collect();
    let percent = columns.iter().position(|column| column.ends_with('%'))?;
    columns.get(percent.checked_sub(1)?)?.parse::<u64>().ok()?.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_read_as_posix_writes_it() {
        let check = |row: &str, expected: Option<u64>| {
            let head = "Filesystem 1024-blocks Used Available Capacity Mounted on\n";
            assert_eq!(available(&format!("{head}{row}\n")), expected, "{row}");
        };
        check("/dev/vda 264128000 18874368 77594624 20% /", Some(77_594_624 * 1024));
        check("my disk 100 40 60 40% /mnt/my disk", Some(60 * 1024));
        check("none 0 0 0 100% /", Some(0));
        check("odd 1 2", None);
        check("huge 1 1 18446744073709551615 1% /", None);
        assert_eq!(available(""), None);
    }

    #[cfg(unix)]
    #[test]
    fn the_current_folder_has_some_room_and_a_missing_one_is_unknown() {
        assert!(free_bytes(Path::new(".")).is_some());
        assert_eq!(free_bytes(Path::new("no/such/folder")), None);
    }
}
