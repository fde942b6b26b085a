//! Files of ids: our own shards, and those of llama2.c.

use penname_token::Shard;
use penname_token::shard::llama2c;

use crate::{Form, Reached, Target, sample};

/// See the [module](self).
pub const TARGET: Target = Target { name: "shard", run, seeds: sample::shards, form: Form::Bytes };

/// Reads a file as either. The hash at the end of ours is made right first, as who deceives would.
pub fn run(data: &[u8]) -> Reached {
    let mut reached = Vec::new();
    let content = &data[..data.len().saturating_sub(32)];
    let hashed = [content, penname_ledger::Hash::of(content).as_bytes()].concat();
    if let Ok(shard) = Shard::from_bytes(&hashed) {
        reached.push("shard");
        let again = Shard::from_bytes(&shard.to_bytes());
        assert!(again.as_ref() == Ok(&shard), "a shard that was read cannot be read again: {again:?}");
    }
    if llama2c::read(data, 1, Some(2), 512).is_ok_and(|texts| !texts.is_empty()) {
        reached.push("texts");
    }
    reached
}
