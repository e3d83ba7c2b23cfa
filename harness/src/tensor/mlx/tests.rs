//! What only MLX can get wrong: copies of a cache, and errors in its own words.

use mlx_rs::memory;

use super::{Mlx, On};
use crate::tensor::conformance::ALONE;
use crate::tensor::{DType, Device as _, Tensor};

#[test]
fn a_write_copies_no_buffer() {
    let _alone = ALONE
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner);
    let on = On::cpu();
    let dims = [1, 8, 4096, 64]; // 8 MiB
    let mut buffer = Mlx::zeros(&dims, DType::F32, &on).unwrap();
    let row = Mlx::from_f32(&[1.0; 512], &[1, 8, 1, 64], DType::F32, &on).unwrap();
    Mlx::eval(&[&buffer, &row]).unwrap();
    memory::clear_cache().unwrap();
    memory::reset_peak_memory().unwrap();
    for at in 0..8 {
        buffer.write_at(2, at, &row).unwrap();
        let sum = buffer.narrow(2, 0, at + 1).unwrap().scale(2.0).unwrap();
        Mlx::eval(&[&sum]).unwrap();
    }
    let (peak, held) = (on.memory().peak.unwrap(), 8 << 20);
    assert!((held..held + held / 2).contains(&peak), "{peak} bytes");
    assert_eq!(buffer.to_f32().unwrap()[..512], [1.0; 512]);
}

#[test]
fn errors_are_one_line_in_its_own_words() {
    let _alone = ALONE
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner);
    let on = On::cpu();
    let of = |dims: &[usize]| Mlx::zeros(dims, DType::F32, &on).unwrap();
    let error = of(&[2, 3]).add(&of(&[2, 4])).unwrap_err().to_string();
    assert!(
        error.starts_with("mlx: [broadcast_shapes] Shapes (2,3) and (2,4)"),
        "{error}"
    );
    assert!(!error.contains('\n') && !error.contains(".cpp"), "{error}");
    let error = of(&[2, 3])
        .reshape(&[usize::MAX, 2])
        .unwrap_err()
        .to_string();
    assert_eq!(
        error,
        format!("reshape: 6 values do not fill [{}, 2]", usize::MAX)
    );
    let error = Mlx::zeros(&[1 << 40], DType::F32, &on)
        .unwrap_err()
        .to_string();
    assert_eq!(error, "zeros: [1099511627776] is more than MLX can count");
}
