//! Which of the messages before an answer it answers.
//!
//! In a room of many, talk is interleaved, and people begin with a name: `Bob: very`. Then what
//! Bob said stands before the answer, and what was said to the one who answers. Nothing cleverer
//! is tried: where no name is said, the last few messages are kept.

use super::Said;

/// Longest name somebody is addressed by, in bytes.
const MAX_NAME: usize = 40;

/// For every message, whether it stands before the answer; at most `before` do, the last ones.
pub(super) fn choose(run: &[Said], answer: &[Said], before: usize) -> Vec<bool> {
    let addressed: Vec<&str> = answer.iter().filter_map(|said| addressee(&said.text)).collect();
    let answers = answer.iter().map(|said| said.who.as_str());
    let answerers: Vec<&str> = answers.collect();
    let is = |names: &[&str], name: &str| names.iter().any(|n| n.eq_ignore_ascii_case(name));
    let belongs = |said: &Said| {
        is(&addressed, &said.who) || addressee(&said.text).is_some_and(|name| is(&answerers, name))
    };
    let is_room = run.iter().any(|said| said.who != run[0].who);
    let by_name = is_room && run.iter().any(belongs);
    let mut left = before.max(1);
    let mut kept: Vec<bool> = run
        .iter()
        .rev()
        .map(|said| {
            let is_kept = left > 0 && (!by_name || belongs(said));
            left -= usize::from(is_kept);
            is_kept
        })
        .collect();
    kept.reverse();
    kept
}

/// Whom a message begins by naming: `Bob` in `Bob: very` and in `@Bob very`.
fn addressee(text: &str) -> Option<&str> {
    let window = text.get(..MAX_NAME).unwrap_or(text);
    if let Some(rest) = window.strip_prefix('@') {
        return rest
            .split(|c: char| c.is_whitespace() || c == ':' || c == ',')
            .next()
            .filter(|n| !n.is_empty());
    }
    let (name, _) = window.split_once([':', ','])?;
    (!name.is_empty() && !name.contains(char::is_whitespace)).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(who: &str, text: &str) -> Said {
        Said { who: who.into(), text: text.into(), ..Said::default() }
    }

    #[test]
    fn names_choose_and_otherwise_the_last_ones() {
        let run = [said("Bob", "one"), said("Cy", "two"), said("Bob", "three"), said("Di", "Ann, four")];
        assert_eq!(choose(&run, &[said("Ann", "bob: yes")], 9), [true, false, true, true]);
        assert_eq!(choose(&run, &[said("Eve", "well: yes")], 2), [false, false, true, true]);
        assert_eq!(choose(&run[..1], &[said("Ann", "yes")], 0), [true]);
    }

    #[test]
    fn somebody_is_addressed_by_one_word() {
        assert_eq!(addressee("Bob: very"), Some("Bob"));
        assert_eq!(addressee("@Bob very"), Some("Bob"));
        assert_eq!(addressee("I say: no"), None);
        assert_eq!(addressee(&"é".repeat(60)), None);
    }
}
