//! How replies are drawn: as a person said, and for the rest as models of the template's sort are used.
//!
//! Chat models are published with one set of numbers, the same models with room to think with another;
//! labels of letters are what small models of one columnist answer to.

use penname_infer::Sampler;
use penname_ledger::{Event, Witness};
use penname_token::{Message, Renderer, Role};

use crate::settings::meant::{Auto, Write};

/// Every number of it decided.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize)]
pub(crate) struct Drawing {
    /// How freely the next token is chosen.
    pub(crate) temperature: f32,
    /// Among how many likeliest tokens.
    pub(crate) top_k: usize,
    /// Among the likeliest that hold this share.
    pub(crate) top_p: f32,
    /// Leaves out what is less likely than this share of the likeliest.
    pub(crate) min_p: f32,
    /// How much less likely a used token becomes.
    pub(crate) repetition_penalty: f32,
    /// The longest reply, in tokens.
    pub(crate) max_tokens: usize,
}

/// Numbers that models of one sort are used with.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Custom {
    temperature: f32,
    top_k: usize,
    top_p: f32,
    reason: &'static str,
}

const CHAT: Custom =
    Custom { temperature: 0.7, top_k: 20, top_p: 0.8, reason: "the template writes turns of a chat" };
const THINKING: Custom =
    Custom { temperature: 0.6, top_k: 20, top_p: 0.95, reason: "the template leaves room for thoughts" };
const COLUMNIST: Custom =
    Custom { temperature: 0.7, top_k: 50, top_p: 1.0, reason: "the template writes labels, as for letters" };

impl Drawing {
    /// Decides what is automatic, and says so.
    pub(crate) fn decide(write: &Write, renderer: &Renderer, thinking: bool, witness: &dyn Witness) -> Self {
        let custom = custom(renderer, thinking);
        let drawing = Self {
            temperature: write.temperature.or(custom.temperature),
            top_k: write.top_k.or(custom.top_k),
            top_p: write.top_p.or(custom.top_p),
            min_p: write.min_p,
            repetition_penalty: write.repetition_penalty,
            max_tokens: write.max_tokens,
        };
        let automatic = [
            (write.temperature == Auto::Auto).then(|| format!("temperature {}", custom.temperature)),
            (write.top_p == Auto::Auto).then(|| format!("top-p {}", custom.top_p)),
            (write.top_k == Auto::Auto).then(|| format!("top-k {}", custom.top_k)),
        ];
        let value = automatic.into_iter().flatten().collect::<Vec<_>>().join(", ");
        if !value.is_empty() {
            witness.see(&Event::choice("drawing", value, custom.reason));
        }
        drawing
    }

    /// How the next token is drawn.
    pub(crate) fn sampler(&self, seed: u64) -> Sampler {
        Sampler {
            temperature: self.temperature,
            top_k: self.top_k,
            top_p: self.top_p,
            min_p: self.min_p,
            repeat_penalty: self.repetition_penalty,
            seed,
            ..Sampler::default()
        }
    }
}

/// The numbers for the sort of template in hand.
fn custom(renderer: &Renderer, thinking: bool) -> Custom {
    if thinking && renderer.template().source().contains("enable_thinking") {
        return THINKING;
    }
    let asked = renderer.prompt(&[Message::new(Role::User, "x")]).unwrap_or_default();
    // A token that begins every text says nothing about turns.
    let is_chat = asked.iter().skip(1).any(|id| renderer.tokenizer().is_control(*id));
    if is_chat { CHAT } else { COLUMNIST }
}

#[cfg(test)]
mod tests {
    use super::*;
    use penname_ledger::event::{Recorder, Silent};
    use penname_token::tokenizer::TokenizerConfig;
    use penname_token::{Template, Tokenizer};

    fn renderer(name: &str, thinking: bool) -> Renderer {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../golden/templates/tokenizer.json");
        let config = TokenizerConfig { eos: Some("<|im_end|>".to_owned()), ..TokenizerConfig::default() };
        let tokenizer = Tokenizer::from_json(&std::fs::read(path).unwrap()).unwrap();
        let tokenizer = tokenizer.with_config(&config, &[]).unwrap();
        let template = Template::builtin(name, &tokenizer).unwrap();
        Renderer::new(tokenizer, template.with_variable("enable_thinking", thinking))
    }

    fn write() -> Write {
        Write {
            temperature: Auto::Auto,
            top_k: Auto::Auto,
            top_p: Auto::Auto,
            min_p: 0.0,
            repetition_penalty: 1.0,
            max_tokens: 9,
        }
    }

    #[test]
    fn families_are_drawn_as_they_are_published() {
        let check = |name: &str, thinking: bool, expected: (f32, f32, usize)| {
            let drawing = Drawing::decide(&write(), &renderer(name, thinking), thinking, &Silent);
            assert_eq!((drawing.temperature, drawing.top_p, drawing.top_k), expected, "{name} {thinking}");
        };
        check("chatml", false, (0.7, 0.8, 20));
        check("chatml", true, (0.7, 0.8, 20));
        check("qwen3", false, (0.7, 0.8, 20));
        check("qwen3", true, (0.6, 0.95, 20));
        check("harmony", false, (0.7, 0.8, 20));
        check("llama3", false, (0.7, 0.8, 20));
        check("question-answer", false, (0.7, 1.0, 50));
        check("q-a", true, (0.7, 1.0, 50));
    }

    #[test]
    fn what_a_person_said_stays_and_the_rest_is_announced() {
        let recorder = Recorder::default();
        let said = Write { temperature: Auto::Is(0.3), ..write() };
        let drawing = Drawing::decide(&said, &renderer("chatml", false), false, &recorder);
        assert_eq!((drawing.temperature, drawing.top_k, drawing.max_tokens), (0.3, 20, 9));
        let told = recorder.events();
        assert!(
            matches!(&told[..], [Event::Choice(choice)] if choice.value == "top-p 0.8, top-k 20"),
            "{told:?}"
        );
    }
}
