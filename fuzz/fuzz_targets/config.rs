//! `cargo fuzz run config --features libfuzzer`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| penname_fuzz::target::config::run(data));
