//! Plain-text tables: columns of numbers to the right, the others to the left.

use std::fmt;

/// Rows of cells under a head.
#[derive(Clone, Debug)]
pub(crate) struct Table {
    rows: Vec<Vec<String>>,
}

impl Table {
    pub(crate) fn new(head: &[&str]) -> Self {
        Self {
            rows: vec![head.iter().map(|cell| (*cell).to_owned()).collect()],
        }
    }

    pub(crate) fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.rows.push(cells.into_iter().collect());
    }

    /// The same, for a document.
    pub(crate) fn markdown(&self) -> String {
        let columns = self.rows.first().map_or(0, Vec::len);
        let rule = (0..columns).map(|column| {
            if is_numeric(&self.rows, column) {
                "--:"
            } else {
                "---"
            }
        });
        let rule = format!("|{}|", rule.collect::<Vec<_>>().join("|"));
        let mut lines: Vec<String> = self
            .rows
            .iter()
            .map(|row| format!("| {} |", row.join(" | ")))
            .collect();
        lines.insert(1.min(lines.len()), rule);
        lines.join("\n") + "\n"
    }

    fn widths(&self) -> Vec<usize> {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        let cells = |column: usize| self.rows.iter().filter_map(move |row| row.get(column));
        (0..columns)
            .map(|column| {
                cells(column)
                    .map(|cell| cell.chars().count())
                    .max()
                    .unwrap_or(0)
            })
            .collect()
    }
}

/// Whether a column holds numbers, with a unit perhaps, below its head.
fn is_numeric(rows: &[Vec<String>], column: usize) -> bool {
    let mut cells = rows
        .iter()
        .skip(1)
        .filter_map(|row| row.get(column))
        .filter(|cell| !cell.is_empty())
        .peekable();
    cells.peek().is_some()
        && cells.all(|cell| cell.starts_with(|first: char| first.is_ascii_digit()))
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let widths = self.widths();
        for (number, row) in self.rows.iter().enumerate() {
            let mut line = String::new();
            for (column, (cell, width)) in row.iter().zip(&widths).enumerate() {
                let width = *width;
                let gap = if column == 0 { "" } else { "  " };
                let cell = if is_numeric(&self.rows, column) {
                    format!("{cell:>width$}")
                } else {
                    format!("{cell:<width$}")
                };
                line.push_str(gap);
                line.push_str(&cell);
            }
            writeln!(f, "{}", line.trim_end())?;
            if number == 0 {
                writeln!(
                    f,
                    "{}",
                    "-".repeat(
                        widths
                            .iter()
                            .map(|width| width + 2)
                            .sum::<usize>()
                            .saturating_sub(2)
                    )
                )?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::Table;

    #[test]
    fn aligns() {
        let mut table = Table::new(&["name", "n"]);
        table.row(["a".to_owned(), "100".to_owned()]);
        assert_eq!(table.to_string(), "name    n\n---------\na     100\n");
        assert_eq!(table.markdown(), "| name | n |\n|---|--:|\n| a | 100 |\n");
    }
}
