//! Metadata values: what types there are, how each is read and written.

use super::cursor::Cursor;
use crate::error::{Error, Result};

/// Arrays of arrays deeper than this are not read; no known key nests at all.
const MAX_DEPTH: usize = 4;

/// The type of a number, with its id in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Kind {
    U8 = 0,
    I8 = 1,
    U16 = 2,
    I16 = 3,
    U32 = 4,
    I32 = 5,
    F32 = 6,
    Bool = 7,
    U64 = 10,
    I64 = 11,
    F64 = 12,
}

const TEXT: u32 = 8;
const ARRAY: u32 = 9;

impl Kind {
    const ALL: [Kind; 11] = [
        Kind::U8,
        Kind::I8,
        Kind::U16,
        Kind::I16,
        Kind::U32,
        Kind::I32,
        Kind::F32,
        Kind::Bool,
        Kind::U64,
        Kind::I64,
        Kind::F64,
    ];

    fn from_id(id: u32) -> Option<Kind> {
        Kind::ALL.into_iter().find(|kind| *kind as u32 == id)
    }

    /// Bytes in a number of this type.
    pub fn width(self) -> usize {
        match self {
            Kind::U8 | Kind::I8 | Kind::Bool => 1,
            Kind::U16 | Kind::I16 => 2,
            Kind::U32 | Kind::I32 | Kind::F32 => 4,
            Kind::U64 | Kind::I64 | Kind::F64 => 8,
        }
    }
}

/// A metadata value.
#[derive(Debug, Clone, PartialEq)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Value {
    U8(u8),
    I8(i8),
    U16(u16),
    I16(i16),
    U32(u32),
    I32(i32),
    F32(f32),
    Bool(bool),
    Text(String),
    Array(Array),
    U64(u64),
    I64(i64),
    F64(f64),
}

/// An array value. Numbers stay as they are stored, so that an array takes no more memory than it
/// takes in the file.
#[derive(Debug, Clone, PartialEq)]
pub enum Array {
    /// Numbers of one type.
    Numbers {
        /// Their type.
        kind: Kind,
        /// Their bytes, little-endian.
        bytes: Vec<u8>,
    },
    /// Texts.
    Texts(Vec<String>),
    /// Arrays.
    Arrays(Vec<Array>),
}

impl Value {
    /// Reads a type id and a value.
    pub(super) fn read(cursor: &mut Cursor<'_>) -> Result<Value> {
        match cursor.u32()? {
            TEXT => Ok(Value::Text(cursor.text()?.to_owned())),
            ARRAY => Ok(Value::Array(Array::read(cursor, 0)?)),
            id => {
                let kind = Kind::from_id(id).ok_or_else(|| unknown_type(cursor, id))?;
                let bytes = cursor.take(kind.width() as u64)?;
                Value::number(kind, bytes).ok_or_else(|| not_a_bool(cursor, bytes))
            }
        }
    }

    /// A number from its bytes; `None` for a truth value that is neither 0 nor 1.
    fn number(kind: Kind, bytes: &[u8]) -> Option<Value> {
        let mut wide = [0; 8];
        wide[..bytes.len()].copy_from_slice(bytes);
        let bits = u64::from_le_bytes(wide);
        Some(match kind {
            Kind::U8 => Value::U8(bits as u8),
            Kind::I8 => Value::I8(bits as i8),
            Kind::U16 => Value::U16(bits as u16),
            Kind::I16 => Value::I16(bits as i16),
            Kind::U32 => Value::U32(bits as u32),
            Kind::I32 => Value::I32(bits as i32),
            Kind::F32 => Value::F32(f32::from_bits(bits as u32)),
            Kind::Bool if bits > 1 => return None,
            Kind::Bool => Value::Bool(bits == 1),
            Kind::U64 => Value::U64(bits),
            Kind::I64 => Value::I64(bits as i64),
            Kind::F64 => Value::F64(f64::from_bits(bits)),
        })
    }

    /// Appends type id and value.
    pub(super) fn write(&self, out: &mut Vec<u8>) {
        fn number<const N: usize>(out: &mut Vec<u8>, kind: Kind, bytes: [u8; N]) {
            out.extend((kind as u32).to_le_bytes());
            out.extend(bytes);
        }
        match self {
            Value::U8(x) => number(out, Kind::U8, x.to_le_bytes()),
            Value::I8(x) => number(out, Kind::I8, x.to_le_bytes()),
            Value::U16(x) => number(out, Kind::U16, x.to_le_bytes()),
            Value::I16(x) => number(out, Kind::I16, x.to_le_bytes()),
            Value::U32(x) => number(out, Kind::U32, x.to_le_bytes()),
            Value::I32(x) => number(out, Kind::I32, x.to_le_bytes()),
            Value::F32(x) => number(out, Kind::F32, x.to_le_bytes()),
            Value::Bool(x) => number(out, Kind::Bool, [u8::from(*x)]),
            Value::U64(x) => number(out, Kind::U64, x.to_le_bytes()),
            Value::I64(x) => number(out, Kind::I64, x.to_le_bytes()),
            Value::F64(x) => number(out, Kind::F64, x.to_le_bytes()),
            Value::Text(text) => {
                out.extend(TEXT.to_le_bytes());
                write_text(text, out);
            }
            Value::Array(array) => {
                out.extend(ARRAY.to_le_bytes());
                array.write(out);
            }
        }
    }

