//! Every reference item of the small checkpoints, on every backend that is built in: prompt, ids,
//! pixels, features, logits, answer.

#![cfg(any(feature = "candle", feature = "mlx"))]
#![expect(
    clippy::unwrap_used,
    reason = "a test helper that fails fails its test"
)]

/// Makes a test of each generic case, `fn case<T: Tensor>(on: &T::Device)`, for each backend.
macro_rules! on_each_backend {
    ($($case:ident),* $(,)?) => {
        #[cfg(feature = "candle")]
        mod candle {
            $(#[test]
            fn $case() {
                super::$case::<harness::tensor::candle::Candle>(&harness::tensor::candle::On::cpu());
            })*
        }

        #[cfg(feature = "mlx")]
        mod mlx {
            $(#[test]
            fn $case() {
                super::$case::<harness::tensor::mlx::Mlx>(&harness::tensor::mlx::On::cpu());
            })*
        }
    };
}

mod llava_forms;
mod llava_next;
mod made;
mod moondream2;
mod phi35_forms;
mod phi35_vision;
mod reference;
mod smolvlm;
