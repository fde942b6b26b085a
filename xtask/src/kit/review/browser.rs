//! A browser without a window, asked over two pipes.
//!
//! Chromium speaks its DevTools protocol over the descriptors 3 and 4 as well as over a socket: JSON with a
//! zero byte behind each message. A shell puts our pipes there, so that no socket has to be opened and no
//! library is needed. `timeout` ends a browser that hangs, and with it every wait for it.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use penname_ledger::write;
use serde_json::{Value, json};

use super::super::Stop;
use crate::Result;

/// Names under which it is installed.
const NAMES: &[&str] = &["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];
/// Seconds after which a browser is ended.
const LIMIT_S: &str = "900";
/// How often something is looked for before it is missing, and how long is waited each time.
const TRIES: usize = 1500;
const PAUSE: Duration = Duration::from_millis(20);

/// A browser with one tab.
pub(super) struct Browser {
    child: Child,
    to: ChildStdin,
    from: BufReader<ChildStdout>,
    n_calls: u64,
    session: String,
    /// What it told without being asked.
    events: Vec<Value>,
}

/// Where a browser is, if there is one.
pub(super) fn find() -> std::result::Result<PathBuf, Stop> {
    let dirs = ["/usr/bin", "/usr/local/bin", "/snap/bin", "/opt/google/chrome"];
    let paths = dirs.iter().flat_map(|dir| NAMES.iter().map(move |name| Path::new(dir).join(name)));
    let found = paths.into_iter().find(|path| path.exists());
    found.ok_or_else(|| Stop::Skipped(format!("there is no {}", NAMES.join(", "))))
}

impl Browser {
    /// Starts one whose files lie in a folder, with a tab of a size in pixels.
    pub(super) fn start(program: &Path, folder: &Path, size: (u32, u32)) -> Result<Self> {
        write::folder(folder)?;
        let script = "exec timeout \"$0\" \"$@\" 3<&0 4>&1 0</dev/null 1>/dev/null 2>/dev/null";
        let mut child = Command::new("sh")
            .args(["-c", script, LIMIT_S])
            .arg(program)
            .args(["--headless=new", "--no-sandbox", "--disable-gpu", "--remote-debugging-pipe"])
            .args(["--no-first-run", "--disable-background-networking", "--disable-component-update"])
            .args(["--disable-sync", "--hide-scrollbars", "--force-color-profile=srgb"])
            // Whatever asks for a name of the web gets none.
            .arg("--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1")
            .arg(format!("--user-data-dir={}", folder.display()))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let to = child.stdin.take().ok_or("the browser has no pipe to it")?;
        let from = BufReader::new(child.stdout.take().ok_or("the browser has no pipe from it")?);
        let mut browser = Self { child, to, from, n_calls: 0, session: String::new(), events: Vec::new() };
        browser.tab()?;
        browser.resize(size, "light")?;
        Ok(browser)
    }

    /// Opens another tab, which is asked from now on; hands back the one before.
    pub(super) fn tab(&mut self) -> Result<String> {
        let before = std::mem::take(&mut self.session);
        let target = self.call("Target.createTarget", &json!({ "url": "about:blank" }))?;
        let attach = json!({ "targetId": target["targetId"], "flatten": true });
        let session = self.call("Target.attachToTarget", &attach)?;
        self.session = session["sessionId"].as_str().ok_or("a tab without a session")?.to_owned();
        for domain in ["Page", "Runtime", "Network", "Log"] {
            self.call(&format!("{domain}.enable"), &json!({}))?;
        }
        Ok(before)
    }

    /// Goes to a tab; hands back the one before.
    pub(super) fn turn_to(&mut self, session: String) -> Result<String> {
        let before = std::mem::replace(&mut self.session, session);
        self.call("Page.bringToFront", &json!({}))?;
        Ok(before)
    }

    /// Sets the size of the tab, and whether the person likes it `light` or `dark`.
    pub(super) fn resize(&mut self, (width, height): (u32, u32), scheme: &str) -> Result<()> {
        let metrics = json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": false });
        self.call("Emulation.setDeviceMetricsOverride", &metrics)?;
        let features = json!({ "features": [{ "name": "prefers-color-scheme", "value": scheme }] });
        self.call("Emulation.setEmulatedMedia", &features)?;
        Ok(())
    }

    /// Opens an address.
    pub(super) fn open(&mut self, address: &str) -> Result<()> {
        self.call("Page.navigate", &json!({ "url": address }))?;
        Ok(())
    }

    /// The value of an expression of the page.
    pub(super) fn value(&mut self, expression: &str) -> Result<Value> {
        let asked = json!({ "expression": expression, "returnByValue": true, "awaitPromise": true });
        let said = self.call("Runtime.evaluate", &asked)?;
        match said.get("exceptionDetails") {
            Some(details) => Err(format!("`{expression}`: {details}").into()),
            None => Ok(said["result"]["value"].clone()),
        }
    }

    /// Waits until an expression of the page is true.
    pub(super) fn wait(&mut self, expression: &str) -> Result<()> {
        for _ in 0..TRIES {
            if self.value(expression)? == true {
                return Ok(());
            }
            std::thread::sleep(PAUSE);
        }
        let shown = self.value("document.body.innerText.slice(0, 600)")?;
        Err(format!("`{expression}` never came true; the page says {shown}").into())
    }

    /// Presses a key, with Ctrl held or not, and lets it go.
    pub(super) fn press(&mut self, key: &str, with_ctrl: bool) -> Result<()> {
        let (code, number) = match key {
            "Enter" => ("Enter".to_owned(), 13),
            "Escape" => ("Escape".to_owned(), 27),
            "ArrowRight" => ("ArrowRight".to_owned(), 39),
            "ArrowLeft" => ("ArrowLeft".to_owned(), 37),
            _ => (
                format!("Key{}", key.to_uppercase()),
                key.bytes().next().map_or(0, |b| b.to_ascii_uppercase().into()),
            ),
        };
        let mut down = json!({
            "type": "keyDown", "key": key, "code": code, "windowsVirtualKeyCode": number,
            "modifiers": if with_ctrl { 2 } else { 0 },
        });
        if !with_ctrl && (key == "Enter" || key.chars().count() == 1) {
            down["text"] = Value::from(if key == "Enter" { "\r" } else { key });
        }
        self.call("Input.dispatchKeyEvent", &down)?;
        down["type"] = "keyUp".into();
        self.call("Input.dispatchKeyEvent", &down)?;
        Ok(())
    }

    /// Types a text where the focus is.
    pub(super) fn type_text(&mut self, text: &str) -> Result<()> {
        self.call("Input.insertText", &json!({ "text": text }))?;
        Ok(())
    }

    /// Clicks in the middle of what a selector finds.
    pub(super) fn click(&mut self, selector: &str) -> Result<()> {
        let find = format!(
            "(() => {{ const r = document.querySelector({selector:?}).getBoundingClientRect(); \
             return [r.x + r.width / 2, r.y + r.height / 2]; }})()"
        );
        let place = self.value(&find)?;
        for kind in ["mousePressed", "mouseReleased"] {
            let click =
                json!({ "type": kind, "x": place[0], "y": place[1], "button": "left", "clickCount": 1 });
            self.call("Input.dispatchMouseEvent", &click)?;
        }
        Ok(())
    }

    /// Writes a picture of what is seen.
    pub(super) fn picture(&mut self, path: &Path) -> Result<()> {
        let said = self.call("Page.captureScreenshot", &json!({ "format": "png" }))?;
        let bytes = BASE64_STANDARD.decode(said["data"].as_str().ok_or("a picture without data")?)?;
        Ok(write::bytes(path, &bytes)?)
    }

    /// What pages were asked for so far that does not begin with `inside`, and every complaint.
    pub(super) fn complaints(&mut self, inside: &str) -> Vec<String> {
        let told = |event: &Value| {
            let about = &event["params"];
            match event["method"].as_str()? {
                "Network.requestWillBeSent" => {
                    let url = about["request"]["url"].as_str()?;
                    let is_ours = url.starts_with(inside) || url.starts_with("data:") || url == "about:blank";
                    (!is_ours).then(|| format!("asked for {url}"))
                }
                "Runtime.exceptionThrown" => Some(about["exceptionDetails"].to_string()),
                // Conflicts are answers of ours, and told by the browser as errors.
                "Log.entryAdded" if about["entry"]["source"] != "network" => Some(about["entry"].to_string()),
                _ => None,
            }
        };
        self.events.iter().filter_map(told).collect()
    }

    /// Asks the browser, or its tab once there is one.
    fn call(&mut self, method: &str, params: &Value) -> Result<Value> {
        self.n_calls += 1;
        let id = self.n_calls;
        let mut message = json!({ "id": id, "method": method, "params": params });
        if !self.session.is_empty() {
            message["sessionId"] = Value::from(self.session.as_str());
        }
        self.to.write_all(format!("{message}\0").as_bytes())?;
        self.to.flush()?;
        loop {
            let mut said = Vec::new();
            self.from.read_until(0, &mut said)?;
            if said.pop().is_none() {
                return Err(format!("the browser ended during {method}").into());
            }
            let said: Value = serde_json::from_slice(&said)?;
            if said["id"] == id {
                return match said.get("error") {
                    Some(error) => Err(format!("{method}: {error}").into()),
                    None => Ok(said["result"].clone()),
                };
            }
            self.events.push(said);
        }
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // It ends itself when asked; `timeout` sees to it if it does not.
        self.session.clear();
        let _gone = self.call("Browser.close", &json!({}));
        let _gone = self.child.wait();
    }
}
