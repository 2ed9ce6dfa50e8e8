//! A proxy on loopback that counts what a client asks of its server: queries, as the protocol frames them.

use crate::Kind;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy};
use tokio::net::{TcpListener, TcpStream};

/// Counts queries on their way to a server.
#[derive(Debug)]
pub struct CountingProxy {
    /// The URL that leads through it.
    pub url: String,
    queries: Arc<AtomicUsize>,
}

impl CountingProxy {
    /// Stands before the database of a URL.
    ///
    /// # Panics
    /// When no port can be had.
    pub async fn before(kind: Kind, url: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let (head, tail) = url.split_once("127.0.0.1:").expect("a URL on loopback");
        let (target, path) = tail.split_once('/').expect("a URL with a database");
        let target = format!("127.0.0.1:{target}");
        let queries = Arc::new(AtomicUsize::new(0));
        let counter = queries.clone();
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let server = TcpStream::connect(&target).await.expect("the server");
                tokio::spawn(pass(kind, client, server, counter.clone()));
            }
        });
        CountingProxy { url: format!("{head}127.0.0.1:{port}/{path}"), queries }
    }

    /// How many queries passed since it was last asked.
    pub fn count(&self) -> usize {
        self.queries.swap(0, Ordering::SeqCst)
    }
}

async fn pass(kind: Kind, client: TcpStream, server: TcpStream, queries: Arc<AtomicUsize>) {
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    tokio::spawn(async move { copy(&mut from_server, &mut to_client).await });
    let mut seen = Vec::new();
    let mut buffer = vec![0; 65536];
    while let Ok(length @ 1..) = from_client.read(&mut buffer).await {
        seen.extend_from_slice(&buffer[..length]);
        count(kind, &mut seen, &queries);
        if to_server.write_all(&buffer[..length]).await.is_err() {
            return;
        }
    }
    let _ = to_server.shutdown().await;
}

/// Takes whole frames off the front and counts those that ask for something.
fn count(kind: Kind, seen: &mut Vec<u8>, queries: &AtomicUsize) {
    loop {
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
        let Some(frame) = frame.filter(|frame| *frame <= seen.len() && *frame > 0) else { return };
        let asks = match kind {
            Kind::Postgres => matches!(seen[0], b'Q' | b'E'),
            // COM_QUERY and COM_STMT_EXECUTE.
            _ => seen[3] == 0 && matches!(seen.get(4), Some(3 | 23)),
        };
        if asks {
            queries.fetch_add(1, Ordering::SeqCst);
        }
        seen.drain(..frame);
    }
}
