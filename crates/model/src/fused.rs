//! The parameters of experts on their way from a checkpoint: one tensor of three axes, a tensor for each
//! part, or a matrix for each expert and part.
//!
//! ```text
//! gpt-oss               experts.gate_up_proj (X, in, out), or as MXFP4 (X, out, in)
//! Qwen3-MoE             experts.7.gate_proj.weight (F, D), experts.7.up_proj.weight, …
//! GGUF                  ffn_gate_exps.weight (X, F, D), ffn_up_exps.weight, …
//! ```
//!
//! Whatever the checkpoint has, row `e · N + n` of the program's matrix is output n of expert e. Rows
//! are looked up where they lie; a fused tensor is never made in memory, and one that is quantized stays
//! so.

use std::borrow::Cow;
use std::ops::Range;

use penname_engine::{BufferId, Device};

use crate::error::{Error, Result};
use crate::keeping::{Incoming, Keeping, Source};
use crate::network::{Fused, Parameter};
use crate::quant::{Apart, Storage};
use crate::weights::{Checkpoint, Taken, Tensor};

/// A parameter of experts, found in a checkpoint.
#[derive(Debug)]
pub(crate) struct Gathered<'c> {
    pieces: Vec<Tensor<'c>>,
    /// The names of the pieces.
    names: Vec<String>,
    fused: Fused,
    lie: Lie,
    /// N: rows of an expert.
    rows: usize,
    /// K: numbers in a row; one for biases.
    cols: usize,
}

/// How the pieces lie.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Lie {
    /// One tensor, (X, N, K).
    Whole,
    /// One tensor, (X, K, N).
    Turned,
    /// A tensor for each part, (X, N / parts, K).
    Parts,
    /// A matrix for each part of each expert, parts outermost.
    Single,
}

impl<'c> Gathered<'c> {
    /// Takes a parameter from wherever the checkpoint has it.
    ///
    /// # Errors
    /// When it is in none of the ways, or has another shape.
    pub(crate) fn take(
        taken: &mut Taken<'c>,
        checkpoint: &'c Checkpoint,
        parameter: &Parameter,
    ) -> Result<Self> {
        let Some(fused) = parameter.fused else {
            return Err(Error::TensorUnknown { tensor: parameter.name.clone() });
        };
        let (rows, cols) = match *parameter.shape {
            [_, rows, cols] => (rows, cols),
            [_, rows] => (rows, 1),
            _ => (1, 1),
        };
        let (lie, names) = places(checkpoint, &parameter.name, fused);
        let part_rows = rows / fused.parts.len();
        let is_bias = parameter.shape.len() == 2;
        let mut shape = match lie {
            Lie::Whole => vec![fused.experts, rows, cols],
            Lie::Turned => vec![fused.experts, cols, rows],
            Lie::Parts => vec![fused.experts, part_rows, cols],
            Lie::Single => vec![part_rows, cols],
        };
        if is_bias {
            shape.pop();
        }
        let pieces = names.iter().map(|name| taken.take(name, &shape)).collect::<Result<_>>()?;
        Ok(Self { pieces, names, fused, lie, rows, cols })
    }

    /// What was read is on the device; its pages need not stay with this process.
    pub(crate) fn forget(&self, checkpoint: &Checkpoint) {
        self.names.iter().for_each(|name| checkpoint.forget(name));
    }

    /// The piece and the line of it that hold row `row` of expert `expert`.
    fn place(&self, expert: usize, row: usize) -> (&Tensor<'c>, usize) {
        let parts = self.fused.parts.len();
        let part_rows = self.rows / parts;
        let (part, within) = if self.fused.interleaved {
            (row % parts, row / parts)
        } else {
            (row / part_rows, row % part_rows)
        };
        match self.lie {
            Lie::Whole | Lie::Turned => (&self.pieces[0], expert * self.rows + row),
            Lie::Parts => (&self.pieces[part], expert * part_rows + within),
            Lie::Single => (&self.pieces[part * self.fused.experts + expert], within),
        }
    }

    /// Reads rows of one expert, decoded.
    pub(crate) fn read(&self, expert: usize, rows: Range<usize>, room: &mut [f32]) {
        Expert { of: self, expert }.read(rows, room);
    }

