//! An index of some texts that finds where another text repeats them, in one reading.
//!
//! The texts indexed are the short ones, the replies. The training text, which
//! may be a hundred times longer, is only read through once and never held as
//! an index: memory grows with the replies, time with both.

/// A suffix automaton: its states stand for all substrings of the indexed symbols.
///
/// # Source
///
/// Blumer et al., "The smallest automaton recognizing the subwords of a text",
/// Theoretical Computer Science 40, 1985.
#[derive(Debug)]
pub(super) struct Automaton {
    states: Vec<State>,
    edges: Vec<Edge>,
    /// The state of each prefix of what was pushed.
    prefixes: Vec<u32>,
}

/// Substrings that end at the same places.
#[derive(Debug, Clone, Copy)]
struct State {
    /// Length of the longest of them.
    len: u32,
    /// The state of their longest common suffix that ends at more places; `NONE` at the root.
    link: u32,
    /// First of the outgoing edges, a linked list.
    first_edge: u32,
}

#[derive(Debug, Clone, Copy)]
struct Edge {
    symbol: u32,
    target: u32,
    next: u32,
}

const ROOT: u32 = 0;
const NONE: u32 = u32::MAX;

/// A symbol that no text contains, to be pushed between texts.
pub(super) const SEPARATOR: u32 = u32::MAX;

/// Symbols that can be indexed: each takes at most two states and three edges.
pub(super) const MAX_SYMBOLS: usize = (u32::MAX / 4) as usize;

/// The longest match seen for a state, and where it ended.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Sighting {
    /// Symbols matched; 0 if nothing was.
    pub(super) len: usize,
    /// Which of the texts read.
    pub(super) source: usize,
    /// Position behind the match in that text.
    pub(super) end: usize,
}

impl Automaton {
    /// An index of nothing.
    pub(super) fn new() -> Self {
        let root = State { len: 0, link: NONE, first_edge: NONE };
        Self { states: vec![root], edges: Vec::new(), prefixes: Vec::new() }
    }

    /// Adds a symbol at the end; callers keep to [`MAX_SYMBOLS`].
    pub(super) fn push(&mut self, symbol: u32) {
        let last = self.prefixes.last().copied().unwrap_or(ROOT);
        let added = self.add_state(State { len: self.state(last).len + 1, link: ROOT, first_edge: NONE });
        self.prefixes.push(added);
        let mut state = last;
        while state != NONE {
            if let Some(edge_idx) = self.edge(state, symbol) {
                let target = self.edges[edge_idx].target;
                self.states[added as usize].link = self.split(state, symbol, target);
                return;
            }
            self.add_edge(state, symbol, added);
            state = self.state(state).link;
        }
    }

    /// The part of `target` that is `state` followed by `symbol`, made a state of its own if it is not one.
    fn split(&mut self, mut state: u32, symbol: u32, target: u32) -> u32 {
        let len = self.state(state).len + 1;
        if self.state(target).len == len {
            return target;
        }
        let half = self.add_state(State { len, link: self.state(target).link, first_edge: NONE });
        let mut edge_idx = self.state(target).first_edge;
        while edge_idx != NONE {
            let edge = self.edges[edge_idx as usize];
            self.add_edge(half, edge.symbol, edge.target);
            edge_idx = edge.next;
        }
        self.states[target as usize].link = half;
        while state != NONE {
            match self.edge(state, symbol) {
                Some(edge_idx) if self.edges[edge_idx].target == target => self.edges[edge_idx].target = half,
                _ => break,
            }
            state = self.state(state).link;
        }
        half
    }

    fn state(&self, state: u32) -> State {
        self.states[state as usize]
    }

    fn add_state(&mut self, state: State) -> u32 {
        self.states.push(state);
        (self.states.len() - 1) as u32
    }

    fn add_edge(&mut self, state: u32, symbol: u32, target: u32) {
        let state = &mut self.states[state as usize];
        self.edges.push(Edge { symbol, target, next: state.first_edge });
        state.first_edge = (self.edges.len() - 1) as u32;
    }

    fn edge(&self, state: u32, symbol: u32) -> Option<usize> {
        let mut edge_idx = self.state(state).first_edge;
        while edge_idx != NONE {
            let edge = self.edges[edge_idx as usize];
            if edge.symbol == symbol {
                return Some(edge_idx as usize);
            }
            edge_idx = edge.next;
        }
        None
    }

