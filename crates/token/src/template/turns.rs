//! A template as plain pieces around messages, for engines that do not speak its language.
//!
//! Most chat templates only put something before and after every message. Then those pieces can be
//! found by rendering conversations whose messages are known, and a template of another language can
//! be made of them. Whether it is so is not assumed: what the pieces give is held against what the
//! template renders, and a template that does more has no turns.

use super::Template;
use crate::error::{Error, Result};
use crate::message::{Message, Role};

/// What stands around the messages of a conversation.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Turns {
    /// First of all, in a conversation without a system message.
    pub bare: String,
    /// Around a system message, which comes first.
    pub system: [String; 2],
    /// Around what is asked.
    pub user: [String; 2],
    /// Around an answer that something follows.
    pub assistant: [String; 2],
    /// Before the answer that is wanted.
    pub prompt: String,
}

/// Messages that no template writes itself.
const SYSTEM: &str = "Penname-7-system";
const ASKED: &str = "Penname-7-asked";
const ANSWERED: &str = "Penname-7-answered";
const AGAIN: &str = "Penname-7-again";

impl Template {
    /// The pieces of this template.
    ///
    /// # Errors
    /// When it fails, or does more than to put pieces around messages.
    pub fn turns(&self) -> Result<Turns> {
        let more = || Error::TemplateTurns;
        let turns = self.find_turns()?.ok_or_else(more)?;
        for roles in [&[USER][..], &[USER, ASSISTANT, USER], &[Role::System, USER], &LONG] {
            let messages: Vec<Message> = roles
                .iter()
                .zip(0..)
                .map(|(&role, n)| Message::new(role, format!("Line {n}.\nAnd 2{n}")))
                .collect();
            if self.render(&messages, true)? != turns.render(&messages) {
                return Err(more());
            }
        }
        Ok(turns)
    }

    fn find_turns(&self) -> Result<Option<Turns>> {
        let (system, asked) = (Message::new(Role::System, SYSTEM), Message::new(USER, ASKED));
        let (answered, again) = (Message::new(ASSISTANT, ANSWERED), Message::new(USER, AGAIN));
        let short = self.render(std::slice::from_ref(&asked), false)?;
        let prompted = self.render(std::slice::from_ref(&asked), true)?;
        let long = self.render(&[asked.clone(), answered, again], false)?;
        let led = self.render(&[system, asked], false)?;
        Ok(pieces(&short, &prompted, &long, &led))
    }
}

const USER: Role = Role::User;
const ASSISTANT: Role = Role::Assistant;
const LONG: [Role; 6] = [Role::System, USER, ASSISTANT, USER, ASSISTANT, USER];

fn pieces(short: &str, prompted: &str, long: &str, led: &str) -> Option<Turns> {
    let (begin, _) = short.split_once(ASKED)?;
    let prompt = prompted.strip_prefix(short)?;
    let (_, rest) = long.split_once(ASKED)?;
    let (to_answer, rest) = rest.split_once(ANSWERED)?;
    let (from_answer, after) = rest.split_once(AGAIN)?;
    let (before_system, rest) = led.split_once(SYSTEM)?;
    let (from_system, _) = rest.split_once(ASKED)?;
    // What stands before every question alike belongs to the question.
    let before = common_end(common_end(begin, from_answer), from_system);
    let without = |text: &str| text.strip_suffix(before).map(str::to_owned);
    Some(Turns {
        bare: without(begin)?,
        system: [before_system.to_owned(), without(from_system)?],
        user: [before.to_owned(), after.to_owned()],
        assistant: [to_answer.strip_prefix(after)?.to_owned(), without(from_answer)?],
        prompt: prompt.to_owned(),
    })
}

/// The longest text with which both end.
fn common_end<'a>(a: &'a str, b: &str) -> &'a str {
    let n = a.bytes().rev().zip(b.bytes().rev()).take_while(|(a, b)| a == b).count();
    let start = (a.len() - n..=a.len()).find(|&at| a.is_char_boundary(at)).unwrap_or(a.len());
    &a[start..]
}

impl Turns {
    /// A conversation with the beginning of an answer, as the template writes it.
    pub fn render(&self, messages: &[Message]) -> String {
        let led = messages.first().is_some_and(|first| first.role == Role::System);
        let mut text = if led { String::new() } else { self.bare.clone() };
        for message in messages {
            let [before, after] = match message.role {
                Role::System => &self.system,
                Role::User => &self.user,
                Role::Assistant => &self.assistant,
            };
            text.extend([before.as_str(), &message.content, after]);
        }
        text + &self.prompt
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_common_end_is_whole_letters() {
        let check = |a, b, expected| assert_eq!(common_end(a, b), expected, "{a} {b}");
        check("one\ntwo", "x\ntwo", "\ntwo");
        check("ab", "b", "b");
        check("", "b", "");
        check("ä", "\u{1e4}", "");
    }
}
