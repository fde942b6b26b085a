//! Which of many texts a text begins with.

/// Texts in order, searched by narrowing the stretch that fits, byte by byte.
#[derive(Debug, Clone, Default)]
pub(super) struct Prefixes {
    sorted: Vec<(Vec<u8>, u32)>,
}

impl Prefixes {
    pub(super) fn new(mut texts: Vec<(Vec<u8>, u32)>) -> Self {
        texts.sort_unstable();
        Self { sorted: texts }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.sorted.is_empty()
    }

    /// Those that `text` begins with, shortest first: length and id.
    pub(super) fn of<'p>(&'p self, text: &'p [u8]) -> impl Iterator<Item = (usize, u32)> + 'p {
        let mut fitting = self.sorted.as_slice();
        let mut depth = 0;
        std::iter::from_fn(move || {
            loop {
                let byte = *text.get(depth).filter(|_| !fitting.is_empty())?;
                let at = |(known, _): &(Vec<u8>, u32)| known.get(depth).map_or(-1, |byte| i16::from(*byte));
                let from = fitting.partition_point(|known| at(known) < i16::from(byte));
                let to = fitting.partition_point(|known| at(known) <= i16::from(byte));
                fitting = &fitting[from..to];
                depth += 1;
                // The one that ends here is the first of those that fit.
                if let Some((_, id)) = fitting.first().filter(|(known, _)| known.len() == depth) {
                    return Some((depth, *id));
                }
            }
        })
    }

    /// The length of the longest that `text` begins with.
    pub(super) fn longest(&self, text: &[u8]) -> Option<usize> {
        self.of(text).last().map(|(length, _)| length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_beginning_is_found_once() {
        let texts = ["a", "ab", "abc", "b", "abd", "é"];
        let prefixes =
            Prefixes::new(texts.iter().zip(0..).map(|(t, id)| (t.as_bytes().to_vec(), id)).collect());
        let check = |text: &str, expected: &[(usize, u32)]| {
            assert_eq!(prefixes.of(text.as_bytes()).collect::<Vec<_>>(), expected, "{text}");
        };
        check("abd!", &[(1, 0), (2, 1), (3, 4)]);
        check("ab", &[(1, 0), (2, 1)]);
        check("", &[]);
        check("x", &[]);
        check("é", &[(2, 5)]);
        assert_eq!(prefixes.longest(b"abcabc"), Some(3));
        assert_eq!(Prefixes::default().longest(b"a"), None);
    }
}
