//! What the user typed to name a base model.

use std::fmt;
use std::path::{Component, Path, PathBuf};

use crate::catalogue::{self, Known};
use crate::{Error, Result};

/// Where a base model is to come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reference {
    /// A folder on this machine.
    Folder(PathBuf),
    /// A GGUF file on this machine.
    Gguf(PathBuf),
    /// A llama2.c file on this machine, with its tokenizer beside it.
    Llama2c(PathBuf),
    /// A repository on the hub.
    Hub(Repo),
}

/// A repository on the hub: `owner/name[@revision][:file]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Repo {
    /// `owner/name`.
    pub id: String,
    /// A branch, tag or commit; the main branch where none is named.
    pub revision: Option<String>,
    /// One file of it, where several could be meant.
    pub file: Option<String>,
}

impl Reference {
    /// The base model used where none is named.
    pub fn default_base() -> Self {
        Self::Hub(Repo { id: catalogue::DEFAULT.repo.to_owned(), revision: None, file: None })
    }

    /// Reads what was typed. What exists on this machine comes first, then aliases, then the hub.
    ///
    /// # Errors
    /// When it can be none of them.
    pub fn parse(typed: &str) -> Result<Self> {
        let path = Path::new(typed);
        if path.is_dir() {
            return Ok(local_folder(path));
        }
        if path.exists() {
            return local_file(typed);
        }
        if let Some(known) = catalogue::find(typed) {
            return Ok(Self::Hub(Repo { id: known.repo.to_owned(), revision: None, file: None }));
        }
        if looks_like_path(typed) {
            return Err(Error::NoSuchPath { typed: typed.to_owned() });
        }
        parse_repo(typed)
            .map(Self::Hub)
            .map_err(|reason| Error::BadReference { typed: typed.to_owned(), reason })
    }
}

impl Repo {
    /// The entry of the catalogue this repository has, if any.
    pub fn known(&self) -> Option<&'static Known> {
        catalogue::find(&self.id)
    }

    /// The revision to ask the hub for.
    pub fn revision_or_main(&self) -> &str {
        self.revision.as_deref().unwrap_or("main")
    }
}

impl fmt::Display for Repo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.id)?;
        self.revision.iter().try_for_each(|revision| write!(f, "@{revision}"))?;
        self.file.iter().try_for_each(|file| write!(f, ":{file}"))
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Folder(path) | Self::Gguf(path) | Self::Llama2c(path) => path.display().fmt(f),
            Self::Hub(repo) => repo.fmt(f),
        }
    }
}

/// Whether a file is of a kind that runs code when it is opened.
pub(crate) fn is_pickle(name: &str) -> bool {
    let extension = name.rsplit_once('.').map_or("", |(_, extension)| extension);
    ["bin", "pt", "pth", "ckpt", "pkl", "pickle"].iter().any(|bad| bad.eq_ignore_ascii_case(extension))
}

/// Whether a file is a GGUF file, by its name.
pub(crate) fn is_gguf(name: &str) -> bool {
    name.to_ascii_lowercase().ends_with(".gguf")
}

/// Whether a name stays inside the folder it is joined to, on every system.
pub(crate) fn is_inside(name: &str) -> bool {
    let plain = Path::new(name).components().all(|part| matches!(part, Component::Normal(_)));
    plain && !name.is_empty() && !name.contains(['\\', ':', '\0'])
}

/// A folder; where nothing but llama2.c's `model.bin` is in it, that file.
fn local_folder(path: &Path) -> Reference {
    let bin = path.join("model.bin");
    match !path.join("config.json").exists() && is_llama2c(&bin) {
        true => Reference::Llama2c(bin),
        false => Reference::Folder(path.to_path_buf()),
    }
}

fn local_file(typed: &str) -> Result<Reference> {
    if is_gguf(typed) {
        return Ok(Reference::Gguf(PathBuf::from(typed)));
    }
    if is_llama2c(Path::new(typed)) {
        return Ok(Reference::Llama2c(PathBuf::from(typed)));
    }
    if is_pickle(typed) {
        return Err(Error::Pickle { origin: "this machine".to_owned(), file: typed.to_owned() });
    }
    let reason = if typed.ends_with(".safetensors") {
        "a safetensors file says nothing of its architecture, name the folder it lies in"
    } else {
        "a file must be GGUF or llama2.c's `.bin`"
    };
    Err(Error::BadReference { typed: typed.to_owned(), reason })
}

/// Whether a file begins as llama2.c's do: with their mark, or with seven counts of moderate size,
/// of which the sixth may be negative. No pickle does; whoever opens the file looks closer.
fn is_llama2c(path: &Path) -> bool {
    const MARK: &[u8; 4] = b"24ka";
    const MOST: u32 = 1 << 24;
    let mut head = [0; 28];
    let read = std::fs::File::open(path).and_then(|mut file| std::io::Read::read_exact(&mut file, &mut head));
    let is_count = |four: &[u8; 4]| (1..=MOST).contains(&i32::from_le_bytes(*four).unsigned_abs());
    let named = path.extension().is_some_and(|end| end.eq_ignore_ascii_case("bin"));
    named && read.is_ok() && (head.starts_with(MARK) || head.as_chunks::<4>().0.iter().all(is_count))
}

fn looks_like_path(typed: &str) -> bool {
    let rooted = typed.starts_with(['.', '/', '~', '\\']) || typed.contains('\\') || typed.ends_with('/');
    let in_repo = typed.contains([':', '@']);
    rooted || (!in_repo && (typed.matches('/').count() > 1 || is_gguf(typed) || is_pickle(typed)))
}

