//! The weight files of a checkpoint: their headers, and the bytes of a tensor.
//!
//! A tensor's bytes are read once, when it is asked for, by all cores, straight into the memory it
//! will have. Files are not memory-mapped: mapped pages would count as memory of the process beside
//! the copy on the device, and a file cut short meanwhile would end the process.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use safetensors::Dtype;
use safetensors::tensor::Metadata;
use serde::Deserialize;

use crate::error::{Error, Result};
use crate::side_file::{format_error, read_json};
use crate::tensor::{DType, Values};

/// The weight files of a checkpoint, opened, with their headers read.
pub struct Checkpoint {
    files: Vec<(PathBuf, File)>,
    entries: HashMap<String, Entry>,
    quantised: Option<Quantisation>,
    bytes: u64,
    /// Bytes of the tensors made so far.
    pub(super) held: AtomicU64,
}

/// What a checkpoint's weight files hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    /// Stored types, most bytes first, e.g. `bf16`, `4-bit/64+f16`.
    pub stored: String,
    /// The float type that holds most bytes, scales of quantised matrices included.
    pub float: DType,
    /// Bits of a quantised matrix's codes, where there is one.
    pub bits: Option<usize>,
    /// Parameters: packed codes count one by one, their scales not at all.
    pub parameters: u64,
    /// Bytes of the files.
    pub bytes: u64,
    /// Bytes that the tensors made from them take where they compute.
    pub held: u64,
}

/// The key `quantization` of an MLX checkpoint's `config.json`. It only describes: whether and how a
/// matrix is quantised is seen from its own tensors.
#[derive(Clone, Copy, Debug, Deserialize)]
struct Quantisation {
    bits: usize,
    group_size: usize,
}

/// Where a tensor is, and what it is.
pub(super) struct Entry {
    file: usize,
    dtype: Dtype,
    pub(super) dims: Vec<usize>,
    from: u64,
    to: u64,
}

/// Weight files of a checkpoint's folder: the shards its index names, else every `*.safetensors`.
///
/// # Errors
/// When there is none, or the index names a file that is not there.
pub fn weight_files(dir: &Path) -> Result<Vec<PathBuf>> {
    let index = dir.join("model.safetensors.index.json");
    let mut files = if index.is_file() {
        indexed(dir, &index)?
    } else {
        listed(dir)?
    };
    files.sort();
    files.dedup();
    match files.iter().find(|file| !file.is_file()) {
        Some(path) => Err(format_error(path, "is named by the index but is not there")),
        None if files.is_empty() => Err(format_error(dir, "holds no *.safetensors file")),
        None => Ok(files),
    }
}

fn indexed(dir: &Path, index: &Path) -> Result<Vec<PathBuf>> {
    #[derive(serde::Deserialize)]
    struct Index {
        weight_map: HashMap<String, String>,
    }
    let index: Index = read_json(index)?;
    let plain = |name: &String| Path::new(name).file_name().map(|name| dir.join(name));
    Ok(index.weight_map.values().filter_map(plain).collect())
}

fn listed(dir: &Path) -> Result<Vec<PathBuf>> {
    let entries = std::fs::read_dir(dir).map_err(|source| Error::Read {
        path: dir.to_owned(),
        source,
    })?;
    let paths = entries.filter_map(|entry| entry.ok().map(|entry| entry.path()));
    Ok(paths
        .filter(|path| path.extension().is_some_and(|e| e == "safetensors"))
        .collect())
}

/// No header of a real checkpoint is longer; safetensors' own reader has the same limit.
const MAX_HEADER: u64 = 100_000_000;

impl Checkpoint {
    /// Opens every weight file of `dir` and reads the headers.
    ///
    /// # Errors
    /// When a file is missing, truncated or no safetensors file.
    pub fn open(dir: &Path) -> Result<Self> {
        #[derive(Deserialize)]
        struct Config {
            quantization: Option<Quantisation>,
        }
        let config: Config = read_json(&dir.join("config.json"))?;
        let mut checkpoint = Self {
            files: Vec::new(),
            entries: HashMap::new(),
            quantised: config.quantization,
            bytes: 0,
            held: AtomicU64::new(0),
        };
        for path in weight_files(dir)? {
            checkpoint.add(path)?;
        }
        Ok(checkpoint)
    }

    fn add(&mut self, path: PathBuf) -> Result<()> {
        let unreadable = |source| Error::Read {
            path: path.clone(),
            source,
        };
        let mut file = File::open(&path).map_err(unreadable)?;
        let bytes = file.metadata().map_err(unreadable)?.len();
        let (data, metadata) = header(&mut file, bytes).map_err(|detail| {
            format_error(&path, format!("not a whole safetensors file ({detail})"))
        })?;
        for (name, info) in metadata.tensors() {
            let (from, to) = info.data_offsets;
            let (from, to) = (data + from as u64, data + to as u64);
            if to > bytes {
                let detail =
                    format!("truncated: tensor {name:?} ends at byte {to}, the file has {bytes}");
                return Err(format_error(&path, detail));
            }
            let entry = Entry {
                file: self.files.len(),
                dtype: info.dtype,
                dims: info.shape.clone(),
                from,
                to,
            };
            self.entries.insert(name, entry);
        }
        self.bytes += bytes;
        self.files.push((path, file));
        Ok(())
    }

