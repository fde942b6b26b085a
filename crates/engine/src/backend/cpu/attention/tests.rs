//! Attention against plain loops in f64.

use super::*;
use crate::backend::cpu::row::tests::{Buffer, assert_close, assert_same, noise, pools};
use crate::backend::cpu::view::Elem;

struct Case {
    /// Lengths of the documents.
    documents: Vec<usize>,
    heads: usize,
    kv_heads: usize,
    width: usize,
    /// Most keys a query sees, if a window slides.
    window: usize,
}

impl Case {
    fn rows(&self) -> usize {
        self.documents.iter().sum()
    }

    fn starts(&self) -> Vec<u32> {
        let mut starts = Vec::new();
        for len in &self.documents {
            let first = starts.len();
            starts.extend(
                (first..first + len).map(|row| first.max((row + 1).saturating_sub(self.window)) as u32),
            );
        }
        starts
    }
}

/// Output, log-sums, and the gradients of q, k and v for the output gradient `dout`.
struct Reference {
    out: Vec<f64>,
    lse: Vec<f64>,
    dq: Vec<f64>,
    dk: Vec<f64>,
    dv: Vec<f64>,
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

fn reference(case: &Case, starts: &[u32], [q, k, v, dout]: [&[f64]; 4], scale: f64) -> Reference {
    let (width, group) = (case.width, case.heads / case.kv_heads);
    let [mut out, mut dq] = [vec![0.0; q.len()], vec![0.0; q.len()]];
    let [mut dk, mut dv] = [vec![0.0; k.len()], vec![0.0; k.len()]];
    let mut lse = vec![0.0; case.rows() * case.heads];
    for (row, head) in (0..case.rows()).flat_map(|row| (0..case.heads).map(move |head| (row, head))) {
        let here = (row * case.heads + head) * width;
        let there = |key: usize| (key * case.kv_heads + head / group) * width;
        let (q, dout) = (&q[here..][..width], &dout[here..][..width]);
        let seen = starts[row] as usize..row + 1;
        let scores: Vec<f64> = seen.clone().map(|key| scale * dot(q, &k[there(key)..][..width])).collect();
        let top = scores.iter().fold(f64::NEG_INFINITY, |a, b| a.max(*b));
        let total: f64 = scores.iter().map(|s| (s - top).exp()).sum();
        let weights: Vec<f64> = scores.iter().map(|s| (s - top).exp() / total).collect();
        lse[row * case.heads + head] = top + total.ln();
        for (key, p) in seen.clone().zip(&weights) {
            for idx in 0..width {
                out[here + idx] += p * v[there(key) + idx];
                dv[there(key) + idx] += p * dout[idx];
            }
        }
        // The derivative of softmax: dS = P (dP − Σ P dP).
        let dp: Vec<f64> = seen.clone().map(|key| dot(dout, &v[there(key)..][..width])).collect();
        let mean = dot(&weights, &dp);
        for ((key, p), dp) in seen.zip(&weights).zip(dp) {
            let ds = scale * p * (dp - mean);
            for idx in 0..width {
                dq[here + idx] += ds * k[there(key) + idx];
                dk[there(key) + idx] += ds * q[idx];
            }
        }
    }
    Reference { out, lse, dq, dk, dv }
}

fn check(elem: Elem, case: &Case) {
    let (rows, starts) = (case.rows(), case.starts());
    let (wide, narrow) = (case.heads * case.width, case.kv_heads * case.width);
    let scale = 1.0 / (case.width as f32).sqrt();
    let louder = |n: usize, seed: u64| noise(n, seed).iter().map(|x| 3.0 * x).collect::<Vec<_>>();
    let q = Buffer::new(elem, &louder(rows * wide, 1));
    let k = Buffer::new(elem, &louder(rows * narrow, 2));
    let v = Buffer::new(elem, &noise(rows * narrow, 3));
    let dout = Buffer::new(elem, &noise(rows * wide, 4));
    let want = reference(case, &starts, [&q.wide(), &k.wide(), &v.wide(), &dout.wide()], scale.into());
    let exact_out = Buffer::new(elem, &want.out.iter().map(|x| *x as f32).collect::<Vec<_>>());
    let exact_lse: Vec<f32> = want.lse.iter().map(|x| *x as f32).collect();
    let (q, k, v) = (q.mat(rows, wide), k.mat(rows, narrow), v.mat(rows, narrow));
    let input = Attention {
        q,
        k,
        v,
        starts: &starts,
        shared: 0,
        window: None,
        sinks: None,
        heads: case.heads,
        scale,
    };
    // A product of bf16 rounds weights and output to eight bits; sums of f32 err by a few units of 24.
    let tolerance = if elem == Elem::F32 { 2e-5 } else { 1.6e-2 };
    for isa in Isa::available() {
        let mut of_isa = None;
        for pool in pools() {
            let mut out = Buffer::new(elem, &vec![9.0; rows * wide]);
            let mut lse = vec![9.0; rows * case.heads];
            let lse_view = MatMut::f32(&mut lse, rows, case.heads);
            attention(&pool, isa, &input, out.mat_mut(rows, wide), lse_view);
            assert_close(&format!("{isa} out"), &out.wide(), &want.out, tolerance);
            let wide_lse: Vec<f64> = lse.iter().map(|&x| x.into()).collect();
            assert_close(&format!("{isa} lse"), &wide_lse, &want.lse, tolerance.min(1e-4));

            let saved = AttentionSaved {
                out: exact_out.mat(rows, wide),
                lse: Mat::f32(&exact_lse, rows, case.heads),
                dout: dout.mat(rows, wide),
            };
            let mut grads = [wide, narrow, narrow].map(|cols| Buffer::new(elem, &vec![9.0; rows * cols]));
            let [dq, dk, dv] = &mut grads;
            let (dq, dk, dv) = (dq.mat_mut(rows, wide), dk.mat_mut(rows, narrow), dv.mat_mut(rows, narrow));
            attention_backward(&pool, isa, &input, &saved, &AttentionGrad { dq, dk, dv }, None);
            for ((name, want), got) in
                [("dq", &want.dq), ("dk", &want.dk), ("dv", &want.dv)].iter().zip(&grads)
            {
                assert_close(&format!("{isa} {name}"), &got.wide(), want, tolerance);
            }
            assert_same(isa, &mut of_isa, (out, lse, grads));
        }
    }
}

fn case(documents: &[usize], (heads, kv_heads): (usize, usize), width: usize, window: usize) -> Case {
    Case { documents: documents.to_vec(), heads, kv_heads, width, window }
}

#[test]
fn awkward_shapes() {
    let long = usize::MAX;
    for elem in [Elem::F32, Elem::Bf16] {
        check(elem, &case(&[], (2, 1), 16, long));
        check(elem, &case(&[1], (1, 1), 2, long));
        check(elem, &case(&[1; 40], (3, 1), 16, long));
        check(elem, &case(&[5, 1, 70, 2, 130], (9, 3), 64, long));
        check(elem, &case(&[129, 63], (8, 1), 80, long));
        check(elem, &case(&[67], (4, 4), 128, long));
        check(elem, &case(&[30, 50], (2, 2), 18, long));
        check(elem, &case(&[200, 40], (2, 1), 16, 33));
        check(elem, &case(&[3, 700], (2, 1), 16, long));
        check(elem, &case(&[600], (1, 1), 16, 100));
    }
}
