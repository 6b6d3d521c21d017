//! How the watched caches are, all together.

use cache_core::{Health, HealthStatus};
use serde::Serialize;

use crate::alert::{Alert, Severity};

/// How the watched caches are.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Overview {
    /// The worst of them; a critical alert is worth `degraded`.
    pub status: HealthStatus,
    /// What is wrong, if anything is, each with the name of the cache.
    pub reasons: Vec<String>,
    /// Each cache by itself, with its name.
    pub caches: Vec<(String, Health)>,
}

/// The health of all, from that of each and the alerts that are up.
pub(crate) fn overview(caches: Vec<(String, Health)>, alerts: &[Alert]) -> Overview {
    let mut status = HealthStatus::Healthy;
    let mut reasons = Vec::new();
    for (name, health) in &caches {
        status = status.max(health.status);
        reasons.extend(health.reasons.iter().map(|reason| format!("{name}: {reason}")));
    }
    for alert in alerts.iter().filter(|alert| alert.severity == Severity::Critical) {
        status = status.max(HealthStatus::Degraded);
        let (kind, value, threshold) = (alert.kind.as_str(), alert.value, alert.threshold);
        reasons.push(format!("{}: {kind} is critical: {value}, from {threshold} on", alert.cache));
    }
    Overview { status, reasons, caches }
}

#[cfg(test)]
mod tests {
    use cache_core::{BreakerState, Coherence};

    use super::*;
    use crate::alert::AlertKind;

    #[test]
    fn all_are_as_well_as_the_worst_of_them() {
        let cache = |status, reason: Option<&str>| {
            let mut health = Health::healthy(None, Coherence::Private, BreakerState::Closed);
            (health.status, health.reasons) = (status, reason.map(str::to_owned).into_iter().collect());
            ("app".to_owned(), health)
        };
        let (well, ill) =
            (cache(HealthStatus::Healthy, None), cache(HealthStatus::Unhealthy, Some("closed")));
        let poorly = cache(HealthStatus::Degraded, Some("slow"));
        assert_eq!(overview(vec![], &[]).status, HealthStatus::Healthy);
        assert_eq!(overview(vec![well.clone(), poorly.clone()], &[]).status, HealthStatus::Degraded);
        let all = overview(vec![well.clone(), ill, poorly], &[]);
        assert_eq!(
            (all.status, all.reasons),
            (HealthStatus::Unhealthy, vec!["app: closed".into(), "app: slow".into()])
        );

        let alert = |severity| Alert {
            cache: "app".to_owned(),
            kind: AlertKind::Memory,
            severity,
            value: 1.0,
            threshold: 1.0,
            raised_unix_ms: 0,
        };
        assert_eq!(overview(vec![well.clone()], &[alert(Severity::Warning)]).status, HealthStatus::Healthy);
        assert_eq!(overview(vec![well], &[alert(Severity::Critical)]).status, HealthStatus::Degraded);
    }
}
