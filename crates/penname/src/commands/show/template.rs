//! `penname show template`: how conversations are written for this model.

use serde_json::json;

use crate::base::Base;
use crate::desk::Desk;
use crate::failure::Failure;
use crate::screen::harmless;

/// Shows the template in use.
///
/// # Errors
/// When the base model cannot be had.
pub(super) fn run(desk: &Desk) -> Result<(), Failure> {
    let base = Base::open(desk, &desk.settings()?)?;
    let source = base.renderer.template().source();
    let end = |id: &u32| (*id, base.renderer.tokenizer().token_text(Some(*id)));
    let ends: Vec<(u32, String)> = base.stop_ids().iter().map(end).collect();
    let value = json!({ "template": base.template, "source": source, "ends": ends });
    desk.screen.result("template", &value, || {
        let (what, value, reason) = (&base.template.what, &base.template.value, &base.template.reason);
        let ends: Vec<String> = ends.iter().map(|(id, text)| format!("{} ({id})", harmless(text))).collect();
        let head = format!("{what}: {}, because {reason}", harmless(value));
        format!("{head}\na reply ends at: {}\n\n{}", ends.join(", "), harmless(source))
    });
    Ok(())
}
