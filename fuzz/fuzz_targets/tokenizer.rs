//! `cargo fuzz run tokenizer --features libfuzzer`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| drop(penname_fuzz::target::tokenizer::run(data)));
