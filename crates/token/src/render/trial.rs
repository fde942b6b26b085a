//! What a renderer learns about its template by trying it on two words.

use super::Renderer;
use crate::error::Error;
use crate::message::{Message, Role};

impl Renderer {
    /// Closes an answer at the end of a conversation and in the middle of one,
    /// and remembers with which tokens. A template that refuses the trial
    /// teaches nothing; the tokenizer's own ends remain.
    pub(super) fn learn_ends(&mut self) {
        let ask = || Message::new(Role::User, "x");
        let dialogue = [ask(), Message::new(Role::Assistant, "y"), ask()];
        for messages in [&dialogue[..2], &dialogue[..]] {
            let Ok(rendered) = self.text(messages, false) else { continue };
            let turns = self.turns(messages, &rendered).unwrap_or_default();
            for end in turns.into_iter().filter_map(|turn| turn.end) {
                if !self.stop_ids.contains(&end.id) {
                    self.stop_ids.push(end.id);
                }
            }
        }
    }

    /// Two answers that differ in their first letter agree up to it.
    pub(super) fn learn_lead(&mut self) {
        let ask = [Message::new(Role::User, "x")];
        let answered = |answer: &str| {
            let messages = [ask[0].clone(), Message::new(Role::Assistant, answer)];
            let prompt = self.template.render(&ask, true)?;
            let text = self.template.render(&messages, false)?;
            Ok::<_, Error>(text.strip_prefix(&prompt).map(str::to_owned).unwrap_or_default())
        };
        if let (Ok(one), Ok(other)) = (answered("y"), answered("z")) {
            let same = one.chars().zip(other.chars()).take_while(|(a, b)| a == b).map(|(a, _)| a);
            self.lead = same.collect();
        }
    }
}
