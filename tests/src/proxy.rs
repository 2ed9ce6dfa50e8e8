//! A proxy on loopback that counts the messages of a client which request something of the server, and that can close the
//! connection at any of them. It reads the messages, so its connections are not encrypted, even if the server offers TLS.

use crate::Kind;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy};
use tokio::net::tcp::OwnedReadHalf;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// When the proxy closes the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Disconnect {
    /// Before the message reaches the server.
    Before,
    /// After the message has reached the server; the answer does not reach the client.
    After,
}

/// What the client gets instead of an answer of the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FalseAnswer {
    /// Nothing, and the connection stays open.
    Silence,
    /// Bytes that are no message.
    Garbage,
    /// A message whose length or number of columns is impossible.
    Impossible,
    /// A message of which one byte comes from time to time.
    Trickle,
    /// Rows without an end.
    Rows,
    /// Results without rows, without an end.
    Results,
    /// Notices without an end (PostgreSQL).
    Notices,
}

impl FalseAnswer {
    /// What comes first, what is repeated for ever, and the pause between two repetitions.
    fn bytes(self, kind: Kind) -> (Vec<u8>, Vec<u8>, Duration) {
        let postgres = |tag: u8, body: &[u8]| [&[tag][..], &(body.len() as u32 + 4).to_be_bytes(), body].concat();
        let packet = |number: u8, body: &[u8]| [&(body.len() as u32).to_le_bytes()[..3], &[number], body].concat();
        let text = [b'x'; 8000];
        let head = match kind {
            // A row description: one column `x` of type text.
            Kind::Postgres => postgres(b'T', b"\0\x01x\0\0\0\0\0\0\0\0\0\0\x19\xff\xff\xff\xff\xff\xff\0\0"),
            // The number of columns, and a column `x` of type VAR_STRING.
            _ => [packet(1, b"\x01"), packet(2, b"\x03def\0\0\0\x01x\0\x0c\x21\0\xff\xff\0\0\xfd\0\0\0\0\0")].concat(),
        };
        let row = match kind {
            Kind::Postgres => postgres(b'D', &[&b"\0\x01\0\0\x1f\x40"[..], &text].concat()),
            _ => packet(3, &[&b"\xfc\x40\x1f"[..], &text].concat()),
        };
        match self {
            FalseAnswer::Silence => (Vec::new(), Vec::new(), Duration::from_secs(3600)),
            FalseAnswer::Garbage => (vec![b'?'; 64], Vec::new(), Duration::from_secs(3600)),
            FalseAnswer::Impossible => {
                let message = match kind {
                    Kind::Postgres => b"T\0\0\0\0".to_vec(),
                    _ => packet(1, b"\xfe\0\0\0\0\0\0\0\x10"),
                };
                (message, Vec::new(), Duration::from_secs(3600))
            }
            FalseAnswer::Trickle => ([head, row[..100].to_vec()].concat(), vec![b'x'], Duration::from_millis(100)),
            FalseAnswer::Rows => (head, row, Duration::ZERO),
            FalseAnswer::Results => {
                // The flag says that more results follow.
                let result = if kind == Kind::Postgres { postgres(b'C', b"SET\0") } else { packet(1, b"\0\0\0\x08\0\0\0") };
                (Vec::new(), result, Duration::ZERO)
            }
            FalseAnswer::Notices => {
                (Vec::new(), postgres(b'N', b"SNOTICE\0VNOTICE\0C00000\0Mhello\0\0"), Duration::from_micros(100))
            }
        }
    }
}

/// What the proxy does at a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Action {
    Disconnect(Disconnect),
    Answer(FalseAnswer),
}

/// A proxy between clients and a server.
#[derive(Debug)]
pub struct Proxy {
    /// The URL of the database through the proxy.
    pub url: String,
    queries: Arc<AtomicUsize>,
    texts: Arc<Mutex<Vec<String>>>,
    disconnected: watch::Receiver<bool>,
}

impl Proxy {
    /// Forwards all connections to the database of a URL.
    ///
    /// # Panics
    /// If no port is free.
    pub async fn before(kind: Kind, url: &str) -> Self {
        Proxy::disconnecting(kind, url, usize::MAX, Disconnect::Before).await
    }

    /// Closes the connection at the message with this number, counted from 1 over all connections.
    ///
    /// # Panics
    /// If no port is free.
    pub async fn disconnecting(kind: Kind, url: &str, at: usize, moment: Disconnect) -> Self {
        Proxy::acting(kind, url, at, Action::Disconnect(moment)).await
    }

