//! Panels from coded panels: 32 numbers of K decoded for 32 rows at a time, into the words a
//! kernel reads.
//!
//! ```text
//! 64 words of codes ─ shift, mask ─ to f32 ─ × scale (+ minimum) ─ round ─ 32 pairs
//! ```
//!
//! The loops run across even and odd numbers of the rows of the panel, which are the lanes of
//! vectors; they are plain and compiled for each instruction set.

use crate::backend::cpu::gemm::PanelsView;
use crate::backend::cpu::gemm::coded::{CodedPanel, GROUP, Group, LANES};
use crate::backend::cpu::gemm::kernel::{Kernel, PANEL, Simd};
use crate::backend::cpu::gemm::panels::Content;
use crate::backend::cpu::gemm::word::{self, Form, LINE};
use crate::backend::cpu::view::{Elem, Mat};
use crate::coding::{NUMBERS, QUANTILES, Scaling, half_power};
use std::ops::Range;

/// One number of each row.
type Line = [f32; PANEL];
/// An even and an odd number of each row.
type Lanes = [f32; LANES];
/// The words a group decodes to, at most.
type Block = [u32; GROUP * PANEL];

/// Numbers `range` of the contraction of a panel.
///
/// # Safety
/// As for [`super::pack`]; both ends of `range` are multiples of 32.
pub(super) unsafe fn straight(
    kernel: &Kernel,
    panel: &CodedPanel<'_>,
    range: Range<usize>,
    form: Form,
    to: *mut u32,
) {
    for (idx, group) in (range.start / GROUP..range.end / GROUP).enumerate() {
        // SAFETY: the panel has the group, and `to` room for its words.
        unsafe { (kernel.decode)(panel, group, form, to.add(idx * form.words(GROUP) * PANEL)) };
    }
}

/// Columns `cols` of the coded rows, as one panel.
///
/// # Safety
/// As for [`super::pack`]; `cols` is one group.
pub(super) unsafe fn transposed(
    kernel: &Kernel,
    view: PanelsView<'_>,
    cols: Range<usize>,
    form: Form,
    to: *mut u32,
) {
    let words = form.words(view.n());
    for source in 0..view.n().div_ceil(PANEL) {
        let Content::Codes(panel) = view.content(source) else { unreachable!("coded panels") };
        let first = form.words(source * PANEL);
        let n_rows = (view.n() - source * PANEL).min(PANEL);
        let mut block: Block = [0; GROUP * PANEL];
        // SAFETY: the source panel has the group; `to` has `words` rows.
        unsafe {
            let to = to.add(first * PANEL);
            (kernel.decode)(&panel, cols.start / GROUP, form, block.as_mut_ptr());
            if form == Form::Pairs {
                super::panel::flip(kernel, block.as_ptr(), form.words(GROUP), to, words - first);
            } else {
                let mat = Mat::from_raw(block.as_ptr().cast(), Elem::F32, GROUP, PANEL, PANEL);
                (kernel.pack_rows)(mat.columns(0, n_rows), Form::Floats, to);
            }
        }
    }
}

/// Decodes group `group` of a panel to words of `form`.
///
/// # Safety
/// The panel has the group, `to` holds `form.words(32)` rows of [`PANEL`] words, and the processor
/// has the instructions of `S`.
#[inline(always)]
pub(in super::super) unsafe fn decode<S: Simd>(
    panel: &CodedPanel<'_>,
    group: usize,
    form: Form,
    to: *mut u32,
) {
    let (place, coding) = (panel.group(group), panel.coded.coding);
    let target = Target { form, rounds: panel.coded.rounds || form == Form::RoundedFloats, to };
    // SAFETY: the group has every part that its coding has.
    unsafe {
        if form == Form::Pairs && S::decode_pairs(panel, group, to) {
            return;
        }
        match (coding.scaling(), coding.bits()) {
            (Scaling::Scale, 8) => scaled::<S, 8>(&place, target),
            (Scaling::Scale, 5) => scaled::<S, 5>(&place, target),
            (Scaling::Scale, _) => scaled::<S, 4>(&place, target),
            (Scaling::Minimum, 5) => raised::<S, 5>(&place, target),
            (Scaling::Minimum, _) => raised::<S, 4>(&place, target),
            (Scaling::SmallMinima, 5) => small::<S, 5>(&place, target),
            (Scaling::SmallMinima, _) => small::<S, 4>(&place, target),
            (Scaling::SmallSigned, _) => signed::<S>(&place, target),
            (Scaling::Nested, _) => nested::<S>(panel, &place, target),
            (Scaling::Power, _) => powered::<S>(&place, target),
        }
    }
}

