//! An open checkpoint.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry as Slot;
use std::ops::Range;
use std::path::{Path, PathBuf};

use half::bf16;

use crate::config::Config;
use crate::error::{Error, Result};
use crate::quant::{Storage, mxfp4};
use crate::weights::gguf::{self, Gguf, Metadata};
use crate::weights::llama2c;
use crate::weights::tensor::RowOrder;
use crate::weights::{Mapped, Tensor, TensorInfo, folder, safetensors};

/// Named tensors in mapped files, and what says how to compute with them.
#[derive(Debug)]
pub struct Checkpoint {
    path: PathBuf,
    files: Vec<Mapped>,
    tensors: BTreeMap<String, Place>,
    /// Codes and exponents that have not found each other.
    halves: BTreeMap<String, Half>,
    description: Description,
}

/// Where the codes or the exponents of a tensor lie.
#[derive(Debug)]
struct Half {
    shape: Vec<usize>,
    file_idx: usize,
    bytes: Range<usize>,
}

/// Where a tensor lies.
#[derive(Debug)]
struct Place {
    info: TensorInfo,
    file_idx: usize,
    bytes: Range<usize>,
    order: RowOrder,
    /// File and place of the exponents that belong to it, if they are a tensor of their own.
    exponents: Option<(usize, Range<usize>)>,
}

/// What tells the configuration of a checkpoint.
#[derive(Debug)]
enum Description {
    Json(PathBuf),
    Gguf { metadata: Metadata, config: Box<Config> },
    Llama2c { config: Box<Config>, group: Option<usize> },
}

/// The module of GPT-2 that everything but the head is in.
const BODY: &str = "transformer.";
const HEAD: &str = "lm_head.weight";

/// How pickles begin: as a zip archive since PyTorch 1.6, bare before.
const PICKLES: &[&[u8]] = &[b"PK\x03\x04", b"\x80\x02"];

impl Checkpoint {
    /// Opens a `.gguf` file, a llama2.c `.bin`, a `.safetensors` file, or a folder as Hugging Face publishes them:
    /// `config.json` beside `model.safetensors` or `model.safetensors.index.json` and its shards.
    /// Files are told apart by their contents, not their names.
    ///
    /// # Errors
    ///
    /// When there is no such thing there, when anything about it is inconsistent, or when its
    /// tensors are in a format this crate does not read.
    pub fn open(path: impl AsRef<Path>) -> Result<Checkpoint> {
        let path = path.as_ref();
        if path.is_dir() {
            return Checkpoint::open_folder(path);
        }
        let file = Mapped::open(path)?;
        if file.bytes().starts_with(gguf::MAGIC) {
            return Checkpoint::open_gguf(path, file).map_err(|error| error.in_file(path));
        }
        if llama2c::is_one(file.bytes()) {
            return Checkpoint::open_llama2c(path, file).map_err(|error| error.in_file(path));
        }
        // Only when the file is nothing better: these bytes are also lengths of safetensors headers.
        let may_be_pickle = PICKLES.iter().any(|start| file.bytes().starts_with(start));
        let config = path.with_file_name(folder::CONFIG);
        let mut checkpoint = Checkpoint::empty(path, Description::Json(config));
        match checkpoint.add_safetensors(file).and_then(|()| checkpoint.pair_halves()) {
            Ok(()) => {
                checkpoint.complete_names();
                Ok(checkpoint)
            }
            Err(Error::Safetensors { .. }) if may_be_pickle => Err(Error::Pickle { path: path.to_owned() }),
            Err(error) => Err(error.in_file(path)),
        }
    }

    fn empty(path: &Path, description: Description) -> Checkpoint {
        let (files, tensors, halves) = (Vec::new(), BTreeMap::new(), BTreeMap::new());
        Checkpoint { path: path.to_owned(), files, tensors, halves, description }
    }

    fn open_folder(path: &Path) -> Result<Checkpoint> {
        let weights = folder::find_weights(path)?;
        let mut checkpoint = Checkpoint::empty(path, Description::Json(path.join(folder::CONFIG)));
        for shard in &weights.shards {
            let file = Mapped::open(shard)?;
            checkpoint.add_safetensors(file).map_err(|error| error.in_file(shard))?;
        }
        let shard_of = |name: &str| {
            let place = checkpoint.tensors.get(name).map(|place| place.file_idx);
            let file_idx = place.or_else(|| Some(checkpoint.halves.get(name)?.file_idx))?;
            checkpoint.files[file_idx].path().file_name()?.to_str()
        };
        weights.check(shard_of, checkpoint.names().chain(checkpoint.halves.keys().map(String::as_str)))?;
        checkpoint.pair_halves()?;
        checkpoint.complete_names();
        Ok(checkpoint)
    }

