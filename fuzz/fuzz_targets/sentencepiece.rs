//! `cargo fuzz run sentencepiece --features libfuzzer`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| drop(penname_fuzz::target::sentencepiece::run(data)));
