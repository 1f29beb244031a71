//! The entry in a webview: the link goes through the shell's IPC as raw bytes.

use crate::{App, Settings, Theme};
use domain::i18n::Language;
use js_sys::{Function, Promise, Reflect, Uint8Array};
use std::{cell::RefCell, collections::VecDeque, rc::Rc};
use view::{Link, Request, Update};
use wasm_bindgen::{JsCast, JsValue, prelude::wasm_bindgen};
use wasm_bindgen_futures::{JsFuture, spawn_local};

/// Requests under way at one time; more are dropped, and asked again.
const UNDER_WAY: usize = 8;

/// A link through `window.__TAURI_INTERNALS__.invoke("view", bytes)`.
struct Ipc {
    invoke: Function,
    answers: Rc<RefCell<VecDeque<Update>>>,
    under_way: Rc<RefCell<usize>>,
}

impl Ipc {
    fn new() -> Result<Self, JsValue> {
        let window = web_sys::window().ok_or("no window")?;
        let internals = Reflect::get(&window, &"__TAURI_INTERNALS__".into())?;
        let invoke = Reflect::get(&internals, &"invoke".into())?
            .dyn_into::<Function>()
            .map_err(|_| "not inside the desktop program")?;
        Ok(Self {
            invoke,
            answers: Rc::default(),
            under_way: Rc::default(),
        })
    }
}

async fn ask(invoke: Function, bytes: Vec<u8>) -> Result<Update, String> {
    let text = |e: JsValue| format!("{e:?}");
    let promise = invoke
        .call2(&JsValue::NULL, &"view".into(), &Uint8Array::from(&bytes[..]))
        .map_err(text)?;
    let answer = JsFuture::from(promise.dyn_into::<Promise>().map_err(text)?)
        .await
        .map_err(text)?;
    view::decode(&Uint8Array::new(&answer).to_vec()).map_err(|e| e.to_string())
}

impl Link for Ipc {
    fn send(&mut self, request: Request) {
        let Ok(bytes) = view::encode(&request) else { return };
        if *self.under_way.borrow() >= UNDER_WAY {
            return;
        }
        *self.under_way.borrow_mut() += 1;
        let (invoke, answers, under_way) = (self.invoke.clone(), self.answers.clone(), self.under_way.clone());
        spawn_local(async move {
            let update = ask(invoke, bytes).await.unwrap_or_else(Update::Refused);
            *under_way.borrow_mut() -= 1;
            answers.borrow_mut().push_back(update);
        });
    }

    fn try_recv(&mut self) -> Option<Update> {
        self.answers.borrow_mut().pop_front()
    }
}

/// What the page's address asks for: `?lang=fr&theme=dark`.
fn settings() -> Settings {
    let query = web_sys::window()
        .and_then(|w| w.location().search().ok())
        .unwrap_or_default();
    let asked = |key: &str| {
        let mut pairs = query
            .trim_start_matches('?')
            .split('&')
            .filter_map(|p| p.split_once('='));
        pairs.find(|(k, _)| *k == key).map(|(_, v)| v.to_owned())
    };
    Settings {
        language: asked("lang").map(|l| Language::of_locale(&l)).unwrap_or_default(),
        theme: match asked("theme").as_deref() {
            Some("light") => Theme::Light,
            Some("dark") => Theme::Dark,
            _ => Theme::System,
        },
    }
}

/// Starts the interface on the page's canvas.
///
/// # Errors
/// What the page then shows: no canvas, no WebGL, not inside the desktop program.
#[wasm_bindgen]
pub async fn start() -> Result<(), JsValue> {
    let link = Ipc::new()?;
    let document = web_sys::window().and_then(|w| w.document()).ok_or("no document")?;
    let canvas = document.get_element_by_id("canvas").ok_or("no canvas")?;
    let canvas = canvas
        .dyn_into::<web_sys::HtmlCanvasElement>()
        .map_err(|_| "no canvas")?;
    let creator: eframe::AppCreator<'static> =
        Box::new(move |context| Ok(Box::new(App::new(&context.egui_ctx, Box::new(link), settings()))));
    eframe::WebRunner::new()
        .start(canvas, eframe::WebOptions::default(), creator)
        .await
}
