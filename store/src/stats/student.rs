//! Tails of Student's t and of the binomial distribution.

/// Most steps to a quantile; a dozen are common.
const STEPS: usize = 100;

/// The chance that Student's t with `dof` degrees of freedom, which need not be whole, is above `t`.
#[must_use]
pub fn tail(t: f64, dof: f64) -> f64 {
    if t.is_nan() || dof <= 0.0 {
        return 1.0;
    }
    let half = incomplete_beta(dof / (dof + t * t), dof / 2.0, 0.5) / 2.0;
    if t >= 0.0 { half } else { 1.0 - half }
}

/// The value that `tail` gives that chance, below one half; at most a million.
#[must_use]
pub fn quantile(chance: f64, dof: f64) -> f64 {
    const MOST: f64 = 1e6;
    let excess = |t: f64| tail(t, dof) - chance;
    let (mut low, mut above) = (0.0, 0.5 - chance);
    let (mut high, mut below) = (1.0, excess(1.0));
    while below > 0.0 && high < MOST {
        (low, above) = (high, below);
        high = (2.0 * high).min(MOST);
        below = excess(high);
    }
    if below > 0.0 {
        return MOST;
    }
    // Regula falsi, in which an end that stays for a second time counts half (the Illinois rule), until values are as
    // near as numbers of their size can be told apart by what is printed of them.
    let (mut between, mut kept) = (high, None);
    for _ in 0..STEPS {
        let next = (low * below - high * above) / (below - above);
        let moved = (next - between).abs();
        between = next;
        let found = excess(between);
        let is_low = found > 0.0;
        if moved <= 1e-13 * between || found == 0.0 {
            break;
        }
        let again = kept.replace(is_low) == Some(is_low);
        if is_low {
            (low, above) = (between, found);
            below /= if again { 2.0 } else { 1.0 };
        } else {
            (high, below) = (between, found);
            above /= if again { 2.0 } else { 1.0 };
        }
    }
    between
}

/// The chance of at least `hits` heads of `of` fair coins.
#[must_use]
pub fn coins(hits: usize, of: usize) -> f64 {
    // In logarithms: a thousand coins would underflow.
    let mut chance = of as f64 * 0.5_f64.ln();
    let mut above = 0.0;
    for heads in 0..=of {
        if heads >= hits {
            above += chance.exp();
        }
        chance += ((of - heads) as f64 / (heads + 1) as f64).ln();
    }
    above.min(1.0)
}

/// The regularised incomplete beta function, by its continued fraction in the form of Lentz.
///
/// Source: DLMF 8.17.22 (dlmf.nist.gov/8.17).
fn incomplete_beta(x: f64, a: f64, b: f64) -> f64 {
    if x <= 0.0 || x >= 1.0 {
        return x.clamp(0.0, 1.0);
    }
    // The fraction converges fast on one side of the mean alone.
    if x > (a + 1.0) / (a + b + 2.0) {
        return 1.0 - incomplete_beta(1.0 - x, b, a);
    }
    let front =
        (log_gamma(a + b) - log_gamma(a) - log_gamma(b) + a * x.ln() + b * (-x).ln_1p()).exp() / a;
    front / fraction(x, a, b)
}

fn fraction(x: f64, a: f64, b: f64) -> f64 {
    const TINY: f64 = 1e-300;
    let term = |n: usize| {
        let m = (n / 2) as f64;
        match n % 2 {
            0 => m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m)),
            _ => -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0)),
        }
    };
    let apart = |value: f64| if value.abs() < TINY { TINY } else { value };
    let (mut value, mut above, mut below) = (1.0, 1.0, 0.0);
    for n in 1..300 {
        below = 1.0 / apart(1.0 + term(n) * below);
        above = apart(1.0 + term(n) / above);
        let step = above * below;
        value *= step;
        if (step - 1.0_f64).abs() < 1e-14 {
            break;
        }
    }
    value
}

/// The logarithm of the gamma function, for arguments above zero, to ten digits.
///
/// Source: Stirling's series (DLMF 5.11.1), after the argument was raised above ten.
fn log_gamma(x: f64) -> f64 {
    let (mut x, mut below) = (x, 0.0);
    while x < 10.0 {
        below += x.ln();
        x += 1.0;
    }
    let series = 1.0 / (12.0 * x) - 1.0 / (360.0 * x.powi(3)) + 1.0 / (1260.0 * x.powi(5));
    (x - 0.5) * x.ln() - x + 0.5 * (2.0 * std::f64::consts::PI).ln() + series - below
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tails_equal_published_tables() {
        let check = |t, dof, expected: f64| {
            let found = tail(t, dof);
            assert!((found - expected).abs() < 1e-5, "t {t}, {dof}: {found}");
        };
        check(0.0, 4.0, 0.5);
        check(12.7062, 1.0, 0.025);
        check(-12.7062, 1.0, 0.975);
        check(2.7764, 4.0, 0.025);
        check(3.7469, 4.0, 0.01);
        check(2.0423, 30.0, 0.025);
        check(1.959_964, 1e7, 0.025);
        assert!((quantile(0.025, 4.0) - 2.7764).abs() < 1e-4);
    }

    #[test]
    fn a_quantile_has_the_chance_that_was_asked_for() {
        for chance in [0.49, 0.2, 0.025, 1e-3, 1e-6] {
            for dof in [0.7, 1.0, 1.5, 2.0, 3.7, 4.0, 10.0, 133.3, 5000.0] {
                let t = quantile(chance, dof);
                let found = tail(t, dof);
                let near = (found / chance - 1.0).abs() < 1e-9;
                assert!(near || t == 1e6, "{chance}, {dof}: {t} has {found}");
            }
        }
        assert_eq!(quantile(1e-6, 0.7), 1e6);
    }

    #[test]
    fn coins_are_counted() {
        let check = |hits, of, expected: f64| assert!((coins(hits, of) - expected).abs() < 1e-12);
        check(0, 0, 1.0);
        check(3, 3, 0.125);
        check(2, 3, 0.5);
        check(0, 40, 1.0);
        assert!((coins(2000, 4000) - 0.5).abs() < 0.01);
    }
}
