//! Each rented dependency says why it is worth one.

use super::{File, Finding, lines};

pub(super) fn check(files: &[File]) -> Vec<Finding> {
    files.iter().filter(|file| file.path == "Cargo.toml").flat_map(check_manifest).collect()
}

fn check_manifest(manifest: &File) -> Vec<Finding> {
    let mut within = false;
    let mut found = Vec::new();
    for (line, text) in lines(&manifest.text) {
        if text.starts_with('[') {
            within = text == "[workspace.dependencies]";
        }
        let Some((name, value)) = text.split_once('=').filter(|_| within && !text.starts_with('#')) else {
            continue;
        };
        if !value.contains("path = ") && !value.contains('#') {
            let what = format!("`{}` without a reason", name.trim());
            found.push(Finding::new(&manifest.path, line, what, "a comment that says why, on the same line"));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::super::tests::{file, shown};
    use super::*;
    use expect_test::expect;

    #[test]
    fn a_dependency_needs_a_reason() {
        let text = "[workspace.package]\nversion = \"1\"\n[workspace.dependencies]\n# Ours.\n\
                    a = { path = \"a\" }\nb = \"1\" # to b\nc = \"1\"\n[profile.dev]\nopt-level = 1\n";
        expect![[r#"
            Cargo.toml:7: `c` without a reason, expected a comment that says why, on the same line
        "#]]
        .assert_eq(&shown(&check(&[file("Cargo.toml", text)])));
    }
}
