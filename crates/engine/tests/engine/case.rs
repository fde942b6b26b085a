//! Small programs of one operation each, with inputs, for every row of the conformance table.

mod experts;
mod method;

use penname_engine::op::{
    Add, Attention, CachedAttention, CrossEntropy, Dropout, Embed, GatherRows, Gelu, HeadGain, HeadNorm,
    Heads, IGNORE, LayerNorm, Linear, LowRank, Op, Projection, RmsNorm, Rope, RopeTable, SwiGlu,
};
use penname_engine::{DType, Extent, Precision, Program, Role, Rows, Section, TensorId, derive};

/// No result is differentiated.
const NOTHING: &[TensorId] = &[];

/// A program, its inputs, and what to look at afterwards.
pub(crate) struct Case {
    pub(crate) name: String,
    pub(crate) program: Program,
    pub(crate) extent: Extent,
    pub(crate) reals: Vec<(TensorId, Vec<f64>)>,
    pub(crate) ids: Vec<(TensorId, Vec<u32>)>,
    /// Results of the forward operation.
    pub(crate) results: Vec<TensorId>,
    /// The gradient given for each result.
    pub(crate) seeds: Vec<(TensorId, TensorId)>,
    /// Tensors whose derivative is checked.
    pub(crate) wanted: Vec<TensorId>,
    /// Frozen weights of experts, and of how many.
    pub(crate) groups: Vec<(TensorId, usize)>,
}

/// A fixed sequence of numbers in −1..1.
pub(crate) fn noise(n: usize, seed: u64) -> Vec<f64> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 11) as f64 / (1_u64 << 52) as f64 - 1.0
    };
    (0..n).map(|_| next()).collect()
}

impl Case {
    fn new(name: String, tokens: usize, precision: Precision) -> Self {
        let extent = Extent { tokens, picked: 3.min(tokens) };
        let program = Program::new(Extent { tokens: tokens + 2, picked: 4 }, precision);
        Self {
            name,
            program,
            extent,
            reals: vec![],
            ids: vec![],
            results: vec![],
            seeds: vec![],
            wanted: vec![],
            groups: vec![],
        }
    }

    fn numbers(&self, id: TensorId) -> usize {
        self.extent.rows(self.program.tensor(id).rows) * self.program.cols(id)
    }

    fn fill(&mut self, id: TensorId, scale: f64) -> TensorId {
        let values = noise(self.numbers(id), 17 + self.reals.len() as u64);
        self.reals.push((id, values.into_iter().map(|v| v * scale).collect()));
        id
    }

    /// An input row for every token, whose derivative is checked.
    fn rows(&mut self, name: &str, cols: usize) -> TensorId {
        let dtype = self.program.compute().dtype();
        let id = self.program.input(name, Rows::Tokens, cols, dtype);
        self.wanted.push(id);
        self.fill(id, 1.0)
    }

    fn weight(&mut self, name: &str, rows: usize, cols: usize, trainable: bool) -> TensorId {
        let dtype = if trainable || rows == 1 { DType::F32 } else { self.program.compute().dtype() };
        let id = self.program.weight(name, rows, cols, dtype, trainable);
        if trainable {
            self.wanted.push(id);
        }
        self.fill(id, 0.5)
    }

    fn token_ids(&mut self, name: &str, ids: Vec<u32>) -> TensorId {
        let id = self.program.input(name, Rows::Tokens, 1, DType::U32);
        self.ids.push((id, ids));
        id
    }

    fn result(&mut self, name: &str, rows: Rows, cols: usize, dtype: DType) -> TensorId {
        let id = self.program.activation(name, rows, cols, dtype);
        self.program.set_role(id, Role::Output);
        self.results.push(id);
        id
    }

    /// Appends the operation and its derivative, given random gradients of the results.
    fn finish(mut self, op: impl Into<Op>, differentiate: &[TensorId]) -> Self {
        self.program.push(Section::Forward, op);
        for &result in differentiate {
            let like = self.program.tensor(result).clone();
            let seed = self.program.input(&format!("seed {}", like.name), like.rows, like.cols, like.dtype);
            let seed = self.fill(seed, 1.0);
            self.seeds.push((result, seed));
        }
        derive(&mut self.program, &self.seeds, &self.wanted);
        self.wanted.retain(|id| self.program.gradient(*id).is_some());
        self.program.check().unwrap();
        self
    }
}

/// First rows of documents of these lengths, row by row.
fn starts(lengths: &[usize]) -> Vec<u32> {
    let mut first = 0;
    lengths
        .iter()
        .flat_map(|&len| {
            first += len;
            vec![(first - len) as u32; len]
        })
        .collect()
}

