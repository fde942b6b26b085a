//! What must hold before a model may be called finished, each claim with its bar.
//!
//! A claim is met, not met, or undecided: a test set too small to tell is a
//! different finding from a model that fails, and is told apart here.

use serde::{Deserialize, Serialize};

use crate::metric::bits::Bits;
use crate::metric::breakage::Breakage;
use crate::metric::copying::Copying;
use crate::number::{change, count, fixed};
use crate::report::Method;
use crate::stat::estimate::{Contrast, Estimate};

/// Where the bars hang.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Bars {
    /// Most empty replies, in percent.
    pub empty_percent: f64,
    /// Most replies cut off by the length limit, in percent.
    pub cut_off_percent: f64,
    /// Most replies going in circles, in percent.
    pub looping_percent: f64,
    /// Most replies showing the template, in percent.
    pub leaking_percent: f64,
    /// How far the share of copied characters may exceed the author's own, in percentage points.
    pub copied_margin_points: f64,
}

/// One in fifty replies may be broken; one in ten may be longer than allowed,
/// since a limit can be short; recitation may exceed the author's by one point.
impl Default for Bars {
    fn default() -> Self {
        Self {
            empty_percent: 2.0,
            cut_off_percent: 10.0,
            looping_percent: 2.0,
            leaking_percent: 2.0,
            copied_margin_points: 1.0,
        }
    }
}

/// Whether a claim holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It holds.
    Met,
    /// The evidence at hand cannot tell.
    Undecided,
    /// It does not hold.
    NotMet,
}

impl Outcome {
    /// In words.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::Met => "met",
            Self::Undecided => "undecided",
            Self::NotMet => "not met",
        }
    }
}

/// One thing a good model does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claim {
    /// What is claimed, in a few words.
    pub name: String,
    /// Whether it holds.
    pub outcome: Outcome,
    /// What was found.
    pub found: String,
    /// What was expected.
    pub expected: String,
    /// What the finding rests on.
    pub evidence: String,
    /// What it means for the reader if the claim does not hold.
    pub consequence: String,
}

/// All claims.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verdict {
    /// The claims, most important first.
    pub claims: Vec<Claim>,
}

impl Verdict {
    /// The worst outcome among the claims.
    #[must_use]
    pub fn outcome(&self) -> Outcome {
        let has = |outcome| self.claims.iter().any(|claim| claim.outcome == outcome);
        [Outcome::NotMet, Outcome::Undecided]
            .into_iter()
            .find(|&outcome| has(outcome))
            .unwrap_or(Outcome::Met)
    }
}

/// Everything the claims look at.
#[derive(Debug, Clone, Copy)]
pub struct Findings<'a> {
    /// The losses, where given.
    pub bits: Option<&'a Bits>,
    /// The copies, where training text was given.
    pub copying: Option<&'a Copying>,
    /// The broken replies.
    pub breakage: &'a Breakage,
    /// What was compared.
    pub method: &'a Method,
}

/// Holds the findings against the bars.
#[must_use]
pub fn judge(findings: Findings<'_>, bars: &Bars) -> Verdict {
    let broken =
        |name, contrast, bar, consequence| at_most(name, contrast, bar, consequence, findings.method);
    let Breakage { empty, cut_off, looping, leaking, .. } = findings.breakage;
    Verdict {
        claims: vec![
            predicts_better(findings.bits),
            all_scored(findings.bits),
            same_questions(findings.method),
            broken("Replies have text", empty, bars.empty_percent, EMPTY),
            broken("Replies come to an end", cut_off, bars.cut_off_percent, CUT_OFF),
            broken("Replies move on", looping, bars.looping_percent, LOOPING),
            broken("Replies show no template", leaking, bars.leaking_percent, LEAKING),
            recites_no_more(findings.copying, bars.copied_margin_points),
        ],
    }
}

const EMPTY: &str = "A reader will get no answer; the usual cause is that ends were trained on empty texts.";
const CUT_OFF: &str =
    "The model has not learned where to stop; the end token may be missing from the training.";
const LOOPING: &str = "Longer replies will repeat themselves; the sampling or the training is too narrow.";
const LEAKING: &str = "Readers will see control words; training and use do not share one template.";
const RECITING: &str =
    "The model gives back passages it was trained on: do not publish it if that text is private.";
const PREDICTION: &str =
    "Nothing shows that the voice was learned; more text, more steps or another rate may be needed.";