    /// The stored bytes of a row, where a row is one stretch of a file.
    pub(crate) fn stored(&self, expert: usize, row: usize) -> Cow<'_, [u8]> {
        Expert { of: self, expert }.row(row)
    }

    /// How all of it is stored, if it is stored in one way.
    pub(crate) fn storage(&self) -> Option<Storage> {
        let first = self.pieces.first()?.info().dtype;
        self.pieces.iter().all(|piece| piece.info().dtype == first).then_some(first)
    }

    /// All numbers, row by row.
    fn values(&self) -> Vec<f32> {
        let mut values = vec![0.0; self.fused.experts * self.rows * self.cols];
        for (expert, values) in values.chunks_mut(self.rows * self.cols).enumerate() {
            Expert { of: self, expert }.read(0..self.rows, values);
        }
        values
    }

    /// The biases of all experts one after another.
    pub(crate) fn biases(&self) -> Vec<f32> {
        let decoded: Vec<Vec<f32>> = self
            .pieces
            .iter()
            .map(|piece| {
                let mut values = Vec::new();
                piece.read_f32(&mut values);
                values
            })
            .collect();
        let of = |expert: usize, row: usize| {
            let (piece, at) = self.place(expert, row);
            let idx = self.pieces.iter().position(|other| std::ptr::eq(other, piece)).unwrap_or(0);
            decoded[idx][at]
        };
        (0..self.fused.experts)
            .flat_map(|expert| (0..self.rows).map(move |row| (expert, row)))
            .map(|(e, r)| of(e, r))
            .collect()
    }

    /// All numbers of a trained parameter.
    ///
    /// # Errors
    /// When it is quantized, or would be.
    pub(crate) fn trained(&self, parameter: &Parameter, keeping: Keeping) -> Result<Vec<f32>> {
        if parameter.shape.len() == 2 {
            return Ok(self.biases());
        }
        let format = self.pieces.iter().find_map(|piece| keeping.quantized(piece.info().dtype));
        match format {
            Some(format) => Err(Error::QuantizedTrainable { tensor: parameter.name.clone(), format }),
            None => Ok(self.values()),
        }
    }

    /// Puts it on the device, never to be changed, and says in what format it lies there.
    ///
    /// # Errors
    /// When memory runs out.
    pub(crate) fn freeze(
        &self,
        parameter: &Parameter,
        dtype: penname_engine::DType,
        keeping: Keeping,
        device: &mut dyn Device,
    ) -> Result<(BufferId, String)> {
        if parameter.shape.len() == 2 {
            let values = self.biases();
            let fill = |_: Range<usize>, room: &mut [f32]| room.copy_from_slice(&values);
            return Ok((device.allocate_frozen(1, values.len(), dtype, &fill)?, "f32".to_owned()));
        }
        let (mut buffers, mut format) = (Vec::new(), String::new());
        for expert in 0..self.fused.experts {
            let source = Source::Expert(Expert { of: self, expert });
            let incoming = Incoming { source, rows: self.rows, cols: self.cols, dtype, is_linear: true };
            let (buffer, of_expert) = incoming.freeze(keeping, device)?;
            buffers.push(buffer);
            format = of_expert;
        }
        Ok((device.join(&buffers), format))
    }
}

/// How a checkpoint has a parameter, and under which names.
fn places(checkpoint: &Checkpoint, name: &str, fused: Fused) -> (Lie, Vec<String>) {
    let (module, leaf) = name.rsplit_once('.').unwrap_or(("", name));
    let leaf = if leaf.ends_with("_bias") { "bias" } else { "weight" };
    let parts = || fused.parts.iter();
    if let Some(whole) = checkpoint.find(name) {
        // Blocks have a row's numbers side by side, and so have the containers that turn nothing.
        let is_turned = fused.turned && whole.info().dtype.format().apart.is_none();
        let is_turned = is_turned && checkpoint.is_published() && whole.info().shape.len() == 3;
        return (if is_turned { Lie::Turned } else { Lie::Whole }, vec![name.to_owned()]);
    }
    let whole_parts: Vec<String> = parts().map(|part| format!("{module}.{part}.{leaf}")).collect();
    if whole_parts.iter().any(|part| checkpoint.find(part).is_some()) {
        return (Lie::Parts, whole_parts);
    }
    let single = |part: &&str| {
        let part = (*part).to_owned();
        (0..fused.experts).map(move |expert| format!("{module}.{expert}.{part}.{leaf}"))
    };
    (Lie::Single, parts().flat_map(single).collect())
}

/// The rows of one expert.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Expert<'a> {
    of: &'a Gathered<'a>,
    expert: usize,
}

impl<'a> Expert<'a> {
    /// How its rows are taken apart, if all of them are blocks of one kind.
    pub(crate) fn apart(&self) -> Option<Apart> {
        let storage = self.of.storage()?;
        storage.format().apart.filter(|_| self.of.lie != Lie::Turned)
    }

    /// The stored bytes of a row.
    pub(crate) fn row(&self, row: usize) -> Cow<'a, [u8]> {
        let (piece, line) = self.of.place(self.expert, row);
        piece.line(line)
    }

    /// Reads rows, decoded.
    pub(crate) fn read(&self, rows: Range<usize>, room: &mut [f32]) {
        let cols = self.of.cols;
        if self.of.lie == Lie::Turned {
            return self.read_turned(rows, room);
        }
        for (row, room) in rows.zip(room.chunks_exact_mut(cols)) {
            let (piece, line) = self.of.place(self.expert, row);
            piece.info().dtype.format().decode(&piece.line(line), room);
        }
    }

    /// Reads rows that are columns of the file: a stretch of every line.
    fn read_turned(&self, rows: Range<usize>, room: &mut [f32]) {
        let (piece, cols) = (&self.of.pieces[0], self.of.cols);
        let format = piece.info().dtype.format();
        let mut stretch = vec![0.0; rows.len()];
        for col in 0..cols {
            let line = piece.line(self.expert * cols + col);
            let bytes = rows.start * format.block_bytes..rows.end * format.block_bytes;
            format.decode(&line[bytes], &mut stretch);
            stretch.iter().enumerate().for_each(|(row, value)| room[row * cols + col] = *value);
        }
    }
}
