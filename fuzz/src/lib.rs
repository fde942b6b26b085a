//! What reads files from elsewhere, as functions of bytes that must never panic, hang, or allocate
//! what the bytes have not earned.
//!
//! A [`Target`] is one reader, with inputs that it accepts to begin from. [`target::ALL`] lists them;
//! the driver in `driver/` changes such inputs and watches, `fuzz_targets/` hands the same functions to
//! libFuzzer.

pub mod sample;
pub mod target;

/// What of an input could be read, outermost first: how deep it came.
pub type Reached = Vec<&'static str>;

/// One reader.
#[derive(Clone, Copy)]
pub struct Target {
    /// What it is called.
    pub name: &'static str,
    /// Reads an input, whatever it is.
    pub run: fn(&[u8]) -> Reached,
    /// Inputs that are read without an error, made by our own writers and by other programs.
    pub seeds: fn() -> Vec<Vec<u8>>,
    /// How its inputs are built.
    pub form: Form,
}

/// How a file is built, so that a changed one is still a file of its kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// Numbers and texts at their places.
    Bytes,
    /// A tree of JSON.
    Json,
    /// The length of a tree of JSON in eight bytes, the tree, and the rest.
    Headed,
    /// A protocol buffer.
    Wire,
}

/// A tree with its length before it, and the rest after it.
pub fn headed(json: &[u8], rest: &[u8]) -> Vec<u8> {
    [&(json.len() as u64).to_le_bytes(), json, rest].concat()
}

/// What [`headed`] put together.
pub fn parts(data: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = data.split_first_chunk()?;
    rest.split_at_checked(usize::try_from(u64::from_le_bytes(*length)).ok()?)
}
