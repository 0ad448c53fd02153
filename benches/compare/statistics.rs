//! Medians and ratios. Pure.

/// The median, the mean of the middle two for an even count; `None` for no figures.
pub fn median(figures: &[f64]) -> Option<f64> {
    let mut sorted = figures.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    let upper = *sorted.get(middle)?;
    let is_even = sorted.len().is_multiple_of(2);
    Some(if is_even { f64::midpoint(sorted[middle - 1], upper) } else { upper })
}

/// A ratio taken round by round: what one interleaved round says does not depend on how busy the machine was in another.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Ratio {
    /// Median over the rounds.
    pub median: f64,
    /// Smallest and largest round.
    pub least: f64,
    pub most: f64,
}

/// The ratio of `first` to `other`, round by round. Rounds without a figure on both sides, or with zero below, do not
/// count.
pub fn ratio_by_round(first: &[Option<f64>], other: &[Option<f64>]) -> Option<Ratio> {
    let both = first.iter().zip(other).filter_map(|(first, other)| first.zip(*other));
    let ratios: Vec<f64> = both.filter(|(_, below)| *below > 0.0).map(|(above, below)| above / below).collect();
    Some(Ratio {
        median: median(&ratios)?,
        least: ratios.iter().copied().fold(f64::INFINITY, f64::min),
        most: ratios.iter().copied().fold(f64::NEG_INFINITY, f64::max),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians() {
        for (figures, expected) in [
            (&[][..], None),
            (&[3.0], Some(3.0)),
            (&[5.0, 1.0], Some(3.0)),
            (&[9.0, 1.0, 2.0], Some(2.0)),
            (&[4.0, 1.0, 100.0, 2.0], Some(3.0)),
        ] {
            assert_eq!(median(figures), expected, "{figures:?}");
        }
    }

    #[test]
    fn ratios_pair_rounds() {
        let first = [Some(1.0), Some(20.0), None, Some(3.0), Some(1.0)];
        let other = [Some(2.0), Some(20.0), Some(1.0), Some(2.0), Some(0.0)];
        assert_eq!(ratio_by_round(&first, &other), Some(Ratio { median: 1.0, least: 0.5, most: 1.5 }));
        assert_eq!(ratio_by_round(&first[2..3], &other[2..3]), None);
    }
}
