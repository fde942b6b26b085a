//! A model to use: weights that were loaded once, and how they are used.
//!
//! [`Weights`] holds the memory. A [`Model`] is a way to look at it: [`Weights::base`] leaves the
//! adapter out, [`Weights::tuned`] has it. Decoders and scorers of both share every weight.

use crate::error::{Error, Result};
use penname_engine::{Device, Extent, Precision};
use penname_model::network::PairSlot;
use penname_model::peft::{AdapterConfig, Pair};
use penname_model::{
    Checkpoint, Config, Keeping, Method, Network, Parameters, Purpose, RopeScaling, Scorer, Setup, Shelf,
    build,
};
use std::collections::BTreeMap;

/// Capacity of networks that only list their weights and are never run.
const ONE_ROW: Extent = Extent { tokens: 1, picked: 1 };

/// What a decoder or a scorer is made from.
#[derive(Debug, Clone)]
pub struct Model<'a> {
    /// What the model looks like.
    pub config: &'a Config,
    /// Its weights on a device.
    pub parameters: &'a Parameters,
    /// Which weights take part: [`Method::Frozen`] is the base, [`Method::LowRank`] has the adapter.
    pub method: Method,
    /// Rounding of products: that with which the weights were loaded.
    pub precision: Precision,
}

impl Model<'_> {
    /// Memory that the keys and values of one token take in all layers.
    pub fn cache_row_bytes(&self) -> usize {
        let Config { n_layers, n_kv_heads, head_width, .. } = self.config;
        2 * n_layers * n_kv_heads * head_width * self.precision.dtype().bytes()
    }

    /// A program that scores at most `budget` rows a run; the weights are shared.
    ///
    /// # Errors
    /// When memory runs out.
    pub fn scorer(&self, budget: usize, device: &mut dyn Device) -> Result<Scorer> {
        let network = self.network(Extent::tokens(budget), Purpose::Loss)?;
        Ok(Scorer::new(network, self.parameters, device)?)
    }

    /// The program of this model. An adapter's dropout belongs to training and is left out.
    pub(crate) fn network(&self, capacity: Extent, purpose: Purpose) -> Result<Network> {
        let method = match &self.method {
            Method::LowRank(config) => Method::LowRank(AdapterConfig { dropout: 0.0, ..config.clone() }),
            other => other.clone(),
        };
        Ok(build(self.config, &Setup { method, precision: self.precision, capacity, purpose })?)
    }
}

/// An adapter as [`penname_model::peft::load_adapter`] reads it.
pub type Adapter = (AdapterConfig, BTreeMap<String, Pair>);

/// How weights are loaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Loading {
    /// Rounding of products.
    pub precision: Precision,
    /// How the weights of the base are kept in memory.
    pub keeping: Keeping,
}

/// The weights of a base model, and of an adapter if there is one, on a device.
#[derive(Debug)]
pub struct Weights {
    config: Config,
    parameters: Parameters,
    adapter: Option<AdapterConfig>,
    precision: Precision,
}

impl Weights {
    /// Loads every weight once.
    ///
    /// # Errors
    /// When a tensor is missing, misshapen or unused, the adapter does not fit the model, or memory
    /// runs out.
    pub fn load(
        checkpoint: &Checkpoint,
        adapter: Option<&Adapter>,
        loading: Loading,
        device: &mut dyn Device,
    ) -> Result<Self> {
        Self::load_with(checkpoint, adapter, loading, device, |network, keeping, device| {
            Parameters::load(checkpoint, network, keeping, device)
        })
    }

    /// As [`Weights::load`], with the matrices of the base on disk.
    ///
    /// # Errors
    /// As [`Weights::load`]; when the file system refuses.
    pub fn load_shelved(
        checkpoint: &Checkpoint,
        adapter: Option<&Adapter>,
        loading: Loading,
        shelf: &Shelf,
        device: &mut dyn Device,
    ) -> Result<Self> {
        Self::load_with(checkpoint, adapter, loading, device, |network, keeping, device| {
            Parameters::load_shelved(checkpoint, network, keeping, shelf, device)
        })
    }

    fn load_with(
        checkpoint: &Checkpoint,
        adapter: Option<&Adapter>,
        Loading { precision, keeping }: Loading,
        device: &mut dyn Device,
        load: impl Fn(&Network, Keeping, &mut dyn Device) -> penname_model::Result<Parameters>,
    ) -> Result<Self> {
        let config = checkpoint.config()?;
        let parameters = Parameters::default();
        let mut weights = Self { config, parameters, adapter: None, precision };
        let network = weights.base().network(ONE_ROW, Purpose::Generate { cache_rows: 1 })?;
        weights.parameters = load(&network, keeping, device)?;
        if let Some(adapter) = adapter {
            weights.adapt(adapter, device)?;
        }
        Ok(weights)
    }

    /// Lays an adapter beside the base, in place of the one that was there. Decoders and scorers
    /// made before keep theirs, so several can be in use at once.
    ///
    /// # Errors
    /// When the adapter does not fit the model, or memory runs out.
    pub fn adapt(&mut self, (config, pairs): &Adapter, device: &mut dyn Device) -> Result<()> {
        let model = self.used_by(Method::LowRank(config.clone()));
        let network = model.network(ONE_ROW, Purpose::Generate { cache_rows: 1 })?;
        check_pairs(&network, pairs)?;
        self.parameters.add_frozen_pairs(&network, device, |slot| &pairs[&slot.module])?;
        self.adapter = Some(config.clone());
        Ok(())
    }

    /// The same weights under another rule for positions, from which no weight follows: to compare with a
    /// program that has its own.
    #[must_use]
    pub fn with_rope_scaling(mut self, scaling: RopeScaling) -> Self {
        self.config.rope_scaling = scaling;
        self
    }

    /// What the model looks like.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// The weights themselves.
    pub fn parameters(&self) -> &Parameters {
        &self.parameters
    }

    /// The model without its adapter.
    pub fn base(&self) -> Model<'_> {
        self.used_by(Method::Frozen)
    }

    /// The model with its adapter; the base if there is none.
    pub fn tuned(&self) -> Model<'_> {
        self.used_by(self.adapter.clone().map_or(Method::Frozen, Method::LowRank))
    }

    fn used_by(&self, method: Method) -> Model<'_> {
        Model { config: &self.config, parameters: &self.parameters, method, precision: self.precision }
    }
}

/// Checks that the pairs are exactly those of the network, module by module.
fn check_pairs(network: &Network, pairs: &BTreeMap<String, Pair>) -> Result<()> {
    for slot in &network.pairs {
        let missing = || Error::PairMissing { module: slot.module.clone() };
        check_pair(network, slot, pairs.get(&slot.module).ok_or_else(missing)?)?;
    }
    let known = |module: &str| network.pairs.iter().any(|slot| slot.module == module);
    match pairs.keys().find(|module| !known(module)) {
        Some(module) => Err(Error::PairStray { module: module.clone() }),
        None => Ok(()),
    }
}

fn check_pair(network: &Network, slot: &PairSlot, pair: &Pair) -> Result<()> {
    let (program, module) = (&network.program, slot.module.clone());
    let found = [pair.rank, pair.n_in, pair.n_out];
    let expected @ [rank, n_in, n_out] = slot.shape(program);
    if found != expected {
        return Err(Error::PairShape { module, found, expected });
    }
    let halves = [("A", pair.a.len(), rank * n_in), ("B", pair.b.len(), n_out * rank)];
    match halves.into_iter().find(|(_, found, expected)| found != expected) {
        Some((half, found, expected)) => Err(Error::PairValues { module, half, found, expected }),
        None => Ok(()),
    }
}
