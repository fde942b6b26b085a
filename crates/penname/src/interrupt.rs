//! Ctrl-C: the first asks the work to stop at the next good place, the second ends it.

use std::sync::atomic::{AtomicBool, Ordering};

use penname_ledger::{Event, Witness};

use crate::failure;
use crate::screen::Screen;

static STOP: AtomicBool = AtomicBool::new(false);

/// Whether somebody asked the work to stop.
pub(crate) fn stop() -> &'static AtomicBool {
    &STOP
}

/// Listens for Ctrl-C and for the system's own wish to end the process, from now on.
pub(crate) fn listen(screen: &Screen) {
    let heard = ctrlc::set_handler(|| {
        if STOP.swap(true, Ordering::SeqCst) {
            failure::end_at_once();
        }
        crate::screen::aside("stopping at the next good place; press Ctrl-C again to end at once");
    });
    if heard.is_err() {
        screen.see(&Event::warning("Ctrl-C cannot be heard here: it will end the work at once", ""));
    }
}
