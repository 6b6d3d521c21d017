//! Numbers that stand for many.

/// The number that so many percent are below, 50 for the median; `None` of nothing. Sorts them.
pub(crate) fn quantile<T: Copy + Ord>(numbers: &mut [T], percent: usize) -> Option<T> {
    numbers.sort_unstable();
    numbers.get(numbers.len() * percent / 100).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_one_of_the_numbers() {
        assert_eq!(quantile::<u64>(&mut [], 50), None);
        assert_eq!(quantile(&mut [7], 99), Some(7));
        assert_eq!(quantile(&mut [9, 1, 5], 50), Some(5));
        let mut numbers = [5, 1, 4, 2, 3, 10, 9, 8, 7, 6];
        assert_eq!(
            [50, 90, 99].map(|percent| quantile(&mut numbers, percent)),
            [Some(6), Some(10), Some(10)]
        );
    }
}
