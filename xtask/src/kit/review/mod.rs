//! The review page in a real browser, without a window: fifty examples decided by keyboard, the record
//! held against what was pressed; [`mod@fluid`] has the time from a key to what is seen.

mod browser;
mod fluid;

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use penname_ledger::{Stopwatch, write};
use serde_json::{Value, json};

use super::{Inputs, Verdict};
use crate::{Result, root, shell};
use browser::Browser;
pub(super) use fluid::fluid;

/// Examples decided by keyboard.
const N_DECIDED: usize = 50;
/// What is typed into a text that is changed.
const TYPED: &str = "Mind the step. ";
const LAPTOP: (u32, u32) = (1280, 860);
const TELEPHONE: (u32, u32) = (390, 844);

/// Characters of a text that is far too long.
const LONG: usize = 1 << 20;

/// What a text may hold that is meant to harm whoever reads it.
const HOSTILE: &str = "<script>window.owned = true</script><img src=x onerror='window.owned=true'> \
     \u{202e}daer eb ot ton si siht\u{202c} & so <b>on</b>, says the kettle.";

/// The program that serves the page.
struct Page {
    child: Child,
    address: String,
}

impl Page {
    fn serve(inputs: &Inputs, project: &Path, more: &[&str]) -> Result<Self> {
        let mut command = inputs.program(project, &[&["review"], more].concat())?;
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
        let mut address = String::new();
        let out = child.stdout.as_mut().ok_or("the program has no pipe")?;
        BufReader::new(out).read_line(&mut address)?;
        Ok(Self { child, address: address.trim().to_owned() })
    }

    /// Presses Ctrl-C, and insists that it ends well.
    fn stop(mut self) -> Result<()> {
        shell::run(Command::new("kill").args(["-INT", &self.child.id().to_string()]))?;
        let status = self.child.wait()?;
        if status.success() { Ok(()) } else { Err(format!("Ctrl-C ended it with {status}").into()) }
    }
}

impl Drop for Page {
    fn drop(&mut self) {
        // It has ended already, unless something failed before.
        let _gone = self.child.kill();
        let _gone = self.child.wait();
    }
}

/// The invented letters and a hostile one, reviewed with a keyboard.
pub(super) fn driven(inputs: &Inputs) -> Verdict {
    let chromium = browser::find()?;
    let folder = fresh("driven")?;
    let pictures = fresh("pictures")?;
    let project = begun(inputs, &folder)?;
    for entry in fs::read_dir(root().join("examples/letters"))? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "txt") {
            let name = path.file_name().ok_or("a file without a name")?;
            write::bytes(&project.join("writing").join(name), &fs::read(&path)?)?;
        }
    }
    let hostile = pair("Is this to be trusted, or is it not?", HOSTILE);
    write::bytes(&project.join("writing/zz-hostile.jsonl"), hostile.as_bytes())?;
    let long: String = (0..LONG / 24).map(|n| format!("Kettle {n:06} sings on. \n")).collect();
    let long = pair("Would you say all of it?", &long);
    write::bytes(&project.join("writing/zz-long.jsonl"), long.as_bytes())?;
    let page = Page::serve(inputs, &project, &["--by", "kit"])?;
    let mut browser = Browser::start(&chromium, &folder.join("browser"), LAPTOP)?;
    browser.open(&page.address)?;
    browser.wait("!!document.getElementById('example')?.dataset.n")?;
    browser.picture(&pictures.join("1-light.png"))?;
    let (expected, n_lines) = decided(&mut browser)?;
    let rows = recorded(&project, n_lines)?;
    held_against(&mut browser, &expected, &rows)?;
    let n_rows = two_tabs(&mut browser, &page.address, &project, n_lines)?;
    looked_at(&mut browser, &pictures)?;
    let complaints = browser.complaints(&page.address);
    if !complaints.is_empty() {
        return Err(complaints.join("; ").into());
    }
    drop(browser);
    page.stop()?;
    let n_learned = applied(inputs, &project, &expected)?;
    Ok(format!(
        "{N_DECIDED} examples by keyboard are {n_rows} lines of the record; preparing learns {n_learned} of them; \
         two tabs overwrite nothing; pictures are in {}",
        pictures.strip_prefix(root()).unwrap_or(&pictures).display()
    ))
}

