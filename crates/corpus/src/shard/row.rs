//! The lines of a shard.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::Error;
use crate::account::Tally;
use crate::collect::Collected;
use crate::collect::piece::{FormatSeen, Piece};
use crate::dedupe::{Index, Signature};
use crate::document::Document;
use crate::edit::{self, Cut};
use crate::issue::Issue;
use crate::validate::{Judge, Verdicts, known};

/// One line.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(super) enum Row {
    /// What was made of a file beside its documents, or of files told together; the documents follow.
    Piece(Beside),
    /// A document.
    Document(Box<Judged>),
    /// A line of a stream that is no document.
    Issue(Issue),
}

/// What was made of a file beside its documents.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Beside {
    root: String,
    joined: bool,
    name: String,
    n_files: usize,
    given: u64,
    lost: Lost,
    cuts: Vec<Cut>,
    would: Vec<Cut>,
    issues: Vec<Issue>,
    formats: Vec<FormatSeen>,
    forgotten: BTreeMap<String, Vec<String>>,
}

/// A tally.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Lost {
    added: u64,
    dropped: BTreeMap<String, u64>,
}

/// A document, with what rules said of it and by what it is compared.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Judged {
    pub(super) document: Document,
    verdict: Verdict,
    /// What was masked; in a pipe, what was cleaned as well.
    masked: Lost,
    cuts: Vec<Cut>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    signed: Option<Signed>,
}

/// What rules said of one document.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Verdict {
    judged: bool,
    /// Each rule that rejected it, and why.
    rejected: BTreeMap<String, String>,
    personal: BTreeMap<String, usize>,
}

/// A signature in hexadecimal digits.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Signed {
    exact: String,
    keys: Vec<String>,
}

impl From<Tally> for Lost {
    fn from(tally: Tally) -> Self {
        Self { added: tally.added, dropped: tally.dropped }
    }
}

impl From<Lost> for Tally {
    fn from(lost: Lost) -> Self {
        Self { added: lost.added, dropped: lost.dropped }
    }
}

/// The lines of a piece: its documents are judged and signed here.
pub(super) fn rows(piece: Piece, judge: &Judge<'_>, index: &Index) -> Vec<Row> {
    let Piece { root, joined, name, collected, formats } = piece;
    let beside = Beside {
        root,
        joined,
        name,
        n_files: collected.n_files,
        given: collected.given,
        lost: collected.tally.into(),
        cuts: collected.cuts.into_values().collect(),
        would: collected.would.into_values().collect(),
        issues: collected.issues,
        formats,
        forgotten: collected.forgotten,
    };
    let documents = collected.documents.into_iter();
    let judged = documents.map(|document| Row::Document(Box::new(Judged::of(document, judge, index))));
    std::iter::once(Row::Piece(beside)).chain(judged).collect()
}

impl Judged {
    pub(super) fn of(mut document: Document, judge: &Judge<'_>, index: &Index) -> Self {
        let (mut verdicts, mut masked, mut cuts) = (Verdicts::default(), Tally::default(), BTreeMap::new());
        judge.judge(&mut document, &mut verdicts, &mut masked, &mut cuts);
        let signed = Index::compares(&document).then(|| Signed::of(&index.sign(&document).into()));
        let rejected = verdicts.first.into_iter().map(|(rule, (_, why))| (rule.to_owned(), why)).collect();
        let personal = verdicts.personal.into_iter().map(|(kind, n)| (kind.to_owned(), n)).collect();
        let verdict = Verdict { judged: verdicts.judged > 0, rejected, personal };
        let cuts = cuts.into_values().collect();
        Self { document, verdict, masked: masked.into(), cuts, signed }
    }

    /// Enters what cleaning did to it.
    pub(super) fn cleaned(&mut self, cuts: BTreeMap<String, Cut>) {
        let mut all: BTreeMap<String, Cut> = cuts.clone();
        edit::merge(&mut all, &self.cuts);
        self.cuts = all.into_values().collect();
        let mut tally = Tally::from(std::mem::take(&mut self.masked));
        tally.absorb(&cuts.into_values().collect::<Vec<_>>());
        self.masked = tally.into();
    }

    /// Whether rules rejected it.
    pub(super) fn is_rejected(&self) -> bool {
        !self.verdict.rejected.is_empty()
    }

    /// The parts again.
    pub(super) fn apart(self) -> Result<Apart, Error> {
        let Self { document, verdict, masked, cuts, signed } = self;
        let verdicts = verdict.verdicts(&document)?;
        let signature = signed.map(|signed| signed.signature()).transpose()?;
        Ok(Apart { document, verdicts, masked: masked.into(), cuts, signature })
    }
}

/// A judged document in parts.
pub(super) struct Apart {
    pub(super) document: Document,
    pub(super) verdicts: Verdicts,
    pub(super) masked: Tally,
    pub(super) cuts: Vec<Cut>,
    pub(super) signature: Option<Signature>,
}

impl Verdict {
    fn verdicts(self, document: &Document) -> Result<Verdicts, Error> {
        let name = |name: &str| {
            known(name).ok_or_else(|| Error::Shard { what: format!("`{name}` is no rule of this version") })
        };
        let mut verdicts = Verdicts {
            judged: usize::from(self.judged),
            rejected: usize::from(!self.rejected.is_empty()),
            with_personal: usize::from(!self.personal.is_empty()),
            ..Verdicts::default()
        };
        for (rule, why) in self.rejected {
            verdicts.reasons.insert(name(&rule)?, 1);
            verdicts.first.insert(name(&rule)?, (document.path.clone(), why));
        }
        for (kind, n) in self.personal {
            verdicts.personal.insert(name(&kind)?, n);
        }
        Ok(verdicts)
    }
}

impl Signed {
    fn of(signature: &Signature) -> Self {
        let keys = signature.keys.iter().map(|key| format!("{key:016x}")).collect();
        Self { exact: format!("{:032x}", signature.exact), keys }
    }

    fn signature(&self) -> Result<Signature, Error> {
        let bad = |_| Error::Shard { what: "a signature is not made of hexadecimal digits".to_owned() };
        let exact = u128::from_str_radix(&self.exact, 16).map_err(bad)?;
        let keys = self.keys.iter().map(|key| u64::from_str_radix(key, 16).map_err(bad));
        Ok(Signature { exact, keys: keys.collect::<Result<_, _>>()? })
    }
}

impl Beside {
    pub(super) fn given(&self) -> u64 {
        self.given
    }

    /// The piece again, without its documents.
    pub(super) fn piece(self) -> Piece {
        let by_rule = |cuts: Vec<Cut>| cuts.into_iter().map(|cut| (cut.rule.clone(), cut)).collect();
        let collected = Collected {
            n_files: self.n_files,
            given: self.given,
            tally: self.lost.into(),
            cuts: by_rule(self.cuts),
            would: by_rule(self.would),
            issues: self.issues,
            forgotten: self.forgotten,
            ..Collected::default()
        };
        Piece { root: self.root, joined: self.joined, name: self.name, collected, formats: self.formats }
    }
}
