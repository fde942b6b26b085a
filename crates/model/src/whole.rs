//! A model on its way out: a base with what was trained beside it or in its place, weight by weight.
//!
//! Every file that holds whole weights is written from here, so that what is laid into a weight, and
//! how, is decided once: in f32, a stretch of rows at a time, rounded once by the writer. Start with
//! [`Whole::new`] or [`Whole::trained`], which insist that every tensor of the base is accounted for and
//! that everything trained has a weight; then take [`Whole::tensors`], which are as their publisher
//! would lay them out.
//!
//! Experts are in `experts`. Nothing here knows a container.

mod experts;

pub(crate) use experts::Experts;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::ops::Range;

use penname_engine::{Extent, Precision};

use crate::adapter::Method;
use crate::arch::build;
use crate::config::Config;
use crate::error::{Error, Result};
use crate::fused::Gathered;
use crate::merge::{add_pairs, merge_rows};
use crate::network::{Parameter, Purpose, Setup};
use crate::peft::{AdapterConfig, Pair};
use crate::quant::Storage;
use crate::weights::{Checkpoint, Outgoing, RowOrder, Taken, TensorInfo, Values, transposed};

/// Low-rank pairs by module, and what they are multiplied by.
pub type Pairs<'a> = (&'a AdapterConfig, &'a BTreeMap<String, Pair>);

/// Weights that were trained themselves, by name; linears are (out, in).
pub type Trained = BTreeMap<String, Vec<f32>>;

/// See the [module](self).
#[derive(Debug)]
pub struct Whole<'a> {
    base: &'a Checkpoint,
    config: Config,
    parameters: Vec<Parameter>,
    /// Where the parameters of experts lie, by their names.
    gathered: BTreeMap<String, Gathered<'a>>,
    change: Change<'a>,
}

