//! Rows sorted by expert, and what the experts made of them summed.

use super::isa::Isa;
use super::math::dot;
use super::pool::Pool;
use super::row::{BLOCK, blocks, read, rows_per_task, write};
use super::simd::kernel;
use super::view::{Mat, MatMut};
use std::ops::Range;

/// Where sorted rows come from and go to.
#[derive(Debug)]
pub struct Sorted<'a> {
    /// The first sorted row of each of X experts, and the number of all, (X + 1).
    pub bounds: &'a mut [u32],
    /// The token of each sorted row, (M·k).
    pub tokens: &'a mut [u32],
    /// The sorted row of each choice, (M, k).
    pub places: &'a mut [u32],
}

/// Sorts choices by expert, those of one in order: a count, a running sum, and a second pass.
///
/// # Panics
/// If the lengths do not fit or an expert is not below X.
pub fn sort(experts: &[u32], per_token: usize, sorted: Sorted<'_>) {
    let Sorted { bounds, tokens, places } = sorted;
    assert_eq!((tokens.len(), places.len()), (experts.len(), experts.len()), "a place for every choice");
    bounds.fill(0);
    for &expert in experts {
        bounds[expert as usize + 1] += 1;
    }
    for idx in 1..bounds.len() {
        bounds[idx] += bounds[idx - 1];
    }
    let mut next = bounds.to_vec();
    for (choice, (&expert, place)) in experts.iter().zip(places).enumerate() {
        *place = next[expert as usize];
        next[expert as usize] += 1;
        tokens[*place as usize] = (choice / per_token) as u32;
    }
}

/// Which sorted rows belong to a token, and how much each counts.
#[derive(Debug, Clone, Copy)]
pub struct Choices<'a> {
    /// The sorted row of each choice, (M, k).
    pub places: &'a [u32],
    /// Its weight, (M, k); one without.
    pub weights: Option<&'a [f32]>,
    /// k.
    pub per_token: usize,
}

/// `y[t] = add[t] + Σ_c w[t, c] · x[place of (t, c)]`; `y` may be `add`.
///
/// # Panics
/// If the shapes do not fit.
pub fn combine(
    pool: &Pool,
    isa: Isa,
    x: Mat<'_>,
    choices: &Choices<'_>,
    add: Option<Mat<'_>>,
    y: MatMut<'_>,
) {
    assert_eq!((x.rows, x.cols), (choices.places.len(), y.cols), "a row for every choice");
    assert_eq!(choices.places.len(), y.rows * choices.per_token, "choices of every token");
    let chunk = rows_per_task(y.cols * (choices.per_token + 1));
    pool.for_chunks(y.rows, chunk, |rows| combine_rows(isa, rows, x, choices, add, y));
}

/// What [`combine`] passes back: `dx[place] = w · dy[t]` and `dw = dy[t] · x[place]`.
///
/// # Panics
/// If the shapes do not fit, or the choices have no weights.
pub fn combine_backward(
    pool: &Pool,
    isa: Isa,
    (dy, x): (Mat<'_>, Mat<'_>),
    choices: &Choices<'_>,
    dx: Option<MatMut<'_>>,
    dweights: Option<&mut [f32]>,
) {
    assert_eq!((x.rows, x.cols), (choices.places.len(), dy.cols), "a row for every choice");
    assert_eq!(choices.places.len(), dy.rows * choices.per_token, "choices of every token");
    let dweights = dweights.map(|dweights| MatMut::f32(dweights, dy.rows, choices.per_token));
    let chunk = rows_per_task(dy.cols * (2 * choices.per_token + 1));
    pool.for_chunks(dy.rows, chunk, |rows| part_rows(isa, rows, (dy, x), choices, dx, dweights));
}

kernel! {
    fn combine_rows<S>(
        rows: Range<usize>,
        x: Mat<'_>,
        choices: &Choices<'_>,
        add: Option<Mat<'_>>,
        y: MatMut<'_>,
    ) {
        let (mut sum, mut one) = ([0.0; BLOCK], [0.0; BLOCK]);
        for row in rows {
            for (at, n) in blocks(y.cols) {
                match add {
                    Some(add) => read(add, row, at, &mut sum[..n]),
                    None => sum[..n].fill(0.0),
                }
                for choice in row * choices.per_token..(row + 1) * choices.per_token {
                    let weight = choices.weights.map_or(1.0, |weights| weights[choice]);
                    read(x, choices.places[choice] as usize, at, &mut one[..n]);
                    sum[..n].iter_mut().zip(&one[..n]).for_each(|(sum, x)| *sum = S::fma(weight, *x, *sum));
                }
                // SAFETY: this task owns the row.
                unsafe { write(y, row, at, &sum[..n]) };
            }
        }
    }
}

kernel! {
    fn part_rows<S>(
        rows: Range<usize>,
        from: (Mat<'_>, Mat<'_>),
        choices: &Choices<'_>,
        dx: Option<MatMut<'_>>,
        dweights: Option<MatMut<'_>>,
    ) {
        let (dy, x) = from;
        let (mut grad, mut one) = (vec![0.0; dy.cols], vec![0.0; dy.cols]);
        for row in rows {
            read(dy, row, 0, &mut grad);
            for choice in 0..choices.per_token {
                let at = row * choices.per_token + choice;
                let place = choices.places[at] as usize;
                if let Some(dweights) = dweights {
                    read(x, place, 0, &mut one);
                    // SAFETY: this task owns the row.
                    unsafe { write(dweights, row, choice, &[dot::<S>(&grad, &one)]) };
                }
                if let Some(dx) = dx {
                    let weight = choices.weights.map_or(1.0, |weights| weights[at]);
                    one.iter_mut().zip(&grad).for_each(|(dx, dy)| *dx = weight * dy);
                    // SAFETY: no other choice has this place.
                    unsafe { write(dx, place, 0, &one) };
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn choices_of_one_expert_stay_in_order() {
        let (mut bounds, mut tokens, mut places) = ([9; 5], [9; 6], [9; 6]);
        let sorted = Sorted { bounds: &mut bounds, tokens: &mut tokens, places: &mut places };
        sort(&[3, 0, 3, 1, 0, 3], 2, sorted);
        assert_eq!(bounds, [0, 2, 3, 3, 6]);
        assert_eq!(tokens, [0, 2, 1, 0, 1, 2]);
        assert_eq!(places, [3, 0, 4, 2, 1, 5]);
    }

    #[test]
    fn nothing_is_sorted_to_nothing() {
        let mut bounds = [9; 3];
        sort(&[], 2, Sorted { bounds: &mut bounds, tokens: &mut [], places: &mut [] });
        assert_eq!(bounds, [0; 3]);
    }
}
