//! Weights in the order kernels read them.

mod lent;

use super::coded::{Coded, CodedPanel};
use super::kernel::{Kernel, PANEL};
use super::scratch::{self, Lines, Target};
use super::word::{self, Form};
use super::{Operand, Precision, pack};
use crate::backend::cpu::isa::Isa;
use crate::backend::cpu::pool::Pool;
use crate::backend::cpu::view::{Elem, Mat};
use crate::coding::CodedWeight;
use std::ops::Range;

/// A frozen (N, K) matrix, packed once: panels of 32 rows, and within a panel
/// the 32 numbers (bf16: the 32 pairs) of one place in K side by side.
///
/// Or it stays coded: then `coded` says how a panel lies in memory, and what reads
/// it decodes it on the way.
///
/// The layout is the same for every instruction set.
pub struct Panels {
    lines: Lines,
    store: Store,
    n: usize,
    k: usize,
}

/// What the memory of panels holds.
enum Store {
    /// Words of a form.
    Words(Form),
    /// Integers and scales.
    Codes(Coded),
}

/// Some rows of a [`Panels`]: all of them, or a block of a vocabulary.
#[derive(Debug, Clone, Copy)]
pub struct PanelsView<'a> {
    panels: &'a Panels,
    first_panel: usize,
    n: usize,
}

/// What one panel holds.
pub(super) enum Content<'a> {
    /// Numbers of this storage in a kernel's order.
    Words(Elem, *const u32),
    /// Integers and scales.
    Codes(CodedPanel<'a>),
}

impl std::fmt::Debug for Panels {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { n, k, store, .. } = self;
        match store {
            Store::Words(form) => write!(f, "Panels({n} × {k}, {form:?})"),
            Store::Codes(coded) => write!(f, "Panels({n} × {k}, {})", coded.coding),
        }
    }
}

impl Panels {
    /// Packs the rows of an (N, K) matrix, rounded to bf16 if `precision` says so.
    pub fn from_rows(pool: &Pool, mat: Mat<'_>, precision: Precision) -> Self {
        let form = match precision {
            Precision::F32 => Form::Floats,
            Precision::Bf16 => Form::Pairs,
        };
        let words = form.words(mat.cols);
        let panel_words = words * PANEL;
        let n_panels = mat.rows.div_ceil(PANEL);
        let mut lines = scratch::lines(n_panels * panel_words);
        let target = Target(lines.as_mut_ptr().cast());
        let kernel = Kernel::choose(Isa::best(), form);
        pool.run(n_panels, |panel| {
            // SAFETY: panel `panel` is this task's own part of `lines`.
            unsafe {
                let to = target.at(panel * panel_words);
                pack::pack(kernel, &Operand::Rows(mat), form, panel, &(0..words), to);
            }
        });
        Self { lines: Lines::Own(lines), store: Store::Words(form), n: mat.rows, k: mat.cols }
    }

    /// As [`Panels::from_rows`], from rows that exist a panel at a time: `fill` writes those asked for.
    pub fn from_fill(
        pool: &Pool,
        (rows, cols): (usize, usize),
        precision: Precision,
        fill: &(dyn Fn(Range<usize>, &mut [f32]) + Sync),
    ) -> Option<Self> {
        let form = match precision {
            Precision::F32 => Form::Floats,
            Precision::Bf16 => Form::Pairs,
        };
        let words = form.words(cols);
        let panel_words = words * PANEL;
        let n_panels = rows.div_ceil(PANEL);
        let mut lines = scratch::try_lines(n_panels * panel_words)?;
        let target = Target(lines.as_mut_ptr().cast());
        let kernel = Kernel::choose(Isa::best(), form);
        pool.run(n_panels, |panel| {
            let here = panel * PANEL..rows.min((panel + 1) * PANEL);
            let n_rows = here.len();
            scratch::with(n_rows * cols, |room| {
                // SAFETY: `room` holds as many words, which are initialised; any word is an f32.
                let room = unsafe { std::slice::from_raw_parts_mut(room.cast::<f32>(), n_rows * cols) };
                fill(here, room);
                let mat = Mat::f32(room, n_rows, cols);
                // SAFETY: panel `panel` is this task's own part of `lines`; the rows exist.
                unsafe {
                    let to = target.at(panel * panel_words);
                    pack::pack(kernel, &Operand::Rows(mat), form, 0, &(0..words), to);
                }
            });
        });
        Some(Self { lines: Lines::Own(lines), store: Store::Words(form), n: rows, k: cols })
    }

