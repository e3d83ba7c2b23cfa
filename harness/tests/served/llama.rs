//! llama.cpp's own server with models of its own format, which `tools/llama-server.sh` prepares.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

/// The embedded model, by the name that it has in this program too.
pub(crate) const EMBEDDED: &str = "tiny-smolvlm-500m-instruct";

/// One core is left for who asks.
const THREADS: &str = "1";

fn folder() -> Option<PathBuf> {
    std::env::var_os("VLM_BENCH_LLAMA_MODEL").map(PathBuf::from)
}

/// A running server; it ends when dropped.
pub(crate) struct Llama {
    child: Child,
    port: u16,
}

impl Llama {
    /// The embedded SmolVLM, which sees; none where the environment names no server.
    pub(crate) fn embedded() -> Option<Self> {
        let folder = folder()?;
        let (model, projector) = (folder.join("text.gguf"), folder.join("mmproj.gguf"));
        Self::start(EMBEDDED, &[&"-m", &model, &"--mmproj", &projector])
    }

    /// A published model that sees no pictures.
    pub(crate) fn published() -> Option<Self> {
        // Mapped weights, its default, would be in no memory of its own.
        let model = folder()?.join("smollm2.gguf");
        Self::start("smollm2-135m", &[&"-m", &model, &"--load-mode", &"none"])
    }

    /// Starts it and waits until it listens.
    fn start(name: &str, model: &[&dyn AsRef<OsStr>]) -> Option<Self> {
        let program = std::env::var_os("VLM_BENCH_LLAMA_SERVER")?;
        // A port that was free a moment ago.
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = free.local_addr().unwrap().port();
        drop(free);
        let mut child = Command::new(program)
            .args(model)
            .args(["--host", "127.0.0.1", "--alias", name])
            .args(["-c", "8192", "-np", "1", "-t", THREADS])
            .args(["--port", &port.to_string()])
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let ready = lines.any(|line| line.unwrap().contains("listening on"));
        assert!(ready, "the server ended before it listened");
        // Its pipe must not fill up.
        std::thread::spawn(move || lines.for_each(drop));
        Some(Self { child, port })
    }

    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }
}

impl Drop for Llama {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The server, unless there is none; a gate without one fails.
pub(crate) fn there(llama: Option<Llama>) -> Option<Llama> {
    if llama.is_none() {
        let missing = "VLM_BENCH_LLAMA_SERVER and VLM_BENCH_LLAMA_MODEL name none";
        assert!(std::env::var_os("CI").is_none(), "no server: {missing}");
        eprintln!("left out: {missing}");
    }
    llama
}