const SCORING: &str = "The comparison leaves out documents on which a model failed, and may flatter it.";
const PAIRING: &str =
    "The two models did not face the same test, so their difference is not only the training's.";

fn claim(name: &str, outcome: Outcome, found: String, expected: String, consequence: &str) -> Claim {
    let (name, consequence) = (name.to_owned(), consequence.to_owned());
    Claim { name, outcome, found, expected, evidence: String::new(), consequence }
}

fn predicts_better(bits: Option<&Bits>) -> Claim {
    let name = "Predicts unseen writing better than the base model";
    let expected = "a fall in bits per byte, beyond its interval".to_owned();
    let Some((bits, fall)) = bits.and_then(|bits| Some((bits, bits.bits_per_byte.difference?))) else {
        return claim(name, Outcome::Undecided, "no held-out losses".to_owned(), expected, PREDICTION);
    };
    let outcome = match fall.interval {
        Some(interval) if interval.high < 0.0 => Outcome::Met,
        _ if fall.value < 0.0 => Outcome::Undecided,
        _ => Outcome::NotMet,
    };
    let found = format!("{} bits per byte", change(Some(fall), 3));
    let evidence = count(bits.n_documents, "held-out document");
    Claim { evidence, ..claim(name, outcome, found, expected, PREDICTION) }
}

fn all_scored(bits: Option<&Bits>) -> Claim {
    let name = "Every held-out document was scored by both models";
    let expected = "none left out".to_owned();
    let Some(bits) = bits else {
        return claim(name, Outcome::Undecided, "no held-out losses".to_owned(), expected, SCORING);
    };
    let n_missing = bits.n_unpaired + bits.n_unusable;
    let outcome = if n_missing == 0 { Outcome::Met } else { Outcome::NotMet };
    let found = format!("{} left out", count(n_missing, "document"));
    let evidence =
        format!("{} scored by one model only, {} without a finite loss", bits.n_unpaired, bits.n_unusable);
    Claim { evidence, ..claim(name, outcome, found, expected, SCORING) }
}

fn same_questions(method: &Method) -> Claim {
    let name = "Both models answered the same questions under the same sampler";
    let n_unpaired = method.n_base_only + method.n_tuned_only;
    let outcome = match (method.n_pairs, n_unpaired + method.n_samplers_differ) {
        (0, 0) => Outcome::Undecided,
        (1.., 0) => Outcome::Met,
        _ => Outcome::NotMet,
    };
    let found = format!("{} in common", count(method.n_pairs, "reply"));
    let evidence = format!(
        "{} by the base model only, {} by the tuned model only, {} under different samplers",
        method.n_base_only, method.n_tuned_only, method.n_samplers_differ
    );
    Claim { evidence, ..claim(name, outcome, found, "all in common".to_owned(), PAIRING) }
}

/// A fault must be rarer than its bar, or no more common than in the author's own answers.
fn at_most(name: &str, contrast: &Contrast, bar: f64, consequence: &str, method: &Method) -> Claim {
    let author = contrast.author.map_or(0.0, |author| author.value);
    let expected = if author > bar {
        format!("at most {} %, as in the author's own answers", fixed(author, 1))
    } else {
        format!("at most {} %", fixed(bar, 1))
    };
    let Some(share) = contrast.tuned else {
        return claim(name, Outcome::Undecided, "no replies".to_owned(), expected, consequence);
    };
    let limit = bar.max(author);
    let outcome = match share.interval {
        _ if share.value <= limit => Outcome::Met,
        // Too few replies to tell a rare fault from a common one.
        Some(interval) if interval.low <= limit => Outcome::Undecided,
        _ => Outcome::NotMet,
    };
    let found = format!("{} % of replies", crate::number::estimate(Some(share), 1));
    let evidence = format!("{} to {}", count(method.n_pairs, "reply"), count(method.n_documents, "document"));
    Claim { evidence, ..claim(name, outcome, found, expected, consequence) }
}

fn recites_no_more(copying: Option<&Copying>, margin: f64) -> Claim {
    let name = "Copies no more than the author repeats";
    let Some((excess, control)) = copying.and_then(|copying| excess(&copying.share)) else {
        let expected = format!("at most {} points above the author", fixed(margin, 1));
        return claim(
            name,
            Outcome::Undecided,
            "no training text or no replies".to_owned(),
            expected,
            RECITING,
        );
    };
    let outcome = match excess.interval {
        _ if excess.value > margin => Outcome::NotMet,
        Some(interval) if interval.high > margin => Outcome::Undecided,
        _ => Outcome::Met,
    };
    let found = format!("{} points above {control}", change(Some(excess), 2));
    let expected = format!("at most {} points above {control}", fixed(margin, 1));
    let evidence = copying.map_or(String::new(), |copying| {
        let sources = count(copying.n_sources, "training document");
        format!("{sources} searched; longest copy {}", longest(copying))
    });
    Claim { evidence, ..claim(name, outcome, found, expected, RECITING) }
}

