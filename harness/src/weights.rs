//! Reads safetensors checkpoints through a cursor that walks tensor names and checks every shape.
//!
//! Files are memory-mapped: a tensor's bytes are read once, when it is asked for, straight into
//! the arithmetic's type.

use std::collections::HashMap;
use std::fmt::Display;
use std::fs::File;
use std::path::{Path, PathBuf};

use memmap2::Mmap;
use safetensors::{Dtype, SafeTensors};

use crate::error::{Error, Result};
use crate::side_file::{format_error, read_json};
use crate::tensor::{DType, Tensor, Weight};

/// The mapped weight files of a checkpoint.
pub struct Checkpoint {
    files: Vec<Mmap>,
    entries: HashMap<String, Entry>,
}

/// What a checkpoint's weight files hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    /// Stored dtypes, most bytes first, e.g. `bf16`.
    pub stored: String,
    /// Stored elements.
    pub parameters: u64,
    /// Bytes of the files.
    pub bytes: u64,
}

struct Entry {
    file: usize,
    dtype: Dtype,
    dims: Vec<usize>,
    from: usize,
    to: usize,
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

impl Checkpoint {
    /// Maps every weight file of `dir` and reads the headers.
    ///
    /// # Errors
    /// When a file is missing, truncated or no safetensors file.
    pub fn open(dir: &Path) -> Result<Self> {
        let mut checkpoint = Self {
            files: Vec::new(),
            entries: HashMap::new(),
        };
        for path in weight_files(dir)? {
            checkpoint.add(&path)?;
        }
        Ok(checkpoint)
    }

    fn add(&mut self, path: &Path) -> Result<()> {
        let file = File::open(path).map_err(|source| Error::Read {
            path: path.to_owned(),
            source,
        })?;
        #[expect(unsafe_code, reason = "memory-mapping weights")]
        // SAFETY: the mapping is private and read-only. A file that another process shortens
        // meanwhile ends the worker, which the parent records as a crash of this cell alone.
        let map = unsafe { Mmap::map(&file) }.map_err(|source| Error::Read {
            path: path.to_owned(),
            source,
        })?;
        let (header, metadata) = SafeTensors::read_metadata(&map)
            .map_err(|e| format_error(path, format!("not a whole safetensors file ({e})")))?;
        let data = header + 8;
        for (name, info) in metadata.tensors() {
            let (from, to) = (data + info.data_offsets.0, data + info.data_offsets.1);
            if to > map.len() {
                let detail = format!(
                    "truncated: tensor {name:?} ends at byte {to}, the file has {}",
                    map.len()
                );
                return Err(format_error(path, detail));
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
        self.files.push(map);
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
        let mut bytes: HashMap<String, usize> = HashMap::new();
        for entry in self.entries.values() {
            *bytes
                .entry(format!("{:?}", entry.dtype).to_lowercase())
                .or_default() += entry.to - entry.from;
        }
        let mut names: Vec<_> = bytes.into_iter().collect();
        names.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        let elements = |entry: &Entry| entry.dims.iter().product::<usize>() as u64;
        Facts {
            stored: names
                .into_iter()
                .map(|(name, _)| name)
                .collect::<Vec<_>>()
                .join("+"),
            parameters: self.entries.values().map(elements).sum(),
            bytes: self.files.iter().map(|file| file.len() as u64).sum(),
        }
    }

    fn entry(&self, name: &str) -> Result<&Entry> {
        self.entries.get(name).ok_or_else(|| Error::MissingTensor {
            name: name.to_owned(),
        })
    }
}

/// A place in a checkpoint's tree of names, and what tensors read from there become.
pub struct Weights<'a, T: Tensor> {
    checkpoint: &'a Checkpoint,
    prefix: String,
    dtype: DType,
    on: &'a T::Device,
}

impl<'a, T: Tensor> Weights<'a, T> {
    /// The root of a checkpoint's tree.
    #[must_use]
    pub const fn new(checkpoint: &'a Checkpoint, dtype: DType, on: &'a T::Device) -> Self {
        Self {
            checkpoint,
            prefix: String::new(),
            dtype,
            on,
        }
    }

    /// The place one step, or several joined by dots, below; the same place for an empty one.
    #[must_use]
    pub fn at(&self, step: impl Display) -> Self {
        let step = step.to_string();
        let prefix = if step.is_empty() {
            self.prefix.clone()
        } else {
            self.name(&step)
        };
        Self { prefix, ..*self }
    }

    /// What tensors become.
    #[must_use]
    pub const fn dtype(&self) -> DType {
        self.dtype
    }