/// Where decoded numbers go.
#[derive(Clone, Copy)]
struct Target {
    form: Form,
    rounds: bool,
    to: *mut u32,
}

/// d · (q − bias).
#[inline(always)]
unsafe fn scaled<S: Simd, const BITS: usize>(place: &Group, target: Target) {
    // SAFETY: the chunk begins with 32 halves.
    unsafe {
        let d = twice(&halves(place.head));
        let bias = 1 << (BITS - 1);
        write::<S, BITS>(place.codes, target, |_, q| lanes(|lane| d[lane] * (q[lane] - bias) as f32));
    }
}

/// d · q + m.
#[inline(always)]
unsafe fn raised<S: Simd, const BITS: usize>(place: &Group, target: Target) {
    // SAFETY: the chunk begins with twice 32 halves.
    unsafe {
        let (d, m) = (twice(&halves(place.head)), twice(&halves(place.head.add(2 * PANEL))));
        write::<S, BITS>(place.codes, target, |_, q| lanes(|lane| d[lane] * q[lane] as f32 + m[lane]));
    }
}

/// (d · s) · q − m · t.
#[inline(always)]
unsafe fn small<S: Simd, const BITS: usize>(place: &Group, target: Target) {
    // SAFETY: the chunk begins with twice 32 halves, the group with twice 32 bytes.
    unsafe {
        let (d, m) = (halves(place.head), halves(place.head.add(2 * PANEL)));
        let (s, t) = (bytes(place.small), bytes(place.small.add(PANEL)));
        let scale = twice(&map(|row| d[row] * f32::from(s[row])));
        let minimum = twice(&map(|row| m[row] * f32::from(t[row])));
        write::<S, BITS>(place.codes, target, |_, q| {
            lanes(|lane| scale[lane] * q[lane] as f32 - minimum[lane])
        });
    }
}

/// (d · s) · (q − 32), with another s in each half of the group.
#[inline(always)]
unsafe fn signed<S: Simd>(place: &Group, target: Target) {
    // SAFETY: the chunk begins with 32 halves, the group with twice 32 bytes.
    unsafe {
        let d = halves(place.head);
        let scale = |half: usize| -> Lanes {
            let s = bytes(place.small.add(half * PANEL));
            twice(&map(|row| d[row] * f32::from(s[row] as i8)))
        };
        let scales = [scale(0), scale(1)];
        write::<S, 6>(place.codes, target, |half, q| {
            lanes(|lane| scales[half][lane] * (q[lane] - 32) as f32)
        });
    }
}

/// quantile[q] · scale.
#[inline(always)]
unsafe fn nested<S: Simd>(panel: &CodedPanel<'_>, place: &Group, target: Target) {
    // SAFETY: the chunk begins with 32 bytes.
    unsafe {
        let steps = bytes(place.head);
        let scale = map(|row| panel.nested(place.chunk, row, steps[row]));
        looked_up::<S>(&QUANTILES, &scale, place, target);
    }
}

/// number[q] · 2^s.
#[inline(always)]
unsafe fn powered<S: Simd>(place: &Group, target: Target) {
    // SAFETY: the chunk begins with 32 bytes.
    unsafe {
        let exponents = bytes(place.head);
        looked_up::<S>(&NUMBERS, &map(|row| half_power(exponents[row])), place, target);
    }
}

/// table[q] · scale.
#[inline(always)]
unsafe fn looked_up<S: Simd>(table: &[f32; 16], scale: &Line, place: &Group, target: Target) {
    let scale = twice(scale);
    // SAFETY: passed on; codes have four bits.
    unsafe {
        write::<S, 4>(place.codes, target, |_, q| {
            let (early, late) = q.split_at(LINE);
            let found = [early, late].map(|at| S::lookup(table, at.try_into().unwrap_or(&[0; LINE])));
            lanes(|lane| found[lane / LINE][lane % LINE] * scale[lane])
        });
    }
}

