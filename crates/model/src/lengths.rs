//! Lengths of the rows of weights, on their way to a device: what DoRA needs beside its pairs.

use crate::error::Result;
use crate::network::{Network, PairSlot, names};
use crate::parameters::{Parameters, plain};
use crate::peft::Pair;
use penname_engine::Device;
use penname_engine::backend::View;

/// Adds what the lengths of a pair's weight are trained from and used with.
///
/// Trained lengths that an adapter does not say begin as those the weight has. The weight is read as it
/// lies on the device, so the lengths are those of what is multiplied, quantized or not.
pub(crate) fn add(
    parameters: &mut Parameters,
    network: &Network,
    (slot, pair): (&PairSlot, &Pair),
    device: &mut dyn Device,
) -> Result<()> {
    let name = format!("{}.weight", slot.module);
    let found = network.parameters.iter().find(|parameter| parameter.name == name);
    let (Some(parameter), Some(buffer)) = (found, parameters.buffer(&name)) else { return Ok(()) };
    let (rows, cols) = (network.program.rows(parameter.id), network.program.cols(parameter.id));
    let dtype = network.program.tensor(parameter.id).dtype;
    let mut weight = vec![0.0; rows * cols];
    device.sync();
    device.read(View { buffer, offset: 0, rows, cols, dtype }, &mut weight);

    let squares: Vec<f32> = weight.chunks(cols).map(square).collect();
    let begin = || squares.iter().map(|square| square.sqrt()).collect();
    let magnitude = pair.magnitude.clone().unwrap_or_else(begin);
    let factor = factors(&mut weight, pair, slot.scale, &magnitude);
    let module = &slot.module;
    for (name, values) in [
        (names::squares(module), &squares),
        (names::magnitude(module), &magnitude),
        (names::factor(module), &factor),
    ] {
        let buffer = plain(device, 1, rows, values)?;
        parameters.insert(name, buffer);
    }
    Ok(())
}

/// m / n of every row, n being the length of the row with its pair.
fn factors(weight: &mut [f32], pair: &Pair, scale: f32, magnitude: &[f32]) -> Vec<f32> {
    let with_pair = weight.chunks_mut(pair.n_in).zip(pair.b.chunks(pair.rank));
    let lengths = with_pair.map(|(row, b)| {
        for (b, a) in b.iter().zip(pair.a.chunks(pair.n_in)) {
            row.iter_mut().zip(a).for_each(|(w, a)| *w += scale * b * a);
        }
        square(row).sqrt()
    });
    // A row of zeros has no direction to be long in.
    let factor = |(length, m): (f32, &f32)| if length > 0.0 { m / length } else { 0.0 };
    lengths.zip(magnitude).map(factor).collect()
}

/// The square of a row's length.
fn square(row: &[f32]) -> f32 {
    row.iter().map(|w| f64::from(*w) * f64::from(*w)).sum::<f64>() as f32
}
