//! One product, block by block.

use super::coded::GROUP;
use super::finish::Place;
use super::kernel::{CodedRows, Kernel, PANEL, STREAM_ROWS, Strip, Tile};
use super::left::Left;
use super::scratch::Line;
use super::split::{Load, part};
use super::visit::{FUSED, LIMIT, Stretch, UNLIMITED, Visit, visits};
use super::word::Form;
use super::{Epilogue, Operand, Segment, int8, pack, scratch};
use crate::backend::cpu::view::{Mat, MatMut};
use std::ops::Range;

/// Words of a panel that are decoded at a time for a single tile: 4 KiB, read back from the nearest cache.
const PIECE: usize = 32;
/// Words of a cache line.
const LINE: usize = 16;
const TILE_WORDS: usize = size_of::<Tile>() / 4;

/// A product on its way: what tasks compute blocks of.
pub(super) struct Work<'a> {
    pub(super) kernel: &'static Kernel,
    pub(super) form: Form,
    pub(super) segments: &'a [Segment<'a>],
    pub(super) epilogue: &'a Epilogue<'a>,
    pub(super) c: MatMut<'a>,
    pub(super) tiles: usize,
    /// Where the kernel finds each segment's left operand.
    pub(super) left: Vec<Left>,
    /// Each segment's left operand in bytes, and how bytes are multiplied.
    pub(super) bytes: Vec<Option<&'a int8::Rows>>,
    pub(super) int8: int8::Kernel,
    /// Panels of each segment's right operand that were packed for all tasks.
    pub(super) shared: Vec<Option<*const u32>>,
}

// SAFETY: tasks read everything but C, of which each writes its own part.
unsafe impl Sync for Work<'_> {}

