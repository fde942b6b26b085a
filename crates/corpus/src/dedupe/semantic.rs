//! Texts that say the same in other words: the seam for a model that turns texts into directions.
//!
//! The corpus knows no model. Whoever has one implements [`Embed`] and hands it in with a bar that
//! names it; a bar of another model is refused, because a cosine of 0.9 by one model is not one of
//! 0.9 by another. So far no part of the program does.

use super::near::Sets;
use crate::Error;
use crate::validate::{Bar, Side};

/// Texts beyond which comparing every pair is not done.
pub const MAX_TEXTS: usize = 200_000;

/// A model that turns a text into a direction.
pub trait Embed {
    /// Its name, with the hash of its weights.
    fn id(&self) -> String;

    /// A direction for each text, all of one length; they need not be normalised.
    ///
    /// # Errors
    /// In words, what went wrong.
    fn embed(&self, texts: &[&str]) -> Result<Vec<Vec<f32>>, String>;
}

/// Clusters of two and more texts whose directions are as near as the bar asks, directly or by way
/// of others.
///
/// # Errors
/// When the bar is another model's, there are too many texts, or the model fails.
///
/// # Determinism
/// The clusters do not depend on the order of the texts, as far as the model's directions do not.
pub fn clusters(texts: &[&str], model: &dyn Embed, bar: &Bar) -> Result<Vec<Vec<usize>>, Error> {
    let refused = |why: String| Error::NoScorer { path: bar.scorer.clone().into(), why };
    if bar.scorer != model.id() || bar.side != Side::AtLeast {
        return Err(refused(format!("the model at hand is `{}`, and the bar must be at least", model.id())));
    }
    if texts.len() > MAX_TEXTS {
        return Err(refused(format!("{} texts are more than {MAX_TEXTS}", texts.len())));
    }
    let mut directions = model.embed(texts).map_err(refused)?;
    let width = directions.first().map_or(0, Vec::len);
    if directions.len() != texts.len() || directions.iter().any(|direction| direction.len() != width) {
        return Err(Error::NoScorer {
            path: bar.scorer.clone().into(),
            why: "its directions differ in number or length".to_owned(),
        });
    }
    directions.iter_mut().for_each(|direction| normalise(direction));
    let mut sets = Sets::new(texts.len());
    for a in 0..texts.len() {
        for b in a + 1..texts.len() {
            if bar.passes(f64::from(cosine(&directions[a], &directions[b]))) {
                sets.unite(a, b);
            }
        }
    }
    let mut clusters: std::collections::BTreeMap<usize, Vec<usize>> = std::collections::BTreeMap::new();
    for at in 0..texts.len() {
        clusters.entry(sets.root(at)).or_default().push(at);
    }
    Ok(clusters.into_values().filter(|cluster| cluster.len() > 1).collect())
}

fn normalise(direction: &mut [f32]) {
    let length = direction.iter().map(|x| x * x).sum::<f32>().sqrt();
    if length > 0.0 {
        direction.iter_mut().for_each(|x| *x /= length);
    }
}

fn cosine(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Counts of a few letters: enough of a direction for a test.
    struct Letters;

    impl Embed for Letters {
        fn id(&self) -> String {
            "letters@1".to_owned()
        }

        fn embed(&self, texts: &[&str]) -> Result<Vec<Vec<f32>>, String> {
            let count = |text: &str, letter: char| text.chars().filter(|c| *c == letter).count() as f32;
            Ok(texts.iter().map(|text| "kets".chars().map(|letter| count(text, letter)).collect()).collect())
        }
    }

    #[test]
    fn near_directions_are_one_cluster() {
        let texts = ["kettle", "ttelek", "sss", "kettles kettle", ""];
        let bar: Bar = "letters@1 >= 0.95".parse().unwrap();
        assert_eq!(clusters(&texts, &Letters, &bar).unwrap(), [vec![0, 1, 3]]);
    }

    #[test]
    fn another_model_s_bar_is_refused() {
        for bar in ["letters@2 >= 0.95", "letters@1 < 0.95"] {
            assert!(clusters(&["a"], &Letters, &bar.parse().unwrap()).is_err());
        }
    }
}
