//! The list of operations.
//!
//! Each file is one family and reads in this order: formula and source, the
//! operation as data, its shape rule, its plain reference loops, its
//! derivative. The reference is the specification: it is never optimized, and
//! every device is held to it by the conformance table.
//!
//! The list is closed because each operation must be printed, differentiated,
//! planned, run on every device and tested; it is coarse because fusion and
//! saved memory live inside operations, not between them.

mod attention;
mod average;
pub(crate) mod dropout;
mod elementwise;
mod embed;
mod experts;
mod gate;
pub(crate) mod gelu;
mod grouped;
mod head_norm;
mod host;
mod layer_norm;
mod linear;
mod loss;
mod magnitude;
pub(crate) mod noise;
mod norm;
pub(crate) mod optimizer;
mod pick;
mod rope;
mod route;

pub use attention::{Attention, AttentionBackward, CachedAttention, Heads};
pub use average::Average;
pub use elementwise::{Add, Zero};
pub use embed::{Embed, EmbedBackward};
pub use experts::{CombineRows, CombineRowsBackward, SortRows, SpreadRows};
pub use gate::{Clamp, ClampedSwiGlu, ClampedSwiGluBackward, SwiGlu, SwiGluBackward};
pub use gelu::{Gelu, GeluBackward};
pub use grouped::{Experts, GroupedLinear, GroupedLinearBackward};
pub use head_norm::{HeadGain, HeadNorm, HeadNormBackward};
pub use host::{Host, Real};
pub use layer_norm::{LayerNorm, LayerNormBackward};
pub use linear::{Dropout, Linear, LinearBackward, LowRank, Projection, ProjectionBackward};
pub use loss::{CrossEntropy, IGNORE};
pub use magnitude::{Magnitude, MagnitudeBackward, RowNorm, Stretch};
pub use noise::Noise;
pub use norm::{RmsNorm, RmsNormBackward};
pub use optimizer::{AdamW, Coded, GradNorm, Moments, Trained};
pub use pick::{GatherRows, ScatterRows};
pub use rope::{Rope, RopeTable};
pub use route::{Route, RouteBackward, Share};

use crate::derive::Derive;
use crate::program::{DType, Extent, Program, ShapeError, TensorId};

/// What an operation does to a tensor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Reads it.
    Read,
    /// Writes all of it.
    Write,
    /// Adds to it, or changes part of it.
    Update,
}

/// What every operation can say about itself.
pub(crate) trait Operation {
    /// For listings and messages.
    const NAME: &'static str;

    /// Names every tensor it touches; the visitor may put another in its place.
    fn visit(&mut self, visitor: &mut dyn FnMut(Access, &mut TensorId));

    /// Whether its tensors fit together.
    fn check(&self, program: &Program) -> Result<(), ShapeError>;

    /// Floating-point operations, multiplications and additions counted apart.
    fn flops(&self, program: &Program, extent: Extent) -> u64;

    /// The plain loops that define the result.
    fn reference<R: Real>(&self, host: &mut Host<R>);

    /// Adds the operations that compute the gradients which are needed.
    fn derive(&self, _derive: &mut Derive<'_>) {}

    /// An input whose memory the output may take over when nothing reads it afterwards.
    fn in_place(&self) -> Option<(TensorId, TensorId)> {
        None
    }

    /// Whether it is worth computing again to save the memory of its result.
    const CHEAP: bool = false;
}

macro_rules! operations {
    ($($name:ident),* $(,)?) => {
        /// One operation of a program.
        #[derive(Debug, Clone, PartialEq)]
        #[expect(missing_docs, reason = "each variant is documented on the struct it holds")]
        pub enum Op { $($name($name)),* }

        $(impl From<$name> for Op {
            fn from(op: $name) -> Self { Self::$name(op) }
        })*

        impl Op {
            /// Names of all operations, in the order of the list.
            pub const ALL: &[&str] = &[$(<$name as Operation>::NAME),*];

            /// For listings and messages.
            pub fn name(&self) -> &'static str {
                match self { $(Self::$name(_) => <$name as Operation>::NAME),* }
            }

            /// Names every tensor the operation touches; the visitor may put another in its place.
            pub(crate) fn visit(&mut self, visitor: &mut dyn FnMut(Access, &mut TensorId)) {
                match self { $(Self::$name(op) => op.visit(visitor)),* }
            }

            /// Whether its tensors fit together.
            pub(crate) fn check(&self, program: &Program) -> Result<(), ShapeError> {
                match self { $(Self::$name(op) => op.check(program)),* }
            }

            /// Floating-point operations with these rows in use.
            pub fn flops(&self, program: &Program, extent: Extent) -> u64 {
                match self { $(Self::$name(op) => op.flops(program, extent)),* }
            }

            /// Runs the plain loops that define the result.
            pub fn reference<R: Real>(&self, host: &mut Host<R>) {
                match self { $(Self::$name(op) => op.reference(host)),* }
            }

            pub(crate) fn derive(&self, derive: &mut Derive<'_>) {
                match self { $(Self::$name(op) => op.derive(derive)),* }
            }

            pub(crate) fn in_place(&self) -> Option<(TensorId, TensorId)> {
                match self { $(Self::$name(op) => op.in_place()),* }
            }

            /// Whether it is worth computing again to save the memory of its result.
            pub fn is_cheap(&self) -> bool {
                match self { $(Self::$name(_) => <$name as Operation>::CHEAP),* }
            }
        }
    };
}

