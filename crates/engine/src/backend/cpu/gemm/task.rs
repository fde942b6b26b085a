//! One product, task by task.

use super::finish::Place;
use super::kernel::{Kernel, PANEL, Strip, Tile};
use super::split::{Load, Split, part};
use super::word::Form;
use super::{Epilogue, Precision, Segment, pack, scratch};
use crate::backend::cpu::isa::Isa;
use crate::backend::cpu::pool::Pool;
use crate::backend::cpu::view::MatMut;
use std::ops::Range;

/// The most words of the contraction between two visits of a tile: A's tile
/// stays in the first cache and B's panels in the second.
const STRIP_WORDS: usize = 512;
/// Tiles that share a strip's panels before the next strip begins.
const GROUP: usize = 8;
/// Rows of A that are converted in one task.
const CONVERTED_ROWS: usize = 64;
const TILE_WORDS: usize = size_of::<Tile>() / 4;

struct Product<'a> {
    kernel: &'static Kernel,
    form: Form,
    segments: &'a [Segment<'a>],
    epilogue: &'a Epilogue<'a>,
    c: MatMut<'a>,
    tiles: usize,
    split: Split,
    /// Converted left operands, in the order of the segments that need it.
    converted: *mut u32,
}

// SAFETY: tasks read everything but C and `converted`, of which each writes its own part.
unsafe impl Sync for Product<'_> {}