    fn add_safetensors(&mut self, file: Mapped) -> Result<()> {
        let (file_idx, order) = (self.files.len(), RowOrder::AsPublished);
        let listed = safetensors::list(file.bytes())?;
        for (name, info, bytes) in listed.tensors {
            self.add(name, Place { info, file_idx, bytes, order, exponents: None })?;
        }
        for (name, shape, bytes) in listed.halves {
            if self.halves.insert(name.clone(), Half { shape, file_idx, bytes }).is_some() {
                return Err(Error::TensorTwice { tensor: name });
            }
        }
        self.files.push(file);
        Ok(())
    }

    fn open_gguf(path: &Path, file: Mapped) -> Result<Checkpoint> {
        let Gguf { metadata, tensors, .. } = Gguf::parse(file.bytes())?;
        let architecture = gguf::architecture(&metadata)?;
        let config = Config::from_gguf(&metadata, &tensors, file.bytes())?;
        let description = Description::Gguf { metadata, config: Box::new(config.clone()) };
        let mut checkpoint = Checkpoint::empty(path, description);
        for tensor in tensors {
            let order = architecture.row_order(&tensor.name, &tensor.info.shape, &config)?;
            // A tensor the table does not know keeps its name, and the books will show it.
            let name = architecture.published_name(&tensor.name).unwrap_or(tensor.name);
            let place = Place { info: tensor.info, file_idx: 0, bytes: tensor.bytes, order, exponents: None };
            checkpoint.add(name, place)?;
        }
        checkpoint.files.push(file);
        Ok(checkpoint)
    }

    fn open_llama2c(path: &Path, file: Mapped) -> Result<Checkpoint> {
        let llama2c::Contents { config, weights, decoded, group } = llama2c::read(file.bytes())?;
        let description = Description::Llama2c { config: Box::new(config), group };
        let mut checkpoint = Checkpoint::empty(path, description);
        for llama2c::Weight { name, info, bytes, order } in weights {
            checkpoint.add(name, Place { info, file_idx: 0, bytes, order, exponents: None })?;
        }
        let file = match decoded {
            Some(bytes) => file.decoded(bytes),
            None => file,
        };
        checkpoint.files.push(file);
        Ok(checkpoint)
    }

    /// Makes one tensor of the codes and the exponents of MXFP4, which safetensors have as two: `W_blocks`
    /// with 16 bytes for 32 values, and `W_scales` with one.
    fn pair_halves(&mut self) -> Result<()> {
        let mut halves = std::mem::take(&mut self.halves);
        while let Some((name, half)) = halves.pop_first() {
            let [blocks, scales] = safetensors::HALVES;
            let Some(weight) = name.strip_suffix(blocks) else {
                let codes = name.replace(scales, blocks);
                return Err(Error::TensorMissing { tensor: codes, shape: half.shape });
            };
            let Some((&mxfp4::CODES, rest)) = half.shape.split_last() else {
                let expected = vec![mxfp4::CODES];
                return Err(Error::TensorShape { tensor: name, found: half.shape, expected });
            };
            let (tensor, expected) = (format!("{weight}{scales}"), rest.to_vec());
            let Some(exponents) = halves.remove(&tensor) else {
                return Err(Error::TensorMissing { tensor, shape: expected });
            };
            if exponents.shape != expected {
                return Err(Error::TensorShape { tensor, found: exponents.shape, expected });
            }
            let mut shape = expected;
            shape.last_mut().into_iter().for_each(|len| *len = len.saturating_mul(2 * mxfp4::CODES));
            let info = TensorInfo { shape, dtype: Storage::MXFP4 };
            info.checked_bytes(weight)?;
            let exponents = Some((exponents.file_idx, exponents.bytes));
            let (file_idx, bytes, order) = (half.file_idx, half.bytes, RowOrder::AsPublished);
            self.add(weight.to_owned(), Place { info, file_idx, bytes, order, exponents })?;
        }
        Ok(())
    }

    /// GPT-2's own files leave out the module that everything but the head is in.
    fn complete_names(&mut self) {
        let has = |name: &str| self.tensors.contains_key(name);
        if !(has("wte.weight") && has("wpe.weight")) || self.names().any(|name| name.starts_with(BODY)) {
            return;
        }
        let complete = |(name, place): (String, Place)| {
            if name == HEAD { (name, place) } else { (format!("{BODY}{name}"), place) }
        };
        self.tensors = std::mem::take(&mut self.tensors).into_iter().map(complete).collect();
    }

    fn add(&mut self, name: String, place: Place) -> Result<()> {
        match self.tensors.entry(name) {
            Slot::Occupied(slot) => Err(Error::TensorTwice { tensor: slot.key().clone() }),
            Slot::Vacant(slot) => {
                slot.insert(place);
                Ok(())
            }
        }
    }

