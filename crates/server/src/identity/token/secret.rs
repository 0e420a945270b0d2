//! Signing secrets and the files that hold them.

use std::fmt;
use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use prominence_engines::private_folder;
use serde::{Deserialize, Serialize};

/// The secret's name in the data folder, if no other secret is configured.
pub(crate) const FILE_NAME: &str = "job-token.secret";

/// RFC 7518, section 3.2: a key for HS256 has at least the 256 bits of its hash.
const MIN_BYTES: usize = 32;

/// The permissions of users other than the owner to read a file or to change it.
const OTHERS: u32 = 0o066;

/// The bit that lets the group of a file read it.
const GROUP_READS: u32 = 0o040;

/// Larger than any secret; keeps a wrong path from being read whole.
const MAX_BYTES: u64 = 64 * 1_024;

/// A key for HS256.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret {
    pub(super) kid: Option<String>,
    pub(super) key: Vec<u8>,
}

/// The file of a secret: `PATH`, or `KID=PATH` if tokens name it in their `kid` header.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct SecretSource {
    kid: Option<String>,
    path: PathBuf,
}

/// The reason why there is no secret to use.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// The file can't be read.
    #[error("cannot read the secret {}: {cause}", .path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The reason.
        cause: io::Error,
    },
    /// The file can't be made.
    #[error("cannot write a new signing secret to {}: {cause}", .path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// The reason.
        cause: io::Error,
    },
    /// It is a folder, a pipe or a device.
    #[error("the secret {} is not a regular file; name the file that holds it", .0.display())]
    NotAFile(PathBuf),
    /// Other users of the machine could sign tokens, or choose what they are signed with.
    #[error("the secret {} can be read or changed by other users (its mode is {mode:03o}); run chmod 600 {}",
            .path.display(), .path.display())]
    Exposed {
        /// The file.
        path: PathBuf,
        /// Its permissions.
        mode: u32,
    },
    /// It could be guessed.
    #[error("the signing secret {} has {bytes} bytes; put at least {MIN_BYTES} random bytes into it, such as \
             those of openssl rand -hex 32", .path.display())]
    Short {
        /// The file.
        path: PathBuf,
        /// Its bytes, without a newline at the end.
        bytes: usize,
    },
    /// It could be guessed, although it is long enough.
    #[error("the signing secret {} is one byte again and again; put at least {MIN_BYTES} random bytes into it, \
             such as those of openssl rand -hex 32", .0.display())]
    Uniform(PathBuf),
    /// It is empty, or not a text.
    #[error("the secret {} is empty or not UTF-8 text", .0.display())]
    NotText(PathBuf),
    /// The text is not a secret.
    #[error("the secret {} has more than 65536 bytes; is this the right file?", .0.display())]
    TooLarge(PathBuf),
    /// There is none in any of the usual places.
    #[error("no signing secret found ({places}); name it with --secret-file or --data-dir")]
    Missing {
        /// The places where it was looked for.
        places: String,
    },
}

impl Secret {
    /// A secret from the bytes themselves, of any length.
    #[must_use]
    pub fn new(kid: Option<&str>, key: &[u8]) -> Self {
        Self {
            kid: kid.map(str::to_owned),
            key: key.to_vec(),
        }
    }
}

/// Shows that there is a secret, and never the secret.
impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Secret")
            .field("kid", &self.kid)
            .finish_non_exhaustive()
    }
}

impl SecretSource {
    /// The secret of a data folder.
    #[must_use]
    pub fn in_folder(folder: &Path) -> Self {
        Self {
            kid: None,
            path: folder.join(FILE_NAME),
        }
    }

    /// The file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Reads the secret: the file's bytes without one trailing newline.
    ///
    /// # Errors
    /// When the file can't be read, is open to other users, or holds what can't be a secret.
    pub fn load(&self) -> Result<Secret, SecretError> {
        let path = &self.path;
        let key = read_protected(path)?;
        if key.len() < MIN_BYTES {
            return Err(SecretError::Short {
                path: path.clone(),
                bytes: key.len(),
            });
        }
        if key.windows(2).all(|pair| pair[0] == pair[1]) {
            return Err(SecretError::Uniform(path.clone()));
        }
        Ok(Secret {
            kid: self.kid.clone(),
            key,
        })
    }
}

