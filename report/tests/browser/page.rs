//! One page in the browser: opened, looked at, and used like a person uses it.

use std::path::Path;

use serde_json::{Value, json};

use crate::chromium::Browser;

/// How a page is shown.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Look {
    /// Pixels.
    pub width: u32,
    /// `light` or `dark`.
    pub scheme: &'static str,
}

pub(crate) const LAPTOP: Look = Look {
    width: 1280,
    scheme: "light",
};

pub(crate) const PHONE: Look = Look {
    width: 390,
    scheme: "light",
};

/// An open page; closed when dropped.
pub(crate) struct Page<'a> {
    /// What was opened.
    pub address: String,
    browser: &'a Browser,
    target: String,
    session: String,
}

impl<'a> Page<'a> {
    /// Opens a file and waits until all of it is loaded.
    pub(crate) fn open(browser: &'a Browser, path: &Path, look: Look) -> Self {
        Self::visit(browser, &address(path), look)
    }

    /// Opens an address and waits until all of it is loaded.
    pub(crate) fn visit(browser: &'a Browser, address: &str, look: Look) -> Self {
        // A window of its own: what lies behind others is not drawn.
        let made = json!({ "url": "about:blank", "newWindow": true });
        let made = browser.call("", "Target.createTarget", made);
        let target = text(&made["targetId"]);
        let attached = json!({ "targetId": target, "flatten": true });
        let attached = browser.call("", "Target.attachToTarget", attached);
        let page = Self {
            address: address.to_owned(),
            browser,
            target,
            session: text(&attached["sessionId"]),
        };
        for domain in ["Page", "Runtime", "Log", "Network"] {
            page.call(&format!("{domain}.enable"), json!({}));
        }
        page.show(look);
        page.call(
            "Emulation.setFocusEmulationEnabled",
            json!({ "enabled": true }),
        );
        page.call("Page.setLifecycleEventsEnabled", json!({ "enabled": true }));
        page.go(address);
        page
    }

    /// Changes the window and the scheme that the reader's system asks for.
    pub(crate) fn show(&self, look: Look) {
        let size =
            json!({ "width": look.width, "height": 900, "deviceScaleFactor": 1, "mobile": false });
        self.call("Emulation.setDeviceMetricsOverride", size);
        let features = json!([
            { "name": "prefers-color-scheme", "value": look.scheme },
            { "name": "prefers-reduced-motion", "value": "reduce" },
        ]);
        self.call(
            "Emulation.setEmulatedMedia",
            json!({ "features": features }),
        );
        // Two frames later the page has taken notice.
        self.eval("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => done(0))))");
    }

    /// Scrolls to every chart, so that all are drawn, and back. How many there are.
    pub(crate) fn draw_all(&self) -> usize {
        let charts = self.texts("[...document.querySelectorAll('.chart')].map(chart => chart.id)");
        for id in &charts {
            self.middle(&format!("#{id}"));
            self.until(&format!(
                "document.querySelector('#{id} .main-svg .points path')"
            ));
        }
        self.eval("scrollTo(0, 0)");
        charts.len()
    }

    fn go(&self, address: &str) {
        let went = self.call("Page.navigate", json!({ "url": address }));
        assert!(
            went["errorText"].is_null(),
            "{address}: {}",
            went["errorText"]
        );
        let loader = &went["loaderId"];
        self.browser.expect(&self.session, |event| {
            let about = &event["params"];
            event["method"] == "Page.lifecycleEvent"
                && &about["loaderId"] == loader
                && about["name"] == "load"
        });
    }

    fn call(&self, method: &str, params: Value) -> Value {
        self.browser.call(&self.session, method, params)
    }

    /// The value of an expression, or of its promise. The page's policy does not apply to it.
    pub(crate) fn eval(&self, expression: &str) -> Value {
        let asked =
            json!({ "expression": expression, "awaitPromise": true, "returnByValue": true });
        let answer = self.call("Runtime.evaluate", asked);
        let wrong = &answer["exceptionDetails"];
        assert!(wrong.is_null(), "{expression}: {wrong:#}");
        answer["result"]["value"].clone()
    }