    /// Whether a tensor of that name is there.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.entries.contains_key(name)
    }

    /// What the files hold.
    #[must_use]
    pub fn facts(&self) -> Facts {
        let bits = self
            .quantised
            .map(|q| q.bits)
            .filter(|bits| [4, 8].contains(bits));
        let packed = |entry: &Entry| entry.dtype == Dtype::U32;
        let (mut bytes, mut parameters) = (HashMap::<String, u64>::new(), 0u64);
        for (name, entry) in &self.entries {
            let kind = match (packed(entry), self.quantised) {
                (true, Some(q)) => format!("{}-bit/{}", q.bits, q.group_size),
                _ => format!("{:?}", entry.dtype).to_lowercase(),
            };
            *bytes.entry(kind).or_default() += entry.to - entry.from;
            let elements = entry.dims.iter().product::<usize>() as u64;
            parameters += match bits {
                Some(bits) if packed(entry) => elements * (32 / bits as u64),
                Some(_) if self.is_part_of_affine(name) => 0,
                _ => elements,
            };
        }
        let mut kinds: Vec<_> = bytes.into_iter().collect();
        kinds.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        let floats = [DType::F32, DType::F16, DType::BF16];
        let float = kinds
            .iter()
            .find_map(|(kind, _)| floats.into_iter().find(|dtype| dtype.name() == kind));
        Facts {
            stored: kinds
                .into_iter()
                .map(|(kind, _)| kind)
                .collect::<Vec<_>>()
                .join("+"),
            float: float.unwrap_or(DType::F32),
            bits,
            parameters,
            bytes: self.bytes,
            held: self.held.load(Ordering::Relaxed),
        }
    }

    /// Whether these are the scales or offsets of a quantised matrix.
    fn is_part_of_affine(&self, name: &str) -> bool {
        let matrix = name
            .strip_suffix(".scales")
            .or_else(|| name.strip_suffix(".biases"));
        matrix.is_some_and(|matrix| self.has(&format!("{matrix}.scales")))
    }

    /// The tensor of that name.
    pub(super) fn entry(&self, name: &str) -> Result<&Entry> {
        self.entries.get(name).ok_or_else(|| Error::MissingTensor {
            name: name.to_owned(),
        })
    }

    /// The values of a tensor, in the type they are stored in.
    pub(super) fn values(&self, name: &str, entry: &Entry) -> Result<Values> {
        let (path, file) = &self.files[entry.file];
        let (count, from) = (entry.dims.iter().product(), entry.from);
        let read = match entry.dtype {
            Dtype::F32 => read_values(file, from, count).map(Values::F32),
            Dtype::F16 => read_values(file, from, count).map(Values::F16),
            Dtype::BF16 => read_values(file, from, count).map(Values::BF16),
            Dtype::U32 => read_values(file, from, count).map(Values::U32),
            other => {
                return Err(Error::TensorDType {
                    name: name.to_owned(),
                    found: format!("{other:?}"),
                });
            }
        };
        read.map_err(|source| Error::Read {
            path: path.clone(),
            source,
        })
    }
}

/// Where the data begins, and the header.
fn header(file: &mut File, bytes: u64) -> Result<(u64, Metadata), String> {
    let text = |error: io::Error| error.to_string();
    let mut length = [0u8; 8];
    file.read_exact(&mut length).map_err(text)?;
    let length = u64::from_le_bytes(length);
    if length > MAX_HEADER || length + 8 > bytes {
        return Err(format!("a header of {length} bytes"));
    }
    let mut json = vec![0u8; length as usize];
    file.read_exact(&mut json).map_err(text)?;
    let metadata = serde_json::from_slice(&json).map_err(|error| error.to_string())?;
    Ok((8 + length, metadata))
}

/// Bytes of tensors that this process read from weight files so far.
#[must_use]
pub fn bytes_read() -> u64 {
    READ.load(Ordering::Relaxed)
}

static READ: AtomicU64 = AtomicU64::new(0);

/// `count` little-endian values from byte `from` on, read by all cores.
fn read_values<V: bytemuck::Pod>(file: &File, from: u64, count: usize) -> io::Result<Vec<V>> {
    const AT_ONCE: usize = 1 << 20;
    // Pages that the system zeroes when they are first written to, here by all cores.
    let mut values: Vec<V> = bytemuck::zeroed_vec(count);
    let bytes: &mut [u8] = bytemuck::cast_slice_mut(&mut values);
    READ.fetch_add(bytes.len() as u64, Ordering::Relaxed);
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let share = bytes.len().div_ceil(threads).max(AT_ONCE);
    std::thread::scope(|scope| {
        let parts = bytes.chunks_mut(share).enumerate();
        let reads: Vec<_> = parts
            .map(|(i, part)| {
                let at = from + (i * share) as u64;
                scope.spawn(move || file.read_exact_at(part, at))
            })
            .collect();
        let done = |read: std::thread::ScopedJoinHandle<'_, io::Result<()>>| {
            read.join()
                .unwrap_or_else(|_| Err(io::Error::other("a reading thread failed")))
        };
        reads.into_iter().try_for_each(done)
    })?;
    Ok(values)
}
