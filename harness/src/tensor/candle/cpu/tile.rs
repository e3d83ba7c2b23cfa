//! The inner product kernel: six rows by thirty-two columns, sums in registers.

use pulp::Simd;

use super::rows::Rows;

/// Columns of a panel.
pub(super) const WIDE: usize = 32;
/// Rows of a tile.
pub(super) const HIGH: usize = 6;
/// Rows widened side by side, so that a cache line of a panel is written at once.
const ABREAST: usize = 8;

/// Adds `a` times the panel to `c`.
///
/// `a`: at most [`HIGH`] rows; `panel`: `[k, WIDE]`, as long as the rows; `c`: the row sums.
#[inline(always)]
pub(super) fn tile<S: Simd>(simd: S, a: &[&[f32]], panel: &[f32], c: &mut [[f32; WIDE]; HIGH]) {
    match (a, S::F32_LANES) {
        // 24 of 32 registers of 4 lanes, or 12 of at least 16.
        (&[a0, a1, a2, a3, a4, a5], 4) => {
            sized::<S, 6, 4>(simd, [a0, a1, a2, a3, a4, a5], panel, c)
        }
        (&[a0, a1, a2, a3, a4, a5], _) => {
            sized::<S, 6, 2>(simd, [a0, a1, a2, a3, a4, a5], panel, c)
        }
        (&[a0, a1, a2, ..], _) => {
            sized::<S, 3, 2>(simd, [a0, a1, a2], panel, c);
            for (a, c) in a[3..].iter().zip(&mut c[3..]) {
                one(simd, a, panel, c);
            }
        }
        _ => {
            for (a, c) in a.iter().zip(c) {
                one(simd, a, panel, c);
            }
        }
    }
}

#[inline(always)]
fn one<S: Simd>(simd: S, a: &[f32], panel: &[f32], c: &mut [f32; WIDE]) {
    let mut sums = [
        *c,
        [0.0; WIDE],
        [0.0; WIDE],
        [0.0; WIDE],
        [0.0; WIDE],
        [0.0; WIDE],
    ];
    sized::<S, 1, 2>(simd, [a], panel, &mut sums);
    *c = sums[0];
}

/// `R` rows, `V` vectors at a time.
#[inline(always)]
fn sized<S: Simd, const R: usize, const V: usize>(
    simd: S,
    a: [&[f32]; R],
    panel: &[f32],
    c: &mut [[f32; WIDE]; HIGH],
) {
    let k = panel.len() / WIDE;
    let a: [&[f32]; R] = a.map(|row| &row[..k]);
    for from in (0..WIDE).step_by(S::F32_LANES * V) {
        let columns = from..from + S::F32_LANES * V;
        let mut sums = [[simd.splat_f32s(0.0); V]; R];
        for (p, row) in panel.chunks_exact(WIDE).enumerate() {
            let (row, _) = S::as_simd_f32s(&row[columns.clone()]);
            let row: [S::f32s; V] = std::array::from_fn(|v| row[v]);
            for r in 0..R {
                let x = simd.splat_f32s(a[r][p]);
                for v in 0..V {
                    sums[r][v] = simd.mul_add_e_f32s(x, row[v], sums[r][v]);
                }
            }
        }
        for r in 0..R {
            let (out, _) = S::as_mut_simd_f32s(&mut c[r][columns.clone()]);
            for v in 0..V {
                out[v] = simd.add_f32s(out[v], sums[r][v]);
            }
        }
    }
}

/// Fills a panel `[columns, WIDE]` with the rows from `first` on, turned, from column `from` on;
/// zeros where the matrix has no more rows.
#[inline(always)]
pub(super) fn pack<S: Simd>(
    simd: S,
    rows: &impl Rows,
    (first, from): (usize, usize),
    panel: &mut [f32],
    lines: &mut Vec<f32>,
) {
    let (n, _) = rows.sizes();
    let columns = panel.len() / WIDE;
    lines.resize(ABREAST * columns, 0.0);
    for start in (0..WIDE).step_by(ABREAST) {
        for (r, line) in lines.chunks_exact_mut(columns.max(1)).enumerate() {
            match first + start + r {
                row if row < n => rows.widen(simd, row, from, line),
                _ => line.fill(0.0),
            }
        }
        let mut line = lines.chunks_exact(columns.max(1));
        let line: [&[f32]; ABREAST] = std::array::from_fn(|_| line.next().unwrap_or_default());
        for (p, out) in panel.chunks_exact_mut(WIDE).enumerate() {
            for (out, line) in out[start..start + ABREAST].iter_mut().zip(line) {
                *out = line[p];
            }
        }
    }
}