    /// Where tensors go.
    #[must_use]
    pub const fn on(&self) -> &'a T::Device {
        self.on
    }

    fn name(&self, name: &str) -> String {
        if self.prefix.is_empty() {
            name.to_owned()
        } else {
            format!("{}.{name}", self.prefix)
        }
    }

    /// A tensor that must have these sizes.
    ///
    /// # Errors
    /// [`Error::MissingTensor`], [`Error::TensorShape`] or [`Error::TensorDType`].
    pub fn tensor(&self, name: &str, dims: &[usize]) -> Result<T> {
        let name = self.name(name);
        let entry = self.checkpoint.entry(&name)?;
        if entry.dims != dims {
            return Err(Error::TensorShape {
                name,
                found: entry.dims.clone(),
                wanted: dims.to_vec(),
            });
        }
        self.read(&name, entry, dims)
    }

    fn read(&self, name: &str, entry: &Entry, dims: &[usize]) -> Result<T> {
        let bytes = &self.checkpoint.files[entry.file][entry.from..entry.to];
        T::from_vec(widen(name, bytes, entry.dtype)?, dims, self.dtype, self.on)
    }

    /// `name.weight` `[n, k]` without a bias.
    ///
    /// # Errors
    /// As [`Weights::tensor`].
    pub fn linear(&self, name: &str, n: usize, k: usize) -> Result<T::Linear> {
        T::linear_new(
            Weight::Dense(self.at(name).tensor("weight", &[n, k])?),
            None,
        )
    }

    /// `name.weight` `[n, k]` with `name.bias` `[n]`.
    ///
    /// # Errors
    /// As [`Weights::tensor`].
    pub fn linear_biased(&self, name: &str, n: usize, k: usize) -> Result<T::Linear> {
        let at = self.at(name);
        T::linear_new(
            Weight::Dense(at.tensor("weight", &[n, k])?),
            Some(at.tensor("bias", &[n])?),
        )
    }

    /// A convolution over patches without overlap, as a linear layer over `patch * patch * 3`
    /// values in row, column, channel order: kernels `[n, 3, p, p]` (PyTorch) or `[n, p, p, 3]` (MLX).
    ///
    /// # Errors
    /// As [`Weights::tensor`].
    pub fn patch_embedding(&self, name: &str, n: usize, patch: usize) -> Result<T::Linear> {
        let at = self.at(name);
        let full = at.name("weight");
        let entry = self.checkpoint.entry(&full)?;
        let kernel = match entry.dims[..] {
            [a, 3, b, c] if (a, b, c) == (n, patch, patch) => self
                .read(&full, entry, &entry.dims)?
                .permute(&[0, 2, 3, 1])?,
            [a, b, c, 3] if (a, b, c) == (n, patch, patch) => {
                self.read(&full, entry, &entry.dims)?
            }
            _ => {
                let wanted = vec![n, 3, patch, patch];
                return Err(Error::TensorShape {
                    name: full,
                    found: entry.dims.clone(),
                    wanted,
                });
            }
        };
        let kernel = kernel.reshape(&[n, patch * patch * 3])?;
        T::linear_new(Weight::Dense(kernel), Some(at.tensor("bias", &[n])?))
    }
}

/// Little-endian bytes of a float dtype as f32, by all cores when there are many.
fn widen(name: &str, bytes: &[u8], dtype: Dtype) -> Result<Vec<f32>> {
    let convert: fn(&[u8], &mut [f32]) = match dtype {
        Dtype::F32 => |from, to| each(from, to, f32::from_le_bytes),
        Dtype::F16 => |from, to| each(from, to, |b| half::f16::from_le_bytes(b).to_f32()),
        Dtype::BF16 => |from, to| each(from, to, |b| half::bf16::from_le_bytes(b).to_f32()),
        other => {
            return Err(Error::TensorDType {
                name: name.to_owned(),
                found: format!("{other:?}"),
            });
        }
    };
    let size = if dtype == Dtype::F32 { 4 } else { 2 };
    let mut out = vec![0f32; bytes.len() / size];
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let share = out.len().div_ceil(threads).max(1 << 16);
    if out.len() <= share {
        convert(bytes, &mut out);
        return Ok(out);
    }
    std::thread::scope(|scope| {
        for (from, to) in bytes.chunks(share * size).zip(out.chunks_mut(share)) {
            scope.spawn(move || convert(from, to));
        }
    });
    Ok(out)
}

fn each<const N: usize>(from: &[u8], to: &mut [f32], read: impl Fn([u8; N]) -> f32) {
    for (from, to) in from.as_chunks::<N>().0.iter().zip(to) {
        *to = read(*from);
    }
}
