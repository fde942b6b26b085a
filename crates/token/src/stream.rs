//! Ids to text as they arrive.
//!
//! A token may end in the middle of a character, and a stop string may begin
//! in one token and end three later. A [`TextStream`] therefore holds back
//! what is not yet certain: never half a character is given out, and never a
//! letter that may turn out to belong to a stop string.

use crate::tokenizer::Tokenizer;

/// Text on its way to a reader.
#[derive(Debug)]
pub struct TextStream<'t> {
    tokenizer: &'t Tokenizer,
    stops: Vec<String>,
    /// Bytes that do not yet make a whole character.
    partial: Vec<u8>,
    /// Whole characters that may be the beginning of a stop string.
    held: String,
    stopped: Option<String>,
}

impl<'t> TextStream<'t> {
    /// A stream that ends at the first of the stop strings. Empty ones are ignored.
    pub fn new(tokenizer: &'t Tokenizer, stops: impl IntoIterator<Item = String>) -> Self {
        let stops = stops.into_iter().filter(|stop| !stop.is_empty()).collect();
        Self { tokenizer, stops, partial: Vec::new(), held: String::new(), stopped: None }
    }

    /// Takes the next id and gives out the text that has become certain.
    /// Control tokens have no text.
    pub fn push(&mut self, id: u32) -> String {
        if self.stopped.is_some() {
            return String::new();
        }
        if !self.tokenizer.is_control(id) {
            let bytes = self.tokenizer.token_bytes(id).unwrap_or("\u{fffd}".as_bytes());
            self.partial.extend_from_slice(bytes);
            take_whole_characters(&mut self.partial, &mut self.held);
        }
        self.release()
    }

    /// Gives out what was held back: nothing more will come. Half a character
    /// becomes U+FFFD.
    pub fn finish(&mut self) -> String {
        if self.stopped.is_some() {
            return String::new();
        }
        let rest = std::mem::take(&mut self.partial);
        self.held.push_str(&String::from_utf8_lossy(&rest));
        let mut text = self.release();
        text.push_str(&std::mem::take(&mut self.held));
        text
    }

    /// The stop string that ended the stream, once one has.
    pub fn stopped(&self) -> Option<&str> {
        self.stopped.as_deref()
    }

    fn release(&mut self) -> String {
        let first = self.stops.iter().filter_map(|stop| Some((self.held.find(stop.as_str())?, stop))).min();
        if let Some((at, stop)) = first {
            self.stopped = Some(stop.clone());
            let mut text = std::mem::take(&mut self.held);
            text.truncate(at);
            return text;
        }
        let keep = self.held.len() - self.open_end();
        let rest = self.held.split_off(keep);
        std::mem::replace(&mut self.held, rest)
    }

    /// Length of the longest ending of `held` with which a stop string begins.
    fn open_end(&self) -> usize {
        let is_open = |&at: &usize| self.stops.iter().any(|stop| stop.starts_with(&self.held[at..]));
        let starts = self.held.char_indices().map(|(at, _)| at);
        starts.clone().find(is_open).map_or(0, |at| self.held.len() - at)
    }
}

/// Moves every whole character; bytes that can never become one turn into U+FFFD.
fn take_whole_characters(partial: &mut Vec<u8>, text: &mut String) {
    loop {
        let (n_valid, n_bad) = match std::str::from_utf8(partial) {
            Ok(_) => (partial.len(), None),
            Err(broken) => (broken.valid_up_to(), broken.error_len()),
        };
        text.push_str(&String::from_utf8_lossy(&partial[..n_valid]));
        partial.drain(..n_valid + n_bad.unwrap_or(0));
        if n_bad.is_none() {
            return;
        }
        text.push(char::REPLACEMENT_CHARACTER);
    }
}
