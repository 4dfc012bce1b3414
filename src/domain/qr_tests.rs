//! The picture says what it should to a reader that has nothing in common with its maker.

use super::*;
use crate::domain::email::Email;
use crate::domain::second_factor::TotpSecret;

/// Pixels of a module.
const SCALE: usize = 4;

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

fn read(code: &QrCode) -> String {
    let (side, dark) = modules(code);
    let pixels = side * SCALE;
    let grey = |x: usize, y: usize| if dark[y / SCALE][x / SCALE] { 0 } else { 255 };
    let mut picture = rqrr::PreparedImage::prepare_from_greyscale(pixels, pixels, grey);
    let found = picture.detect_grids();
    assert_eq!(found.len(), 1);
    found[0].decode().unwrap().1
}

#[test]
fn the_picture_of_any_clinic_is_read_as_what_it_says() {
    let secret = TotpSecret::new(std::array::from_fn(|at| u8::try_from(at * 11).unwrap()));
    let short = Email::parse("a@maple.example").unwrap();
    let long = Email::parse(&format!("{}@{}.example", "a".repeat(64), "b.".repeat(80) + "c")).unwrap();
    for clinic in [
        "",
        "Maple",
        "Maple Family Clinic",
        "Clinique du Cœur d'Été",
        "河畔诊所",
        &"Maple ".repeat(17),
        &"河".repeat(100),
    ] {
        for account in [&short, &long] {
            let uri = secret.uri(clinic, account);
            assert_eq!(read(&QrCode::of(&uri).unwrap()), uri, "{clinic}");
        }
    }
}

#[test]
fn a_text_that_no_code_holds_is_refused() {
    assert!(QrCode::of(&"a".repeat(2953)).is_ok());
    assert!(QrCode::of(&"a".repeat(2954)).is_err());
}
