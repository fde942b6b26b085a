//! Times LoRA steps of a Llama in Burn, f32 on the processor, and prints one line of JSON.
//!
//!     peer-burn FOLDER [--batch 4x256] [--steps N]
//!
//! The backend is Flex. Frozen weights are plain tensors, so its backward pass leaves them out; pairs
//! are applied to the input, for its own `LoRA` adds their product to the weight at every step. Norm,
//! rotary embedding and attention are the compositions that its modules are made of.

#[path = "../../figures.rs"]
mod figures;

use std::fs;

use burn::module::{Module, Param};
use burn::nn::loss::{CrossEntropyLoss, CrossEntropyLossConfig};
use burn::optim::{AdamWConfig, GradientsParams};
use burn::prelude::*;
use burn::tensor::Distribution;
use burn::tensor::activation::{silu, softmax};
use figures::{Config, Options};
use safetensors::SafeTensors;

const RANK: usize = 16;
const SCALE: f32 = 2.0;
/// As good as minus infinity under a softmax, and a number wherever it is multiplied.
const HIDDEN: f32 = -1e30;

/// What is trained: a pair for each linear, in the order in which they are used.
#[derive(Module, Debug)]
struct Pairs {
    all: Vec<Pair>,
}

#[derive(Module, Debug)]
struct Pair {
    a: Param<Tensor<2>>,
    b: Param<Tensor<2>>,
}

/// The weights of the checkpoint.
struct Weights<'a> {
    file: SafeTensors<'a>,
    device: &'a Device,
}

impl Weights<'_> {
    fn values(&self, name: &str) -> (Vec<f32>, Vec<usize>) {
        let tensor = self.file.tensor(name).unwrap_or_else(|error| panic!("`{name}`: {error}"));
        let values = tensor.data().chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]));
        (values.collect(), tensor.shape().to_vec())
    }

    fn vector(&self, name: &str) -> Tensor<2> {
        let (values, shape) = self.values(name);
        Tensor::from_data(TensorData::new(values, [1, shape[0]]), self.device)
    }

    fn matrix(&self, name: &str) -> Tensor<2> {
        let (values, shape) = self.values(name);
        Tensor::from_data(TensorData::new(values, [shape[0], shape[1]]), self.device)
    }

    /// Turned to (K, N), as Burn keeps linears.
    fn linear(&self, name: &str) -> Linear {
        let (values, shape) = self.values(&format!("{name}.weight"));
        let (n_out, n_in) = (shape[0], shape[1]);
        let mut turned = vec![0.0; values.len()];
        for (row, out) in values.chunks_exact(n_in).enumerate() {
            for (col, &value) in out.iter().enumerate() {
                turned[col * n_out + row] = value;
            }
        }
        Linear { weight: Tensor::from_data(TensorData::new(turned, [n_in, n_out]), self.device) }
    }
}

struct Linear {
    weight: Tensor<2>,
}

impl Linear {
    fn pair(&self, device: &Device) -> Pair {
        let [n_in, n_out] = self.weight.dims();
        let bound = 1.0 / (n_in as f64).sqrt();
        let a = Tensor::random([n_in, RANK], Distribution::Uniform(-bound, bound), device);
        Pair { a: Param::from_tensor(a), b: Param::from_tensor(Tensor::zeros([RANK, n_out], device)) }
    }

    /// (M, K) to (M, N).
    fn forward(&self, x: Tensor<2>, pair: &Pair) -> Tensor<2> {
        let low = x.clone().matmul(pair.a.val()).matmul(pair.b.val());
        x.matmul(self.weight.clone()) + low * SCALE
    }
}

struct Block {
    before_attention: Tensor<2>,
    before_mlp: Tensor<2>,
    /// q, k, v, o, gate, up, down.
    linears: [Linear; 7],
}

struct Llama {
    config: Config,
    embedding: Tensor<2>,
    head: Tensor<2>,
    blocks: Vec<Block>,
    norm: Tensor<2>,
    cos: Tensor<4>,
    sin: Tensor<4>,
    mask: Tensor<4>,
}

impl Llama {
    fn new(config: Config, n_tokens: usize, weights: &Weights) -> Self {
        let half = config.head_width() / 2;
        let frequency = |i: usize| 1.0 / config.rope_theta.powf(i as f64 / half as f64);
        let angles: Vec<f32> =
            (0..n_tokens * half).map(|i| ((i / half) as f64 * frequency(i % half)) as f32).collect();
        let angles = Tensor::<4>::from_data(TensorData::new(angles, [1, 1, n_tokens, half]), weights.device);
        let hidden = |i: usize| if i % n_tokens > i / n_tokens { HIDDEN } else { 0.0 };
        let mask: Vec<f32> = (0..n_tokens * n_tokens).map(hidden).collect();
        let embedding = weights.matrix("model.embed_tokens.weight");
        Self {
            head: embedding.clone().transpose(),
            embedding,
            blocks: (0..config.num_hidden_layers).map(|layer| block(weights, layer)).collect(),
            norm: weights.vector("model.norm.weight"),
            cos: angles.clone().cos(),
            sin: angles.sin(),
            mask: Tensor::from_data(TensorData::new(mask, [1, 1, n_tokens, n_tokens]), weights.device),
            config,
        }
    }

    fn pairs(&self, device: &Device) -> Pairs {
        let linears = self.blocks.iter().flat_map(|block| &block.linears);
        Pairs { all: linears.map(|linear| linear.pair(device)).collect() }
    }