    /// Gives a false answer to the message with this number, counted from 1 over all connections. The server does not get it.
    ///
    /// # Panics
    /// If no port is free.
    pub async fn answering(kind: Kind, url: &str, at: usize, answer: FalseAnswer) -> Self {
        Proxy::acting(kind, url, at, Action::Answer(answer)).await
    }

    async fn acting(kind: Kind, url: &str, at: usize, action: Action) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let port = listener.local_addr().expect("an address").port();
        let (head, tail) = url.split_once("127.0.0.1:").expect("a URL on loopback");
        let (target, path) = tail.split_once('/').expect("a URL with a database");
        let target = format!("127.0.0.1:{target}");
        let queries = Arc::new(AtomicUsize::new(0));
        let (sender, receiver) = watch::channel(false);
        let texts = Arc::default();
        let passage = Passage { kind, queries: queries.clone(), texts: Arc::clone(&texts), at, action, sender };
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let server = TcpStream::connect(&target).await.expect("the server");
                tokio::spawn(passage.clone().pass(client, server));
            }
        });
        Proxy { url: format!("{head}127.0.0.1:{port}/{path}"), queries, texts, disconnected: receiver }
    }

    /// The number of messages since the last call.
    pub fn count(&self) -> usize {
        self.queries.swap(0, Ordering::SeqCst)
    }

    /// The SQL of the messages since the last call.
    ///
    /// # Panics
    /// If another task has panicked while it held the texts.
    pub fn texts(&self) -> Vec<String> {
        std::mem::take(&mut self.texts.lock().expect("no panic"))
    }

    /// Waits until the proxy has closed the connection.
    pub async fn disconnected(&mut self) {
        let _ = self.disconnected.wait_for(|disconnected| *disconnected).await;
    }

    /// Whether the proxy has closed the connection.
    pub fn is_disconnected(&self) -> bool {
        *self.disconnected.borrow()
    }
}

#[derive(Clone)]
struct Passage {
    kind: Kind,
    queries: Arc<AtomicUsize>,
    texts: Arc<Mutex<Vec<String>>>,
    at: usize,
    action: Action,
    sender: watch::Sender<bool>,
}

impl Passage {
    async fn pass(self, client: TcpStream, server: TcpStream) {
        let (mut from_client, mut to_client) = client.into_split();
        let (mut from_server, mut to_server) = server.into_split();
        let (give, mut given) = watch::channel(None::<FalseAnswer>);
        let answers = tokio::spawn(async move {
            if self.kind == Kind::MariaDb {
                to_client.write_all(&greeting_without_tls(&mut from_server).await?).await?;
            }
            let answer = tokio::select! {
                copied = copy(&mut from_server, &mut to_client) => return copied,
                answer = given.wait_for(Option::is_some) => answer.ok().and_then(|answer| *answer),
            };
            let Some(answer) = answer else { return Ok(0) };
            let (first, repeated, pause) = answer.bytes(self.kind);
            to_client.write_all(&first).await?;
            loop {
                to_client.write_all(&repeated).await?;
                tokio::time::sleep(pause).await;
            }
        });
        let mut seen = Vec::new();
        let mut buffer = vec![0; 65536];
        while let Ok(length @ 1..) = from_client.read(&mut buffer).await {
            seen.extend_from_slice(&buffer[..length]);
            while let Some((frame, requests)) = frame(self.kind, &seen) {
                let bytes: Vec<u8> = seen.drain(..frame).collect();
                if let Some(text) = text(self.kind, &bytes) {
                    self.texts.lock().expect("no panic").push(text);
                }
                let is_last = requests && self.queries.fetch_add(1, Ordering::SeqCst) + 1 == self.at;
                if is_last && let Action::Answer(answer) = self.action {
                    give.send_replace(Some(answer));
                    self.sender.send_replace(true);
                    // Until the client gives up.
                    while from_client.read(&mut buffer).await.is_ok_and(|length| length > 0) {}
                    answers.abort();
                    return;
                }
                if is_last && self.action == Action::Disconnect(Disconnect::Before) {
                    self.sender.send_replace(true);
                    answers.abort();
                    return;
                }
                if to_server.write_all(&bytes).await.is_err() {
                    return;
                }
                if is_last {
                    // The server ends the session when it has answered and reads the end of the stream.
                    self.sender.send_replace(true);
                    answers.abort();
                    let _ = to_server.shutdown().await;
                    return;
                }
            }
        }
        let _ = to_server.shutdown().await;
    }
}