/// Every operation of the forward pass in the shapes most likely to go wrong.
pub(crate) fn all(precision: Precision) -> Vec<Case> {
    let mut cases = vec![embed(precision), gather(6, 5, false, precision), gather(5, 130, true, precision)];
    cases.push(add(precision));
    cases.extend([(1, 3), (7, 64), (33, 130)].map(|(m, d)| norm(m, d, precision)));
    cases.extend([(2, 3), (7, 64), (70, 130)].map(|(m, d)| layer_norm(m, d, precision)));
    cases.extend(
        [(1, 2, true), (9, 64, false), (70, 30, true)].map(|(m, e, x)| head_norm(m, e, x, precision)),
    );
    cases.extend([(1, 2), (5, 37), (40, 96)].map(|(m, f)| swiglu(m, f, precision)));
    cases.extend([(1, 2), (5, 37), (40, 1100)].map(|(m, f)| gelu(m, f, precision)));
    cases.extend([(1, 8), (9, 64), (20, 80)].map(|(m, e)| rope(m, e, precision)));
    for (lengths, query, kv, width) in [
        (&[1][..], 1, 1, 8),
        (&[5, 1, 7], 3, 1, 16),
        (&[70, 3], 4, 2, 64),
        (&[9, 20], 8, 1, 80),
        (&[130], 3, 3, 128),
    ] {
        cases.push(attention(lengths, None, Heads { query, kv, width }, (None, false), precision));
    }
    for (lengths, shared, window) in [
        (&[5, 1, 7][..], false, 3),
        (&[70, 3, 140], false, 33),
        (&[9], false, 1),
        (&[5, 1, 7], true, 4),
        (&[67, 9, 40], true, 16),
        (&[67, 90, 40], true, 70),
        (&[6, 60, 71], true, 5),
    ] {
        let (shared, heads) = (shared.then_some(lengths[0]), Heads { query: 4, kv: 2, width: 16 });
        cases.push(attention(lengths, shared, heads, (Some(window), false), precision));
        cases.push(attention(lengths, shared, heads, (Some(window), true), precision));
    }
    cases.push(attention(&[40, 3], None, Heads { query: 3, kv: 1, width: 8 }, (None, true), precision));
    for (lengths, query, kv, width) in
        [(&[5, 1, 7][..], 3, 1, 16), (&[67, 9, 40], 4, 2, 64), (&[6, 60, 71], 3, 3, 32), (&[130], 2, 1, 16)]
    {
        cases.push(attention(
            lengths,
            Some(lengths[0]),
            Heads { query, kv, width },
            (None, false),
            precision,
        ));
    }
    for reach in [(None, false), (Some(4), false), (None, true), (Some(7), true)] {
        cases.push(cached(reach, precision));
    }
    cases.extend(method::all(precision));
    for (m, n, k, rank) in [(1, 5, 3, 1), (13, 48, 70, 8), (70, 33, 64, 16), (17, 96, 31, 4)] {
        for setting in [Setting::Frozen, Setting::LowRank, Setting::Dropout, Setting::Full] {
            cases.push(linear(m, n, k, rank, setting, precision));
        }
    }
    cases.extend(
        [(1, 5, 4, false), (23, 70, 48, true), (40, 301, 33, false)]
            .map(|(m, v, d, t)| loss(m, v, d, t, precision)),
    );
    cases.extend(experts::all(precision));
    cases
}

fn embed(precision: Precision) -> Case {
    let mut case = Case::new("embed".into(), 6, precision);
    let ids = case.token_ids("ids", vec![3, 0, 3, 9, 1, 3]);
    let table = case.weight("table", 10, 7, true);
    let y = case.result("y", Rows::Tokens, 7, DType::F32);
    case.finish(Embed { ids, table, y }, &[y])
}

/// `others`: whether `x` has a gradient by other ways than the pick.
fn gather(m: usize, d: usize, others: bool, precision: Precision) -> Case {
    let mut case = Case::new(format!("gather_rows {m}x{d} {others}"), m, precision);
    let x = case.rows("x", d);
    let rows = case.program.input("rows", Rows::Picked, 1, DType::U32);
    case.ids.push((rows, vec![m as u32 - 1, 0, m as u32 - 1]));
    let y = case.result("y", Rows::Picked, d, precision.dtype());
    let differentiate: &[TensorId] = if others { &[y, x] } else { &[y] };
    case.finish(GatherRows { x, rows, y }, differentiate)
}

