//! The names of a table's columns.

use std::collections::HashMap;

use super::super::counted;
use super::notation::is_number;
use super::separator::Separator;
use crate::args::kv::table::Load;

/// Characters that separate the columns of tables.
pub(super) const SEPARATORS: [char; 4] = [',', ';', '\t', '|'];

/// The source of the names of the columns.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum ColumnNames<'a> {
    /// From the first row, which must look like names.
    Expected,
    /// From the first row, whatever it looks like.
    First,
    /// From the options; the first row is data.
    Given(&'a [String]),
    /// `column1`, `column2` and so on; the first row is data.
    Numbered,
}

impl<'a> ColumnNames<'a> {
    pub(super) fn of(options: &'a Load) -> Self {
        if !options.columns.is_empty() {
            Self::Given(&options.columns)
        } else if options.no_header {
            Self::Numbered
        } else if options.header {
            Self::First
        } else {
            Self::Expected
        }
    }

    /// True if the first row names the columns.
    pub(super) fn are_first_row(self) -> bool {
        matches!(self, Self::Expected | Self::First)
    }

    /// The names, or the rest of a sentence that begins with the line of the first row.
    pub(super) fn take(self, first: &[&str], by: Separator) -> Result<Vec<String>, String> {
        if self == Self::Expected {
            check_comment(first, by)?;
        }
        // Within a row of data, unlike within names, such characters are nothing unusual.
        if self.are_first_row() || first.len() == 1 {
            check_separators(first, by)?;
        }
        let names: Vec<String> = match self {
            Self::Expected | Self::First => {
                first.iter().map(|name| name.trim().to_owned()).collect()
            }
            Self::Given(names) => names.iter().map(|name| name.trim().to_owned()).collect(),
            Self::Numbered => (1..=first.len()).map(|at| format!("column{at}")).collect(),
        };
        if self == Self::Expected
            && let Some(at) = names.iter().position(|name| is_number(name))
        {
            return Err(format!(
                "names column {} {:?}, a number; add --no-header or --columns A,B,… if the table has \
                 no row of names, or --header if these are names",
                at + 1,
                names[at]
            ));
        }
        if self == Self::Expected && by == Separator::Assumed {
            check_blanks(first)?;
        }
        if matches!(self, Self::Given(_)) {
            check_given(&names, first)?;
        }
        check_unique(&names)?;
        Ok(names)
    }
}

fn check_given(names: &[String], first: &[&str]) -> Result<(), String> {
    if names.len() != first.len() {
        return Err(format!(
            "has {}, and --columns names {}; name each column of the table",
            counted(first.len() as u64, "cell"),
            names.len()
        ));
    }
    let cells = first.iter().enumerate();
    let mut bare = cells.map(|(at, cell)| match at {
        0 => cell.strip_prefix(COMMENT).unwrap_or(cell).trim(),
        _ => cell.trim(),
    });
    if names.iter().all(|name| bare.next() == Some(name)) {
        return Err(
            "has the names that --columns gives; leave --columns out, or delete the line"
                .to_owned(),
        );
    }
    Ok(())
}

/// Before comments, and before the names of columns that numpy writes as one.
const COMMENT: &str = "# ";

/// The names of columns in a comment would be read with its mark, or with one column too many.
fn check_comment(first: &[&str], by: Separator) -> Result<(), String> {
    let Some(name) = first.first() else {
        return Ok(());
    };
    if !name.starts_with(COMMENT) && *name != COMMENT.trim_end() {
        return Ok(());
    }
    let blanks = if first.len() == 1 && by == Separator::Assumed {
        "; add --delimiter ' ' if one blank separates columns"
    } else {
        ""
    };
    Err(format!(
        "begins with \"# \", as a comment does; delete the \"# \" if the names of the columns follow it \
         (numpy.savetxt leaves it out with comments=''), delete the line if they do not (--columns A,B,… names \
         them), or add --header if it belongs to a name{blanks}"
    ))
}

/// A table whose columns are separated by something else than expected would be read as one with fewer
/// columns.
fn check_separators(first: &[&str], by: Separator) -> Result<(), String> {
    let otherwise = match (by, first.len()) {
        // A table of one column has no separator that anybody could have named rightly.
        (Separator::Named(_) | Separator::Assumed, 1) => "none if the table has one column",
        (Separator::Assumed, _) => "',' if commas do",
        (Separator::Named(_) | Separator::None, _) => return Ok(()),
    };
    for cell in first {
        let is_other = |other: &&char| **other != by.character() && cell.contains(**other);
        let Some(other) = SEPARATORS.iter().find(is_other) else {
            continue;
        };
        let (shown, option) = match other {
            '\t' => ("a tab".to_owned(), "tab".to_owned()),
            other => (format!("'{other}'"), format!("'{other}'")),
        };
        let columns = counted(first.len() as u64, "column");
        return Err(format!(
            "has {columns}, and {shown} within {cell:?}; add --delimiter {option} if that separates \
             columns, or --delimiter {otherwise}"
        ));
    }
    Ok(())
}

/// Programs such as numpy separate columns by blanks. A name of a single column may have blanks too, so
/// that has to be said.
fn check_blanks(first: &[&str]) -> Result<(), String> {
    match first {
        [cell] if cell.split_whitespace().count() > 1 => Err(format!(
            "has one column, and blanks within {cell:?}; add --delimiter ' ' if one blank separates \
             columns, or --delimiter none if the table has one column"
        )),
        _ => Ok(()),
    }
}

