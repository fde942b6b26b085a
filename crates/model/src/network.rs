//! A model as a program: what an architecture builds, and the vocabulary it builds with.
//!
//! An architecture is handed a [`Network`] and adds blocks to it. It says which
//! linears there are and what they are called; whether they are trained, and
//! how, the network decides by its [`Method`]. What attention needs is in `attention`, the end of a
//! model in `head`.

mod attention;
mod experts;
mod head;
mod pair;
mod stretch;

pub(crate) use attention::Reach;
pub(crate) use experts::Mixture;

use crate::adapter::Method;
use crate::arch::Architecture;
use crate::config::Config;
use penname_engine::op::{
    Add, Dropout, Embed, Gelu, LayerNorm, Linear, LowRank, Noise, Projection, RmsNorm, SwiGlu,
};
use penname_engine::{DType, Extent, Precision, Program, Rows, Section, TensorId};

/// Tells noise from dropout, whose streams are counted from 0.
const NOISE_STREAM: u32 = u32::MAX;

/// What a program is built for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// The loss of packed documents, for training and for scoring.
    Loss,
    /// The same while embeddings are disturbed, for training.
    NoisyLoss,
    /// Logits of picked rows, over a cache of keys and values.
    Generate {
        /// Rows of the cache, shared by all sequences.
        cache_rows: usize,
    },
}

impl Purpose {
    /// Whether a loss comes out.
    pub fn is_loss(self) -> bool {
        matches!(self, Self::Loss | Self::NoisyLoss)
    }
}

/// Everything a network is built from, beside the model's configuration.
#[derive(Debug, Clone)]
pub struct Setup {
    /// What is trained.
    pub method: Method,
    /// Rounding of products.
    pub precision: Precision,
    /// The most rows a run may use.
    pub capacity: Extent,
    /// What it is for.
    pub purpose: Purpose,
}

/// A parameter of the checkpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parameter {
    /// Its published name.
    pub name: String,
    /// Its place in the program.
    pub id: TensorId,
    /// Its shape, a linear as (out, in).
    pub shape: Vec<usize>,
    /// Whether Hugging Face publishes it as (in, out).
    pub turned: bool,
    /// How it lies in a checkpoint if it belongs to experts; its shape is then (X, out, in) or (X, out).
    pub fused: Option<Fused>,
}

/// How a parameter of experts lies in a checkpoint: as one tensor, or in the parts it is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fused {
    /// X: how many experts.
    pub experts: usize,
    /// The linears whose rows are those of an expert, by the last part of their paths.
    pub parts: &'static [&'static str],
    /// Whether the rows of the parts alternate, and do not follow each other.
    pub interleaved: bool,
    /// Whether Hugging Face publishes the one tensor as (X, in, out).
    pub turned: bool,
}

/// A low-rank pair beside a linear.
#[derive(Debug, Clone, PartialEq)]
pub struct PairSlot {
    /// Path of the linear.
    pub module: String,
    /// A, (R, K).
    pub a: TensorId,
    /// B, (N, R).
    pub b: TensorId,
    /// Multiplies B·A.
    pub scale: f32,
    /// Lengths of the rows of the weight, (1, N), if they are trained; where nothing is, the factors
    /// that make rows as long.
    pub magnitude: Option<TensorId>,
    /// How many pairs lie below each other: one, or one for each expert.
    pub experts: usize,
}

/// Inputs that the caller writes before each run; those without a use in this program are `None`.
#[derive(Debug, Clone, Copy)]
pub struct Inputs {
    /// Token ids, (M, 1).
    pub tokens: TensorId,
    /// Positions in their documents, (M, 1).
    pub positions: TensorId,
    /// Seed of dropout and noise, (1, 1).
    pub dropout_seed: TensorId,
    /// The largest noise of each row's embedding, (M, 1): disturbed embeddings.
    pub noise: Option<TensorId>,
    /// First row of each row's document, (M, 1): packed documents.
    pub starts: Option<TensorId>,
    /// Rows of a prefix that all documents share, (1, 1): packed documents.
    pub shared: Option<TensorId>,
    /// Rows whose result is wanted, those with loss or those with logits, (picked, 1).
    pub picked: TensorId,
    /// Targets of the rows picked, (picked, 1).
    pub targets: Option<TensorId>,
    /// One over the trained tokens of the step, (1, 1).
    pub gradient_scale: Option<TensorId>,
    /// First cache row of each row's sequence, (M, 1).
    pub first: Option<TensorId>,
    /// Cache row of each row, (M, 1).
    pub at: Option<TensorId>,
}

