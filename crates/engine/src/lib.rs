//! The list of operations, their derivatives, the plan, and the devices that run them.

pub mod backend;
