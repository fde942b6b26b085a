//! `cargo fuzz run gguf --features libfuzzer`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| penname_fuzz::target::gguf::run(data));
