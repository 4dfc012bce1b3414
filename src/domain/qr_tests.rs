//! The picture says what it should to a reader that has nothing in common with its maker.

use super::*;
use crate::domain::email::Email;
use crate::domain::second_factor::TotpSecret;

/// Pixels of a module.
const SCALE: usize = 4;

/// The side of the picture and where it is dark, read from the SVG.
fn modules(svg: &str) -> (usize, Vec<Vec<bool>>) {
    let between = |from: &str, to: &str| svg.split_once(from).unwrap().1.split_once(to).unwrap().0;
    let side: usize = between("viewBox=\"0 0 ", " ").parse().unwrap();
    let mut dark = vec![vec![false; side]; side];
    for run in between(" d=\"M", "\"").split('M') {
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

fn read(svg: &str) -> String {
    let (side, dark) = modules(svg);
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
            assert_eq!(read(&qr_svg(&uri, "QR code").unwrap()), uri, "{clinic}");
        }
    }
}

#[test]
fn a_text_that_no_code_holds_is_refused() {
    assert!(qr_svg(&"a".repeat(2953), "").is_ok());
    assert_eq!(qr_svg(&"a".repeat(2954), ""), Err(TooLongForQr));
}

#[test]
fn the_picture_is_one_path_with_its_words_and_nothing_that_a_strict_page_forbids() {
    let svg = qr_svg("otpauth://totp/Maple", r#"Maple & "River" <b onload='x'>"#).unwrap();
    let head = concat!(
        r#"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 33 33" shape-rendering="crispEdges" role="img" "#,
        r##"aria-label="Maple &amp; &quot;River&quot; &lt;b onload=&#39;x&#39;&gt;"><rect width="33" height="33" fill="#fff"/>"##,
        r#"<path d="M4 4h7"#,
    );
    assert!(svg.starts_with(head), "{svg}");
    assert!(svg.ends_with("z\" fill=\"#000\"/></svg>"), "{svg}");
    assert_eq!(svg.matches("<path").count(), 1);
    assert!(!svg.contains("style") && !svg.contains("otpauth"));
}