/// A model as a program, with the names of everything a caller must find in it.
#[derive(Debug, Clone)]
pub struct Network {
    /// The program, forward only until it is derived.
    pub program: Program,
    /// Where the batch goes.
    pub inputs: Inputs,
    /// Parameters of the checkpoint.
    pub parameters: Vec<Parameter>,
    /// Low-rank pairs.
    pub pairs: Vec<PairSlot>,
    /// Keys and values of each layer.
    pub caches: Vec<(TensorId, TensorId)>,
    /// Of the rows picked: their loss in nats, (picked, 1), or their logits, (picked, V).
    pub result: TensorId,
    /// V: how many token ids there are.
    pub vocabulary: usize,
    /// D: numbers of an embedding.
    pub width: usize,
    setup: Setup,
    architecture: &'static Architecture,
    /// Cosines and sines of the positions, where positions are angles.
    rope: Option<(TensorId, TensorId)>,
}

/// Names of what stands beside the weight of a module.
pub(crate) mod names {
    /// Trained lengths of its rows.
    pub(crate) fn magnitude(module: &str) -> String {
        format!("{module}.lora_magnitude_vector")
    }

    /// Squares of the lengths its rows have without a pair.
    pub(crate) fn squares(module: &str) -> String {
        format!("{module}.squares")
    }

    /// What makes its rows, with their pair, as long as they were trained to be.
    pub(crate) fn factor(module: &str) -> String {
        format!("{module}.lora_factor")
    }
}

/// A linear of an architecture: its path, how many numbers come out, and whether it has a bias.
#[derive(Debug, Clone)]
pub(crate) struct LinearSpec {
    pub(crate) module: String,
    pub(crate) outputs: usize,
    pub(crate) bias: bool,
}

impl Network {
    /// A network with inputs and position tables, and nothing else yet.
    pub(crate) fn begin(config: &Config, setup: &Setup, architecture: &'static Architecture) -> Self {
        let loss = setup.purpose.is_loss();
        let noisy = setup.purpose == Purpose::NoisyLoss;
        // Every row may have a target.
        let Extent { tokens, picked } = setup.capacity;
        let capacity = Extent { tokens, picked: if loss { tokens } else { picked } };
        let mut program = Program::new(capacity, setup.precision);
        let ids = |program: &mut Program, name: &str| program.input(name, Rows::Tokens, 1, DType::U32);
        let picked = |program: &mut Program, name: &str| program.input(name, Rows::Picked, 1, DType::U32);
        let inputs = Inputs {
            tokens: ids(&mut program, "tokens"),
            positions: ids(&mut program, "positions"),
            dropout_seed: program.input("dropout seed", Rows::Fixed(1), 1, DType::U32),
            noise: noisy.then(|| program.input("noise", Rows::Tokens, 1, DType::F32)),
            starts: loss.then(|| ids(&mut program, "starts")),
            shared: loss.then(|| program.input("shared", Rows::Fixed(1), 1, DType::U32)),
            picked: picked(&mut program, "picked"),
            targets: loss.then(|| picked(&mut program, "targets")),
            gradient_scale: loss.then(|| program.input("gradient scale", Rows::Fixed(1), 1, DType::F32)),
            first: (!loss).then(|| ids(&mut program, "first")),
            at: (!loss).then(|| ids(&mut program, "at")),
        };
        let rope = (!config.has_learned_positions())
            .then(|| attention::rope_table(&mut program, config, inputs.positions));
        let (parameters, pairs, caches) = (Vec::new(), Vec::new(), Vec::new());
        Self {
            program,
            inputs,
            parameters,
            pairs,
            caches,
            result: inputs.tokens,
            vocabulary: config.vocab_size,
            width: config.width,
            setup: setup.clone(),
            architecture,
            rope,
        }
    }