/// How much more is copied than by the author, or than by the base model where the author wrote no answers.
fn excess(share: &Contrast) -> Option<(Estimate, &'static str)> {
    let author = share.from_author.map(|excess| (excess, "the author"));
    author.or_else(|| share.difference.map(|excess| (excess, "the base model")))
}

fn longest(copying: &Copying) -> String {
    count(copying.tuned.as_ref().map_or(0, |passage| passage.n_chars), "character")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stat::estimate::Interval;

    fn estimate(value: f64, low: f64, high: f64) -> Estimate {
        Estimate { value, interval: Some(Interval { low, high }), n_documents: 9 }
    }

    fn bits(difference: Option<Estimate>) -> Bits {
        Bits {
            bits_per_byte: Contrast { difference, ..Contrast::default() },
            nats_per_token: Contrast::default(),
            effect: None,
            n_documents: 9,
            n_unpaired: 0,
            n_unusable: 0,
        }
    }

    #[test]
    fn a_fall_must_exceed_its_interval() {
        let check = |difference, expected| {
            assert_eq!(predicts_better(Some(&bits(difference))).outcome, expected, "{difference:?}");
        };
        check(Some(estimate(-0.2, -0.3, -0.1)), Outcome::Met);
        check(Some(estimate(-0.2, -0.5, 0.1)), Outcome::Undecided);
        check(Some(estimate(0.2, 0.1, 0.3)), Outcome::NotMet);
        check(Some(Estimate { interval: None, ..estimate(-0.2, 0.0, 0.0) }), Outcome::Undecided);
        // Weights that never moved change nothing anywhere.
        check(Some(Estimate { interval: None, ..estimate(0.0, 0.0, 0.0) }), Outcome::NotMet);
        check(None, Outcome::Undecided);
    }

    #[test]
    fn lost_documents_are_held_against_the_model() {
        assert_eq!(all_scored(Some(&bits(None))).outcome, Outcome::Met);
        let claim = all_scored(Some(&Bits { n_unusable: 1, ..bits(None) }));
        assert_eq!((claim.outcome, claim.found.as_str()), (Outcome::NotMet, "1 document left out"));
    }

    #[test]
    fn faults_are_measured_against_bar_and_author() {
        let check = |tuned: f64, author: f64, expected| {
            let share = |value| Some(Estimate { value, interval: None, n_documents: 9 });
            let contrast = Contrast { tuned: share(tuned), author: share(author), ..Contrast::default() };
            assert_eq!(at_most("x", &contrast, 2.0, "", &Method::default()).outcome, expected);
        };
        check(2.0, 0.0, Outcome::Met);
        check(2.1, 0.0, Outcome::NotMet);
        check(4.0, 5.0, Outcome::Met);
    }

    #[test]
    fn few_replies_leave_a_rare_fault_open() {
        let check = |tuned, expected| {
            let contrast = Contrast { tuned: Some(tuned), ..Contrast::default() };
            assert_eq!(at_most("x", &contrast, 10.0, "", &Method::default()).outcome, expected);
        };
        // One of eight, three of eight, a tenth of four hundred and one.
        check(estimate(12.5, 2.2, 47.1), Outcome::Undecided);
        check(estimate(37.5, 13.7, 69.4), Outcome::NotMet);
        check(estimate(10.0, 7.4, 13.3), Outcome::Met);
    }

    #[test]
    fn the_verdict_is_its_worst_claim() {
        let check = |outcomes: &[Outcome], expected| {
            let named = |&outcome: &Outcome| claim("x", outcome, String::new(), String::new(), "");
            assert_eq!(Verdict { claims: outcomes.iter().map(named).collect() }.outcome(), expected);
        };
        check(&[Outcome::Met, Outcome::Met], Outcome::Met);
        check(&[Outcome::Undecided, Outcome::Met], Outcome::Undecided);
        check(&[Outcome::Undecided, Outcome::NotMet], Outcome::NotMet);
    }
}