fn parse_repo(typed: &str) -> std::result::Result<Repo, &'static str> {
    let (front, file) = match typed.split_once(':') {
        Some((front, file)) => (front, Some(file)),
        None => (typed, None),
    };
    let (id, revision) = match front.split_once('@') {
        Some((id, revision)) => (id, Some(revision)),
        None => (front, None),
    };
    let (owner, name) = id.split_once('/').ok_or("it is no known alias and not of the form `owner/name`")?;
    // Two dashes stand for the slash in folder names, here and on the hub, which refuses them too.
    if !is_plain(owner) || !is_plain(name) || id.contains("--") {
        return Err("owner and name are made of letters, digits, `-`, `_` and `.`");
    }
    if revision.is_some_and(|revision| !revision.split('/').all(is_plain)) {
        return Err("a revision is a branch, a tag or a commit");
    }
    if file.is_some_and(|file| !is_inside(file)) {
        return Err("the file after `:` is not a path inside the repository");
    }
    let owned = |text: Option<&str>| text.map(str::to_owned);
    Ok(Repo { id: id.to_owned(), revision: owned(revision), file: owned(file) })
}

fn is_plain(word: &str) -> bool {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    (1..=96).contains(&word.len())
        && word.chars().all(allowed)
        && !word.starts_with(['.', '-'])
        && !word.contains("..")
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    fn hub(id: &str, revision: Option<&str>, file: Option<&str>) -> Reference {
        let owned = |text: Option<&str>| text.map(str::to_owned);
        Reference::Hub(Repo { id: id.into(), revision: owned(revision), file: owned(file) })
    }

    #[test]
    fn repositories_and_aliases_are_read_and_shown_again() {
        let check = |typed: &str, expected: Reference| {
            let parsed = Reference::parse(typed).unwrap();
            assert_eq!(parsed, expected, "{typed}");
            assert_eq!(Reference::parse(&parsed.to_string()).unwrap(), expected);
        };
        check("owner/name", hub("owner/name", None, None));
        check("o/n-1.5_x@v1.0", hub("o/n-1.5_x", Some("v1.0"), None));
        check("o/n@refs/pr/7:sub/q4.gguf", hub("o/n", Some("refs/pr/7"), Some("sub/q4.gguf")));
        check("o/n:q4.gguf", hub("o/n", None, Some("q4.gguf")));
        check("SmolLM2-135M-Instruct", Reference::default_base());
        check("huggingfacetb/smollm2-135m-instruct", Reference::default_base());
    }

    #[test]
    fn what_is_on_this_machine_comes_first() {
        let dir = tempfile::tempdir().unwrap();
        let gguf = dir.path().join("m.GGUF");
        penname_ledger::write::bytes(&gguf, b"GGUF").unwrap();
        let parse = |path: &Path| Reference::parse(path.to_str().unwrap()).unwrap();
        assert_eq!(parse(dir.path()), Reference::Folder(dir.path().into()));
        assert_eq!(parse(&gguf), Reference::Gguf(gguf));
        for (name, head) in [
            ("v0.bin", [1_i32, 2, 3, 4, 5, -6, 7].map(i32::to_le_bytes).concat()),
            ("v2.bin", {
                let mut head = b"24ka".to_vec();
                head.resize(256, 0);
                head
            }),
        ] {
            let path = dir.path().join(name);
            penname_ledger::write::bytes(&path, &head).unwrap();
            assert_eq!(parse(&path), Reference::Llama2c(path));
        }
        let bin = dir.path().join("model.bin");
        penname_ledger::write::bytes(&bin, &[1_i32, 2, 3, 4, 5, 6, 7].map(i32::to_le_bytes).concat())
            .unwrap();
        assert_eq!(parse(dir.path()), Reference::Llama2c(bin));
        penname_ledger::write::bytes(&dir.path().join("config.json"), b"{}").unwrap();
        assert_eq!(parse(dir.path()), Reference::Folder(dir.path().into()));
        for (name, expected) in [("a.bin", "is a pickle"), ("a.safetensors", "the folder"), ("a", "GGUF")] {
            let path = dir.path().join(name);
            penname_ledger::write::bytes(&path, b"x").unwrap();
            let error = Reference::parse(path.to_str().unwrap()).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
    }

    #[test]
    fn nonsense_is_refused_with_the_reason() {
        let check = |typed: &str, expected: Expect| {
            expected.assert_eq(&Reference::parse(typed).unwrap_err().to_string());
        };
        check("", expect!["`` is not a base model: it is no known alias and not of the form `owner/name`"]);
        check(
            "gpt5",
            expect!["`gpt5` is not a base model: it is no known alias and not of the form `owner/name`"],
        );
        check("./models/x", expect!["`./models/x` looks like a path, and there is nothing at it"]);
        check("models/a/b", expect!["`models/a/b` looks like a path, and there is nothing at it"]);
        check("model.gguf", expect!["`model.gguf` looks like a path, and there is nothing at it"]);
        check("~/x", expect!["`~/x` looks like a path, and there is nothing at it"]);
        check("owner/", expect!["`owner/` looks like a path, and there is nothing at it"]);
        check(
            "owner/na me",
            expect![
                "`owner/na me` is not a base model: owner and name are made of letters, digits, `-`, `_` and `.`"
            ],
        );
        check(
            "owner/na..me",
            expect![
                "`owner/na..me` is not a base model: owner and name are made of letters, digits, `-`, `_` and `.`"
            ],
        );
        check("o/n@", expect!["`o/n@` is not a base model: a revision is a branch, a tag or a commit"]);
        check(
            "o/n:../x.gguf",
            expect![
                "`o/n:../x.gguf` is not a base model: the file after `:` is not a path inside the repository"
            ],
        );
        check(
            "o/n:/etc/passwd",
            expect![
                "`o/n:/etc/passwd` is not a base model: the file after `:` is not a path inside the repository"
            ],
        );
    }
}
