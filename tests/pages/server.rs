//! Serves the pages on loopback as the portal does: the same paths, the same security policy. It remembers what was asked of it.
//! Never here: what a page should ask for.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use clinic_operator::portal::pages::CONTENT_SECURITY_POLICY;

/// By path: media type and content.
pub(crate) type Site = BTreeMap<String, (&'static str, String)>;

pub(crate) struct Server {
    /// Without a slash at its end.
    pub(crate) base: String,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Server {
    /// Serves until the process ends.
    pub(crate) fn start(site: Site) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
        let base = format!("http://{}", listener.local_addr().expect("it is bound"));
        let asked = Arc::new(Mutex::new(Vec::new()));
        let (site, remembered) = (Arc::new(site), Arc::clone(&asked));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (site, asked) = (Arc::clone(&site), Arc::clone(&remembered));
                // A browser opens connections ahead that it may never use, and breaks them off.
                std::thread::spawn(move || answer(stream, &site, &asked));
            }
        });
        Self { base, asked }
    }

    /// The paths that were asked for since this was last called.
    pub(crate) fn asked(&self) -> Vec<String> {
        std::mem::take(&mut *self.asked.lock().expect("no thread panics with it"))
    }
}

fn answer(mut stream: TcpStream, site: &Site, asked: &Mutex<Vec<String>>) -> Option<()> {
    let mut lines = BufReader::new(stream.try_clone().ok()?).lines();
    let path = lines.next()?.ok()?.split(' ').nth(1)?.to_owned();
    while !lines.next()?.ok()?.is_empty() {}
    asked.lock().ok()?.push(path.clone());
    let (status, kind, content) = match site.get(&path) {
        Some((kind, content)) => ("200 OK", *kind, content.as_str()),
        None => ("404 Not Found", "text/plain", ""),
    };
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Type: {kind}; charset=utf-8\r\nContent-Length: {}\r\nContent-Security-Policy: \
         {CONTENT_SECURITY_POLICY}\r\nX-Content-Type-Options: nosniff\r\nConnection: close\r\n\r\n",
        content.len()
    );
    stream.write_all(head.as_bytes()).ok()?;
    stream.write_all(content.as_bytes()).ok()
}
