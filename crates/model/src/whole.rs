//! A model on its way out: a base with what was trained beside it, weight by weight.
//!
//! Every format that holds whole weights is written from here, so that what is added to a weight,
//! and how, is decided once: in f32, a stretch of rows at a time, rounded once by the writer. Start
//! with [`Whole::new`], which insists that every tensor of the base is accounted for and every pair
//! has a weight; then ask for [`Whole::parameters`] and write `Whole::outgoing`.
//!
//! Nothing here knows a container.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::ops::Range;

use penname_engine::{Extent, Precision};

use crate::adapter::Method;
use crate::arch::build;
use crate::config::Config;
use crate::error::{Error, Result};
use crate::merge::merge_rows;
use crate::network::{Parameter, Purpose, Setup};
use crate::peft::{AdapterConfig, Pair};
use crate::quant::Storage;
use crate::weights::{Checkpoint, Outgoing, RowOrder, Taken, TensorInfo, Values, transposed};

/// Low-rank pairs by module, and what they are multiplied by.
pub type Pairs<'a> = (&'a AdapterConfig, &'a BTreeMap<String, Pair>);

/// See the [module](self).
#[derive(Debug)]
pub struct Whole<'a> {
    base: &'a Checkpoint,
    config: Config,
    parameters: Vec<Parameter>,
    pairs: Option<Pairs<'a>>,
}

impl<'a> Whole<'a> {
    /// A base, and the pairs that are to be added to its weights.
    ///
    /// # Errors
    /// When the base lacks a tensor or has one too many, a pair has no weight or another shape, or the
    /// model has experts.
    pub fn new(base: &'a Checkpoint, pairs: Option<Pairs<'a>>) -> Result<Self> {
        Self::of(base, base.config()?, pairs)
    }

    /// As [`Whole::new`], with the configuration that goes out.
    ///
    /// # Errors
    /// As [`Whole::new`].
    pub fn of(base: &'a Checkpoint, config: Config, pairs: Option<Pairs<'a>>) -> Result<Self> {
        let whole = Self { base, parameters: parameters(&config)?, config, pairs };
        if let Some(Parameter { name, .. }) = whole.parameters.iter().find(|one| one.fused.is_some()) {
            return Err(Error::ExpertsStay { tensor: name.clone() });
        }
        let mut taken = Taken::new(base);
        for parameter in &whole.parameters {
            taken.take(&parameter.name, &whole.stored_shape(parameter))?;
        }
        taken.finish()?;
        pairs
            .into_iter()
            .flat_map(|(_, pairs)| pairs)
            .try_for_each(|(module, pair)| whole.check(module, pair))?;
        Ok(whole)
    }

    fn check(&self, module: &str, pair: &Pair) -> Result<()> {
        let tensor = format!("{module}.weight");
        let known = self.parameters.iter().find(|parameter| parameter.name == tensor);
        let parameter = known.ok_or_else(|| Error::TensorUnknown { tensor: tensor.clone() })?;
        let (found, expected) = (vec![pair.n_out, pair.n_in], parameter.shape.clone());
        if found == expected { Ok(()) } else { Err(Error::TensorShape { tensor, found, expected }) }
    }

    /// What the model looks like.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Every weight, under its published name; linears are (out, in).
    pub fn parameters(&self) -> &[Parameter] {
        &self.parameters
    }

    /// How the base stores a weight.
    ///
    /// # Errors
    /// None for a parameter of this model.
    pub fn storage(&self, parameter: &Parameter) -> Result<Storage> {
        Ok(self.base.info(&parameter.name)?.dtype)
    }

    /// All values of a weight, in f32, with what was trained added.
    ///
    /// # Errors
    /// None for a parameter of this model.
    pub fn read(&self, parameter: &Parameter) -> Result<Vec<f32>> {
        let mut values = Vec::new();
        if parameter.turned {
            values = self.base.read_turned(&parameter.name)?;
        } else {
            self.base.read_f32(&parameter.name, &mut values)?;
        }
        let n_rows = parameter.shape.first().copied().unwrap_or(1);
        self.add(parameter, 0..n_rows, &mut values);
        Ok(values)
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
            let Some(tensor) = self.base.find(&parameter.name) else { return };
            if order == RowOrder::AsPublished {
                tensor.read_rows_f32(rows.clone(), out);
                return self.add(parameter, rows, out);
            }
            for (row, out) in rows.zip(out.chunks_exact_mut(row_len)) {
                let row = order.published_row(row);
                tensor.read_rows_f32(row..row + 1, out);
                self.add(parameter, row..row + 1, out);
            }
        };
        Outgoing { name, info, values: Values::Rows(Box::new(fill)) }
    }

    /// Every weight under its published name and in its published shape.
    pub fn tensors(&self, dtype: Storage) -> Vec<Outgoing<'_>> {
        self.parameters.iter().map(|parameter| self.published(parameter, dtype)).collect()
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

    /// Adds what was trained beside some rows of a weight.
    fn add(&self, parameter: &Parameter, rows: Range<usize>, values: &mut [f32]) {
        let Some((config, pairs)) = self.pairs else { return };
        let Some(module) = parameter.name.strip_suffix(".weight") else { return };
        if let Some(pair) = pairs.get(module) {
            merge_rows(pair, config.scale_for(module) as f32, rows, values);
        }
    }

    fn stored_shape(&self, parameter: &Parameter) -> Vec<usize> {
        let mut shape = parameter.shape.clone();
        if parameter.turned && self.base.is_published() {
            shape.reverse();
        }
        shape
    }
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