    /// Reads a text and reports, behind each symbol, the state and length of
    /// the longest indexed substring that ends there.
    pub(super) fn read(&self, text: impl Iterator<Item = u32>, mut seen: impl FnMut(usize, u32, usize)) {
        let (mut state, mut len) = (ROOT, 0);
        for (symbol_idx, symbol) in text.enumerate() {
            loop {
                if let Some(edge_idx) = self.edge(state, symbol) {
                    state = self.edges[edge_idx].target;
                    len += 1;
                    break;
                }
                if state == ROOT {
                    break;
                }
                state = self.state(state).link;
                len = self.state(state).len as usize;
            }
            seen(symbol_idx + 1, state, len);
        }
    }

    /// Reads texts and says, behind each symbol pushed, what longest substring
    /// ending there occurs in one of them; among equals, the first seen. Also
    /// counts the symbols read.
    pub(super) fn search<T: Iterator<Item = u32>>(
        &self,
        texts: impl Iterator<Item = T>,
    ) -> (Vec<Sighting>, usize) {
        let mut sightings = vec![Sighting::default(); self.states.len()];
        let mut n_read = 0;
        for (source, text) in texts.enumerate() {
            self.read(text, |end, state, len| {
                n_read += 1;
                let best = &mut sightings[state as usize];
                if len > best.len {
                    *best = Sighting { len, source, end };
                }
            });
        }
        self.spread(&mut sightings);
        (self.prefixes.iter().map(|&state| sightings[state as usize]).collect(), n_read)
    }

    /// Tells every state what the states of its longer and shorter relatives saw.
    fn spread(&self, sightings: &mut [Sighting]) {
        let mut order: Vec<u32> = (1..self.states.len() as u32).collect();
        order.sort_by_key(|&state| self.state(state).len);
        // Whoever saw a string saw its suffixes, in full.
        for &state in order.iter().rev() {
            let (link, seen) = (self.state(state).link, sightings[state as usize]);
            let full = self.state(link).len as usize;
            if seen.len > 0 && sightings[link as usize].len < full {
                sightings[link as usize] = Sighting { len: full, ..seen };
            }
        }
        // A string never seen whole may have a suffix that was.
        for &state in &order {
            if sightings[state as usize].len == 0 {
                sightings[state as usize] = sightings[self.state(state).link as usize];
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn symbols(text: &str) -> impl Iterator<Item = u32> + '_ {
        text.chars().map(u32::from)
    }

    /// For each prefix of `text`, the longest suffix that occurs in one of `sources`.
    fn brute_force(text: &[char], sources: &[Vec<char>]) -> Vec<usize> {
        let occurs =
            |part: &[char]| sources.iter().any(|s| s.windows(part.len()).any(|window| window == part));
        let longest =
            |end: usize| (0..end).find(|&start| occurs(&text[start..end])).map_or(0, |start| end - start);
        (1..=text.len()).map(longest).collect()
    }

    #[test]
    fn size_stays_within_its_bounds() {
        for text in ["abbbbbbbbbbbbbbbb", "aaaaaaaaaaaaaaaa", "abcdefghijklmnop", "abababababababab"] {
            let mut automaton = Automaton::new();
            symbols(text).for_each(|symbol| automaton.push(symbol));
            assert!(automaton.states.len() < 2 * text.len(), "{text}");
            assert!(automaton.edges.len() < 3 * text.len(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn equals_brute_force(texts in prop::collection::vec("[abcé]{0,14}", 1..4),
                              sources in prop::collection::vec("[abcé]{0,20}", 0..3)) {
            let mut automaton = Automaton::new();
            for text in &texts {
                symbols(text).for_each(|symbol| automaton.push(symbol));
                automaton.push(SEPARATOR);
            }
            let (found, n_read) = automaton.search(sources.iter().map(|source| symbols(source)));
            prop_assert_eq!(n_read, sources.iter().map(|source| source.chars().count()).sum::<usize>());
            prop_assert_eq!(found.len(), texts.iter().map(|text| text.chars().count() + 1).sum::<usize>());
            let sources: Vec<Vec<char>> = sources.iter().map(|source| source.chars().collect()).collect();
            let mut start = 0;
            for text in &texts {
                let text: Vec<char> = text.chars().collect();
                let here = &found[start..start + text.len()];
                let lengths: Vec<usize> = here.iter().map(|sighting| sighting.len).collect();
                prop_assert_eq!(lengths, brute_force(&text, &sources));
                for (end, sighting) in here.iter().enumerate().filter(|(_, sighting)| sighting.len > 0) {
                    let there = &sources[sighting.source][sighting.end - sighting.len..sighting.end];
                    prop_assert_eq!(there, &text[end + 1 - sighting.len..=end]);
                }
                start += text.len() + 1;
            }
        }
    }
}
