//! Which weights are trained, and through what: settings on the linears of a model.
//!
//! Architectures mention none of it. They name their linears by path, and the
//! [`Method`] says of each path whether its weight is trained itself, stands
//! beside a trained low-rank pair, or stays as it is.

use crate::peft::AdapterConfig;

/// Where gradients go.
#[derive(Debug, Clone, PartialEq)]
pub enum Method {
    /// Nothing is trained: the model as loaded.
    Frozen,
    /// Trained low-rank pairs beside frozen weights.
    LowRank(AdapterConfig),
    /// The weights themselves.
    Full(Trainable),
}

/// Which parameters full training changes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Trainable {
    /// Patterns of parameter names, `*` for any run of characters; none means all parameters.
    pub patterns: Vec<String>,
}

impl Trainable {
    /// Whether the parameter of this name is trained.
    pub fn contains(&self, name: &str) -> bool {
        self.patterns.is_empty() || self.patterns.iter().any(|pattern| matches(pattern, name))
    }
}

impl Method {
    /// Whether the parameter of this name is trained itself.
    pub fn trains(&self, parameter: &str) -> bool {
        matches!(self, Self::Full(trainable) if trainable.contains(parameter))
    }

    /// Whether the rows of this module's weight get trained lengths.
    pub fn stretches(&self, module: &str) -> bool {
        self.pair_for(module).is_some_and(|config| config.use_dora)
    }

    /// The adapter settings, if a low-rank pair stands beside the weight of this module.
    pub fn pair_for(&self, module: &str) -> Option<&AdapterConfig> {
        match self {
            Self::LowRank(config) if config.targets(module) => Some(config),
            _ => None,
        }
    }

    /// The adapter settings, if low-rank pairs stand beside the experts' matrices in this parameter.
    pub fn pair_for_parameter(&self, parameter: &str) -> Option<&AdapterConfig> {
        match self {
            Self::LowRank(config) if config.targets_parameter(parameter) => Some(config),
            _ => None,
        }
    }
}

/// The linears of a transformer block, by the last part of their path: what LoRA adapts by default.
pub const ALL_LINEARS: [&str; 7] =
    ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"];

/// Whether `text` fits `pattern`, in which `*` stands for any run of characters.
pub(crate) fn matches(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let Some(mut rest) = parts.next().and_then(|first| text.strip_prefix(first)) else { return false };
    let mut parts = parts.peekable();
    if parts.peek().is_none() {
        return rest.is_empty();
    }
    while let Some(part) = parts.next() {
        if parts.peek().is_none() {
            return rest.ends_with(part);
        }
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_whole_names() {
        let check =
            |pattern, text, expected| assert_eq!(matches(pattern, text), expected, "{pattern} on {text}");
        check("model.norm.weight", "model.norm.weight", true);
        check("model.norm", "model.norm.weight", false);
        check("*norm*", "model.norm.weight", true);
        check("model.layers.*.mlp.*", "model.layers.12.mlp.up_proj.weight", true);
        check("model.layers.*.mlp", "model.layers.12.mlp.up_proj", false);
        check("*.weight", "model.norm.weight", true);
        check("*", "", true);
        check("a*a", "a", false);
    }

    #[test]
    fn full_training_without_patterns_takes_everything() {
        assert!(Method::Full(Trainable::default()).trains("lm_head.weight"));
        let only = Trainable { patterns: vec!["*mlp*".into()] };
        assert!(!Method::Full(only).trains("lm_head.weight"));
        assert!(!Method::Frozen.trains("lm_head.weight"));
    }
}
