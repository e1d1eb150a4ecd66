//! Powers and logarithms of two in whole numbers: the same on every machine, as no library of floats promises.

/// A one, for numbers with 32 bits after the point.
const ONE: i64 = 1 << 32;

/// 2^(1/2), 2^(1/4), 2^(1/8), …, with 62 bits after the point.
const ROOTS: [u128; 32] = {
    let mut roots = [0; 32];
    let mut root = 2 << 62;
    let mut at = 0;
    while at < roots.len() {
        let wide: u128 = root << 62;
        root = wide.isqrt();
        roots[at] = root;
        at += 1;
    }
    roots
};

/// The logarithm to the base of two of `of / base`, with 32 bits after the point. Neither is zero.
pub(crate) fn log2_ratio(of: u64, base: u64) -> i64 {
    let mut mantissa = (u128::from(of) << 63) / u128::from(base.max(1));
    let mut whole: i64 = 0;
    // To [1, 2), with 62 bits after the point.
    while mantissa >= 2 << 62 {
        mantissa >>= 1;
        whole += 1;
    }
    while mantissa < 1 << 62 && mantissa > 0 {
        mantissa <<= 1;
        whole -= 1;
    }
    // The first shift was by one more than the point is.
    let mut log = (whole - 1) * ONE;
    let mut bit = ONE >> 1;
    while bit > 0 {
        mantissa = (mantissa * mantissa) >> 62;
        if mantissa >= 2 << 62 {
            mantissa >>= 1;
            log += bit;
        }
        bit >>= 1;
    }
    log
}

/// `number` times two to the power of `power`, which has 32 bits after the point; the largest number if it is larger.
pub(crate) fn times_exp2(number: u64, power: i64) -> u64 {
    let (whole, fraction) = (power.div_euclid(ONE), power.rem_euclid(ONE));
    let factor = (0..32)
        .filter(|bit| fraction & (ONE >> (bit + 1)) != 0)
        .fold(1_u128 << 62, |factor, bit| (factor * ROOTS[bit]) >> 62);
    // At most 64 and 63 bits.
    let product = u128::from(number) * factor;
    let shift = 62 - whole;
    let shifted = match u32::try_from(shift) {
        Ok(shift) => product.checked_shr(shift).unwrap_or(0),
        Err(_) if product == 0 => 0,
        // Two to the 62nd and more times a number that is not zero.
        Err(_) => u128::MAX,
    };
    u64::try_from(shifted).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn known_powers() {
        assert_eq!(log2_ratio(8, 1), 3 * ONE);
        assert_eq!(log2_ratio(1, 4), -2 * ONE);
        assert_eq!(log2_ratio(7, 7), 0);
        assert_eq!(times_exp2(100, 3 * ONE), 800);
        assert_eq!(times_exp2(100, -2 * ONE), 25);
        assert_eq!(times_exp2(1_000_000, ONE / 2), 1_414_213);
        assert_eq!(times_exp2(5, i64::MAX), u64::MAX);
        assert_eq!(times_exp2(5, i64::MIN), 0);
        assert_eq!(times_exp2(0, i64::MAX), 0);
        assert_eq!(times_exp2(u64::MAX, 0), u64::MAX);
    }

    proptest! {
        /// Against the floats of this machine, as far as they go.
        #[test]
        fn agrees_with_floats(of in 1_u64..1_000_000_000, base in 1_u64..1_000_000_000) {
            let log = log2_ratio(of, base);
            #[expect(clippy::cast_precision_loss, reason = "numbers this small are exact")]
            let expect = (of as f64 / base as f64).log2() * ONE as f64;
            #[expect(clippy::cast_precision_loss, reason = "numbers this small are exact")]
            let off = (log as f64 - expect).abs();
            prop_assert!(off < 8.0, "log2 {of}/{base}: {log}, expected {expect}");
            // Back again, to a few parts in a thousand million.
            let back = times_exp2(base, log);
            prop_assert!(back.abs_diff(of) <= 1 + of / 500_000_000, "{base} to {of} and back: {back}");
        }
    }
}
