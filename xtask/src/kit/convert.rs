//! The same weights in two containers are the same numbers.

use std::collections::BTreeMap;
use std::path::Path;

use penname_ledger::write;
use penname_model::merge::save_trained;
use penname_model::{Checkpoint, Config};

use super::{Inputs, Verdict};
use crate::bench::peers;
use crate::{Result, root};

/// The base written as a Hugging Face folder and read again.
pub(super) fn there_and_back(inputs: &Inputs) -> Verdict {
    let base = Checkpoint::open(inputs.base()?)?;
    let folder = root().join("target/kit/folder");
    save_trained(&base, &base.config()?, &BTreeMap::new(), &folder)?;
    let compared = compare(&base, &folder);
    write::remove_folder(&folder)?;
    Ok(compared?)
}

/// The base decoded by the `gguf` package.
pub(super) fn against_reference(inputs: &Inputs) -> Verdict {
    let folder = peers::converted(inputs.python()?, inputs.base()?)?;
    Ok(compare(&Checkpoint::open(inputs.base()?)?, &folder)?)
}

/// Every tensor bit for bit, and what the model looks like.
fn compare(base: &Checkpoint, folder: &Path) -> Result<String> {
    let other = Checkpoint::open(folder)?;
    if !base.names().eq(other.names()) {
        return Err("the tensors have other names".into());
    }
    let (mut a, mut b, mut n_values) = (Vec::new(), Vec::new(), 0);
    for name in base.names() {
        base.read_f32(name, &mut a)?;
        other.read_f32(name, &mut b)?;
        let same = a.len() == b.len() && a.iter().zip(&b).all(|(a, b)| a.to_bits() == b.to_bits());
        if !same || base.info(name)?.shape != other.info(name)?.shape {
            return Err(format!("tensor `{name}` differs").into());
        }
        n_values += a.len();
    }
    same_config(&base.config()?, &other.config()?)?;
    Ok(format!("{} tensors, {n_values} values equal to the last bit", base.names().count()))
}

fn same_config(base: &Config, other: &Config) -> Result<()> {
    let (base, other) = (format!("{base:?}"), format!("{other:?}"));
    if base == other {
        Ok(())
    } else {
        Err(format!("the configuration became {other}, expected {base}").into())
    }
}
