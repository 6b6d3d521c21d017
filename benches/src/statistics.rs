//! Medians, their spread, and how sure they are.

/// The value at this share of the sorted values, 0 to 1. 0 if there is none.
pub fn quantile(values: &[f64], share: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let last = sorted.len().saturating_sub(1);
    sorted.get(((last as f64 * share).round() as usize).min(last)).copied().unwrap_or(0.0)
}

/// The value in the middle.
pub fn median(values: &[f64]) -> f64 {
    quantile(values, 0.5)
}

/// What the median is not above, with at least 95 % confidence, whatever the distribution: an order statistic. With fewer
/// than five values there is no such value, and it is the largest.
pub fn median_upper_95(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    // At least `at + 1` of the values are below the median with this probability: a fair coin's tail.
    let rounds = sorted.len();
    let mut term = 0.5f64.powi(rounds as i32);
    let mut below = 0.0;
    for (at, &value) in sorted.iter().enumerate() {
        below += term;
        if below >= 0.95 {
            return value;
        }
        term *= (rounds - at) as f64 / (at + 1) as f64;
    }
    sorted.last().copied().unwrap_or(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_of_an_odd_number_of_values_are_values() {
        let values = [5.0, 1.0, 4.0, 2.0, 3.0];
        assert_eq!((quantile(&values, 0.25), median(&values), quantile(&values, 1.0)), (2.0, 3.0, 5.0));
        assert_eq!(median(&[]), 0.0);
    }

    #[test]
    fn the_bound_of_a_median_is_the_order_statistic_of_the_tables() {
        let values = |n: u32| (1..=n).map(f64::from).collect::<Vec<_>>();
        // P(Binomial(n, 1/2) < k) >= 0.95: k = 5 of 5, 9 of 10 (0.989; 8 has 0.945), 15 of 20, 19 of 27? by hand below.
        assert_eq!(median_upper_95(&values(5)), 5.0);
        assert_eq!(median_upper_95(&values(10)), 9.0);
        assert_eq!(median_upper_95(&values(20)), 15.0);
        assert_eq!(median_upper_95(&values(3)), 3.0);
    }

    #[test]
    fn the_bound_is_not_below_the_median() {
        for n in 1..60 {
            let values: Vec<f64> = (0..n).map(f64::from).collect();
            assert!(median_upper_95(&values) >= median(&values));
        }
    }
}
