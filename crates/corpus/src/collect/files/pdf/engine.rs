//! The engines that find the words of a PDF, in the order in which they are asked.

use lopdf::{Document, LoadOptions, Object};

use super::repair;

/// One engine.
pub(super) struct Engine {
    /// Its name, in what a child is told.
    pub(super) name: &'static str,
    /// Why a file is read by it, in words.
    pub(super) reason: &'static str,
    /// Whether it mends a file before it reads it.
    pub(super) is_repair: bool,
    /// The pages of a file, opened with one of these passwords if it needs one.
    pub(super) read: fn(&[u8], &[String]) -> Result<Pages, Broken>,
}

/// The pages of a file: what is written on each, and whether it is a picture.
#[derive(Debug, Default)]
pub(super) struct Pages {
    pub(super) texts: Vec<String>,
    pub(super) pictures: Vec<bool>,
}

/// Why an engine gave up.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Broken {
    /// It needs a password.
    Locked,
    /// It is no PDF this engine understands.
    Damaged(String),
}

/// What stands in a file that is under a lock.
const LOCK: &[u8] = b"/Encrypt";

/// Every engine.
pub(super) const ALL: &[Engine] = &[
    Engine { name: "plain", reason: "it is a PDF", is_repair: false, read },
    Engine {
        name: "repair",
        reason: "it is a broken PDF",
        is_repair: true,
        read: |bytes, passwords| read(&repair::repaired(bytes), passwords),
    },
];

/// Tries the empty password, which opens files whose owner forbade printing and not reading, then those
/// that are known.
fn read(bytes: &[u8], passwords: &[String]) -> Result<Pages, Broken> {
    let start = bytes.windows(5).position(|window| window == b"%PDF-").unwrap_or(0);
    let mut found = read_with(&bytes[start..], "");
    for password in passwords {
        if found.as_ref().err() != Some(&Broken::Locked) {
            break;
        }
        found = read_with(&bytes[start..], password);
    }
    found
}

fn read_with(bytes: &[u8], password: &str) -> Result<Pages, Broken> {
    let damaged = |error: lopdf::Error| match error {
        lopdf::Error::Decryption(_) | lopdf::Error::InvalidPassword => Broken::Locked,
        other => Broken::Damaged(other.to_string()),
    };
    let mut document = match password {
        "" => Document::load_mem(bytes),
        word => Document::load_mem_with_options(bytes, LoadOptions::with_password(word)),
    }
    .map_err(damaged)?;
    if document.is_encrypted() {
        document.decrypt(password).map_err(damaged)?;
    }
    let mut pages = Pages::default();
    for (number, id) in document.get_pages() {
        pages.pictures.push(holds_picture(&document, id));
        pages.texts.push(words(&document, number));
    }
    // Some locks open without a word and leave nothing to read.
    let is_blank = pages.texts.iter().all(|text| text.trim().is_empty());
    let has_lock = || bytes.windows(LOCK.len()).any(|window| window == LOCK);
    if is_blank && has_lock() { Err(Broken::Locked) } else { Ok(pages) }
}

/// The words of one page. The engine panics over pages it does not understand; that costs the page.
fn words(document: &Document, number: u32) -> String {
    let read = || {
        let mut text = String::new();
        let mut out = pdf_extract::PlainTextOutput::new(&mut text);
        pdf_extract::output_doc_page(document, &mut out, number).is_ok().then_some(text)
    };
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(read)).ok().flatten().unwrap_or_default()
}

/// Whether a page shows a picture.
fn holds_picture(document: &Document, page: lopdf::ObjectId) -> bool {
    let Ok((own, inherited)) = document.get_page_resources(page) else { return false };
    let inherited = inherited.into_iter().filter_map(|id| document.get_dictionary(id).ok());
    let objects = own.into_iter().chain(inherited).filter_map(|resources| {
        let objects = resources.get(b"XObject").ok()?;
        document.dereference(objects).ok()?.1.as_dict().ok()
    });
    let is_picture = |object: &Object| {
        let stream = document.dereference(object).ok().and_then(|(_, object)| object.as_stream().ok());
        stream.is_some_and(|stream| {
            stream.dict.get(b"Subtype").and_then(Object::as_name).is_ok_and(|name| name == b"Image")
        })
    };
    objects.into_iter().any(|objects| objects.iter().any(|(_, object)| is_picture(object)))
}
