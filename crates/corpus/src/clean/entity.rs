//! HTML entities left over in text that was never meant to hold any.
//!
//! Decoded once: `&amp;lt;` is an author writing about entities and stays as it is, because
//! decoding half of it would make a text in which the next reader sees a tag.

use encoding_rs::WINDOWS_1252;

use super::{Cleaner, Effect, Scope, Traits};
use crate::edit::Edit;

const NAME: &str = "html entities";

/// Longest entity looked at, in bytes with `&` and `;`.
const MAX_ENTITY: usize = 12;

pub(super) const CLEANER: Cleaner = Cleaner {
    name: NAME,
    about: "`&amp;`, `&nbsp;`, `&#8217;` and the like become the characters they stand for",
    effect: Effect::Noise,
    scope: Scope::Passage,
    find,
};

/// Names worth knowing in prose; the rest of HTML's two thousand do not occur in it.
const NAMED: &[(&str, &str)] = &[
    ("amp", "&"),
    ("lt", "<"),
    ("gt", ">"),
    ("quot", "\""),
    ("apos", "'"),
    ("nbsp", "\u{a0}"),
    ("ndash", "–"),
    ("mdash", "—"),
    ("hellip", "…"),
    ("lsquo", "‘"),
    ("rsquo", "’"),
    ("sbquo", "‚"),
    ("ldquo", "“"),
    ("rdquo", "”"),
    ("bdquo", "„"),
    ("laquo", "«"),
    ("raquo", "»"),
    ("bull", "•"),
    ("middot", "·"),
    ("copy", "©"),
    ("reg", "®"),
    ("trade", "™"),
    ("deg", "°"),
    ("pound", "£"),
    ("euro", "€"),
    ("cent", "¢"),
    ("yen", "¥"),
    ("sect", "§"),
    ("frac12", "½"),
    ("frac14", "¼"),
    ("frac34", "¾"),
    ("times", "×"),
    ("iexcl", "¡"),
    ("iquest", "¿"),
    ("agrave", "à"),
    ("aacute", "á"),
    ("acirc", "â"),
    ("atilde", "ã"),
    ("auml", "ä"),
    ("aring", "å"),
    ("aelig", "æ"),
    ("ccedil", "ç"),
    ("egrave", "è"),
    ("eacute", "é"),
    ("ecirc", "ê"),
    ("euml", "ë"),
    ("igrave", "ì"),
    ("iacute", "í"),
    ("icirc", "î"),
    ("iuml", "ï"),
    ("ntilde", "ñ"),
    ("ograve", "ò"),
    ("oacute", "ó"),
    ("ocirc", "ô"),
    ("otilde", "õ"),
    ("ouml", "ö"),
    ("oslash", "ø"),
    ("oelig", "œ"),
    ("ugrave", "ù"),
    ("uacute", "ú"),
    ("ucirc", "û"),
    ("uuml", "ü"),
    ("szlig", "ß"),
    ("Agrave", "À"),
    ("Auml", "Ä"),
    ("Ccedil", "Ç"),
    ("Eacute", "É"),
    ("Egrave", "È"),
    ("Ouml", "Ö"),
    ("Uuml", "Ü"),
    ("AElig", "Æ"),
    ("Oslash", "Ø"),
];

fn find(text: &str, traits: &Traits) -> Vec<Edit> {
    if traits.entities_decoded {
        return Vec::new();
    }
    let decoded = |(at, _): (usize, &str)| {
        let (length, with) = decode(&text[at..])?;
        let after = &text[at + length..];
        let makes_another = with == "&" && looks_like_entity(after);
        (!makes_another).then(|| Edit::replace(at..at + length, with, NAME))
    };
    text.match_indices('&').filter_map(decoded).collect()
}

/// Bytes of the entity a text begins with, and what it stands for.
pub(crate) fn decode(text: &str) -> Option<(usize, String)> {
    let body = text.strip_prefix('&')?;
    let end = body.bytes().take(MAX_ENTITY).position(|b| b == b';')?;
    let name = body.get(..end)?;
    let with = match name.strip_prefix('#') {
        Some(number) => numeric(number)?.to_string(),
        None => NAMED.iter().find(|(known, _)| *known == name)?.1.to_owned(),
    };
    Some((end + 2, with))
}

/// The character of `8217` or `x2019`. Numbers 128 to 159 mean what Windows-1252 has there, as
/// every browser reads them; controls are not worth decoding.
fn numeric(number: &str) -> Option<char> {
    let code = match number.strip_prefix(['x', 'X']) {
        Some(hex) => u32::from_str_radix(hex, 16).ok()?,
        None => number.parse().ok()?,
    };
    let c = match u8::try_from(code) {
        Ok(byte @ 0x80..=0x9f) => WINDOWS_1252.decode_without_bom_handling(&[byte]).0.chars().next()?,
        _ => char::from_u32(code)?,
    };
    (!c.is_control()).then_some(c)
}

/// Whether `after`, behind an ampersand, would read as an entity.
fn looks_like_entity(after: &str) -> bool {
    let name = after.split(';').next().unwrap_or_default();
    name.len() < after.len()
        && (1..MAX_ENTITY).contains(&name.len())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'#')
}

#[cfg(test)]
mod tests {
    use super::super::{Traits, check, check_with};
    use super::CLEANER;

    #[test]
    fn entities_are_decoded_once() {
        check(
            &CLEANER,
            "Fish &amp; chips &lt;3 caf&eacute; it&#8217;s &#x1F600;",
            "Fish & chips <3 café it’s 😀",
        );
        check(&CLEANER, "write &amp;lt; for a bracket", "write &amp;lt; for a bracket");
        check(&CLEANER, "&#146;tis &#0; &nosuch; & &;", "’tis &#0; &nosuch; & &;");
        check(&CLEANER, "&#99999999999; &#xD800;", "&#99999999999; &#xD800;");
        let decoded = Traits { entities_decoded: true, ..Traits::default() };
        check_with(&CLEANER, decoded, "&amp;", "&amp;");
    }
}
