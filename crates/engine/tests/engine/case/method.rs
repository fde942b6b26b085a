//! Cases of what methods of training add: lengths of rows, noise, averages.

use super::{Case, NOTHING};
use penname_engine::op::{
    AdamW, Average, Coded, Embed, Magnitude, Moments, Noise, RowNorm, Stretch, Trained,
};
use penname_engine::program::Tensor;
use penname_engine::{DType, Precision, Role, Rows, Section, TensorId};

/// All of them.
pub(super) fn all(precision: Precision) -> Vec<Case> {
    let mut cases: Vec<Case> =
        [(1, 3, 1), (70, 48, 8), (33, 130, 4)].map(|(n, k, rank)| row_norm(n, k, rank, precision)).into();
    cases.extend(
        [(1, 3, true), (70, 37, false), (130, 64, true)].map(|(m, n, add)| magnitude(m, n, add, precision)),
    );
    cases.extend([(1, 3), (9, 1100)].map(|(m, d)| noise(m, d, precision)));
    cases.extend([1.0, 2.0].map(|step| average(step, precision)));
    cases.extend(
        [(7, 2500, false), (1, 37, true), (7, 2500, true)].map(|(n, d, coded)| adamw(n, d, coded, precision)),
    );
    cases
}

/// The length of every row of a frozen weight with a pair.
fn row_norm(n: usize, k: usize, rank: usize, precision: Precision) -> Case {
    let mut case = Case::new(format!("row_norm {n}x{k}x{rank}"), 1, precision);
    // Two rows at least, so that the weight lies as frozen matrices do.
    let n = n + 1;
    let weight = case.weight("weight", n, k, false);
    let [a, b] = [("a", rank, k), ("b", n, rank)].map(|(name, rows, cols)| {
        let id = case.program.weight(name, rows, cols, DType::F32, true);
        case.fill(id, 0.5)
    });
    let squares = case.program.input("squares", Rows::Fixed(1), n, DType::F32);
    let (_, values) = &case.reals[0];
    let stored = |v: &f64| match precision {
        Precision::F32 => f64::from(*v as f32),
        Precision::Bf16 => half::bf16::from_f32(*v as f32).to_f64(),
    };
    let sums = values.chunks(k).map(|row| row.iter().map(|v| stored(v).powi(2)).sum()).collect();
    case.reals.push((squares, sums));
    let norm = case.result("norm", Rows::Fixed(1), n, DType::F32);
    case.finish(RowNorm { weight, squares, a, b, scale: 2.0, norm }, NOTHING)
}

/// Three projections: stretched, left as it is, and stretched by a factor that is known.
fn magnitude(m: usize, n: usize, residual: bool, precision: Precision) -> Case {
    let mut case = Case::new(format!("magnitude {m}x{n} {residual}"), m, precision);
    let x = case.rows("x", 3 * n + 1);
    let mut vector = |name: &str, n: usize, trainable: bool| case.weight(name, 1, n, trainable);
    let (magnitude, bias) = (vector("m", n, true), vector("b", n, true));
    let (factor, other_bias) = (vector("c", n, false), vector("b", n + 1, true));
    let norm = case.program.input("norm", Rows::Fixed(1), n, DType::F32);
    let lengths = super::noise(n, 5).into_iter().map(|v| f64::from((1.5 + v) as f32)).collect();
    case.reals.push((norm, lengths));
    let parts = vec![
        Stretch { outputs: n, magnitude: Some(magnitude), norm: Some(norm), bias: Some(bias) },
        Stretch { outputs: n + 1, magnitude: None, norm: None, bias: Some(other_bias) },
        Stretch { outputs: n, magnitude: Some(factor), norm: None, bias: None },
    ];
    let add = residual.then(|| {
        let id = case.program.input("residual", Rows::Tokens, 3 * n + 1, DType::F32);
        case.wanted.push(id);
        case.fill(id, 1.0)
    });
    let dtype = if residual { DType::F32 } else { precision.dtype() };
    let y = case.result("y", Rows::Tokens, 3 * n + 1, dtype);
    case.finish(Magnitude { x, parts, add, y }, &[y])
}

