//! A training or inference step as data: tensors, and operations in the order they run.
//!
//! A program is built once per model, method and token budget, checked once,
//! planned once ([`crate::plan`]) and run thousands of times
//! ([`crate::session`]). Nothing here computes anything.
//!
//! Every tensor is a row-major matrix. Letters of shapes, the same everywhere:
//! `M` token rows, `D` width, `H` query heads, `K` kv heads, `E` head width,
//! `F` feed-forward, `V` vocabulary, `R` rank, `L` layers.

use crate::op::{Access, Op};
use std::collections::BTreeMap;
use std::fmt;

/// Names a tensor of one program.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TensorId(pub(crate) u32);

impl TensorId {
    /// Position in [`Program::tensors`].
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// How a tensor's numbers are stored. Arithmetic is f32 or wider whatever the storage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DType {
    /// 32-bit float.
    F32,
    /// The upper half of an f32.
    Bf16,
    /// Token ids, positions, row numbers.
    U32,
}

impl DType {
    /// Bytes of one number.
    pub const fn bytes(self) -> usize {
        match self {
            Self::F32 | Self::U32 => 4,
            Self::Bf16 => 2,
        }
    }
}

/// What large products round their inputs to; they always sum in f32.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Precision {
    /// f32 throughout.
    #[default]
    F32,
    /// bf16 inputs and activations, f32 sums, residual stream and optimizer.
    Bf16,
}

impl Precision {
    /// How activations between products are stored.
    pub fn dtype(self) -> DType {
        match self {
            Self::F32 => DType::F32,
            Self::Bf16 => DType::Bf16,
        }
    }
}

/// How many rows a tensor has: known when the program is built, or given with each run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Rows {
    /// Always this many.
    Fixed(usize),
    /// One per token; a run says how many of the budget are in use.
    Tokens,
    /// One per row picked out of the token rows; a run says how many.
    Picked,
    /// This many per token: one for each expert it goes to.
    PerToken(usize),
    /// This many per row picked.
    PerPicked(usize),
}

/// What a tensor is for, which decides where it lives and for how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Role {
    /// Written by the caller before a run.
    Input,
    /// A parameter. Only a trainable one has a gradient.
    Weight {
        /// Whether training changes it.
        trainable: bool,
    },
    /// The gradient of a trainable weight: summed over micro-batches, f32.
    Gradient,
    /// Kept between runs: optimizer moments, caches.
    State,
    /// Lives from its first write to its last read, in the arena.
    Activation,
    /// Like an activation, but still there when the run ends.
    Output,
}

impl Role {
    /// Whether the tensor has a buffer of its own that outlives a run.
    pub fn is_persistent(self) -> bool {
        matches!(self, Self::Weight { .. } | Self::Gradient | Self::State | Self::Input | Self::Output)
    }
}

/// One matrix of a program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tensor {
    /// For people: plan listings and error messages.
    pub name: String,
    /// Number of rows.
    pub rows: Rows,
    /// Number of columns.
    pub cols: usize,
    /// Storage.
    pub dtype: DType,
    /// Purpose.
    pub role: Role,
}

/// How many rows of each kind are in use in one run, or allowed at most in any.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Extent {
    /// Token rows.
    pub tokens: usize,
    /// Picked rows.
    pub picked: usize,
}

impl Extent {
    /// `tokens` token rows and no picked ones.
    pub fn tokens(tokens: usize) -> Self {
        Self { tokens, picked: 0 }
    }

    /// The number of rows of that kind.
    pub fn rows(self, rows: Rows) -> usize {
        match rows {
            Rows::Fixed(n) => n,
            Rows::Tokens => self.tokens,
            Rows::Picked => self.picked,
            Rows::PerToken(n) => n * self.tokens,
            Rows::PerPicked(n) => n * self.picked,
        }
    }
}

/// The parts of a program that are run on their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Section {
    /// Once before the micro-batches of a step: gradients to zero.
    Begin,
    /// Once per micro-batch: inputs to loss.
    Forward,
    /// Once per micro-batch: loss to gradients.
    Backward,
    /// Once after the micro-batches: gradients to weights.
    Update,
}

/// An operation and where it stands.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// What is computed.
    pub op: Op,
    /// When it runs.
    pub section: Section,
    /// The transformer block it belongs to, the unit of recomputation.
    pub block: Option<usize>,
}

/// A shape or storage that an operation cannot work with.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ShapeError {
    /// Two dimensions that must agree do not.
    #[error("{op}: `{tensor}` has {found} {what}, expected {expected}")]
    Mismatch {
        /// Operation.
        op: &'static str,
        /// Tensor at fault.
        tensor: String,
        /// Which dimension.
        what: &'static str,
        /// Its value.
        found: usize,
        /// What it should be.
        expected: usize,
    },
    /// A tensor's storage is not one the operation reads or writes.
    #[error("{op}: `{tensor}` is stored as {found:?}, expected {expected}")]
    Storage {
        /// Operation.
        op: &'static str,
        /// Tensor at fault.
        tensor: String,
        /// Its storage.
        found: DType,
        /// What would do.
        expected: &'static str,
    },
}

/// Tensors, and operations in the order they run.
#[derive(Debug, Clone, Default)]
pub struct Program {
    tensors: Vec<Tensor>,
    steps: Vec<Step>,
    gradients: BTreeMap<TensorId, TensorId>,
    capacity: Extent,
    compute: Precision,
    block: Option<usize>,
}

