//! Every operation × every device × value and derivative, against the reference.

use crate::case::{self, Case};
use half::bf16;
use penname_engine::backend::cpu::{Cpu, isa::Isa};
use penname_engine::op::Host;
use penname_engine::{DType, Device, Precision, Role, Section, Session, TensorId};
use std::num::NonZeroUsize;

/// The reference run in f64 on inputs rounded as the device stores them.
fn reference(case: &Case, change: Option<(TensorId, usize, f64)>) -> Host<f64> {
    let mut host = Host::<f64>::new(&case.program, case.extent);
    for (id, values) in &case.reals {
        let mut values: Vec<f64> = values.iter().map(|&v| stored(case, *id, v)).collect();
        if let Some((changed, at, by)) = change.filter(|(changed, ..)| changed == id) {
            debug_assert_eq!(changed, *id);
            values[at] += by;
        }
        host.set(*id, values);
    }
    case.ids.iter().for_each(|(id, ids)| host.set_ids(*id, ids.clone()));
    for section in [Section::Begin, Section::Forward, Section::Backward] {
        case.program.steps().iter().filter(|s| s.section == section).for_each(|s| s.op.reference(&mut host));
    }
    host
}

fn stored(case: &Case, id: TensorId, value: f64) -> f64 {
    match case.program.tensor(id).dtype {
        DType::Bf16 => bf16::from_f32(value as f32).to_f64(),
        _ => f64::from(value as f32),
    }
}

/// What the derivative is taken of: the results weighted by their seeds, or the summed loss.
fn objective(case: &Case, host: &Host<f64>) -> f64 {
    if case.seeds.is_empty() {
        return host.get(case.results[0]).iter().sum();
    }
    let weighted = |(result, seed): &(TensorId, TensorId)| {
        host.get(*result).iter().zip(host.get(*seed)).map(|(y, dy)| y * dy).sum::<f64>()
    };
    case.seeds.iter().map(weighted).sum()
}

#[test]
fn reference_derivatives_equal_central_differences() {
    for case in case::all(Precision::F32) {
        let host = reference(&case, None);
        for &of in &case.wanted {
            let gradient = case.program.gradient(of).unwrap();
            let n = host.get(gradient).len();
            for at in (0..n).step_by(n.div_ceil(12)) {
                // f64 leaves about 1e-6 of a difference this wide to rounding and curvature.
                let h = 1e-5;
                let ends = [h, -h].map(|by| objective(&case, &reference(&case, Some((of, at, by)))));
                let (want, got) = ((ends[0] - ends[1]) / (2.0 * h), host.get(gradient)[at]);
                let name = &case.program.tensor(of).name;
                assert!(
                    (want - got).abs() <= 1e-6 * (1.0 + want.abs()),
                    "{} d {name}[{at}]: {got}, expected {want}",
                    case.name
                );
            }
        }
    }
}

/// Runs a case on a device and returns every result and gradient.
fn run(case: &Case, device: &mut dyn Device) -> Vec<(TensorId, Vec<f32>)> {
    let mut session = Session::new(case.program.clone(), device).unwrap();
    for (id, tensor) in case.program.iter() {
        let Role::Weight { trainable } = tensor.role else { continue };
        let values = case.reals.iter().find(|(of, _)| *of == id).map(|(_, v)| v.clone()).unwrap();
        let cols = tensor.cols;
        let fill = |rows: std::ops::Range<usize>, room: &mut [f32]| {
            room.iter_mut().zip(&values[rows.start * cols..]).for_each(|(to, from)| *to = *from as f32);
        };
        let rows = case.program.rows(id);
        let groups = case.groups.iter().find(|(of, _)| *of == id).map(|(_, groups)| *groups);
        let buffer = if trainable {
            device.allocate(case.program.bytes(id)).unwrap()
        } else if let Some(groups) = groups {
            let n = rows / groups;
            let part = |group: usize| {
                let fill = |rows: std::ops::Range<usize>, room: &mut [f32]| {
                    fill(rows.start + group * n..rows.end + group * n, room);
                };
                device.allocate_frozen(n, cols, tensor.dtype, &fill).unwrap()
            };
            let parts: Vec<_> = (0..groups).map(part).collect();
            device.join(&parts)
        } else {
            device.allocate_frozen(rows, cols, tensor.dtype, &fill).unwrap()
        };
        session.bind(id, buffer);
        if trainable {
            let values: Vec<f32> = values.iter().map(|v| *v as f32).collect();
            session.write(device, id, case.extent, &values);
        }
    }
    for (id, values) in &case.reals {
        if !matches!(case.program.tensor(*id).role, Role::Weight { .. }) {
            let values: Vec<f32> = values.iter().map(|v| *v as f32).collect();
            session.write(device, *id, case.extent, &values);
        }
    }
    case.ids.iter().for_each(|(id, ids)| session.write_ids(device, *id, case.extent, ids));
    for section in [Section::Begin, Section::Forward, Section::Backward] {
        session.run(device, section, case.extent).unwrap();
    }
    assert!(session.fallbacks.is_empty(), "{}: not supported: {:?}", case.name, session.fallbacks);
    let gradients = case.wanted.iter().map(|of| case.program.gradient(*of).unwrap());
    let looked_at: Vec<TensorId> = case.results.iter().copied().chain(gradients).collect();
    looked_at.into_iter().map(|id| (id, session.read(device, id, case.extent))).collect()
}

/// Every instruction set of this processor, or the one that `PENNAME_TEST_ISA` names, such as
/// `NEON with bf16`: an emulator's run must not pass without the instructions it is there for.
fn under_test() -> Vec<Isa> {
    #[expect(clippy::disallowed_methods, reason = "only a test may be told which instructions to use")]
    let Some(name) = std::env::var_os("PENNAME_TEST_ISA") else { return Isa::available().collect() };
    let found = Isa::available().find(|isa| *name == *isa.to_string());
    vec![found.unwrap_or_else(|| panic!("this processor has no {}", name.display()))]
}

#[test]
fn every_operation_equals_its_reference_on_every_instruction_set() {
    for precision in [Precision::F32, Precision::Bf16] {
        // Relative to the root mean square of the tensor. f32: sums of a few hundred
        // products. bf16: 8 bits of mantissa, rounded at up to three places on the way.
        let tolerance = match precision {
            Precision::F32 => 2e-5,
            Precision::Bf16 => 4e-2,
        };
        for case in case::all(precision) {
            let host = reference(&case, None);
            for &isa in &under_test() {
                let mut cpu = Cpu::with(NonZeroUsize::MIN, isa);
                for (id, values) in run(&case, &mut cpu) {
                    let want = host.get(id);
                    let rms = (want.iter().map(|v| v * v).sum::<f64>() / want.len().max(1) as f64).sqrt();
                    for (at, (got, want)) in values.iter().zip(want).enumerate() {
                        let error = (f64::from(*got) - want).abs() / (rms + 1e-3);
                        let name = &case.program.tensor(id).name;
                        assert!(
                            error <= tolerance * 3.0,
                            "{} on {isa} {precision:?}: `{name}`[{at}] is {got}, expected {want}",
                            case.name
                        );
                    }
                }
            }
        }
    }
}

#[test]
fn results_do_not_depend_on_the_number_of_threads() {
    for precision in [Precision::F32, Precision::Bf16] {
        for case in case::all(precision) {
            let on = |threads| run(&case, &mut Cpu::with(NonZeroUsize::new(threads).unwrap(), Isa::best()));
            let one = on(1);
            for threads in [2, 3] {
                assert!(one == on(threads), "{} {precision:?} with {threads} threads", case.name);
            }
        }
    }
}
