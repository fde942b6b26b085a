//! A key for an hour, made of an application's own: OAuth as Reddit has it.
//!
//! Which way is taken follows from the keys that are there: a refresh token, an account with its
//! password (a script application), an application alone, or an installed application without a
//! secret.

use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use penname_ledger::Timestamp;
use serde::Deserialize;

use super::super::address::encoded;
use super::super::polite::{Ask, Polite};
use super::super::{Fault, Secret, Secrets};

/// A key is renewed so long before its end.
const EARLY: Duration = Duration::from_secs(60);
/// The form in which a login is sent.
const FORM: &str = "application/x-www-form-urlencoded";

/// An application, and the key it has now.
pub(super) struct Login {
    address: String,
    application: String,
    /// What is sent for a key. It may hold a password.
    grant: Secret,
    key: Option<(Secret, Timestamp)>,
}

/// What is answered.
#[derive(Deserialize)]
struct Granted {
    access_token: String,
    #[serde(default)]
    expires_in: u64,
}

impl Login {
    /// The way that the keys allow.
    ///
    /// # Errors
    /// When there is no application.
    pub(super) fn of(secrets: &Secrets, host: &str) -> Result<Self, Fault> {
        let id = secrets.need("REDDIT_CLIENT_ID")?.open();
        let secret = secrets.get("REDDIT_CLIENT_SECRET").map(Secret::open);
        let user = secrets.get("REDDIT_USERNAME").zip(secrets.get("REDDIT_PASSWORD"));
        let grant = match (secrets.get("REDDIT_REFRESH_TOKEN"), user, secret) {
            (Some(token), _, _) => {
                format!("grant_type=refresh_token&refresh_token={}", encoded(token.open()))
            }
            (None, Some((name, word)), Some(_)) => {
                format!(
                    "grant_type=password&username={}&password={}",
                    encoded(name.open()),
                    encoded(word.open())
                )
            }
            (None, _, Some(_)) => "grant_type=client_credentials".to_owned(),
            // The service's own word for a device that does not want to be known.
            (None, _, None) => format!(
                "grant_type={}&device_id=DO_NOT_TRACK_THIS_DEVICE",
                encoded("https://oauth.reddit.com/grants/installed_client")
            ),
        };
        let application = BASE64_STANDARD.encode(format!("{id}:{}", secret.unwrap_or_default()));
        let address = format!("{}/api/v1/access_token", host.trim_end_matches('/'));
        Ok(Self { address, application, grant: Secret::new(&grant), key: None })
    }

    /// The value of `authorization` for a question, asked for where there is none that lasts.
    ///
    /// # Errors
    /// When the service gives none.
    pub(super) fn key(&mut self, polite: &mut Polite<'_>) -> Result<String, Fault> {
        if let Some((key, until)) = &self.key
            && *until > polite.now()
        {
            return Ok(format!("bearer {}", key.open()));
        }
        let ask = Ask::post(&self.address, FORM, self.grant.open())?
            .opened_by(format!("Basic {}", self.application));
        let answer = polite.send(&ask)?;
        let host = answer.address.host().to_owned();
        // A wrong password is answered with 200 and an error.
        let granted: Granted = serde_json::from_slice(&answer.body).map_err(|_| {
            let said = ": no key in its answer to the login".to_owned();
            Fault::Unauthorized { host, said }
        })?;
        let lasts = Duration::from_secs(granted.expires_in).saturating_sub(EARLY);
        let until = polite.now().ms().saturating_add(i64::try_from(lasts.as_millis()).unwrap_or(i64::MAX));
        let key = Secret::new(&granted.access_token);
        let value = format!("bearer {}", key.open());
        self.key = Some((key, Timestamp::from_ms(until)));
        Ok(value)
    }

    /// Forgets a key that was not accepted.
    pub(super) fn forget(&mut self) {
        self.key = None;
    }
}