    /// Takes a coded weight apart into panels, a panel at a time and never as numbers;
    /// `None` if there is no memory for it.
    ///
    /// # Panics
    /// If K is not a multiple of the coding's chunk, or a row lacks parts.
    pub fn from_codes(pool: &Pool, weight: &CodedWeight<'_>) -> Option<Self> {
        let CodedWeight { rows: n, cols: k, coding, .. } = *weight;
        assert!(k.is_multiple_of(coding.chunk()), "{k} columns, {coding} has chunks of {}", coding.chunk());
        let coded = Coded::new(weight);
        let panel_bytes = coded.panel_bytes(k);
        let n_panels = n.div_ceil(PANEL);
        let mut lines = scratch::try_lines((n_panels * panel_bytes).div_ceil(4))?;
        let target = Target(lines.as_mut_ptr().cast());
        pool.run(n_panels, |panel| {
            let rows = panel * PANEL..n.min((panel + 1) * PANEL);
            // SAFETY: panel `panel` is this task's own part of `lines`.
            let to = unsafe {
                let first = target.at(0).cast::<u8>().add(panel * panel_bytes);
                std::slice::from_raw_parts_mut(first, panel_bytes)
            };
            coded.write_panel(weight, rows, to);
        });
        Some(Self { lines: Lines::Own(lines), store: Store::Codes(coded), n, k })
    }

    /// Rows of the matrix.
    pub fn n(&self) -> usize {
        self.n
    }

    /// Columns of the matrix.
    pub fn k(&self) -> usize {
        self.k
    }

    /// Memory it occupies.
    pub fn bytes(&self) -> usize {
        self.lines.bytes().len()
    }

    /// All rows.
    pub fn view(&self) -> PanelsView<'_> {
        PanelsView { panels: self, first_panel: 0, n: self.n }
    }

    /// The rows `range`; both ends are multiples of 32, or the end of the matrix.
    ///
    /// # Panics
    /// If they are not, or the rows do not exist.
    pub fn rows(&self, range: Range<usize>) -> PanelsView<'_> {
        self.view().rows(range)
    }

    /// Writes row `n`, widened, to `to`.
    ///
    /// # Panics
    /// If the row does not exist or `to` is not K long.
    pub fn row(&self, n: usize, to: &mut [f32]) {
        assert!(n < self.n, "row {n} of {}", self.n);
        assert_eq!(to.len(), self.k, "a row has {} numbers", self.k);
        let form = match &self.store {
            Store::Words(form) => form,
            Store::Codes(coded) => return self.codes(coded, n / PANEL).row(n % PANEL, to),
        };
        let panel = self.panel(n / PANEL).cast::<u32>();
        // SAFETY: the panel exists and has a row of PANEL words per word of K.
        let at = |word: usize| unsafe { *panel.add(word * PANEL + n % PANEL) };
        for (idx, x) in to.iter_mut().enumerate() {
            *x = match form {
                Form::Pairs if idx % 2 == 0 => word::widen(at(idx / 2) as u16),
                Form::Pairs => word::widen((at(idx / 2) >> 16) as u16),
                Form::Floats | Form::RoundedFloats => f32::from_bits(at(idx)),
            };
        }
    }

    /// Writes all rows, widened, to `to`.
    ///
    /// # Panics
    /// If `to` is not N · K long.
    pub fn read(&self, to: &mut [f32]) {
        assert_eq!(to.len(), self.n * self.k, "{} × {} numbers", self.n, self.k);
        to.chunks_mut(self.k.max(1)).enumerate().for_each(|(row, to)| self.row(row, to));
    }

    fn panel(&self, panel: usize) -> *const u8 {
        let bytes = match &self.store {
            Store::Words(form) => form.words(self.k) * PANEL * 4,
            Store::Codes(coded) => coded.panel_bytes(self.k),
        };
        self.lines.as_ptr().wrapping_add(panel * bytes)
    }

    fn codes<'a>(&'a self, coded: &'a Coded, panel: usize) -> CodedPanel<'a> {
        CodedPanel { coded, first: self.panel(panel), row: panel * PANEL, k: self.k }
    }
}

impl PanelsView<'_> {
    /// Rows in view.
    pub fn n(&self) -> usize {
        self.n
    }

    /// Columns of the matrix.
    pub fn k(&self) -> usize {
        self.panels.k
    }

    /// The rows `range` of those in view; both ends are multiples of 32, or the end.
    ///
    /// # Panics
    /// If they are not, or the rows do not exist.
    pub fn rows(self, range: Range<usize>) -> Self {
        assert!(range.start <= range.end && range.end <= self.n, "rows {range:?} of {}", self.n);
        let is_edge = |row: usize| row.is_multiple_of(PANEL) || row == self.n;
        assert!(is_edge(range.start) && is_edge(range.end), "rows {range:?} cut a panel of {PANEL}");
        let first_panel = self.first_panel + range.start.div_ceil(PANEL);
        Self { first_panel, n: range.len(), ..self }
    }

    /// What one panel of the view holds.
    pub(super) fn content(&self, panel: usize) -> Content<'_> {
        let panel = self.first_panel + panel;
        match &self.panels.store {
            Store::Words(Form::Pairs) => Content::Words(Elem::Bf16, self.panels.panel(panel).cast()),
            Store::Words(_) => Content::Words(Elem::F32, self.panels.panel(panel).cast()),
            Store::Codes(coded) => Content::Codes(self.panels.codes(coded, panel)),
        }
    }
}
