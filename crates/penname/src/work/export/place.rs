//! Whether an export may be put at a path: what is there already, and whose it is.

use std::fs;
use std::path::Path;

use penname_ledger::Manifest;
use penname_ledger::manifest::{self, Found, Order};

use crate::failure::{Failure, Kind};

/// What a path holds, seen from an order.
#[derive(Debug)]
pub(crate) enum Place {
    /// This very export.
    Done(Box<Manifest>),
    /// Nothing, or an earlier export that may go.
    Free,
}

/// Looks.
///
/// # Errors
/// When something lies there that no export made.
pub(crate) fn look(dir: &Path, order: &Order) -> Result<Place, Failure> {
    if fs::symlink_metadata(dir).is_err() {
        return Ok(Place::Free);
    }
    let taken = |what: String| {
        let message = format!("`{}` {what}", dir.display());
        Failure::new(Kind::Usage, message)
            .hint("name another folder with `--to`, or move what is there out of the way")
    };
    if !dir.is_dir() {
        return Err(taken("is not a folder".to_owned()));
    }
    let names = names(dir).map_err(|error| taken(format!("cannot be read: {error}")))?;
    if names.is_empty() {
        return Ok(Place::Free);
    }
    let ours = match Manifest::find(dir, &order.key()) {
        Found::Done(manifest) if manifest.order.stage == order.stage => return Ok(Place::Done(manifest)),
        Found::Done(manifest) | Found::Other(manifest) if manifest.order.stage == order.stage => manifest,
        Found::Broken(why) => return Err(taken(format!("holds something that was changed: {why}"))),
        _ => return Err(taken("holds something that was not exported by penname".to_owned())),
    };
    let known = |name: &String| name == manifest::FILE || ours.outputs.contains_key(name);
    match names.iter().find(|name| !known(name)) {
        Some(stranger) => Err(taken(format!("holds `{stranger}`, which was not exported by penname"))),
        None => Ok(Place::Free),
    }
}

fn names(dir: &Path) -> std::io::Result<Vec<String>> {
    fs::read_dir(dir)?.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use penname_ledger::write;

    fn order(format: &str) -> Order {
        Order { settings: serde_json::json!({ "format": format }), ..Order::new("export", "0") }
    }

    #[test]
    fn only_what_was_exported_may_be_replaced() {
        let dir = tempfile::tempdir().unwrap();
        let dir = dir.path();
        let told = |order: &Order| match look(dir, order) {
            Ok(Place::Done(_)) => "done".to_owned(),
            Ok(Place::Free) => "free".to_owned(),
            Err(failure) => failure.report().message,
        };
        assert_eq!(told(&order("a")), "free");
        write::bytes(&dir.join("model.gguf"), b"mine").unwrap();
        assert!(told(&order("a")).ends_with("was not exported by penname"), "{}", told(&order("a")));
        Manifest::new(order("a")).finish(dir, &["model.gguf"]).unwrap();
        assert_eq!(told(&order("a")), "done");
        assert_eq!(told(&order("b")), "free");
        write::bytes(&dir.join("notes.txt"), b"mine").unwrap();
        assert!(told(&order("b")).contains("holds `notes.txt`"), "{}", told(&order("b")));
        write::bytes(&dir.join("model.gguf"), b"changed").unwrap();
        assert!(told(&order("a")).contains("was changed"), "{}", told(&order("a")));
    }
}
