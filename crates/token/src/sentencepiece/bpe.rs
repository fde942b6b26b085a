//! Cutting by joining neighbours, the pair whose union scores best first.

use std::cmp::Ordering;
use std::collections::{BinaryHeap, HashMap};
use std::ops::Range;

use super::{Cut, Kind, Model};

/// A stretch of text on its way to a piece; empty once it was joined to the one before.
struct Symbol {
    range: Range<usize>,
    before: Option<usize>,
    after: Option<usize>,
    /// Whether it is never joined.
    whole: bool,
}

/// Two neighbours that make a piece.
#[derive(PartialEq)]
struct Pair {
    score: f32,
    left: usize,
    right: usize,
    /// Length of the union, by which a pair is known to be of the past.
    n_bytes: usize,
}

impl Eq for Pair {}

impl Ord for Pair {
    /// The best score is the greatest, and of equals the leftmost.
    fn cmp(&self, other: &Self) -> Ordering {
        self.score
            .total_cmp(&other.score)
            .then(other.left.cmp(&self.left))
            .then(self.n_bytes.cmp(&other.n_bytes))
    }
}

impl PartialOrd for Pair {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

struct Joining<'m> {
    model: &'m Model,
    text: &'m str,
    symbols: Vec<Symbol>,
    agenda: BinaryHeap<Pair>,
    /// Of unused pieces, the halves they were joined from.
    halves: HashMap<&'m str, usize>,
}

/// Cuts a text.
pub(super) fn cut(model: &Model, text: &str) -> Vec<Cut> {
    let symbols = symbols(model, text);
    let (agenda, halves) = (BinaryHeap::new(), HashMap::new());
    let mut joining = Joining { model, text, symbols, agenda, halves };
    (1..joining.symbols.len()).for_each(|right| joining.consider(Some(right - 1), Some(right)));
    while let Some(pair) = joining.agenda.pop() {
        joining.join(&pair);
    }
    let mut cuts = Vec::new();
    for symbol in joining.symbols.iter().filter(|symbol| !symbol.range.is_empty()) {
        joining.settle(symbol.range.clone(), &mut cuts);
    }
    cuts
}

/// Characters, and texts that are never cut.
fn symbols(model: &Model, text: &str) -> Vec<Symbol> {
    let (mut at, mut symbols) = (0, Vec::new());
    while let Some(character) = text[at..].chars().next() {
        let whole = if model.whole.is_empty() { None } else { model.whole.longest(&text.as_bytes()[at..]) };
        let end = at + whole.unwrap_or(character.len_utf8());
        let before = symbols.len().checked_sub(1);
        let after = (end < text.len()).then_some(symbols.len() + 1);
        symbols.push(Symbol { range: at..end, before, after, whole: whole.is_some() });
        at = end;
    }
    symbols
}

impl Joining<'_> {
    /// Puts two neighbours on the agenda if they make a piece.
    fn consider(&mut self, left: Option<usize>, right: Option<usize>) {
        let (Some(left), Some(right)) = (left, right) else { return };
        let (a, b) = (&self.symbols[left], &self.symbols[right]);
        if a.whole || b.whole {
            return;
        }
        let union = a.range.start..b.range.end;
        let middle = a.range.len();
        let piece = &self.text[union.clone()];
        let Some(&id) = self.model.index.get(piece) else { return };
        self.agenda.push(Pair { score: self.model.score(id), left, right, n_bytes: union.len() });
        if self.model.kind(id) == Kind::Unused {
            self.halves.insert(piece, middle);
        }
    }

    fn join(&mut self, pair: &Pair) {
        let (a, b) = (&self.symbols[pair.left].range, &self.symbols[pair.right].range);
        if a.is_empty() || b.is_empty() || a.len() + b.len() != pair.n_bytes {
            return;
        }
        let (end, after) = (b.end, self.symbols[pair.right].after);
        self.symbols[pair.right].range = end..end;
        self.symbols[pair.left].range.end = end;
        self.symbols[pair.left].after = after;
        if let Some(after) = after {
            self.symbols[after].before = Some(pair.left);
        }
        self.consider(self.symbols[pair.left].before, Some(pair.left));
        self.consider(Some(pair.left), after);
    }

    /// Gives a stretch its id; a piece that is not used is taken apart again.
    fn settle(&self, range: Range<usize>, cuts: &mut Vec<Cut>) {
        let mut left = vec![range];
        while let Some(range) = left.pop() {
            let piece = &self.text[range.clone()];
            let id = self.model.index.get(piece).copied().unwrap_or(self.model.unknown);
            match self.halves.get(piece) {
                Some(middle) if self.model.kind(id) == Kind::Unused => {
                    let middle = range.start + middle;
                    left.extend([middle..range.end, range.start..middle]);
                }
                _ => cuts.push((range, id)),
            }
        }
    }
}