/// Writes the 32 numbers of each row; `number` makes them of integers, and is told which half of
/// the group they are in.
#[inline(always)]
unsafe fn write<S: Simd, const BITS: usize>(
    codes: *const u32,
    target: Target,
    number: impl Fn(usize, &[i32; LANES]) -> Lanes,
) {
    for pair in 0..GROUP / 2 {
        // SAFETY: the group has all lines of its codes, and `to` those of its words.
        unsafe {
            let numbers = number(pair / 8, &integers::<BITS>(codes, pair));
            match target.form {
                Form::Pairs => {
                    let to = target.to.add(pair * PANEL).cast::<[u32; LINE / 2]>();
                    for (idx, line) in numbers.as_chunks::<LINE>().0.iter().enumerate() {
                        to.add(idx).write_unaligned(word::pairs(S::round(line)));
                    }
                }
                Form::Floats | Form::RoundedFloats => {
                    let to = target.to.add(2 * pair * PANEL);
                    for (lane, &number) in numbers.iter().enumerate() {
                        let number = if target.rounds { word::widen(word::round(number)) } else { number };
                        to.add(lane % 2 * PANEL + lane / 2).write(number.to_bits());
                    }
                }
            }
        }
    }
}

/// The integers of pair `pair`, of each row the even one and the odd one.
#[inline(always)]
unsafe fn integers<const BITS: usize>(codes: *const u32, pair: usize) -> [i32; LANES] {
    // SAFETY: the caller vouches for the lines; their words may lie anywhere.
    let line = |idx: usize| unsafe { codes.cast::<[u32; LANES]>().add(idx).read_unaligned() };
    let mut found = [0; LANES];
    if BITS == 8 {
        let words = line(pair / 4);
        for lane in 0..LANES {
            found[lane] = (words[lane] >> (8 * (pair % 4)) & 0xff) as i32;
        }
        return found;
    }
    let words = line(pair / 8);
    for lane in 0..LANES {
        found[lane] = (words[lane] >> (4 * (pair % 8)) & 0xf) as i32;
    }
    if BITS == 5 {
        // SAFETY: half a line more.
        let high = unsafe { codes.add(2 * LANES).cast::<[u32; LANES / 2]>().read_unaligned() };
        for lane in 0..LANES {
            found[lane] |= ((high[lane / 2] >> (16 * (lane % 2) + pair) & 1) << 4) as i32;
        }
    } else if BITS == 6 {
        let high = line(2);
        for lane in 0..LANES {
            found[lane] |= ((high[lane] >> (2 * pair) & 3) << 4) as i32;
        }
    }
    found
}

/// 32 half-precision numbers, widened without a branch or a special instruction.
#[inline(always)]
unsafe fn halves(from: *const u8) -> Line {
    // SAFETY: the caller vouches for 64 bytes.
    let bits = unsafe { from.cast::<[u16; PANEL]>().read_unaligned() };
    /// Moves the exponent of a half, read as one of f32, to where it belongs: 2^112.
    const MOVE: f32 = f32::from_bits(0x7780_0000);
    map(|row| {
        let bits = u32::from(bits[row]);
        let size = (bits & 0x7fff) << 13;
        // Infinity and what is no number have all exponent bits set in both.
        let special = if bits & 0x7c00 == 0x7c00 { 0x7f80_0000 } else { 0 };
        f32::from_bits((f32::from_bits(size) * MOVE).to_bits() | special | (bits & 0x8000) << 16)
    })
}

#[inline(always)]
unsafe fn bytes(from: *const u8) -> [u8; PANEL] {
    // SAFETY: the caller vouches for 32 bytes.
    unsafe { from.cast::<[u8; PANEL]>().read_unaligned() }
}

/// A line made row by row, in a loop that becomes vectors. A loop: `array::map` is a call, compiled
/// without these instructions.
#[inline(always)]
fn map(number: impl Fn(usize) -> f32) -> Line {
    let mut line = [0.0; PANEL];
    for row in 0..PANEL {
        line[row] = number(row);
    }
    line
}

/// The same lane by lane.
#[inline(always)]
fn lanes(number: impl Fn(usize) -> f32) -> Lanes {
    let mut line = [0.0; LANES];
    for lane in 0..LANES {
        line[lane] = number(lane);
    }
    line
}

/// What belongs to a row, for its even and its odd numbers.
#[inline(always)]
fn twice(line: &Line) -> Lanes {
    lanes(|lane| line[lane / 2])
}
