//! The wire format of protocol buffers, as much of it as a `.model` needs.
//!
//! ```text
//! message  (key varint, value)*       key = field number · 8 + wire type
//! value    0 varint   1 eight bytes   2 varint length, bytes   5 four bytes
//! ```
//!
//! # Source
//! "Protocol Buffers: Encoding", the format's own documentation.

use super::Flaw;

/// A value as it is written.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Value<'b> {
    Varint(u64),
    Bytes(&'b [u8]),
    Four([u8; 4]),
    /// Written in eight bytes, which no field of ours is.
    Eight,
}

/// The fields of a message, front to back.
pub(super) struct Fields<'b> {
    whole: &'b [u8],
    at: usize,
    part: &'static str,
}

impl<'b> Fields<'b> {
    /// The fields of `bytes`, which are a `part`.
    pub(super) fn new(bytes: &'b [u8], part: &'static str) -> Self {
        Self { whole: bytes, at: 0, part }
    }

    /// The next field: its number and its value.
    pub(super) fn next(&mut self) -> Result<Option<(u64, Value<'b>)>, Flaw> {
        if self.at == self.whole.len() {
            return Ok(None);
        }
        let key = self.varint()?;
        let value = match key & 7 {
            0 => Value::Varint(self.varint()?),
            1 => {
                self.take(8)?;
                Value::Eight
            }
            2 => {
                let n_bytes = self.varint()?;
                Value::Bytes(self.take(n_bytes)?)
            }
            5 => {
                let bytes = self.take(4)?;
                Value::Four(*bytes.first_chunk().ok_or(self.truncated())?)
            }
            found => return Err(Flaw::Field { part: self.part, field: key >> 3, found: found as u8 }),
        };
        Ok(Some((key >> 3, value)))
    }

    /// The complaint about a field that is written in another way than it should be.
    pub(super) fn wrong(&self, field: u64, value: Value<'_>) -> Flaw {
        let found = match value {
            Value::Varint(_) => 0,
            Value::Eight => 1,
            Value::Bytes(_) => 2,
            Value::Four(_) => 5,
        };
        Flaw::Field { part: self.part, field, found }
    }

    fn truncated(&self) -> Flaw {
        Flaw::Truncated { part: self.part, offset: self.at }
    }

    fn take(&mut self, n_bytes: u64) -> Result<&'b [u8], Flaw> {
        let taken = usize::try_from(n_bytes).ok().and_then(|n| self.whole[self.at..].get(..n));
        let taken = taken.ok_or(self.truncated())?;
        self.at += taken.len();
        Ok(taken)
    }

    fn varint(&mut self) -> Result<u64, Flaw> {
        let mut number = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = self.take(1)?[0];
            number |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(number);
            }
        }
        Err(self.truncated())
    }
}

/// A message being written.
#[derive(Debug, Default)]
pub(super) struct Message {
    bytes: Vec<u8>,
}

impl Message {
    pub(super) fn varint(&mut self, field: u64, number: u64) -> &mut Self {
        self.number(field << 3);
        self.number(number);
        self
    }

    pub(super) fn float(&mut self, field: u64, value: f32) -> &mut Self {
        self.number(field << 3 | 5);
        self.bytes.extend(value.to_le_bytes());
        self
    }

    pub(super) fn bytes(&mut self, field: u64, value: &[u8]) -> &mut Self {
        self.number(field << 3 | 2);
        self.number(value.len() as u64);
        self.bytes.extend(value);
        self
    }

    pub(super) fn message(&mut self, field: u64, message: &Self) -> &mut Self {
        self.bytes(field, &message.bytes)
    }

    pub(super) fn finish(self) -> Vec<u8> {
        self.bytes
    }

    fn number(&mut self, number: u64) {
        let mut left = number;
        while left >= 0x80 {
            self.bytes.push(left as u8 | 0x80);
            left >>= 7;
        }
        self.bytes.push(left as u8);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let mut message = Message::default();
        message.varint(1, 0).varint(40, 300).varint(2, u64::MAX).float(3, -1.5).bytes(4, b"abc");
        let bytes = message.finish();
        let mut fields = Fields::new(&bytes, "a test");
        let mut all = Vec::new();
        while let Some(field) = fields.next().unwrap() {
            all.push(field);
        }
        let float = Value::Four((-1.5_f32).to_le_bytes());
        let numbers = [(1, Value::Varint(0)), (40, Value::Varint(300)), (2, Value::Varint(u64::MAX))];
        assert_eq!(all, [&numbers[..], &[(3, float), (4, Value::Bytes(b"abc"))]].concat());
        for len in 1..bytes.len() {
            let mut fields = Fields::new(&bytes[..len], "a test");
            while matches!(fields.next(), Ok(Some(_))) {}
        }
    }
}
