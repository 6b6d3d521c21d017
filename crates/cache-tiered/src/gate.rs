//! The one gate through which every call of the store goes: breaker, time bound, count.

use std::future::Future;

use cache_core::{Error, ErrorKind, Event, Moment};

use crate::engine::Engine;
use crate::turn::Changing;

impl Engine {
    /// When a call that begins now and asks the store once or several times is to be done with that.
    pub(crate) fn store_deadline(&self) -> Moment {
        self.timer.now() + self.settings.store_timeout
    }

    /// Runs a call of the store within the time that a call may take.
    pub(crate) async fn timed<T>(
        &self,
        operation: &'static str,
        call: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, Error> {
        self.timed_by(self.store_deadline(), operation, call).await
    }

    /// Runs a call of the store until a deadline, unless the breaker is open, and counts its failure. Every call of the
    /// store goes through here.
    pub(crate) async fn timed_by<T>(
        &self,
        deadline: Moment,
        operation: &'static str,
        call: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, Error> {
        let Some(permit) = self.breaker.ask(|| self.timer.now()) else {
            let message = "the store is not asked because it kept failing (the breaker is open)";
            return Err(
                self.store_failed(Error::new(ErrorKind::Unavailable, message).in_operation(operation))
            );
        };
        let bound = self.settings.store_timeout;
        let began = self.watched_since();
        let result = tokio::select! {
            biased;
            result = call => result,
            () = self.timer.sleep_until(deadline) => Err(Error::new(
                ErrorKind::Timeout,
                format!("the store did not answer within {bound:?}"),
            )),
        };
        permit.end(&result, || self.timer.now());
        if let Some(began) = began {
            let (took, error) = (self.timer.now().since(began), result.as_ref().err().map(Error::kind));
            self.tell(|| Event::Store { operation, took, error });
        }
        if result.is_ok() {
            self.lease.answered();
            self.replay_missed(false);
        }
        result.map_err(|error| self.store_failed(error.in_operation(operation)))
    }

    /// A caller's turn to change a key in the store: at once, unless it is just being told what was done to the key before.
    ///
    /// # Errors
    /// [`ErrorKind::Timeout`] if that takes longer than the store may.
    pub(crate) async fn turn<'a>(&'a self, key: &'a str, deadline: Moment) -> Result<Changing<'a>, Error> {
        let bound = self.settings.store_timeout;
        tokio::select! {
            biased;
            turn = self.turns.change(key, self.timer.now()) => Ok(turn),
            () = self.timer.sleep_until(deadline) => Err(Error::new(
                ErrorKind::Timeout,
                format!("the store did not take an earlier change of the key within {bound:?}"),
            )),
        }
    }

    /// Counts and reports a failed call of the store.
    pub(crate) fn store_failed(&self, error: Error) -> Error {
        self.counters.store_errors.one();
        self.tell(|| Event::Degraded { operation: error.operation().unwrap_or("store"), error: &error });
        error
    }
}
