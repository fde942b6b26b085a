//! `cargo fuzz run shard --features libfuzzer`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| drop(penname_fuzz::target::shard::run(data)));
