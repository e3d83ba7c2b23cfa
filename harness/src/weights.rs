//! Reads safetensors checkpoints through a cursor that walks tensor names and checks every shape.
//!
//! A tensor's bytes are read once, when it is asked for, by all cores, straight into the memory it
//! will have. Files are not memory-mapped: mapped pages would count as memory of the process beside
//! the copy on the device, and a file cut short meanwhile would end the process.

use std::collections::HashMap;
use std::fmt::Display;
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
use crate::tensor::{Affine, DType, Tensor, Values, Weight};

/// The weight files of a checkpoint, opened, with their headers read.
pub struct Checkpoint {
    files: Vec<(PathBuf, File)>,
    entries: HashMap<String, Entry>,
    quantised: Option<Quantisation>,
    bytes: u64,
    /// Bytes of the tensors made so far.
    held: AtomicU64,
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

struct Entry {
    file: usize,
    dtype: Dtype,
    dims: Vec<usize>,
    from: u64,
    to: u64,
}

/// Whether a layer has a bias.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bias {
    /// It has none.
    None,
    /// It is stored as `bias`.
    Stored,
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

    fn entry(&self, name: &str) -> Result<&Entry> {
        self.entries.get(name).ok_or_else(|| Error::MissingTensor {
            name: name.to_owned(),
        })
    }

