//! A server that says what a test wants, over plain sockets.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// What a connection gets before it is closed.
#[derive(Clone)]
pub(crate) struct Answer {
    bytes: Vec<u8>,
    /// Whether nothing follows, not even the end.
    stalls: bool,
}

impl Answer {
    pub(crate) fn raw(text: &str) -> Self {
        Self {
            bytes: text.as_bytes().to_vec(),
            stalls: false,
        }
    }

    /// A stream that begins and never goes on.
    pub(crate) fn stalled() -> Self {
        Self {
            bytes: b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n".to_vec(),
            stalls: true,
        }
    }
}

/// A chunk with this text.
pub(crate) fn chunk(text: &str) -> String {
    serde_json::json!({"choices": [{"index": 0, "delta": {"content": text}, "finish_reason": null}]}).to_string()
}

/// The chunk that ends an answer.
pub(crate) fn end() -> String {
    r#"{"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}"#.to_owned()
}

pub(crate) fn done() -> String {
    "[DONE]".to_owned()
}

/// A stream of events with these data; a comment is one as it stands.
pub(crate) fn stream(data: &[&str]) -> Answer {
    let events = data.iter().map(|data| match data.starts_with(':') {
        true => format!("{data}\r\n\r\n"),
        false => format!("data: {data}\r\n\r\n"),
    });
    let head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\nConnection: close\r\n\r\n";
    Answer::raw(&(head.to_owned() + &events.collect::<String>()))
}

/// A running server; it ends when dropped.
pub(crate) struct Scripted {
    port: u16,
    over: Arc<AtomicBool>,
}

impl Scripted {
    /// Answers each chat by its number, from 0.
    pub(crate) fn start(script: impl Fn(usize) -> Answer + Send + Sync + 'static) -> Self {
        Self::answering(move |call, _| script(call))
    }

    /// The same by number and request.
    pub(crate) fn answering(
        script: impl Fn(usize, &str) -> Answer + Send + Sync + 'static,
    ) -> Self {
        const MODELS: &[(&str, &str)] = &[(
            "/v1/models",
            r#"{"object":"list","data":[{"id":"scripted","object":"model"}]}"#,
        )];
        Self::telling(MODELS, script)
    }

    /// The same, and this JSON at other addresses.
    pub(crate) fn telling(
        pages: &'static [(&'static str, &'static str)],
        script: impl Fn(usize, &str) -> Answer + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let (over, calls, script) = (
            Arc::new(AtomicBool::new(false)),
            Arc::new(AtomicUsize::new(0)),
            Arc::new(script),
        );
        let ended = Arc::clone(&over);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                if ended.load(Ordering::Relaxed) {
                    return;
                }
                let (calls, script) = (Arc::clone(&calls), Arc::clone(&script));
                std::thread::spawn(move || {
                    let _ = serve(stream?, pages, |body| {
                        script(calls.fetch_add(1, Ordering::Relaxed), body)
                    });
                    std::io::Result::Ok(())
                });
            }
        });
        Self { port, over }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}/v1", self.port)
    }
}

impl Drop for Scripted {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        // Wakes the listener, which then ends.
        let _ = TcpStream::connect(("127.0.0.1", self.port));
    }
}

fn serve(
    stream: TcpStream,
    pages: &[(&str, &str)],
    chat: impl Fn(&str) -> Answer,
) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let (mut first, mut line, mut length) = (String::new(), String::new(), 0);
    reader.read_line(&mut first)?;
    while reader.read_line(&mut line)? > 2 {
        if let Some(number) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = number.trim().parse().unwrap();
        }
        line.clear();
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    let asked = first.split(' ').nth(1).unwrap_or_default();
    let page = pages.iter().find(|(path, _)| *path == asked);
    let answer = match (asked, page) {
        ("/v1/chat/completions", _) => chat(&String::from_utf8_lossy(&body)),
        (_, Some((_, text))) => json(text),
        _ => Answer::raw("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"),
    };
    let mut stream = stream;
    stream.write_all(&answer.bytes)?;
    if answer.stalls {
        // Until the client goes away.
        while reader.read(&mut [0])? > 0 {}
    }
    Ok(())
}

fn json(text: &str) -> Answer {
    let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length";
    Answer::raw(&format!("{head}: {}\r\n\r\n{text}", text.len()))
}
