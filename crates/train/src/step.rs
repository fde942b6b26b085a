//! One optimizer step: the page that says what training is.
//!
//! ```text
//! gradients ← 0
//! for each micro-batch:
//!     losses    ← forward(tokens)                 nats of every trained token
//!     gradients += backward(losses / N)           N: trained tokens of the whole step
//! weights ← AdamW(weights, clipped gradients)
//! ```
//!
//! The loss is summed over trained tokens and divided once by their number in
//! the whole step, so it does not matter how the step is cut into micro-batches.

use crate::error::{Error, Result};
use crate::optim::{Update, add_update};
use crate::settings::Settings;
use penname_engine::op::Trained;
use penname_engine::{BufferId, Device, Extent, Keep, Section, Session, derive, plan};
use penname_ledger::seed::Seed;
use penname_model::{Network, Packed, Parameters};
use penname_token::pack::Pack;

/// A network with gradients and an optimizer, on a device.
#[derive(Debug)]
pub struct Trainer {
    /// The planned program and its memory.
    pub session: Session,
    /// Names of everything in it.
    pub network: Network,
    /// Where the optimizer's numbers are.
    pub update: Update,
    /// Largest noise on embeddings, times √(L · D).
    neftune: f32,
}

/// What a step did.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct StepReport {
    /// Mean loss of the trained tokens before the update, in nats.
    pub loss_nats: f64,
    /// Norm of the gradient before clipping.
    pub grad_norm: f64,
    /// Tokens of its sequences.
    pub n_tokens: usize,
    /// Rows computed for them: what sequences have in common is computed once.
    pub n_rows: usize,
    /// Rows with a target.
    pub n_trained: usize,
}

impl Trainer {
    /// Adds backward pass and update to a network, and plans it.
    ///
    /// # Errors
    /// When memory runs out, or a setting names weights that there are none of.
    pub fn new(
        mut network: Network,
        parameters: &Parameters,
        settings: &Settings,
        keep: Keep,
        device: &mut dyn Device,
    ) -> Result<Self> {
        derive(&mut network.program, &[], &[]);
        plan::recompute(&mut network.program, keep);
        let update = add_update(&mut network.program, settings)?;
        network.program.check().map_err(penname_model::Error::from)?;
        let session = parameters.session(network.program.clone(), device)?;
        Ok(Self { session, network, update, neftune: settings.neftune as f32 })
    }

    /// One optimizer step over `packs`, the `step`th counted from 0.
    ///
    /// # Errors
    /// When there is no trained token, or loss or gradient is not a number.
    pub fn step(
        &mut self,
        device: &mut dyn Device,
        packs: &[Pack],
        step: u64,
        rate: f64,
        seed: Seed,
    ) -> Result<StepReport> {
        let n_trained: usize = packs.iter().map(|pack| pack.n_trained).sum();
        if n_trained == 0 {
            return Err(Error::NothingTrained { step });
        }
        self.session.run(device, Section::Begin, Extent::default())?;
        let mut sum_nats = 0.0;
        for (micro, pack) in packs.iter().enumerate() {
            let packed = packed(pack);
            let extent = packed.extent();
            let mut dropout = seed.stream(&format!("train/dropout/{step}/{micro}"));
            packed.feed(&self.network, &self.session, device, 1.0 / n_trained as f32);
            self.session.write_ids(device, self.network.inputs.dropout_seed, extent, &[dropout.next_u32()]);
            self.write_noise(device, pack, extent);
            self.session.run(device, Section::Forward, extent)?;
            self.session.run(device, Section::Backward, extent)?;
            let losses = self.session.read(device, self.network.result, extent);
            sum_nats += losses.iter().map(|loss| f64::from(*loss)).sum::<f64>();
        }
        self.session.write(
            device,
            self.update.schedule,
            Extent::default(),
            &[rate as f32, (step + 1) as f32],
        );
        self.session.run(device, Section::Update, Extent::default())?;
        let grad_norm = f64::from(self.session.read(device, self.update.norm, Extent::default())[0]);
        let loss_nats = sum_nats / n_trained as f64;
        if !(loss_nats.is_finite() && grad_norm.is_finite()) {
            return Err(Error::Diverged { step, loss_nats, grad_norm });
        }
        let n_tokens = packs.iter().map(Pack::n_tokens).sum();
        let n_rows = packs.iter().map(Pack::len).sum();
        Ok(StepReport { loss_nats, grad_norm, n_tokens, n_rows, n_trained })
    }
}

impl Trainer {
    /// The memory of each weight's running average, by the weight's name.
    pub fn averages(&self) -> Vec<(String, BufferId)> {
        let name = |w: &Trained| self.session.program().tensor(w.weight).name.clone();
        let pairs = self.update.weights.iter().zip(&self.update.averages);
        pairs.filter_map(|(w, average)| Some((name(w), self.session.buffer(*average)?))).collect()
    }

    /// Says how large the noise on each row's embedding is: α / √(L · D) in a document of L rows. Rows
    /// that documents share are as long as the first of them.
    fn write_noise(&self, device: &mut dyn Device, pack: &Pack, extent: Extent) {
        let (Some(input), Some(first)) = (self.network.inputs.noise, pack.documents.first()) else { return };
        let size = |len: usize| self.neftune / ((len * self.network.width) as f32).sqrt();
        let mut sizes = vec![size(pack.shared + first.len()); pack.len()];
        for rows in &pack.documents {
            sizes[rows.clone()].fill(size(pack.shared + rows.len()));
        }
        self.session.write(device, input, extent, &sizes);
    }
}

/// The rows of a micro-batch as a network reads them.
pub fn packed(pack: &Pack) -> Packed<'_> {
    Packed {
        tokens: &pack.tokens,
        positions: &pack.positions,
        starts: &pack.starts,
        shared: pack.shared,
        targets: &pack.targets,
    }
}
