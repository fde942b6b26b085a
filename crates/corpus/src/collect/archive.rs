//! Archives, opened with a budget: what a zip file may cost is decided before it is unpacked.
//!
//! Names that lead out of the archive, archives inside it and members beyond the budget are left
//! unread and told; a member is never unpacked further than it may be large. Knows nothing of what
//! the members mean.

use std::io::{Read, Seek};

use zip::ZipArchive;

/// Members beyond which an archive is not looked through.
const MAX_MEMBERS: usize = 200_000;
/// How often larger than the limit for one file all of an archive may be.
pub(super) const WHOLE: u64 = 32;

/// An open archive.
#[derive(Debug)]
pub(super) struct Archive<R> {
    zip: ZipArchive<R>,
    /// Largest member, in bytes.
    max_member: u64,
    /// Bytes that may still be unpacked.
    left: u64,
}

/// Why a member is not read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Refused {
    /// Its name leads out of the archive.
    Name,
    /// It needs a password.
    Locked,
    /// It is larger than a file may be.
    Huge,
    /// The archive as a whole unpacks to more than it may.
    Spent,
    /// It is not in the archive.
    Missing,
    /// It is damaged.
    Damaged(String),
}

impl std::fmt::Display for Refused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Name => f.write_str("its name leads out of the archive"),
            Self::Locked => f.write_str("it needs a password"),
            Self::Huge => f.write_str("it unpacks to more than `max_file_bytes`"),
            Self::Spent => write!(f, "the archive unpacks to more than {WHOLE} times `max_file_bytes`"),
            Self::Missing => f.write_str("it is not in the archive"),
            Self::Damaged(why) => write!(f, "it is damaged: {why}"),
        }
    }
}

impl<R: Read + Seek> Archive<R> {
    /// Reads the list of members.
    ///
    /// # Errors
    /// What is wrong with the archive, in words.
    pub(super) fn open(reader: R, max_member: u64) -> Result<Self, String> {
        let zip = ZipArchive::new(reader).map_err(|error| format!("a damaged zip archive: {error}"))?;
        if zip.len() > MAX_MEMBERS {
            return Err(format!("a zip archive of {} members, more than {MAX_MEMBERS}", zip.len()));
        }
        Ok(Self { zip, max_member, left: max_member.saturating_mul(WHOLE) })
    }

    /// The names of all files in it, in order, each with whether it may be read at all.
    pub(super) fn names(&mut self) -> Vec<(String, Result<(), Refused>)> {
        let mut names: Vec<_> = (0..self.zip.len()).filter_map(|idx| self.listed(idx)).collect();
        names.sort_by(|a, b| a.0.cmp(&b.0));
        names.dedup_by(|a, b| a.0 == b.0);
        names
    }

    fn listed(&mut self, idx: usize) -> Option<(String, Result<(), Refused>)> {
        let member = match self.zip.by_index_raw(idx) {
            Ok(member) if member.is_dir() => return None,
            Ok(member) => member,
            Err(error) => return Some((format!("member {idx}"), Err(Refused::Damaged(error.to_string())))),
        };
        let name = match member.name() {
            Ok(name) => name.into_owned(),
            Err(error) => return Some((format!("member {idx}"), Err(Refused::Damaged(error.to_string())))),
        };
        let is_inside = is_inside(&name) && member.enclosed_name().is_some();
        let verdict = match () {
            () if !is_inside => Err(Refused::Name),
            () if member.encrypted() => Err(Refused::Locked),
            () => Ok(()),
        };
        Some((name, verdict))
    }

    /// Unpacks one member, whatever its header says of its size.
    ///
    /// # Errors
    /// Why it is not read.
    pub(super) fn read(&mut self, name: &str) -> Result<Vec<u8>, Refused> {
        if !is_inside(name) {
            return Err(Refused::Name);
        }
        let member = self.zip.by_name(name).map_err(|error| match error {
            zip::result::ZipError::FileNotFound => Refused::Missing,
            other => Refused::Damaged(other.to_string()),
        })?;
        let limit = self.max_member.min(self.left);
        let mut bytes = Vec::new();
        let read = member.take(limit.saturating_add(1)).read_to_end(&mut bytes);
        read.map_err(|error| Refused::Damaged(error.to_string()))?;
        if bytes.len() as u64 > limit {
            return Err(if limit < self.max_member { Refused::Spent } else { Refused::Huge });
        }
        self.left -= bytes.len() as u64;
        Ok(bytes)
    }
}

/// Whether a name stays inside the folder it is unpacked to.
fn is_inside(name: &str) -> bool {
    let is_odd = name.starts_with('/') || name.contains(['\\', '\0', ':']);
    !is_odd && !name.split('/').any(|part| part == "..")
}

#[cfg(test)]
pub(in crate::collect) mod tests {
    use super::*;
    use std::io::{Cursor, Write};
    use zip::write::SimpleFileOptions;

    /// A zip archive with these members.
    pub(in crate::collect) fn packed(members: &[(&str, &[u8])]) -> Vec<u8> {
        let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
        for (name, bytes) in members {
            zip.start_file(*name, SimpleFileOptions::default()).unwrap();
            zip.write_all(bytes).unwrap();
        }
        zip.finish().unwrap().into_inner()
    }

    #[test]
    fn members_that_would_cost_too_much_are_refused() {
        let bomb = vec![0; 100_000];
        let bytes = packed(&[("a", &bomb[..50]), ("b", &bomb), ("../c", b"x"), ("d/e", b"y")]);
        assert!(bytes.len() < 1000, "the bomb is small: {}", bytes.len());
        let mut archive = Archive::open(Cursor::new(bytes), 60).unwrap();
        let names: Vec<_> = archive.names();
        assert_eq!(names[0], ("../c".to_owned(), Err(Refused::Name)));
        assert_eq!(archive.read("../c"), Err(Refused::Name));
        assert_eq!(archive.read("b"), Err(Refused::Huge));
        assert_eq!(archive.read("nothing"), Err(Refused::Missing));
        assert_eq!(archive.read("d/e").unwrap(), b"y");
        let reads = (0..60).map(|_| archive.read("a")).filter(Result::is_ok).count();
        assert_eq!(reads, 38);
        assert_eq!(archive.read("a"), Err(Refused::Spent));
    }

    #[test]
    fn what_is_no_archive_is_said() {
        let error = Archive::open(Cursor::new(b"PK\x03\x04 torn".to_vec()), 60).unwrap_err();
        assert!(error.starts_with("a damaged zip archive"), "{error}");
    }
}
