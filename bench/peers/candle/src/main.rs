//! Times LoRA steps of a Llama in candle, f32 on the processor, and prints one line of JSON.
//!
//!     peer-candle FOLDER [--batch 4x256] [--steps N]
//!
//! candle's fused norm, softmax and rotary embedding have no backward pass, so the slow compositions
//! that it has beside them are used. Its backward pass computes a gradient for frozen weights too.

#[path = "../../figures.rs"]
mod figures;

use std::collections::HashMap;

use candle_core::{D, DType, Device, Result, Tensor, Var};
use candle_nn::{AdamW, Optimizer, ParamsAdamW, loss, ops, rotary_emb};
use figures::{Config, Options};

const RANK: usize = 16;
const SCALE: f64 = 2.0;

/// The weights of the checkpoint, and what is trained beside them.
struct Weights {
    file: HashMap<String, Tensor>,
    trained: Vec<Var>,
}

impl Weights {
    fn take(&mut self, name: &str) -> Tensor {
        self.file.remove(name).unwrap_or_else(|| panic!("the checkpoint has no `{name}`"))
    }

    fn linear(&mut self, name: &str) -> Result<Linear> {
        let weight = self.take(&format!("{name}.weight"));
        let (n_out, n_in) = weight.dims2()?;
        let bound = 1.0 / (n_in as f64).sqrt();
        let a = Var::rand(-bound as f32, bound as f32, (RANK, n_in), weight.device())?;
        let b = Var::zeros((n_out, RANK), DType::F32, weight.device())?;
        self.trained.extend([a.clone(), b.clone()]);
        Ok(Linear { weight, a, b })
    }
}

struct Linear {
    weight: Tensor,
    a: Var,
    b: Var,
}

impl Linear {
    /// (M, K) to (M, N).
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let low = x.matmul(&self.a.t()?)?.matmul(&self.b.t()?)?;
        x.matmul(&self.weight.t()?)? + (low * SCALE)?
    }
}

struct Block {
    before_attention: Tensor,
    before_mlp: Tensor,
    q: Linear,
    k: Linear,
    v: Linear,
    o: Linear,
    gate: Linear,
    up: Linear,
    down: Linear,
}

struct Llama {
    config: Config,
    embedding: Tensor,
    blocks: Vec<Block>,
    norm: Tensor,
    cos: Tensor,
    sin: Tensor,
    mask: Tensor,
}

impl Llama {
    fn new(config: Config, n_tokens: usize, weights: &mut Weights, device: &Device) -> Result<Self> {
        let blocks: Result<Vec<Block>> =
            (0..config.num_hidden_layers).map(|layer| block(weights, layer)).collect();
        let half = config.head_width() / 2;
        let frequency = |i: usize| 1.0 / config.rope_theta.powf(i as f64 / half as f64);
        let angles: Vec<f32> =
            (0..n_tokens * half).map(|i| ((i / half) as f64 * frequency(i % half)) as f32).collect();
        let angles = Tensor::from_vec(angles, (n_tokens, half), device)?;
        let hidden = |i: usize| if i % n_tokens > i / n_tokens { f32::NEG_INFINITY } else { 0.0 };
        let mask: Vec<f32> = (0..n_tokens * n_tokens).map(hidden).collect();
        Ok(Self {
            embedding: weights.take("model.embed_tokens.weight"),
            blocks: blocks?,
            norm: weights.take("model.norm.weight"),
            cos: angles.cos()?,
            sin: angles.sin()?,
            mask: Tensor::from_vec(mask, (1, 1, n_tokens, n_tokens), device)?,
            config,
        })
    }