    /// Where it was opened.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The names of all tensors, in alphabetical order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.tensors.keys().map(String::as_str)
    }

    /// What the model looks like: from `config.json` beside the tensors, a GGUF file's metadata, or a
    /// llama2.c file's header.
    ///
    /// # Errors
    ///
    /// When `config.json` is missing or asks for something this crate does not compute.
    pub fn config(&self) -> Result<Config> {
        match &self.description {
            Description::Json(path) => Config::read(path),
            Description::Gguf { config, .. } | Description::Llama2c { config, .. } => {
                Ok(Config::clone(config))
            }
        }
    }

    /// Whether linears that Hugging Face publishes as (in, out) are so here: GGUF has them as
    /// (out, in).
    pub(crate) fn is_published(&self) -> bool {
        matches!(self.description, Description::Json(_))
    }

    /// Whether it is a llama2.c file, whose tokenizer lies beside it in a file of its own.
    pub fn is_llama2c(&self) -> bool {
        matches!(self.description, Description::Llama2c { .. })
    }

    /// How many values of a matrix share a scale in a llama2.c file in eight bits; tensors of one are
    /// decoded when it is opened.
    pub(crate) fn group(&self) -> Option<usize> {
        match self.description {
            Description::Llama2c { group, .. } => group,
            Description::Json(_) | Description::Gguf { .. } => None,
        }
    }

    /// The metadata of a GGUF file, which hold the tokenizer and the chat template.
    pub fn gguf_metadata(&self) -> Option<&Metadata> {
        match &self.description {
            Description::Gguf { metadata, .. } => Some(metadata),
            Description::Json(_) | Description::Llama2c { .. } => None,
        }
    }

    /// Lets the system take back the memory in which it shows a tensor's part of the file. Reading it
    /// again reads the file again.
    pub(crate) fn forget(&self, name: &str) {
        let Some(Place { file_idx, bytes, exponents, .. }) = self.tensors.get(name) else { return };
        self.files[*file_idx].forget(bytes.clone());
        if let Some((file_idx, bytes)) = exponents {
            self.files[*file_idx].forget(bytes.clone());
        }
    }

    /// The files that hold the tensors.
    pub fn files(&self) -> impl Iterator<Item = &Path> {
        self.files.iter().map(Mapped::path)
    }

    /// How most of the numbers in its matrices are stored.
    pub fn storage(&self) -> Storage {
        let mut numbers: Vec<(Storage, usize)> = Vec::new();
        for info in self.tensors.values().map(|place| &place.info).filter(|info| info.shape.len() > 1) {
            match numbers.iter_mut().find(|(storage, _)| *storage == info.dtype) {
                Some((_, n)) => *n = n.saturating_add(info.n_values()),
                None => numbers.push((info.dtype, info.n_values())),
            }
        }
        numbers.into_iter().max_by_key(|(_, n)| *n).map_or(Storage::F32, |(storage, _)| storage)
    }

    /// The tensor of this name, if there is one.
    pub fn find(&self, name: &str) -> Option<Tensor<'_>> {
        let Place { info, file_idx, bytes, order, exponents } = self.tensors.get(name)?;
        let stored = &self.files[*file_idx].bytes()[bytes.clone()];
        let exponents = exponents.as_ref().map(|(file, bytes)| &self.files[*file].bytes()[bytes.clone()]);
        Some(Tensor { info, stored, order: *order, exponents })
    }

    /// The tensor of this name.
    ///
    /// # Errors
    ///
    /// When there is none.
    pub fn tensor(&self, name: &str) -> Result<Tensor<'_>> {
        self.find(name).ok_or_else(|| Error::TensorUnknown { tensor: name.to_owned() })
    }

    /// Shape and storage of a tensor; see [`Checkpoint::tensor`].
    ///
    /// # Errors
    ///
    /// When there is no such tensor.
    pub fn info(&self, name: &str) -> Result<&TensorInfo> {
        Ok(self.tensor(name)?.info)
    }

    /// The stored bytes of a tensor; see [`Tensor::bytes`].
    ///
    /// # Errors
    ///
    /// When there is no such tensor.
    pub fn bytes(&self, name: &str) -> Result<Cow<'_, [u8]>> {
        Ok(self.tensor(name)?.bytes())
    }

    /// Decodes a whole tensor; see [`Tensor::read_f32`].
    ///
    /// # Errors
    ///
    /// When there is no such tensor.
    pub fn read_f32(&self, name: &str, out: &mut Vec<f32>) -> Result<()> {
        self.tensor(name)?.read_f32(out);
        Ok(())
    }

    /// Decodes some rows of a tensor; see [`Tensor::read_rows_f32`].
    ///
    /// # Errors
    ///
    /// When there is no such tensor.
    pub fn read_rows_f32(&self, name: &str, rows: Range<usize>, out: &mut [f32]) -> Result<()> {
        self.tensor(name)?.read_rows_f32(rows, out);
        Ok(())
    }

    /// Decodes a whole tensor to `bf16`; see [`Tensor::read_bf16`].
    ///
    /// # Errors
    ///
    /// When there is no such tensor.
    pub fn read_bf16(&self, name: &str, out: &mut Vec<bf16>) -> Result<()> {
        self.tensor(name)?.read_bf16(out);
        Ok(())
    }
}