    /// The values of a tensor, in the type they are stored in.
    fn values(&self, name: &str, entry: &Entry) -> Result<Values> {
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

/// `count` little-endian values from byte `from` on, read by all cores.
/// Bytes of tensors that this process read from weight files so far.
#[must_use]
pub fn bytes_read() -> u64 {
    READ.load(Ordering::Relaxed)
}

static READ: AtomicU64 = AtomicU64::new(0);

fn read_values<V: bytemuck::Pod>(file: &File, from: u64, count: usize) -> io::Result<Vec<V>> {
    const AT_ONCE: usize = 1 << 20;
    let mut values = vec![V::zeroed(); count];
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

    /// A tensor of the cursor's type that must have these sizes.
    ///
    /// # Errors
    /// [`Error::MissingTensor`], [`Error::TensorShape`] or [`Error::TensorDType`].
    pub fn tensor(&self, name: &str, dims: &[usize]) -> Result<T> {
        let tensor = self.stored(name, dims)?.cast(self.dtype)?;
        self.hold(dims.iter().product::<usize>() * self.dtype.size());
        Ok(tensor)
    }

    /// Bytes of all tensors made from the checkpoint so far, where they compute.
    #[must_use]
    pub fn held(&self) -> u64 {
        self.checkpoint.held.load(Ordering::Relaxed)
    }

    fn hold(&self, bytes: usize) {
        let bytes = bytes as u64;
        self.checkpoint.held.fetch_add(bytes, Ordering::Relaxed);
    }

    fn layer(&self, weight: Weight<T>, bias: Option<T>) -> Result<T::Linear> {
        let layer = T::linear_new(weight, bias, self.dtype)?;
        self.hold(T::linear_bytes(&layer));
        Ok(layer)
    }

    /// The same in the type it is stored in.
    ///
    /// # Errors
    /// As [`Weights::tensor`].
    pub fn stored(&self, name: &str, dims: &[usize]) -> Result<T> {
        let name = self.name(name);
        let entry = self.checkpoint.entry(&name)?;
        if entry.dims != dims {
            return Err(Error::TensorShape {
                name,
                found: entry.dims.clone(),
                wanted: dims.to_vec(),
            });
        }
        T::from_values(self.checkpoint.values(&name, entry)?, dims, self.on)
    }

    /// Whether a tensor of that name is below this place.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.checkpoint.has(&self.name(name))
    }

    /// `name.weight` `[n, k]` without a bias; quantised where `name.scales` is there.
    ///
    /// # Errors
    /// As [`Weights::tensor`].
    pub fn linear(&self, name: &str, n: usize, k: usize) -> Result<T::Linear> {
        self.layer(self.matrix(name, n, k)?, None)
    }

    /// `name.weight` `[n, k]` with `name.bias` `[n]`; quantised where `name.scales` is there.
    ///
    /// # Errors
    /// As [`Weights::tensor`].
    pub fn linear_biased(&self, name: &str, n: usize, k: usize) -> Result<T::Linear> {
        let bias = self.at(name).tensor("bias", &[n])?;
        self.layer(self.matrix(name, n, k)?, Some(bias))
    }

    /// The tensor `name` `[n, k]` itself as a matrix, without a bias.
    ///
    /// # Errors
    /// As [`Weights::tensor`].
    pub fn bare_linear(&self, name: &str, n: usize, k: usize) -> Result<T::Linear> {
        self.layer(Weight::Dense(self.stored(name, &[n, k])?), None)
    }

    /// `name.weight` `[n, k]` as plain values; dequantised where `name.scales` is there.
    ///
    /// # Errors
    /// As [`Weights::tensor`].
    pub fn table(&self, name: &str, n: usize, k: usize) -> Result<T> {
        self.hold(n * k * self.dtype.size());
        match self.matrix(name, n, k)? {
            Weight::Dense(table) => table.cast(self.dtype),
            Weight::Affine(matrix) => {
                T::from_f32(&matrix.dequantised()?, &[n, k], self.dtype, self.on)
            }
        }
    }

    fn matrix(&self, name: &str, n: usize, k: usize) -> Result<Weight<T>> {
        let at = self.at(name);
        if !at.has("scales") {
            return Ok(Weight::Dense(at.stored("weight", &[n, k])?));
        }
        // The sizes alone say how many bits a code has and how many share a scale.
        let columns = |part: &str| -> Result<usize> {
            let entry = self.checkpoint.entry(&at.name(part))?;
            Ok(entry.dims.last().copied().unwrap_or(0).max(1))
        };
        let (packed, groups) = (columns("weight")?, columns("scales")?);
        let affine = Affine {
            words: at.stored("weight", &[n, packed])?,
            scales: at.stored("scales", &[n, groups])?,
            biases: at.stored("biases", &[n, groups])?,
            bits: 32 * packed / k,
            group: k / groups,
        };
        match affine.sizes() {
            Ok(sizes) if sizes == (n, k) => Ok(Weight::Affine(affine)),
            _ => Err(Error::TensorShape {
                name: at.name("weight"),
                found: vec![n, packed],
                wanted: vec![n, k / 8],
            }),
        }
    }

    /// A convolution over patches without overlap, as a linear layer over `patch * patch * 3`
    /// values in row, column, channel order: kernels `[n, 3, p, p]` (PyTorch) or `[n, p, p, 3]` (MLX).
    ///
    /// # Errors
    /// As [`Weights::tensor`].
    pub fn patch_embedding(
        &self,
        name: &str,
        n: usize,
        patch: usize,
        bias: Bias,
    ) -> Result<T::Linear> {
        let at = self.at(name);
        let full = at.name("weight");
        let dims = &self.checkpoint.entry(&full)?.dims;
        let kernel = match dims[..] {
            [a, 3, b, c] if (a, b, c) == (n, patch, patch) => {
                at.stored("weight", dims)?.permute(&[0, 2, 3, 1])?
            }
            [a, b, c, 3] if (a, b, c) == (n, patch, patch) => at.stored("weight", dims)?,
            _ => {
                let (found, wanted) = (dims.clone(), vec![n, 3, patch, patch]);
                return Err(Error::TensorShape {
                    name: full,
                    found,
                    wanted,
                });
            }
        };
        let bias = match bias {
            Bias::None => None,
            Bias::Stored => Some(at.tensor("bias", &[n])?),
        };
        let kernel = kernel.reshape(&[n, patch * patch * 3])?;
        self.layer(Weight::Dense(kernel), bias)
    }
}
