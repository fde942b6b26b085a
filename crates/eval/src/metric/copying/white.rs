//! White space made equal, so that a line break does not hide a copy.

/// The characters of a text with each run of white space as one space and none
/// at the ends, and where in the text each stands, counted in characters.
pub(super) fn normal(text: &str) -> impl Iterator<Item = (usize, char)> + '_ {
    let (mut gap, mut started) = (false, false);
    let pieces = move |(char_idx, c): (usize, char)| {
        if c.is_whitespace() {
            gap = started;
            return [None, None];
        }
        started = true;
        let space = std::mem::take(&mut gap).then(|| (char_idx - 1, ' '));
        [space, Some((char_idx, c))]
    };
    text.chars().enumerate().flat_map(pieces).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_become_one_space() {
        let check = |text: &str, expected: &str, offsets: &[usize]| {
            let (places, chars): (Vec<usize>, String) = normal(text).unzip();
            assert_eq!((chars.as_str(), places.as_slice()), (expected, offsets), "{text:?}");
        };
        check("", "", &[]);
        check(" \n ", "", &[]);
        check("é a", "é a", &[0, 1, 2]);
        check("\n\té \u{a0}\r\na ", "é a", &[2, 6, 7]);
    }
}