operations! {
    Embed, EmbedBackward,
    RmsNorm, RmsNormBackward,
    LayerNorm, LayerNormBackward,
    HeadNorm, HeadNormBackward,
    RopeTable, Rope,
    Attention, AttentionBackward, CachedAttention,
    Linear, LinearBackward,
    RowNorm, Magnitude, MagnitudeBackward,
    SwiGlu, SwiGluBackward,
    ClampedSwiGlu, ClampedSwiGluBackward,
    Gelu, GeluBackward,
    Route, RouteBackward,
    SortRows, SpreadRows,
    GroupedLinear, GroupedLinearBackward,
    CombineRows, CombineRowsBackward,
    CrossEntropy,
    GatherRows, ScatterRows,
    Add, Zero, Noise,
    GradNorm, AdamW, Average,
}

impl Op {
    /// Every tensor it touches, and how.
    pub fn accesses(&self) -> Vec<(Access, TensorId)> {
        let mut list = Vec::new();
        self.clone().visit(&mut |access, id| list.push((access, *id)));
        list
    }
}

/// Requires `tensor` to have `expected` columns.
fn expect_cols(
    op: &'static str,
    program: &Program,
    tensor: TensorId,
    expected: usize,
) -> Result<(), ShapeError> {
    expect(op, program, tensor, "columns", program.cols(tensor), expected)
}

/// Requires `tensor` to have the same kind and number of rows as `like`.
fn expect_rows(
    op: &'static str,
    program: &Program,
    tensor: TensorId,
    like: TensorId,
) -> Result<(), ShapeError> {
    expect(op, program, tensor, "rows", program.rows(tensor), program.rows(like))
}

fn expect(
    op: &'static str,
    program: &Program,
    tensor: TensorId,
    what: &'static str,
    found: usize,
    expected: usize,
) -> Result<(), ShapeError> {
    if found == expected {
        return Ok(());
    }
    Err(ShapeError::Mismatch { op, tensor: program.tensor(tensor).name.clone(), what, found, expected })
}

/// Requires a tensor of ids or row numbers.
fn expect_ids(op: &'static str, program: &Program, tensor: TensorId) -> Result<(), ShapeError> {
    expect_storage(op, program, tensor, "U32", |d| d == DType::U32)
}

/// Requires a tensor stored as f32.
fn expect_f32(op: &'static str, program: &Program, tensor: TensorId) -> Result<(), ShapeError> {
    expect_storage(op, program, tensor, "F32", |d| d == DType::F32)
}

/// Requires a tensor of real numbers.
fn expect_reals(op: &'static str, program: &Program, tensor: TensorId) -> Result<(), ShapeError> {
    expect_storage(op, program, tensor, "F32 or Bf16", |d| d != DType::U32)
}

fn expect_storage(
    op: &'static str,
    program: &Program,
    tensor: TensorId,
    expected: &'static str,
    good: fn(DType) -> bool,
) -> Result<(), ShapeError> {
    let found = program.tensor(tensor).dtype;
    if good(found) {
        return Ok(());
    }
    Err(ShapeError::Storage { op, tensor: program.tensor(tensor).name.clone(), found, expected })
}

/// Visits an optional tensor.
fn visit_option(visitor: &mut dyn FnMut(Access, &mut TensorId), access: Access, id: &mut Option<TensorId>) {
    if let Some(id) = id {
        visitor(access, id);
    }
}
