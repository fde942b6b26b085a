//! The list of operations, their derivatives, the plan, and the devices that run them.
//!
//! A training step is a program:
//!
//! ```text
//! a model builds the forward  →  derive adds the backward  →  plan places every buffer  →  a device runs it
//! ```
//!
//! * [`op`] is the list: formula, shape rule, reference loops and derivative of each operation.
//! * [`program`] holds tensors and operations as data.
//! * [`mod@derive`] adds the gradients that are needed and no others.
//! * [`plan`] finds a place for every buffer and says what it all costs.
//! * [`coding`] says how a frozen weight is kept as small integers and scales.
//! * [`backend`] holds the devices; [`session`] runs a planned program on one.
//!
//! This crate knows no checkpoint, no file and no sentence.

pub mod backend;
pub mod coding;
pub mod derive;
pub mod op;
pub mod plan;
pub mod program;
pub mod session;

pub use backend::{BufferId, Device, DeviceError};
pub use coding::{CodedRow, CodedWeight, Coding};
pub use derive::derive;
pub use plan::{Keep, Memory, Plan};
pub use program::{DType, Extent, Precision, Program, Role, Rows, Section, TensorId};
pub use session::Session;
