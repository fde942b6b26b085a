//! What is on disk when a process is killed in the middle of its work.
#![expect(clippy::unwrap_used, reason = "a test may fail")]

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use penname_ledger::write::{self, Staged};
use penname_ledger::{Hash, Journal, Lock, Manifest, journal, manifest};
use serde_json::{Value, json};

/// Larger than any buffer, so that a kill can fall between two writes of one file.
const N_BYTES: usize = 300_000;

fn content(n: u64) -> Vec<u8> {
    let mut bytes = vec![(n % 251) as u8; N_BYTES];
    bytes[..8].copy_from_slice(&n.to_le_bytes());
    bytes
}

/// The child: writes in its current folder for ever, when it finds that it was put there to.
#[test]
#[ignore = "the killed process of the test below; does nothing by itself"]
fn victim() {
    if !Path::new("victim").exists() {
        return;
    }
    let _lock = Lock::acquire(Path::new(".")).unwrap();
    write::sweep(Path::new(".")).unwrap();
    let mut rows = Journal::open(Path::new("rows.jsonl")).unwrap();
    for n in 0.. {
        write::bytes(Path::new("file"), &content(n)).unwrap();
        let staged = Staged::create(Path::new("folder")).unwrap();
        write::bytes(&staged.dir().join("part"), &content(n)).unwrap();
        let order = manifest::Order::new("test", "1");
        Manifest::new(order).finish(staged.dir(), &["part"]).unwrap();
        staged.commit().unwrap();
        rows.append(&json!({"n": n, "pad": "x".repeat(3000)})).unwrap();
    }
}

/// The child of the last test: adds rows until the system stops it in the middle of one.
#[test]
#[ignore = "the limited process of the test below; does nothing by itself"]
fn hungry() {
    if !Path::new("hungry").exists() {
        return;
    }
    let mut rows = Journal::open(Path::new("rows.jsonl")).unwrap();
    let row = json!({"pad": "x".repeat(3000)});
    let n_rows = (0..1000).take_while(|_| rows.append(&row).is_ok()).count();
    let (read, bad) = journal::read_all::<Value>(Path::new("rows.jsonl")).unwrap();
    assert_eq!((read.len(), bad.len()), (n_rows, 0), "nothing of the row that did not fit is left");
    assert!(n_rows < 1000, "the limit was not felt");
    write::bytes(Path::new("fits"), b"x").unwrap();
    assert!(write::bytes(Path::new("fits"), &[7; 1 << 20]).is_err());
    assert_eq!(fs::read("fits").unwrap(), b"x");
    write::bytes(Path::new("done"), b"").unwrap();
}

/// A limit on the size of files, met in the middle of a row, does what a full disk does.
#[cfg(unix)]
#[test]
fn a_row_that_does_not_fit_leaves_nothing() {
    let dir = tempfile::tempdir().unwrap();
    write::bytes(&dir.path().join("hungry"), b"").unwrap();
    let status = Command::new("sh")
        .args(["-c", "trap '' XFSZ; ulimit -f 100; exec \"$0\" --ignored --exact hungry"])
        .arg(std::env::current_exe().unwrap())
        .current_dir(dir.path())
        .stdout(Stdio::null())
        .status()
        .unwrap();
    assert!(status.success() && dir.path().join("done").exists());
}

fn spawn(dir: &Path) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "victim"])
        .current_dir(dir)
        .stdout(Stdio::null())
        .spawn()
        .unwrap()
}

fn is_whole(bytes: &[u8]) -> bool {
    let n = u64::from_le_bytes(bytes[..8].try_into().unwrap());
    bytes == content(n)
}

#[test]
fn a_killed_process_leaves_only_whole_things() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    write::bytes(&at("victim"), b"").unwrap();
    let mut n_seen = 0;
    for round in 0..12u64 {
        let mut child = spawn(dir.path());
        // Different moments of the work; what matters is that they differ, not which they are.
        std::thread::sleep(Duration::from_millis(40 + 13 * round));
        child.kill().unwrap();
        child.wait().unwrap();

        let lock = Lock::acquire(dir.path()).unwrap();
        assert!(lock.previous().is_none_or(|dead| dead.pid == child.id()));
        write::sweep(dir.path()).unwrap();
        if at("file").exists() {
            assert!(is_whole(&fs::read(at("file")).unwrap()), "round {round}");
            n_seen += 1;
        }
        if at("folder").exists() {
            let manifest = Manifest::read(&at("folder")).unwrap();
            assert_eq!(manifest.verify(&at("folder"), manifest::Depth::Content), Ok(()));
            assert_eq!(Hash::of_file(&at("folder/part")).unwrap(), manifest.outputs["part"].hash);
        }
        if at("rows.jsonl").exists() {
            Journal::open(&at("rows.jsonl")).unwrap();
            assert!(journal::read_all::<Value>(&at("rows.jsonl")).unwrap().1.is_empty());
        }
        let hidden = |name: &str| name.starts_with('.') && name != ".lock";
        let left: Vec<_> = fs::read_dir(dir.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .filter(|name| hidden(name))
            .collect();
        assert!(left.is_empty(), "round {round}: {left:?}");
    }
    assert!(n_seen > 0, "no child lived long enough to write anything");
}
