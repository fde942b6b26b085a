//! Cleaners that are asked for together: what a sort of writing usually wants.

/// Cleaners switched on together, for all files or for those of some place.
#[derive(Debug, PartialEq, Eq)]
pub struct Profile {
    /// Its name, in settings.
    pub name: &'static str,
    /// What it is for, in one line.
    pub about: &'static str,
    /// The cleaners it switches on beyond those that are on by default.
    pub enables: &'static [&'static str],
}

/// Every profile.
pub const ALL: &[Profile] = &[
    Profile {
        name: "prose",
        about: "nothing beyond the default: what may be the author's manner stays",
        enables: &[],
    },
    Profile {
        name: "tweets",
        about: "short messages of a service: letters drawn out, hashtags, accounts and links are made plain",
        enables: &["links", "mentions", "hashtags", "elongation"],
    },
];

/// The profile of a name.
pub(crate) fn named(name: &str) -> Option<&'static Profile> {
    ALL.iter().find(|profile| profile.name == name)
}
