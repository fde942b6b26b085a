//! Where every buffer lies, and for how long.
//!
//! Activations share one arena: each lives from its first write to its last
//! use, and two that never live at the same time may lie on the same bytes.
//! Everything else has a buffer of its own. The plan is exact, so the forecast
//! of memory is the program itself and cannot drift from it.

mod peak;

use crate::op::Access;
use crate::program::{Program, Role, Section, Tensor, TensorId};
use crate::session::Stretches;

pub use peak::{Live, Peak, int8_scratch, scratch};

/// Every buffer begins on a cache line.
const ALIGN: usize = 64;

/// Where a tensor lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// In a buffer of its own, kept between runs.
    Own,
    /// In the arena, at this byte.
    Arena(usize),
    /// Nothing touches it.
    Nowhere,
}

/// Where every tensor of a program lies, and what that costs.
#[derive(Debug, Clone)]
pub struct Plan {
    places: Vec<Place>,
    /// Size of the arena.
    pub arena_bytes: usize,
    /// What the plan needs, by purpose.
    pub memory: Memory,
}

/// Bytes by purpose, at full capacity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Memory {
    /// Parameters that training does not change.
    pub frozen: usize,
    /// Parameters that it does.
    pub trainable: usize,
    /// Their gradients.
    pub gradients: usize,
    /// Optimizer moments and caches.
    pub state: usize,
    /// Everything that lives inside a run: the arena.
    pub arena: usize,
    /// Inputs and outputs.
    pub io: usize,
}

impl Memory {
    /// All of it.
    pub fn total(self) -> usize {
        self.frozen + self.trainable + self.gradients + self.state + self.arena + self.io
    }
}

/// First and last position of the operations that touch a tensor.
#[derive(Debug, Clone, Copy)]
struct Life {
    first: usize,
    last: usize,
}

impl Plan {
    /// Places every tensor of `program`.
    pub fn new(program: &Program) -> Self {
        let lives = lives(program);
        let groups = merge_in_place(program, &lives);
        let (offsets, arena_bytes) = place(&blocks(program, &lives, &groups));
        let place_of =
            |(id, tensor): (TensorId, &Tensor)| match (tensor.role.is_persistent(), lives[id.index()]) {
                (_, None) => Place::Nowhere,
                (true, _) => Place::Own,
                (false, _) => offsets[groups[id.index()]].map_or(Place::Nowhere, Place::Arena),
            };
        let places: Vec<Place> = program.iter().map(place_of).collect();
        let memory = memory(program, &places, arena_bytes);
        Self { places, arena_bytes, memory }
    }

    /// The most bytes of frozen weights that must be there at one time where they are fetched block by
    /// block: those of two stretches of operations in a row.
    pub fn working_set(program: &Program, bytes: &dyn Fn(TensorId) -> usize) -> usize {
        Stretches::new(program).working_set(bytes)
    }

    /// Where a tensor lies.
    pub fn place(&self, id: TensorId) -> Place {
        self.places[id.index()]
    }
}

fn lives(program: &Program) -> Vec<Option<Life>> {
    let mut lives: Vec<Option<Life>> = vec![None; program.tensors().len()];
    for (at, step) in program.steps().iter().enumerate() {
        for (_, id) in step.op.accesses() {
            let life = &mut lives[id.index()];
            *life = Some(Life { first: life.map_or(at, |l| l.first), last: at });
        }
    }
    lives
}

/// Gives each tensor the group whose memory it uses: its own, or that of an
/// input that the operation writing it reads for the last time.
fn merge_in_place(program: &Program, lives: &[Option<Life>]) -> Vec<usize> {
    let mut group: Vec<usize> = (0..lives.len()).collect();
    for (at, step) in program.steps().iter().enumerate() {
        let Some((from, to)) = step.op.in_place() else { continue };
        let arena = |id: TensorId| program.tensor(id).role == Role::Activation;
        let ends_here = lives[from.index()].is_some_and(|l| l.last == at);
        let begins_here = lives[to.index()].is_some_and(|l| l.first == at);
        // A tensor listed twice by the operation is still needed while it runs.
        let once = step.op.accesses().iter().filter(|(_, id)| *id == from).count() == 1;
        let same_kind = program.tensor(from).dtype == program.tensor(to).dtype;
        if arena(from)
            && arena(to)
            && ends_here
            && begins_here
            && once
            && same_kind
            && program.bytes(from) == program.bytes(to)
        {
            group[to.index()] = group[from.index()];
        }
    }
    group
}

/// A stretch of memory that is in use from one operation to another.
#[derive(Debug, Clone, Copy)]
struct Block {
    group: usize,
    bytes: usize,
    life: Life,
}

fn blocks(program: &Program, lives: &[Option<Life>], groups: &[usize]) -> Vec<Block> {
    let mut blocks: Vec<Option<Block>> = vec![None; groups.len()];
    for (id, tensor) in program.iter() {
        let (Role::Activation, Some(life)) = (tensor.role, lives[id.index()]) else { continue };
        let group = groups[id.index()];
        let bytes = program.bytes(id).next_multiple_of(ALIGN);
        let block = blocks[group].get_or_insert(Block { group, bytes, life });
        block.life = Life { first: block.life.first.min(life.first), last: block.life.last.max(life.last) };
        block.bytes = block.bytes.max(bytes);
    }
    blocks.into_iter().flatten().collect()
}

