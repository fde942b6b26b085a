//! llama2.c's `.bin`, the container of the smallest Llamas: a header of whole numbers, then every
//! weight in a fixed order. Three versions are in use.
//!
//! ```text
//! v0   dim hidden layers heads kv_heads vocab context   i32 each; vocab below zero: the head is apart
//!      embedding, per kind over all layers: attention norm, q, k, v, o, feed-forward norm, gate,
//!      down, up; last norm; two tables of rotary angles, which nothing reads; the head if apart
//! v1   "24ka" 1, the seven numbers, u8 "the head is the embedding", zeros up to byte 256
//!      attention norms, feed-forward norms, last norm, embedding, q, k, v, o, gate, down, up, head
//! v2   as v1 with 2, and the i32 length of a group behind the u8
//!      norms in f32; then of each matrix: i8 values, one f32 scale a group, groups across rows
//! ```
//!
//! All numbers are little-endian. Rows of queries and keys that rotary embedding turns together lie
//! side by side, as in GGUF. What the header has no place for is fixed: an ε of 10⁻⁵, a θ of 10 000,
//! no bias anywhere, and 1 and 2 for the tokens that begin and end a text.
//!
//! Start with [`Checkpoint::open`](crate::weights::Checkpoint::open), which reads all three, and
//! [`write_llama2c`]. The tokenizer that lies beside such a file is another crate's business.
//!
//! # Source
//!
//! Karpathy, *llama2.c*, 2023: `export.py`, `run.c` and `runq.c`, for the layout.

mod layout;
mod read;
mod write;

pub use write::write_llama2c;

pub(crate) use read::{Contents, Weight, is_one, read};

use crate::config::Config;

/// The first four bytes of versions 1 and 2, as a number.
const MAGIC: u32 = 0x616b_3432;
/// Bytes in front of the weights, by version.
const HEAD_BYTES: [usize; 3] = [28, 256, 256];
/// ε of every norm.
const NORM_EPS: f64 = 1e-5;
/// Base of the rotary frequencies.
const ROPE_THETA: f64 = 10_000.0;
/// The token that begins a text, and the one that ends it.
const BOS: u32 = 1;
const EOS: u32 = 2;

/// Which of the layouts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Version {
    /// The first, which `run.c` reads.
    V0,
    /// The second: the same numbers behind a header that says what it is.
    V1,
    /// The third, which `runq.c` reads: norms in f32, matrices in 8 bits with a scale a group.
    V2 {
        /// Values that share a scale.
        group: usize,
    },
}

impl Version {
    /// Version 2 with the longest groups, up to 64, that divide the rows of every matrix: `runq.c`
    /// counts on it.
    pub fn int8(config: &Config) -> Version {
        const LONGEST: usize = 64;
        let divides =
            |group: &usize| [config.width, config.feed_forward].iter().all(|n| n.is_multiple_of(*group));
        let group = (0..=LONGEST.ilog2()).map(|halved| LONGEST >> halved).find(divides).unwrap_or(1);
        Version::V2 { group }
    }

    fn number(self) -> u32 {
        match self {
            Version::V0 => 0,
            Version::V1 => 1,
            Version::V2 { .. } => 2,
        }
    }
}
