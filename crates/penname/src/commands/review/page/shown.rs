//! One example as the page shows it: its turns, and everything that is known of it.

use penname_corpus::document::{Document, Fate};
use penname_corpus::review::{Decision, Item, Standing, Verdict, risk, select};
use penname_token::Message;
use serde_json::{Value, json};

use super::Room;

/// Characters of a turn that are shown at first: some pages. The rest is there when asked for.
const SCREEN: usize = 20_000;

/// How much of long texts is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Length {
    /// What somebody reads at first.
    Screen,
    /// All of it.
    Whole,
}

impl Room<'_> {
    /// The example `n`, if there is one.
    pub(super) fn shown(&self, n: usize, length: Length) -> Option<Value> {
        let item = self.catalogue.items().get(n)?;
        let record = self.record();
        let (review, reviewer) = (record.review(), record.reviewer());
        let standing = self.catalogue.standing(n, review, reviewer);
        let messages = standing.messages(&item.example);
        let decision = match standing {
            Standing::Open => None,
            Standing::Stale(decision) | Standing::Decided(decision) => Some(decision),
        };
        // What others decided is not told before one has decided oneself: agreement would mean nothing.
        let is_told = reviewer.is_none() || matches!(standing, Standing::Decided(_));
        let others = if is_told { review.others(&item.example.id, reviewer) } else { Vec::new() };
        let mut shown = self.about(n, item);
        let more = json!({
            "revision": review.revision(&item.example.id),
            "state": select::state(standing),
            "decision": decision.map(told),
            "others": others.into_iter().filter(|other| other.reviewer.is_some()).map(told).collect::<Vec<_>>(),
            "messages": messages.iter().map(|message| self.turn(message, length)).collect::<Vec<_>>(),
        });
        if let (Value::Object(shown), Value::Object(more)) = (&mut shown, more) {
            shown.extend(more);
        }
        Some(shown)
    }

    /// What is known of the example, whatever was decided.
    fn about(&self, n: usize, item: &Item<'_>) -> Value {
        let (document, example) = (item.document, &item.example);
        let learned = example.learned().join("\n");
        let signs: Vec<&str> = risk::signs(document, example).iter().map(|sign| sign.name).collect();
        let issues = self.issues.get(document.path.as_str());
        json!({
            "n": n,
            "id": example.id,
            "place": item.place,
            "path": document.path,
            "position": document.position,
            "title": document.title.as_ref().map(|title| &title.text),
            "kind": document.kind,
            "source": document.source,
            "held_out": document.fate == Fate::HeldOut,
            "date": document.date,
            "rights": document.rights,
            "encoding": document.encoding,
            "reception": document.reception,
            "provenance": document.provenance,
            "url": link(document),
            "thread": document.thread,
            "marks": document.flags,
            "signs": signs,
            "risk": self.catalogue.sheets().get(n).map(|sheet| sheet.risk),
            "scores": self.judge.scores(&learned),
            "issues": issues,
            "learned": { "chars": learned.chars().count(), "words": learned.split_whitespace().count() },
            "document": { "chars": document.chars(), "given": document.given },
        })
    }

    fn turn(&self, message: &Message, length: Length) -> Value {
        let end = match length {
            Length::Whole => None,
            Length::Screen => message.content.char_indices().nth(SCREEN).map(|(at, _)| at),
        };
        let text = end.map_or(message.content.as_str(), |end| &message.content[..end]);
        json!({
            "role": message.role,
            "trained": message.is_trained(),
            "persona": self.settings.persona.as_deref() == Some(message.content.as_str()),
            "text": text,
            "left": message.content[text.len()..].chars().count(),
        })
    }
}

/// Where it can be seen, if that is an address of the web. A text may call itself anything, and a page
/// would run a `javascript:` that somebody clicks.
fn link(document: &Document) -> Option<&str> {
    let url = document.provenance.url.as_deref()?;
    let is_web = ["https://", "http://"]
        .iter()
        .any(|scheme| url.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme)));
    (is_web && !url.contains(|c: char| c.is_whitespace() || c.is_control())).then_some(url)
}

fn told(decision: &Decision) -> Value {
    let verdict = match decision.verdict {
        Verdict::Keep => "kept",
        Verdict::Drop => "dropped",
        Verdict::Edit { .. } => "edited",
        Verdict::Undo => "undone",
    };
    json!({
        "verdict": verdict,
        "flags": decision.flags,
        "by": decision.reviewer,
        "at": decision.at,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use penname_corpus::document::{Body, Kind};

    #[test]
    fn only_addresses_of_the_web_are_links() {
        let check = |url: &str, expected: bool| {
            let mut document = Document::new("p", 0, Kind::Text, None, Body::Text("x".into()));
            document.provenance.url = Some(url.to_owned());
            assert_eq!(link(&document).is_some(), expected, "{url}");
        };
        check("https://example.org/a?b=c", true);
        check("HTTP://example.org", true);
        for url in
            ["javascript:alert(1)", "data:text/html,x", " https://x", "https://x\ny", "file:///etc", "é"]
        {
            check(url, false);
        }
    }
}
