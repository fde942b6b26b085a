//! A run that cannot end well and be wrong.
//!
//! Each gate is a claim about data, base or result, decided by numbers. A
//! closed gate stops the run and says what is usually behind it. Gates take
//! plain data, so that a test can hand them the very fault they are there for.

use crate::error::{Error, Result};
use crate::evaluate::SequenceLoss;
use penname_ledger::event::{Event, Witness};
use penname_token::Sequence;
use penname_token::pack::{IGNORE, Pack};
use std::collections::{BTreeMap, BTreeSet};

/// A claim and the numbers it was decided by.
#[derive(Debug, Clone, PartialEq)]
pub struct Gate {
    /// The claim.
    pub name: &'static str,
    /// Whether it holds.
    pub passed: bool,
    /// The numbers.
    pub evidence: String,
    /// What is usually behind it when it does not hold.
    pub suspects: &'static str,
}

impl Gate {
    /// Tells the witness, and stops the run if the claim does not hold.
    ///
    /// # Errors
    /// [`Error::GateClosed`].
    pub fn pass(self, witness: &dyn Witness) -> Result<Self> {
        witness.see(&Event::gate(self.name, self.passed, self.evidence.clone()));
        if self.passed {
            return Ok(self);
        }
        Err(Error::GateClosed { name: self.name, evidence: self.evidence, suspects: self.suspects })
    }
}

/// There is something to learn from, something to measure on, and a step to take.
pub fn enough(train: &[Sequence], held_out: &[Sequence], steps: u64) -> Gate {
    let (n, m) = (train.len(), held_out.len());
    Gate {
        name: "enough to train on",
        passed: n > 0 && m > 0 && steps > 0,
        evidence: format!("{n} sequences to train on, {m} held out, {steps} steps"),
        suspects: "an empty folder, everything dropped as a duplicate, or zero epochs",
    }
}

/// Every sequence has tokens with loss.
pub fn trained_tokens(sequences: &[Sequence]) -> Gate {
    let empty = |s: &&Sequence| !s.mask.iter().any(|&trained| trained);
    let n_empty = sequences.iter().filter(empty).count();
    let first = sequences
        .iter()
        .find(empty)
        .map_or(String::new(), |s| format!(", the first is example {}", s.example));
    Gate {
        name: "every example teaches",
        passed: n_empty == 0,
        evidence: format!("{n_empty} of {} examples have no token with loss{first}", sequences.len()),
        suspects: "a mask that covers the answers, or a template without an assistant's turn",
    }
}

/// The token that ends an answer is inside the loss of every answer that was not cut.
pub fn end_is_learned(sequences: &[Sequence], end_ids: &[u32]) -> Gate {
    let last =
        |s: &Sequence| s.ids.iter().zip(&s.mask).rev().find(|(_, trained)| **trained).map(|(id, _)| *id);
    let whole: Vec<&Sequence> = sequences.iter().filter(|s| s.n_cut == 0).collect();
    let endless = |s: &&&Sequence| !last(s).is_some_and(|id| end_ids.contains(&id));
    let n_endless = whole.iter().filter(endless).count();
    let first =
        whole.iter().find(endless).map_or(String::new(), |s| format!(", the first is example {}", s.example));
    Gate {
        name: "the end is inside the loss",
        passed: n_endless == 0,
        evidence: format!(
            "{n_endless} of {} whole answers do not end in a trained end token{first}",
            whole.len()
        ),
        suspects: "a template that does not close the assistant's turn, or a mask that leaves the end token out",
    }
}

/// Every text that is learned whole closes with a trained end token, in its last sequence.
pub fn texts_end(sequences: &[Sequence], end_ids: &[u32]) -> Gate {
    let texts = sequences.chunk_by(|a, b| a.document == b.document);
    let ends = |text: &&[Sequence]| {
        let last = text.last().and_then(|s| Some((s.ids.last()?, s.mask.last()?)));
        last.is_some_and(|(id, trained)| *trained && end_ids.contains(id))
    };
    let (n_texts, n_endless) = (texts.clone().count(), texts.clone().filter(|text| !ends(text)).count());
    let first = texts.filter(|text| !ends(text)).map(|text| text[0].document.as_str()).next();
    let first = first.map_or(String::new(), |document| format!(", the first is document {document}"));
    Gate {
        name: "the end is inside the loss",
        passed: n_endless == 0,
        evidence: format!("{n_endless} of {n_texts} texts do not end in a trained end token{first}"),
        suspects: "a vocabulary without a token that ends a text, or texts that were joined or cut",
    }
}

