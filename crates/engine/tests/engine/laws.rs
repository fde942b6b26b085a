//! Laws of plans and of recomputation, on a small chain of operations.

use crate::case::noise;
use penname_engine::backend::cpu::Cpu;
use penname_engine::backend::null::Null;
use penname_engine::op::{CrossEntropy, Linear, Projection, RmsNorm, SwiGlu};
use penname_engine::{
    DType, Device, DeviceError, Extent, Keep, Plan, Precision, Program, Rows, Section, Session, TensorId,
    derive, plan,
};

const TOKENS: usize = 24;
const WIDTH: usize = 16;
const BLOCKS: usize = 3;

/// Norm, gate and projection, three times over, with a loss on top.
struct Chain {
    program: Program,
    x: TensorId,
    targets: TensorId,
    scale: TensorId,
    weights: Vec<TensorId>,
}

/// Ids of the loss; a gradient of its weights is small.
const VOCABULARY: usize = 40;
/// So many that a gradient of its weights is memory of its own, which counts as zeros before it is written.
const LARGE_VOCABULARY: usize = 40_000;

fn chain(vocabulary: usize) -> Chain {
    let mut program = Program::new(Extent::tokens(TOKENS), Precision::F32);
    let x = program.input("x", Rows::Tokens, WIDTH, DType::F32);
    let targets = program.input("targets", Rows::Tokens, 1, DType::U32);
    let scale = program.input("scale", Rows::Fixed(1), 1, DType::F32);
    let mut weights = Vec::new();
    let mut h = x;
    for block in 0..BLOCKS {
        program.enter_block(Some(block));
        let gamma = program.weight(&format!("gamma {block}"), 1, WIDTH, DType::F32, true);
        let wide = program.weight(&format!("wide {block}"), 2 * WIDTH, WIDTH, DType::F32, true);
        let narrow = program.weight(&format!("narrow {block}"), WIDTH, WIDTH, DType::F32, true);
        weights.extend([gamma, wide, narrow]);
        let value = |program: &mut Program, name: &str, cols| {
            program.activation(name, Rows::Tokens, cols, DType::F32)
        };
        let normed = value(&mut program, "normed", WIDTH);
        program.push(Section::Forward, RmsNorm { x: h, gamma, eps: 1e-5, y: normed });
        let gate_up = value(&mut program, "gate_up", 2 * WIDTH);
        program.push(
            Section::Forward,
            Linear { x: normed, parts: vec![Projection::plain(wide)], hidden: None, add: None, y: gate_up },
        );
        let gated = value(&mut program, "gated", WIDTH);
        program.push(Section::Forward, SwiGlu { gate_up, y: gated });
        let next = value(&mut program, "next", WIDTH);
        program.push(
            Section::Forward,
            Linear { x: gated, parts: vec![Projection::plain(narrow)], hidden: None, add: Some(h), y: next },
        );
        h = next;
    }
    program.enter_block(None);
    let head = program.weight("head", vocabulary, WIDTH, DType::F32, true);
    weights.push(head);
    let losses = program.activation("losses", Rows::Tokens, 1, DType::F32);
    let logits = program.activation("logits", Rows::Fixed(8), vocabulary, DType::F32);
    program.push(
        Section::Forward,
        CrossEntropy {
            x: h,
            weight: head,
            targets,
            gradient_scale: scale,
            losses,
            chunk: logits,
            dx: None,
            dweight: None,
        },
    );
    derive(&mut program, &[], &[]);
    Chain { program, x, targets, scale, weights }
}

/// A chain with weights and inputs on the processor.
struct Trial {
    chain: Chain,
    cpu: Cpu,
    session: Session,
}

impl Trial {
    fn new(vocabulary: usize, keep: Keep) -> Self {
        let mut chain = chain(vocabulary);
        plan::recompute(&mut chain.program, keep);
        chain.program.check().unwrap();
        let mut cpu = Cpu::new();
        let mut session = Session::new(chain.program.clone(), &mut cpu).unwrap();
        let extent = Extent::tokens(TOKENS);
        let values = |n: usize, seed: u64| noise(n, seed).into_iter().map(|v| v as f32).collect::<Vec<f32>>();
        for (seed, &weight) in (50..).zip(&chain.weights) {
            let n = chain.program.rows(weight) * chain.program.cols(weight);
            let buffer = cpu.allocate(chain.program.bytes(weight)).unwrap();
            session.bind(weight, buffer);
            session.write(&mut cpu, weight, extent, &values(n, seed));
        }
        session.write(&mut cpu, chain.x, extent, &values(TOKENS * WIDTH, 1));
        session.write(&mut cpu, chain.scale, extent, &[1.0 / TOKENS as f32]);
        let targets: Vec<u32> = (0..TOKENS).map(|i| (i * 7 % vocabulary) as u32).collect();
        session.write_ids(&mut cpu, chain.targets, extent, &targets);
        Self { chain, cpu, session }
    }

    fn run(&mut self, sections: &[Section]) {
        for &section in sections {
            self.session.run(&mut self.cpu, section, Extent::tokens(TOKENS)).unwrap();
        }
    }

    fn gradients(&mut self) -> Vec<Vec<f32>> {
        let program = &self.chain.program;
        let gradients = self.chain.weights.iter().map(|w| program.gradient(*w).unwrap());
        gradients.map(|id| self.session.read(&mut self.cpu, id, Extent::tokens(TOKENS))).collect()
    }
}

const MICRO_BATCH: [Section; 2] = [Section::Forward, Section::Backward];