    /// A parameter; one asked for twice is shared.
    fn parameter(&mut self, name: &str, shape: &[usize]) -> TensorId {
        if let Some(known) = self.parameters.iter().find(|p| p.name == name) {
            return known.id;
        }
        let (rows, cols) = match *shape {
            [cols] => (1, cols),
            [rows, ref rest @ ..] => (rows, rest.iter().product()),
            [] => (1, 1),
        };
        let trainable = self.setup.method.trains(name);
        // Vectors and trained parameters are f32; frozen matrices are stored as products read them.
        let dtype = if rows == 1 || trainable { DType::F32 } else { self.setup.precision.dtype() };
        let id = self.program.weight(name, rows, cols, dtype, trainable);
        let turned = self.architecture.turns(name);
        self.parameters.push(Parameter {
            name: name.to_owned(),
            id,
            shape: shape.to_vec(),
            turned,
            fused: None,
        });
        id
    }

    /// A tensor between products, with as many rows as `like`.
    fn value(&mut self, name: impl Into<String>, like: TensorId, cols: usize) -> TensorId {
        let rows = self.program.tensor(like).rows;
        self.program.activation(name, rows, cols, self.setup.precision.dtype())
    }

    /// Marks what follows as block `block`, the unit of recomputation, or as outside of any.
    pub(crate) fn enter_block(&mut self, block: Option<usize>) {
        self.program.enter_block(block);
    }

    /// Rows of the embedding table for the tokens, f32: the residual stream begins.
    pub(crate) fn embed(&mut self, table: &str, vocabulary: usize, width: usize) -> TensorId {
        let table = self.parameter(table, &[vocabulary, width]);
        let y = self.program.activation("embedding", Rows::Tokens, width, DType::F32);
        self.program.push(Section::Forward, Embed { ids: self.inputs.tokens, table, y });
        self.inputs.noise.map_or(y, |size| self.disturb(y, size))
    }

    /// Adds noise that is drawn anew for every micro-batch.
    fn disturb(&mut self, x: TensorId, size: TensorId) -> TensorId {
        let y =
            self.program.activation("disturbed embedding", Rows::Tokens, self.program.cols(x), DType::F32);
        let (seed, stream) = (self.inputs.dropout_seed, NOISE_STREAM);
        self.program.push(Section::Forward, Noise { x, size, seed, stream, y });
        y
    }

    /// RMSNorm of the residual stream.
    pub(crate) fn rms_norm(&mut self, x: TensorId, gain: &str, eps: f64) -> TensorId {
        let width = self.program.cols(x);
        let gamma = self.parameter(gain, &[width]);
        let y = self.value(format!("{gain} out"), x, width);
        self.program.push(Section::Forward, RmsNorm { x, gamma, eps: eps as f32, y });
        y
    }

    /// Adds to each row that of its position in a learned table.
    pub(crate) fn add_positions(&mut self, h: TensorId, table: &str, context: usize) -> TensorId {
        let width = self.program.cols(h);
        let table = self.parameter(table, &[context, width]);
        let at = self.program.activation("position", Rows::Tokens, width, DType::F32);
        let y = self.program.activation("embedding and position", Rows::Tokens, width, DType::F32);
        self.program.push(Section::Forward, Embed { ids: self.inputs.positions, table, y: at });
        self.program.push(Section::Forward, Add { a: h, b: at, y });
        y
    }

    /// LayerNorm of the residual stream; `module` has a weight and a bias.
    pub(crate) fn layer_norm(&mut self, x: TensorId, module: &str, eps: f64) -> TensorId {
        let width = self.program.cols(x);
        let [gamma, beta] =
            ["weight", "bias"].map(|name| self.parameter(&format!("{module}.{name}"), &[width]));
        let y = self.value(format!("{module} out"), x, width);
        self.program.push(Section::Forward, LayerNorm { x, gamma, beta, eps: eps as f32, y });
        y
    }