    /// Ids (B, T) to logits (B·(T − 1), V): a document's last token predicts nothing.
    fn logits(&self, ids: &Tensor) -> Result<Tensor> {
        let ((b, t), eps) = (ids.dims2()?, self.config.rms_norm_eps as f32);
        let width = self.config.hidden_size;
        let mut x = self.embedding.index_select(&ids.flatten_all()?, 0)?;
        for block in &self.blocks {
            let y = ops::rms_norm_slow(&x, &block.before_attention, eps)?;
            x = (x + self.attention(block, &y, b, t)?)?;
            let y = ops::rms_norm_slow(&x, &block.before_mlp, eps)?;
            let gated = (block.gate.forward(&y)?.silu()? * block.up.forward(&y)?)?;
            x = (x + block.down.forward(&gated)?)?;
        }
        let x = ops::rms_norm_slow(&x, &self.norm, eps)?.reshape((b, t, width))?;
        let x = x.narrow(1, 0, t - 1)?.contiguous()?.reshape((b * (t - 1), width))?;
        x.matmul(&self.embedding.t()?)
    }

    fn attention(&self, block: &Block, x: &Tensor, b: usize, t: usize) -> Result<Tensor> {
        let (query, kv) = (self.config.num_attention_heads, self.config.num_key_value_heads);
        let width = self.config.head_width();
        let heads = |x: Tensor, n: usize| x.reshape((b, t, n, width))?.transpose(1, 2)?.contiguous();
        let shared = |x: Tensor| {
            let wide = x.unsqueeze(2)?.expand((b, kv, query / kv, t, width))?;
            wide.contiguous()?.reshape((b, query, t, width))
        };
        let q = rotary_emb::rope_slow(&heads(block.q.forward(x)?, query)?, &self.cos, &self.sin)?;
        let k = rotary_emb::rope_slow(&heads(block.k.forward(x)?, kv)?, &self.cos, &self.sin)?;
        let (k, v) = (shared(k)?, shared(heads(block.v.forward(x)?, kv)?)?);
        let scores = (q.matmul(&k.t()?)? * (1.0 / (width as f64).sqrt()))?;
        let shares = ops::softmax(&scores.broadcast_add(&self.mask)?, D::Minus1)?;
        let out = shares.matmul(&v)?.transpose(1, 2)?.contiguous()?;
        block.o.forward(&out.reshape((b * t, query * width))?)
    }
}

fn block(weights: &mut Weights, layer: usize) -> Result<Block> {
    let name = |part: &str| format!("model.layers.{layer}.{part}");
    Ok(Block {
        before_attention: weights.take(&name("input_layernorm.weight")),
        before_mlp: weights.take(&name("post_attention_layernorm.weight")),
        q: weights.linear(&name("self_attn.q_proj"))?,
        k: weights.linear(&name("self_attn.k_proj"))?,
        v: weights.linear(&name("self_attn.v_proj"))?,
        o: weights.linear(&name("self_attn.o_proj"))?,
        gate: weights.linear(&name("mlp.gate_proj"))?,
        up: weights.linear(&name("mlp.up_proj"))?,
        down: weights.linear(&name("mlp.down_proj"))?,
    })
}

fn main() -> Result<()> {
    let (options, device) = (Options::read(), Device::Cpu);
    let config = options.config();
    let ids = options.ids(config.vocab_size);
    let targets = options.targets(&ids);
    let targets = Tensor::from_vec(targets, options.documents * (options.tokens - 1), &device)?;
    let ids = Tensor::from_vec(ids, (options.documents, options.tokens), &device)?;
    let file = candle_core::safetensors::load(format!("{}/model.safetensors", options.folder), &device)?;
    let mut weights = Weights { file, trained: Vec::new() };
    let model = Llama::new(config, options.tokens, &mut weights, &device)?;
    let parameters = ParamsAdamW { lr: 1e-4, ..ParamsAdamW::default() };
    let mut optimizer = AdamW::new(weights.trained, parameters)?;
    let mut step = || -> Result<f64> {
        let loss = loss::cross_entropy(&model.logits(&ids)?, &targets)?;
        optimizer.step(&loss.backward()?)?;
        Ok(f64::from(loss.to_scalar::<f32>()?))
    };
    options.time(|| step().expect("a step"));
    Ok(())
}