/// Nothing that is measured on was trained on.
pub fn held_out_is_unseen(train: &[Sequence], held_out: &[Sequence]) -> Gate {
    let documents: BTreeSet<&str> =
        train.iter().map(|s| s.document.as_str()).filter(|d| !d.is_empty()).collect();
    let taught: BTreeSet<Vec<u32>> = train.iter().map(trained_ids).collect();
    let known = |s: &&Sequence| documents.contains(s.document.as_str()) || taught.contains(&trained_ids(s));
    let n_known = held_out.iter().filter(known).count();
    let first = held_out
        .iter()
        .find(known)
        .map_or(String::new(), |s| format!(", the first is example {}", s.example));
    Gate {
        name: "the held-out text is unseen",
        passed: n_known == 0,
        evidence: format!(
            "{n_known} of {} held-out examples stand in the training set{first}",
            held_out.len()
        ),
        suspects: "a split by row instead of by document, or duplicates across the split",
    }
}

fn trained_ids(sequence: &Sequence) -> Vec<u32> {
    sequence.ids.iter().zip(&sequence.mask).filter(|(_, trained)| **trained).map(|(id, _)| *id).collect()
}

/// The targets of the micro-batches are the next tokens of their own sequences.
pub fn labels_are_next_tokens(packs: &[Pack], sequences: &[Sequence]) -> Gate {
    let (mut n_wrong, mut n_targets) = (0_usize, 0_usize);
    for pack in packs {
        for (rows, &source) in pack.documents.iter().zip(&pack.sources) {
            let sequence = &sequences[source];
            // The rows shared are its first positions.
            let targets = pack.targets[..pack.shared].iter().chain(&pack.targets[rows.clone()]);
            for (next, &target) in (1..).zip(targets) {
                let expected =
                    if sequence.mask.get(next) == Some(&true) { sequence.ids[next] } else { IGNORE };
                n_targets += usize::from(expected != IGNORE || target != IGNORE);
                n_wrong += usize::from(target != expected);
            }
        }
    }
    Gate {
        name: "labels are the next tokens",
        passed: n_wrong == 0,
        evidence: format!("{n_wrong} of {n_targets} targets are not the next token of their sequence"),
        suspects: "labels shifted twice, or not at all",
    }
}

/// The base model predicts the answers better than the frequencies of single tokens do.
///
/// Labels that are shifted twice, weights that were not loaded, or another
/// model's tokenizer all show here: a model that knows the language is far
/// below this line, a broken one at or above it.
pub fn base_beats_frequencies(base_nats: f64, sequences: &[&[Sequence]]) -> Gate {
    let frequency_nats = frequency_entropy(sequences);
    Gate {
        name: "the base knows the language",
        passed: base_nats.is_finite() && base_nats < frequency_nats,
        evidence: format!(
            "base loss {base_nats:.3} nats per token, single-token frequencies alone give {frequency_nats:.3}"
        ),
        suspects: "labels shifted twice, weights not loaded, or a tokenizer of another model",
    }
}

/// A small model foresees the answers not much worse than chance: it has read one text, and may be
/// surer of that than another text allows, where neither frequencies nor chance can be asked of it.
/// Far above chance it is another model's tokenizer, or no model.
pub fn base_is_near_chance(base_nats: f64, vocab_size: usize) -> Gate {
    let even = (vocab_size.max(1) as f64).ln();
    Gate {
        name: "the base is not far worse than chance",
        passed: base_nats < 1.5 * even,
        evidence: format!("base loss {base_nats:.3} nats per token, ln {vocab_size} is {even:.3}"),
        suspects: "weights not loaded, another model's tokenizer, or a text of another language than the base has read",
    }
}

