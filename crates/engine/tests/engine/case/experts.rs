//! Programs of a mixture of experts: the choice, the rows sorted, linears by group, and the sum.

use super::{Case, Setting};
use penname_engine::op::{
    Clamp, ClampedSwiGlu, CombineRows, Experts, GroupedLinear, LowRank, Route, Share, SortRows, SpreadRows,
};
use penname_engine::{DType, Precision, Rows, Section, TensorId};

/// M, X, k, N, K, R.
type Shape = (usize, usize, usize, usize, usize, usize);

pub(super) fn all(precision: Precision) -> Vec<Case> {
    let mut cases = Vec::new();
    for (m, x, k) in [(1, 1, 1), (5, 6, 2), (40, 130, 8), (3, 4, 4)] {
        cases.extend([Share::Chosen, Share::All].map(|share| route(m, x, k, share, precision)));
    }
    cases.extend([(1, 1), (5, 37), (20, 1100)].map(|(m, f)| clamped(m, f, precision)));
    for shape in [(1, 3, 2, 5, 3, 1), (13, 4, 2, 48, 70, 8), (30, 5, 1, 33, 64, 4), (9, 40, 3, 96, 31, 2)] {
        for setting in [Setting::Frozen, Setting::LowRank, Setting::Full] {
            cases.push(mixture(shape, setting, precision));
        }
    }
    cases
}

/// An input of f32 whatever the precision, whose derivative is checked.
fn floats(case: &mut Case, name: &str, cols: usize) -> TensorId {
    let id = case.program.input(name, Rows::Tokens, cols, DType::F32);
    case.wanted.push(id);
    case.fill(id, 2.0)
}

fn choice(case: &mut Case, x: usize, k: usize, share: Share) -> (Route, TensorId) {
    let logits = floats(case, "logits", x);
    let weights = case.program.activation("weights", Rows::Tokens, k, DType::F32);
    let experts = case.program.activation("experts", Rows::Tokens, k, DType::U32);
    (Route { logits, share, weights, experts }, experts)
}

fn route(m: usize, x: usize, k: usize, share: Share, precision: Precision) -> Case {
    let mut case = Case::new(format!("route {m}x{x}x{k} {share:?}"), m, precision);
    let (mut op, _) = choice(&mut case, x, k, share);
    op.weights = case.result("chosen weights", Rows::Tokens, k, DType::F32);
    let weights = op.weights;
    case.finish(op, &[weights])
}

fn clamped(m: usize, f: usize, precision: Precision) -> Case {
    let mut case = Case::new(format!("clamped_swiglu {m}x{f}"), m, precision);
    let gate_up = case.rows("gate_up", 2 * f);
    let y = case.result("y", Rows::Tokens, f, precision.dtype());
    case.finish(ClampedSwiGlu { gate_up, clamp: Clamp { alpha: 1.702, limit: 0.6 }, y }, &[y])
}

fn experts(case: &mut Case, (x, n, k, rank): (usize, usize, usize, usize), setting: Setting) -> Experts {
    let weight = case.weight("weight", x * n, k, setting == Setting::Full);
    let bias = Some(case.weight("bias", 1, x * n, setting == Setting::Full));
    let low_rank = (setting == Setting::LowRank).then(|| LowRank {
        a: case.weight("a", x * rank, k, true),
        b: case.weight("b", x * n, rank, true),
        scale: 2.0,
        dropout: None,
    });
    if setting != Setting::Full {
        case.groups.push((weight, x));
    }
    Experts { weight, bias, low_rank }
}

/// Rows to their experts and back, added to a residual.
fn mixture((m, x, k, n, inputs, rank): Shape, setting: Setting, precision: Precision) -> Case {
    let mut case = Case::new(format!("mixture {m}x{x}x{k} {n}x{inputs} {setting:?}"), m, precision);
    let (route, chosen) = choice(&mut case, x, k, Share::Chosen);
    let weights = route.weights;
    case.program.push(Section::Forward, route);
    let bounds = case.program.activation("bounds", Rows::Fixed(1), x + 1, DType::U32);
    let tokens = case.program.activation("tokens", Rows::PerToken(k), 1, DType::U32);
    let places = case.program.activation("places", Rows::Tokens, k, DType::U32);
    case.program.push(Section::Forward, SortRows { experts: chosen, bounds, tokens, places });
    let stream = case.rows("x", inputs);
    let value = |case: &mut Case, name: &str, cols: usize| {
        case.program.activation(name, Rows::PerToken(k), cols, precision.dtype())
    };
    let spread = value(&mut case, "spread", inputs);
    case.program.push(Section::Forward, SpreadRows { x: stream, tokens, places, y: spread });
    let experts = experts(&mut case, (x, n, inputs, rank), setting);
    let hidden = experts.low_rank.is_some().then(|| value(&mut case, "hidden", rank));
    let made = value(&mut case, "made", n);
    case.program.push(Section::Forward, GroupedLinear { x: spread, bounds, experts, hidden, y: made });
    let add = floats(&mut case, "residual", n);
    let y = case.result("y", Rows::Tokens, n, DType::F32);
    case.finish(CombineRows { x: made, weights: Some(weights), places, add: Some(add), y }, &[y])
}
