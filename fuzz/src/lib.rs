//! What reads files from elsewhere, as functions of bytes that must never panic, hang, or allocate
//! what the bytes have not earned.
//!
//! A [`Target`] is one reader, with inputs that it accepts to begin from. [`target::ALL`] lists them;
//! the driver in `driver/` changes such inputs and watches, `fuzz_targets/` hands the same functions to
//! libFuzzer.

pub mod sample;
pub mod target;

/// One reader.
#[derive(Clone, Copy)]
pub struct Target {
    /// What it is called.
    pub name: &'static str,
    /// Reads an input, whatever it is.
    pub run: fn(&[u8]),
    /// Inputs that are read without an error, made by our own writers.
    pub seeds: fn() -> Vec<Vec<u8>>,
    /// Whether an input is JSON.
    pub is_json: bool,
}
