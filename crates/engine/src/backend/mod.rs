//! The devices that run a program.

pub mod cpu;