/// A model whose weights were just drawn holds all tokens for about equally likely.
///
/// A head that is scaled wrongly, or weights that are not those that were drawn, show here.
pub fn start_is_even(base_nats: f64, vocab_size: usize) -> Gate {
    let even = (vocab_size.max(1) as f64).ln();
    let difference = (base_nats - even).abs() / even;
    Gate {
        name: "training starts from nothing",
        passed: difference <= 0.1,
        evidence: format!(
            "loss of the new model {base_nats:.3} nats per token, ln {vocab_size} is {even:.3} ({:.1} % apart)",
            100.0 * difference
        ),
        suspects: "weights other than those just drawn, a head of the wrong scale, or held-out text of few tokens",
    }
}

/// A model that learned from nothing foresees unseen text better than the frequencies of single tokens.
///
/// Labels that are shifted twice leave a model with nothing else to learn.
pub fn more_than_frequencies(best_nats: f64, sequences: &[&[Sequence]]) -> Gate {
    let frequency_nats = frequency_entropy(sequences);
    Gate {
        name: "more was learned than frequencies",
        passed: best_nats < frequency_nats,
        evidence: format!(
            "held-out loss {best_nats:.3} nats per token, single-token frequencies alone give {frequency_nats:.3}"
        ),
        suspects: "too few steps, a learning rate far too low, or labels shifted twice",
    }
}

/// Entropy of the trained tokens' frequencies, in nats per token.
pub fn frequency_entropy(sequences: &[&[Sequence]]) -> f64 {
    let mut counts: BTreeMap<u32, f64> = BTreeMap::new();
    let all = sequences.iter().flat_map(|list| list.iter()).flat_map(trained_ids);
    all.for_each(|id| *counts.entry(id).or_default() += 1.0);
    let total: f64 = counts.values().sum();
    counts.values().map(|n| -(n / total) * (n / total).ln()).sum()
}

/// A fresh adapter changes nothing, and packing changes nothing: the training
/// program's first loss is the base model's own on the same sequences, one by one.
pub fn start_is_the_base(training_nats: f64, base_nats: f64) -> Gate {
    let difference = (training_nats - base_nats).abs() / base_nats.abs().max(1e-9);
    Gate {
        name: "training starts at the base",
        passed: difference.is_finite() && difference <= 0.02,
        evidence: format!(
            "loss of the first batch {training_nats:.4} nats, the base model's own {base_nats:.4} ({:.2} % apart)",
            100.0 * difference
        ),
        suspects: "labels shifted twice, documents that see each other when packed, or an adapter that does not start at zero",
    }
}

/// Every trained tensor changed, and none to something that is no number.
pub fn weights_moved(before: &BTreeMap<String, Vec<f32>>, after: &BTreeMap<String, Vec<f32>>) -> Gate {
    let still = |(name, values): &(&String, &Vec<f32>)| before.get(*name).is_some_and(|old| old == *values);
    let n_still = after.iter().filter(still).count();
    let n_broken = after.values().filter(|values| values.iter().any(|v| !v.is_finite())).count();
    Gate {
        name: "the weights moved",
        passed: !after.is_empty() && n_still == 0 && n_broken == 0,
        evidence: format!(
            "of {} trained tensors {n_still} did not move, {n_broken} hold no numbers any more",
            after.len()
        ),
        suspects: "zero steps, a learning rate of zero, or gradients that never arrive",
    }
}