    /// Ids (B, T) to logits (B·(T − 1), V): a document's last token predicts nothing.
    fn logits(&self, ids: Tensor<2, Int>, pairs: &Pairs) -> Tensor<2> {
        let [b, t] = ids.dims();
        let width = self.config.hidden_size;
        let mut x = self.embedding.clone().select(0, ids.reshape([b * t]));
        for (block, pairs) in self.blocks.iter().zip(pairs.all.chunks_exact(7)) {
            let y = self.normalized(x.clone(), &block.before_attention);
            x = x + self.attention(block, pairs, y, [b, t]);
            let y = self.normalized(x.clone(), &block.before_mlp);
            let [.., gate, up, down] = &block.linears;
            let gated = silu(gate.forward(y.clone(), &pairs[4])) * up.forward(y, &pairs[5]);
            x = x + down.forward(gated, &pairs[6]);
        }
        let x = self.normalized(x, &self.norm).reshape([b, t, width]);
        let x = x.slice([0..b, 0..t - 1, 0..width]).reshape([b * (t - 1), width]);
        x.matmul(self.head.clone())
    }

    fn normalized(&self, x: Tensor<2>, gain: &Tensor<2>) -> Tensor<2> {
        let size = (x.clone().square().mean_dim(1) + self.config.rms_norm_eps as f32).sqrt();
        x / size * gain.clone()
    }

    fn attention(&self, block: &Block, pairs: &[Pair], x: Tensor<2>, [b, t]: [usize; 2]) -> Tensor<2> {
        let (query, kv) = (self.config.num_attention_heads, self.config.num_key_value_heads);
        let width = self.config.head_width();
        let [q, k, v, o, ..] = &block.linears;
        let heads = |x: Tensor<2>, n: usize| x.reshape([b, t, n, width]).swap_dims(1, 2);
        let shared = |x: Tensor<4>| {
            let wide = x.unsqueeze_dim::<5>(2).expand([b, kv, query / kv, t, width]);
            wide.reshape([b, query, t, width])
        };
        let q = self.turned(heads(q.forward(x.clone(), &pairs[0]), query));
        let k = shared(self.turned(heads(k.forward(x.clone(), &pairs[1]), kv)));
        let v = shared(heads(v.forward(x, &pairs[2]), kv));
        let scores = q.matmul(k.transpose()) * (1.0 / (width as f32).sqrt()) + self.mask.clone();
        let out = softmax(scores, 3).matmul(v).swap_dims(1, 2);
        o.forward(out.reshape([b * t, query * width]), &pairs[3])
    }

    /// Rotary embedding: the two halves of a head are the two parts of a complex number.
    fn turned(&self, x: Tensor<4>) -> Tensor<4> {
        let [b, n, t, width] = x.dims();
        let left = x.clone().slice([0..b, 0..n, 0..t, 0..width / 2]);
        let right = x.slice([0..b, 0..n, 0..t, width / 2..width]);
        let (cos, sin) = (&self.cos, &self.sin);
        let real = left.clone() * cos.clone() - right.clone() * sin.clone();
        let imaginary = right * cos.clone() + left * sin.clone();
        Tensor::cat(vec![real, imaginary], 3)
    }
}

fn block(weights: &Weights, layer: usize) -> Block {
    let name = |part: &str| format!("model.layers.{layer}.{part}");
    let attention = ["q", "k", "v", "o"].map(|part| name(&format!("self_attn.{part}_proj")));
    let mlp = ["gate", "up", "down"].map(|part| name(&format!("mlp.{part}_proj")));
    let [q, k, v, o] = attention.map(|name| weights.linear(&name));
    let [gate, up, down] = mlp.map(|name| weights.linear(&name));
    Block {
        before_attention: weights.vector(&name("input_layernorm.weight")),
        before_mlp: weights.vector(&name("post_attention_layernorm.weight")),
        linears: [q, k, v, o, gate, up, down],
    }
}

fn ids_of(ids: &[u32], device: &Device) -> Tensor<1, Int> {
    let ids: Vec<i32> = ids.iter().map(|&id| id as i32).collect();
    Tensor::from_data(TensorData::from(ids.as_slice()), device)
}

fn main() {
    let (options, device) = (Options::read(), Device::flex().autodiff());
    let config = options.config();
    let ids = options.ids(config.vocab_size);
    let targets = ids_of(&options.targets(&ids), &device);
    let ids = ids_of(&ids, &device).reshape([options.documents, options.tokens]);
    let bytes = fs::read(format!("{}/model.safetensors", options.folder)).expect("model.safetensors");
    let file = SafeTensors::deserialize(&bytes).expect("tensors");
    let model = Llama::new(config, options.tokens, &Weights { file, device: &device });
    drop(bytes);
    let loss: CrossEntropyLoss = CrossEntropyLossConfig::new().init(&device);
    let mut optimizer = AdamWConfig::new().init();
    let mut pairs = Some(model.pairs(&device));
    options.time(|| {
        let own = pairs.take().expect("the last step left some");
        let loss = loss.forward(model.logits(ids.clone(), &own), targets.clone());
        let value = f64::from(loss.clone().into_scalar::<f32>());
        let gradients = GradientsParams::from_grads(loss.backward(), &own);
        pairs = Some(optimizer.step(1e-4, own, gradients));
        value
    });
}