/// Token and position, each from a table.
fn add(precision: Precision) -> Case {
    let mut case = Case::new("add".into(), 6, precision);
    let summands =
        [("token", vec![3, 0, 3, 9, 1, 3]), ("position", vec![0, 1, 2, 0, 1, 2])].map(|(name, ids)| {
            let ids = case.token_ids(name, ids);
            let table = case.weight("table", 10, 37, true);
            let y = case.program.activation(name, Rows::Tokens, 37, DType::F32);
            case.program.push(Section::Forward, Embed { ids, table, y });
            y
        });
    let [a, b] = summands;
    let y = case.result("y", Rows::Tokens, 37, DType::F32);
    case.finish(Add { a, b, y }, &[y])
}

fn norm(m: usize, d: usize, precision: Precision) -> Case {
    let mut case = Case::new(format!("rms_norm {m}x{d}"), m, precision);
    let x = case.rows("x", d);
    let gamma = case.weight("gamma", 1, d, true);
    let y = case.result("y", Rows::Tokens, d, precision.dtype());
    case.finish(RmsNorm { x, gamma, eps: 1e-5, y }, &[y])
}

fn layer_norm(m: usize, d: usize, precision: Precision) -> Case {
    let mut case = Case::new(format!("layer_norm {m}x{d}"), m, precision);
    let x = case.rows("x", d);
    let gamma = case.weight("gamma", 1, d, true);
    let beta = case.weight("beta", 1, d, true);
    let y = case.result("y", Rows::Tokens, d, precision.dtype());
    case.finish(LayerNorm { x, gamma, beta, eps: 1e-5, y }, &[y])
}

/// Three heads share one gain, one has its own, and half a head more passes through. `below`: whether
/// anything but the gains is differentiated.
fn head_norm(m: usize, e: usize, below: bool, precision: Precision) -> Case {
    let mut case = Case::new(format!("head_norm {m}x{e} {below}"), m, precision);
    let cols = 4 * e + e / 2;
    let x = case.rows("x", cols);
    if !below {
        case.wanted.clear();
    }
    let gains = [3, 1].map(|heads| HeadGain { gamma: case.weight("gamma", 1, e, true), heads }).to_vec();
    let y = case.result("y", Rows::Tokens, cols, precision.dtype());
    case.finish(HeadNorm { x, gains, eps: 1e-6, y }, &[y])
}

fn gelu(m: usize, f: usize, precision: Precision) -> Case {
    let mut case = Case::new(format!("gelu {m}x{f}"), m, precision);
    let x = case.rows("x", f);
    let y = case.result("y", Rows::Tokens, f, precision.dtype());
    case.finish(Gelu { x, y }, &[y])
}

fn swiglu(m: usize, f: usize, precision: Precision) -> Case {
    let mut case = Case::new(format!("swiglu {m}x{f}"), m, precision);
    let gate_up = case.rows("gate_up", 2 * f);
    let y = case.result("y", Rows::Tokens, f, precision.dtype());
    case.finish(SwiGlu { gate_up, y }, &[y])
}

fn rope(m: usize, e: usize, precision: Precision) -> Case {
    let mut case = Case::new(format!("rope {m}x{e}"), m, precision);
    let positions = case.token_ids("positions", (0..m as u32).map(|i| i * 37 % 1000).collect());
    let cos = case.program.activation("cos", Rows::Tokens, e / 2, DType::F32);
    let sin = case.program.activation("sin", Rows::Tokens, e / 2, DType::F32);
    let inverse_frequency = (0..e / 2).map(|i| 10_000_f32.powf(-2.0 * i as f32 / e as f32)).collect();
    case.program.push(Section::Forward, RopeTable { positions, inverse_frequency, scale: 1.0, cos, sin });
    // Two heads are rotated, half a head more passes through.
    let cols = 2 * e + e / 2;
    let x = case.rows("x", cols);
    let y = case.result("y", Rows::Tokens, cols, precision.dtype());
    case.finish(Rope { x, cos, sin, heads: 2, head_width: e, inverse: false, y }, &[y])
}

/// A window, and whether there are sinks.
type Reach = (Option<usize>, bool);

/// `shared`: rows of the first document, which all others begin with.
fn attention(
    lengths: &[usize],
    shared: Option<usize>,
    heads: Heads,
    (window, has_sinks): Reach,
    precision: Precision,
) -> Case {
    let m = lengths.iter().sum();
    let Heads { query, kv, width } = heads;
    let mut case = Case::new(
        format!("attention {lengths:?} {query}/{kv}x{width} {shared:?} {window:?} {has_sinks}"),
        m,
        precision,
    );
    let starts = case.token_ids("starts", starts(lengths));
    let shared = shared.map(|shared| {
        let id = case.program.input("shared", Rows::Fixed(1), 1, DType::U32);
        case.ids.push((id, vec![shared as u32]));
        id
    });
    let qkv = case.rows("qkv", heads.total_cols());
    let sinks = has_sinks.then(|| case.weight("sinks", 1, heads.query, true));
    let out = case.result("out", Rows::Tokens, heads.query_cols(), precision.dtype());
    let lse = case.result("lse", Rows::Tokens, heads.query, DType::F32);
    let scale = 1.0 / (heads.width as f32).sqrt();
    case.finish(Attention { qkv, starts, shared, heads, scale, window, sinks, out, lse }, &[out])
}

