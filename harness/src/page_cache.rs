//! The page cache under the weight files: emptied, filled, and proved by counting pages.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::AsRawFd;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use memmap2::{Mmap, MmapOptions};

/// Asks the system to drop the files' pages from memory. A request, no promise: pages that another
/// process has mapped stay, and so they do on memory file systems. Prove it with [`residency`].
///
/// Linux: `fsync`, then `posix_fadvise(DONTNEED)`. macOS: a mapping without access rights and
/// `msync(MS_INVALIDATE)`, which nobody has verified on Apple silicon yet.
///
/// # Errors
/// Names the file that cannot be opened, flushed or dropped.
pub fn evict(files: &[PathBuf]) -> io::Result<()> {
    for path in files {
        named(path, || {
            let file = File::open(path)?;
            let length = regular_length(&file)?;
            file.sync_all()?;
            if length == 0 {
                Ok(())
            } else {
                drop_pages(&file, length)
            }
        })?;
    }
    Ok(())
}

/// Reads every file once from start to end, so that its pages are in memory.
///
/// # Errors
/// Names the file that cannot be read.
pub fn warm(files: &[PathBuf]) -> io::Result<()> {
    let mut buffer = vec![0; 1 << 20];
    for path in files {
        named(path, || {
            let mut file = File::open(path)?;
            regular_length(&file)?;
            while file.read(&mut buffer)? > 0 {}
            Ok(())
        })?;
    }
    Ok(())
}

/// The share of the files' pages that are in memory now, `0.0..=1.0`, by `mincore`.
///
/// Where there is no page at all (no file, only empty files) nothing would have to be read: 1.
///
/// # Errors
/// Names the file that cannot be opened or mapped. `PermissionDenied` for a file that this user
/// neither owns nor may write: Linux calls all pages of such a file resident, true or not.
pub fn residency(files: &[PathBuf]) -> io::Result<f64> {
    let (mut resident, mut total) = (0usize, 0usize);
    for path in files {
        let pages = named(path, || {
            let file = File::open(path)?;
            let length = regular_length(&file)?;
            tells_residency(path, &file)?;
            if length == 0 {
                Ok(Vec::new())
            } else {
                page_flags(&map(&file)?)
            }
        })?;
        total += pages.len();
        resident += pages.iter().filter(|&&flags| flags & 1 == 1).count();
    }
    if total == 0 {
        return Ok(1.0);
    }
    Ok(resident as f64 / total as f64)
}

fn named<T>(path: &Path, work: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
    work().map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", path.display())))
}

fn regular_length(file: &File) -> io::Result<u64> {
    let metadata = file.metadata()?;
    if metadata.is_file() {
        return Ok(metadata.len());
    }
    Err(io::Error::new(
        io::ErrorKind::InvalidInput,
        "not a regular file",
    ))
}

/// The kernel's own rule for an honest `mincore`: owner, superuser, or allowed to write.
fn tells_residency(path: &Path, file: &File) -> io::Result<()> {
    let user = effective_user();
    let told = user == 0
        || file.metadata()?.uid() == user
        || File::options().append(true).open(path).is_ok();
    if told {
        return Ok(());
    }
    let reason = "the system tells nobody but the owner which pages are in memory";
    Err(io::Error::new(io::ErrorKind::PermissionDenied, reason))
}

#[expect(unsafe_code, reason = "no safe interface to the effective user")]
fn effective_user() -> u32 {
    // SAFETY: takes no argument, touches no memory, and cannot fail.
    unsafe { libc::geteuid() }
}

#[expect(unsafe_code, reason = "mincore counts pages of a mapping")]
fn map(file: &File) -> io::Result<Mmap> {
    // SAFETY: the mapping is handed to mincore alone and its bytes are never read, so that no
    // change or truncation of the file by others can be observed through it.
    unsafe { MmapOptions::new().map(file) }
}

/// One byte a page; its lowest bit says whether the page is in memory.
#[expect(unsafe_code, reason = "no safe interface to mincore")]
fn page_flags(mapping: &Mmap) -> io::Result<Vec<u8>> {
    let mut flags = vec![0u8; mapping.len().div_ceil(page_size())];
    // SAFETY: the address range is one live mapping, and `flags` holds a byte for each of its pages.
    let status = unsafe {
        libc::mincore(
            mapping.as_ptr().cast_mut().cast(),
            mapping.len(),
            flags.as_mut_ptr().cast(),
        )
    };
    if status == 0 {
        Ok(flags)
    } else {
        Err(io::Error::last_os_error())
    }
}

