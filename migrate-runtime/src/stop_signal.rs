//! A request to stop a run at the next point at which every statement is complete and recorded.

use std::sync::Arc;
use tokio::sync::watch;

/// A request to stop runs gracefully. Clones share the request.
///
/// The current statement finishes and is recorded. Then the run releases the lock and ends with an error of kind
/// [`Stopped`](crate::ErrorKind::Stopped). To abort a run immediately instead, drop its future or end the process: the database
/// rolls an open transaction back, and the next run determines how far this one got.
#[derive(Debug, Clone)]
pub struct StopSignal {
    requested: Arc<watch::Sender<bool>>,
}

impl Default for StopSignal {
    fn default() -> Self {
        StopSignal { requested: Arc::new(watch::Sender::new(false)) }
    }
}

impl StopSignal {
    /// A signal without a request.
    pub fn new() -> Self {
        StopSignal::default()
    }

    /// Requests the stop. It cannot be withdrawn.
    pub fn request(&self) {
        self.requested.send_replace(true);
    }

    /// Whether the stop was requested.
    pub fn is_requested(&self) -> bool {
        *self.requested.borrow()
    }

    /// Waits for the request.
    pub(crate) async fn requested(&self) {
        // The only error is a dropped sender, and `self` owns it.
        let _ = self.requested.subscribe().wait_for(|requested| *requested).await;
    }
}
