//! Text of which too much is lost: characters that fit no encoding and are U+FFFD now.

use super::{Looked, Rule};

/// Share of such characters from which a text is not used.
const MOST: f64 = 0.01;

pub(super) const RULE: Rule = Rule {
    name: "damage",
    about: "more than one character in a hundred fits no encoding and was lost",
    settings: "none",
    judge,
};

fn judge(looked: &Looked<'_>) -> Option<String> {
    let n_lost = looked.voice.matches('\u{fffd}').count();
    if n_lost == 0 {
        return None;
    }
    let n_chars = looked.voice.chars().count();
    (n_lost as f64 > MOST * n_chars as f64).then(|| format!("{n_lost} of {n_chars} characters are lost"))
}

#[cfg(test)]
mod tests {
    use super::super::judged;
    use super::RULE;
    use crate::settings::Validate;

    #[test]
    fn a_little_damage_is_borne() {
        let text = "kettle ".repeat(20);
        judged(&RULE, &format!("{text}\u{fffd}"), &Validate::default(), None);
        let lost = Some("2 of 142 characters are lost");
        judged(&RULE, &format!("{text}\u{fffd}\u{fffd}"), &Validate::default(), lost);
    }
}
