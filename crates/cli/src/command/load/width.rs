//! Rows that have more or fewer cells than the table has columns: the likely cause, and the option or the
//! correction for it.

use csv_core::ReadFieldResult;

use super::super::counted;
use super::header::SEPARATORS;
use super::separator::Separator;

/// The rest of a sentence that begins with the line of the row. `raw` is the text from the row on, which tells
/// cells with quotes from those without.
pub(super) fn explain(cells: &[&str], raw: &[u8], columns: usize, by: Separator) -> String {
    let counts = format!(
        "has {}, and the table has {}",
        counted(cells.len() as u64, "cell"),
        counted(columns as u64, "column")
    );
    format!(
        "{counts}; {}",
        remedy(cells, &quoted(raw, by.byte()), columns, by)
    )
}

/// The next step if a row begins with its own name, and the first row has no name for that column.
const ROW_NAMES: &str = "write the table with row.names=FALSE in R";

fn remedy(cells: &[&str], quoted: &[bool], columns: usize, by: Separator) -> String {
    let separator = by.character();
    let shown = shown(separator);
    let is_one_more = cells.len() == columns + 1;
    let is_first_alone = quoted
        .split_first()
        .is_some_and(|(first, others)| *first && !others.contains(&true));
    if separator == ','
        && let Some(number) = decimal_comma(cells, quoted, cells.len().saturating_sub(columns))
    {
        let row_names = if is_one_more {
            format!("; if {:?} is the name of the row, {ROW_NAMES}", cells[0])
        } else {
            String::new()
        };
        return if columns == 1 {
            format!(
                "if {number} is one number, add --delimiter none --decimal-comma, or write it with a \
                 point{row_names}"
            )
        } else {
            format!(
                "if {number} is one number, save the table with ';' between its columns and add \
                 --delimiter ';' --decimal-comma, or write numbers with a point{row_names}; if not, name each \
                 column"
            )
        };
    }
    if is_one_more && is_first_alone {
        return format!(
            "if {:?} is the name of the row, {ROW_NAMES}, as in write.csv(x, 'x.csv', row.names=FALSE); if not, \
             name each column",
            cells[0]
        );
    }
    if columns == 1 && by == Separator::Assumed {
        return "add --delimiter none if the table has one column, or put quotes around a cell that has \
                a comma, as in \"a,b\""
            .to_owned();
    }
    let is_other =
        |other: &&char| **other != separator && cells.iter().any(|cell| cell.contains(**other));
    if cells.len() < columns
        && let Some(other) = SEPARATORS.iter().find(is_other)
    {
        let other = self::shown(*other);
        return format!(
            "it has {other}, and the columns are separated by {shown}; use one separator in all rows, \
             and name it with --delimiter"
        );
    }
    if is_one_more && cells.last().is_some_and(|last| last.trim().is_empty()) {
        return format!("remove the separator at its end ({shown}), or name one more column");
    }
    if cells.len() > columns {
        return format!(
            "put quotes around a cell that has the separator {shown}, name each column (R writes names \
             of rows without one unless told row.names=FALSE), or name another separator with \
             --delimiter"
        );
    }
    format!(
        "write every cell, also an empty one, with {shown} between two, or name another separator with \
         --delimiter"
    )
}

/// The first number that a comma before its fraction has made two cells of, where such numbers account for
/// all cells that are too many.
fn decimal_comma(cells: &[&str], quoted: &[bool], surplus: usize) -> Option<String> {
    let is_digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let is_whole = |cell: &str| is_digits(cell.trim_start().trim_start_matches(['-', '+']));
    let is_fraction = |cell: &str| {
        let cell = cell.trim_end();
        is_digits(cell.split(['e', 'E']).next().unwrap_or_default())
    };
    let mut first = None;
    let mut found = 0;
    let mut at = 0;
    let is_bare = |at: usize| !quoted.get(at).is_some_and(|quoted| *quoted);
    while let [whole, fraction, ..] = cells.get(at..).unwrap_or_default() {
        if is_bare(at) && is_bare(at + 1) && is_whole(whole) && is_fraction(fraction) {
            found += 1;
            first.get_or_insert_with(|| format!("{},{}", whole.trim(), fraction.trim()));
            at += 1;
        }
        at += 1;
    }
    first.filter(|_| surplus > 0 && found >= surplus)
}

