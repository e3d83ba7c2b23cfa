//! The tensor contract on candle.

mod attention;
mod cpu;
mod gpu;
mod linear;

use candle_core as cc;
use candle_nn::{ops, rotary_emb};

use super::{DType, Mask, RopeSpec, Tensor, Values, Weight, heap};
use crate::error::{Error, Result};
use crate::models::Device;
use crate::subject::Allocator;

pub use linear::Linear;

/// A candle tensor.
#[derive(Clone, Debug)]
pub struct Candle(cc::Tensor);

/// A candle device.
#[derive(Clone, Debug)]
pub struct On(cc::Device);

impl On {
    /// The processor.
    #[must_use]
    pub fn cpu() -> Self {
        heap::keep_freed();
        Self(cc::Device::Cpu)
    }

    /// The device of that kind.
    ///
    /// # Errors
    /// When it was not built in, or is not there.
    pub fn at(device: Device) -> Result<Self> {
        match device {
            Device::Cpu => Ok(Self::cpu()),
            Device::Metal => gpu::metal().map(Self),
            Device::Cuda => gpu::cuda().map(Self),
            Device::Server => Err(Error::Unavailable(
                "device server: is that of backend openai".to_owned(),
            )),
        }
    }
}

impl super::Device for On {
    fn name(&self) -> &'static str {
        match self.0 {
            cc::Device::Cpu => "cpu",
            cc::Device::Cuda(_) => "cuda",
            cc::Device::Metal(_) => "metal",
        }
    }

    fn arithmetic(&self, stored: DType) -> DType {
        match self.0 {
            cc::Device::Cpu => DType::F32,
            _ => stored,
        }
    }

    fn keeps_affine(&self, bits: usize) -> &'static str {
        match (&self.0, bits) {
            (cc::Device::Cpu, _) => "as stored",
            (cc::Device::Metal(_), 4) => "as Q4_1 blocks where these are exact",
            _ => "dequantised",
        }
    }

    fn memory(&self) -> Allocator {
        gpu::memory(&self.0)
    }

    fn release(&self) -> Result<()> {
        self.0.synchronize()?;
        heap::release();
        Ok(())
    }

    fn batch_elements(&self) -> usize {
        match self.0 {
            cc::Device::Cpu => 4 << 20, // 16 MiB of f32, which the allocator keeps when freed
            _ => usize::MAX,
        }
    }
}

/// Cosines and sines, `[max_len, dims / 2]` each.
#[derive(Clone, Debug)]
pub struct Rope {
    cos: cc::Tensor,
    sin: cc::Tensor,
    dims: usize,
}

impl From<cc::Error> for Error {
    fn from(error: cc::Error) -> Self {
        let text = error.to_string();
        let first = text.lines().next().unwrap_or_default().to_owned();
        Self::Backend {
            library: "candle",
            message: first,
        }
    }
}

const fn to_candle(dtype: DType) -> cc::DType {
    match dtype {
        DType::F32 => cc::DType::F32,
        DType::F16 => cc::DType::F16,
        DType::BF16 => cc::DType::BF16,
        DType::U32 => cc::DType::U32,
    }
}

fn check_count(op: &'static str, len: usize, dims: &[usize]) -> Result<()> {
    if dims.iter().product::<usize>() == len {
        return Ok(());
    }
    Err(Error::Shape {
        op,
        detail: format!("{len} values do not fill {dims:?}"),
    })
}

/// Ids below the number of a table's rows. On the processor candle looks itself; a GPU's kernels stop the
/// device for the rest of the process. Ids come from the host, so that looking waits for little.
fn check_ids(op: &'static str, ids: &cc::Tensor, rows: usize) -> Result<()> {
    if cpu::is_here(ids) {
        return Ok(());
    }
    let ids = ids.to_vec1::<u32>()?;
    match ids.into_iter().find(|&id| id as usize >= rows) {
        None => Ok(()),
        Some(id) => Err(Error::Shape {
            op,
            detail: format!("id {id} is outside a table of {rows} rows"),
        }),
    }
}

fn check_dtypes(op: &'static str, left: DType, right: DType) -> Result<()> {
    if left == right {
        return Ok(());
    }
    Err(Error::DType {
        op,
        left: left.name(),
        right: right.name(),
    })
}

impl Candle {
    /// An activation on the processor, or the device's own.
    fn activate(
        &self,
        kind: cpu::Activation,
        device: impl Fn(&cc::Tensor) -> cc::Result<cc::Tensor>,
    ) -> Result<Self> {
        if cpu::is_here(&self.0) {
            return Ok(Self(cpu::activation(&self.0, kind)?));
        }
        Ok(Self(device(&self.0)?))
    }

    fn same_dtype(&self, op: &'static str, rhs: &Self) -> Result<()> {
        check_dtypes(op, self.dtype(), rhs.dtype())
    }
}

impl Tensor for Candle {
    type Device = On;
    type Linear = Linear;
    type Rope = Rope;

