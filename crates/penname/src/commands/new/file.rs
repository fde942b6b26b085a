//! The `penname.yaml` a new voice begins with.

use crate::settings::layer;
use crate::settings::list::{self, find};
use crate::settings::recipe::Recipe;

/// Settings worth showing to somebody who begins; all others are one command away.
const SHOWN: &[&str] = &[
    "effort",
    "seed",
    "corpus.split.share",
    "train.rank",
    "train.learning_rate",
    "train.epochs",
    "write.temperature",
    "write.max_tokens",
];

const HEAD: &str = "\
# Settings of this voice. It is the only file you need to edit, and you need not edit it.
#
# Put your writing into the folder `writing` beside this file: plain text, Markdown, JSON. Folders
# inside it are fine. Files there are only read, never changed.
#
# What is left out has a default. `penname settings --origin` shows every setting, its value and
# where that comes from; a `#` in front of a line takes it out.
";

/// The file for a voice of this name.
pub(super) fn text(name: &str, recipe: Option<&Recipe>, base: Option<&str>) -> String {
    let mut lines = vec![HEAD.to_owned()];
    if let Some(recipe) = recipe {
        lines.push(format!("# {}", recipe.about()));
        lines.push(format!("recipe: {}\n", recipe.name));
    }
    let about = find("base").map_or("", |key| key.about);
    lines.push(format!("# {}{}", about[..1].to_uppercase(), &about[1..]));
    let by_recipe = recipe.and_then(|recipe| said(recipe, "base"));
    let default = find("base").map_or("", |key| key.default);
    lines.push(format!("base: {}\n", quoted(base.or(by_recipe.as_deref()).unwrap_or(default))));
    lines.push(format!("voice:\n  name: {}", quoted(name)));
    lines.push("  # A system prompt put before every example and every chat.".to_owned());
    lines.push("  # persona: You are a columnist who answers letters.\n".to_owned());
    lines.push("# A few others, with their defaults:".to_owned());
    lines.extend(commented(recipe));
    lines.join("\n") + "\n"
}

/// What a recipe says of a setting.
fn said(recipe: &Recipe, name: &str) -> Option<String> {
    let entries = recipe.entries().ok()?;
    let entry = entries.into_iter().find(|entry| entry.key.name == name)?;
    entry.value.as_str().map(str::to_owned)
}

/// The shown settings with the values they have now, each commented out.
fn commented(recipe: Option<&Recipe>) -> Vec<String> {
    let entries = recipe.and_then(|recipe| recipe.entries().ok()).unwrap_or_default();
    let value = |key: &crate::settings::list::Key| {
        let entry = entries.iter().find(|entry| entry.key.name == key.name);
        entry.map_or_else(|| key.default.to_owned(), |entry| entry.value.to_string())
    };
    let (mut lines, mut section) = (Vec::new(), "");
    for key in SHOWN.iter().filter_map(|name| list::find(name)) {
        let (group, name) = key.name.rsplit_once('.').unwrap_or(("", key.name));
        if group != section && !group.is_empty() {
            lines.push(format!("# {group}:"));
        }
        section = group;
        let indent = if group.is_empty() { "" } else { "  " };
        let line = format!("{indent}{name}: {}", value(key));
        lines.push(format!("# {line:<24} # {}", key.about));
    }
    lines
}

/// A text as YAML, which reads JSON's quotes.
fn quoted(text: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || "-_./".contains(c);
    let is_plain = text.starts_with(char::is_alphabetic) && text.chars().all(plain);
    // A name such as `null` or `true` would be read as something else.
    let same = layer::flag("voice.name", text, "").is_ok_and(|entry| entry.value == text);
    let word = !["true", "false", "yes", "no", "on", "off", "y", "n"].contains(&text.to_lowercase().as_str());
    if is_plain && same && word { text.to_owned() } else { serde_json::json!(text).to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::{Layers, Origin, Settings, recipe};

    fn read_back(text: &str) -> Settings {
        let place = |line, column| Origin::File { name: "f".into(), line, column };
        Settings::resolve(Layers { file: layer::document(text, &place, "f").unwrap(), flags: Vec::new() })
            .unwrap()
    }

    #[test]
    fn every_name_comes_back_as_it_went_in() {
        for name in ["my-voice", "Aunt Ida's \"letters\"", "🖋 # x: y", "null", "true", "No", "1984", "a\tb"]
        {
            let settings = read_back(&text(name, None, None));
            assert_eq!(settings.voice.name.as_deref(), Some(name));
        }
    }

    #[test]
    fn recipe_and_base_are_written_down() {
        for recipe in recipe::ALL {
            let settings = read_back(&text("x", Some(recipe), Some("./a b.gguf")));
            assert_eq!(settings.recipe.as_deref(), Some(recipe.name));
            assert_eq!(settings.base, "./a b.gguf");
        }
    }

    #[test]
    fn what_is_commented_out_could_be_taken_in() {
        let text = text("x", None, None);
        let (head, rest) = text.split_once("# A few others, with their defaults:\n").unwrap();
        let taken_in: Vec<&str> = rest.lines().map(|line| line.strip_prefix("# ").unwrap()).collect();
        let settings = read_back(&format!("{head}\n{}\n", taken_in.join("\n")));
        assert!(SHOWN.iter().all(|name| *settings.origin(name) != Origin::BuiltIn), "{text}");
    }
}