/// What is laid into the weights of the base.
#[derive(Debug, Clone, Copy)]
enum Change<'a> {
    Nothing,
    Pairs(Pairs<'a>),
    Trained(&'a Trained),
}

impl<'a> Whole<'a> {
    /// A base, and the pairs that are to be added to its weights.
    ///
    /// # Errors
    /// When the base lacks a tensor or has one too many, or a pair has no weight or another shape.
    pub fn new(base: &'a Checkpoint, pairs: Option<Pairs<'a>>) -> Result<Self> {
        Self::of(base, base.config()?, pairs)
    }

    /// As [`Whole::new`], with the configuration that goes out.
    ///
    /// # Errors
    /// As [`Whole::new`].
    pub fn of(base: &'a Checkpoint, config: Config, pairs: Option<Pairs<'a>>) -> Result<Self> {
        Self::with(base, config, pairs.map_or(Change::Nothing, Change::Pairs))
    }

    /// A base some of whose weights were trained themselves.
    ///
    /// # Errors
    /// As [`Whole::new`].
    pub fn trained(base: &'a Checkpoint, config: Config, trained: &'a Trained) -> Result<Self> {
        Self::with(base, config, Change::Trained(trained))
    }

    fn with(base: &'a Checkpoint, config: Config, change: Change<'a>) -> Result<Self> {
        let (parameters, mut gathered) = (parameters(&config)?, BTreeMap::new());
        let mut taken = Taken::new(base);
        for parameter in &parameters {
            if parameter.fused.is_some() {
                gathered.insert(parameter.name.clone(), Gathered::take(&mut taken, base, parameter)?);
            } else {
                taken.take(&parameter.name, &stored_shape(base, parameter))?;
            }
        }
        taken.finish()?;
        let whole = Self { base, config, parameters, gathered, change };
        match change {
            Change::Nothing => {}
            Change::Pairs((_, pairs)) => {
                pairs.iter().try_for_each(|(module, pair)| whole.check_pair(module, pair))?;
            }
            Change::Trained(trained) => {
                trained.iter().try_for_each(|(name, values)| whole.check_trained(name, values.len()))?;
            }
        }
        Ok(whole)
    }

    fn check_pair(&self, module: &str, pair: &Pair) -> Result<()> {
        let tensor = format!("{module}.weight");
        if let Some(Parameter { name, shape, fused: Some(fused), .. }) = self.find(module) {
            let found = vec![pair.rank % fused.experts, pair.n_out, pair.n_in];
            let expected = [&[0], shape.get(1..).unwrap_or_default()].concat();
            let tensor = name.clone();
            return if found == expected {
                Ok(())
            } else {
                Err(Error::TensorShape { tensor, found, expected })
            };
        }
        let parameter = self.find(&tensor).ok_or_else(|| Error::TensorUnknown { tensor: tensor.clone() })?;
        let (found, expected) = (vec![pair.n_out, pair.n_in], parameter.shape.clone());
        if found == expected { Ok(()) } else { Err(Error::TensorShape { tensor, found, expected }) }
    }

    fn check_trained(&self, name: &str, n_values: usize) -> Result<()> {
        let tensor = name.to_owned();
        let Some(parameter) = self.find(name) else { return Err(Error::TensorUnknown { tensor }) };
        let expected = parameter.shape.clone();
        if expected.iter().product::<usize>() == n_values {
            return Ok(());
        }
        Err(Error::TensorShape { tensor, found: vec![n_values], expected })
    }

    fn find(&self, name: &str) -> Option<&Parameter> {
        self.parameters.iter().find(|parameter| parameter.name == name)
    }

    /// What the model looks like.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Every weight, under its published name; linears are (out, in).
    pub fn parameters(&self) -> &[Parameter] {
        &self.parameters
    }

    /// All values of a weight that is no expert's, (out, in), in f32, with what was trained.
    pub(crate) fn read(&self, parameter: &Parameter) -> Result<Vec<f32>> {
        let mut values = Vec::new();
        if parameter.turned {
            values = self.base.read_turned(&parameter.name)?;
        } else {
            self.base.read_f32(&parameter.name, &mut values)?;
        }
        let n_rows = parameter.shape.first().copied().unwrap_or(1);
        self.change(parameter, 0..n_rows, &mut values);
        Ok(values)
    }

    /// Some rows of a weight that lies as (out, in) in the base, with what was trained.
    pub(crate) fn read_rows(&self, parameter: &Parameter, rows: Range<usize>, out: &mut [f32]) {
        let Some(tensor) = self.base.find(&parameter.name) else { return };
        tensor.read_rows_f32(rows.clone(), out);
        self.change(parameter, rows, out);
    }

    /// A weight as (out, in), to be written under `name`, its rows in the given order.
    pub(crate) fn outgoing<'s>(
        &'s self,
        parameter: &'s Parameter,
        name: String,
        dtype: Storage,
        order: RowOrder,
    ) -> Outgoing<'s> {
        let info = TensorInfo { shape: parameter.shape.clone(), dtype };
        let row_len = info.row_len();
        let turned = RefCell::new(Vec::new());
        let fill = move |rows: Range<usize>, out: &mut [f32]| {
            if parameter.turned {
                let mut turned = turned.borrow_mut();
                if rows.start == 0 {
                    *turned = self.read(parameter).unwrap_or_default();
                }
                out.copy_from_slice(&turned[rows.start * row_len..rows.end * row_len]);
                if rows.end * row_len == turned.len() {
                    *turned = Vec::new();
                }
                return;
            }
            if order == RowOrder::AsPublished {
                return self.read_rows(parameter, rows, out);
            }
            for (row, out) in rows.zip(out.chunks_exact_mut(row_len)) {
                let row = order.published_row(row);
                self.read_rows(parameter, row..row + 1, out);
            }
        };
        Outgoing { name, info, values: Values::Rows(Box::new(fill)) }
    }

    /// Every weight under its published name and in its published shape. Experts in MXFP4 that nothing
    /// was trained of go out as they are stored; see [`Whole::keeps_blocks`].
    pub fn tensors(&self, dtype: Storage) -> Vec<Outgoing<'_>> {
        let published = |parameter| match self.experts(parameter) {
            Some(experts) => experts.published(dtype),
            None => vec![self.published(parameter, dtype)],
        };
        self.parameters.iter().flat_map(published).collect()
    }

    fn published<'s>(&'s self, parameter: &'s Parameter, dtype: Storage) -> Outgoing<'s> {
        let outgoing = self.outgoing(parameter, parameter.name.clone(), dtype, RowOrder::AsPublished);
        if !parameter.turned {
            return outgoing;
        }
        let Outgoing { name, mut info, .. } = outgoing;
        let (n_out, n_in) = (info.n_rows(), info.row_len());
        info.shape.reverse();
        let turned = RefCell::new(Vec::new());
        let fill = move |rows: Range<usize>, out: &mut [f32]| {
            let mut turned = turned.borrow_mut();
            if rows.start == 0 {
                *turned = transposed(&self.read(parameter).unwrap_or_default(), n_out, n_in);
            }
            out.copy_from_slice(&turned[rows.start * n_out..rows.end * n_out]);
            if rows.end == n_in {
                *turned = Vec::new();
            }
        };
        Outgoing { name, info, values: Values::Rows(Box::new(fill)) }
    }

    /// Lays what was trained into some rows of a weight. Rows of experts are those of all of them
    /// below each other.
    fn change(&self, parameter: &Parameter, rows: Range<usize>, values: &mut [f32]) {
        match self.change {
            Change::Nothing => {}
            Change::Trained(trained) => {
                let Some(trained) = trained.get(&parameter.name) else { return };
                let row_len = values.len() / rows.len().max(1);
                values.copy_from_slice(&trained[rows.start * row_len..rows.end * row_len]);
            }
            Change::Pairs((config, pairs)) => {
                if let (Some(fused), Some(pair)) = (parameter.fused, pairs.get(&parameter.name)) {
                    let scale = config.scale_for(&parameter.name) as f32;
                    return add_pairs(pair, fused.experts, scale, rows, values);
                }
                let Some(module) = parameter.name.strip_suffix(".weight") else { return };
                if let Some(pair) = pairs.get(module) {
                    merge_rows(pair, config.scale_for(module) as f32, rows, values);
                }
            }
        }
    }
}

fn stored_shape(base: &Checkpoint, parameter: &Parameter) -> Vec<usize> {
    let mut shape = parameter.shape.clone();
    if parameter.turned && base.is_published() {
        shape.reverse();
    }
    shape
}

/// The parameters of a model, in the order in which it uses them.
pub(crate) fn parameters(config: &Config) -> Result<Vec<Parameter>> {
    let setup = Setup {
        method: Method::Frozen,
        precision: Precision::F32,
        capacity: Extent { tokens: 1, picked: 1 },
        purpose: Purpose::Generate { cache_rows: 1 },
    };
    Ok(build(config, &setup)?.parameters)
}
