//! Elementwise functions, each one kernel where MLX compiles: on a GPU, see [`super::On`].
//!
//! Written as few plain steps, for the processor takes them one after the other; in f32 inside,
//! because each step would round in a half type.

use std::cell::RefCell;
use std::f32::consts::FRAC_1_SQRT_2;
use std::mem::ManuallyDrop;

use mlx_rs::error::Exception;
use mlx_rs::transforms::compile::compile;
use mlx_rs::{Array, Dtype, ops};

use super::Mlx;
use crate::error::Result;

/// One array, or what went wrong.
type Outcome = Result<Vec<Array>, Exception>;

/// A function of one or two arrays of equal type. Never dropped: MLX's cache of compiled functions
/// may end before the thread's other values do.
type Compiled = RefCell<ManuallyDrop<Box<dyn FnMut(&[Array]) -> Outcome>>>;

fn compiled(f: fn(&[Array]) -> Outcome) -> Compiled {
    let mut compiled = compile(f, true);
    RefCell::new(ManuallyDrop::new(Box::new(move |x: &[Array]| compiled(x))))
}

thread_local! {
    static SIGMOID: Compiled = compiled(|x| in_f32(x, |x| ops::sigmoid(&x[0])));
    static SILU: Compiled = compiled(|x| in_f32(x, |x| silu(&x[0])));
    static SWIGLU: Compiled = compiled(|x| in_f32(x, |x| silu(&x[0])?.multiply(&x[1])));
    static GELU_TANH: Compiled = compiled(|x| in_f32(x, |x| gelu_tanh(&x[0])));
    static GELU_ERF: Compiled = compiled(|x| in_f32(x, |x| gelu_erf(&x[0])));
    static QUICK_GELU: Compiled = compiled(|x| in_f32(x, |x| quick_gelu(&x[0])));
}

/// Elementwise functions of the contract.
#[derive(Clone, Copy, Debug)]
pub(super) enum Activation {
    Sigmoid,
    Silu,
    /// Of two arrays.
    Swiglu,
    GeluTanh,
    GeluErf,
    QuickGelu,
}

impl Activation {
    pub(super) fn of(self, x: &[Array]) -> Result<Mlx> {
        let table = match self {
            Self::Sigmoid => &SIGMOID,
            Self::Silu => &SILU,
            Self::Swiglu => &SWIGLU,
            Self::GeluTanh => &GELU_TANH,
            Self::GeluErf => &GELU_ERF,
            Self::QuickGelu => &QUICK_GELU,
        };
        let mut found = table.with_borrow_mut(|compiled| compiled(x))?;
        found
            .pop()
            .map(Mlx)
            .ok_or_else(|| super::backend_error("a compiled function returned nothing"))
    }
}

fn in_f32(x: &[Array], f: fn(&[Array]) -> Result<Array, Exception>) -> Outcome {
    let wide: Result<Vec<_>, _> = x.iter().map(|x| x.as_dtype(Dtype::Float32)).collect();
    Ok(vec![f(&wide?)?.as_dtype(x[0].dtype())?])
}

fn silu(x: &Array) -> Result<Array, Exception> {
    x.multiply(ops::sigmoid(x)?)
}

/// `(1 + tanh u) / 2 = sigmoid(2 u)`, with `u = sqrt(2 / pi) (x + 0.044715 x^3)`.
fn gelu_tanh(x: &Array) -> Result<Array, Exception> {
    const TWICE_SQRT_2_OVER_PI: f32 = 1.595_769;
    let cubic = Array::from_f32(TWICE_SQRT_2_OVER_PI * 0.044_715);
    let linear = Array::from_f32(TWICE_SQRT_2_OVER_PI);
    let slope = x.multiply(x)?.multiply(cubic)?.add(linear)?;
    x.multiply(ops::sigmoid(slope.multiply(x)?)?)
}

fn gelu_erf(x: &Array) -> Result<Array, Exception> {
    let half = Array::from_f32(0.5);
    let share = ops::erf(x.multiply(Array::from_f32(FRAC_1_SQRT_2))?)?;
    x.multiply(share.multiply(&half)?.add(half)?)
}

fn quick_gelu(x: &Array) -> Result<Array, Exception> {
    x.multiply(ops::sigmoid(x.multiply(Array::from_f32(1.702))?)?)
}
