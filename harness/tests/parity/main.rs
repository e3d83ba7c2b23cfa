//! Every reference item of the small checkpoints, on every backend that is built in: prompt, ids,
//! pixels, features, logits, answer.

#![cfg(any(feature = "candle", feature = "mlx"))]
#![expect(
    clippy::unwrap_used,
    reason = "a test helper that fails fails its test"
)]

/// Makes a test of each generic case, `fn case<T: Tensor>(on: &T::Device)`, for each place there is a feature
/// for. Who builds for a GPU and tests there wants to hear that there is none.
macro_rules! on_each_backend {
    ($($case:ident),* $(,)?) => {
        #[cfg(feature = "candle")]
        on_each_backend!(@place candle, candle::Candle, harness::tensor::candle::On::cpu(), $($case),*);

        #[cfg(feature = "cuda")]
        on_each_backend!(
            @place candle_cuda, candle::Candle,
            harness::tensor::candle::On::at(harness::models::Device::Cuda).unwrap(), $($case),*
        );

        #[cfg(all(feature = "metal", target_os = "macos"))]
        on_each_backend!(
            @place candle_metal, candle::Candle,
            harness::tensor::candle::On::at(harness::models::Device::Metal).unwrap(), $($case),*
        );

        #[cfg(feature = "mlx")]
        on_each_backend!(@place mlx, mlx::Mlx, harness::tensor::mlx::On::cpu(), $($case),*);
    };
    (@place $place:ident, $library:ident::$tensor:ident, $on:expr, $($case:ident),*) => {
        mod $place {
            $(#[test]
            fn $case() {
                super::$case::<harness::tensor::$library::$tensor>(&$on);
            })*
        }
    };
}

mod llava_forms;
mod llava_next;
mod made;
mod moondream2;
mod moondream2_forms;
mod phi35_forms;
mod phi35_vision;
mod reference;
mod smolvlm;
mod smolvlm_forms;
