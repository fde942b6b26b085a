//! What every peer written in Rust is asked, and what it answers: one line of JSON.

use std::fs;
use std::time::Instant;

/// Steps that warm memory up and are not counted.
const N_WARM: usize = 1;

/// What was asked: `FOLDER --batch 4x256 --steps N`; threads are set from outside.
pub struct Options {
    pub folder: String,
    pub documents: usize,
    pub tokens: usize,
    pub steps: usize,
}

/// The shape of a Llama, from its `config.json`.
#[derive(serde::Deserialize)]
pub struct Config {
    pub hidden_size: usize,
    pub num_hidden_layers: usize,
    pub num_attention_heads: usize,
    pub num_key_value_heads: usize,
    pub vocab_size: usize,
    pub rope_theta: f64,
    pub rms_norm_eps: f64,
}

impl Config {
    pub fn head_width(&self) -> usize {
        self.hidden_size / self.num_attention_heads
    }
}

impl Options {
    pub fn read() -> Self {
        let words: Vec<String> = std::env::args().skip(1).collect();
        let value = |name: &str| words.iter().position(|word| word == name).and_then(|at| words.get(at + 1));
        let batch = value("--batch").map_or("4x256", String::as_str);
        let (documents, tokens) = batch.split_once('x').expect("documents times tokens");
        Self {
            folder: words.first().expect("a folder with config.json and model.safetensors").clone(),
            documents: documents.parse().expect("documents"),
            tokens: tokens.parse().expect("tokens"),
            steps: value("--steps").map_or(4, |text| text.parse().expect("steps")),
        }
    }

    pub fn config(&self) -> Config {
        let text = fs::read_to_string(format!("{}/config.json", self.folder)).expect("config.json");
        serde_json::from_str(&text).expect("the shape of a Llama")
    }

    /// Token `i` of the batch is `(7919·i + 13) mod V`, as in every bench here.
    pub fn ids(&self, vocabulary: usize) -> Vec<u32> {
        (0..self.documents * self.tokens).map(|i| ((i * 7919 + 13) % vocabulary) as u32).collect()
    }

    /// The labels: each document's ids but the first.
    pub fn targets(&self, ids: &[u32]) -> Vec<u32> {
        ids.chunks(self.tokens).flat_map(|document| document[1..].to_vec()).collect()
    }

    /// Runs the steps and prints the figures; `step` returns the loss.
    pub fn time(&self, mut step: impl FnMut() -> f64) {
        let (mut seconds, mut losses) = (Vec::new(), Vec::new());
        for idx in 0..N_WARM + self.steps {
            let start = Instant::now();
            losses.push(step());
            if idx >= N_WARM {
                seconds.push(start.elapsed().as_secs_f64());
            }
        }
        seconds.sort_by(f64::total_cmp);
        let median = seconds[(seconds.len() - 1) / 2];
        let figures = serde_json::json!({
            "tokens_per_s": (self.documents * self.tokens) as f64 / median,
            "median_s": median,
            "min_s": seconds.first(),
            "max_s": seconds.last(),
            "peak_rss_bytes": peak_rss_bytes(),
            "first_loss": losses.first(),
            "last_loss": losses.last(),
        });
        println!("{figures}");
    }
}

fn peak_rss_bytes() -> Option<u64> {
    let text = fs::read_to_string("/proc/self/status").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(line.split_whitespace().next()?.parse::<u64>().ok()? * 1024)
}