/// Reads a secret that is a text, such as the password of a client.
///
/// # Errors
/// When the file can't be read, is open to other users, is empty or is not UTF-8.
pub(crate) fn read_secret(path: &Path) -> Result<String, SecretError> {
    let text = String::from_utf8(read_protected(path)?);
    text.ok()
        .filter(|text| !text.is_empty())
        .ok_or_else(|| SecretError::NotText(path.to_owned()))
}

/// The bytes of a file that only its owner can read and change, without one newline at the end.
fn read_protected(path: &Path) -> Result<Vec<u8>, SecretError> {
    let read = |cause| SecretError::Read {
        path: path.to_owned(),
        cause,
    };
    // Before it is opened: to open a pipe is to wait for somebody who writes to it.
    if !std::fs::metadata(path).map_err(read)?.is_file() {
        return Err(SecretError::NotAFile(path.to_owned()));
    }
    let mut file = File::open(path).map_err(read)?;
    let opened = file.metadata().map_err(read)?;
    let mode = opened.permissions().mode() & 0o777;
    let is_roots = opened.uid() == 0 && !rustix::process::geteuid().is_root();
    if is_exposed(mode, is_roots) {
        let path = path.to_owned();
        return Err(SecretError::Exposed { path, mode });
    }
    if opened.len() > MAX_BYTES {
        return Err(SecretError::TooLarge(path.to_owned()));
    }
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes).map_err(read)?;
    if bytes.last() == Some(&b'\n') {
        bytes.pop();
    }
    Ok(bytes)
}

/// True if others than those that are meant to can read or change a file with a secret. Where root gives a secret to a process
/// of another user, it has to be by the file's group: Kubernetes does so for pods with `fsGroup` (mode 0440).
fn is_exposed(mode: u32, is_given_by_root: bool) -> bool {
    let allowed = if is_given_by_root { GROUP_READS } else { 0 };
    mode & OTHERS & !allowed != 0
}

impl FromStr for SecretSource {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (kid, path) = match text.split_once('=') {
            // An `=` after a `/` is part of the path.
            Some((kid, path)) if !kid.contains('/') => (Some(kid.to_owned()), path),
            _ => (None, text),
        };
        if path.is_empty() || kid.as_deref() == Some("") {
            return Err("a secret is named as PATH or KID=PATH");
        }
        Ok(Self {
            kid,
            path: path.into(),
        })
    }
}

impl TryFrom<String> for SecretSource {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<SecretSource> for String {
    fn from(source: SecretSource) -> Self {
        let path = source.path.display();
        match source.kid {
            Some(kid) => format!("{kid}={path}"),
            None => path.to_string(),
        }
    }
}

/// Reads the secret of a data folder, or makes one there; says whether it made it.
///
/// # Errors
/// When the file can be neither read nor made.
pub fn load_or_create(folder: &Path) -> Result<(Secret, bool), SecretError> {
    let source = SecretSource::in_folder(folder);
    let made = match create(&source.path) {
        Ok(()) => true,
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => false,
        Err(cause) => {
            return Err(SecretError::Write {
                path: source.path,
                cause,
            });
        }
    };
    Ok((source.load()?, made))
}

/// The first secret there is in the given folders.
///
/// # Errors
/// When there is no secret, with the places that were tried, or when one can't be read.
pub fn find(folders: &[PathBuf]) -> Result<(Secret, PathBuf), SecretError> {
    for folder in folders {
        let source = SecretSource::in_folder(folder);
        if source.path.exists() {
            return Ok((source.load()?, folder.clone()));
        }
    }
    let places: Vec<_> = folders
        .iter()
        .map(|folder| SecretSource::in_folder(folder).path.display().to_string())
        .collect();
    Err(SecretError::Missing {
        places: places.join(", "),
    })
}

/// Makes the file whole or not at all: a crash half-way must not leave a short secret behind that
/// later starts would use.
fn create(path: &Path) -> io::Result<()> {
    if path.exists() {
        return Err(io::ErrorKind::AlreadyExists.into());
    }
    let mut random = [0; MIN_BYTES];
    getrandom::fill(&mut random).map_err(io::Error::other)?;
    let text: String = random.iter().map(|byte| format!("{byte:02x}")).collect();

    let draft = path.with_extension("new");
    let mut file = private_folder::new_file(&draft)?;
    writeln!(file, "{text}")?;
    file.sync_all()?;
    // Unlike a rename, a link fails where another process was faster.
    let linked = std::fs::hard_link(&draft, path);
    std::fs::remove_file(&draft)?;
    linked?;
    File::open(path.parent().unwrap_or(Path::new(".")))?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_group_may_read_a_secret_that_root_gives_to_another_user_alone() {
        for (mode, own, given) in [
            (0o400, false, false),
            (0o440, true, false),
            (0o640, true, false),
            (0o460, true, true),
            (0o444, true, true),
        ] {
            assert_eq!(is_exposed(mode, false), own, "{mode:o}");
            assert_eq!(is_exposed(mode, true), given, "{mode:o}");
        }
    }

    #[test]
    fn a_secret_is_made_once_and_only_its_owner_reads_it() {
        let folder = tempfile::tempdir().unwrap();
        let (secret, made) = load_or_create(folder.path()).unwrap();
        assert!(made);
        assert_eq!(
            load_or_create(folder.path()).unwrap(),
            (secret.clone(), false)
        );
        assert_eq!(
            find(&["/nonexistent".into(), folder.path().into()])
                .unwrap()
                .0,
            secret
        );
        let mode = folder
            .path()
            .join(FILE_NAME)
            .metadata()
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600);
        assert!(!format!("{secret:?}").contains(std::str::from_utf8(&secret.key).unwrap()));
    }

