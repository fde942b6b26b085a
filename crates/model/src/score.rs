//! How surprising known ids are: the loss of packed documents, without gradients.
//!
//! Rows go through the network that training uses, forward only, many documents to a run, so a loss
//! measured here is the loss that training reports, at the speed at which prompts are read. Which
//! row belongs to which document, and which token is the target of which row, is decided by whoever
//! packs; here nothing is shifted.

use crate::error::{Error, Result};
use crate::network::Network;
use crate::packed::Packed;
use crate::parameters::Parameters;
use penname_engine::op::IGNORE;
use penname_engine::{BufferId, Device, DeviceError, Section, Session};

/// A planned program that scores rows.
#[derive(Debug)]
pub struct Scorer {
    network: Network,
    session: Session,
}

impl Scorer {
    /// Plans a network made for a loss and gives it memory; the weights are shared.
    ///
    /// # Errors
    /// When memory runs out.
    pub fn new(network: Network, parameters: &Parameters, device: &mut dyn Device) -> Result<Self> {
        let session = parameters.session(network.program.clone(), device)?;
        Ok(Self { network, session })
    }

    /// Reads a weight from other memory than it was loaded to: an average of it, say.
    pub fn bind(&mut self, weight: &str, buffer: BufferId) {
        if let Some(id) = self.session.program().find(weight) {
            self.session.bind(id, buffer);
        }
    }

    /// The most rows of one run.
    pub fn budget(&self) -> usize {
        self.network.program.capacity().tokens
    }

    /// The planned program: its memory, and which operations fell back to the reference.
    pub fn session(&self) -> &Session {
        &self.session
    }

    /// The loss of every row, zero where there is no target.
    ///
    /// # Units
    /// Nats per row: minus the natural logarithm of the probability of the target.
    ///
    /// # Errors
    /// When there are more rows than the budget, the inputs differ in length, an id is outside the
    /// vocabulary, or a document does not begin where its rows say.
    pub fn losses(&mut self, device: &mut dyn Device, packed: Packed<'_>) -> Result<Vec<f32>> {
        if packed.tokens.is_empty() {
            return Ok(Vec::new());
        }
        check(&packed, self.network.vocabulary, self.budget())?;
        packed.feed(&self.network, &self.session, device, 1.0);
        self.session.run(device, Section::Forward, packed.extent())?;
        Ok(packed.losses(&self.network, &self.session, device))
    }

    /// Gives back all memory that is not a weight's.
    pub fn release(self, device: &mut dyn Device) {
        self.session.release(device);
    }
}

fn check(packed: &Packed<'_>, vocabulary: usize, budget: usize) -> Result<()> {
    let n_rows = packed.tokens.len();
    if n_rows > budget {
        return Err(DeviceError::TooManyRows { what: "token", found: n_rows, capacity: budget }.into());
    }
    let others = [("positions", packed.positions), ("starts", packed.starts), ("targets", packed.targets)];
    if let Some((what, ids)) = others.into_iter().find(|(_, ids)| ids.len() != n_rows) {
        return Err(Error::PackedLength { what, found: ids.len(), expected: n_rows });
    }
    let targets = packed.targets.iter().filter(|id| **id != IGNORE);
    match packed.tokens.iter().chain(targets).find(|id| **id as usize >= vocabulary) {
        Some(&found) => Err(Error::TokenId { found, vocabulary }),
        None => check_starts(packed.starts, packed.shared),
    }
}

/// A row begins a document itself or belongs to that of the row before; the first `shared` are one.
fn check_starts(starts: &[u32], shared: usize) -> Result<()> {
    let mut start = 0;
    for (row, &found) in starts.iter().enumerate() {
        let (begins, goes_on) = (found as usize == row, row > 0 && row != shared && found == start);
        if !(begins && !(1..shared).contains(&row) || goes_on) {
            let expected = match row {
                _ if row == 0 || row == shared => row.to_string(),
                _ if row < shared => "0".to_owned(),
                _ => format!("{start} or {row}"),
            };
            return Err(Error::PackedRow { what: "start", row, found, expected });
        }
        start = found;
    }
    Ok(())
}
