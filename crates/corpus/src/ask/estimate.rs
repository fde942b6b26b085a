//! What asking will cost, before it is asked: a range for people, and a bound that is never exceeded.
//!
//! No tokenizer of a service is at hand. Letters of a text bound its tokens from above (no tokenizer in
//! use makes more tokens than bytes) and suggest a range; what comes is counted by the service.

use super::price::Price;
use super::prompt::Prompt;
use super::row::Usage;
use super::settings::{Ask, Mode};

/// Tokens that a service puts around what it is given: turns, the schema.
const AROUND: u64 = 600;
/// Tokens of a question, at the least and at the most that are usual, and of what is around them.
const QUESTION: (f64, f64, f64) = (14.0, 45.0, 12.0);
/// Answers that are asked for once more, at the most that is usual.
const REPEATS: f64 = 1.15;

/// A range of costs.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Estimate {
    /// It is unlikely to cost less.
    pub low_usd: f64,
    /// It is unlikely to cost more.
    pub high_usd: f64,
}

impl Estimate {
    /// Adds what one request costs.
    pub(crate) fn add(&mut self, ask: &Ask, prompt: &Prompt, price: &Price) {
        let (low, high) =
            texts(prompt).map(tokens).fold((0.0, 0.0), |sum, one| (sum.0 + one.0, sum.1 + one.1));
        let n = ask.questions as f64;
        let cost = |input: f64, output: f64| {
            let usage = Usage { input: input as u64, output: output as u64, ..Usage::default() };
            price.of(&usage, ask.mode)
        };
        self.low_usd += cost(low, n * QUESTION.0 + QUESTION.2);
        self.high_usd += REPEATS * cost(high + AROUND as f64 / 2.0, n * QUESTION.1 + QUESTION.2);
    }
}

/// What a request costs at the very most.
pub(crate) fn most_usd(prompt: &Prompt, price: &Price, mode: Mode) -> f64 {
    let bytes: usize = texts(prompt).map(str::len).sum();
    let input = u64::try_from(bytes).unwrap_or(u64::MAX).saturating_add(AROUND);
    // What is read may be kept for another time, which some services charge more for.
    let read = Usage { input, ..Usage::default() };
    let kept = Usage { cache_write: input, ..Usage::default() };
    let written = Usage { output: prompt.max_tokens, ..Usage::default() };
    price.of(&read, mode).max(price.of(&kept, mode)) + price.of(&written, mode)
}

fn texts(prompt: &Prompt) -> impl Iterator<Item = &str> {
    std::iter::once(prompt.system.as_str()).chain(prompt.turns.iter().map(|turn| turn.content.as_str()))
}

/// About how many tokens a text is: few, many.
fn tokens(text: &str) -> (f64, f64) {
    let each = |c: char| match c {
        '\0'..='\u{7f}' => (0.21, 0.3),
        '\u{80}'..='\u{24f}' => (0.4, 0.9),
        '\u{250}'..='\u{2fff}' => (0.35, 0.9),
        _ => (0.6, 1.6),
    };
    text.chars().map(each).fold((0.0, 0.0), |sum, one| (sum.0 + one.0, sum.1 + one.1))
}

#[cfg(test)]
mod tests {
    use super::super::prompt::{Next, prompt};
    use super::*;

    #[test]
    fn four_books_by_a_small_model_cost_what_people_paid() {
        let ask = Ask { model: Some("m".to_owned()), ..Ask::default() };
        let price = Price {
            model: "m".to_owned(),
            input: 1.0,
            output: 5.0,
            cache_read: None,
            cache_write: None,
            batch: 0.5,
        };
        let passage = "The kettle sang on the hob and nobody heard it. ".repeat(35);
        let (mut estimate, mut most) = (Estimate::default(), 0.0);
        for _ in 0..1600 {
            let prompt = prompt(&ask, &passage, &Next::default());
            estimate.add(&ask, &prompt, &price);
            most += most_usd(&prompt, &price, Mode::Each);
        }
        // One to three dollars, says who did it by hand.
        assert!(estimate.low_usd > 0.8 && estimate.low_usd < 1.6, "{estimate:?}");
        assert!(estimate.high_usd > estimate.low_usd && estimate.high_usd < 4.0, "{estimate:?}");
        assert!(most > estimate.high_usd, "{most}");
    }
}
