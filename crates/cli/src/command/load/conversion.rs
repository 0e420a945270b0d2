//! The conversion of a file that is not a table of text into one.

use super::kind::Kind;

impl Kind {
    /// The rest of a sentence that begins with the file's name: its kind, and how to load what is in it.
    pub(super) fn explain(self, file: Option<&str>, prefix: &str) -> String {
        let shown = file.unwrap_or("FILE");
        let stem = shown.rsplit_once('.').map_or(shown, |(stem, _)| stem);
        match self {
            Self::Spreadsheet(name, program) => format!(
                "is {name} and not a table of text; save it as CSV in {program}, or convert it in Python \
                 with pandas.read_excel('{shown}').to_csv('{stem}.csv', index=False), and load that file"
            ),
            Self::Compressed(format, command) => format!(
                "is compressed with {format}; decompress it on the way, as in \
                 {command} {shown} | prominence kv load {prefix} -"
            ),
            Self::Archive(format, command) => format!(
                "is a {format} and not a table of text; extract it with {command} {shown}, and load a \
                 file from it"
            ),
            Self::Data(name, reader) => {
                // The columns of an array have numbers for names.
                let (close, header) = if reader.contains('(') {
                    (")", ", with --header if its columns are numbers")
                } else {
                    ("", "")
                };
                let lines = if name.contains("a line") {
                    ", lines=True"
                } else {
                    ""
                };
                format!(
                    "is {name} and not a table of text; convert it in Python with \
                     pandas.{reader}('{shown}'{lines}){close}.to_csv('{stem}.csv', index=False), and load \
                     that file{header}"
                )
            }
            Self::Arrays(name, array, names) => {
                let (array, names) = (array.replace("FILE", shown), names.replace("FILE", shown));
                format!(
                    "is {name} and not a table of text; convert an array of it in Python with \
                     pandas.DataFrame({array}).to_csv('{stem}.csv', index=False), where NAME is one of {names}, and \
                     load that file, with --header if its columns are numbers"
                )
            }
            Self::RObject => format!(
                "is an object of R (.rds) and not a table of text; convert it with Rscript -e \
                 \"write.csv(readRDS('{shown}'), '{stem}.csv', row.names=FALSE)\", and load that file"
            ),
            Self::RObjects => format!(
                "is a file with objects of R (.RData) and not a table of text; convert one with Rscript -e \
                 \"load('{shown}'); write.csv(NAME, '{stem}.csv', row.names=FALSE)\", where NAME is one that \
                 Rscript -e \"print(load('{shown}'))\" prints, and load that file"
            ),
            Self::Other(name) => format!(
                "is {name} and not a table of text; save its table as CSV, with the names of the columns \
                 in the first row, and load that file"
            ),
        }
    }
}