/// Which cells of the row at the beginning of a text have quotes around them.
fn quoted(raw: &[u8], separator: u8) -> Vec<bool> {
    let mut reader = csv_core::ReaderBuilder::new().delimiter(separator).build();
    // The text of the cells is not needed, only where each of them begins.
    let mut text = [0; 256];
    // The reader skips empty lines before a row.
    let start = raw.iter().position(|byte| !matches!(byte, b'\n' | b'\r'));
    let mut rest = raw.get(start.unwrap_or_default()..).unwrap_or_default();
    let mut cells = vec![rest.first() == Some(&b'"')];
    loop {
        let (result, read, _) = reader.read_field(rest, &mut text);
        rest = rest.get(read..).unwrap_or_default();
        match result {
            ReadFieldResult::Field { record_end: false } => {
                cells.push(rest.first() == Some(&b'"'));
            }
            ReadFieldResult::Field { record_end: true } | ReadFieldResult::End => return cells,
            // The next call, without input, ends the last cell.
            ReadFieldResult::InputEmpty | ReadFieldResult::OutputFull => {}
        }
    }
}

/// A separator as a sentence shows it.
pub(super) fn shown(separator: char) -> String {
    match separator {
        '\t' => "a tab".to_owned(),
        ' ' => "a blank".to_owned(),
        other => format!("'{other}'"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn remedy_of(row: &str, columns: usize, by: Separator) -> String {
        let cells: Vec<_> = row.split(by.character()).collect();
        let bare: Vec<_> = cells.iter().map(|cell| cell.trim_matches('"')).collect();
        remedy(&bare, &quoted(row.as_bytes(), by.byte()), columns, by)
    }

    #[test]
    fn quotes_around_cells_are_seen() {
        let row = b"\"1\",2,\"a,\"\"b\",\"\",,c\"\n\"x\",y\n";
        assert_eq!(quoted(row, b','), [true, false, true, true, false, false]);
        assert_eq!(quoted(b"\"never closed", b','), [true]);
        assert_eq!(quoted(b"", b','), [false]);
    }

    #[test]
    fn the_cause_that_accounts_for_the_cells_is_named() {
        let by = Separator::Assumed;
        for (row, columns, words) in [
            ("1,5,2,5", 2, "1,5 is one number"),
            ("x,-0,25e-3", 2, "-0,25e-3 is one number"),
            ("1,5,2", 2, "--delimiter ';' --decimal-comma"),
            ("1,5", 1, "--delimiter none --decimal-comma"),
            ("Smith, John", 1, "--delimiter none if"),
            (
                "1,5,2",
                2,
                "\"1\" is the name of the row, write the table with row.names=FALSE",
            ),
            ("\"1\",5,2", 2, "5,2 is one number"),
            ("\"1\",5,x", 2, "\"1\" is the name of the row"),
            ("1;2", 2, "it has ';'"),
            ("1\t2", 2, "it has a tab"),
            ("a,b,", 2, "the separator at its end"),
            ("a,b,c", 2, "quotes around a cell"),
            ("a", 2, "write every cell"),
        ] {
            let said = remedy_of(row, columns, by);
            assert!(said.contains(words), "{row}: {said}");
        }
        let tabs = remedy_of("a\tb\t", 2, Separator::Named(b'\t'));
        assert!(tabs.contains("at its end (a tab)"), "{tabs}");
    }

    #[test]
    fn numbers_side_by_side_are_no_decimal_commas_where_they_are_too_few() {
        let said = remedy_of("a,1,2,b,c", 3, Separator::Assumed);
        assert!(!said.contains("one number"), "{said}");
    }
}
