//! A frozen weight in bytes.

use super::super::kernel::PANEL;
use super::super::scratch::{self, Lines, Target};
use super::{BIAS, MOST, NUMBERS, ROUND};
use crate::backend::cpu::pool::Pool;
use std::ops::Range;

/// Words of four bytes in a vector that is turned at a time.
const TURNED: usize = 4;

/// An (N, K) matrix of whole numbers, with a scale for each row.
///
/// Panels of 32 rows; within a panel a line of 32 words for every four numbers of K, word r of which
/// holds those of row r, each plus 128. What does not exist is zero.
pub struct Int8 {
    lines: Lines,
    /// (N rounded up to whole panels).
    scales: Vec<f32>,
    n: usize,
    k: usize,
}

impl std::fmt::Debug for Int8 {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Int8({} × {})", self.n, self.k)
    }
}

impl Int8 {
    /// Rounds rows that exist a panel at a time: `fill` writes those asked for. `None` if there is no
    /// memory for them.
    pub fn from_fill(
        pool: &Pool,
        (n, k): (usize, usize),
        fill: &(dyn Fn(Range<usize>, &mut [f32]) + Sync),
    ) -> Option<Self> {
        let n_panels = n.div_ceil(PANEL);
        let panel_words = super::words(k) * PANEL;
        let mut lines = scratch::try_lines(n_panels * panel_words)?;
        let mut scales = vec![0.0_f32; n_panels * PANEL];
        let (target, scale_target) = (Target(lines.as_mut_ptr().cast()), Target(scales.as_mut_ptr().cast()));
        pool.run(n_panels, |panel| {
            let rows = panel * PANEL..n.min((panel + 1) * PANEL);
            let mut values = vec![0.0; rows.len() * k];
            fill(rows.clone(), &mut values);
            // SAFETY: words and scales of a panel are its task's own.
            let (words, scales) = unsafe {
                (
                    std::slice::from_raw_parts_mut(target.at(panel * panel_words), panel_words),
                    std::slice::from_raw_parts_mut(scale_target.at(panel * PANEL).cast::<f32>(), PANEL),
                )
            };
            words.fill(u32::from_ne_bytes([BIAS as u8; NUMBERS]));
            for (col, row) in values.chunks_exact(k.max(1)).enumerate() {
                scales[col] = write_row(row, col, words);
            }
        });
        Some(Self { lines: Lines::Own(lines), scales, n, k })
    }

    /// Rows of the matrix.
    pub fn n(&self) -> usize {
        self.n
    }

    /// Columns of the matrix.
    pub fn k(&self) -> usize {
        self.k
    }

    /// The scale of every row; of rows that do not exist zero.
    pub(super) fn scales(&self) -> &[f32] {
        &self.scales
    }

    /// Words of panel `panel`.
    pub(in super::super) fn panel(&self, panel: usize) -> *const u32 {
        let words = super::words(self.k) * PANEL;
        self.lines.as_ptr().cast::<u32>().wrapping_add(panel * words)
    }

    /// The whole number at row `n`, column `k`.
    fn code(&self, n: usize, k: usize) -> i32 {
        let at = k / NUMBERS * PANEL + n % PANEL;
        // SAFETY: rows and columns exist.
        let word = unsafe { *self.panel(n / PANEL).add(at) };
        i32::from(word.to_ne_bytes()[k % NUMBERS]) - BIAS
    }

    /// Writes all rows, as what they are worth, to `to`.
    ///
    /// # Panics
    /// If `to` is not N · K long.
    pub fn read(&self, to: &mut [f32]) {
        assert_eq!(to.len(), self.n * self.k, "{} × {} numbers", self.n, self.k);
        for (n, row) in to.chunks_exact_mut(self.k.max(1)).enumerate() {
            row.iter_mut().enumerate().for_each(|(k, x)| *x = self.code(n, k) as f32 * self.scales[n]);
        }
    }

