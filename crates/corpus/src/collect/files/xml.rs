//! XML as a stream of tags and words, for office files, feeds and the insides of books.
//!
//! Nothing is nested on the stack and no entity is defined by a document, so that no file costs more
//! than its length. What comes after an error is not read.

use quick_xml::Reader;
use quick_xml::events::Event as Raw;

use crate::clean::decode_entity;

/// What comes next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Event {
    /// An element begins. One that is empty ends at once.
    Start {
        /// Its name, prefix included.
        name: String,
        /// Its attributes as they stand.
        attributes: String,
    },
    /// An element ends.
    End(String),
    /// Words.
    Text(String),
}

/// Shows every event to `see`; returns what broke off the reading, if something did.
pub(super) fn walk(text: &str, mut see: impl FnMut(Event)) -> Result<(), String> {
    let mut reader = Reader::from_str(text);
    let config = reader.config_mut();
    config.check_end_names = false;
    config.allow_unmatched_ends = true;
    let mut n_open = 0usize;
    loop {
        match reader.read_event() {
            Ok(Raw::Start(tag)) => {
                n_open += 1;
                see(start(&tag));
            }
            Ok(Raw::Empty(tag)) => {
                let event = start(&tag);
                let Event::Start { name, .. } = &event else { continue };
                let end = Event::End(name.clone());
                see(event);
                see(end);
            }
            Ok(Raw::End(tag)) => {
                n_open = n_open.saturating_sub(1);
                see(Event::End(tag.trim().to_owned()));
            }
            Ok(Raw::Text(words)) => see(Event::Text(words.into_inner().into_owned())),
            Ok(Raw::CData(words)) => see(Event::Text(words.into_inner().into_owned())),
            Ok(Raw::GeneralRef(name)) => see(Event::Text(entity(&name))),
            Ok(Raw::Eof) if n_open > 0 => return Err(format!("it ends inside {n_open} open elements")),
            Ok(Raw::Eof) => return Ok(()),
            Ok(_) => {}
            Err(error) => return Err(error.to_string()),
        }
    }
}

fn start(tag: &str) -> Event {
    let (name, attributes) = tag.split_once(char::is_whitespace).unwrap_or((tag, ""));
    Event::Start { name: name.to_owned(), attributes: attributes.to_owned() }
}

/// What an entity stands for; one that nobody knows stands for itself.
fn entity(name: &str) -> String {
    let whole = format!("&{name};");
    match decode_entity(&whole) {
        Some((_, with)) => with.to_string(),
        None => whole,
    }
}

/// The value of an attribute, its entities decoded.
pub(super) fn attribute(attributes: &str, name: &str) -> Option<String> {
    let mut rest = attributes.trim_start();
    while let Some((key, after)) = rest.split_once('=') {
        let after = after.trim_start();
        let quote = after.chars().next().filter(|c| matches!(c, '"' | '\''))?;
        let (value, after) = after[1..].split_once(quote)?;
        if key.trim() == name {
            return Some(unescape(value));
        }
        rest = after.trim_start();
    }
    None
}

/// A text with its entities decoded once.
pub(super) fn unescape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('&') {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        match decode_entity(rest) {
            Some((length, with)) => {
                out.push_str(&with);
                rest = &rest[length..];
            }
            None => {
                out.push('&');
                rest = &rest[1..];
            }
        }
    }
    out + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_words_and_entities_come_in_order() {
        let mut seen = Vec::new();
        walk("<a x='1' y=\"&lt;2\">b &amp; <c/><![CDATA[<d>]]></a>", |event| seen.push(event)).unwrap();
        let text: String = seen
            .iter()
            .filter_map(|event| if let Event::Text(words) = event { Some(words.as_str()) } else { None })
            .collect();
        assert_eq!(text, "b & <d>");
        assert!(
            matches!(&seen[0], Event::Start { attributes, .. } if attribute(attributes, "y").unwrap() == "<2")
        );
        assert!(seen.contains(&Event::End("c".into())));
    }

    #[test]
    fn what_is_broken_breaks_off() {
        let mut n = 0;
        assert!(walk("<a>x</b><c", |_| n += 1).is_err());
        assert_eq!(n, 3);
        assert_eq!(attribute("a b='1", "b"), None);
        assert_eq!(unescape("&amp;lt; & &nope;"), "&lt; & &nope;");
    }
}
