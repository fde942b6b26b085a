//! Feeds: RSS, Atom, and the exports of WordPress (WXR) and Blogger, which are feeds with comments.
//!
//! Each entry is a post. Comments of readers and posts of other writers are other people's words;
//! pages of the machinery and drafts are left out.

use super::html::{place, quotation, without_quotations, words_of};
use super::talk::Voices;
use super::xml::{self, Event, attribute};
use super::{Claim, Format, Reading, Source, chars, claim, extension};
use crate::document::Title;
use crate::issue::{Code, Issue, Severity};
use crate::provenance::{Author, Provenance};

/// Reason for everything that is no writing.
const MARKUP: &str = "feed markup";
/// Bytes looked at to recognise a feed.
const SNIFFED: usize = 4096;

pub(super) const FORMAT: Format = Format {
    name: "feed",
    about: "a saved RSS or Atom feed, an export of WordPress or Blogger",
    needs: "",
    yields: "posts",
    plain: false,
    decodes_entities: true,
    claims,
    read,
};

fn claims(source: &Source<'_>) -> Option<Claim> {
    let head = source.head(SNIFFED).trim_start();
    let opens = ["<rss", "<feed", "<rdf:RDF"].iter().any(|tag| head.contains(tag));
    let is_xml = head.starts_with("<?xml") || opens && head.starts_with('<');
    if is_xml && opens {
        return claim(95, "the text is a feed");
    }
    matches!(extension(source.path).as_str(), "rss" | "atom")
        .then(|| claim(95, "the name is that of a feed"))
        .flatten()
}

/// One entry.
#[derive(Debug, Default)]
struct Entry {
    title: String,
    author: String,
    date: String,
    link: String,
    id: String,
    /// The whole text, and a summary for where there is none.
    content: String,
    summary: String,
    /// What sort of entry it is, where it says so.
    kind: String,
    status: String,
    comment_chars: u64,
}

/// A feed as it is walked through.
#[derive(Default)]
struct Walk {
    entries: Vec<Entry>,
    /// Elements open inside the entry.
    path: Vec<String>,
    in_entry: bool,
    words: String,
}

fn read(source: &Source<'_>) -> Reading {
    let mut reading = Reading::default();
    let mut walk = Walk::default();
    if let Err(why) = xml::walk(source.text, |event| walk.see(event)) {
        let detail = format!("the feed breaks off: {why}");
        reading.issues.push(Issue::new(source.path, Code::Xml, Severity::Part, detail));
    }
    let voices = Voices::of(source.settings);
    let names: std::collections::BTreeSet<&str> = walk.entries.iter().map(|e| e.author.as_str()).collect();
    let has_voice = names.iter().any(|name| voices.has(name, &[]));
    for entry in &walk.entries {
        reading.tally.drop("readers' comments", entry.comment_chars);
        let html = if entry.content.trim().is_empty() { &entry.summary } else { &entry.content };
        let (own, n_quoted) = match source.settings.quotations {
            true => (html.clone(), 0),
            false => without_quotations(html),
        };
        reading.tally.drop(quotation::QUOTED, n_quoted);
        let text = words_of(&own);
        match entry.reason(source.settings.drafts) {
            Some(reason) => reading.tally.drop(reason, chars(&text)),
            // Who wrote what is asked only where a feed knows the voice at all.
            None if has_voice && !voices.has(&entry.author, &[]) => {
                reading.tally.drop("posts of other writers", chars(&text));
            }
            None => {
                let title = words_of(&entry.title);
                let title = (!title.is_empty()).then_some(Title { text: title, given: true });
                let date = Some(entry.date.as_str()).filter(|date| !date.is_empty());
                let first = reading.documents.len();
                place(source, &text, title, date, &mut reading);
                let provenance = entry.provenance();
                let new = reading.documents[first..].iter_mut();
                new.for_each(|document| document.provenance.clone_from(&provenance));
            }
        }
    }
    reading.close(source.text, MARKUP);
    reading
}

impl Entry {
    /// Who wrote it, and where it stands.
    fn provenance(&self) -> Provenance {
        let some = |text: &str| Some(text.trim().to_owned()).filter(|text| !text.is_empty());
        Provenance {
            native_id: some(&self.id),
            author: some(&self.author).map(|name| Author { name, id: None }),
            url: some(&self.link),
            ..Provenance::default()
        }
    }

    /// Why an entry is no post, if it is none.
    fn reason(&self, drafts: bool) -> Option<&'static str> {
        match () {
            () if self.kind == "comment" => Some("readers' comments"),
            () if !matches!(self.kind.as_str(), "" | "post" | "page") => Some("pages of the machinery"),
            () if !drafts
                && matches!(self.status.as_str(), "draft" | "pending" | "trash" | "auto-draft" | "yes") =>
            {
                Some("drafts")
            }
            () => None,
        }
    }
}

impl Walk {
    fn see(&mut self, event: Event) {
        match event {
            Event::Start { name, .. } if matches!(name.as_str(), "item" | "entry") && !self.in_entry => {
                self.in_entry = true;
                self.entries.push(Entry::default());
            }
            Event::Start { name, attributes } if self.in_entry => self.start(name, &attributes),
            Event::End(name) if self.in_entry => self.end(&name),
            Event::Text(words) if self.in_entry => self.words.push_str(&words),
            _ => {}
        }
    }