    /// Column `k` as what it is worth, (N).
    pub(super) fn column(&self, k: usize, to: &mut [f32]) {
        for (panel, (to, scales)) in to.chunks_mut(PANEL).zip(self.scales.chunks(PANEL)).enumerate() {
            let line = self.panel(panel).wrapping_add(k / NUMBERS * PANEL);
            for (row, (x, scale)) in to.iter_mut().zip(scales).enumerate() {
                // SAFETY: a line has a word for every row of its panel.
                let word = unsafe { *line.add(row) };
                *x = (i32::from(word.to_ne_bytes()[k % NUMBERS]) - BIAS) as f32 * scale;
            }
        }
    }

    /// Row `n` as whole numbers, (K): what it is worth to a product that has its scale already.
    pub(super) fn row(&self, n: usize, to: &mut [f32]) {
        to.iter_mut().enumerate().for_each(|(k, x)| *x = self.code(n, k) as f32);
    }

    /// Packs words `words` of panel `panel` of the transpose: a word holds four neighbours along N,
    /// a line those of 32 columns of W.
    ///
    /// # Safety
    /// `to` holds a line for each of `words`, which begin at a multiple of 8.
    pub(in super::super) unsafe fn pack_turned(&self, panel: usize, words: &Range<usize>, to: *mut u32) {
        let turn_line = turning();
        let lines = super::words(self.k);
        let first_line = panel * PANEL / NUMBERS;
        let groups = PANEL / TURNED;
        for at in words.clone().step_by(groups) {
            let from = self.panel(at / groups);
            let n_groups = groups.min(words.end - at);
            for within in 0..groups {
                let line = first_line + within;
                // SAFETY: lines of a panel that exist have a word for each of its rows; `to` has
                // `n_groups` lines from here on.
                unsafe {
                    let to = to.add((at - words.start) * PANEL + within * TURNED);
                    match line < lines {
                        true => turn_line(from.add(line * PANEL), n_groups, to),
                        false => (0..n_groups).for_each(|group| {
                            let zero = u32::from_ne_bytes([BIAS as u8; NUMBERS]);
                            to.add(group * PANEL).cast::<[u32; TURNED]>().write_unaligned([zero; TURNED]);
                        }),
                    }
                }
            }
        }
    }
}

/// Rounds a row to bytes, writes it as column `col` of a panel, and returns its scale.
fn write_row(row: &[f32], col: usize, words: &mut [u32]) -> f32 {
    let top = row.iter().fold(0.0_f32, |top, x| top.max(x.abs()));
    let inverse = if top > 0.0 { MOST / top } else { 0.0 };
    for (numbers, word) in row.chunks(NUMBERS).zip(words.chunks_exact_mut(PANEL)) {
        let mut bytes = word[col].to_ne_bytes();
        for (byte, x) in bytes.iter_mut().zip(numbers) {
            *byte = ((x * inverse + ROUND) - ROUND + BIAS as f32) as u8;
        }
        word[col] = u32::from_ne_bytes(bytes);
    }
    top / MOST
}

/// Turns the 4 × 4 bytes of each of so many groups of four words; the results lie a line apart.
type TurnLine = unsafe fn(*const u32, usize, *mut u32);

fn turning() -> TurnLine {
    #[cfg(target_arch = "x86_64")]
    if is_x86_feature_detected!("avx2") {
        return super::x86::turn_line;
    }
    turn_line
}

unsafe fn turn_line(from: *const u32, n_groups: usize, to: *mut u32) {
    for group in 0..n_groups {
        // SAFETY: the caller vouches for four words on either side.
        unsafe {
            let words = from.add(group * TURNED).cast::<[u32; TURNED]>().read_unaligned();
            let bytes = words.map(u32::to_ne_bytes);
            let turned: [u32; TURNED] =
                std::array::from_fn(|k| u32::from_ne_bytes(std::array::from_fn(|n| bytes[n][k])));
            to.add(group * PANEL).cast::<[u32; TURNED]>().write_unaligned(turned);
        }
    }
}
