//! One browser for all tests of this program, and its DevTools protocol.
//!
//! The protocol goes through two pipes: no port is opened, no driver program is needed, and the browser ends
//! with this process, however that ends. A message is a JSON object followed by a zero byte.

use std::collections::HashMap;
use std::env;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{ChildStdin, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, OnceLock};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

use crate::left_out;

const NAMES: [&str; 4] = [
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
];
const MAC: &str = "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome";

/// Gives the browser its pipes as files 3 and 4, and a profile that is deleted after it.
const START: &str = r#"
profile=$(mktemp -d) || exit 1
[ "$(id -u)" != 0 ] || set -- --no-sandbox "$@"
"$0" --user-data-dir="$profile" "$@" 3<&0 4>&1 < /dev/null > /dev/null 2>&1
rm -rf "$profile""#;

const OPTIONS: [&str; 12] = [
    "--headless",
    "--remote-debugging-pipe",
    "--disable-gpu",
    "--no-first-run",
    "--disable-extensions",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-renderer-backgrounding",
    "--disable-background-timer-throttling",
    "--force-color-profile=srgb",
    // Whatever the browser wants for itself stays on this machine.
    "--host-resolver-rules=MAP * ~NOTFOUND",
];

/// How long an answer may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// A running browser.
pub(crate) struct Browser {
    pipe: Mutex<ChildStdin>,
    calls: AtomicU64,
    inbox: Arc<Inbox>,
}

#[derive(Default)]
struct Inbox {
    mail: Mutex<Mail>,
    arrived: Condvar,
}

/// What the browser said.
#[derive(Default)]
struct Mail {
    /// Answers that nobody took yet, by the number of the call.
    answers: HashMap<u64, Value>,
    /// Events of each session, in order.
    events: HashMap<String, Vec<Value>>,
    ended: bool,
}

/// The browser of these tests, started by the first one; none on a system without.
pub(crate) fn browser() -> Option<&'static Browser> {
    static BROWSER: OnceLock<Option<Browser>> = OnceLock::new();
    let browser = BROWSER
        .get_or_init(|| Some(Browser::start(&program()?)))
        .as_ref();
    if browser.is_none() {
        left_out("no browser: install chromium or google-chrome, or name one with CHROME=/path");
    }
    browser
}

fn program() -> Option<PathBuf> {
    let folders = env::var_os("PATH").unwrap_or_default();
    let folders: Vec<PathBuf> = env::split_paths(&folders).collect();
    let named = env::var_os("CHROME").map(PathBuf::from);
    let known = NAMES
        .iter()
        .flat_map(|name| folders.iter().map(move |folder| folder.join(name)))
        .chain([PathBuf::from(MAC)]);
    named.or_else(|| known.into_iter().find(|path| path.is_file()))
}

impl Browser {
    fn start(program: &Path) -> Self {
        let mut child = Command::new("sh")
            .args(["-c", START])
            .arg(program)
            .args(OPTIONS)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let inbox = Arc::<Inbox>::default();
        let (said, into) = (child.stdout.take().unwrap(), Arc::clone(&inbox));
        let pipe = Mutex::new(child.stdin.take().unwrap());
        thread::spawn(move || {
            into.fill(said);
            child.wait()
        });
        Self {
            pipe,
            calls: AtomicU64::new(1),
            inbox,
        }
    }

    /// Calls a method, of the page that `session` names or of the browser (`""`), and hands out its result.
    pub(crate) fn call(&self, session: &str, method: &str, params: Value) -> Value {
        let id = self.calls.fetch_add(1, Ordering::Relaxed);
        let mut message = json!({ "id": id, "method": method, "params": params });
        if !session.is_empty() {
            message["sessionId"] = session.into();
        }
        let mut bytes = message.to_string().into_bytes();
        bytes.push(0);
        self.pipe.lock().unwrap().write_all(&bytes).unwrap();
        let answer = self.inbox.wait(method, |mail| mail.answers.remove(&id));
        assert!(answer["error"].is_null(), "{method}: {}", answer["error"]);
        answer["result"].clone()
    }

    /// Waits for an event of a page that `wanted` accepts, past ones included.
    pub(crate) fn expect(&self, session: &str, wanted: impl Fn(&Value) -> bool) {
        self.inbox.wait("an event", |mail| {
            let events = mail.events.get(session)?;
            events.iter().any(&wanted).then_some(())
        });
    }

    /// What a page has reported so far.
    pub(crate) fn events(&self, session: &str) -> Vec<Value> {
        let mail = self.inbox.mail.lock().unwrap();
        mail.events.get(session).cloned().unwrap_or_default()
    }
}

impl Inbox {
    /// Waits until `take` finds what it looks for.
    fn wait<T>(&self, what: &str, take: impl Fn(&mut Mail) -> Option<T>) -> T {
        let mut found = None;
        let waits = |mail: &mut Mail| {
            found = take(mail);
            found.is_none() && !mail.ended
        };
        let mail = self.mail.lock().unwrap();
        let waited = self.arrived.wait_timeout_while(mail, PATIENCE, waits);
        let ended = waited.unwrap().0.ended;
        let why = if ended { "ended" } else { "is silent" };
        found.unwrap_or_else(|| panic!("waiting for {what}: the browser {why}"))
    }

    /// Files every message until the browser ends.
    fn fill(&self, said: ChildStdout) {
        let mut said = BufReader::new(said);
        let mut bytes = Vec::new();
        while said
            .read_until(0, &mut bytes)
            .is_ok_and(|length| length > 0)
        {
            bytes.pop();
            let message: Value = serde_json::from_slice(&bytes).unwrap_or_default();
            self.file(message);
            bytes.clear();
        }
        self.mail.lock().unwrap().ended = true;
        self.arrived.notify_all();
    }

    fn file(&self, message: Value) {
        let mut mail = self.mail.lock().unwrap();
        if let Some(id) = message["id"].as_u64() {
            mail.answers.insert(id, message);
        } else {
            let session = message["sessionId"].as_str().unwrap_or("").to_owned();
            mail.events.entry(session).or_default().push(message);
        }
        self.arrived.notify_all();
    }
}
