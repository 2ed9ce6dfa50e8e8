//! A way to ask a run to end at the next point where nothing is half done.

use std::sync::Arc;
use tokio::sync::watch;

/// Asks a run to stop; clones ask the same runs.
///
/// The statement that is running is let end and is recorded; then the lock is given back and the run ends with an error of
/// kind [`Stopped`](crate::ErrorKind::Stopped). To end at once instead, drop the future, or end the process: the database
/// then rolls back what was not recorded, and the next run goes on from there.
#[derive(Debug, Clone)]
pub struct StopSignal {
    asked: Arc<watch::Sender<bool>>,
}

impl Default for StopSignal {
    fn default() -> Self {
        StopSignal { asked: Arc::new(watch::Sender::new(false)) }
    }
}

impl StopSignal {
    /// A signal that was not given yet.
    pub fn new() -> Self {
        StopSignal::default()
    }

    /// Gives the signal.
    pub fn request(&self) {
        self.asked.send_replace(true);
    }

    /// Was it asked for?
    pub fn is_requested(&self) -> bool {
        *self.asked.borrow()
    }

    /// Waits until it is asked for.
    pub(crate) async fn requested(&self) {
        // The sender lives as long as `self`.
        let _ = self.asked.subscribe().wait_for(|asked| *asked).await;
    }
}
