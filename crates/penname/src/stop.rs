//! Ctrl-C: the first one asks the work to stop at the next good place, the second ends it.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::{failure, screen};

static STOP: AtomicBool = AtomicBool::new(false);
static LISTENING: OnceLock<()> = OnceLock::new();

/// The flag that Ctrl-C, or the system's own wish to end the process, sets. Listening begins with
/// the first call: until then, and so in every command that looks at no flag, Ctrl-C ends the
/// process as it always does.
pub(crate) fn flag() -> &'static AtomicBool {
    LISTENING.get_or_init(|| {
        // Where no listener can be set up, Ctrl-C keeps its usual meaning.
        let _unheard = ctrlc::set_handler(pressed);
    });
    &STOP
}

fn pressed() {
    if STOP.swap(true, Ordering::SeqCst) {
        failure::end_at_once();
    }
    screen::aside("\nstopping at the next good place; press Ctrl-C again to end at once");
}
