//! Signal handling during a run: the first signal requests a stop, the second aborts the process.

use crate::output::Output;
use migrate_runtime::StopSignal;

/// Starts to handle signals. Until then, a signal terminates the process.
pub fn listen(output: &Output) -> StopSignal {
    let stop = StopSignal::new();
    let (requested, output) = (stop.clone(), output.clone());
    tokio::spawn(async move {
        let Some(mut signals) = Signals::new() else { return };
        let first = signals.next().await;
        requested.request();
        output.message(format!(
            "interrupted by {first}: stopping after the current statement; a second signal aborts the run immediately"
        ));
        signals.next().await;
        output.message("aborted: the server may still finish or roll back the current statement; see `cargo migrate status`");
        // The exit code that shells report after SIGINT.
        std::process::exit(130);
    });
    stop
}

/// The signals that request termination.
#[cfg(unix)]
struct Signals {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Signals {
    fn new() -> Option<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Some(Signals { interrupt: signal(SignalKind::interrupt()).ok()?, terminate: signal(SignalKind::terminate()).ok()? })
    }

    async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.interrupt.recv() => "SIGINT",
            _ = self.terminate.recv() => "SIGTERM",
        }
    }
}

#[cfg(not(unix))]
struct Signals;

#[cfg(not(unix))]
impl Signals {
    fn new() -> Option<Self> {
        Some(Signals)
    }

    async fn next(&mut self) -> &'static str {
        let _ = tokio::signal::ctrl_c().await;
        "Ctrl-C"
    }
}
