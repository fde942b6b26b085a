//! Weights in the order kernels read them.

use super::kernel::{Kernel, PANEL};
use super::scratch::{self, Line};
use super::word::{self, Form};
use super::{Operand, Precision, pack};
use crate::backend::cpu::isa::Isa;
use crate::backend::cpu::pool::Pool;
use crate::backend::cpu::view::{Elem, Mat};
use std::ops::Range;

/// A frozen (N, K) matrix, packed once: panels of 32 rows, and within a panel
/// the 32 numbers (bf16: the 32 pairs) of one place in K side by side.
///
/// The layout is the same for every instruction set.
pub struct Panels {
    lines: Vec<Line>,
    form: Form,
    n: usize,
    k: usize,
}

/// Some rows of a [`Panels`]: all of them, or a block of a vocabulary.
#[derive(Debug, Clone, Copy)]
pub struct PanelsView<'a> {
    panels: &'a Panels,
    first_panel: usize,
    n: usize,
}

impl std::fmt::Debug for Panels {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Panels({} × {}, {:?})", self.n, self.k, self.elem())
    }
}

/// A pointer that tasks write disjoint parts of.
struct Target(*mut u32);

// SAFETY: every task writes a panel of its own.
unsafe impl Sync for Target {}

impl Target {
    fn get(&self) -> *mut u32 {
        self.0
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
                let to = target.get().add(panel * panel_words);
                pack::pack(kernel, &Operand::Rows(mat), form, panel, &(0..words), to);
            }
        });
        Self { lines, form, n: mat.rows, k: mat.cols }
    }

    /// Rows of the matrix.
    pub fn n(&self) -> usize {
        self.n
    }

    /// Columns of the matrix.
    pub fn k(&self) -> usize {
        self.k
    }

    /// How the numbers are stored.
    pub fn elem(&self) -> Elem {
        match self.form {
            Form::Pairs => Elem::Bf16,
            Form::Floats | Form::RoundedFloats => Elem::F32,
        }
    }

    /// Memory it occupies.
    pub fn bytes(&self) -> usize {
        self.lines.len() * size_of::<Line>()
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
        // SAFETY: the panel exists and has a row of PANEL words per word of K.
        let at = |word: usize| unsafe { *self.panel(n / PANEL).add(word * PANEL + n % PANEL) };
        for (idx, x) in to.iter_mut().enumerate() {
            *x = match self.form {
                Form::Pairs if idx % 2 == 0 => word::widen(at(idx / 2) as u16),
                Form::Pairs => word::widen((at(idx / 2) >> 16) as u16),
                Form::Floats | Form::RoundedFloats => f32::from_bits(at(idx)),
            };
        }
    }

    fn panel(&self, panel: usize) -> *const u32 {
        self.lines.as_ptr().cast::<u32>().wrapping_add(panel * self.form.words(self.k) * PANEL)
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

    /// How the numbers are stored.
    pub fn elem(&self) -> Elem {
        self.panels.elem()
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

    /// The words of one panel of the view.
    pub(super) fn panel(&self, panel: usize) -> *const u32 {
        self.panels.panel(self.first_panel + panel)
    }
}
