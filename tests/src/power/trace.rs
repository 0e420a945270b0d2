//! Reads system calls from the output of `strace -f -o FILE`.
//!
//! A call during which another thread's call is printed has two lines. Here it is one call, at the place of its end,
//! with the place of its begin, since a sync makes only writes durable that ended before it began.

use std::collections::HashMap;
use std::io::{self, BufRead};

/// The system calls that change files or folders, and those that determine the file of a descriptor.
pub const CALLS: &str = "open,openat,creat,close,dup,dup2,dup3,fcntl,lseek,write,pwrite64,writev,\
    pwritev,pwritev2,sendfile,copy_file_range,splice,mmap,io_uring_setup,fsync,fdatasync,sync,syncfs,\
    sync_file_range,ftruncate,truncate,fallocate,rename,renameat,renameat2,unlink,unlinkat,rmdir,\
    mkdir,mkdirat,link,linkat,symlink,symlinkat";

/// The longest text that strace prints; the parser stops at a longer one.
pub const MAX_TEXT: usize = 4 << 20;

/// One call.
#[derive(Debug)]
pub struct Call {
    /// Its name, such as `write`.
    pub name: String,
    /// Its arguments.
    pub arguments: Vec<Argument>,
    /// Its result; an error is negative.
    pub result: i64,
    /// The number of calls that had ended when this one began.
    pub began: usize,
}

/// One argument, or one member of a structure.
#[derive(Debug, PartialEq, Eq)]
pub enum Argument {
    /// In quotation marks: a path or data.
    Text(Vec<u8>),
    /// Anything else: numbers and flags.
    Word(String),
}

impl Call {
    /// The argument at this place as a number.
    pub fn number(&self, place: usize) -> i64 {
        let word = self.word(place);
        word.parse()
            .unwrap_or_else(|_| panic!("{word} is no number in {self:?}"))
    }

    /// The argument at this place as flags.
    pub fn word(&self, place: usize) -> &str {
        match self.arguments.get(place) {
            Some(Argument::Word(word)) => word,
            other => panic!("a word is expected, not {other:?}, in {}", self.name),
        }
    }

    /// The argument at this place as a path.
    pub fn path(&self, place: usize) -> &str {
        match self.arguments.get(place) {
            Some(Argument::Text(text)) => std::str::from_utf8(text).expect("paths are UTF-8"),
            other => panic!("a path is expected, not {other:?}, in {}", self.name),
        }
    }

    /// All data among the arguments, joined.
    pub fn data(&self) -> Vec<u8> {
        let mut data = Vec::new();
        for argument in &self.arguments {
            if let Argument::Text(text) = argument {
                data.extend_from_slice(text);
            }
        }
        data
    }
}

/// The system calls of a run.
#[derive(Debug, Default)]
pub struct Trace {
    /// The calls that ended, in the order in which they did.
    pub calls: Vec<Call>,
    /// The calls in which the process ended, one at most for each thread. Each of them can have had its effect, and
    /// has the result that it then had.
    pub cut_off: Vec<Call>,
}

/// Reads a whole trace.
///
/// # Errors
/// Where the trace is malformed.
pub fn parse(mut trace: impl BufRead) -> io::Result<Trace> {
    let mut found = Trace::default();
    let mut unfinished: HashMap<String, (Vec<u8>, usize)> = HashMap::new();
    let mut line = Vec::new();
    loop {
        line.clear();
        if trace.read_until(b'\n', &mut line)? == 0 {
            for (_, (head, began)) in unfinished {
                found.cut_off(&head, began);
            }
            return Ok(found);
        }
        let line = line.trim_ascii_end();
        let space = line.iter().position(|byte| *byte == b' ');
        let space = space.expect("a line begins with the thread's id");
        let thread = String::from_utf8_lossy(&line[..space]).into_owned();
        let rest = line[space..].trim_ascii_start();
        if rest.starts_with(b"+++") || rest.starts_with(b"---") {
            continue;
        }
        let now = found.calls.len();
        if let Some(head) = rest.strip_suffix(b"<detached ...>") {
            found.cut_off(head, now);
        } else if let Some(head) = rest.strip_suffix(b"<unfinished ...>") {
            if head.starts_with(b"close(") {
                // Another thread can get the descriptor before the end of this call is printed.
                let mut whole = head.trim_ascii_end().to_vec();
                whole.extend_from_slice(b") = 0");
                found.call(&whole, now);
            }
            unfinished.insert(thread, (head.to_vec(), now));
        } else if rest.starts_with(b"<... ") {
            let (mut head, began) = unfinished.remove(&thread).expect("it was begun");
            if head.starts_with(b"close(") {
                continue;
            }
            let resumed = find(rest, b" resumed>").expect("it is resumed");
            head.extend_from_slice(&rest[resumed + b" resumed>".len()..]);
            found.call(&head, began);
        } else {
            found.call(rest, now);
        }
    }
}

