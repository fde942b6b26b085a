//! Columns that line up.

use super::wrap::columns;

/// How a column is set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Align {
    /// Words.
    Left,
    /// Numbers.
    Right,
}

/// Rows of cells under their heads.
#[derive(Debug, Clone, Default)]
pub(crate) struct Table {
    aligns: Vec<Align>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A table with these columns; an empty head says nothing.
    pub(crate) fn new(heads: &[(&str, Align)]) -> Self {
        let mut table = Self { aligns: heads.iter().map(|(_, align)| *align).collect(), rows: Vec::new() };
        if heads.iter().any(|(head, _)| !head.is_empty()) {
            table.rows.push(heads.iter().map(|(head, _)| (*head).to_owned()).collect());
        }
        table
    }

    /// Adds a row.
    pub(crate) fn row<S: Into<String>>(&mut self, cells: impl IntoIterator<Item = S>) {
        self.rows.push(cells.into_iter().map(Into::into).collect());
    }

    /// The lines, two spaces between columns and none at their ends.
    pub(crate) fn lines(&self) -> Vec<String> {
        let widest = |column: usize| {
            let cells = self.rows.iter().filter_map(|row| row.get(column));
            cells.map(|cell| columns(cell)).max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..self.aligns.len()).map(widest).collect();
        self.rows.iter().map(|row| self.line(row, &widths)).collect()
    }

    fn line(&self, row: &[String], widths: &[usize]) -> String {
        let cells = row.iter().zip(widths).zip(&self.aligns).map(|((cell, width), align)| {
            let blank = " ".repeat(width.saturating_sub(columns(cell)));
            match align {
                Align::Left => format!("{cell}{blank}"),
                Align::Right => format!("{blank}{cell}"),
            }
        });
        let line = cells.collect::<Vec<_>>().join("  ");
        line.trim_end().to_owned()
    }
}

impl std::fmt::Display for Table {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.lines().iter().try_for_each(|line| writeln!(f, "{line}"))
    }
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    #[test]
    fn columns_line_up() {
        let mut table = Table::new(&[("what", Align::Left), ("n", Align::Right), ("", Align::Left)]);
        table.row(["trained", "1 200", "yes"]);
        table.row(["日本", "7", ""]);
        expect![[r#"
            what         n
            trained  1 200  yes
            日本         7
        "#]]
        .assert_eq(&table.to_string());
    }
}
