//! A proxy on loopback that counts what a client asks of its server, as the protocol frames it, and that can break the
//! connection at any question.

use crate::Kind;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// Where the connection breaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cut {
    /// Before the question reaches the server.
    Before,
    /// Behind it: the server hears and answers, but nobody listens.
    After,
}

/// Stands between a client and its server.
#[derive(Debug)]
pub struct Proxy {
    /// The URL that leads through it.
    pub url: String,
    queries: Arc<AtomicUsize>,
    cut: watch::Receiver<bool>,
}

impl Proxy {
    /// Stands before the database of a URL and lets everything pass.
    ///
    /// # Panics
    /// When no port can be had.
    pub async fn before(kind: Kind, url: &str) -> Self {
        Proxy::cutting(kind, url, usize::MAX, Cut::Before).await
    }

    /// Breaks the connection at the question with this number, counted from 1 over all connections.
    ///
    /// # Panics
    /// When no port can be had.
    pub async fn cutting(kind: Kind, url: &str, at: usize, cut: Cut) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let (head, tail) = url.split_once("127.0.0.1:").expect("a URL on loopback");
        let (target, path) = tail.split_once('/').expect("a URL with a database");
        let target = format!("127.0.0.1:{target}");
        let queries = Arc::new(AtomicUsize::new(0));
        let (told, was_cut) = watch::channel(false);
        let passage = Passage { kind, queries: queries.clone(), at, cut, told };
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let server = TcpStream::connect(&target).await.expect("the server");
                tokio::spawn(passage.clone().pass(client, server));
            }
        });
        Proxy { url: format!("{head}127.0.0.1:{port}/{path}"), queries, cut: was_cut }
    }

    /// How many queries passed since it was last asked.
    pub fn count(&self) -> usize {
        self.queries.swap(0, Ordering::SeqCst)
    }

    /// Waits until the connection is cut.
    pub async fn cut(&mut self) {
        let _ = self.cut.wait_for(|cut| *cut).await;
    }

    /// Was the connection cut?
    pub fn was_cut(&self) -> bool {
        *self.cut.borrow()
    }
}

#[derive(Clone)]
struct Passage {
    kind: Kind,
    queries: Arc<AtomicUsize>,
    at: usize,
    cut: Cut,
    told: watch::Sender<bool>,
}

impl Passage {
    async fn pass(self, client: TcpStream, server: TcpStream) {
        let (mut from_client, mut to_client) = client.into_split();
        let (mut from_server, mut to_server) = server.into_split();
        let back = tokio::spawn(async move { copy(&mut from_server, &mut to_client).await });
        let mut seen = Vec::new();
        let mut buffer = vec![0; 65536];
        while let Ok(length @ 1..) = from_client.read(&mut buffer).await {
            seen.extend_from_slice(&buffer[..length]);
            while let Some((frame, asks)) = frame(self.kind, &seen) {
                let bytes: Vec<u8> = seen.drain(..frame).collect();
                let here = asks && self.queries.fetch_add(1, Ordering::SeqCst) + 1 == self.at;
                if here && self.cut == Cut::Before {
                    back.abort();
                    self.told.send_replace(true);
                    return;
                }
                if to_server.write_all(&bytes).await.is_err() {
                    return;
                }
                if here {
                    // The server reads on, finds the end, and ends the session when it has answered.
                    back.abort();
                    self.told.send_replace(true);
                    let _ = to_server.shutdown().await;
                    return;
                }
            }
        }
        let _ = to_server.shutdown().await;
    }
}

/// The length of the first whole frame, and whether it asks for something.
fn frame(kind: Kind, seen: &[u8]) -> Option<(usize, bool)> {
    let frame = match kind {
        // What comes first (a request for TLS, the greeting) has no type and begins with its length (4 bytes, itself
        // included), whose first byte is 0. Then: type, length without the type.
        Kind::Postgres if seen.first() == Some(&0) => {
            seen.get(..4).map(|head| u32::from_be_bytes([head[0], head[1], head[2], head[3]]) as usize)
        }
        Kind::Postgres => seen.get(..5).map(|head| 1 + u32::from_be_bytes([head[1], head[2], head[3], head[4]]) as usize),
        // Three bytes of length, one number; 0 begins a command.
        _ => seen.get(..4).map(|head| 4 + u32::from_le_bytes([head[0], head[1], head[2], 0]) as usize),
    };
    let frame = frame.filter(|frame| *frame <= seen.len() && *frame > 0)?;
    let asks = match kind {
        Kind::Postgres => matches!(seen[0], b'Q' | b'E'),
        // COM_QUERY and COM_STMT_EXECUTE.
        _ => seen[3] == 0 && matches!(seen.get(4), Some(3 | 23)),
    };
    Some((frame, asks))
}