    fn from_f32(data: &[f32], dims: &[usize], dtype: DType, on: &On) -> Result<Self> {
        check_count("from_f32", data.len(), dims)?;
        Ok(Self(
            cc::Tensor::from_slice(data, dims, &on.0)?.to_dtype(to_candle(dtype))?,
        ))
    }

    fn from_values(data: Values, dims: &[usize], on: &On) -> Result<Self> {
        check_count("from_values", data.len(), dims)?;
        Ok(Self(match data {
            Values::F32(data) => cc::Tensor::from_vec(data, dims, &on.0)?,
            Values::F16(data) => cc::Tensor::from_vec(data, dims, &on.0)?,
            Values::BF16(data) => cc::Tensor::from_vec(data, dims, &on.0)?,
            Values::U32(data) => cc::Tensor::from_vec(data, dims, &on.0)?,
        }))
    }

    fn from_u32(data: &[u32], dims: &[usize], on: &On) -> Result<Self> {
        check_count("from_u32", data.len(), dims)?;
        Ok(Self(cc::Tensor::from_slice(data, dims, &on.0)?))
    }

    fn zeros(dims: &[usize], dtype: DType, on: &On) -> Result<Self> {
        Ok(Self(cc::Tensor::zeros(dims, to_candle(dtype), &on.0)?))
    }

    fn to_f32(&self) -> Result<Vec<f32>> {
        Ok(self.0.to_dtype(cc::DType::F32)?.flatten_all()?.to_vec1()?)
    }

    fn to_u32(&self) -> Result<Vec<u32>> {
        Ok(self.0.flatten_all()?.to_vec1()?)
    }

    fn dims(&self) -> Vec<usize> {
        self.0.dims().to_vec()
    }

    fn dtype(&self) -> DType {
        match self.0.dtype() {
            cc::DType::F16 => DType::F16,
            cc::DType::BF16 => DType::BF16,
            cc::DType::U32 => DType::U32,
            _ => DType::F32, // no other type is ever made here
        }
    }

    fn cast(&self, dtype: DType) -> Result<Self> {
        Ok(Self(self.0.to_dtype(to_candle(dtype))?))
    }

    fn reshape(&self, dims: &[usize]) -> Result<Self> {
        check_count("reshape", self.0.elem_count(), dims)?;
        Ok(Self(self.0.reshape(dims)?))
    }

    fn permute(&self, axes: &[usize]) -> Result<Self> {
        let turned = self.0.permute(axes)?;
        if cpu::is_here(&turned) {
            return Ok(Self(turned)); // a view: what needs dense values copies, attention does not
        }
        Ok(Self(turned.contiguous()?))
    }

    fn narrow(&self, axis: usize, start: usize, len: usize) -> Result<Self> {
        Ok(Self(self.0.narrow(axis, start, len)?))
    }

    fn concat(parts: &[&Self], axis: usize) -> Result<Self> {
        let parts: Vec<_> = parts.iter().map(|part| &part.0).collect();
        Ok(Self(cc::Tensor::cat(&parts, axis)?))
    }

    fn write_at(&mut self, axis: usize, start: usize, src: &Self) -> Result<()> {
        self.same_dtype("write_at", src)?;
        Ok(self.0.slice_set(&src.0.contiguous()?, axis, start)?)
    }

    fn add(&self, rhs: &Self) -> Result<Self> {
        self.same_dtype("add", rhs)?;
        if cpu::is_here(&self.0) {
            return Ok(Self(cpu::add(&self.0, &rhs.0)?));
        }
        Ok(Self(self.0.broadcast_add(&rhs.0)?))
    }

    fn mul(&self, rhs: &Self) -> Result<Self> {
        self.same_dtype("mul", rhs)?;
        if cpu::is_here(&self.0) {
            return Ok(Self(cpu::mul(&self.0, &rhs.0)?));
        }
        Ok(Self(self.0.broadcast_mul(&rhs.0)?))
    }

    fn scale(&self, by: f32) -> Result<Self> {
        Ok(Self(self.0.affine(f64::from(by), 0.0)?))
    }

    fn sigmoid(&self) -> Result<Self> {
        self.activate(cpu::Activation::Sigmoid, ops::sigmoid)
    }

    fn silu(&self) -> Result<Self> {
        self.activate(cpu::Activation::Silu, ops::silu)
    }

    fn gelu_tanh(&self) -> Result<Self> {
        self.activate(cpu::Activation::GeluTanh, cc::Tensor::gelu)
    }

    fn gelu_erf(&self) -> Result<Self> {
        self.activate(cpu::Activation::GeluErf, cc::Tensor::gelu_erf)
    }

    fn quick_gelu(&self) -> Result<Self> {
        self.activate(cpu::Activation::QuickGelu, |x| {
            x * ops::sigmoid(&x.affine(1.702, 0.0)?)?
        })
    }