/// Decides about fifty examples; hands back what should count, and how many lines that makes.
fn decided(browser: &mut Browser) -> Result<(BTreeMap<u64, &'static str>, usize)> {
    let mut expected = BTreeMap::new();
    let mut n_lines = 0;
    for step in 0..N_DECIDED {
        let n = browser.value("Number(document.getElementById('example').dataset.n)")?;
        let n = n.as_u64().ok_or("no example is shown")?;
        let keys: &[&str] = match step % 10 {
            3 => &["5", "d"],
            5 => &["e"],
            7 => &["k", "u"],
            9 => &["s", "b", "y"],
            _ => &["k"],
        };
        for key in keys {
            browser.press(key, false)?;
            if matches!(*key, "s" | "b") {
                browser.wait(&format!(
                    "(document.getElementById('example').dataset.n == {n}) == {}",
                    *key == "b"
                ))?;
            }
        }
        n_lines += 1;
        let verdict = match step % 10 {
            3 => "drop",
            5 => {
                browser.wait("document.activeElement?.tagName === 'TEXTAREA'")?;
                browser.type_text(TYPED)?;
                browser.press("Enter", true)?;
                "edit"
            }
            7 => {
                let open = format!(
                    "document.getElementById('example').dataset.n == {n} && document.getElementById('state').dataset.is === 'undecided'"
                );
                browser.wait(&open)?;
                browser.press("d", false)?;
                n_lines += 2;
                "drop"
            }
            _ => "keep",
        };
        browser.wait(&format!("document.getElementById('example').dataset.n != {n}"))?;
        expected.insert(n, verdict);
    }
    Ok((expected, n_lines))
}

