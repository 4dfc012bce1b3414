//! The picture that an authenticator app reads: a QR code (ISO/IEC 18004) as inline SVG. What it says lives in `second_factor`.

use std::fmt::Write;

use qrcodegen::{QrCode, QrCodeEcc};

/// Empty modules on each side, without which readers do not find the code.
const QUIET_ZONE: i32 = 4;

/// The text does not fit into the largest QR code: more than 2,953 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("failed to draw a text that is too long for a QR code")]
pub struct TooLongForQr;

/// The text as a QR code in inline SVG, dark on white in every colour scheme, for screens: the coarsest code that holds it, and
/// what room is left corrects errors. One unit is one module; the page gives it its size. Nothing in it needs an inline style or
/// a script. `label` is what a screen reader says. A page must show what the picture says as text too.
///
/// The answer tells the text to whoever sees it: it is as secret as that.
///
/// # Errors
/// If the text is too long.
pub fn qr_svg(text: &str, label: &str) -> Result<String, TooLongForQr> {
    let code = QrCode::encode_text(text, QrCodeEcc::Low).map_err(|_| TooLongForQr)?;
    let side = code.size() + 2 * QUIET_ZONE;
    Ok(format!(
        concat!(
            r#"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {side} {side}" shape-rendering="crispEdges" role="img" "#,
            r##"aria-label="{label}"><rect width="{side}" height="{side}" fill="#fff"/><path d="{dark}" fill="#000"/></svg>"##,
        ),
        side = side,
        label = escaped(label),
        dark = dark_modules(&code),
    ))
}

/// One rectangle for each run of dark modules in a row.
fn dark_modules(code: &QrCode) -> String {
    let mut path = String::new();
    for y in 0..code.size() {
        let mut x = 0;
        while x < code.size() {
            let width = (x..code.size()).take_while(|&at| code.get_module(at, y)).fold(0, |width, _| width + 1);
            if width > 0 {
                // Writing to a text never fails.
                let _ = write!(path, "M{} {}h{width}v1h-{width}z", x + QUIET_ZONE, y + QUIET_ZONE);
            }
            x += width.max(1);
        }
    }
    path
}

/// Text in an attribute of HTML, in double quotes.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('"', "&quot;").replace('<', "&lt;").replace('>', "&gt;").replace('\'', "&#39;")
}

#[cfg(test)]
#[path = "qr_tests.rs"]
mod tests;
