//! A page that is open in a browser.

use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::devtools::Devtools;
use super::{BrowserError, Screen};

/// Between two looks at a page.
const PAUSE: Duration = Duration::from_millis(20);

/// A page that is open. It closes with its browser.
pub struct Page {
    devtools: Devtools,
    complaints: Vec<String>,
    requests: Vec<String>,
}

impl Page {
    pub(super) fn open(mut devtools: Devtools, url: &str, screen: Screen) -> Result<Self, BrowserError> {
        let context = devtools.call("Target.createBrowserContext", &json!({}))?;
        let target = devtools.call(
            "Target.createTarget",
            &json!({"url": "about:blank", "browserContextId": context["browserContextId"]}),
        )?;
        let attached = devtools
            .call("Target.attachToTarget", &json!({"targetId": target["targetId"], "flatten": true}))?;
        devtools.attach(attached["sessionId"].as_str().unwrap_or_default().to_owned());
        for domain in ["Page", "Runtime", "Log", "Network"] {
            devtools.call(&format!("{domain}.enable"), &json!({}))?;
        }
        let Screen { width, height, is_phone, is_dark } = screen;
        devtools.call(
            "Emulation.setDeviceMetricsOverride",
            &json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": is_phone}),
        )?;
        let scheme = if is_dark { "dark" } else { "light" };
        devtools.call(
            "Emulation.setEmulatedMedia",
            &json!({"features": [{"name": "prefers-color-scheme", "value": scheme}]}),
        )?;
        devtools.call("Emulation.setTimezoneOverride", &json!({"timezoneId": "UTC"}))?;
        let mut page = Self { devtools, complaints: Vec::new(), requests: Vec::new() };
        let gone = page.devtools.call("Page.navigate", &json!({"url": url}))?;
        match gone["errorText"].as_str() {
            Some(problem) => Err(BrowserError::new(format!("{url}: {problem}"))),
            None => Ok(page),
        }
    }

    /// What an expression of JavaScript comes to, if it is a promise in the end.
    ///
    /// # Errors
    /// It throws.
    pub fn eval(&mut self, expression: &str) -> Result<Value, BrowserError> {
        let asked = json!({"expression": expression, "returnByValue": true, "awaitPromise": true});
        let mut answer = self.devtools.call("Runtime.evaluate", &asked)?;
        let thrown = &answer["exceptionDetails"];
        if thrown.is_object() {
            let said = thrown["exception"]["description"].as_str().or(thrown["text"].as_str());
            return Err(BrowserError::new(format!("{expression}: {}", said.unwrap_or("it throws"))));
        }
        Ok(answer["result"]["value"].take())
    }

    /// Waits until an expression is true.
    ///
    /// # Errors
    /// It was not in time; the message has what the page showed then.
    pub fn wait_for(&mut self, expression: &str, within: Duration) -> Result<(), BrowserError> {
        let began = Instant::now();
        while self.eval(&format!("Boolean({expression})"))? != true {
            if began.elapsed() > within {
                let shown = self.eval("document.body.innerText")?;
                let complaints = self.complaints()?;
                return Err(BrowserError::new(format!(
                    "not within {within:?}: {expression}\n{}\n{complaints:?}",
                    shown.as_str().unwrap_or_default()
                )));
            }
            std::thread::sleep(PAUSE);
        }
        Ok(())
    }

    /// Presses a key and lets it go: `Tab`, `ArrowLeft`, …
    ///
    /// # Errors
    /// The browser does not do it.
    pub fn press(&mut self, key: &str) -> Result<(), BrowserError> {
        let code = match key {
            "Tab" => 9,
            "Enter" => 13,
            "ArrowLeft" => 37,
            "ArrowRight" => 39,
            _ => 0,
        };
        for kind in ["rawKeyDown", "keyUp"] {
            let event = json!({"type": kind, "key": key, "code": key, "windowsVirtualKeyCode": code});
            self.devtools.call("Input.dispatchKeyEvent", &event)?;
        }
        Ok(())
    }

    /// A picture of the page from its top, as PNG: as high as the page is, but no higher than `most` pixels.
    ///
    /// # Errors
    /// The browser does not do it.
    pub fn screenshot(&mut self, most: u32) -> Result<Vec<u8>, BrowserError> {
        let size = self.devtools.call("Page.getLayoutMetrics", &json!({}))?;
        let of = |name: &str| size["cssContentSize"][name].as_f64().unwrap_or_default();
        let clip = json!({"x": 0, "y": 0, "width": of("width"), "height": of("height").min(most.into()), "scale": 1});
        let asked = json!({"format": "png", "captureBeyondViewport": true, "clip": clip});
        let shot = self.devtools.call("Page.captureScreenshot", &asked)?;
        STANDARD
            .decode(shot["data"].as_str().unwrap_or_default())
            .map_err(|error| BrowserError::new(format!("a picture that cannot be read: {error}")))
    }

    /// What it complained about so far: errors and warnings in its console, exceptions, what its policy forbade, what could
    /// not be loaded.
    ///
    /// # Errors
    /// The browser does not answer.
    pub fn complaints(&mut self) -> Result<Vec<String>, BrowserError> {
        self.take_events()?;
        Ok(self.complaints.clone())
    }

    /// The addresses that it asked for so far.
    ///
    /// # Errors
    /// The browser does not answer.
    pub fn requests(&mut self) -> Result<Vec<String>, BrowserError> {
        self.take_events()?;
        Ok(self.requests.clone())
    }

    fn take_events(&mut self) -> Result<(), BrowserError> {
        // What happened before is told before the answer.
        self.eval("0")?;
        for event in std::mem::take(&mut self.devtools.events) {
            let of = &event["params"];
            match event["method"].as_str().unwrap_or_default() {
                "Runtime.exceptionThrown" => self.complaints.push(of["exceptionDetails"].to_string()),
                "Runtime.consoleAPICalled" if of["type"] == "error" || of["type"] == "warning" => {
                    self.complaints.push(of["args"].to_string());
                }
                "Log.entryAdded" if of["entry"]["level"] != "verbose" && of["entry"]["level"] != "info" => {
                    self.complaints.push(of["entry"].to_string());
                }
                "Network.requestWillBeSent" => {
                    self.requests.push(of["request"]["url"].as_str().unwrap_or_default().to_owned());
                }
                _ => {}
            }
        }
        Ok(())
    }
}

impl std::fmt::Debug for Page {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Page").field("requests", &self.requests).finish_non_exhaustive()
    }
}
