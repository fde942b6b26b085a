//! The part of the vocabulary for a mixture of experts in the place of a feed-forward part.

use super::{Fused, LinearSpec, Network, Parameter};
use crate::config::Experts;
use penname_engine::op::{
    Clamp, ClampedSwiGlu, CombineRows, Experts as Weights, GroupedLinear, LowRank, Route, Share, SortRows,
    SpreadRows, SwiGlu,
};
use penname_engine::{DType, Rows, Section, TensorId};

/// Where a mixture's parameters are, and how they lie in a checkpoint.
#[derive(Debug, Clone)]
pub(crate) struct Mixture {
    /// Path of the router, a linear.
    pub(crate) router: String,
    /// Path of the module that holds the experts.
    pub(crate) experts: String,
    /// Whether router and experts have biases.
    pub(crate) bias: bool,
    /// Whether gate and up alternate, and do not follow each other.
    pub(crate) interleaved: bool,
    /// Whether Hugging Face publishes fused matrices as (X, in, out).
    pub(crate) turned: bool,
}

/// Rows sorted by expert.
struct Sorted {
    weights: TensorId,
    bounds: TensorId,
    tokens: TensorId,
    places: TensorId,
    /// How many there are.
    rows: Rows,
}

impl Network {
    /// What the experts make of normed rows, added to the residual stream, f32.
    pub(crate) fn mixture(
        &mut self,
        n: TensorId,
        stream: TensorId,
        mixture: &Mixture,
        experts: &Experts,
    ) -> TensorId {
        let width = self.program.cols(n);
        let sorted = self.sort(n, mixture, experts);
        let (tokens, places) = (sorted.tokens, sorted.places);
        let spread = self.sorted_value("spread", &sorted, width); // (M·k, D)
        self.program.push(Section::Forward, SpreadRows { x: n, tokens, places, y: spread });
        let gate_up = ("gate_up_proj", 2 * experts.width);
        let gate_up = self.grouped(spread, &sorted, mixture, experts.count, gate_up); // (M·k, 2F)
        let activated = self.sorted_value("activated", &sorted, experts.width); // (M·k, F)
        match experts.clamp {
            Some(clamp) => {
                let clamp = Clamp { alpha: clamp.alpha as f32, limit: clamp.limit as f32 };
                self.program.push(Section::Forward, ClampedSwiGlu { gate_up, clamp, y: activated });
            }
            None => self.program.push(Section::Forward, SwiGlu { gate_up, y: activated }),
        }
        let made = self.grouped(activated, &sorted, mixture, experts.count, ("down_proj", width)); // (M·k, D)
        let rows = self.program.tensor(stream).rows;
        let y = self.program.activation(format!("{} out", mixture.experts), rows, width, DType::F32);
        let (weights, add) = (Some(sorted.weights), Some(stream));
        self.program.push(Section::Forward, CombineRows { x: made, weights, places, add, y });
        y
    }

    /// Chooses the experts of every row and sorts the choices.
    fn sort(&mut self, n: TensorId, mixture: &Mixture, experts: &Experts) -> Sorted {
        let rows = self.program.tensor(n).rows;
        let sorted_rows = match rows {
            Rows::Picked => Rows::PerPicked(experts.per_token),
            _ => Rows::PerToken(experts.per_token),
        };
        let router =
            LinearSpec { module: mixture.router.clone(), outputs: experts.count, bias: mixture.bias };
        let logits = self.program.activation("router logits", rows, experts.count, DType::F32);
        self.push_linears(n, &[router], None, logits);
        let program = &mut self.program;
        let weights = program.activation("expert weights", rows, experts.per_token, DType::F32);
        let chosen = program.activation("experts", rows, experts.per_token, DType::U32);
        let share = if experts.renormalised { Share::Chosen } else { Share::All };
        program.push(Section::Forward, Route { logits, share, weights, experts: chosen });
        let bounds = program.activation("expert bounds", Rows::Fixed(1), experts.count + 1, DType::U32);
        let tokens = program.activation("sorted tokens", sorted_rows, 1, DType::U32);
        let places = program.activation("sorted places", rows, experts.per_token, DType::U32);
        program.push(Section::Forward, SortRows { experts: chosen, bounds, tokens, places });
        Sorted { weights, bounds, tokens, places, rows: sorted_rows }
    }

    fn sorted_value(&mut self, name: &str, sorted: &Sorted, cols: usize) -> TensorId {
        self.program.activation(name, sorted.rows, cols, self.setup.precision.dtype())
    }

    /// Each sorted row through the matrix of its expert.
    fn grouped(
        &mut self,
        x: TensorId,
        sorted: &Sorted,
        mixture: &Mixture,
        count: usize,
        (name, outputs): (&str, usize),
    ) -> TensorId {
        let (inputs, module) = (self.program.cols(x), format!("{}.{name}", mixture.experts));
        let parts: &[&str] = if name == "gate_up_proj" { &["gate_proj", "up_proj"] } else { &["down_proj"] };
        let fused = Fused { experts: count, parts, interleaved: mixture.interleaved, turned: mixture.turned };
        let weight = self.fused_parameter(&module, &[count, outputs, inputs], fused);
        let bias =
            mixture.bias.then(|| self.fused_parameter(&format!("{module}_bias"), &[count, outputs], fused));
        let low_rank = self.fused_pair(&module, count, (inputs, outputs));
        let hidden = low_rank.as_ref().map(|pair| {
            let rank = self.program.cols(pair.b);
            self.sorted_value("low-rank hidden", sorted, rank)
        });
        let y = self.sorted_value(&format!("{module} out"), sorted, outputs);
        let experts = Weights { weight, bias, low_rank };
        self.program.push(Section::Forward, GroupedLinear { x, bounds: sorted.bounds, experts, hidden, y });
        y
    }

    /// A parameter of all experts: their matrices below each other, or their biases one after another.
    fn fused_parameter(&mut self, name: &str, shape: &[usize], fused: Fused) -> TensorId {
        let (rows, cols) = match *shape {
            [experts, outputs, inputs] => (experts * outputs, inputs),
            _ => (1, shape.iter().product()),
        };
        let trainable = self.setup.method.trains(name);
        let dtype = if rows == 1 || trainable { DType::F32 } else { self.setup.precision.dtype() };
        let id = self.program.weight(name, rows, cols, dtype, trainable);
        let (name, shape) = (name.to_owned(), shape.to_vec());
        self.parameters.push(Parameter { name, id, shape, turned: false, fused: Some(fused) });
        id
    }

    /// The low-rank pairs of all experts below each other, if this parameter has some.
    fn fused_pair(
        &mut self,
        parameter: &str,
        experts: usize,
        (inputs, outputs): (usize, usize),
    ) -> Option<LowRank> {
        let config = self.setup.method.pair_for_parameter(parameter)?;
        let (rank, scale) = (config.rank_for(parameter), config.scale_for(parameter) as f32);
        let trainable = self.is_trained();
        let mut half = |name: &str, rows: usize, cols: usize| {
            self.program.weight(&format!("{parameter}.{name}"), rows, cols, DType::F32, trainable)
        };
        let (a, b) = (half("lora_A", experts * rank, inputs), half("lora_B", experts * outputs, rank));
        self.push_pair(parameter, (a, b), scale, experts);
        Some(LowRank { a, b, scale, dropout: None })
    }
}