    /// The value as a whole number, whatever its width.
    pub fn to_integer(&self) -> Option<i128> {
        match *self {
            Value::U8(x) => Some(x.into()),
            Value::I8(x) => Some(x.into()),
            Value::U16(x) => Some(x.into()),
            Value::I16(x) => Some(x.into()),
            Value::U32(x) => Some(x.into()),
            Value::I32(x) => Some(x.into()),
            Value::U64(x) => Some(x.into()),
            Value::I64(x) => Some(x.into()),
            _ => None,
        }
    }

    /// The value as a real number, whatever its width. An `f32` becomes the shortest decimal that
    /// rounds to it, so that a setting written as 1e-5 reads 1e-5 and not 9.99999974e-6.
    pub fn to_real(&self) -> Option<f64> {
        match self {
            Value::F32(x) => x.to_string().parse().ok(),
            Value::F64(x) => Some(*x),
            other => other.to_integer().map(|x| x as f64),
        }
    }

    /// The value in words, for errors.
    pub(crate) fn describe(&self) -> String {
        match self {
            Value::Text(text) => format!("{:?}", text.chars().take(60).collect::<String>()),
            Value::Array(array) => format!("an array of {}", array.len()),
            Value::Bool(x) => x.to_string(),
            Value::F32(x) => x.to_string(),
            Value::F64(x) => x.to_string(),
            other => other.to_integer().map(|x| x.to_string()).unwrap_or_default(),
        }
    }
}

impl Array {
    fn read(cursor: &mut Cursor<'_>, depth: usize) -> Result<Array> {
        let id = cursor.u32()?;
        let count = cursor.u64()?;
        match id {
            TEXT => {
                let mut texts = Vec::with_capacity(cursor.afford(count, 8)?);
                for _ in 0..count {
                    texts.push(cursor.text()?.to_owned());
                }
                Ok(Array::Texts(texts))
            }
            ARRAY if depth + 1 < MAX_DEPTH => {
                let mut arrays = Vec::with_capacity(cursor.afford(count, 12)?);
                for _ in 0..count {
                    arrays.push(Array::read(cursor, depth + 1)?);
                }
                Ok(Array::Arrays(arrays))
            }
            id => {
                let kind = Kind::from_id(id).ok_or_else(|| unknown_type(cursor, id))?;
                let bytes = cursor.take(count.saturating_mul(kind.width() as u64))?.to_owned();
                match bytes.iter().find(|byte| kind == Kind::Bool && **byte > 1) {
                    Some(byte) => Err(not_a_bool(cursor, &[*byte])),
                    None => Ok(Array::Numbers { kind, bytes }),
                }
            }
        }
    }

    fn write(&self, out: &mut Vec<u8>) {
        let id = match self {
            Array::Numbers { kind, .. } => *kind as u32,
            Array::Texts(_) => TEXT,
            Array::Arrays(_) => ARRAY,
        };
        out.extend(id.to_le_bytes());
        out.extend((self.len() as u64).to_le_bytes());
        match self {
            Array::Numbers { bytes, .. } => out.extend(bytes),
            Array::Texts(texts) => texts.iter().for_each(|text| write_text(text, out)),
            Array::Arrays(arrays) => arrays.iter().for_each(|array| array.write(out)),
        }
    }

    /// Number of elements.
    pub fn len(&self) -> usize {
        match self {
            Array::Numbers { kind, bytes } => bytes.len() / kind.width(),
            Array::Texts(texts) => texts.len(),
            Array::Arrays(arrays) => arrays.len(),
        }
    }

    /// Whether there are no elements.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The elements, if they are numbers.
    pub fn numbers(&self) -> Option<impl Iterator<Item = Value>> {
        let Array::Numbers { kind, bytes } = self else { return None };
        Some(bytes.chunks_exact(kind.width()).filter_map(|bytes| Value::number(*kind, bytes)))
    }
}

/// Appends a length and the bytes of a text.
pub(super) fn write_text(text: &str, out: &mut Vec<u8>) {
    out.extend((text.len() as u64).to_le_bytes());
    out.extend(text.as_bytes());
}

fn unknown_type(cursor: &Cursor<'_>, id: u32) -> Error {
    let what = format!("the type of {}", cursor.subject());
    Error::BadNumber { what, found: id.into(), expected: "a type from 0 to 12, arrays at most 4 deep" }
}

fn not_a_bool(cursor: &Cursor<'_>, bytes: &[u8]) -> Error {
    let found = bytes.first().copied().unwrap_or_default().into();
    Error::BadNumber { what: cursor.subject().to_owned(), found, expected: "0 or 1" }
}
