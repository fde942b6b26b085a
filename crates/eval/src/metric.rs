//! What is measured: one file per metric, each with its definition in words.
//!
//! A new metric is a file here with its [`Family`], and a line in [`ALL`].
//! Column labels, help texts and the reference page are made from the list.

pub mod bits;
pub mod breakage;
pub mod copying;
pub mod rhythm;

/// Every metric, in the order of the report.
pub static ALL: &[&Family] = &[&bits::FAMILY, &copying::FAMILY, &breakage::FAMILY, &rhythm::FAMILY];

/// Measures that are computed together.
#[derive(Debug)]
pub struct Family {
    /// One word, unique.
    pub name: &'static str,
    /// The question it answers.
    pub question: &'static str,
    /// Its numbers.
    pub measures: &'static [Measure],
}

/// One number per text, document or model.
#[derive(Debug)]
pub struct Measure {
    /// Unique name, as in `report.json`.
    pub name: &'static str,
    /// What a table calls it.
    pub label: &'static str,
    /// How it is computed, in a sentence.
    pub definition: &'static str,
    /// Unit of the value.
    pub unit: &'static str,
    /// Digits after the point that are worth showing.
    pub decimals: usize,
    /// Which way is good.
    pub better: Better,
}

/// Which way a measure should move.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Better {
    /// The lower, the better.
    Lower,
    /// The closer to the author, the better.
    Author,
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn names_are_unique_and_definitions_are_sentences() {
        let mut names = BTreeSet::new();
        for family in ALL {
            assert!(names.insert(family.name) && family.question.ends_with('?'), "{}", family.name);
            for measure in family.measures {
                assert!(names.insert(measure.name), "{} twice", measure.name);
                assert!(measure.definition.ends_with('.') && !measure.unit.is_empty(), "{}", measure.name);
            }
        }
    }
}