/// The lines of the record, once there are so many.
fn recorded(project: &Path, n_lines: usize) -> Result<Vec<Value>> {
    let path = project.join("review/decisions.jsonl");
    let watch = Stopwatch::start();
    loop {
        let text = fs::read_to_string(&path)?;
        if text.lines().count() >= n_lines || watch.seconds() > 20.0 {
            let rows: Vec<Value> =
                text.lines().map(serde_json::from_str).collect::<std::result::Result<_, _>>()?;
            return match rows.len() == n_lines {
                true => Ok(rows),
                false => Err(format!("the record has {} lines, expected {n_lines}", rows.len()).into()),
            };
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// What counts by the record is what was pressed, and everything is the reviewer's.
fn held_against(browser: &mut Browser, expected: &BTreeMap<u64, &str>, rows: &[Value]) -> Result<()> {
    let mut counts: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for row in rows {
        let (Some(id), Some(verdict)) = (row["example"].as_str(), row["verdict"].as_str()) else {
            return Err(format!("a line of the record says {row}").into());
        };
        let own = counts.entry(id).or_default();
        match verdict {
            "undo" => drop(own.pop()),
            verdict => own.push(verdict),
        }
        if row["reviewer"] != "kit" {
            return Err(format!("a line of the record is nobody's: {row}").into());
        }
    }
    for (n, verdict) in expected {
        let id = browser.value(&format!("fetch('item?n={n}').then((a) => a.json()).then((it) => it.id)"))?;
        let id = id.as_str().ok_or("an example without a hash")?;
        if counts.get(id).and_then(|own| own.last()) != Some(verdict) {
            return Err(
                format!("example {n} was to be {verdict}, the record has {:?}", counts.get(id)).into()
            );
        }
    }
    let n_ticked = rows.iter().filter(|row| row["flags"] == json!(["toxic"])).count();
    match n_ticked == N_DECIDED / 10 {
        true => Ok(()),
        false => Err(format!("{n_ticked} decisions have the flag that was ticked").into()),
    }
}

/// A second tab decides about what the first has decided meanwhile: it is told, and nothing is written.
fn two_tabs(browser: &mut Browser, address: &str, project: &Path, n_lines: usize) -> Result<usize> {
    let first = browser.tab()?;
    browser.resize(LAPTOP, "light")?;
    browser.open(address)?;
    browser.wait("!!document.getElementById('example')?.dataset.n")?;
    let n = browser.value("document.getElementById('example').dataset.n")?;
    let second = browser.turn_to(first)?;
    browser.wait(&format!("document.getElementById('example').dataset.n === {n}"))?;
    browser.press("k", false)?;
    browser.wait(&format!("document.getElementById('example').dataset.n !== {n}"))?;
    recorded(project, n_lines + 1)?;
    let first = browser.turn_to(second)?;
    browser.press("d", false)?;
    browser.wait("document.getElementById('note').textContent.includes('kept elsewhere')")?;
    browser.wait(&format!("document.getElementById('example').dataset.n === {n}"))?;
    browser.turn_to(first)?;
    Ok(recorded(project, n_lines + 1)?.len())
}

/// Pictures of everything a person may see, and that a hostile text is a text.
fn looked_at(browser: &mut Browser, pictures: &Path) -> Result<()> {
    let picture = |browser: &mut Browser, name: &str| browser.picture(&pictures.join(name));
    let n = browser.value("document.getElementById('example').dataset.n")?;
    browser.click("#next")?;
    browser.wait(&format!("document.getElementById('example').dataset.n !== {n}"))?;
    browser.click("#back")?;
    browser.wait(&format!("document.getElementById('example').dataset.n === {n}"))?;
    browser.press("r", false)?;
    browser.wait("!!document.querySelector('#turns h2 b + b, #turns del, #turns ins')")?;
    picture(browser, "2-compared.png")?;
    browser.press("r", false)?;
    browser.press("e", false)?;
    browser.wait("document.activeElement?.tagName === 'TEXTAREA'")?;
    picture(browser, "3-editing.png")?;
    browser.press("Escape", false)?;
    browser.press("?", false)?;
    browser.wait("document.getElementById('keys').open")?;
    picture(browser, "4-keys.png")?;
    browser.press("Escape", false)?;
    browser.wait("!document.getElementById('keys').open")?;
    browser.press("/", false)?;
    browser.wait("document.activeElement?.id === 'f-text'")?;
    browser.type_text("window.owned")?;
    browser.press("Enter", false)?;
    let found =
        "document.getElementById('turns').textContent.includes('<script>window.owned = true</script>')";
    browser.wait(found)?;
    browser.wait(
        "document.querySelectorAll('#turns script, #turns img').length === 0 && window.owned === undefined && \
         document.querySelector('#turns .odd').textContent === 'U+202E'",
    )?;
    picture(browser, "5-hostile-filtered.png")?;
    browser.resize(LAPTOP, "dark")?;
    picture(browser, "6-dark.png")?;
    browser.resize(TELEPHONE, "light")?;
    picture(browser, "7-narrow.png")?;
    let is_wide = browser.value("document.documentElement.scrollWidth > innerWidth")?;
    if is_wide == true {
        return Err("the page is wider than a telephone".into());
    }
    browser.resize(LAPTOP, "light")?;
    whole_text(browser)
}

/// A text of a million characters is shown in part, and all of it when asked for.
fn whole_text(browser: &mut Browser) -> Result<()> {
    browser.value("(() => { document.getElementById('reset').click(); })()")?;
    browser.press("/", false)?;
    browser.wait("document.activeElement?.id === 'f-text'")?;
    browser.type_text("Kettle 000007 sings")?;
    browser.press("Enter", false)?;
    browser.wait("document.getElementById('turns').textContent.includes('Kettle 000007 sings')")?;
    let shown = "[...document.querySelectorAll('#turns .said')].at(-1).textContent.length";
    let part = browser.value(shown)?.as_u64().unwrap_or(0);
    browser.press("w", false)?;
    browser.wait(&format!("{shown} > {LONG} / 2"))?;
    match part {
        1..=30_000 => Ok(()),
        _ => Err(format!("{part} characters of a long text are shown at first").into()),
    }
}

/// Prepares again: what was dropped is not learned, and what was changed is learned so.
fn applied(inputs: &Inputs, project: &Path, expected: &BTreeMap<u64, &str>) -> Result<usize> {
    let learned = |folder: &Path| -> Result<Vec<Value>> {
        let mut rows = Vec::new();
        for name in ["train.jsonl", "held_out.jsonl"] {
            for line in fs::read_to_string(folder.join("data/corpus").join(name))?.lines() {
                rows.push(serde_json::from_str(line)?);
            }
        }
        Ok(rows)
    };
    let before = learned(project)?.len();
    shell::capture(&mut inputs.program(project, &["prepare", "--quiet"])?)?;
    let after = learned(project)?;
    let n_of = |wanted: &str| expected.values().filter(|verdict| **verdict == wanted).count();
    if before - after.len() != n_of("drop") {
        return Err(
            format!("{before} examples were there, {} are, {} dropped", after.len(), n_of("drop")).into()
        );
    }
    let says = |row: &&Value| row["messages"].to_string().contains(TYPED.trim());
    let n_changed = after.iter().filter(says).count();
    match n_changed == n_of("edit") {
        true => Ok(N_DECIDED - n_of("drop")),
        false => {
            Err(format!("{n_changed} examples have the words that were typed, not {}", n_of("edit")).into())
        }
    }
}

fn fresh(name: &str) -> Result<PathBuf> {
    let folder = root().join("target/kit/review").join(name);
    if folder.exists() {
        write::remove_folder(&folder)?;
    }
    write::folder(&folder)?;
    Ok(folder)
}

fn begun(inputs: &Inputs, folder: &Path) -> Result<PathBuf> {
    shell::capture(&mut inputs.program(folder, &["new", "kettles", "--quiet"])?)?;
    let project = folder.join("kettles");
    // Marks that turn the direction of text are cut by default, and are to be seen here.
    let settings = "corpus: {dedupe: {near: false}, clean: {disable: [\"invisible characters\"]}}\n";
    write::bytes(&project.join("penname.yaml"), settings.as_bytes())?;
    Ok(project)
}

/// A line of JSON with a question and an answer.
fn pair(question: &str, answer: &str) -> String {
    let messages =
        json!([{ "role": "user", "content": question }, { "role": "assistant", "content": answer.trim() }]);
    json!({ "messages": messages }).to_string() + "\n"
}
