//! What each model is fed, against its reference: prompt, input ids, pixel values. No weights are
//! read, so no backend is needed.

#![expect(clippy::unwrap_used, reason = "a broken fixture may end its test")]

mod golden;
mod llava_next;
mod moondream2;
mod phi35_vision;
mod smolvlm;