fn cached((window, has_sinks): Reach, precision: Precision) -> Case {
    let heads = Heads { query: 6, kv: 2, width: 16 };
    let mut case = Case::new(format!("cached_attention {window:?} {has_sinks}"), 4, precision);
    let sinks = has_sinks.then(|| case.weight("sinks", 1, heads.query, false));
    // Two rows continue a sequence at cache row 3, one opens another, one repeats a long one.
    let first = case.token_ids("first", vec![0, 0, 20, 8]);
    let at = case.token_ids("at", vec![3, 4, 20, 17]);
    let qkv = case.rows("qkv", heads.total_cols());
    let cache = |case: &mut Case, name: &str| {
        let dtype = precision.dtype();
        let role = Role::State;
        let tensor = penname_engine::program::Tensor {
            name: name.into(),
            rows: Rows::Fixed(24),
            cols: heads.kv_cols(),
            dtype,
            role,
        };
        let id = case.program.declare(tensor);
        case.fill(id, 1.0)
    };
    let (keys, values) = (cache(&mut case, "keys"), cache(&mut case, "values"));
    let out = case.result("out", Rows::Tokens, heads.query_cols(), precision.dtype());
    case.results.extend([keys, values]);
    let op = CachedAttention { qkv, first, at, keys, values, heads, scale: 0.25, window, sinks, out };
    case.finish(op, &[])
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Setting {
    Frozen,
    LowRank,
    Dropout,
    Full,
}

fn linear(m: usize, n: usize, k: usize, rank: usize, setting: Setting, precision: Precision) -> Case {
    let mut case = Case::new(format!("linear {m}x{n}x{k} {setting:?}"), m, precision);
    let x = case.rows("x", k);
    let seed = case.program.input("dropout seed", Rows::Fixed(1), 1, DType::U32);
    case.ids.push((seed, vec![11]));
    let part = |case: &mut Case, n: usize, stream: u32| {
        let weight = case.weight("weight", n, k, setting == Setting::Full);
        let bias = Some(case.weight("bias", 1, n, setting == Setting::Full));
        let pair = matches!(setting, Setting::LowRank | Setting::Dropout);
        let low_rank = pair.then(|| LowRank {
            a: case.weight("a", rank, k, true),
            b: case.weight("b", n, rank, true),
            scale: 2.0,
            dropout: (setting == Setting::Dropout).then_some(Dropout { rate: 0.3, stream, seed }),
        });
        Projection { weight, bias, low_rank }
    };
    // Two projections of different widths side by side.
    let parts = vec![part(&mut case, n, 1), part(&mut case, 2 * n + 1, 2)];
    let cols = 3 * n + 1;
    let add = case.program.input("residual", Rows::Tokens, cols, DType::F32);
    case.wanted.push(add);
    case.fill(add, 1.0);
    let y = case.result("y", Rows::Tokens, cols, DType::F32);
    let pair = parts.iter().any(|part| part.low_rank.is_some());
    let hidden = pair.then(|| case.program.activation("hidden", Rows::Tokens, 2 * rank, precision.dtype()));
    case.finish(Linear { x, parts, hidden, add: Some(add), y }, &[y])
}

fn loss(m: usize, v: usize, d: usize, trainable: bool, precision: Precision) -> Case {
    let mut case = Case::new(format!("cross_entropy {m}x{v}x{d}"), m, precision);
    let x = case.rows("x", d);
    let weight = case.weight("weight", v, d, trainable);
    let target = |i: usize| if i % 3 == 1 { IGNORE } else { (i * 31 % v) as u32 };
    let targets = case.token_ids("targets", (0..m).map(target).collect());
    let gradient_scale = case.program.input("gradient scale", Rows::Fixed(1), 1, DType::F32);
    case.reals.push((gradient_scale, vec![1.0]));
    let losses = case.result("losses", Rows::Tokens, 1, DType::F32);
    let chunk = case.program.activation("chunk", Rows::Fixed(8), v, DType::F32);
    case.finish(
        CrossEntropy { x, weight, targets, gradient_scale, losses, chunk, dx: None, dweight: None },
        &[],
    )
}
