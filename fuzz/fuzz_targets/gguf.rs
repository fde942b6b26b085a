//! `cargo fuzz run gguf --features libfuzzer`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| drop(penname_fuzz::target::gguf::run(data)));
