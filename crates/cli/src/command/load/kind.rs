//! Files that are not tables of text, recognized by their first bytes. [`Kind::explain`] says how each becomes one.

use std::path::Path;

/// Bytes that identify the kind of a file.
pub(super) const HEAD_BYTES: u64 = 4_096;

/// The kind of a file that is not a table of text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A spreadsheet, with its name and the program that saves it as text.
    Spreadsheet(&'static str, &'static str),
    /// Compressed, with the name of the format and the command that decompresses it.
    Compressed(&'static str, &'static str),
    /// An archive of files, with the name of the format and the command that extracts them.
    Archive(&'static str, &'static str),
    /// Data of Python's libraries, with its name and the expression that reads it as a data frame.
    Data(&'static str, &'static str),
    /// Several arrays under names of their own, with the name of the format, the expression that opens the file, and
    /// the one that lists the names; `FILE` stands for the file.
    Arrays(&'static str, &'static str, &'static str),
    /// One object of R.
    RObject,
    /// Objects of R under names of their own.
    RObjects,
    /// Something that holds no table that a program could read out of it.
    Other(&'static str),
}

/// The position of the first file's name in a zip archive (APPNOTE.TXT, section 4.3.7).
const ZIP_NAME_AT: usize = 30;

/// The first bytes of a kind.
const SIGNATURES: &[(&[u8], Kind)] = &[
    (
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1",
        Kind::Spreadsheet("an Excel workbook of the older kind (.xls)", "Excel"),
    ),
    (b"\x1f\x8b", Kind::Compressed("gzip", "gunzip -c")),
    (b"\xfd7zXZ\0", Kind::Compressed("xz", "xz -dc")),
    (b"\x28\xb5\x2f\xfd", Kind::Compressed("zstd", "zstd -dc")),
    (b"\x04\x22\x4d\x18", Kind::Compressed("lz4", "lz4 -dc")),
    (
        b"7z\xbc\xaf\x27\x1c",
        Kind::Archive("7-Zip archive", "7z x"),
    ),
    (
        b"\x93NUMPY",
        Kind::Data("a numpy array", "DataFrame(numpy.load"),
    ),
    (b"\x89HDF\r\n\x1a\n", Kind::Data("an HDF5 file", "read_hdf")),
    (b"\x80\x03", Kind::Data("a Python pickle", "read_pickle")),
    (b"\x80\x04", Kind::Data("a Python pickle", "read_pickle")),
    (b"\x80\x05", Kind::Data("a Python pickle", "read_pickle")),
    (b"RDX2\n", Kind::RObjects),
    (b"RDX3\n", Kind::RObjects),
    (b"X\n\0\0\0\x02", Kind::RObject),
    (b"X\n\0\0\0\x03", Kind::RObject),
    (
        b"MATLAB 5.0 MAT-file",
        Kind::Arrays(
            "a MATLAB file (.mat)",
            "scipy.io.loadmat('FILE')['NAME']",
            "scipy.io.whosmat('FILE')",
        ),
    ),
    (
        b"MATLAB 7.3 MAT-file",
        Kind::Arrays(
            "a MATLAB file of version 7.3 (.mat)",
            "h5py.File('FILE')['NAME'][()].T",
            "list(h5py.File('FILE'))",
        ),
    ),
    (b"<stata_dta>", STATA),
    (
        b"\0\0\0\0\0\0\0\0\0\0\0\0\xc2\xea\x81\x60",
        Kind::Data("a SAS table (.sas7bdat)", "read_sas"),
    ),
    (b"SQLite format 3\0", Kind::Other("an SQLite database")),
    (b"%PDF-", Kind::Other("a PDF document")),
    (b"\x89PNG\r\n", Kind::Other("a PNG image")),
    (b"\xff\xd8\xff", Kind::Other("a JPEG image")),
    (b"\x7fELF", Kind::Other("a program")),
    (b"{\\rtf", Kind::Other("an RTF document")),
];

const STATA: Kind = Kind::Data("a Stata table (.dta)", "read_stata");

const SPSS: Kind = Kind::Data("an SPSS table (.sav)", "read_spss");

/// First bytes that a name of a column may have as well. Only control characters after them make them a
/// signature.
const AMBIGUOUS: &[(&[u8], Kind)] = &[
    (b"PAR1", Kind::Data("a Parquet file", "read_parquet")),
    (b"$FL2", SPSS),
    (b"$FL3", SPSS),
    (
        b"ARROW1",
        Kind::Data("an Arrow (Feather) file", "read_feather"),
    ),
];

/// bzip2 begins with `BZh`, the size of a block as a digit, and the mark of the first block.
const BZIP2: (&[u8], &[u8]) = (b"BZh", b"1AY&SY");

impl Kind {
    /// The kind of a file with these first bytes; `None` for one that may be a table of text.
    pub(super) fn of(head: &[u8]) -> Option<Self> {
        if head.starts_with(b"PK\x03\x04") {
            return Some(Self::of_zip(head));
        }
        let block = head.get(BZIP2.0.len() + 1..).unwrap_or_default();
        if head.starts_with(BZIP2.0) && block.starts_with(BZIP2.1) {
            return Some(Self::Compressed("bzip2", "bunzip2 -c"));
        }
        // Stata's older formats begin with their number, the order of bytes, and a 1.
        if let [b'l'..=b's', 1 | 2, 1, ..] = head {
            return Some(STATA);
        }
        let is_binary = head
            .iter()
            .any(|byte| byte.is_ascii_control() && !byte.is_ascii_whitespace());
        let ambiguous = AMBIGUOUS.iter().filter(|_| is_binary);
        let mut known = SIGNATURES.iter().chain(ambiguous);
        let known = known.find(|(first, _)| head.starts_with(first));
        known.map(|(_, kind)| *kind)
    }

    /// The kind of a file whose name says more than its first bytes: R compresses what it saves.
    pub(super) fn by_name(self, file: &Path) -> Self {
        let ending = file.extension().unwrap_or_default().to_string_lossy();
        match (self, ending.to_ascii_lowercase().as_str()) {
            (Self::Compressed(..), "rds") => Self::RObject,
            (Self::Compressed(..), "rdata" | "rda") => Self::RObjects,
            (kind, _) => kind,
        }
    }

    /// The kind of a zip archive, which spreadsheets and arrays of numpy are too.
    fn of_zip(head: &[u8]) -> Self {
        let has = |text: &[u8]| head.windows(text.len()).any(|part| part == text);
        let first = head.get(ZIP_NAME_AT..).unwrap_or_default();
        let begins = |names: &[&[u8]]| names.iter().any(|name| first.starts_with(name));
        if begins(&[b"mimetypeapplication/vnd.oasis.opendocument.spreadsheet"]) {
            Self::Spreadsheet("an OpenDocument spreadsheet (.ods)", "LibreOffice")
        } else if begins(&[b"[Content_Types].xml", b"_rels/", b"docProps/", b"xl/"]) {
            if has(b"word/") {
                Self::Other("a Word document")
            } else {
                Self::Spreadsheet("an Excel workbook (.xlsx)", "Excel")
            }
        } else if begins(&[b"mimetype"]) {
            Self::Other("an OpenDocument file")
        } else if has(b".npy") {
            Self::Arrays(
                "an archive of numpy arrays (.npz)",
                "numpy.load('FILE')['NAME']",
                "numpy.load('FILE').files",
            )
        } else {
            Self::Archive("zip archive", "unzip")
        }
    }

    /// The kind of text that would be read as a table of one row, or as one with odd names; `None` for
    /// text that may be a table.
    pub(super) fn of_text(head: &[u8]) -> Option<Self> {
        let text = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head);
        let text = text.trim_ascii_start();
        let begins = |words: &[u8]| {
            let start = text.get(..words.len());
            start.is_some_and(|start| start.eq_ignore_ascii_case(words))
        };
        if begins(b"<!doctype html") || begins(b"<html") {
            return Some(Self::Other("a web page (HTML)"));
        }
        if begins(b"<?xml") {
            return Some(Self::Other("an XML document"));
        }
        let (bracket, rest) = text.split_first()?;
        let next = rest.trim_ascii_start().first();
        match (bracket, next) {
            // An object for each line is what `kv gather --format ndjson` writes, too.
            (b'{', Some(b'"')) if is_json_lines(text) => {
                Some(Self::Data("JSON with an object a line", "read_json"))
            }
            (b'{', Some(b'"')) | (b'[', Some(b'{' | b'[')) => Some(Self::Data("JSON", "read_json")),
            _ => None,
        }
    }
}