    fn swiglu(gate: &Self, up: &Self) -> Result<Self> {
        gate.same_dtype("swiglu", up)?;
        if cpu::is_here(&gate.0) {
            return Ok(Self(cpu::swiglu(&gate.0, &up.0)?));
        }
        gate.silu()?.mul(up)
    }

    fn softmax(&self) -> Result<Self> {
        if cpu::is_here(&self.0) {
            return Ok(Self(cpu::softmax(&self.0)?));
        }
        Ok(Self(ops::softmax_last_dim(&self.0.contiguous()?)?))
    }

    fn argmax(&self) -> Result<Self> {
        if cpu::is_here(&self.0) {
            return Ok(Self(self.0.argmax(cc::D::Minus1)?));
        }
        Ok(Self(gpu::first_largest(&self.0)?))
    }

    fn matmul(&self, rhs: &Self) -> Result<Self> {
        self.same_dtype("matmul", rhs)?;
        Ok(Self(
            self.0
                .contiguous()?
                .broadcast_matmul(&rhs.0.contiguous()?)?,
        ))
    }

    fn rows(&self, ids: &Self) -> Result<Self> {
        check_ids("rows", &ids.0, self.0.dim(0)?)?;
        Ok(Self(self.0.contiguous()?.index_select(&ids.0, 0)?))
    }

    fn linear_new(weight: Weight<Self>, bias: Option<Self>, dtype: DType) -> Result<Linear> {
        Linear::new(weight, bias, dtype)
    }

    fn linear_bytes(layer: &Linear) -> usize {
        layer.bytes()
    }

    fn linear(&self, layer: &Linear) -> Result<Self> {
        layer.product(self).map(Self)
    }

    fn embed(table: &Linear, ids: &Self) -> Result<Self> {
        table.rows(&ids.0).map(Self)
    }

    fn rms_norm(&self, weight: &Self, eps: f32) -> Result<Self> {
        self.same_dtype("rms_norm", weight)?;
        if cpu::is_here(&self.0) {
            return Ok(Self(cpu::rms_norm(&self.0, &weight.0, eps)?));
        }
        Ok(Self(ops::rms_norm(&self.0.contiguous()?, &weight.0, eps)?))
    }

    fn layer_norm(&self, weight: &Self, bias: &Self, eps: f32) -> Result<Self> {
        self.same_dtype("layer_norm", weight)?;
        self.same_dtype("layer_norm", bias)?;
        if cpu::is_here(&self.0) {
            return Ok(Self(cpu::layer_norm(&self.0, &weight.0, &bias.0, eps)?));
        }
        Ok(Self(ops::layer_norm(
            &self.0.contiguous()?,
            &weight.0,
            &bias.0,
            eps,
        )?))
    }

    fn rope_new(spec: &RopeSpec, dtype: DType, on: &On) -> Result<Rope> {
        let angles = |f: fn(f64) -> f64| -> Vec<f32> {
            let at = |p: usize| {
                // The product is rounded to f32 because the reference rounds it: 1e-4 rad at 2,000 positions.
                let turn =
                    move |&w: &f32| (f(f64::from(p as f32 * w)) * f64::from(spec.factor)) as f32;
                spec.inv_freq.iter().map(turn)
            };
            (0..spec.max_len).flat_map(at).collect()
        };
        let dims = [spec.max_len, spec.dims / 2];
        let cos = Self::from_f32(&angles(f64::cos), &dims, dtype, on)?.0;
        let sin = Self::from_f32(&angles(f64::sin), &dims, dtype, on)?.0;
        Ok(Rope {
            cos,
            sin,
            dims: spec.dims,
        })
    }

    fn rope(&self, table: &Rope, offset: usize) -> Result<Self> {
        let (_, _, len, head_dim) = self.0.dims4()?;
        let (cos, sin) = (
            table.cos.narrow(0, offset, len)?,
            table.sin.narrow(0, offset, len)?,
        );
        if table.dims == head_dim {
            return Ok(Self(rotary_emb::rope(&self.0.contiguous()?, &cos, &sin)?));
        }
        let turned = self.0.narrow(3, 0, table.dims)?.contiguous()?;
        let turned = rotary_emb::rope(&turned, &cos, &sin)?;
        let rest = self.0.narrow(3, table.dims, head_dim - table.dims)?;
        Ok(Self(cc::Tensor::cat(&[&turned, &rest], 3)?))
    }

    fn attention(&self, k: &Self, v: &Self, scale: f32, mask: Mask) -> Result<Self> {
        self.same_dtype("attention", k)?;
        self.same_dtype("attention", v)?;
        Ok(Self(attention::attention(
            &self.0, &k.0, &v.0, scale, mask,
        )?))
    }

    fn eval(of: &[&Self]) -> Result<()> {
        match of.first() {
            None => Ok(()),
            Some(tensor) => Ok(tensor.0.device().synchronize()?),
        }
    }
}