impl Program {
    /// An empty program for at most `capacity` rows of each kind.
    pub fn new(capacity: Extent, compute: Precision) -> Self {
        Self { capacity, compute, ..Self::default() }
    }

    /// What large products round their inputs to.
    pub fn compute(&self) -> Precision {
        self.compute
    }

    /// The most rows a run may use.
    pub fn capacity(&self) -> Extent {
        self.capacity
    }

    /// All tensors; [`TensorId::index`] is the position.
    pub fn tensors(&self) -> &[Tensor] {
        &self.tensors
    }

    /// All operations, in order.
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }

    pub(crate) fn steps_mut(&mut self) -> &mut Vec<Step> {
        &mut self.steps
    }

    /// All tensor ids with their tensors.
    pub fn iter(&self) -> impl Iterator<Item = (TensorId, &Tensor)> {
        (0..).map(TensorId).zip(&self.tensors)
    }

    /// The tensor behind an id.
    pub fn tensor(&self, id: TensorId) -> &Tensor {
        &self.tensors[id.index()]
    }

    /// Columns of a tensor.
    pub fn cols(&self, id: TensorId) -> usize {
        self.tensor(id).cols
    }

    /// Rows of a tensor at full capacity.
    pub fn rows(&self, id: TensorId) -> usize {
        self.capacity.rows(self.tensor(id).rows)
    }

    /// Bytes of a tensor at full capacity, in plain row-major storage.
    pub fn bytes(&self, id: TensorId) -> usize {
        self.rows(id) * self.cols(id) * self.tensor(id).dtype.bytes()
    }

    /// Adds a tensor.
    pub fn declare(&mut self, tensor: Tensor) -> TensorId {
        let id = TensorId(u32::try_from(self.tensors.len()).unwrap_or(u32::MAX));
        self.tensors.push(tensor);
        id
    }

    /// Adds a tensor that the caller writes before each run.
    pub fn input(&mut self, name: &str, rows: Rows, cols: usize, dtype: DType) -> TensorId {
        self.declare(Tensor { name: name.to_owned(), rows, cols, dtype, role: Role::Input })
    }

    /// Adds a parameter of `rows` × `cols`.
    pub fn weight(
        &mut self,
        name: &str,
        rows: usize,
        cols: usize,
        dtype: DType,
        trainable: bool,
    ) -> TensorId {
        let role = Role::Weight { trainable };
        self.declare(Tensor { name: name.to_owned(), rows: Rows::Fixed(rows), cols, dtype, role })
    }

    /// Adds a tensor that lives inside a run.
    pub fn activation(&mut self, name: impl Into<String>, rows: Rows, cols: usize, dtype: DType) -> TensorId {
        self.declare(Tensor { name: name.into(), rows, cols, dtype, role: Role::Activation })
    }

    /// Operations added from here on belong to this block.
    pub fn enter_block(&mut self, block: Option<usize>) {
        self.block = block;
    }

    /// Appends an operation to a section.
    pub fn push(&mut self, section: Section, op: impl Into<Op>) {
        self.steps.push(Step { op: op.into(), section, block: self.block });
    }

    /// The gradient of a weight or of a tensor that [`crate::derive()`] was asked for.
    pub fn gradient(&self, of: TensorId) -> Option<TensorId> {
        self.gradients.get(&of).copied()
    }

    /// Trainable weights with their gradients, in order of declaration.
    pub fn trainable(&self) -> Vec<(TensorId, TensorId)> {
        let weights = self.iter().filter(|(_, t)| t.role == Role::Weight { trainable: true });
        weights.filter_map(|(id, _)| Some((id, self.gradient(id)?))).collect()
    }

    pub(crate) fn set_gradient(&mut self, of: TensorId, gradient: TensorId) {
        self.gradients.insert(of, gradient);
    }

    /// Changes what a tensor is for: an activation that must outlive the run becomes an output.
    pub fn set_role(&mut self, id: TensorId, role: Role) {
        self.tensors[id.index()].role = role;
    }

    /// Looks a tensor up by name.
    pub fn find(&self, name: &str) -> Option<TensorId> {
        self.iter().find(|(_, t)| t.name == name).map(|(id, _)| id)
    }

    /// Checks every operation against the shapes of its tensors.
    ///
    /// # Errors
    /// The first operation whose tensors do not fit, by name.
    pub fn check(&self) -> Result<(), ShapeError> {
        self.steps.iter().try_for_each(|step| step.op.check(self))
    }

    /// Floating-point operations of one section with these rows in use.
    pub fn flops(&self, section: Section, extent: Extent) -> u64 {
        self.steps.iter().filter(|s| s.section == section).map(|s| s.op.flops(self, extent)).sum()
    }
}

impl fmt::Display for Program {
    /// One line an operation: section, block, name, what it reads and what it writes.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for step in &self.steps {
            let list = |wanted: fn(Access) -> bool| {
                let ids = step.op.accesses().into_iter().filter(|(a, _)| wanted(*a));
                ids.map(|(_, id)| self.tensor(id).name.clone()).collect::<Vec<_>>().join(", ")
            };
            let block = step.block.map_or_else(|| "-".to_owned(), |b| b.to_string());
            let reads = list(|a| a == Access::Read);
            let writes = list(|a| a != Access::Read);
            writeln!(f, "{:?} {block} {}: {reads} -> {writes}", step.section, step.op.name())?;
        }
        Ok(())
    }
}
