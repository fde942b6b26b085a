//! Everything that can be wrong with a checkpoint, a configuration or an adapter.

use std::io;
use std::path::{Path, PathBuf};

use crate::quant::Storage;

/// What every fallible function of this crate returns.
pub type Result<T> = std::result::Result<T, Error>;

/// A failure of this crate, by cause.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file could not be opened or read.
    #[error("cannot read `{}`", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// A file could not be written.
    #[error(transparent)]
    Unwritable(#[from] penname_ledger::Error),
    /// Something is wrong inside a file. [`Error::cause`] tells what.
    #[error("`{}`: {cause}", path.display())]
    InFile {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        cause: Box<Error>,
    },

    /// A weight is to be trained and to stay quantized.
    #[error(
        "tensor `{tensor}` is to be trained and to be kept as {format}: the steps of training are smaller than \
         those between its values; expected the base to be rounded first, or low-rank pairs beside it"
    )]
    QuantizedTrainable {
        /// The weight.
        tensor: String,
        /// The format it would be kept in.
        format: String,
    },

    /// There is no checkpoint at this path.
    #[error(
        "`{}` is not a checkpoint, expected a GGUF, llama2.c or safetensors file, or a folder with \
         config.json and model.safetensors", path.display()
    )]
    NotACheckpoint {
        /// What was given.
        path: PathBuf,
    },
    /// The weights are pickled; loading them would mean running the program inside.
    #[error("`{}` is a pickle, which can run programs when loaded; expected safetensors", path.display())]
    Pickle {
        /// The pickled file.
        path: PathBuf,
    },
    /// A text file is larger than any honest one.
    #[error("holds {found} bytes, expected at most {limit}")]
    TooLarge {
        /// Its size.
        found: u64,
        /// The most that is read.
        limit: u64,
    },
    /// A file is not valid JSON, or not of the form it should have.
    #[error("not the expected JSON: {source}")]
    Json {
        /// What the parser said.
        source: serde_json::Error,
    },

    /// The file does not begin like a GGUF file.
    #[error("begins with {found:?}, expected \"GGUF\"")]
    NotGguf {
        /// The first bytes.
        found: Vec<u8>,
    },
    /// A GGUF file of a version or byte order this crate does not read.
    #[error("is GGUF version {found}, expected 2 or 3 in little-endian byte order")]
    GgufVersion {
        /// The version field.
        found: u32,
    },
    /// The file ends too early.
    #[error("ends inside {what}: {needed} bytes needed at offset {offset}, {left} left")]
    Truncated {
        /// What was being read.
        what: String,
        /// Where.
        offset: usize,
        /// Bytes needed.
        needed: u64,
        /// Bytes left.
        left: usize,
    },
    /// The file is longer or shorter than its header says.
    #[error("holds {found} bytes, expected {expected} by its header")]
    SizeDisagrees {
        /// Its size.
        found: usize,
        /// What the numbers in it make.
        expected: u128,
    },
    /// Values that share a scale do not come out even.
    #[error("tensor `{tensor}` has {n_values} values, expected a multiple of the group of {group}")]
    GroupUneven {
        /// The tensor.
        tensor: String,
        /// How many it has.
        n_values: usize,
        /// How many share a scale.
        group: usize,
    },
    /// A text is not UTF-8.
    #[error("{what} is not UTF-8 at offset {offset}")]
    NotText {
        /// What was being read.
        what: String,
        /// Where the text begins.
        offset: usize,
    },
    /// A number stands where only certain ones have a meaning.
    #[error("{what} is {found}, expected {expected}")]
    BadNumber {
        /// What was being read.
        what: String,
        /// What stands there.
        found: u64,
        /// What may stand there.
        expected: &'static str,
    },
    /// A name occurs twice where it must be unique.
    #[error("key `{key}` occurs twice")]
    KeyTwice {
        /// The name.
        key: String,
    },
    /// The architecture of a GGUF file is not in the table.
    #[error("architecture `{found}` is not known, expected one of: {known}")]
    ArchitectureUnknown {
        /// What the file says.
        found: String,
        /// Those in the table.
        known: String,
    },
    /// The safetensors container is broken.
    #[error("not a valid safetensors file: {source}")]
    Safetensors {
        /// What the parser said.
        source: safetensors::SafeTensorError,
    },

    /// A tensor is stored in a format this crate does not read, or may not be stored in.
    #[error("tensor `{tensor}` is stored as {found}, expected {expected}")]
    StorageUnsupported {
        /// The tensor.
        tensor: String,
        /// Its format.
        found: String,
        /// What it may be.
        expected: String,
    },
    /// A shape has no values, overflows, or does not fill whole blocks.
    #[error("tensor `{tensor}` of shape {shape:?} cannot be stored as {storage}")]
    ShapeUnstorable {
        /// The tensor.
        tensor: String,
        /// Its shape.
        shape: Vec<usize>,
        /// Its format.
        storage: Storage,
    },
    /// A tensor claims bytes that are not there, or not where one may begin.
    #[error(
        "tensor `{tensor}` claims {n_bytes} bytes at offset {offset} of {available}, aligned to {alignment}"
    )]
    TensorMisplaced {
        /// The tensor.
        tensor: String,
        /// Where its bytes begin, from the start of the data.
        offset: u64,
        /// How many it has.
        n_bytes: usize,
        /// How many there are.
        available: usize,
        /// What the offset must be a multiple of.
        alignment: u64,
    },
    /// A tensor occurs twice.
    #[error("tensor `{tensor}` occurs twice")]
    TensorTwice {
        /// The tensor.
        tensor: String,
    },
    /// A file of a checkpoint in several files is not there.
    #[error("shard `{shard}` is missing, although tensor `{tensor}` should be in it")]
    ShardMissing {
        /// The file name.
        shard: String,
        /// A tensor in it.
        tensor: String,
    },
    /// The index of a checkpoint names a file outside its folder.
    #[error("shard `{shard}` of tensor `{tensor}` is not a plain file name")]
    ShardName {
        /// What the index says.
        shard: String,
        /// For which tensor.
        tensor: String,
    },
    /// Index and shards of a checkpoint disagree.
    #[error("tensor `{tensor}` is in {found}, expected {expected} by the index")]
    ShardDisagrees {
        /// The tensor.
        tensor: String,
        /// Where it is.
        found: String,
        /// Where the index has it.
        expected: String,
    },
    /// A number that was read again is not the one that was written.
    #[error("{place} is {found}, expected {expected} within {within:.1e}, as {storage} rounds")]
    Misread {
        /// Which value of which weight, counted from 0.
        place: String,
        /// What was read.
        found: f32,
        /// What it was before it was rounded.
        expected: f32,
        /// How far it may be from that.
        within: f64,
        /// How it is stored.
        storage: String,
    },
    /// No tensor of this name.
    #[error("there is no tensor `{tensor}`")]
    TensorUnknown {
        /// The name asked for.
        tensor: String,
    },
    /// A tensor the model needs is not in the checkpoint.
    #[error("tensor `{tensor}` is missing, expected shape {shape:?}")]
    TensorMissing {
        /// The tensor.
        tensor: String,
        /// The shape it would have.
        shape: Vec<usize>,
    },
    /// A tensor has another shape than the model gives it.
    #[error("tensor `{tensor}` has shape {found:?}, expected {expected:?}")]
    TensorShape {
        /// The tensor.
        tensor: String,
        /// Its shape.
        found: Vec<usize>,
        /// The shape it should have.
        expected: Vec<usize>,
    },
    /// Tensors no part of the model takes.
    #[error("{} of the tensors are not used by the model: {}", names.len(), some_of(names))]
    TensorsUnused {
        /// Their names.
        names: Vec<String>,
    },

    /// A setting that is needed is not there.
    #[error("`{field}` is missing")]
    FieldMissing {
        /// The setting.
        field: String,
    },
    /// A setting has a value that this crate does not compute with, or that makes no sense.
    #[error("`{field}` is {found}, expected {expected}")]
    FieldUnsupported {
        /// The setting.
        field: String,
        /// Its value.
        found: String,
        /// What it may be.
        expected: String,
    },
    /// A setting this crate has not heard of, which might change what the model computes.
    #[error("`{field}` is not known and may change what the model computes")]
    FieldUnknown {
        /// The setting.
        field: String,
    },

    /// A tensor in an adapter that is not half of a low-rank pair.
    #[error(
        "tensor `{tensor}` is not understood, expected `base_model.model.<module>.lora_A.weight` or lora_B"
    )]
    AdapterTensor {
        /// The tensor.
        tensor: String,
    },
    /// Half of a low-rank pair is missing.
    #[error("tensor `{tensor}` is missing, the other half of its pair is there")]
    AdapterUnpaired {
        /// The missing half.
        tensor: String,
    },
    /// A pair at a module that the adapter's configuration does not name.
    #[error("tensor `{tensor}` belongs to a module that is not in `target_modules`")]
    AdapterStray {
        /// The first tensor of the pair.
        tensor: String,
    },
    /// A module that the adapter's configuration names has no pair.
    #[error("`target_modules` has `{target}`, but there is no low-rank pair for it")]
    AdapterTarget {
        /// The module.
        target: String,
    },
    /// An adapter without a single pair.
    #[error("there are no low-rank pairs in the adapter")]
    AdapterEmpty,
    /// No architecture of this name is known.
    #[error("model type `{found}` is not one of those known: {}", known.join(", "))]
    Architecture {
        /// The `model_type` found.
        found: String,
        /// The names known.
        known: Vec<&'static str>,
    },
    /// The configuration describes a model whose tensors do not fit together.
    #[error(transparent)]
    Shape(#[from] penname_engine::program::ShapeError),
    /// The device cannot hold or run the model.
    #[error(transparent)]
    Device(#[from] penname_engine::DeviceError),

    /// A token id outside the vocabulary.
    #[error("token id {found} is not below {vocabulary}, the size of the vocabulary")]
    TokenId {
        /// The id.
        found: u32,
        /// How many there are.
        vocabulary: usize,
    },
    /// Rows to be scored contradict each other.
    #[error("{what} of row {row} is {found}, expected {expected}")]
    PackedRow {
        /// Which input.
        what: &'static str,
        /// Which row.
        row: usize,
        /// Its value.
        found: u32,
        /// What it may be.
        expected: String,
    },
    /// Inputs of rows to be scored differ in length.
    #[error("{found} {what} for {expected} tokens")]
    PackedLength {
        /// Which input.
        what: &'static str,
        /// How many there are.
        found: usize,
        /// How many rows there are.
        expected: usize,
    },
}

impl Error {
    /// Says which file the failure is about.
    pub(crate) fn in_file(self, path: &Path) -> Error {
        match self {
            // These name their file already.
            Error::InFile { .. } | Error::Unreadable { .. } | Error::NotACheckpoint { .. } => self,
            Error::Pickle { .. } | Error::Unwritable(_) => self,
            cause => Error::InFile { path: path.to_owned(), cause: Box::new(cause) },
        }
    }

    /// The failure itself, whichever file it is about.
    pub fn cause(&self) -> &Error {
        match self {
            Error::InFile { cause, .. } => cause.cause(),
            other => other,
        }
    }
}

/// A list short enough to read.
fn some_of(names: &[String]) -> String {
    const SHOWN: usize = 8;
    let mut list: Vec<_> = names.iter().take(SHOWN).map(|name| format!("`{name}`")).collect();
    if names.len() > SHOWN {
        list.push(format!("and {} more", names.len() - SHOWN));
    }
    list.join(", ")
}
