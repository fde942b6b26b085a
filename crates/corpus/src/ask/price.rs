//! What models cost: a dated list, what the settings say before it, and nothing for what runs here.

use serde::{Deserialize, Serialize};

use super::row::Usage;
use super::settings::{Ask, Mode, Provider};
use crate::Error;
use crate::collect::fetch::address::Address;

/// The list, with its date.
const LIST: &str = include_str!("prices.yaml");

/// What a model costs, in US dollars for a million tokens.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Price {
    /// Its name; a date at the end of the name that is asked for makes no difference.
    pub model: String,
    /// What it reads.
    pub input: f64,
    /// What it writes.
    pub output: f64,
    /// What it reads and has read before. Default: as `input`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache_read: Option<f64>,
    /// What it reads and keeps. Default: a quarter more than `input`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache_write: Option<f64>,
    /// The share of it that a batch costs. Default: a half.
    #[serde(default = "half")]
    pub batch: f64,
}

fn half() -> f64 {
    0.5
}

/// The list as it is kept.
#[derive(Debug, Deserialize)]
struct List {
    as_of: String,
    prices: Vec<Price>,
}

impl Price {
    /// Whether it is made of amounts.
    pub(crate) fn is_sound(&self) -> bool {
        let amounts = [
            self.input,
            self.output,
            self.batch,
            self.cache_read.unwrap_or_default(),
            self.cache_write.unwrap_or_default(),
        ];
        amounts.into_iter().all(|amount| (0.0..1e6).contains(&amount))
    }

    /// What so many tokens cost.
    pub(crate) fn of(&self, usage: &Usage, mode: Mode) -> f64 {
        let each = [
            (usage.input, self.input),
            (usage.output, self.output),
            (usage.cache_read, self.cache_read.unwrap_or(self.input)),
            (usage.cache_write, self.cache_write.unwrap_or(1.25 * self.input)),
        ];
        let sum: f64 = each.into_iter().map(|(tokens, price)| tokens as f64 * price / 1e6).sum();
        if mode == Mode::Batch { sum * self.batch } else { sum }
    }

    fn free(model: &str) -> Self {
        let model = model.to_owned();
        Self { model, input: 0.0, output: 0.0, cache_read: None, cache_write: None, batch: 1.0 }
    }
}

/// What the model of the settings costs, and who says so.
///
/// # Errors
/// When nobody does and that is not allowed, or the list cannot be read.
pub(crate) fn find(ask: &Ask) -> Result<(Price, String), Error> {
    let list: List = serde_saphyr::from_str(LIST)
        .map_err(|error| Error::Ask { why: format!("the list of prices: {error}") })?;
    let named = |prices: &[Price]| {
        let names = [ask.model(), undated(ask.model())];
        names.iter().find_map(|name| prices.iter().find(|price| price.model == *name).cloned())
    };
    if let Some(price) = named(&ask.prices) {
        return Ok((price, "`corpus.ask.prices`".to_owned()));
    }
    if ask.provider == Some(Provider::Local) || is_here(ask) {
        return Ok((Price::free(ask.model()), "it runs on this machine or beside it".to_owned()));
    }
    if let Some(price) = named(&list.prices) {
        return Ok((price, format!("the list of {}", list.as_of)));
    }
    if ask.allow_unpriced {
        return Ok((Price::free(ask.model()), "nobody says, and it is allowed all the same".to_owned()));
    }
    Err(Error::Unpriced { model: ask.model().to_owned(), as_of: list.as_of })
}

/// Whether a service that speaks as OpenAI's runs on this machine, or in the house.
fn is_here(ask: &Ask) -> bool {
    let Some(address) = Address::parse(ask.address()) else { return false };
    ask.provider == Some(Provider::Openai) && is_near(address.host())
}