/// The loss on sequences that were trained on fell.
pub fn trained_loss_fell(before: &[SequenceLoss], after: &[SequenceLoss]) -> Gate {
    let mean = |losses: &[SequenceLoss]| crate::evaluate::mean_nats(losses).unwrap_or(f64::NAN);
    let (before, after) = (mean(before), mean(after));
    Gate {
        name: "the trained loss fell",
        passed: after < before,
        evidence: format!("loss on training examples {before:.4} nats before, {after:.4} after"),
        suspects: "a learning rate far too high or too low, or weights that are not the ones being trained",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use penname_token::pack::pack_in_order;

    const END: u32 = 2;

    fn sequence(document: &str, answer: &[u32]) -> Sequence {
        let mut ids = vec![1, 7, 8];
        ids.extend(answer);
        ids.push(END);
        let mask: Vec<bool> = (0..ids.len()).map(|at| at >= 3).collect();
        let n_trained = answer.len() + 1;
        Sequence {
            example: document.to_owned(),
            document: document.to_owned(),
            ids,
            mask,
            n_trained,
            ..Sequence::default()
        }
    }

    #[test]
    fn sound_data_passes() {
        let (train, held_out) =
            (vec![sequence("a", &[5, 6]), sequence("b", &[6, 5])], vec![sequence("c", &[5, 5])]);
        let packs = pack_in_order(&train, 64).unwrap();
        for gate in [
            enough(&train, &held_out, 1),
            trained_tokens(&train),
            end_is_learned(&train, &[END]),
            held_out_is_unseen(&train, &held_out),
            labels_are_next_tokens(&packs, &train),
        ] {
            assert!(gate.passed, "{gate:?}");
        }
    }

    fn closed(gate: Gate, word: &str) {
        assert!(!gate.passed, "{gate:?}");
        let error = gate.pass(&penname_ledger::event::Silent).unwrap_err();
        assert!(format!("{error}").contains(word), "{error}");
    }

    #[test]
    fn each_fault_closes_its_gate() {
        let train = vec![sequence("a", &[5, 6]), sequence("b", &[6, 5])];
        let mut masked = train.clone();
        masked[1].mask.fill(false);
        closed(trained_tokens(&masked), "example b");

        let mut endless = train.clone();
        *endless[0].mask.last_mut().unwrap() = false;
        closed(end_is_learned(&endless, &[END]), "example a");

        closed(held_out_is_unseen(&train, &[sequence("c", &[6, 5])]), "example c");
        closed(held_out_is_unseen(&train, &[sequence("b", &[9, 9])]), "example b");

        closed(enough(&train, &[], 1), "0 held out");
        closed(enough(&train, &train, 0), "0 steps");

        let mut packs = pack_in_order(&train, 64).unwrap();
        for pack in &mut packs {
            pack.targets.rotate_left(1);
        }
        closed(labels_are_next_tokens(&packs, &train), "targets are not the next token");

        let weights = BTreeMap::from([("w".to_owned(), vec![1.0, 2.0])]);
        closed(weights_moved(&weights, &weights), "1 did not move");
        let broken = BTreeMap::from([("w".to_owned(), vec![f32::NAN, 2.0])]);
        closed(weights_moved(&weights, &broken), "1 hold no numbers");

        let loss = |nats| [SequenceLoss { sum_nats: nats, n_trained: 1 }];
        closed(trained_loss_fell(&loss(1.0), &loss(1.1)), "1.1000 after");
        closed(start_is_the_base(3.2, 3.0), "6.67 %");
        closed(base_beats_frequencies(7.2, &[&train]), "7.200");
        closed(more_than_frequencies(7.2, &[&train]), "7.200");
        closed(start_is_even(9.9, 4096), "19.0 %");
        closed(base_is_near_chance(12.5, 4096), "8.318");
        assert!(base_is_near_chance(8.9, 4096).passed);
        closed(start_is_even(f64::NAN, 4096), "NaN");
        assert!(start_is_even(8.4, 4096).passed);
    }

    #[test]
    fn a_text_ends_in_its_last_sequence() {
        let part = |document: &str, ids: &[u32]| {
            let mask: Vec<bool> = (0..ids.len()).map(|at| at > 0).collect();
            Sequence { document: document.to_owned(), ids: ids.to_vec(), mask, ..Sequence::default() }
        };
        let whole = [part("a", &[1, 5, 6]), part("a", &[6, END]), part("b", &[1, 7, END])];
        assert!(texts_end(&whole, &[END]).passed);
        closed(texts_end(&whole[..1], &[END]), "1 of 1 texts");
        closed(texts_end(&[part("a", &[1, 5]), part("b", &[1, END])], &[END]), "document a");
    }

    #[test]
    fn a_cut_answer_owes_no_end() {
        let mut cut = sequence("a", &[5, 6]);
        cut.ids.pop();
        cut.mask.pop();
        cut.n_cut = 1;
        assert!(end_is_learned(&[cut], &[END]).passed);
    }
}
