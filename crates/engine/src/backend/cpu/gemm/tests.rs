//! Products against plain f64 loops: shapes, operands, instruction sets, threads.

mod case;
mod coded;

use super::*;
use crate::backend::cpu::view::Elem;
use case::{Case, KINDS, Kind, Owned, check, numbers, pool};
use half::bf16;

#[test]
fn every_kind_of_operand_at_awkward_shapes() {
    let shapes =
        [(1, 1, 1), (13, 33, 17), (7, 31, 64), (12, 32, 32), (25, 65, 35), (40, 16, 130), (16, 70, 95)];
    for (m, n, k) in shapes {
        for kind in KINDS {
            for (a, b) in [(Elem::F32, Elem::F32), (Elem::Bf16, Elem::Bf16), (Elem::Bf16, Elem::F32)] {
                check(&Case::plain(m, n, k, kind, a, b));
            }
        }
    }
}

#[test]
fn every_number_of_rows_of_a_tile() {
    for m in 1..=24 {
        check(&Case::plain(m, 48, 18, Kind::Rows, Elem::Bf16, Elem::F32));
    }
}

#[test]
fn long_contractions_continue_between_strips() {
    for kind in [Kind::Columns, Kind::Panels(Precision::Bf16)] {
        check(&Case::plain(5, 40, 2111, kind, Elem::F32, Elem::F32));
    }
}

#[test]
fn many_tasks_and_groups() {
    check(&Case::plain(150, 300, 24, Kind::Panels(Precision::Bf16), Elem::Bf16, Elem::Bf16));
    check(&Case::plain(150, 40, 24, Kind::PanelsTransposed(Precision::Bf16), Elem::Bf16, Elem::Bf16));
}

#[test]
fn nothing_to_contract_leaves_the_epilogue() {
    let mut case = Case::plain(5, 37, 0, Kind::Rows, Elem::F32, Elem::F32);
    check(&case);
    case.bias = true;
    case.accumulate = true;
    check(&case);
    case.segments.clear();
    check(&case);
    for (m, n) in [(0, 5), (5, 0), (0, 0)] {
        check(&Case::plain(m, n, 7, Kind::Columns, Elem::F32, Elem::F32));
    }
}

#[test]
fn epilogues_and_segments() {
    let low_rank = (8, Kind::Rows, Elem::F32, Elem::F32);
    let dx_low_rank = (9, Kind::Columns, Elem::Bf16, Elem::F32);
    for (kind, extra) in [
        (Kind::Panels(Precision::Bf16), low_rank),
        (Kind::Panels(Precision::F32), low_rank),
        (Kind::PanelsTransposed(Precision::Bf16), dx_low_rank),
        (Kind::Rows, (0, Kind::Columns, Elem::F32, Elem::F32)),
    ] {
        for c in [Elem::F32, Elem::Bf16] {
            for add in [None, Some(Elem::F32), Some(Elem::Bf16)] {
                for accumulate in [false, true] {
                    let mut case = Case::plain(29, 45, 70, kind, Elem::Bf16, Elem::Bf16);
                    case.segments.push(extra);
                    case.segments.push((1, Kind::Rows, Elem::Bf16, Elem::Bf16));
                    check(&Case { c, add, accumulate, bias: accumulate, scale: -0.75, ..case });
                }
            }
        }
    }
}

#[test]
fn a_few_rows_read_the_right_operand_in_place() {
    for m in 1..=4 {
        for elem in [Elem::F32, Elem::Bf16] {
            let mut case = Case::plain(m, 70, 1066, Kind::Rows, elem, elem);
            case.segments.push((30, Kind::Panels(Precision::Bf16), elem, elem));
            case.segments.push((9, Kind::Rows, elem, Elem::F32));
            check(&case);
        }
    }
}

#[test]
fn rows_that_share_a_cache_set_are_read_from_a_copy() {
    let (pool, w) = (pool(2), Owned::new(Elem::Bf16, 200, 40, 2));
    for (elem, stride) in [(Elem::F32, 1024), (Elem::Bf16, 2048)] {
        // Seed zero leaves one canary behind each row.
        let aliased = Owned::new(elem, 70, stride - 1, 0);
        let mut tight = Owned::new(elem, 70, 40, 1);
        for row in 0..70 {
            let (from, to) = (row * stride + stride, (row + 1) * tight.stride);
            tight.floats[to..to + 40].copy_from_slice(&aliased.floats[from..from + 40]);
            tight.halves[to..to + 40].copy_from_slice(&aliased.halves[from..from + 40]);
        }
        let run = |a: Mat<'_>| {
            let mut c = Owned::new(Elem::F32, 70, 200, 3);
            let segments = [Segment { a, b: Operand::Rows(w.mat()) }; 2];
            let precision = if elem == Elem::F32 { Precision::F32 } else { Precision::Bf16 };
            gemm(&pool, Isa::best(), precision, &segments, &Epilogue::default(), c.mat_mut());
            c
        };
        assert!(run(aliased.mat().columns(0, 40)) == run(tight.mat()), "{elem:?}");
    }
}

