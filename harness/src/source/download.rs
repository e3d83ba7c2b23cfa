//! One file of the hub into the cache: goes on where an earlier attempt stopped, and is only given
//! its name there once its size and hash are those that the hub lists.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind, Read, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Error, Result, anyhow, bail};
use ureq::http::StatusCode;

use super::blobs::sha256;
use super::http::{Client, Failure, Patience, text};
use crate::progress::download::Display;

/// A file as the hub lists it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Listed {
    /// Its name, a plain one.
    pub name: String,
    /// Its bytes.
    pub bytes: u64,
    /// Name of its blob: the hash of its content.
    pub blob: String,
    /// SHA-256 of its content in hex, where the hub knows it: always for weights.
    pub sha256: Option<String>,
}

/// Where a file comes from and goes to.
pub(super) struct Download<'a> {
    pub client: &'a Client,
    /// Its path on the hub.
    pub path: String,
    pub file: &'a Listed,
    /// The folder of blobs.
    pub blobs: PathBuf,
}

/// How much progress makes earlier failures forgotten: a server that sends a byte at a time is not
/// asked for ever.
const GETS_ON: u64 = 1 << 20;

impl Download<'_> {
    /// Whether it is in the cache already.
    pub(super) fn is_here(&self) -> bool {
        let blob = self.blobs.join(&self.file.blob).metadata();
        blob.is_ok_and(|blob| blob.is_file() && blob.len() == self.file.bytes)
    }

    /// Fetches it.
    ///
    /// # Errors
    /// When it cannot be had or written, or is not what the hub lists. What had arrived is kept for
    /// the next time, unless it is wrong or the disk is full.
    pub(super) fn run(&self, display: &mut Display<impl Write>) -> Result<()> {
        let cannot_write = || format!("{}: cannot write", self.blobs.display());
        fs::create_dir_all(&self.blobs).with_context(cannot_write)?;
        let partial = self.blobs.join(format!("{}.incomplete", self.file.blob));
        let mut out = OpenOptions::new()
            .append(true)
            .create(true)
            .open(&partial)
            .with_context(cannot_write)?;
        match out.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                bail!("another process is fetching it: wait for that one")
            }
            Err(TryLockError::Error(error)) => return Err(error).with_context(cannot_write),
        }
        self.complete(&mut out, display).map_err(|error| {
            if is_full(&error) {
                drop(fs::remove_file(&partial));
                return error.context(format!(
                    "the disk is full: {} MB are needed in {}",
                    self.file.bytes.div_ceil(1_000_000),
                    self.blobs.display()
                ));
            }
            error
        })?;
        self.check(&partial)?;
        fs::rename(&partial, self.blobs.join(&self.file.blob)).with_context(cannot_write)
    }

    /// Appends what is missing, in as many attempts as it takes.
    fn complete(&self, out: &mut File, display: &mut Display<impl Write>) -> Result<()> {
        let mut patience = Patience::default();
        let mut counted = length(out)?;
        display.begin(&self.file.name, self.file.bytes, counted);
        loop {
            let have = length(out)?;
            if have > self.file.bytes {
                out.set_len(0)?; // of another file: start anew
                continue;
            }
            if have == self.file.bytes {
                break out.sync_all().context("cannot write");
            }
            if have >= counted + GETS_ON {
                (counted, patience) = (have, Patience::default());
            }
            if let Err(failure) = self.attempt(have, out, display) {
                if let Failure::Passing { why, .. } = &failure {
                    display.trouble(why);
                }
                patience.wait(failure)?;
            }
        }
    }

    /// One request for everything from byte `have` on.
    fn attempt(
        &self,
        have: u64,
        out: &mut File,
        display: &mut Display<impl Write>,
    ) -> Result<(), Failure> {
        let answer = self.client.get(&self.path, have)?;
        let from = self.begin_of(answer.status(), answer.headers(), have)?;
        if from != have {
            out.set_len(0).map_err(Error::from)?;
        }
        display.at(from);
        let mut body = answer.into_body().into_reader();
        let (mut at, mut buffer) = (from, vec![0; 1 << 18]);
        while at < self.file.bytes {
            let read = match body.read(&mut buffer) {
                Ok(0) => {
                    let why = format!(
                        "the connection ended after {at} of {} bytes",
                        self.file.bytes
                    );
                    return Err(Failure::passing(why));
                }
                Ok(read) => read,
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => {
                    return Err(Failure::passing(format!("the connection broke: {error}")));
                }
            };
            at += read as u64;
            if at > self.file.bytes {
                return Err(self.too_long().into());
            }
            out.write_all(&buffer[..read]).map_err(Error::from)?;
            display.at(at);
        }
        Ok(())
    }

    /// The first byte that an answer brings, 0 where the server does not go on from `have`.
    fn begin_of(
        &self,
        status: StatusCode,
        headers: &ureq::http::HeaderMap,
        have: u64,
    ) -> Result<u64, Failure> {
        let bytes = self.file.bytes;
        match status {
            StatusCode::PARTIAL_CONTENT => {
                let range = text(headers, "content-range").unwrap_or_default();
                if range.starts_with(&format!("bytes {have}-"))
                    && range.ends_with(&format!("/{bytes}"))
                {
                    return Ok(have);
                }
                Err(
                    anyhow!("asked for bytes from {have} of {bytes}, the server answers {range:?}")
                        .into(),
                )
            }
            StatusCode::OK => match text(headers, "content-length").map(|text| text.parse::<u64>())
            {
                Some(Ok(announced)) if announced != bytes => Err(anyhow!(
                    "the server announces {announced} bytes, the hub lists {bytes}"
                )
                .into()),
                _ => Ok(0),
            },
            other => Err(anyhow!(
                "the server answers {other} to a request from byte {have} of {bytes}"
            )
            .into()),
        }
    }

    fn too_long(&self) -> Error {
        anyhow!(
            "the server sends more than the {} bytes that the hub lists",
            self.file.bytes
        )
    }

    /// Compares the hash; removes a file that is not what it should be.
    fn check(&self, partial: &Path) -> Result<()> {
        let Some(wanted) = &self.file.sha256 else {
            return Ok(());
        };
        let found = sha256(partial, &mut |_| ())
            .with_context(|| format!("{}: cannot read", partial.display()))?;
        if &found != wanted {
            drop(fs::remove_file(partial));
            bail!(
                "SHA-256 is {found}, the hub lists {wanted}: the file was damaged or replaced on its way, fetch it again"
            );
        }
        Ok(())
    }
}

fn length(file: &File) -> Result<u64> {
    Ok(file.metadata().context("cannot read its size")?.len())
}

fn is_full(error: &Error) -> bool {
    let kind = error.downcast_ref::<io::Error>().map(io::Error::kind);
    matches!(
        kind,
        Some(ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge)
    )
}
