//! A hub on loopback: serves one repository, misbehaves as told, and remembers what was asked.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use serde_json::json;
use sha2::{Digest, Sha256};

pub(crate) const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

/// One request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Asked {
    pub(crate) path: String,
    pub(crate) range: Option<u64>,
    pub(crate) token: Option<String>,
}

/// One answer; `cut` ends the connection after so many bytes of the body.
#[derive(Clone, Debug, Default)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
    pub(crate) cut: Option<usize>,
}

impl Answer {
    pub(crate) fn status(status: u16) -> Self {
        Self {
            status,
            ..Self::default()
        }
    }

    pub(crate) fn with(mut self, name: &str, value: impl ToString) -> Self {
        self.headers.push((name.to_owned(), value.to_string()));
        self
    }
}

/// A file of the repository.
#[derive(Clone)]
pub(crate) struct Stored {
    pub(crate) name: String,
    pub(crate) body: Vec<u8>,
    /// What the listing says; none for small files, of which the hub keeps no SHA-256.
    pub(crate) sha256: Option<String>,
}

impl Stored {
    pub(crate) fn small(name: &str, body: &[u8]) -> Self {
        let (name, body) = (name.to_owned(), body.to_vec());
        Self {
            name,
            body,
            sha256: None,
        }
    }

    pub(crate) fn large(name: &str, body: &[u8]) -> Self {
        let sha256 = Some(sha256(body));
        Self {
            sha256,
            ..Self::small(name, body)
        }
    }
}

pub(crate) fn sha256(body: &[u8]) -> String {
    let digest = Sha256::digest(body);
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// What a well-behaved hub answers.
#[derive(Clone)]
pub(crate) struct Repository {
    /// `owner/name`.
    pub(crate) name: &'static str,
    pub(crate) commit: &'static str,
    pub(crate) files: Vec<Stored>,
}

impl Repository {
    fn listing(&self) -> Answer {
        let entry = |(i, file): (usize, &Stored)| match &file.sha256 {
            Some(sha256) => json!({ "rfilename": file.name, "size": file.body.len(),
                "blobId": format!("{i:040x}"), "lfs": { "sha256": sha256, "size": file.body.len(), "pointerSize": 134 } }),
            None => {
                json!({ "rfilename": file.name, "size": file.body.len(), "blobId": format!("{i:040x}") })
            }
        };
        let siblings: Vec<_> = self.files.iter().enumerate().map(entry).collect();
        let json =
            json!({ "id": self.name, "sha": self.commit, "private": false, "siblings": siblings });
        Answer {
            body: json.to_string().into_bytes(),
            ..Answer::status(200)
        }
    }

    pub(crate) fn answer(&self, asked: &Asked) -> Answer {
        let path = &asked.path;
        if path.starts_with(&format!("/api/models/{}/revision/", self.name)) {
            return self.listing();
        }
        let name = path.strip_prefix(&format!("/{}/resolve/{}/", self.name, self.commit));
        let Some(file) = self
            .files
            .iter()
            .find(|file| Some(file.name.as_str()) == name)
        else {
            return Answer::status(404).with("X-Error-Code", "EntryNotFound");
        };
        match asked.range {
            Some(from) => Answer {
                body: file.body[from as usize..].to_vec(),
                ..Answer::status(206)
            }
            .with(
                "Content-Range",
                format!("bytes {from}-{}/{}", file.body.len() - 1, file.body.len()),
            ),
            None => Answer {
                body: file.body.clone(),
                ..Answer::status(200)
            },
        }
    }
}

/// Answers until it is dropped.
pub(crate) struct Hub {
    address: SocketAddr,
    log: Arc<Mutex<Vec<Asked>>>,
    thread: Option<JoinHandle<()>>,
}

impl Hub {
    /// Answers by `script`, which is told each request and how many came before for the same path.
    pub(crate) fn new(script: impl Fn(&Asked, usize) -> Answer + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let log = Arc::new(Mutex::new(Vec::<Asked>::new()));
        let seen = Arc::clone(&log);
        let thread = std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let Some(asked) = read(&mut stream) else {
                    continue;
                };
                if asked.path == "/stop" {
                    return;
                }
                let before = {
                    let mut seen = seen.lock().unwrap();
                    let before = seen.iter().filter(|one| one.path == asked.path).count();
                    seen.push(asked.clone());
                    before
                };
                write(&mut stream, &script(&asked, before));
            }
        });
        Self {
            address,
            log,
            thread: Some(thread),
        }
    }

    pub(crate) fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.log.lock().unwrap().clone()
    }
}

impl Drop for Hub {
    fn drop(&mut self) {
        if let Ok(mut stream) = TcpStream::connect(self.address) {
            let _ = stream.write_all(b"GET /stop HTTP/1.1\r\n\r\n");
        }
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn read(stream: &mut TcpStream) -> Option<Asked> {
    let mut lines = BufReader::new(stream).lines();
    let first = lines.next()?.ok()?;
    let path = first.split(' ').nth(1)?.to_owned();
    let mut asked = Asked {
        path,
        ..Asked::default()
    };
    for line in lines {
        let line = line.ok()?;
        let Some((name, value)) = line.split_once(": ") else {
            break;
        };
        match name.to_lowercase().as_str() {
            "range" => {
                let from = value.strip_prefix("bytes=")?.strip_suffix('-')?;
                asked.range = from.parse().ok();
            }
            "authorization" => asked.token = Some(value.to_owned()),
            _ => {}
        }
    }
    Some(asked)
}

fn write(stream: &mut TcpStream, answer: &Answer) {
    let mut head = format!("HTTP/1.1 {} x\r\nConnection: close\r\n", answer.status);
    if !answer
        .headers
        .iter()
        .any(|(name, _)| name == "Content-Length")
    {
        head += &format!("Content-Length: {}\r\n", answer.body.len());
    }
    for (name, value) in &answer.headers {
        head += &format!("{name}: {value}\r\n");
    }
    let body = &answer.body[..answer.cut.unwrap_or(answer.body.len())];
    // A client that has seen enough may close first.
    let _ = stream
        .write_all(format!("{head}\r\n").as_bytes())
        .and_then(|()| stream.write_all(body));
}
