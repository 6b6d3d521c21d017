//! When the machine let some process of the check wait.

use crate::log::Span;

/// Times that do not overlap, in order.
#[derive(Clone, Debug, Default)]
pub(crate) struct Stalls(Vec<Span>);

impl Stalls {
    pub(crate) fn of(mut spans: Vec<Span>) -> Self {
        spans.sort_by_key(|span| span.from);
        let mut merged: Vec<Span> = Vec::with_capacity(spans.len());
        for span in spans {
            match merged.last_mut() {
                Some(last) if span.from <= last.to => last.to = last.to.max(span.to),
                _ => merged.push(span),
            }
        }
        Self(merged)
    }

    /// How much of a time was no stall, in nanoseconds.
    pub(crate) fn without(&self, span: Span) -> u64 {
        let first = self.0.partition_point(|stall| stall.to <= span.from);
        let within = self.0[first..].iter().take_while(|stall| stall.from < span.to);
        let stalled: u64 = within.map(|stall| stall.to.min(span.to) - stall.from.max(span.from)).sum();
        span.to.saturating_sub(span.from).saturating_sub(stalled)
    }

    pub(crate) fn longest(&self) -> u64 {
        self.0.iter().map(|stall| stall.to - stall.from).max().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_moment_is_taken_off_once() {
        let spans = [(10, 20), (15, 30), (50, 60)].map(|(from, to)| Span { from, to });
        let stalls = Stalls::of(spans.to_vec());
        for (from, to, left) in [(0, 10, 10), (0, 100, 70), (12, 18, 0), (25, 55, 20), (60, 70, 10)] {
            assert_eq!(stalls.without(Span { from, to }), left, "{from} to {to}");
        }
        assert_eq!(stalls.longest(), 20);
    }
}