/// Bytes of a page of memory.
#[expect(unsafe_code, reason = "no safe interface to the page size")]
pub(crate) fn page_size() -> usize {
    // SAFETY: takes a constant and touches no memory.
    let size = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
    usize::try_from(size)
        .ok()
        .filter(|&size| size > 0)
        .unwrap_or(4096)
}

#[cfg(not(target_os = "macos"))]
#[expect(unsafe_code, reason = "no safe interface to posix_fadvise")]
fn drop_pages(file: &File, _length: u64) -> io::Result<()> {
    // SAFETY: the descriptor is open for the length of the call; no memory is passed.
    let error = unsafe { libc::posix_fadvise(file.as_raw_fd(), 0, 0, libc::POSIX_FADV_DONTNEED) };
    if error == 0 {
        Ok(())
    } else {
        Err(io::Error::from_raw_os_error(error))
    }
}

#[cfg(target_os = "macos")]
#[expect(unsafe_code, reason = "macOS drops file pages through a mapping only")]
fn drop_pages(file: &File, length: u64) -> io::Result<()> {
    let length = usize::try_from(length).map_err(io::Error::other)?;
    let (rights, kind) = (libc::PROT_NONE, libc::MAP_SHARED);
    // SAFETY: a new mapping of an open file at an address of the system's choice.
    let address = unsafe {
        libc::mmap(
            std::ptr::null_mut(),
            length,
            rights,
            kind,
            file.as_raw_fd(),
            0,
        )
    };
    if address == libc::MAP_FAILED {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: exactly the mapping made above, which is unmapped only below.
    let status = unsafe { libc::msync(address, length, libc::MS_INVALIDATE) };
    let result = if status == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    };
    // SAFETY: exactly the mapping made above; nothing refers to it any more.
    unsafe { libc::munmap(address, length) };
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file_of(dir: &tempfile::TempDir, name: &str, bytes: usize) -> PathBuf {
        let path = dir.path().join(name);
        std::fs::write(&path, vec![3u8; bytes]).unwrap();
        path
    }

    #[test]
    fn what_was_read_is_resident() {
        let dir = tempfile::tempdir().unwrap();
        let files = [
            file_of(&dir, "a", 3 << 20),
            file_of(&dir, "b", 5),
            file_of(&dir, "c", 0),
        ];
        warm(&files).unwrap();
        assert!(residency(&files).unwrap() > 0.99);
    }

    #[test]
    fn eviction_keeps_the_bytes_and_residency_stays_a_share() {
        let dir = tempfile::tempdir().unwrap();
        let files = [file_of(&dir, "a", 3 << 20), file_of(&dir, "empty", 0)];
        evict(&files).unwrap();
        // How much goes depends on the file system; what is told must be a share either way.
        assert!((0.0..=1.0).contains(&residency(&files).unwrap()));
        assert_eq!(std::fs::read(&files[0]).unwrap(), vec![3u8; 3 << 20]);
        assert!(residency(&files).unwrap() > 0.99);
    }

    #[test]
    fn nothing_to_read_counts_as_resident() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(residency(&[]).unwrap(), 1.0);
        assert_eq!(residency(&[file_of(&dir, "empty", 0)]).unwrap(), 1.0);
    }

    #[test]
    fn errors_name_the_file() {
        let dir = tempfile::tempdir().unwrap();
        let missing = [dir.path().join("missing.safetensors")];
        let checks = [
            evict(&missing),
            warm(&missing),
            residency(&missing).map(drop),
        ];
        for error in checks.map(Result::unwrap_err) {
            assert_eq!(error.kind(), io::ErrorKind::NotFound);
            assert!(
                error.to_string().contains("missing.safetensors: "),
                "{error}"
            );
        }
        let folder = [dir.path().to_owned()];
        let checks = [evict(&folder), warm(&folder), residency(&folder).map(drop)];
        for error in checks.map(Result::unwrap_err) {
            assert!(error.to_string().ends_with("not a regular file"), "{error}");
        }
    }
}