/// Every gradient of the chain on the processor.
fn gradients(keep: Keep) -> Vec<Vec<f32>> {
    let mut trial = Trial::new(VOCABULARY, keep);
    trial.run(&[Section::Begin]);
    trial.run(&MICRO_BATCH);
    trial.gradients()
}

#[test]
fn gradients_add_up_over_micro_batches_and_begin_anew_with_a_step() {
    for vocabulary in [VOCABULARY, LARGE_VOCABULARY] {
        let mut trial = Trial::new(vocabulary, Keep::All);
        trial.run(&[Section::Begin]);
        assert!(trial.gradients().iter().flatten().all(|g| *g == 0.0), "{vocabulary}: at first");
        trial.run(&MICRO_BATCH);
        let once = trial.gradients();
        assert!(once.iter().all(|gradient| gradient.iter().any(|g| *g != 0.0)));
        trial.run(&MICRO_BATCH);
        for (twice, once) in trial.gradients().iter().flatten().zip(once.iter().flatten()) {
            assert!(
                (twice - 2.0 * once).abs() <= 1e-5 * once.abs().max(1e-3),
                "{vocabulary}: {once}, {twice}"
            );
        }
        trial.run(&[Section::Begin]);
        trial.run(&MICRO_BATCH);
        assert!(trial.gradients() == once, "{vocabulary}: a second step");
        trial.run(&[Section::Begin]);
        assert!(trial.gradients().iter().flatten().all(|g| *g == 0.0), "{vocabulary}: before a third");
    }
}

#[test]
fn recomputing_gives_the_same_gradients_to_the_last_bit() {
    let kept = gradients(Keep::All);
    assert!(kept.iter().all(|gradient| gradient.iter().any(|g| *g != 0.0)));
    for keep in [Keep::Products, Keep::Blocks(1), Keep::BlockInputs] {
        assert!(gradients(keep) == kept, "{keep:?}");
    }
}

#[test]
fn keeping_less_takes_less_memory() {
    let arena = |keep: Keep| {
        let mut program = chain(VOCABULARY).program;
        plan::recompute(&mut program, keep);
        Plan::new(&program).arena_bytes
    };
    let sizes = Keep::ALL.map(arena);
    assert!(sizes[0] > sizes[1] && sizes[1] > sizes[2], "{sizes:?}");
}

#[test]
fn tensors_that_live_together_lie_apart() {
    for keep in Keep::ALL {
        let mut program = chain(VOCABULARY).program;
        plan::recompute(&mut program, keep);
        let plan = Plan::new(&program);
        for (at, step) in program.steps().iter().enumerate() {
            let alive: Vec<(usize, usize, TensorId)> = program
                .iter()
                .filter(|(id, _)| {
                    let uses = |s: &penname_engine::program::Step| {
                        s.op.accesses().iter().any(|(_, used)| used == id)
                    };
                    program.steps()[..=at].iter().any(uses) && program.steps()[at + 1..].iter().any(uses)
                })
                .filter_map(|(id, _)| match plan.place(id) {
                    plan::Place::Arena(offset) => Some((offset, program.bytes(id), id)),
                    _ => None,
                })
                .collect();
            for (i, a) in alive.iter().enumerate() {
                for b in &alive[i + 1..] {
                    assert!(
                        a.0 + a.1 <= b.0 || b.0 + b.1 <= a.0,
                        "{keep:?}: after `{}` {a:?} and {b:?} overlap",
                        step.op.name()
                    );
                }
            }
        }
    }
}

#[test]
fn a_gradient_exists_for_trainable_weights_only() {
    let mut chain = chain(VOCABULARY);
    assert_eq!(chain.program.trainable().len(), chain.weights.len());
    let mut frozen = Program::new(Extent::tokens(4), Precision::F32);
    let x = frozen.input("x", Rows::Tokens, WIDTH, DType::F32);
    let weight = frozen.weight("w", WIDTH, WIDTH, DType::F32, false);
    let y = frozen.activation("y", Rows::Tokens, WIDTH, DType::F32);
    frozen.push(
        Section::Forward,
        Linear { x, parts: vec![Projection::plain(weight)], hidden: None, add: None, y },
    );
    derive(&mut frozen, &[], &[]);
    assert_eq!((frozen.steps().len(), frozen.trainable().len()), (1, 0));
    chain.program = frozen;
}

#[test]
fn the_null_device_counts_what_the_plan_says_and_refuses_more() {
    let chain = chain(VOCABULARY);
    let memory = Plan::new(&chain.program).memory;
    let mut null = Null::new();
    let mut session = Session::new(chain.program.clone(), &mut null).unwrap();
    for &weight in &chain.weights {
        let buffer = null.allocate(chain.program.bytes(weight)).unwrap();
        session.bind(weight, buffer);
    }
    assert_eq!(null.peak_bytes, memory.total());
    session.run(&mut null, Section::Forward, Extent::tokens(TOKENS)).unwrap();
    let mut small = Null::new();
    small.limit_bytes = Some(memory.arena - 1);
    assert!(matches!(Session::new(chain.program, &mut small), Err(DeviceError::OutOfMemory { .. })));
}

#[test]
fn more_rows_than_planned_are_refused() {
    let mut null = Null::new();
    let mut session = Session::new(chain(VOCABULARY).program, &mut null).unwrap();
    let run = session.run(&mut null, Section::Forward, Extent::tokens(TOKENS + 1));
    assert!(matches!(run, Err(DeviceError::TooManyRows { found: 25, capacity: 24, .. })));
}
