//! What signals do to a run: the first asks it to stop, the second ends it at once.

use crate::output::Output;
use migrate_runtime::StopSignal;

/// Listens from now on; nothing before it is changed by a signal but ended.
pub fn listen(output: &Output) -> StopSignal {
    let stop = StopSignal::default();
    let (asked, output) = (stop.clone(), output.clone());
    tokio::spawn(async move {
        let Some(mut signals) = Signals::new() else { return };
        let first = signals.next().await;
        asked.request();
        output.message(format!("{first}: stopping behind the statement that is running; once more ends at once"));
        signals.next().await;
        output.message("ended; the database may still finish or roll back what is running: see `cargo migrate status`");
        // What a shell reports for SIGINT.
        std::process::exit(130);
    });
    stop
}

/// The signals that ask a process to end.
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