    /// Linears of one input side by side.
    pub(crate) fn linears(&mut self, x: TensorId, name: &str, specs: &[LinearSpec]) -> TensorId {
        let cols = specs.iter().map(|spec| spec.outputs).sum();
        let y = self.value(name, x, cols);
        self.push_linears(x, specs, None, y);
        y
    }

    /// A linear whose result is added to the residual stream, f32.
    pub(crate) fn linear_onto(&mut self, x: TensorId, spec: &LinearSpec, stream: TensorId) -> TensorId {
        let rows = self.program.tensor(x).rows;
        let y = self.program.activation(format!("{} out", spec.module), rows, spec.outputs, DType::F32);
        self.push_linears(x, std::slice::from_ref(spec), Some(stream), y);
        y
    }

    fn push_linears(&mut self, x: TensorId, specs: &[LinearSpec], add: Option<TensorId>, y: TensorId) {
        let parts: Vec<_> = specs.iter().map(|spec| self.projection(spec, x)).collect();
        let rank = |part: &Projection| part.low_rank.as_ref().map_or(0, |pair| self.program.rows(pair.a));
        let ranks = parts.iter().map(rank).sum();
        let hidden = (ranks > 0).then(|| self.value("low-rank hidden", x, ranks));
        if specs.iter().any(|spec| self.setup.method.stretches(&spec.module)) {
            self.push_stretched(Linear { x, parts, hidden, add, y }, specs);
        } else {
            self.program.push(Section::Forward, Linear { x, parts, hidden, add, y });
        }
    }

    fn projection(&mut self, spec: &LinearSpec, x: TensorId) -> Projection {
        let inputs = self.program.cols(x);
        let weight = self.parameter(&format!("{}.weight", spec.module), &[spec.outputs, inputs]);
        let bias = spec.bias.then(|| self.parameter(&format!("{}.bias", spec.module), &[spec.outputs]));
        let low_rank = self.low_rank(spec, x);
        Projection { weight, bias, low_rank }
    }

    /// Whether what stands beside frozen weights is trained, and not only used.
    fn is_trained(&self) -> bool {
        self.setup.purpose.is_loss()
    }

    fn push_pair(&mut self, module: &str, (a, b): (TensorId, TensorId), scale: f32, experts: usize) {
        self.pairs.push(PairSlot { module: module.to_owned(), a, b, scale, experts, magnitude: None });
    }

    fn low_rank(&mut self, spec: &LinearSpec, x: TensorId) -> Option<LowRank> {
        let config = self.setup.method.pair_for(&spec.module)?;
        let (rank, scale, rate) =
            (config.rank_for(&spec.module), config.scale_for(&spec.module) as f32, config.dropout as f32);
        let module = &spec.module;
        let inputs = self.program.cols(x);
        let trainable = self.is_trained();
        let a = self.program.weight(&format!("{module}.lora_A"), rank, inputs, DType::F32, trainable);
        let b = self.program.weight(&format!("{module}.lora_B"), spec.outputs, rank, DType::F32, trainable);
        let stream = self.pairs.len() as u32;
        let dropout =
            (rate > 0.0 && trainable).then_some(Dropout { rate, stream, seed: self.inputs.dropout_seed });
        self.push_pair(module, (a, b), scale, 1);
        Some(LowRank { a, b, scale, dropout })
    }

    /// The gated activation of the feed-forward layer.
    pub(crate) fn swiglu(&mut self, gate_up: TensorId) -> TensorId {
        let y = self.value("activated", gate_up, self.program.cols(gate_up) / 2);
        self.program.push(Section::Forward, SwiGlu { gate_up, y });
        y
    }

    /// The activation of GPT-2's feed-forward layer.
    pub(crate) fn gelu(&mut self, x: TensorId) -> TensorId {
        let y = self.value("activated", x, self.program.cols(x));
        self.program.push(Section::Forward, Gelu { x, y });
        y
    }
}
