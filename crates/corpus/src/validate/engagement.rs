//! How a post was received: liked too little, by whom, and how soon it answered.
//!
//! What a source does not say is not held against a document.

use super::{Looked, Rule};
use crate::document::Reception;

pub(super) const SCORE: Rule = Rule {
    name: "engagement",
    about: "it was liked less than asked, where its source says how much",
    settings: "`min_score`",
    judge: |looked| {
        let score = reception(looked)?.score?;
        let least = looked.settings.min_score;
        (least > 0 && score < least).then(|| format!("liked by {score}"))
    },
};

pub(super) const FOLLOWERS: Rule = Rule {
    name: "followers",
    about: "its author has fewer or more followers than asked: fame is liked whatever it says",
    settings: "`min_followers`, `max_followers`",
    judge: |looked| {
        let followers = reception(looked)?.followers?;
        let is_few = followers < looked.settings.min_followers;
        let is_many = looked.settings.max_followers.is_some_and(|most| followers > most);
        (is_few || is_many).then(|| format!("{followers} followers"))
    },
};

pub(super) const TIMING: Rule = Rule {
    name: "timing",
    about: "it answered sooner or later than asked, or before what it answers, which is a fault of a clock",
    settings: "`min_delay_s`, `max_delay_s`",
    judge: |looked| {
        let delay = reception(looked)?.delay_s?;
        let seconds = u64::try_from(delay).ok();
        let is_late = |s: u64| looked.settings.max_delay_s.is_some_and(|most| s > most);
        let fits = seconds.is_some_and(|s| s >= looked.settings.min_delay_s && !is_late(s));
        (!fits).then(|| format!("answered after {delay} seconds"))
    },
};

fn reception<'a>(looked: &Looked<'a>) -> Option<&'a Reception> {
    looked.document.reception.as_ref()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::{Body, Document, Kind};
    use crate::settings::Validate;

    fn says(rule: &Rule, reception: Reception, settings: &Validate) -> Option<String> {
        let mut document = Document::new("p", 0, Kind::Text, None, Body::Text("so".into()));
        document.reception = Some(reception);
        (rule.judge)(&Looked { document: &document, voice: "so", settings, toxicity: None })
    }

    #[test]
    fn only_what_is_known_counts() {
        let settings = Validate {
            min_score: 5,
            min_followers: 500,
            max_followers: Some(100_000),
            min_delay_s: 300,
            max_delay_s: Some(86_400),
            ..Default::default()
        };
        for rule in [&SCORE, &FOLLOWERS, &TIMING] {
            assert_eq!(says(rule, Reception::default(), &settings), None);
        }
        let liked = |score| Reception { score: Some(score), ..Default::default() };
        assert_eq!(says(&SCORE, liked(4), &settings).unwrap(), "liked by 4");
        assert_eq!(says(&SCORE, liked(5), &settings), None);
        let famous = Reception { followers: Some(200_000), ..Default::default() };
        assert_eq!(says(&FOLLOWERS, famous, &settings).unwrap(), "200000 followers");
        let after = |delay| Reception { delay_s: Some(delay), ..Default::default() };
        assert_eq!(says(&TIMING, after(300), &settings), None);
        assert_eq!(says(&TIMING, after(90_000), &settings).unwrap(), "answered after 90000 seconds");
        // An answer before its question is rejected whatever is asked.
        assert_eq!(says(&TIMING, after(-5), &Validate::default()).unwrap(), "answered after -5 seconds");
        assert_eq!(says(&TIMING, after(0), &Validate::default()), None);
    }
}