/// Computes the product; shapes are checked and C is not empty.
pub(super) fn run(
    pool: &Pool,
    isa: Isa,
    precision: Precision,
    segments: &[Segment<'_>],
    epilogue: &Epilogue<'_>,
    c: MatMut<'_>,
) {
    let form = Form::choose(isa, precision);
    let kernel = Kernel::choose(isa, form);
    let tiles = c.rows.div_ceil(kernel.rows);
    let words = |segment: &Segment<'_>| form.words(segment.a.cols);
    let is_packed = |segment: &&Segment<'_>| pack::stored(&segment.b, form, 0).is_none();
    let load = Load {
        tiles,
        panels: c.cols.div_ceil(PANEL),
        words: segments.iter().map(words).sum(),
        packed_words: segments.iter().filter(is_packed).map(words).sum(),
        threads: pool.threads(),
    };
    let is_converted = |segment: &&Segment<'_>| !is_direct(segment, form);
    let converted: usize = segments.iter().filter(is_converted).map(words).sum();
    scratch::with(converted * c.rows, |converted| {
        let split = Split::choose(load);
        let product = Product { kernel, form, segments, epilogue, c, tiles, split, converted };
        product.convert(pool);
        // SAFETY: blocks are disjoint, and `kernel` was chosen for a present `isa`.
        pool.run(split.tasks(), |task| unsafe { product.block(task) });
    });
}

/// Whether a kernel can read the left operand where it is.
fn is_direct(segment: &Segment<'_>, form: Form) -> bool {
    form.is_stored_as(segment.a.elem) && segment.a.cols.is_multiple_of(form.numbers())
}

impl Product<'_> {
    /// Brings left operands into the form the kernel reads, where they are not.
    fn convert(&self, pool: &Pool) {
        let rows = self.c.rows;
        let mut to = self.converted;
        for segment in self.segments.iter().filter(|segment| !is_direct(segment, self.form)) {
            let words = self.form.words(segment.a.cols);
            let target = Target(to);
            pool.for_chunks(rows, CONVERTED_ROWS, |chunk| {
                let part = segment.a.rows(chunk.start, chunk.len());
                // SAFETY: the chunk's rows are this task's own part of the scratch memory.
                unsafe { (self.kernel.convert)(part, self.form, target.row(chunk.start * words)) };
            });
            to = to.wrapping_add(words * rows);
        }
    }

    /// Computes one block of C.
    unsafe fn block(&self, task: usize) {
        let (tiles, panels) = self.split.block(task);
        let words = self.segments.iter().filter(|s| pack::stored(&s.b, self.form, 0).is_none());
        let words: usize = words.map(|s| self.form.words(s.a.cols)).sum();
        let sums = GROUP * panels.len();
        scratch::with(sums * TILE_WORDS + words * panels.len() * PANEL, |memory| {
            let packed = memory.wrapping_add(sums * TILE_WORDS);
            // SAFETY: the scratch memory was measured for this block.
            unsafe {
                self.pack(&panels, packed);
                for first in tiles.clone().step_by(GROUP) {
                    let group = first..tiles.end.min(first + GROUP);
                    self.group(group, &panels, memory.cast(), packed);
                }
            }
        });
    }

    /// Packs the panels of every segment that is not stored as such.
    unsafe fn pack(&self, panels: &Range<usize>, mut to: *mut u32) {
        for segment in self.segments {
            if pack::stored(&segment.b, self.form, 0).is_some() {
                continue;
            }
            for panel in panels.clone() {
                // SAFETY: passed on.
                unsafe { pack::pack(self.kernel, &segment.b, self.form, panel, to) };
                to = to.wrapping_add(self.form.words(segment.a.cols) * PANEL);
            }
        }
    }

    /// Computes a few tiles × `panels`, strip by strip, and writes them.
    unsafe fn group(&self, tiles: Range<usize>, panels: &Range<usize>, sums: *mut Tile, packed: *const u32) {
        let mut resume = false;
        let (mut converted, mut packed) = (self.converted.cast_const(), packed);
        for segment in self.segments {
            let words = self.form.words(segment.a.cols);
            let (a, a_stride) = if is_direct(segment, self.form) {
                (segment.a.row_ptr(0), segment.a.stride * segment.a.elem.bytes())
            } else {
                let own = converted;
                converted = converted.wrapping_add(words * self.c.rows);
                (own.cast(), words * 4)
            };
            let stored = pack::stored(&segment.b, self.form, panels.start);
            let b = stored.unwrap_or(packed);
            let n_strips = words.div_ceil(STRIP_WORDS);
            for strip in 0..n_strips {
                let range = part(words, n_strips, strip);
                for (t, tile) in tiles.clone().enumerate() {
                    let rows = self.rows(tile);
                    for (p, panel) in panels.clone().enumerate() {
                        let strip = Strip {
                            a: a.wrapping_add(rows.start * a_stride + range.start * 4),
                            a_stride,
                            b: b.wrapping_add((p * words + range.start) * PANEL),
                            words: range.len(),
                        };
                        let cols = self.cols(panel).len();
                        // SAFETY: rows, columns and words exist in both operands.
                        unsafe {
                            let tile = sums.add(t * panels.len() + p);
                            (self.kernel.multiply)(&strip, rows.len(), cols, tile, resume);
                        }
                    }
                }
                resume = true;
            }
            if stored.is_none() {
                packed = packed.wrapping_add(words * panels.len() * PANEL);
            }
        }
        // SAFETY: as above.
        unsafe { self.finish(tiles, panels, sums, resume) };
    }

    /// Writes the tiles of a group; without a single strip they are zero.
    unsafe fn finish(&self, tiles: Range<usize>, panels: &Range<usize>, sums: *mut Tile, computed: bool) {
        for (t, tile) in tiles.enumerate() {
            for (p, panel) in panels.clone().enumerate() {
                let place =
                    Place { epilogue: self.epilogue, c: self.c, rows: self.rows(tile), cols: self.cols(panel) };
                // SAFETY: the tile is in the scratch memory, the place in this task's block.
                unsafe {
                    let tile = sums.add(t * panels.len() + p);
                    if !computed {
                        tile.write_bytes(0, 1);
                    }
                    (self.kernel.finish)(tile, &place);
                }
            }
        }
    }

    fn rows(&self, tile: usize) -> Range<usize> {
        part(self.c.rows, self.tiles, tile)
    }

    fn cols(&self, panel: usize) -> Range<usize> {
        panel * PANEL..self.c.cols.min((panel + 1) * PANEL)
    }
}

/// A pointer that tasks write disjoint parts of.
struct Target(*mut u32);

// SAFETY: every task writes rows of its own.
unsafe impl Sync for Target {}

impl Target {
    fn row(&self, words: usize) -> *mut u32 {
        self.0.wrapping_add(words)
    }
}