/// The first message of a MariaDB server, without the capability to encrypt the connection.
async fn greeting_without_tls(server: &mut OwnedReadHalf) -> std::io::Result<Vec<u8>> {
    // Three bytes of length and a sequence number.
    let mut greeting = vec![0; 4];
    server.read_exact(&mut greeting).await?;
    let length = u32::from_le_bytes([greeting[0], greeting[1], greeting[2], 0]) as usize;
    greeting.resize(4 + length, 0);
    server.read_exact(&mut greeting[4..]).await?;
    withdraw_tls(&mut greeting);
    Ok(greeting)
}

/// Clears the flag `CLIENT_SSL` in the greeting of a MariaDB server. An error instead of a greeting is not changed.
fn withdraw_tls(greeting: &mut [u8]) {
    const PROTOCOL: u8 = 10;
    const CLIENT_SSL: u16 = 0x0800;
    if greeting.get(4) != Some(&PROTOCOL) {
        return;
    }
    // The version of the server ends with a zero. Between it and the flags are the id of the connection, eight bytes of the
    // scramble and a filler.
    let Some(version_end) = greeting.iter().skip(5).position(|byte| *byte == 0) else { return };
    let flags = 5 + version_end + 1 + 4 + 8 + 1;
    if let Some(bytes) = greeting.get_mut(flags..flags + 2) {
        let without = u16::from_le_bytes([bytes[0], bytes[1]]) & !CLIENT_SSL;
        bytes.copy_from_slice(&without.to_le_bytes());
    }
}

/// The length of the first complete message, and whether it requests something.
fn frame(kind: Kind, seen: &[u8]) -> Option<(usize, bool)> {
    let frame = match kind {
        // The first messages of a connection (request for TLS, startup) have no type. They begin with their length of 4
        // bytes, which includes itself and whose first byte is 0. Later messages have a type and the length without it.
        Kind::Postgres if seen.first() == Some(&0) => {
            seen.get(..4).map(|head| u32::from_be_bytes([head[0], head[1], head[2], head[3]]) as usize)
        }
        Kind::Postgres => seen.get(..5).map(|head| 1 + u32::from_be_bytes([head[1], head[2], head[3], head[4]]) as usize),
        // Three bytes of length and a sequence number, which is 0 for a command.
        _ => seen.get(..4).map(|head| 4 + u32::from_le_bytes([head[0], head[1], head[2], 0]) as usize),
    };
    let frame = frame.filter(|frame| *frame <= seen.len() && *frame > 0)?;
    let requests = match kind {
        Kind::Postgres => matches!(seen[0], b'Q' | b'E'),
        // COM_QUERY and COM_STMT_EXECUTE.
        _ => seen[3] == 0 && matches!(seen.get(4), Some(3 | 23)),
    };
    Some((frame, requests))
}

/// The SQL of a message.
fn text(kind: Kind, message: &[u8]) -> Option<String> {
    let text = match kind {
        Kind::Postgres if message.first() == Some(&b'Q') => message.get(5..message.len() - 1)?,
        // The name of the statement, the SQL, and the types of its parameters.
        Kind::Postgres if message.first() == Some(&b'P') => message.get(5..)?.split(|byte| *byte == 0).nth(1)?,
        Kind::Postgres => return None,
        _ if message.get(3) == Some(&0) && message.get(4) == Some(&3) => message.get(5..)?,
        _ => return None,
    };
    Some(String::from_utf8_lossy(text).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The beginning of a greeting, with the lower half of the flags.
    fn greeting(flags: [u8; 2]) -> Vec<u8> {
        [b"\x1c\0\0\0\x0a11.8.2\0", b"\x01\0\0\0".as_slice(), b"scramble\0", &flags, b"rest"].concat()
    }

    #[test]
    fn only_the_offer_of_tls_is_withdrawn() {
        for (flags, expected) in [([0xfe, 0xff], [0xfe, 0xf7]), ([0xfe, 0xf7], [0xfe, 0xf7])] {
            let mut message = greeting(flags);
            withdraw_tls(&mut message);
            assert_eq!(message, greeting(expected));
        }
        let error = b"\x17\0\0\0\xff\x10\x04Too many connections\0\0\0\0\0\0\0\0\0\0\xff\xff".to_vec();
        for mut message in [error, b"\x02\0\0\0\x0a\0".to_vec(), Vec::new()] {
            let before = message.clone();
            withdraw_tls(&mut message);
            assert_eq!(message, before);
        }
    }
}