    /// Writes a file with these permissions, and reads it as a secret.
    fn load(content: &[u8], mode: u32) -> Result<Secret, SecretError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("k=1");
        std::fs::write(&path, content).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        let source: SecretSource = format!("old={}", path.display()).parse().unwrap();
        source.load()
    }

    const GOOD: &[u8] = b" 0123456789abcdef0123456789abcdef\r";

    #[test]
    fn only_the_trailing_newline_is_not_part_of_the_secret() {
        let expected = Secret::new(Some("old"), GOOD);
        for end in ["", "\n"] {
            let content = [GOOD, end.as_bytes()].concat();
            assert_eq!(load(&content, 0o600).unwrap(), expected);
        }
    }

    /// Fails if the mode is not checked.
    #[test]
    fn a_secret_that_other_users_can_read_or_change_is_refused_with_what_to_do() {
        for mode in [0o640, 0o604, 0o620, 0o602, 0o644, 0o666] {
            let error = load(GOOD, mode).unwrap_err().to_string();
            let shown = format!("mode is {mode:o}");
            assert!(
                error.contains(&shown) && error.contains("chmod 600"),
                "{error}"
            );
        }
        for mode in [0o600, 0o400, 0o700] {
            assert!(load(GOOD, mode).is_ok(), "{mode:o}");
        }
    }

    #[test]
    fn a_secret_that_can_be_guessed_is_refused() {
        for content in [
            &b""[..],
            b"\n",
            b"0123456789abcdef0123456789abcde",
            b"0123456789abcdef0123456789abcde\n",
        ] {
            assert!(matches!(
                load(content, 0o600),
                Err(SecretError::Short { .. })
            ));
        }
        let uniform = load(&[b'x'; 64], 0o600);
        assert!(matches!(uniform, Err(SecretError::Uniform(_))));
        let large = load(&[GOOD, &[0; 65_536]].concat(), 0o600);
        assert!(matches!(large, Err(SecretError::TooLarge(_))));
    }

    #[test]
    fn a_pipe_or_a_folder_as_secret_is_refused_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let pipe = folder.path().join("pipe");
        let made = std::process::Command::new("mkfifo").arg(&pipe).status();
        assert!(made.unwrap().success());
        for path in [pipe.as_path(), folder.path()] {
            let source: SecretSource = path.to_str().unwrap().parse().unwrap();
            assert!(matches!(source.load(), Err(SecretError::NotAFile(_))));
        }
    }

    #[test]
    fn a_source_is_a_path_with_or_without_a_name() {
        let parse = |text: &str| text.parse::<SecretSource>();
        assert_eq!(parse("/a/b=c").unwrap().kid, None);
        assert_eq!(parse("k1=/a/b").unwrap().kid.as_deref(), Some("k1"));
        for odd in ["", "=", "k=", "=/a"] {
            assert!(parse(odd).is_err(), "{odd:?}");
        }
    }
}
