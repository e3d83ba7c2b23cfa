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
            browser,
            target,
            session: text(&attached["sessionId"]),
        };
        for domain in ["Page", "Runtime", "Log", "Network"] {
            page.call(&format!("{domain}.enable"), json!({}));
        }
        let size =
            json!({ "width": look.width, "height": 900, "deviceScaleFactor": 1, "mobile": false });
        page.call("Emulation.setDeviceMetricsOverride", size);
        let scheme = json!([
            { "name": "prefers-color-scheme", "value": look.scheme },
            { "name": "prefers-reduced-motion", "value": "reduce" },
        ]);
        page.call("Emulation.setEmulatedMedia", json!({ "features": scheme }));
        page.call(
            "Emulation.setFocusEmulationEnabled",
            json!({ "enabled": true }),
        );
        page.call("Page.setLifecycleEventsEnabled", json!({ "enabled": true }));
        page.go(address);
        page
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

    /// The title that it has now.
    pub(crate) fn title(&self) -> String {
        text(&self.eval("document.title"))
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
