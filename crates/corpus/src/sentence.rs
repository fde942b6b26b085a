//! Sentences of a text, and passages made of whole ones.

use std::ops::Range;

use unicode_segmentation::UnicodeSegmentation;

/// Words that end in a full stop without ending a sentence.
const ABBREVIATIONS: &[&str] = &[
    "mr.", "mrs.", "ms.", "dr.", "st.", "prof.", "rev.", "hon.", "capt.", "col.", "gen.", "vs.", "e.g.",
    "i.e.", "cf.", "no.", "vol.", "p.", "pp.",
];

/// A passage is closed at the end of a paragraph from this share of the wanted length, at the end
/// of a sentence from the second, and in the middle of an endless one at the third.
const CLOSE: (f64, f64, f64) = (0.75, 1.15, 2.0);
/// A last passage shorter than this share of the wanted length joins the one before.
const MIN_LAST: f64 = 0.35;

/// Bytes of every sentence, without the blanks after it.
pub(crate) fn sentences(text: &str) -> Vec<Range<usize>> {
    let mut found: Vec<Range<usize>> = Vec::new();
    // Whether the piece before ended in an abbreviation; nothing where it ended a line.
    let mut goes_on = None;
    for (at, piece) in text.split_sentence_bound_indices() {
        let start = at + piece.len() - piece.trim_start().len();
        let end = start + piece.trim().len();
        if start == end {
            goes_on = None;
            continue;
        }
        match found.last_mut() {
            // `"Well?" he said.` is one sentence: what goes on in lower case has not ended.
            Some(last) if goes_on.is_some_and(|abbreviated| abbreviated || begins_small(piece)) => {
                last.end = end
            }
            _ => found.push(start..end),
        }
        goes_on = (!piece.contains('\n')).then(|| ends_in_abbreviation(piece));
    }
    found
}

fn begins_small(piece: &str) -> bool {
    piece.trim_start().starts_with(char::is_lowercase)
}

fn ends_in_abbreviation(piece: &str) -> bool {
    let last = piece.split_whitespace().next_back().unwrap_or_default();
    let word = last.trim_start_matches(|c: char| !c.is_alphanumeric());
    let is_initial =
        word.len() == 2 && word.starts_with(char::is_uppercase) && word.ends_with('.') && word != "I.";
    is_initial || ABBREVIATIONS.contains(&word.to_lowercase().as_str())
}

/// Something a passage may end with.
struct Atom {
    range: Range<usize>,
    n_words: usize,
    ends_paragraph: bool,
}

/// Bytes of passages of about `target` words, in order, without overlap; between them there are
/// only blanks.
pub(crate) fn passages(text: &str, target: usize) -> Vec<Range<usize>> {
    let mut passages: Vec<(Range<usize>, usize)> = Vec::new();
    let mut is_open = false;
    for atom in atoms(text, target) {
        match passages.last_mut() {
            Some((range, n_words)) if is_open => {
                (range.end, *n_words) = (atom.range.end, *n_words + atom.n_words)
            }
            _ => passages.push((atom.range, atom.n_words)),
        }
        let n_words = passages.last().map_or(0, |last| last.1) as f64;
        let limit = if atom.ends_paragraph { CLOSE.0 } else { CLOSE.1 };
        is_open = n_words < limit * target as f64;
    }
    if passages.len() > 1
        && passages.last().is_some_and(|(_, n)| (*n as f64) < MIN_LAST * target as f64)
        && let Some((last, _)) = passages.pop()
        && let Some((before, _)) = passages.last_mut()
    {
        before.end = last.end;
    }
    passages.into_iter().map(|(range, _)| range).collect()
}

/// Sentences, those without end cut at a word.
fn atoms(text: &str, target: usize) -> Vec<Atom> {
    let longest = (CLOSE.2 * target as f64) as usize;
    let mut atoms = Vec::new();
    for sentence in sentences(text) {
        let ends_paragraph = text[sentence.end..].starts_with("\n\n");
        let mut start = sentence.start;
        let mut n_words = 0;
        for (at, word) in text[sentence.clone()].unicode_word_indices() {
            let at = sentence.start + at;
            if n_words >= longest && text[..at].ends_with(char::is_whitespace) {
                let end = start + text[start..at].trim_end().len();
                atoms.push(Atom { range: start..end, n_words, ends_paragraph: false });
                (start, n_words) = (at, 0);
            }
            n_words += usize::from(!word.is_empty());
        }
        atoms.push(Atom { range: start..sentence.end, n_words, ends_paragraph });
    }
    atoms
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn titles_and_initials_do_not_end_sentences() {
        let text = "Mr. Smith met J. K. Brown. They ate!\n\n\"Well?\" he said.";
        let seen: Vec<_> = sentences(text).into_iter().map(|r| &text[r]).collect();
        assert_eq!(seen, ["Mr. Smith met J. K. Brown.", "They ate!", "\"Well?\" he said."]);
    }

    #[test]
    fn passages_end_with_sentences() {
        let sentence = "Ten words stand in this sentence and no more today. ";
        let text = sentence.repeat(30).trim_end().to_owned() + "\n\n" + &sentence.repeat(4);
        let passages = passages(&text, 100);
        let words: Vec<_> = passages.iter().map(|r| text[r.clone()].split_whitespace().count()).collect();
        assert_eq!(words, [120, 120, 100]);
        assert!(passages.iter().all(|r| text[r.clone()].ends_with("today.")));
    }

    #[test]
    fn endless_sentences_are_cut_at_a_word() {
        let text = "word ".repeat(1000);
        let words: Vec<_> =
            passages(&text, 100).iter().map(|r| text[r.clone()].split_whitespace().count()).collect();
        assert_eq!(words, [200; 5]);
    }

    proptest! {
        #[test]
        fn only_blanks_lie_between_passages(text in "([a-zé]{1,6}[.?! ]{1,2}|\\n{1,3}|茶。| ){0,120}", target in 5usize..40) {
            let mut at = 0;
            for passage in passages(&text, target) {
                prop_assert!(text[at..passage.start].trim().is_empty());
                prop_assert!(!text[passage.clone()].trim().is_empty());
                at = passage.end;
            }
            prop_assert!(text[at..].trim().is_empty());
        }
    }
}