fn check_unique(names: &[String]) -> Result<(), String> {
    let mut columns: HashMap<&str, usize> = HashMap::new();
    let is_unnamed = |name: &String| name.is_empty();
    if names.len() > 1 && names.iter().all(is_unnamed) {
        return Err(
            "has separators and no names; delete the rows above the names of the columns"
                .to_owned(),
        );
    }
    let unnamed = names.iter().filter(|name| is_unnamed(name)).count();
    for (at, name) in names.iter().enumerate() {
        let column = at + 1;
        if name.is_empty() {
            let cause = match (at, unnamed) {
                (0, 1) => {
                    " (pandas writes such a column unless told index=False, R unless told row.names=FALSE)"
                }
                (_, 1) if column == names.len() => " (the row ends in a separator)",
                _ => "",
            };
            return Err(format!(
                "has no name for column {column}{cause}; name it or delete the column"
            ));
        }
        if let Some(first) = columns.insert(name, column) {
            return Err(format!(
                "names both column {first} and column {column} {name:?}; give each its own name"
            ));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn take(names: ColumnNames<'_>, first: &[&str]) -> Result<Vec<String>, String> {
        names.take(first, Separator::Assumed)
    }

    #[test]
    fn names_lose_the_blanks_around_them_and_stay_unique() {
        let names = take(ColumnNames::Expected, &[" a ", "b c", "\u{a0}d"]);
        assert_eq!(names.unwrap(), ["a", "b c", "d"]);
        for (first, words) in [
            (&["a", " a"][..], "column 1 and column 2 \"a\""),
            (&["a", " "], "column 2 (the row ends in a separator)"),
            (&["", "a"], "column 1 (pandas"),
            (&["a", "", "b"], "column 2; name it"),
            (&["", "a", ""], "column 1; name it"),
            (&["", " ", ""], "delete the rows above"),
        ] {
            let complaint = take(ColumnNames::Expected, first).unwrap_err();
            assert!(complaint.contains(words), "{complaint}");
        }
    }

    #[test]
    fn names_in_a_comment_are_refused_unless_the_first_row_is_said_to_be_names() {
        for first in [
            &["# x", "y"][..],
            &["#", "x", "y"],
            &["# x y"],
            &["# x;y"],
            &["# x"],
        ] {
            let complaint = take(ColumnNames::Expected, first).unwrap_err();
            assert!(complaint.contains("comments=''"), "{complaint}");
            let has_blanks = complaint.contains("--delimiter ' '");
            assert_eq!(has_blanks, first.len() == 1, "{complaint}");
        }
        assert_eq!(
            take(ColumnNames::First, &["# x", "y"]).unwrap(),
            ["# x", "y"]
        );
        assert_eq!(
            take(ColumnNames::Expected, &["#x", "y"]).unwrap(),
            ["#x", "y"]
        );
        let given = ["x".to_owned(), "y".to_owned()];
        let same = take(ColumnNames::Given(&given), &["# x", "y"]).unwrap_err();
        assert!(same.contains("delete the line"), "{same}");
    }

    #[test]
    fn a_first_row_with_a_number_is_a_header_only_where_that_is_said() {
        for first in [&["1", "0.5"][..], &["7", "adam"], &["x", "1,5"], &["-1e3"]] {
            let complaint = take(ColumnNames::Expected, first).unwrap_err();
            assert!(complaint.contains("a number"), "{complaint}");
        }
        assert_eq!(
            take(ColumnNames::First, &["x", "2024"]).unwrap(),
            ["x", "2024"]
        );
        let numbered = take(ColumnNames::Numbered, &["7", "adam"]).unwrap();
        assert_eq!(numbered, ["column1", "column2"]);
        let given = ["n".to_owned(), " name".to_owned()];
        let given = ColumnNames::Given(&given);
        assert_eq!(take(given, &["7", "adam"]).unwrap(), ["n", "name"]);
        assert!(take(given, &["7"]).unwrap_err().contains("1 cell"));
        let same = take(given, &["n", "name"]).unwrap_err();
        assert!(same.contains("leave --columns out"), "{same}");
    }

    #[test]
    fn another_separator_within_a_name_is_told_unless_the_separator_was_named() {
        for (cell, option) in [
            ("a;b", "--delimiter ';'"),
            ("a\tb", "--delimiter tab"),
            ("a|b", "--delimiter '|'"),
        ] {
            for first in [&[cell][..], &["x", cell]] {
                let complaint = take(ColumnNames::Expected, first).unwrap_err();
                assert!(complaint.contains(option), "{complaint}");
            }
            let single = ColumnNames::Expected.take(&[cell], Separator::Named(b','));
            assert!(single.unwrap_err().contains("--delimiter none"));
            let named = ColumnNames::Expected.take(&["x", cell], Separator::Named(b','));
            assert_eq!(named.unwrap(), ["x", cell]);
            take(ColumnNames::Numbered, &["x", cell]).unwrap();
            ColumnNames::Expected
                .take(&[cell], Separator::None)
                .unwrap();
        }
        take(ColumnNames::Expected, &["a,b"]).unwrap();
    }
}
