//! The engine's own random numbers: PCG32, integers only, the same on every machine.
//!
//! The generator is PCG-XSH-RR with 64 bits of state and 32 bits of output (M. E. O'Neill, "PCG: A Family of
//! Simple Fast Space-Efficient Statistically Good Algorithms for Random Number Generation", HMC-CS-2014-0905).
//! The tests hold it to the output that its author publishes with it. A general-purpose library is free to change
//! its values in a minor release; a seed in somebody's bug report must stay good for years.
//!
//! Where many draw, each has a generator of its own, and SplitMix64 (G. L. Steele Jr., D. Lea, C. H. Flood, "Fast Splittable
//! Pseudorandom Number Generators", OOPSLA 2014) tells them apart.

/// A stream of random numbers that is a function of its seed and nothing else.
///
/// ```
/// use firedrill_failover::Random;
/// let (mut a, mut b) = (Random::new(7, 0), Random::new(7, 0));
/// assert_eq!(a.below(1_000), b.below(1_000));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Random {
    state: u64,
    increment: u64,
}

const MULTIPLIER: u64 = 6_364_136_223_846_793_005;

impl Random {
    /// The generator for `seed`. Different `stream`s of one seed are independent: give each worker its own.
    pub const fn new(seed: u64, stream: u64) -> Self {
        let mut random = Self { state: 0, increment: (stream << 1) | 1 };
        random.step();
        random.state = random.state.wrapping_add(seed);
        random.step();
        random
    }

    /// The generator for the `number`th, from 0, of many that draw by one `seed`: each by its own, so that what one of them draws
    /// is the same whatever the others do meanwhile. A gateway gives each of its requests one.
    ///
    /// ```
    /// use firedrill_failover::Random;
    /// let draws = |number| Random::nth(7, number).next_u32();
    /// assert!(draws(0) == draws(0) && draws(0) != draws(1));
    /// ```
    pub const fn nth(seed: u64, number: u64) -> Self {
        Self::new(Self::seed_of(seed, number), 0)
    }

    /// A seed for the `number`th, from 0, of many that have streams of their own: neighbours are strangers.
    pub const fn seed_of(seed: u64, number: u64) -> u64 {
        let mut mixed = seed.wrapping_add(number.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    const fn step(&mut self) {
        self.state = self.state.wrapping_mul(MULTIPLIER).wrapping_add(self.increment);
    }

    /// The next 32 bits.
    #[expect(clippy::cast_possible_truncation, reason = "the output function keeps 32 bits on purpose")]
    pub const fn next_u32(&mut self) -> u32 {
        let old = self.state;
        self.step();
        let xorshifted = (((old >> 18) ^ old) >> 27) as u32;
        xorshifted.rotate_right((old >> 59) as u32)
    }

    /// A number in `0..bound`, every one equally likely.
    ///
    /// # Panics
    /// If `bound` is zero: nothing can be drawn from nothing.
    pub const fn below(&mut self, bound: u32) -> u32 {
        assert!(bound > 0, "cannot draw a number below zero");
        // The lowest `threshold` outputs would favour small remainders, so they are drawn again.
        let threshold = bound.wrapping_neg() % bound;
        loop {
            let drawn = self.next_u32();
            if drawn >= threshold {
                return drawn % bound;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    /// The author's demonstration program (`pcg32-demo`, seed 42, stream 54) prints these in its first round.
    #[test]
    fn agrees_with_the_published_output() {
        let mut random = Random::new(42, 54);
        let numbers: Vec<u32> = (0..6).map(|_| random.next_u32()).collect();
        assert_eq!(numbers, [0xa15c_02b7, 0x7b47_f409, 0xba1d_3330, 0x83d2_f293, 0xbfa4_784b, 0xcbed_606e]);

        let coins: Vec<u8> = (0..65).map(|_| if random.below(2) == 1 { b'H' } else { b'T' }).collect();
        assert_eq!(
            core::str::from_utf8(&coins),
            Ok("HHTTTHTHHHTHTTTHHHHHTTTHHHTHTHTHTTHTTTHHHHHHTTTTHHTTTTTHTTTTTTTHT")
        );

        let rolls: Vec<u32> = (0..33).map(|_| random.below(6) + 1).collect();
        assert_eq!(
            rolls,
            [
                3, 4, 1, 1, 2, 2, 3, 2, 4, 3, 2, 4, 3, 3, 5, 2, 3, 1, 3, 1, 5, 1, 4, 1, 5, 6, 4, 6, 6, 2, 6,
                3, 3
            ]
        );
    }

    /// What SplitMix64 gives for the seed 1234567, as other implementations are tested by.
    #[test]
    fn seeds_agree_with_the_published_output() {
        let seeds: Vec<u64> = (0..5).map(|number| Random::seed_of(1_234_567, number)).collect();
        let published = [
            6_457_827_717_110_365_317,
            3_203_168_211_198_807_973,
            9_817_491_932_198_370_423,
            4_593_380_528_125_082_431,
            16_408_922_859_458_223_821,
        ];
        assert_eq!(seeds, published);
    }

    #[test]
    fn streams_of_one_seed_differ() {
        let draw = |stream| {
            (0..4)
                .map(|_| 0)
                .fold((Random::new(1, stream), Vec::new()), |(mut r, mut v), _: u32| {
                    v.push(r.next_u32());
                    (r, v)
                })
                .1
        };
        assert_ne!(draw(0), draw(1));
    }
}
