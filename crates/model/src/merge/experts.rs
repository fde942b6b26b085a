//! The parameters of experts on their way into a folder, as their publishers lay them out: a tensor of
//! three axes that gpt-oss has as (X, in, out), or Qwen3-MoE's matrix for each expert and part.

use crate::Method;
use crate::arch::build;
use crate::config::Config;
use crate::error::Result;
use crate::fused::Gathered;
use crate::network::{Network, Parameter, Purpose, Setup};
use crate::peft::Pair;
use crate::quant::Storage;
use crate::weights::{Checkpoint, Outgoing, Taken, TensorInfo, Values};
use penname_engine::{Extent, Precision};
use std::ops::Range;
use std::rc::Rc;

/// Changes rows of a parameter as the program has it: its name, which rows, and their numbers.
pub(super) type Change<'a> = dyn Fn(&str, Range<usize>, &mut [f32]) + 'a;

/// A model's parameters of experts; none if it has no experts.
pub(super) fn parameters(config: &Config) -> Result<Vec<Parameter>> {
    if config.experts.is_none() {
        return Ok(Vec::new());
    }
    let (capacity, precision) = (Extent { tokens: 1, picked: 1 }, Precision::F32);
    let purpose = Purpose::Generate { cache_rows: 1 };
    let network: Network = build(config, &Setup { method: Method::Frozen, precision, capacity, purpose })?;
    Ok(network.parameters.into_iter().filter(|parameter| parameter.fused.is_some()).collect())
}

/// Whether a tensor of a checkpoint is one of these parameters, or part of one.
pub(super) fn is_of_experts(name: &str, parameters: &[Parameter]) -> bool {
    let module =
        |parameter: &Parameter| parameter.name.rsplit_once('.').map(|(module, _)| format!("{module}."));
    parameters.iter().filter_map(module).any(|module| name.starts_with(&module))
}

/// The tensors that one parameter is published as.
///
/// # Errors
/// When the base lacks it.
pub(super) fn outgoing<'a>(
    base: &'a Checkpoint,
    parameter: &Parameter,
    dtype: Storage,
    change: &'a Change<'a>,
) -> Result<Vec<Outgoing<'a>>> {
    let Some(fused) = parameter.fused else { return Ok(Vec::new()) };
    let gathered = Rc::new(Gathered::take(&mut Taken::new(base), base, parameter)?);
    let [n_out, n_in] = match *parameter.shape {
        [_, n_out, n_in] => [n_out, n_in],
        _ => return Ok(vec![biases(&gathered, parameter, dtype, change)]),
    };
    let name = parameter.name.clone();
    // Rows of one expert's matrix, changed.
    let read = move |expert: usize, rows: Range<usize>, out: &mut [f32]| {
        gathered.read(expert, rows.clone(), out);
        change(&name, expert * n_out + rows.start..expert * n_out + rows.end, out);
    };
    if fused.turned {
        let rows = move |experts: Range<usize>, out: &mut [f32]| {
            let mut matrix = vec![0.0; n_out * n_in];
            for (expert, out) in experts.zip(out.chunks_exact_mut(n_out * n_in)) {
                read(expert, 0..n_out, &mut matrix);
                out.copy_from_slice(&crate::weights::transposed(&matrix, n_out, n_in));
            }
        };
        let info = TensorInfo { shape: vec![fused.experts, n_in, n_out], dtype };
        return Ok(vec![Outgoing {
            name: parameter.name.clone(),
            info,
            values: Values::Rows(Box::new(rows)),
        }]);
    }
    let (module, _) = parameter.name.rsplit_once('.').unwrap_or_default();
    let part_rows = n_out / fused.parts.len();
    let read = Rc::new(read);
    let mut tensors = Vec::new();
    for (expert, (part, of)) in
        (0..fused.experts).flat_map(|e| fused.parts.iter().enumerate().map(move |p| (e, p)))
    {
        let read = Rc::clone(&read);
        let rows = move |rows: Range<usize>, out: &mut [f32]| {
            read(expert, part * part_rows + rows.start..part * part_rows + rows.end, out);
        };
        let info = TensorInfo { shape: vec![part_rows, n_in], dtype };
        let name = format!("{module}.{expert}.{of}.weight");
        tensors.push(Outgoing { name, info, values: Values::Rows(Box::new(rows)) });
    }
    Ok(tensors)
}

fn biases<'a>(
    gathered: &Gathered<'a>,
    parameter: &Parameter,
    dtype: Storage,
    change: &'a Change<'a>,
) -> Outgoing<'a> {
    let mut values = gathered.biases();
    change(&parameter.name, 0..1, &mut values);
    let n_out = parameter.shape[1];
    let rows = move |rows: Range<usize>, out: &mut [f32]| {
        out.copy_from_slice(&values[rows.start * n_out..rows.end * n_out]);
    };
    let info = TensorInfo { shape: parameter.shape.clone(), dtype };
    Outgoing { name: parameter.name.clone(), info, values: Values::Rows(Box::new(rows)) }
}

/// Adds the pairs of experts to rows of their matrices below each other, in f32; the pair is as PEFT has it.
pub(super) fn add_pairs(pair: &Pair, experts: usize, scale: f32, rows: Range<usize>, weight: &mut [f32]) {
    let rank = pair.rank / experts;
    for (row, weight) in rows.zip(weight.chunks_mut(pair.n_in)) {
        let (expert, n) = (row / pair.n_out, row % pair.n_out);
        for r in 0..rank {
            let b = pair.b[n * pair.rank + r * experts + expert] * scale;
            let a = &pair.a[(expert * rank + r) * pair.n_in..][..pair.n_in];
            weight.iter_mut().zip(a).for_each(|(w, a)| *w += b * a);
        }
    }
}