    fn start(&mut self, name: String, attributes: &str) {
        // XHTML inside Atom is markup of the text, not of the feed.
        if self.path.iter().any(|open| open == "content" || open == "summary") {
            let tag =
                if attributes.is_empty() { format!("<{name}>") } else { format!("<{name} {attributes}>") };
            self.words.push_str(&tag);
            self.path.push(name);
            return;
        }
        if name == "category"
            && let Some(kind) =
                attribute(attributes, "term").as_deref().and_then(|term| term.split_once("kind#"))
            && let Some(entry) = self.entries.last_mut()
        {
            entry.kind = kind.1.to_owned();
        }
        // Atom has addresses in an attribute, and several of them.
        if name == "link"
            && attribute(attributes, "rel").is_none_or(|rel| rel == "alternate")
            && let Some(entry) = self.entries.last_mut().filter(|entry| entry.link.is_empty())
        {
            entry.link = attribute(attributes, "href").unwrap_or_default();
        }
        self.words.clear();
        self.path.push(name);
    }

    fn end(&mut self, name: &str) {
        if self.path.is_empty() {
            self.in_entry = false;
            return;
        }
        self.path.pop();
        if self.path.iter().any(|open| open == "content" || open == "summary") {
            self.words.extend(["</", name, ">"]);
            return;
        }
        let in_comment = self.path.iter().any(|open| open == "wp:comment");
        let Some(entry) = self.entries.last_mut() else { return };
        let words = std::mem::take(&mut self.words);
        let slot = match name {
            "wp:comment_content" => {
                entry.comment_chars += chars(&words);
                return;
            }
            _ if in_comment => return,
            "title" => &mut entry.title,
            "dc:creator" | "name" | "author" => &mut entry.author,
            "pubDate" | "published" | "dc:date" | "wp:post_date" => &mut entry.date,
            "content:encoded" | "content" => &mut entry.content,
            "description" | "summary" => &mut entry.summary,
            "link" => &mut entry.link,
            "guid" | "id" => &mut entry.id,
            "wp:post_type" => &mut entry.kind,
            "wp:status" | "app:draft" | "draft" => &mut entry.status,
            _ => return,
        };
        if slot.is_empty() {
            *slot = words.trim().to_owned();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{assert_accounted, posts, with_source};
    use super::*;
    use crate::Settings;
    use expect_test::{Expect, expect};
    fn check(text: &str, expected: Expect) {
        let settings = Settings { voice: vec!["ann".into()], ..Settings::default() };
        let reading = with_source("feed.xml", text, &settings, |source| {
            assert!(claims(source).is_some());
            read(source)
        });
        assert_accounted(&reading, chars(text));
        expected.assert_eq(&posts(&reading));
    }

    #[test]
    fn wordpress_keeps_posts_apart_from_what_readers_said() {
        check(
            "<?xml version=\"1.0\"?><rss><channel><title>A blog</title>\
             <item><title>Tea</title><dc:creator><![CDATA[ann]]></dc:creator><content:encoded><![CDATA[<p>It is <b>wet</b>.</p>]]></content:encoded>\
             <wp:post_date>2020-01-02 03:04:05</wp:post_date><wp:post_type>post</wp:post_type><wp:status>publish</wp:status>\
             <wp:comment><wp:comment_author>Bob</wp:comment_author><wp:comment_content>Lovely!</wp:comment_content></wp:comment></item>\
             <item><title>Not yet</title><dc:creator>ann</dc:creator><content:encoded>Half</content:encoded><wp:post_type>post</wp:post_type><wp:status>draft</wp:status></item>\
             <item><title>x.jpg</title><dc:creator>ann</dc:creator><content:encoded>pic</content:encoded><wp:post_type>attachment</wp:post_type></item>\
             <item><title>Guest</title><dc:creator>bob</dc:creator><content:encoded>By Bob</content:encoded></item></channel></rss>",
            expect![[r#"
                Tea: "It is wet." Some("2020-01-02 03:04:05")
                drafts: 4
                feed markup: 810
                pages of the machinery: 3
                posts of other writers: 6
                readers' comments: 7
            "#]],
        );
    }

    #[test]
    fn atom_in_its_three_dresses() {
        check(
            "<feed xmlns=\"http://www.w3.org/2005/Atom\"><entry><title>One</title><author><name>Ann</name></author><published>2020-01-02</published>\
             <content type=\"html\">&lt;p&gt;It &amp;amp; I&lt;/p&gt;</content></entry>\
             <entry><title>Two</title><author><name>ann</name></author><content type=\"xhtml\"><div><p>So <i>it</i> goes</p></div></content></entry>\
             <entry><category term=\"http://schemas.google.com/blogger/2008/kind#comment\"/><author><name>ann</name></author><content>Me too</content></entry>\
             <entry><title>Torn</title><author><name>ann</name></author><summary>As far as",
            expect![[r#"
                One: "It & I" Some("2020-01-02")
                Two: "So it goes" None
                feed markup: 530
                readers' comments: 6
                Xml: the feed breaks off: it ends inside 3 open elements
            "#]],
        );
    }
}
