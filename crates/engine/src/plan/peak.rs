//! What lies in the arena when it is fullest, and what a device takes beside the plan.

use super::{Life, Plan, blocks, lives, merge_in_place};
use crate::backend::{Device, Scratch};
use crate::op::Op;
use crate::program::{DType, Program, Role, Section, TensorId};

/// The operation during which most of the arena is in use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Peak {
    /// Its name.
    pub op: &'static str,
    /// When it runs.
    pub section: Section,
    /// Its block.
    pub block: Option<usize>,
    /// Everything that is alive then, one entry a piece of memory.
    pub live: Vec<Live>,
}

/// A piece of the arena that is in use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Live {
    /// The tensor that lies there first.
    pub name: String,
    /// The block that made it.
    pub block: Option<usize>,
    /// Whether it was made in the forward pass and waits for the backward pass.
    pub waits: bool,
    /// Its size.
    pub bytes: usize,
}

impl Peak {
    /// Finds it; `None` where nothing lives in the arena.
    pub fn find(program: &Program) -> Option<Self> {
        let lives = lives(program);
        let groups = merge_in_place(program, &lives);
        let all = blocks(program, &lives, &groups);
        let in_use = |at: usize| -> usize {
            all.iter().filter(|block| holds(block.life, at)).map(|block| block.bytes).sum()
        };
        // Memory is fullest where something begins.
        let at =
            all.iter().map(|block| block.life.first).max_by_key(|&at| (in_use(at), std::cmp::Reverse(at)))?;
        let step = &program.steps()[at];
        let live = all.iter().filter(|block| holds(block.life, at)).map(|block| {
            let id = program.iter().map(|(id, _)| id).find(|id| groups[id.index()] == block.group);
            let maker = &program.steps()[block.life.first];
            Live {
                name: id.map_or_else(String::new, |id: TensorId| program.tensor(id).name.clone()),
                block: maker.block,
                waits: maker.section == Section::Forward && step.section == Section::Backward,
                bytes: block.bytes,
            }
        });
        Some(Self { op: step.op.name(), section: step.section, block: step.block, live: live.collect() })
    }

    /// Bytes in use.
    pub fn bytes(&self) -> usize {
        self.live.iter().map(|live| live.bytes).sum()
    }
}

fn holds(life: Life, at: usize) -> bool {
    life.first <= at && at <= life.last
}

/// What a device takes beside the plan: the most of any operation.
pub fn scratch(program: &Program, device: &dyn Device) -> Scratch {
    program.steps().iter().fold(Scratch::default(), |most, step| most.max(device.scratch(&step.op, program)))
}

/// What products of bytes take beside that, if frozen linears are in bytes: their left operands rounded
/// to bytes, and the columns that are kept apart, one of 32 at most.
pub fn int8_scratch(program: &Program) -> usize {
    let of = |m: usize, k: usize, n: usize| m * (k + 64) + (m + n) * k.div_ceil(32) * DType::F32.bytes();
    let one = |op: &Op| match op {
        Op::Linear(op) => {
            let n: usize = op.parts.iter().map(|part| program.rows(part.weight)).sum();
            of(program.rows(op.x), program.cols(op.x), n)
        }
        Op::LinearBackward(op) => {
            let m = program.rows(op.dy);
            let parts = op.parts.iter().map(|part| part.part.weight);
            parts.map(|weight| of(m, program.rows(weight), program.cols(weight))).sum()
        }
        _ => 0,
    };
    program.steps().iter().map(|step| one(&step.op)).max().unwrap_or(0)
}

impl Plan {
    /// The bytes that trained weights take as parameters: pairs, or weights themselves.
    pub fn trained_numbers(program: &Program) -> usize {
        let trained = program.iter().filter(|(_, tensor)| tensor.role == Role::Weight { trainable: true });
        trained.map(|(id, tensor)| program.rows(id) * tensor.cols).sum()
    }
}