    /// The texts of a list that an expression gives.
    pub(crate) fn texts(&self, expression: &str) -> Vec<String> {
        let list = self.eval(expression);
        let list = list.as_array().unwrap_or_else(|| panic!("no list: {list}"));
        list.iter().map(text).collect()
    }

    /// Waits until a condition holds; ten seconds of the page's own clock are enough for any.
    pub(crate) fn until(&self, condition: &str) {
        let looked = format!(
            "new Promise((done, late) => {{ const end = performance.now() + 10000; const look = () => ({condition}) ? \
             done() : performance.now() > end ? late('never: ' + {condition:?}) : setTimeout(look, 10); look(); }})"
        );
        self.eval(&looked);
    }

    /// Scrolls to an element and hands out its middle, in pixels of the window.
    pub(crate) fn middle(&self, selector: &str) -> (f64, f64) {
        let at = self.eval(&format!(
            "(() => {{ const e = document.querySelector({selector:?}); e.scrollIntoView({{ block: 'center' }}); \
             const r = e.getBoundingClientRect(); return [r.x + r.width / 2, r.y + r.height / 2]; }})()"
        ));
        (at[0].as_f64().unwrap(), at[1].as_f64().unwrap())
    }

    /// Moves the pointer.
    pub(crate) fn point(&self, at: (f64, f64)) {
        self.mouse("mouseMoved", at, "none");
    }

    /// Presses the pointer at one place and lets it go at another.
    pub(crate) fn drag(&self, from: (f64, f64), to: (f64, f64)) {
        self.point(from);
        self.mouse("mousePressed", from, "left");
        self.mouse("mouseMoved", to, "left");
        self.mouse("mouseReleased", to, "left");
    }

    /// Clicks an element where it is seen.
    pub(crate) fn click(&self, selector: &str) {
        let at = self.middle(selector);
        self.drag(at, at);
    }

    fn mouse(&self, kind: &str, (x, y): (f64, f64), button: &str) {
        let held = u8::from(button == "left" && kind != "mouseReleased");
        let event = json!({ "type": kind, "x": x, "y": y, "button": button, "buttons": held, "clickCount": 1 });
        self.call("Input.dispatchMouseEvent", event);
    }

    /// Presses a key that has this name in events of the keyboard.
    pub(crate) fn press(&self, key: &str) {
        for kind in ["rawKeyDown", "keyUp"] {
            self.call(
                "Input.dispatchKeyEvent",
                json!({ "type": kind, "key": key, "code": key }),
            );
        }
    }

    /// Lines that the page wrote to its console, refusals by its policy and failed requests included.
    pub(crate) fn console(&self) -> Vec<String> {
        // Everything that was reported before this answer is in.
        self.eval("0");
        let events = self.browser.events(&self.session).into_iter();
        let said = events.filter_map(|event| {
            let about = &event["params"];
            match event["method"].as_str()? {
                "Runtime.consoleAPICalled" => Some(about["args"].to_string()),
                "Runtime.exceptionThrown" => Some(about["exceptionDetails"].to_string()),
                "Log.entryAdded" => Some(about["entry"]["text"].to_string()),
                _ => None,
            }
        });
        said.collect()
    }

    /// Addresses that were asked for, refused ones included.
    pub(crate) fn requests(&self) -> Vec<String> {
        let events = self.browser.events(&self.session).into_iter();
        let asked = events.filter(|event| event["method"] == "Network.requestWillBeSent");
        asked
            .map(|event| text(&event["params"]["request"]["url"]))
            .collect()
    }
}

impl Drop for Page<'_> {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.browser
                .call("", "Target.closeTarget", json!({ "targetId": self.target }));
        }
    }
}

/// A string as it is, anything else as JSON.
fn text(value: &Value) -> String {
    value
        .as_str()
        .map_or_else(|| value.to_string(), str::to_owned)
}

/// The `file://` address of a path.
pub(crate) fn address(path: &Path) -> String {
    let path = path.canonicalize().unwrap();
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/-_.~".contains(&byte);
    let encoded = path
        .to_str()
        .unwrap()
        .bytes()
        .map(|byte| match plain(byte) {
            true => char::from(byte).to_string(),
            false => format!("%{byte:02X}"),
        });
    format!("file://{}", encoded.collect::<String>())
}
