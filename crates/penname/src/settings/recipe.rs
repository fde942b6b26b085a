//! Recipes: starting settings by purpose, carried inside the program.

use super::Error;
use super::layer::{self, Entry};
use super::origin::Origin;

/// A recipe.
#[derive(Debug)]
pub(crate) struct Recipe {
    /// What is typed.
    pub(crate) name: &'static str,
    /// The YAML file.
    pub(crate) text: &'static str,
}

/// All of them.
pub(crate) const ALL: &[Recipe] = &[
    Recipe { name: "advice-column", text: include_str!("../../../../recipes/advice-column.yaml") },
    Recipe { name: "blog", text: include_str!("../../../../recipes/blog.yaml") },
    Recipe { name: "book", text: include_str!("../../../../recipes/book.yaml") },
    Recipe { name: "book-overlap", text: include_str!("../../../../recipes/book-overlap.yaml") },
    Recipe { name: "book-questions", text: include_str!("../../../../recipes/book-questions.yaml") },
    Recipe { name: "column-and-forum", text: include_str!("../../../../recipes/column-and-forum.yaml") },
    Recipe { name: "short-replies", text: include_str!("../../../../recipes/short-replies.yaml") },
    Recipe { name: "tiny-dialogue", text: include_str!("../../../../recipes/tiny-dialogue.yaml") },
    Recipe { name: "tiny-from-scratch", text: include_str!("../../../../recipes/tiny-from-scratch.yaml") },
    Recipe { name: "tweet-replies", text: include_str!("../../../../recipes/tweet-replies.yaml") },
];

impl Recipe {
    /// What it is for: the first line of its comment.
    pub(crate) fn about(&self) -> &'static str {
        self.text.lines().next().map_or("", |line| line.trim_start_matches('#').trim())
    }

    /// Its settings.
    ///
    /// # Errors
    /// None, as a test holds.
    pub(crate) fn entries(&self) -> Result<Vec<Entry>, Error> {
        layer::document(self.text, &|_, _| Origin::Recipe(self.name.to_owned()), self.name)
    }
}

/// The recipe of this name.
///
/// # Errors
/// When there is none; the error lists those there are.
pub(crate) fn find(name: &str) -> Result<&'static Recipe, Error> {
    ALL.iter().find(|recipe| recipe.name == name).ok_or_else(|| {
        let known = ALL.iter().map(|recipe| recipe.name).collect::<Vec<_>>().join(", ");
        Error::Recipe { found: name.to_owned(), known }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_recipe_can_be_read_and_says_what_it_is_for() {
        for recipe in ALL {
            let entries = recipe.entries().unwrap();
            assert!(!entries.is_empty(), "{}", recipe.name);
            assert!(recipe.about().len() > 20, "{}", recipe.name);
            let settings = super::super::Settings::resolve(super::super::Layers {
                flags: vec![layer::flag("recipe", recipe.name, "--recipe").unwrap()],
                ..Default::default()
            });
            settings.unwrap();
        }
    }
}
