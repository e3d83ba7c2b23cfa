//! llama.cpp's own server with the embedded SmolVLM, which `tools/llama-server.sh` prepares.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

/// A running server; it ends when dropped.
pub(crate) struct Llama {
    child: Child,
    port: u16,
}

impl Llama {
    /// Starts it and waits until it listens; none where the environment names no server.
    pub(crate) fn start() -> Option<Self> {
        let program = std::env::var_os("VLM_BENCH_LLAMA_SERVER")?;
        let folder = PathBuf::from(std::env::var_os("VLM_BENCH_LLAMA_MODEL")?);
        // A port that was free a moment ago.
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = free.local_addr().unwrap().port();
        drop(free);
        let mut child = Command::new(program)
            .arg("-m")
            .arg(folder.join("text.gguf"))
            .arg("--mmproj")
            .arg(folder.join("mmproj.gguf"))
            .args([
                "--host",
                "127.0.0.1",
                "--alias",
                "tiny-smolvlm",
                "-c",
                "8192",
                "-np",
                "1",
                "-t",
                "1",
            ])
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
