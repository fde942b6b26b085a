//! How long it takes from a key to the next example.

use penname_ledger::write;
use serde_json::Value;

use super::super::{Inputs, Verdict};
use super::browser::{self, Browser};
use super::{LAPTOP, Page, begun, fresh, pair};

/// Keys pressed for the times.
const N_KEYS: usize = 120;
/// Notes the milliseconds from each key to the frame that shows another example.
const WATCH: &str = "(() => { window.painted = []; const example = document.getElementById('example'); \
    addEventListener('keydown', (event) => { const before = example.dataset.n; \
    const observer = new MutationObserver(() => { if (example.dataset.n === before) return; observer.disconnect(); \
    requestAnimationFrame(() => { const channel = new MessageChannel(); \
    channel.port1.onmessage = () => window.painted.push(performance.now() - event.timeStamp); \
    channel.port2.postMessage(0); }); }); \
    observer.observe(example, { attributes: true, attributeFilter: ['data-n'] }); }, true); })()";

/// A thousand examples, and twenty thousand: how long it takes from a key to the next example.
pub(in super::super) fn fluid(inputs: &Inputs) -> Verdict {
    let chromium = browser::find()?;
    let mut told = Vec::new();
    for n in [1_000, 20_000] {
        let folder = fresh(&format!("fluid-{n}"))?;
        let project = begun(inputs, &folder)?;
        let answer = |n: usize| {
            let sentence = |k: usize| {
                format!(
                    "Kettle {} of house {} sings in the key of {}. ",
                    n * 7 + k,
                    (n * 31 + k) % 997,
                    (n + k * k) % 113
                )
            };
            (0..8 + n % 40).map(sentence).collect::<String>()
        };
        let rows: String =
            (0..n).map(|n| pair(&format!("What of kettle {n} in street {}?", n % 71), &answer(n))).collect();
        write::bytes(&project.join("writing/kettles.jsonl"), rows.as_bytes())?;
        let page = Page::serve(inputs, &project, &["--which", "all"])?;
        let mut browser = Browser::start(&chromium, &folder.join("browser"), LAPTOP)?;
        browser.open(&page.address)?;
        browser.wait("!!document.getElementById('example')?.dataset.n")?;
        let first = browser.value("performance.now()")?;
        browser.value(WATCH)?;
        for step in 0..N_KEYS {
            browser.press(if step % 3 == 2 { "s" } else { "k" }, false)?;
            browser.wait(&format!("window.painted.length === {}", step + 1))?;
        }
        let times = browser.value("window.painted.sort((a, b) => a - b)")?;
        let times: Vec<f64> = times.as_array().into_iter().flatten().filter_map(Value::as_f64).collect();
        let (middle, late) = (times[times.len() / 2], times[times.len() * 19 / 20]);
        drop(browser);
        page.stop()?;
        write::remove_folder(&folder)?;
        let first = first.as_f64().unwrap_or(f64::NAN);
        told.push(format!(
            "{n} examples: {middle:.0} ms from key to paint, 95 % within {late:.0} ms, first shown within {first:.0} ms"
        ));
        // A frame is 17 ms; a tenth of a second is where a delay begins to be felt.
        if middle > 100.0 {
            return Err(told.join("; ").into());
        }
    }
    Ok(told.join("; "))
}
