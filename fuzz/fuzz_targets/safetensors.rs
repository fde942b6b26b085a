//! `cargo fuzz run safetensors --features libfuzzer`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| drop(penname_fuzz::target::safetensors::run(data)));