impl Trace {
    /// Adds a call that was printed whole; its answer is `?` where the process ended in it.
    fn call(&mut self, line: &[u8], began: usize) {
        let (name, arguments, rest) = parts(line);
        let answer = rest.trim_start().strip_prefix("= ");
        let answer = answer.unwrap_or_else(|| panic!("no answer: {}", lossy(line)));
        let number = answer.split_whitespace().next().unwrap_or_default();
        let result = match number.strip_prefix("0x") {
            Some(address) => i64::from_str_radix(address, 16).ok(),
            None => number.parse().ok(),
        };
        match result {
            Some(result) => self.calls.push(Call {
                name,
                arguments,
                result,
                began,
            }),
            None => self.cut_off(line, began),
        }
    }

    /// Adds a call in which the process ended, with the beginning of its line.
    fn cut_off(&mut self, line: &[u8], began: usize) {
        // Behind the end of the arguments, one more parenthesis changes nothing.
        let mut whole = line.trim_ascii_end().to_vec();
        whole.push(b')');
        let (name, arguments, _) = parts(&whole);
        let mut call = Call {
            name,
            arguments,
            result: 0,
            began,
        };
        call.result = match call.name.as_str() {
            "write" | "writev" | "pwrite64" => call.data().len().try_into().unwrap_or(i64::MAX),
            // A descriptor that no other call has: this thread makes no further one.
            "open" | "openat" | "creat" => i64::MAX,
            _ => 0,
        };
        self.cut_off.push(call);
    }
}

/// The name and the arguments of a call, and what stands behind them.
fn parts(line: &[u8]) -> (String, Vec<Argument>, String) {
    let open = find(line, b"(").unwrap_or_else(|| panic!("no call: {}", lossy(line)));
    let (arguments, rest) =
        arguments(&line[open + 1..]).unwrap_or_else(|| panic!("a call has no end: {}", ends(line)));
    (lossy(&line[..open]), arguments, lossy(rest))
}

/// The beginning and the end of a long line.
fn ends(line: &[u8]) -> String {
    const SHOWN: usize = 80;
    match line {
        [] => String::new(),
        line if line.len() <= 2 * SHOWN => lossy(line),
        line => {
            let end = &line[line.len() - SHOWN..];
            format!("{} ... {}", lossy(&line[..SHOWN]), lossy(end))
        }
    }
}

/// Reads arguments up to the closing parenthesis, and returns the rest of the line; `None` where there is no such
/// parenthesis.
fn arguments(mut line: &[u8]) -> Option<(Vec<Argument>, &[u8])> {
    let mut arguments = Vec::new();
    let mut word = Vec::new();
    let mut depth = 0_u32;
    let end_word = |word: &mut Vec<u8>, arguments: &mut Vec<Argument>| {
        let text = lossy(word.trim_ascii());
        if !text.is_empty() {
            arguments.push(Argument::Word(text));
        }
        word.clear();
    };
    while let Some((first, rest)) = line.split_first() {
        line = rest;
        match first {
            b'"' => {
                word.clear();
                let (text, rest) = quoted(line);
                assert!(!rest.starts_with(b"..."), "a text was cut short");
                arguments.push(Argument::Text(text));
                line = rest;
            }
            b')' if depth == 0 => {
                end_word(&mut word, &mut arguments);
                return Some((arguments, line));
            }
            b',' => end_word(&mut word, &mut arguments),
            b'(' | b'[' | b'{' => depth += 1,
            b')' | b']' | b'}' => depth -= 1,
            other => word.push(*other),
        }
    }
    None
}

