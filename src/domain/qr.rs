//! The picture that an authenticator app reads: a QR code (ISO/IEC 18004), as the data of an SVG path. What it says lives in
//! `second_factor`, its markup with the other pages.

use std::fmt::Write;

use qrcodegen::QrCodeEcc;

/// Empty modules on each side, without which readers do not find the code.
const QUIET_ZONE: i32 = 4;

/// The text does not fit into the largest QR code: more than 2,953 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("failed to draw a text that is too long for a QR code")]
pub struct TooLongForQr;

/// A QR code, drawn. It is to be dark on white in every colour scheme, since many readers fail on others, and a page that shows it
/// says the same as text too. It tells its text to whoever sees it: it is as secret as that.
#[derive(Clone, PartialEq, Eq)]
pub struct QrCode {
    side: i32,
    path: String,
}

impl QrCode {
    /// The coarsest code that holds the text; what room is left corrects errors.
    ///
    /// # Errors
    /// If the text is too long.
    pub fn of(text: &str) -> Result<Self, TooLongForQr> {
        let code = qrcodegen::QrCode::encode_text(text, QrCodeEcc::Low).map_err(|_| TooLongForQr)?;
        Ok(Self { side: code.size() + 2 * QUIET_ZONE, path: dark_modules(&code) })
    }

    /// Units of a side, the empty modules included: one unit is one module.
    pub fn side(&self) -> i32 {
        self.side
    }

    /// The dark modules: the `d` of an SVG path.
    pub fn path(&self) -> &str {
        &self.path
    }
}

/// One rectangle for each run of dark modules in a row.
fn dark_modules(code: &qrcodegen::QrCode) -> String {
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

#[cfg(test)]
#[path = "qr_tests.rs"]
mod tests;
