//! Making, reading and re-laying tensors: exact in every dtype.

use super::{DType, Tensor, check, tensor};
use crate::tensor::Values;

pub(super) fn conversions<T: Tensor>(dtype: DType, on: &T::Device) {
    let (x, data) = tensor::<T>(&[3, 4], 1, dtype, on);
    check("from_f32", &x, &[3, 4], &data, 0.0, dtype);
    for other in super::DTYPES {
        check(
            "cast",
            &x.cast(other).unwrap(),
            &[3, 4],
            &data,
            1.0 + 2f64.powi(14) * f64::from(u8::from(other == DType::F32 && dtype != DType::F32)),
            other,
        );
    }
    let narrow: Vec<f32> = data.iter().map(|&x| x as f32).collect();
    for (stored, values) in stored(&narrow) {
        let x = T::from_values(values, &[4, 3], on).unwrap();
        check("from_values", &x, &[4, 3], &data, 1.0, stored);
        assert_eq!(x.dtype(), stored);
    }
    check(
        "zeros",
        &T::zeros(&[2, 2], dtype, on).unwrap(),
        &[2, 2],
        &[0.0; 4],
        0.0,
        dtype,
    );
    assert!(T::from_f32(&narrow, &[5, 3], dtype, on).is_err());
    let ids = T::from_u32(&[7, 0, u32::MAX], &[3], on).unwrap();
    assert_eq!(
        (ids.to_u32().unwrap(), ids.dtype()),
        (vec![7, 0, u32::MAX], DType::U32)
    );
}

/// The same values in each type a checkpoint may store.
fn stored(values: &[f32]) -> [(DType, Values); 3] {
    let f16 = values.iter().map(|&x| half::f16::from_f32(x)).collect();
    let bf16 = values.iter().map(|&x| half::bf16::from_f32(x)).collect();
    [
        (DType::F32, Values::F32(values.to_vec())),
        (DType::F16, Values::F16(f16)),
        (DType::BF16, Values::BF16(bf16)),
    ]
}

pub(super) fn reshapes<T: Tensor>(dtype: DType, on: &T::Device) {
    let (x, data) = tensor::<T>(&[2, 3, 4], 2, dtype, on);
    check(
        "reshape",
        &x.reshape(&[4, 6]).unwrap(),
        &[4, 6],
        &data,
        0.0,
        dtype,
    );
    assert!(x.reshape(&[5, 5]).is_err());
    let turned = x.permute(&[2, 0, 1]).unwrap();
    let at = |i: usize| data[(i / 3 % 2) * 12 + (i % 3) * 4 + i / 6];
    check(
        "permute",
        &turned,
        &[4, 2, 3],
        &(0..24).map(at).collect::<Vec<_>>(),
        0.0,
        dtype,
    );
    check(
        "permute, reshape",
        &turned.reshape(&[24]).unwrap(),
        &[24],
        &(0..24).map(at).collect::<Vec<_>>(),
        0.0,
        dtype,
    );
}

pub(super) fn narrows_and_concats<T: Tensor>(dtype: DType, on: &T::Device) {
    let (x, data) = tensor::<T>(&[2, 5], 3, dtype, on);
    let part = x.narrow(1, 1, 3).unwrap();
    let expected = [&data[1..4], &data[6..9]].concat();
    check("narrow", &part, &[2, 3], &expected, 0.0, dtype);
    assert!(x.narrow(1, 3, 3).is_err());
    let whole = T::concat(
        &[
            &x.narrow(1, 0, 1).unwrap(),
            &part,
            &x.narrow(1, 4, 1).unwrap(),
        ],
        1,
    )
    .unwrap();
    check("concat", &whole, &[2, 5], &data, 0.0, dtype);
    check(
        "concat, axis 0",
        &T::concat(&[&x, &x], 0).unwrap(),
        &[4, 5],
        &[&data[..], &data].concat(),
        0.0,
        dtype,
    );
}

pub(super) fn writes<T: Tensor>(dtype: DType, on: &T::Device) {
    let mut buffer = T::zeros(&[1, 2, 4, 2], dtype, on).unwrap();
    let (first, a) = tensor::<T>(&[1, 2, 2, 2], 4, dtype, on);
    let (second, b) = tensor::<T>(&[1, 2, 1, 2], 5, dtype, on);
    buffer.write_at(2, 0, &first).unwrap();
    buffer.write_at(2, 2, &second).unwrap();
    let expected = [&a[0..4], &b[0..2], &a[4..8], &b[2..4]].concat();
    check(
        "write_at",
        &buffer.narrow(2, 0, 3).unwrap(),
        &[1, 2, 3, 2],
        &expected,
        0.0,
        dtype,
    );
    assert!(buffer.write_at(2, 3, &first).is_err());
}

pub(super) fn rows<T: Tensor>(dtype: DType, on: &T::Device) {
    let (table, data) = tensor::<T>(&[4, 3], 6, dtype, on);
    let ids = T::from_u32(&[3, 0, 3], &[3], on).unwrap();
    let expected = [&data[9..12], &data[0..3], &data[9..12]].concat();
    check(
        "rows",
        &table.rows(&ids).unwrap(),
        &[3, 3],
        &expected,
        0.0,
        dtype,
    );
    assert!(table.rows(&T::from_u32(&[4], &[1], on).unwrap()).is_err());
    let columns = table.permute(&[1, 0]).unwrap(); // may be a view
    let last = T::from_u32(&[2], &[1], on).unwrap();
    let expected = [data[2], data[5], data[8], data[11]];
    let found = columns.rows(&last).unwrap();
    check("permute, rows", &found, &[1, 4], &expected, 0.0, dtype);
}