impl Work<'_> {
    /// A panel of a right operand, if there is one in the order of the kernel.
    fn stored(&self, segment: usize, panel: usize) -> Option<*const u32> {
        let b = &self.segments[segment].b;
        let panel_words = self.segments[segment].words(self.form) * PANEL;
        let shared = self.shared[segment].map(|first| first.wrapping_add(panel * panel_words));
        shared.or_else(|| pack::stored(b, self.form, panel))
    }

    /// Whether tasks pack the right operand of a segment for themselves.
    pub(super) fn is_packed(&self, segment: usize) -> bool {
        self.stored(segment, 0).is_none() && self.streamed(segment).is_none()
    }

    /// Whether panels that are stored otherwise are brought into form a piece at a time, right before
    /// the only tile that reads them.
    fn is_by_pieces(&self, segment: usize) -> bool {
        let is_panels = matches!(self.segments[segment].b, Operand::Panels(_));
        self.tiles == 1 && is_panels && self.is_packed(segment)
    }

    /// The right operand, if packing it would cost more than the few rows of A repay.
    fn streamed(&self, segment: usize) -> Option<Mat<'_>> {
        let is_whole = |mat: &Mat<'_>| mat.cols.is_multiple_of(self.form.numbers());
        match self.segments[segment].b {
            Operand::Rows(mat) if self.c.rows <= STREAM_ROWS => {
                Some(mat).filter(|mat| self.form.is_stored_as(mat.elem) && is_whole(mat))
            }
            _ => None,
        }
    }

    fn visits(&self) -> impl Iterator<Item = Visit> + Clone {
        let is_panels = |segment: &Segment<'_>| matches!(segment.b, Operand::Panels(_) | Operand::Int8(_));
        // One tile of rows reads every panel once: the fewer stops the better.
        let reads_once = self.tiles == 1 && self.segments.iter().all(is_panels);
        visits(self.segments, self.form, if reads_once { UNLIMITED } else { LIMIT })
    }

    pub(super) fn load(&self, threads: usize) -> Load {
        let words = |segment: usize| self.segments[segment].words(self.form);
        let all = 0..self.segments.len();
        Load {
            tiles: self.tiles,
            panels: self.c.cols.div_ceil(PANEL),
            words: all.clone().map(words).sum(),
            packed_words: all.filter(|segment| self.is_packed(*segment)).map(words).sum(),
            visit_words: self.visits().map(|visit| visit.words()).max().unwrap_or(0),
            visits: self.visits().count(),
            threads,
        }
    }

    /// Computes one block of C, visit by visit.
    pub(super) unsafe fn block(&self, tiles: Range<usize>, panels: Range<usize>) {
        let visits = self.visits();
        let packed = visits.clone().map(|visit| visit.words()).max().unwrap_or(0) * panels.len() * PANEL;
        // Sums of a single visit need not outlive their tile.
        let is_long = visits.clone().nth(1).is_some();
        let n_tiles = if is_long { tiles.len() * panels.len() } else { 1 };
        scratch::with(n_tiles * TILE_WORDS + packed, |memory| {
            let sums = Sums { tiles: memory.cast(), stride: if is_long { panels.len() } else { 0 } };
            let packed = memory.wrapping_add(n_tiles * TILE_WORDS);
            let mut visits = visits.peekable();
            let mut resume = false;
            // SAFETY: the scratch memory was measured for this block.
            unsafe {
                while let Some(visit) = visits.next() {
                    self.pack(&visit, &panels, packed);
                    let step = Step { visit, packed, resume, is_last: visits.peek().is_none() };
                    self.visit(&step, tiles.clone(), &panels, &sums);
                    resume = true;
                }
                if !resume {
                    sums.tiles.write_bytes(0, n_tiles);
                    tiles.for_each(|tile| {
                        panels.clone().for_each(|panel| self.finish(sums.tiles, tile, panel))
                    });
                }
            }
        });
    }

    /// Packs what a visit reads of the segments that are not stored as panels.
    unsafe fn pack(&self, visit: &Visit, panels: &Range<usize>, mut to: *mut u32) {
        for stretch in visit.stretches() {
            if !self.is_packed(stretch.segment) || self.is_by_pieces(stretch.segment) {
                continue;
            }
            let segment = &self.segments[stretch.segment];
            for panel in panels.clone() {
                // SAFETY: passed on.
                unsafe { pack::pack(self.kernel, &segment.b, self.form, panel, &stretch.words, to) };
                to = to.wrapping_add(stretch.words.len() * PANEL);
            }
        }
    }

    /// Adds the products of one visit to a block, and writes it if it was the last.
    unsafe fn visit(&self, step: &Step, tiles: Range<usize>, panels: &Range<usize>, sums: &Sums) {
        for (t, tile) in tiles.enumerate() {
            let rows = self.rows(tile);
            let (mut strips, n_strips) = self.strips(step, rows.start, panels);
            for (p, panel) in panels.clone().enumerate() {
                self.look_ahead(step, tile, panel);
                self.look_ahead_left(
                    &strips[..n_strips],
                    (rows.start, rows.end),
                    part(rows.len(), panels.len(), p),
                );
                // SAFETY: rows, columns and words exist in both operands.
                unsafe {
                    let sum = sums.at(t, p);
                    let strips = &mut strips[..n_strips];
                    let spot =
                        Spot { panel, row: rows.start, rows: rows.len(), cols: self.cols(panel).len(), sum };
                    self.multiply(&step.visit, strips, &spot, step.resume);
                    if step.is_last {
                        self.finish(sum, tile, panel);
                    }
                    for strip in strips {
                        strip.b = strip.b.wrapping_add(strip.panel_bytes);
                    }
                }
            }
        }
    }

    /// Adds the products of strips to a tile, wherever their right operands are.
    unsafe fn multiply(&self, visit: &Visit, strips: &[Strip], spot: &Spot, mut resume: bool) {
        let &Spot { rows, cols, sum, .. } = spot;
        // SAFETY: passed on.
        unsafe {
            let is_bytes = |stretch: &Stretch| self.bytes[stretch.segment].is_some();
            let plain = strips.iter().all(|strip| strip.b_stride == 0 && !strip.b.is_null());
            if plain && !visit.stretches().iter().any(is_bytes) {
                (self.kernel.multiply)(strips, rows, cols, sum, resume);
                return;
            }
            for (strip, stretch) in strips.iter().zip(visit.stretches()) {
                if let Some(bytes) = self.bytes[stretch.segment] {
                    self.by_bytes(strip, (stretch.segment, bytes), spot, resume);
                } else if strip.b.is_null() {
                    self.by_pieces(strip, stretch, spot, resume);
                } else if strip.b_stride == 0 {
                    (self.kernel.multiply)(std::slice::from_ref(strip), rows, cols, sum, resume);
                } else {
                    (self.kernel.stream)(strip, rows, cols, sum, resume);
                }
                resume = true;
            }
        }
    }

    /// Adds the products of one strip of bytes to a tile.
    unsafe fn by_bytes(
        &self,
        strip: &Strip,
        (segment, bytes): (usize, &int8::Rows),
        spot: &Spot,
        resume: bool,
    ) {
        let weight = &self.segments[segment].b;
        let factors = bytes.factors(spot.row..spot.row + spot.rows, weight, spot.panel);
        // SAFETY: passed on; the factors are those of the tile's rows and the panel's columns.
        unsafe { (self.int8.multiply)(strip, spot.rows, &factors, spot.sum, resume) };
    }

    /// Adds the products of one strip to a tile, decoding its panel on the way.
    unsafe fn by_pieces(&self, strip: &Strip, stretch: &Stretch, spot: &Spot, mut resume: bool) {
        let b = &self.segments[stretch.segment].b;
        // SAFETY: passed on.
        if unsafe { self.in_registers(b, strip, stretch, spot, resume) } {
            return;
        }
        let mut piece = [Line([0; LINE]); PIECE * PANEL / LINE];
        let to = piece.as_mut_ptr().cast::<u32>();
        for at in stretch.words.clone().step_by(PIECE) {
            let words = at..stretch.words.end.min(at + PIECE);
            let a = strip.a.wrapping_add((at - stretch.words.start) * 4);
            let part = Strip { a, b: to.cast_const().cast(), words: words.len(), ..*strip };
            // SAFETY: the panel has the words, and `piece` room for them.
            unsafe {
                pack::pack(self.kernel, b, self.form, spot.panel, &words, to);
                (self.kernel.multiply)(std::slice::from_ref(&part), spot.rows, spot.cols, spot.sum, resume);
            }
            resume = true;
        }
    }

    /// As [`Product::by_pieces`] where the kernel decodes what it multiplies; false if it does not.
    unsafe fn in_registers(
        &self,
        b: &Operand<'_>,
        strip: &Strip,
        stretch: &Stretch,
        spot: &Spot,
        resume: bool,
    ) -> bool {
        let Some(panel) = pack::coded_panel(b, spot.panel).filter(|_| self.form == Form::Pairs) else {
            return false;
        };
        let group = |word: usize| word * self.form.numbers() / GROUP;
        let groups = group(stretch.words.start)..group(stretch.words.end);
        let &Strip { a, a_stride, .. } = strip;
        let operands = CodedRows { a, a_stride, rows: spot.rows, panel: &panel, groups };
        // SAFETY: the stretch is a number of whole groups, for K is and cuts fall between them.
        unsafe { (self.kernel.multiply_coded)(&operands, spot.sum, resume) }
    }

    /// The operands of a visit for the rows from `row` on and the first of `panels`. Right operands
    /// that come by pieces are null.
    fn strips(&self, step: &Step, row: usize, panels: &Range<usize>) -> ([Strip; FUSED], usize) {
        let mut strips = [Strip::default(); FUSED];
        let stretches = step.visit.stretches();
        let mut packed = step.packed;
        for (strip, stretch) in strips.iter_mut().zip(stretches) {
            let segment = &self.segments[stretch.segment];
            let words = stretch.words.len();
            let left = self.left[stretch.segment];
            strip.a = left.first.wrapping_add(row * left.stride + stretch.words.start * 4);
            strip.a_stride = left.stride;
            strip.words = words;
            if let Some(stored) = self.stored(stretch.segment, panels.start) {
                strip.b = stored.wrapping_add(stretch.words.start * PANEL).cast();
                strip.panel_bytes = segment.words(self.form) * PANEL * 4;
            } else if let Some(mat) = self.streamed(stretch.segment) {
                strip.b = mat.row_ptr(panels.start * PANEL).wrapping_add(stretch.words.start * 4);
                strip.b_stride = mat.stride * mat.elem.bytes();
                strip.panel_bytes = strip.b_stride * PANEL;
            } else if !self.is_by_pieces(stretch.segment) {
                strip.b = packed.cast();
                strip.panel_bytes = words * PANEL * 4;
                packed = packed.wrapping_add(words * panels.len() * PANEL);
            }
        }
        (strips, stretches.len())
    }

    unsafe fn finish(&self, sum: *const Tile, tile: usize, panel: usize) {
        let (rows, cols) = (self.rows(tile), self.cols(panel));
        let place = Place { epilogue: self.epilogue, c: self.c, rows, cols };
        // SAFETY: the place lies in this task's block.
        unsafe { (self.kernel.finish)(sum, &place) };
    }

    pub(super) fn rows(&self, tile: usize) -> Range<usize> {
        part(self.c.rows, self.tiles, tile)
    }

    pub(super) fn cols(&self, panel: usize) -> Range<usize> {
        panel * PANEL..self.c.cols.min((panel + 1) * PANEL)
    }
}

/// One visit to a block.
pub(super) struct Step {
    visit: Visit,
    packed: *const u32,
    resume: bool,
    pub(super) is_last: bool,
}

/// A panel, the part of a tile that is in use, and its sums.
struct Spot {
    panel: usize,
    /// The tile's first row.
    row: usize,
    rows: usize,
    cols: usize,
    sum: *mut Tile,
}

/// Where a block keeps its sums: a tile for each, or one for all.
struct Sums {
    tiles: *mut Tile,
    /// Tiles per row of the block; zero if there is one for all.
    stride: usize,
}

impl Sums {
    fn at(&self, tile: usize, panel: usize) -> *mut Tile {
        self.tiles.wrapping_add(tile * self.stride + if self.stride > 0 { panel } else { 0 })
    }
}
