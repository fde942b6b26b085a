//! Many workers make what one program makes.

use std::fs;
use std::io::Write;
use std::process::Stdio;

use crate::bench::{Bench, letters};

const FILES: [&str; 5] = ["documents.jsonl", "train.jsonl", "held_out.jsonl", "issues.jsonl", "account.json"];

fn written() -> Bench {
    let bench = Bench::with_writing(&[("picture.png", "x")]);
    letters(24).iter().for_each(|(name, text)| bench.write(&format!("writing/{name}"), text));
    bench
}

fn corpus(bench: &Bench) -> Vec<Vec<u8>> {
    FILES.iter().map(|name| fs::read(bench.path(&format!("data/corpus/{name}"))).unwrap()).collect()
}

#[test]
fn four_shards_joined_are_the_corpus_to_the_last_byte() {
    let (alone, many) = (written(), written());
    assert_eq!(alone.run(&["prepare"]).code, 0);
    let said = many.run(&["worker", "--freeze", "plan.json", "--shards", "4"]);
    assert_eq!(said.code, 0, "{said:?}");
    assert_eq!(many.run(&["worker", "plan.json", "--join"]).code, 3);
    for shard in ["3", "1", "0", "2", "1"] {
        let said = many.run(&["worker", "plan.json", "--shard", shard]);
        assert_eq!(said.code, 0, "{said:?}");
    }
    let said = many.run(&["worker", "plan.json", "--status"]);
    assert!(said.out.contains("4 of 4 shards are done"), "{}", said.out);
    let said = many.run(&["worker", "plan.json", "--join"]);
    assert_eq!(said.code, 0, "{said:?}");
    assert!(corpus(&alone) == corpus(&many));
    assert!(many.run(&["prepare"]).err.contains("already done"));
}

#[test]
fn what_cannot_be_done_has_its_exit_code() {
    let bench = written();
    assert_eq!(bench.run(&["worker", "--freeze", "plan.json", "--shards", "3"]).code, 3);
    assert_eq!(bench.run(&["worker", "--freeze", "plan.json", "--shards", "2"]).code, 0);
    assert_eq!(bench.run(&["worker", "plan.json"]).code, 2);
    assert_eq!(bench.run(&["worker", "plan.json", "--shard", "2"]).code, 3);
    let folder = bench.path("data/shards/taken");
    let open = folder.join("shard-00000.open");
    penname_ledger::write::folder(&open).unwrap();
    let lock = penname_ledger::Lock::acquire(&open).unwrap();
    let shard = ["worker", "plan.json", "--shard", "0", "--to", folder.to_str().unwrap()];
    assert_eq!(bench.run(&shard).code, 75);
    drop(lock);
    assert_eq!(bench.run(&shard).code, 0);
}

#[test]
fn a_pipe_takes_lines_and_gives_lines() {
    let bench = written();
    assert_eq!(bench.run(&["worker", "--freeze", "plan.json", "--shards", "2"]).code, 0);
    let mut command = bench.command(&["worker", "plan.json", "--stdin"]);
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let lines = b"{\"id\":\"a\",\"text\":\"Tea &amp; toast, as ever.\"}\nnonsense\n";
    child.stdin.take().unwrap().write_all(lines).unwrap();
    let output = child.wait_with_output().unwrap();
    let out = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success() && out.lines().count() == 2, "{out}");
    assert!(out.contains("Tea & toast") && out.contains("{\"issue\""), "{out}");
}
