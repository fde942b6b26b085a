//! `penname show base`: the model everything begins with.

use serde_json::json;

use crate::base::Base;
use crate::desk::Desk;
use crate::failure::Failure;
use crate::screen::{Align, Table, harmless, number};

/// Shows the base model, fetching it where it is not on this machine yet.
///
/// # Errors
/// When it cannot be had.
pub(super) fn run(desk: &Desk) -> Result<(), Failure> {
    let base = Base::open(desk, &desk.settings()?)?;
    let n_parameters = base.n_parameters()?;
    let (config, pulled, tokenizer) = (&base.config, &base.pulled, base.renderer.tokenizer());
    let value = json!({
        "origin": pulled.origin,
        "revision": pulled.revision,
        "path": pulled.path,
        "sha256": pulled.sha256s,
        "model_type": config.model_type,
        "parameters": n_parameters,
        "layers": config.n_layers,
        "width": config.width,
        "heads": config.n_heads,
        "kv_heads": config.n_kv_heads,
        "vocabulary": config.vocab_size,
        "context": config.context,
        "tokenizer": tokenizer.hash(),
    });
    desk.screen.result("base", &value, || {
        let rows = [
            ("from", pulled.origin.clone()),
            ("revision", pulled.revision.clone()),
            ("at", pulled.path.display().to_string()),
            ("architecture", config.model_type.clone()),
            ("parameters", number::count(n_parameters)),
            ("layers", config.n_layers.to_string()),
            ("width", config.width.to_string()),
            ("heads", format!("{} for queries, {} for keys and values", config.n_heads, config.n_kv_heads)),
            ("vocabulary", number::count(config.vocab_size as u64)),
            ("context", format!("{} tokens", number::count(config.context as u64))),
            ("tokenizer", tokenizer.hash().key12()),
        ];
        let mut table = Table::new(&[("", Align::Left), ("", Align::Left)]);
        let known = rows.into_iter().filter(|(_, value)| !value.is_empty());
        known.for_each(|(what, value)| table.row([what.to_owned(), harmless(&value)]));
        table.to_string()
    });
    Ok(())
}
