//! SHA-256, which is what model shelves publish.

use std::io::{self, Read, Write};

use sha2::Digest as _;

/// A digest being taken.
#[derive(Clone, Default)]
pub(crate) struct Sha256(sha2::Sha256);

impl Sha256 {
    /// Adds bytes.
    pub(crate) fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// The digest as 64 lower-case hexadecimal digits.
    pub(crate) fn hex(self) -> String {
        self.0.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// The digest of everything `content` gives.
    pub(crate) fn of(mut content: impl Read) -> io::Result<Self> {
        let mut hasher = Self::default();
        io::copy(&mut content, &mut hasher)?;
        Ok(hasher)
    }
}

impl Write for Sha256 {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Whether a text is a SHA-256 as it is published.
pub(crate) fn is_sha256(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_published_example_holds() {
        // FIPS 180-2, appendix B.1.
        let expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(Sha256::of(&b"abc"[..]).unwrap().hex(), expected);
        assert!(is_sha256(expected) && !is_sha256("ba78") && !is_sha256(&expected.to_uppercase()));
    }
}
