//! Writing and scoring with a tiny random model, and choosing from known distributions.
#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod adapter;
mod answer;
mod cache;
mod company;
mod experts;
mod sampling;
mod scoring;
mod tiny;
