//! The picture says what it should to a reader that has nothing in common with its maker.

use super::*;
use crate::domain::email::Email;
use crate::domain::line::LONGEST_NAME;
use crate::domain::second_factor::TotpSecret;

/// CSS pixels of a side on the page (`style.css`).
const SHOWN: i32 = 240;

/// Where the picture is dark.
fn modules(code: &QrCode) -> (usize, Vec<Vec<bool>>) {
    let side = usize::try_from(code.side()).unwrap();
    let mut dark = vec![vec![false; side]; side];
    for run in code.path().strip_prefix('M').unwrap().split('M') {
        let (x, rest) = run.split_once(' ').unwrap();
        let (y, rest) = rest.split_once('h').unwrap();
        let (width, rest) = rest.split_once('v').unwrap();
        assert_eq!(rest, format!("1h-{width}z"));
        let (x, y, width): (usize, usize, usize) = (x.parse().unwrap(), y.parse().unwrap(), width.parse().unwrap());
        assert!(x >= 4 && y >= 4 && x + width <= side - 4 && y <= side - 5, "the quiet zone is empty");
        dark[y][x..x + width].fill(true);
    }
    (side, dark)
}

/// What a camera reads that sees the picture this many pixels wide.
fn read(code: &QrCode, pixels: usize) -> String {
    let (side, dark) = modules(code);
    let grey = |x: usize, y: usize| if dark[y * side / pixels][x * side / pixels] { 0 } else { 255 };
    let mut picture = rqrr::PreparedImage::prepare_from_greyscale(pixels, pixels, grey);
    let found = picture.detect_grids();
    assert_eq!(found.len(), 1);
    found[0].decode().unwrap().1
}

#[test]
fn the_picture_of_any_clinic_is_read_as_what_it_says_on_any_screen() {
    let secret = TotpSecret::new(std::array::from_fn(|at| u8::try_from(at * 11).unwrap()));
    let short = Email::parse("a@maple.example").unwrap();
    let usual = Email::parse("josephine.kownak@health-centre.example").unwrap();
    let long = Email::parse(&format!("{}@{}.example", "a".repeat(64), "b.".repeat(80) + "c")).unwrap();
    let syllabics = "ᐃᓅᓯᓕᕆᔨᒃᑯᑦ ᐋᓐᓂᐊᕕᖓ ".repeat(6).chars().take(LONGEST_NAME).collect::<String>();
    for clinic in [
        "",
        "Maple",
        "Maple Family Clinic",
        "Clinique du Cœur d'Été",
        "河畔诊所",
        &"Maple ".repeat(17),
        &"河".repeat(LONGEST_NAME),
        syllabics.trim_end(),
    ] {
        for account in [&short, &usual, &long] {
            let uri = secret.uri(clinic, account);
            let code = QrCode::of(&uri).unwrap();
            // Three pixels of a screen at 1x for each module.
            assert!(code.side() * 3 <= SHOWN, "{clinic}: {} modules", code.side());
            for pixels in [SHOWN, 2 * SHOWN] {
                assert_eq!(read(&code, usize::try_from(pixels).unwrap()), uri, "{clinic} at {pixels}");
            }
        }
    }
}

#[test]
fn a_text_that_no_code_holds_is_refused() {
    assert!(QrCode::of(&"a".repeat(2953)).is_ok());
    assert!(QrCode::of(&"a".repeat(2954)).is_err());
}