/// Whether a host is this machine, or has an address that nothing outside the house has.
pub(crate) fn is_near(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => host.split(':').next().unwrap_or_default(),
    };
    match name.parse::<std::net::IpAddr>() {
        Ok(std::net::IpAddr::V4(ip)) => ip.is_loopback() || ip.is_private(),
        Ok(std::net::IpAddr::V6(ip)) => ip.is_loopback() || ip.is_unique_local(),
        Err(_) => name == "localhost" || name.ends_with(".localhost") || name.ends_with(".local"),
    }
}

/// A model's name without the date or `-latest` at its end.
fn undated(model: &str) -> &str {
    let is_digits = |text: &str, n: usize| text.len() == n && text.bytes().all(|byte| byte.is_ascii_digit());
    let short = model.strip_suffix("-latest").unwrap_or(model);
    if let Some((name, date)) = short.rsplit_once('-').filter(|(_, date)| is_digits(date, 8)) {
        debug_assert_eq!(date.len(), 8);
        return name;
    }
    let Some((name, date)) = short.len().checked_sub(11).and_then(|at| short.split_at_checked(at)) else {
        return short;
    };
    let mut parts = date.split('-');
    let is_date = parts.next() == Some("")
        && parts.next().is_some_and(|year| is_digits(year, 4))
        && parts.all(|part| is_digits(part, 2));
    if is_date { name } else { short }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(provider: Provider, model: &str, address: Option<&str>) -> Ask {
        let address = address.map(str::to_owned);
        Ask { provider: Some(provider), model: Some(model.to_owned()), address, ..Ask::default() }
    }

    fn check(ask: &Ask, expected: Option<(f64, f64)>) {
        assert_eq!(find(ask).ok().map(|(price, _)| (price.input, price.output)), expected, "{ask:?}");
    }

    #[test]
    fn a_date_makes_no_difference_and_a_kind_does() {
        check(&ask(Provider::Anthropic, "claude-haiku-4-5", None), Some((1.0, 5.0)));
        check(&ask(Provider::Anthropic, "claude-haiku-4-5-20251001", None), Some((1.0, 5.0)));
        check(&ask(Provider::Openai, "gpt-4o-mini-2024-07-18", None), Some((0.15, 0.6)));
        check(&ask(Provider::Openai, "gpt-4o-mini-latest", None), Some((0.15, 0.6)));
        check(&ask(Provider::Openai, "gpt-4o-audio", None), None);
        check(&ask(Provider::Openai, "é-20", None), None);
    }

    #[test]
    fn what_runs_here_costs_nothing_and_settings_go_first() {
        check(&ask(Provider::Local, "any", None), Some((0.0, 0.0)));
        for near in
            ["http://localhost:11434", "http://127.0.0.1:8000/v1", "http://192.168.1.4", "http://[::1]:80"]
        {
            check(&ask(Provider::Openai, "llama3", Some(near)), Some((0.0, 0.0)));
        }
        check(&ask(Provider::Openai, "llama3", Some("https://api.a.test")), None);
        // A priced service behind a tunnel still has its price.
        check(&ask(Provider::Anthropic, "claude-haiku-4-5", Some("http://127.0.0.1:1")), Some((1.0, 5.0)));
        let mut own = ask(Provider::Openai, "llama3", Some("http://localhost:1"));
        own.prices = vec![Price { input: 2.0, ..Price::free("llama3") }];
        check(&own, Some((2.0, 0.0)));
        let mut unknown = ask(Provider::Openai, "x", Some("https://api.a.test"));
        unknown.allow_unpriced = true;
        check(&unknown, Some((0.0, 0.0)));
    }

    #[test]
    fn every_kind_of_token_has_its_price() {
        let (price, _) = find(&ask(Provider::Anthropic, "claude-haiku-4-5", None)).unwrap();
        let usage = Usage { input: 1_000_000, output: 100_000, cache_read: 1_000_000, cache_write: 0 };
        assert!((price.of(&usage, Mode::Each) - 1.6).abs() < 1e-9);
        assert!((price.of(&usage, Mode::Batch) - 0.8).abs() < 1e-9);
    }
}
