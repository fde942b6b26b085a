//! `cargo fuzz run llama2c --features libfuzzer`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| drop(penname_fuzz::target::llama2c::run(data)));