#[test]
fn products_in_company_are_what_they_are_alone() {
    // An input that has to be converted is shared; one product has nothing to do.
    let widths = [33, 0, 96, 8];
    for (m, elem) in [(1, Elem::Bf16), (1, Elem::F32), (29, Elem::F32), (130, Elem::Bf16)] {
        let x = Owned::new(elem, m, 70, 1);
        let weights: Vec<Owned> = widths.iter().map(|&n| Owned::new(elem, n, 70, n)).collect();
        let segments: Vec<[Segment<'_>; 1]> =
            weights.iter().map(|w| [Segment { a: x.mat(), b: Operand::Rows(w.mat()) }]).collect();
        let epilogue = Epilogue { scale: 0.5, ..Epilogue::default() };
        let empty = || widths.map(|n| Owned::new(Elem::F32, m, n, 3));
        for isa in Isa::available() {
            for threads in [1, 2, 5] {
                let (pool, mut alone, mut together) = (pool(threads), empty(), empty());
                for (segments, c) in segments.iter().zip(&mut alone) {
                    gemm(&pool, isa, Precision::Bf16, segments, &epilogue, c.mat_mut());
                }
                let of = segments.iter().zip(&mut together);
                let products: Vec<_> =
                    of.map(|(segments, c)| Product { segments, epilogue, c: c.mat_mut() }).collect();
                gemms(&pool, isa, Precision::Bf16, &products);
                assert!(alone == together, "{m} rows of {elem:?}, {isa}, {threads} threads");
            }
        }
    }
}

#[test]
fn a_residual_may_be_c_itself() {
    let (pool, x) = (pool(2), Owned::new(Elem::F32, 20, 9, 1));
    let w = Owned::new(Elem::F32, 33, 9, 2);
    let segments = [Segment { a: x.mat(), b: Operand::Rows(w.mat()) }];
    let mut twice = Owned::new(Elem::F32, 20, 33, 3);
    let mut once = twice.clone();
    let c = twice.mat_mut();
    // SAFETY: each element is read before it is written, by the same thread.
    let add = Some(unsafe { c.as_mat() });
    gemm(&pool, Isa::best(), Precision::F32, &segments, &Epilogue { add, ..Default::default() }, c);
    let accumulate = Epilogue { accumulate: true, ..Default::default() };
    gemm(&pool, Isa::best(), Precision::F32, &segments, &accumulate, once.mat_mut());
    assert!(once == twice);
}

#[test]
fn panels_give_back_their_rows() {
    let pool = pool(2);
    for (n, k) in [(1, 1), (33, 7), (64, 32), (70, 101)] {
        let mat = Owned::new(Elem::F32, n, k, n);
        for precision in [Precision::F32, Precision::Bf16] {
            let panels = Panels::from_rows(&pool, mat.mat(), precision);
            assert_eq!((panels.n(), panels.k()), (n, k));
            let mut row = vec![0.0; k];
            for n in 0..n {
                panels.row(n, &mut row);
                let expected: Vec<_> = (0..k).map(|col| mat.get(n, col, precision) as f32).collect();
                assert_eq!(row, expected, "{n} {precision:?}");
            }
        }
    }
}

#[test]
fn panels_in_part_are_products_in_part() {
    let (pool, isa) = (pool(2), Isa::best());
    let (x, w) = (Owned::new(Elem::Bf16, 9, 50, 1), Owned::new(Elem::F32, 101, 50, 2));
    let panels = Panels::from_rows(&pool, w.mat(), Precision::Bf16);
    let mut whole = Owned::new(Elem::F32, 9, 101, 3);
    let mut parts = whole.clone();
    let run = |view, c: MatMut<'_>| {
        let segment = Segment { a: x.mat(), b: Operand::Panels(view) };
        gemm(&pool, isa, Precision::Bf16, &[segment], &Epilogue::default(), c);
    };
    run(panels.view(), whole.mat_mut());
    for range in [0..32, 32..96, 96..101, 101..101] {
        let c = parts.mat_mut().columns(range.start, range.len());
        run(panels.rows(range), c);
    }
    assert!(whole == parts);

    // The other direction: contracting over parts adds up to the whole.
    let dy = Owned::new(Elem::Bf16, 9, 101, 4);
    let (mut whole, mut parts) = (Owned::new(Elem::F32, 9, 50, 5), Owned::new(Elem::F32, 9, 50, 5));
    let run = |dy, view, accumulate, c: MatMut<'_>| {
        let segment = Segment { a: dy, b: Operand::PanelsTransposed(view) };
        gemm(&pool, isa, Precision::Bf16, &[segment], &Epilogue { accumulate, ..Default::default() }, c);
    };
    run(dy.mat(), panels.view(), false, whole.mat_mut());
    for range in [0..64, 64..101] {
        let part = dy.mat().columns(range.start, range.len());
        run(part, panels.rows(range.clone()), range.start > 0, parts.mat_mut());
    }
    for row in 0..9 {
        for col in 0..50 {
            // Two roundings of sums of about 100 terms below one.
            assert!((whole.mat().get(row, col) - parts.mat().get(row, col)).abs() < 1e-5);
        }
    }
}

#[test]
fn transposing_twice_returns() {
    for elem in [Elem::F32, Elem::Bf16] {
        for (rows, cols) in [(1, 1), (33, 70), (64, 16), (96, 64), (0, 3)] {
            let from = Owned::new(elem, rows, cols, 7);
            for isa in Isa::available() {
                let mut to = Owned::new(elem, cols, rows, 8);
                transpose(&pool(2), isa, from.mat(), to.mat_mut());
                assert!(to.has_intact_canaries());
                for row in 0..rows {
                    for col in 0..cols {
                        assert_eq!(from.mat().get(row, col), to.mat().get(col, row), "{isa}");
                    }
                }
            }
        }
    }
}

#[test]
fn bf16_rounding_is_to_nearest_even() {
    let mut values = vec![f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 0.0, -0.0, f32::MAX, f32::MIN];
    values.extend((0..4000).map(|i| f32::from_bits(0x3f80_0000 + i * 0x1001)));
    values.extend(numbers(3, 4000));
    for x in values {
        assert_eq!(word::round(x), bf16::from_f32(x).to_bits(), "{x}");
    }
}