/// Rows of a table, disturbed: the gradient passes the noise by.
fn noise(m: usize, d: usize, precision: Precision) -> Case {
    let mut case = Case::new(format!("noise {m}x{d}"), m, precision);
    let ids = case.token_ids("ids", (0..m as u32).map(|row| row * 7 % 10).collect());
    let table = case.weight("table", 10, d, true);
    let x = case.program.activation("x", Rows::Tokens, d, DType::F32);
    case.program.push(Section::Forward, Embed { ids, table, y: x });
    let size = case.program.input("size", Rows::Tokens, 1, DType::F32);
    case.fill(size, 0.3);
    let seed = case.program.input("seed", Rows::Fixed(1), 1, DType::U32);
    case.ids.push((seed, vec![11]));
    let y = case.result("y", Rows::Tokens, d, DType::F32);
    case.finish(Noise { x, size, seed, stream: 7, y }, &[y])
}

fn average(step: f64, precision: Precision) -> Case {
    let mut case = Case::new(format!("average {step}"), 1, precision);
    let mut matrix = |name: &str| -> TensorId {
        let (name, rows, dtype) = (name.to_owned(), Rows::Fixed(7), DType::F32);
        let id = case.program.declare(Tensor { name, rows, cols: 2500, dtype, role: Role::State });
        case.fill(id, 1.0)
    };
    let (weight, average) = (matrix("weight"), matrix("average"));
    let schedule = case.program.input("schedule", Rows::Fixed(1), 2, DType::F32);
    case.reals.push((schedule, vec![0.1, step]));
    case.results.push(average);
    case.finish(Average { weights: vec![(weight, average)], schedule, decay: 0.75 }, NOTHING)
}

/// Three updates by the same gradient, so that what was carried on matters.
fn adamw(rows: usize, cols: usize, coded: bool, precision: Precision) -> Case {
    let mut case = Case::new(format!("adamw {rows}x{cols} {coded}"), 1, precision);
    let n = rows * cols;
    let mut state = |name: &str, cols: usize, dtype: DType| {
        let rows = Rows::Fixed(1);
        case.program.declare(Tensor { name: name.to_owned(), rows, cols, dtype, role: Role::State })
    };
    let [weight, gradient] = ["weight", "gradient"].map(|name| state(name, n, DType::F32));
    let mut coded_state = |name: &str| Coded {
        codes: state(&format!("{name} codes"), Coded::words(n), DType::U32),
        largest: state(&format!("{name} largest"), Coded::blocks(n), DType::F32),
    };
    let moments = if coded {
        Moments::Coded { mean: coded_state("mean"), square: coded_state("square") }
    } else {
        let [mean, square] = ["mean", "square"].map(|name| state(name, n, DType::F32));
        Moments::Plain { mean, square }
    };
    case.fill(weight, 1.0);
    case.fill(gradient, 1.0);
    let schedule = case.program.input("schedule", Rows::Fixed(1), 2, DType::F32);
    case.reals.push((schedule, vec![0.01, 3.0]));
    let norm = case.program.input("norm", Rows::Fixed(1), 1, DType::F32);
    case.reals.push((norm, vec![2.0]));
    case.results.push(weight);
    case.results
        .extend(moments.parts().into_iter().filter(|(what, _)| !what.ends_with("codes")).map(|(_, id)| id));
    let trained = Trained { weight, gradient, moments, decays: true, rate: 1.0 };
    let (clip, beta1, beta2, eps, weight_decay) = (1.0, 0.9, 0.99, 1e-8, 0.1);
    let op = AdamW { weights: vec![trained], schedule, norm, clip, beta1, beta2, eps, weight_decay };
    case.program.push(Section::Forward, op.clone());
    case.program.push(Section::Forward, op.clone());
    case.finish(op, NOTHING)
}
