//! Which files of a repository make a base model.

use crate::reference::{is_gguf, is_inside, is_pickle};
use crate::{Error, Result};

/// Taken when they are there, needed or not.
const SMALL: [&str; 8] = [
    "config.json",
    "tokenizer.json",
    "tokenizer.model",
    "tokenizer_config.json",
    "generation_config.json",
    "special_tokens_map.json",
    "chat_template.jinja",
    "model.safetensors.index.json",
];

/// The files to take out of `names`: the named one, or a configuration, a tokenizer and weights.
///
/// Weights are one `model.safetensors`, or all of `model-00001-of-0000N.safetensors`; where there
/// are none, a single GGUF file will do. Pickles are never taken.
///
/// # Errors
/// When something is missing, several GGUF files could be meant, or there are only pickles.
pub(crate) fn select(origin: &str, names: &[&str], file: Option<&str>) -> Result<Vec<String>> {
    let origin = origin.to_owned();
    if let Some(file) = file {
        return select_named(origin, names, file);
    }
    let weights = weights(names);
    if weights.is_empty() {
        return select_gguf(origin, names);
    }
    let has = |name| names.contains(&name);
    if !has("config.json") {
        return Err(Error::Incomplete { origin, missing: "`config.json`" });
    }
    if !has("tokenizer.json") && !has("tokenizer.model") {
        return Err(Error::Incomplete { origin, missing: "`tokenizer.json`" });
    }
    let small = SMALL.iter().filter(|name| names.contains(*name));
    Ok(small.chain(&weights).map(|&name| name.to_owned()).collect())
}

fn select_named(origin: String, names: &[&str], file: &str) -> Result<Vec<String>> {
    if is_pickle(file) {
        return Err(Error::Pickle { origin, file: file.to_owned() });
    }
    if !is_gguf(file) || !is_inside(file) {
        let reason = "only a GGUF file can be named on its own";
        return Err(Error::BadReference { typed: format!("{origin}:{file}"), reason });
    }
    if !names.contains(&file) {
        return Err(Error::NotFound { what: format!("file `{file}` in `{origin}`") });
    }
    Ok(vec![file.to_owned()])
}

fn select_gguf(origin: String, names: &[&str]) -> Result<Vec<String>> {
    let gguf: Vec<&str> = names.iter().copied().filter(|name| is_gguf(name) && is_inside(name)).collect();
    match (gguf.as_slice(), names.iter().find(|name| is_pickle(name))) {
        ([one], _) => Ok(vec![(*one).to_owned()]),
        ([], Some(pickle)) => Err(Error::Pickle { origin, file: (*pickle).to_owned() }),
        ([], None) => Err(Error::Incomplete { origin, missing: "weights in safetensors or GGUF" }),
        (several, _) => {
            let files = several.iter().map(|&name| name.to_owned()).collect();
            Err(Error::Ambiguous { origin, files })
        }
    }
}

/// The weight files, or none where a shard is missing.
fn weights<'a>(names: &[&'a str]) -> Vec<&'a str> {
    if let Some(one) = names.iter().find(|name| **name == "model.safetensors") {
        return vec![one];
    }
    let mut shards: Vec<_> = names.iter().filter_map(|name| Some((shard(name)?, *name))).collect();
    shards.sort_unstable();
    let Some(&((_, n_shards), _)) = shards.first() else { return Vec::new() };
    let whole = shards.len() as u64 == n_shards
        && shards.iter().zip(1..).all(|(&(place, _), idx)| place == (idx, n_shards));
    if whole { shards.into_iter().map(|(_, name)| name).collect() } else { Vec::new() }
}

/// Which shard of how many a name stands for.
fn shard(name: &str) -> Option<(u64, u64)> {
    let (idx, n) = name.strip_prefix("model-")?.strip_suffix(".safetensors")?.split_once("-of-")?;
    Some((idx.parse().ok()?, n.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(names: &[&str], file: Option<&str>, expected: std::result::Result<&[&str], &str>) {
        match (select("o/n", names, file), expected) {
            (Ok(found), Ok(expected)) => assert_eq!(found, expected),
            (Err(error), Err(expected)) => assert!(error.to_string().contains(expected), "{error}"),
            (found, _) => panic!("{names:?}: {found:?}, expected {expected:?}"),
        }
    }

    const ROOT: [&str; 2] = ["config.json", "tokenizer.json"];

    #[test]
    fn a_folder_is_configuration_tokenizer_and_weights() {
        let names =
            ["README.md", "onnx/model.onnx", "model.safetensors", "tokenizer.json", "config.json", "a.bin"];
        check(&names, None, Ok(&["config.json", "tokenizer.json", "model.safetensors"]));
        check(&["config.json", "model.safetensors"], None, Err("no `tokenizer.json`"));
        check(&["tokenizer.json", "model.safetensors"], None, Err("no `config.json`"));
    }

    #[test]
    fn shards_are_taken_all_or_not_at_all() {
        let (one, two) = ("model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors");
        check(&[two, ROOT[0], ROOT[1], one], None, Ok(&[ROOT[0], ROOT[1], one, two]));
        check(&[ROOT[0], ROOT[1], two], None, Err("no weights"));
        check(&[ROOT[0], ROOT[1], one, one], None, Err("no weights"));
        check(&[ROOT[0], ROOT[1], "model-1-of-99999999999999.safetensors"], None, Err("no weights"));
    }

    #[test]
    fn gguf_is_taken_when_it_is_the_only_one_or_named() {
        check(&["a.gguf", "README.md"], None, Ok(&["a.gguf"]));
        check(&["a.gguf", "b.gguf"], None, Err("several models: a.gguf, b.gguf"));
        check(&["a.gguf", "b.gguf"], Some("b.gguf"), Ok(&["b.gguf"]));
        check(&["a.gguf"], Some("c.gguf"), Err("no file `c.gguf`"));
        check(&["../a.gguf"], None, Err("no weights"));
        check(&["../a.gguf"], Some("../a.gguf"), Err("only a GGUF file"));
    }

    #[test]
    fn pickles_are_refused_by_name() {
        check(&["config.json", "pytorch_model.bin"], None, Err("`pytorch_model.bin` of `o/n` is a pickle"));
        check(&["x.PT"], Some("x.PT"), Err("is a pickle"));
        check(&["x.txt"], Some("x.txt"), Err("only a GGUF file"));
        check(&[], None, Err("no weights"));
    }
}