/// True if the first line is a JSON value, and another one follows.
fn is_json_lines(text: &[u8]) -> bool {
    let mut lines = text.splitn(2, |byte| *byte == b'\n');
    let first = lines.next().unwrap_or_default();
    let more = lines.next().unwrap_or_default().trim_ascii_start();
    more.starts_with(b"{") && serde_json::from_slice::<serde::de::IgnoredAny>(first).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_that_may_be_a_table_has_no_kind() {
        for text in [
            &b"a,b\n1,2\n"[..],
            b"\xef\xbb\xbfa;b\r\n",
            b"\xff\xfea\0",
            b"PAR1,PAR2\n1,2\n",
            b"BZh1,BZh2\n",
            b"ARROW1\n",
            b"\"[a]\",{b}\n",
            b"{a},b\n1,2\n",
            b"<x>,<y>\n1,2\n",
            b"PK,name\n",
            b"$FL2,x\n1,2\n",
            b"seed,x\n1,2\n",
            b"X\n1\n",
            b"",
        ] {
            let shown = String::from_utf8_lossy(text);
            assert_eq!(Kind::of(text).or(Kind::of_text(text)), None, "{shown:?}");
        }
    }

    #[test]
    fn zip_archives_are_told_apart_by_the_names_in_them() {
        let zip = |names: &str| {
            let mut head = b"PK\x03\x04".to_vec();
            head.resize(ZIP_NAME_AT, 0);
            head.extend_from_slice(names.as_bytes());
            Kind::of(&head).unwrap().explain(Some("x.y"), "/in/")
        };
        assert!(zip("[Content_Types].xml").contains("an Excel workbook"));
        assert!(zip("docProps/app.xml").contains("pandas.read_excel('x.y')"));
        assert!(zip("docProps/app.xml  word/document.xml").contains("Word"));
        assert!(
            zip("mimetypeapplication/vnd.oasis.opendocument.spreadsheetPK").contains("LibreOffice")
        );
        let arrays = zip("arr_0.npy");
        assert!(arrays.contains("pandas.DataFrame(numpy.load('x.y')['NAME']).to_csv('x.csv'"));
        assert!(arrays.contains("numpy.load('x.y').files"));
        assert!(zip("table.csv").contains("unzip x.y"));
    }

    #[test]
    fn json_is_told_from_names_of_columns() {
        let explain = |text: &str| {
            Kind::of_text(text.as_bytes())
                .unwrap()
                .explain(None, "/in/")
        };
        assert!(explain("[{\"a\": 1}]").contains("read_json('FILE')."));
        assert!(explain("{ \"a\": 1}\n{\"a\": 2}\n").contains("lines=True"));
        assert!(explain("{\n \"a\": [1]\n}").contains("read_json('FILE')."));
    }
}