/// Reads a text up to its closing quotation mark, and returns the rest of the line.
fn quoted(mut line: &[u8]) -> (Vec<u8>, &[u8]) {
    let mut text = Vec::new();
    loop {
        let special = line.iter().position(|byte| matches!(byte, b'"' | b'\\'));
        let special = special.expect("a text has an end");
        text.extend_from_slice(&line[..special]);
        let is_end = line[special] == b'"';
        line = &line[special + 1..];
        if is_end {
            return (text, line);
        }
        let digits = line.iter().take(3);
        let digits = digits
            .take_while(|byte| (b'0'..=b'7').contains(byte))
            .count();
        if digits > 0 {
            let octal = line[..digits].iter();
            let code = octal.fold(0_u32, |code, digit| code * 8 + u32::from(digit - b'0'));
            text.push(u8::try_from(code).expect("a byte"));
            line = &line[digits..];
            continue;
        }
        text.push(match line[0] {
            b'n' => b'\n',
            b't' => b'\t',
            b'r' => b'\r',
            b'v' => 0x0b,
            b'f' => 0x0c,
            other => other,
        });
        line = &line[1..];
    }
}

fn find(text: &[u8], part: &[u8]) -> Option<usize> {
    text.windows(part.len()).position(|window| window == part)
}

fn lossy(text: &[u8]) -> String {
    String::from_utf8_lossy(text).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn interrupted_calls_are_put_together_where_they_end() {
        let trace = b"7 write(3, \"a\\\"\\0\\1777\\n\", 6) = 6\n\
            7 fdatasync(3 <unfinished ...>\n\
            8 openat(AT_FDCWD, \"/x\", O_RDWR|O_CREAT, 0600) = 4\n\
            8 close(4 <unfinished ...>\n\
            7 <... fdatasync resumed>)          = 0\n\
            7 rename(\"/a\", \"/b\") = -1 ENOENT (No such file or directory)\n\
            8 <... close resumed>) = 0\n\
            9 fsync(3 <unfinished ...>\n\
            9 <... fsync resumed>) = ?\n\
            9 +++ exited with 0 +++\n\
            10 pwrite64(3, \"ab\", 2, 5) = ?\n\
            11 ftruncate(3, 9 <unfinished ...>\n\
            12 exit_group(0 <detached ...>\n";
        let Trace { calls, mut cut_off } = parse(&trace[..]).unwrap();
        cut_off.sort_by(|one, other| one.name.cmp(&other.name));
        let ends: Vec<_> = cut_off
            .iter()
            .map(|call| (call.name.as_str(), call.result))
            .collect();
        assert_eq!(
            ends,
            [
                ("exit_group", 0),
                ("fsync", 0),
                ("ftruncate", 0),
                ("pwrite64", 2)
            ]
        );
        let names: Vec<_> = calls.iter().map(|call| call.name.as_str()).collect();
        assert_eq!(names, ["write", "openat", "close", "fdatasync", "rename"]);
        assert_eq!(calls[0].data(), b"a\"\0\x7f7\n");
        assert_eq!(calls[1].path(1), "/x");
        assert_eq!((calls[3].began, calls[3].result), (1, 0));
        assert_eq!(calls[4].result, -1);
    }

    #[test]
    fn pieces_of_one_write_follow_one_another() {
        let trace =
            b"1 writev(5, [{iov_base=\"ab\", iov_len=2}, {iov_base=\"c\", iov_len=1}], 2) = 3\n";
        let calls = parse(&trace[..]).unwrap().calls;
        assert_eq!((calls[0].number(0), calls[0].data()), (5, b"abc".to_vec()));
    }
}
