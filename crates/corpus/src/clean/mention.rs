//! The accounts a reply is addressed to, which the service puts before it. Off by default.

use super::{Cleaner, Effect, Scope, Traits};
use crate::edit::Edit;

const NAME: &str = "mentions";

pub(super) const CLEANER: Cleaner = Cleaner {
    name: NAME,
    about: "accounts at the beginning of a message: `@ann @bob so it is` becomes `so it is`",
    effect: Effect::Voice,
    scope: Scope::Passage,
    find,
};

fn find(text: &str, _: &Traits) -> Vec<Edit> {
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let mut rest = text;
    while let Some(name) = rest.strip_prefix('@') {
        let after = name.trim_start_matches(is_name);
        if after.len() == name.len() || !after.starts_with([' ', '\n']) {
            break;
        }
        rest = after.trim_start_matches([' ', '\n']);
    }
    let end = text.len() - rest.len();
    if end == 0 { Vec::new() } else { vec![Edit::cut(0..end, NAME)] }
}

#[cfg(test)]
mod tests {
    use super::super::check;
    use super::CLEANER;

    #[test]
    fn who_is_answered_goes() {
        check(&CLEANER, "@ann @bob_2 so it is, @carl", "so it is, @carl");
        check(&CLEANER, "@ann", "@ann");
        check(&CLEANER, "@ann's kettle", "@ann's kettle");
    }
}
