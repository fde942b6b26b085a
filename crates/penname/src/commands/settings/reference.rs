//! The reference page of all settings, in Markdown.

use crate::settings::list;

const HEAD: &str = "\
# Settings

Made from the list of settings by `penname settings --reference`. A value comes from the strongest of
built-in < effort < recipe < `penname.yaml` < flag (`--set KEY=VALUE`).

| setting | default | may be | what it does |
|---|---|---|---|
";

/// The page.
pub(super) fn page() -> String {
    let cell = |text: &str| text.replace('|', "\\|");
    let row = |key: &list::Key| {
        let default =
            if key.default == "null" { "none".to_owned() } else { format!("`{}`", cell(key.default)) };
        format!("| `{}` | {default} | {} | {} |\n", key.name, cell(&key.kind.expected()), cell(key.about))
    };
    HEAD.to_owned() + &list::ALL.iter().map(row).collect::<String>()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_setting_has_a_row_of_four_cells() {
        let page = page();
        for key in list::ALL {
            let row = page.lines().find(|line| line.starts_with(&format!("| `{}` |", key.name))).unwrap();
            assert_eq!(row.replace("\\|", "").matches('|').count(), 5, "{row}");
        }
    }
}
