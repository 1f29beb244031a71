//! Eight numbers side by side: the one place with instructions chosen by hand.
//!
//! Left to itself the compiler turns the loops of [`super::grow`] into shuffles that take more than twice as long as the work (100
//! trees of 22 191 rows: 1.0 s against 0.42 s). Every operation here is one that IEEE 754 defines to the last bit, so that a forest
//! is the same with and without AVX2.

/// Eight numbers side by side. A mask is all ones or all zeros in each lane.
pub trait Wide: Copy {
    /// Takes eight numbers.
    fn load(values: &[f32; 8]) -> Self;
    /// Eight times the same.
    fn splat(value: f32) -> Self;
    /// Gives them back.
    fn store(self) -> [f32; 8];
    /// The lesser of each pair; of equal or unordered ones the other's.
    fn lesser(self, other: Self) -> Self;
    /// The greater of each pair; of equal or unordered ones the other's.
    fn greater(self, other: Self) -> Self;
    /// The mask of where this is at most the other.
    fn at_most(self, other: Self) -> Self;
    /// These numbers where the mask is set, 0 elsewhere.
    fn masked(self, mask: Self) -> Self;
    /// The sums.
    fn plus(self, other: Self) -> Self;
    /// The differences.
    fn minus(self, other: Self) -> Self;
    /// With the lanes taken as integers: one more where the mask is set.
    fn counted(self, mask: Self) -> Self;
}

/// Work that is done with the widest registers there are. `run` has to be `#[inline(always)]`, and so has all that it calls
/// with a [`Wide`]: what is not inlined is compiled without them.
pub trait Work {
    /// What comes of it.
    type Output;
    /// Does it.
    fn run<W: Wide>(self) -> Self::Output;
}

/// Does the work with AVX2 where the processor has it.
#[cfg_attr(
    target_arch = "x86_64",
    expect(
        unsafe_code,
        reason = "a function compiled for AVX2 may be called only where there is AVX2"
    )
)]
pub fn run<T: Work>(work: T) -> T::Output {
    #[cfg(target_arch = "x86_64")]
    if std::arch::is_x86_feature_detected!("avx2") {
        // SAFETY: the processor has AVX2
        return unsafe { avx2::run(work) };
    }
    work.run::<Plain>()
}

/// For every processor.
#[derive(Clone, Copy)]
pub struct Plain([f32; 8]);

impl Plain {
    #[inline(always)]
    fn with(self, other: Self, f: impl Fn(f32, f32) -> f32) -> Self {
        Self(std::array::from_fn(|lane| f(self.0[lane], other.0[lane])))
    }
}

impl Wide for Plain {
    #[inline(always)]
    fn load(values: &[f32; 8]) -> Self {
        Self(*values)
    }

    #[inline(always)]
    fn splat(value: f32) -> Self {
        Self([value; 8])
    }

    #[inline(always)]
    fn store(self) -> [f32; 8] {
        self.0
    }

    #[inline(always)]
    fn lesser(self, other: Self) -> Self {
        self.with(other, |a, b| if a < b { a } else { b })
    }

    #[inline(always)]
    fn greater(self, other: Self) -> Self {
        self.with(other, |a, b| if a > b { a } else { b })
    }

    #[inline(always)]
    fn at_most(self, other: Self) -> Self {
        self.with(other, |a, b| f32::from_bits(if a <= b { u32::MAX } else { 0 }))
    }

    #[inline(always)]
    fn masked(self, mask: Self) -> Self {
        self.with(mask, |a, m| f32::from_bits(a.to_bits() & m.to_bits()))
    }

    #[inline(always)]
    fn plus(self, other: Self) -> Self {
        self.with(other, |a, b| a + b)
    }

    #[inline(always)]
    fn minus(self, other: Self) -> Self {
        self.with(other, |a, b| a - b)
    }

    #[inline(always)]
    fn counted(self, mask: Self) -> Self {
        self.with(mask, |a, m| f32::from_bits(a.to_bits().wrapping_sub(m.to_bits())))
    }
}

#[cfg(target_arch = "x86_64")]
#[expect(
    unsafe_code,
    reason = "instructions of AVX2: more than twice as fast as what the compiler makes of the plain loops"
)]
mod avx2 {
    use super::{Wide, Work};
    use std::arch::x86_64::*;

    /// Exists only inside of [`run`], that is, where there is AVX2.
    #[derive(Clone, Copy)]
    pub struct Avx2(__m256);

    #[target_feature(enable = "avx2")]
    pub fn run<T: Work>(work: T) -> T::Output {
        work.run::<Avx2>()
    }

    // SAFETY of all blocks below: this type is used in `run` alone, which is called where there is AVX2; the two that touch memory
    // are given eight numbers
    impl Wide for Avx2 {
        #[inline(always)]
        fn load(values: &[f32; 8]) -> Self {
            Self(unsafe { _mm256_loadu_ps(values.as_ptr()) })
        }

        #[inline(always)]
        fn splat(value: f32) -> Self {
            Self(unsafe { _mm256_set1_ps(value) })
        }

        #[inline(always)]
        fn store(self) -> [f32; 8] {
            let mut values = [0.0; 8];
            unsafe { _mm256_storeu_ps(values.as_mut_ptr(), self.0) };
            values
        }

        #[inline(always)]
        fn lesser(self, other: Self) -> Self {
            Self(unsafe { _mm256_min_ps(self.0, other.0) })
        }

        #[inline(always)]
        fn greater(self, other: Self) -> Self {
            Self(unsafe { _mm256_max_ps(self.0, other.0) })
        }

        #[inline(always)]
        fn at_most(self, other: Self) -> Self {
            Self(unsafe { _mm256_cmp_ps::<_CMP_LE_OQ>(self.0, other.0) })
        }

        #[inline(always)]
        fn masked(self, mask: Self) -> Self {
            Self(unsafe { _mm256_and_ps(self.0, mask.0) })
        }

        #[inline(always)]
        fn plus(self, other: Self) -> Self {
            Self(unsafe { _mm256_add_ps(self.0, other.0) })
        }

        #[inline(always)]
        fn minus(self, other: Self) -> Self {
            Self(unsafe { _mm256_sub_ps(self.0, other.0) })
        }

        #[inline(always)]
        fn counted(self, mask: Self) -> Self {
            Self(unsafe {
                let count = _mm256_sub_epi32(_mm256_castps_si256(self.0), _mm256_castps_si256(mask.0));
                _mm256_castsi256_ps(count)
            })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Everything([f32; 8], [f32; 8]);

    impl Work for Everything {
        type Output = Vec<u32>;

        #[inline(always)]
        fn run<W: Wide>(self) -> Vec<u32> {
            let (a, b) = (W::load(&self.0), W::load(&self.1));
            let mask = a.at_most(b);
            let all = [
                a.lesser(b),
                a.greater(b),
                mask,
                a.masked(mask),
                a.plus(b),
                a.minus(W::splat(0.1)),
                W::splat(0.0).counted(mask).counted(mask),
            ];
            all.iter().flat_map(|w| w.store().map(f32::to_bits)).collect()
        }
    }

    #[test]
    fn every_processor_computes_the_same_bits() {
        let a = [1.0, -2.5, 3e38, 0.0, -0.0, 1e-40, f32::INFINITY, 0.3];
        let b = [1.0, 7.25, 3e38, -0.0, 0.0, 1e-41, 5.0, 0.1];
        assert_eq!(run(Everything(a, b)), Everything(a, b).run::<Plain>());
        assert_eq!(run(Everything(b, a)), Everything(b, a).run::<Plain>());
    }
}