/// Places the largest blocks first, each at the lowest offset that is free for its whole life.
fn place(blocks: &[Block]) -> (Vec<Option<usize>>, usize) {
    let n_groups = blocks.iter().map(|b| b.group + 1).max().unwrap_or(0);
    let mut offsets = vec![None; n_groups];
    let mut order: Vec<&Block> = blocks.iter().collect();
    order.sort_by_key(|b| (std::cmp::Reverse(b.bytes), b.life.first, b.group));
    let mut placed: Vec<(usize, &Block)> = Vec::new();
    let mut arena_bytes = 0;
    for block in order {
        let overlaps =
            |other: &Block| other.life.first <= block.life.last && block.life.first <= other.life.last;
        let mut at = 0;
        // `placed` is kept in order of offsets, so the first gap wide enough is the lowest.
        for &(start, other) in placed.iter().filter(|(_, other)| overlaps(other)) {
            if start >= at + block.bytes {
                break;
            }
            at = at.max(start + other.bytes);
        }
        offsets[block.group] = Some(at);
        arena_bytes = arena_bytes.max(at + block.bytes);
        let position = placed.partition_point(|(start, _)| *start <= at);
        placed.insert(position, (at, block));
    }
    (offsets, arena_bytes)
}

fn memory(program: &Program, places: &[Place], arena: usize) -> Memory {
    let mut memory = Memory { arena, ..Memory::default() };
    for (id, tensor) in program.iter() {
        let bytes = program.bytes(id);
        match (places[id.index()], tensor.role) {
            (Place::Nowhere, _) | (_, Role::Activation) => {}
            (_, Role::Weight { trainable: false }) => memory.frozen += bytes,
            (_, Role::Weight { trainable: true }) => memory.trainable += bytes,
            (_, Role::Gradient) => memory.gradients += bytes,
            (_, Role::State) => memory.state += bytes,
            (_, Role::Input | Role::Output) => memory.io += bytes,
        }
    }
    memory
}

/// How much of the forward pass is computed again in the backward pass instead of being kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Keep {
    /// Everything is kept: the fastest.
    All,
    /// Norms and gates are computed again: a few per cent more time.
    Products,
    /// The same, and of this many blocks, the first ones, only the inputs are kept.
    Blocks(usize),
    /// Only the input of each block is kept: about a third more time.
    BlockInputs,
}

impl Keep {
    /// The choices that do not depend on the number of blocks, fastest first.
    pub const ALL: [Self; 3] = [Self::All, Self::Products, Self::BlockInputs];
}

/// Rewrites a program with a backward pass so that it keeps less.
///
/// Before the first backward operation that reads a result which is not kept,
/// the operation that made it stands again, under a new name; its own inputs,
/// if not kept, likewise. The gradients are the same to the last bit, because
/// the same kernels run on the same numbers.
pub fn recompute(program: &mut Program, keep: Keep) {
    if keep == Keep::All {
        return;
    }
    let makers = makers(program, keep);
    let steps = std::mem::take(program.steps_mut());
    let mut again: Vec<Option<TensorId>> = vec![None; program.tensors().len()];
    let mut out = Vec::with_capacity(steps.len() * 2);
    for step in &steps {
        let mut step = step.clone();
        if step.section == Section::Backward {
            let reads = step.op.accesses().into_iter().filter(|(access, _)| *access == Access::Read);
            for (_, id) in reads {
                remake(program, &steps, &makers, id, &mut again, &mut out);
            }
            rename(&mut step.op, &again);
        }
        out.push(step);
    }
    *program.steps_mut() = out;
}

/// By tensor: the position of the operation that makes it, if its result is not kept.
fn makers(program: &Program, keep: Keep) -> Vec<Option<usize>> {
    let mut makers: Vec<Option<usize>> = vec![None; program.tensors().len()];
    let mut is_block_output = vec![false; program.tensors().len()];
    for (at, step) in program.steps().iter().enumerate().filter(|(_, s)| s.section == Section::Forward) {
        for (access, id) in step.op.accesses() {
            let made_in = makers[id.index()].map(|at| program.steps()[at].block);
            match access {
                Access::Read if made_in.is_some_and(|block| block != step.block) => {
                    is_block_output[id.index()] = true
                }
                Access::Write => makers[id.index()] = Some(at),
                _ => {}
            }
        }
    }
    for (id, maker) in makers.iter_mut().enumerate() {
        let dropped = maker.is_some_and(|at| {
            let step = &program.steps()[at];
            let activation = program.tensors()[id].role == Role::Activation;
            let wanted = match keep {
                Keep::All => false,
                Keep::Products => step.op.is_cheap(),
                Keep::Blocks(n) if step.block.is_some_and(|block| block < n) => !is_block_output[id],
                Keep::Blocks(_) => step.op.is_cheap(),
                Keep::BlockInputs => step.block.is_some() && !is_block_output[id],
            };
            activation && wanted
        });
        if !dropped {
            *maker = None;
        }
    }
    makers
}

/// Emits, once, the operation that makes `id` again, after those that make its inputs again.
fn remake(
    program: &mut Program,
    steps: &[crate::program::Step],
    makers: &[Option<usize>],
    id: TensorId,
    again: &mut Vec<Option<TensorId>>,
    out: &mut Vec<crate::program::Step>,
) {
    let Some(at) = makers.get(id.index()).copied().flatten() else { return };
    if again[id.index()].is_some() {
        return;
    }
    let mut step = steps[at].clone();
    for (access, input) in step.op.accesses() {
        if access == Access::Read {
            remake(program, steps, makers, input, again, out);
        }
    }
    for (access, written) in step.op.accesses() {
        if access == Access::Write {
            let like = program.tensor(written).clone();
            again[written.index()] =
                Some(program.declare(Tensor { name: format!("{} again", like.name), ..like }));
        }
    }
    rename(&mut step.op, again);
    step.section = Section::Backward;
    out.push(step);
}

fn rename(op: &mut crate::op::Op, again: &[Option<TensorId>]) {
    op.visit(&mut |_, id| {
        if let Some(new) = again.get(id.index()).copied().flatten() {
            *id = new;
        }
    });
}
