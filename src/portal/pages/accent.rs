//! The one colour of a page that a clinic may choose, and the stylesheet and the icon with it. A colour that somebody could not read is
//! refused; its counterpart for dark screens is derived. Never here: the other colours (`style.css`).

use std::fmt;

/// WCAG 2.2, success criterion 1.4.3.
const ENOUGH: f64 = 4.5;
/// The counterpart on dark screens is lightened until it stands out so much: its links are small and its ground is not black.
const ENOUGH_IN_DARK: f64 = 7.0;

const WHITE: Colour = Colour([0xff, 0xff, 0xff]);
/// What buttons say on dark screens.
const NEAR_BLACK: Colour = Colour([0x08, 0x1a, 0x1d]);
/// The card that links and buttons stand on in dark: `--card` of `style.css`.
const DARK_CARD: Colour = Colour([0x1c, 0x25, 0x29]);

/// Red, green and blue of sRGB.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Colour([u8; 3]);

/// The colour of buttons, links and marks, one for light screens and one for dark ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Accent {
    light: Colour,
    dark: Colour,
}

/// Why a text is not an accent colour.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AccentError {
    /// Not `#rrggbb`.
    #[error("the accent colour must be written as # and six hexadecimal digits, such as #0b6670")]
    Malformed,
    /// The white text on buttons could not be read.
    #[error(
        "the accent colour {colour} is too light: white text on it has a contrast of {hundredths}:1, and at least 4.5:1 can \
         be read; {darker} is the nearest darker shade that will do"
    )]
    TooLight {
        /// As given.
        colour: String,
        /// The contrast, rounded down, so that it never reads as if it were enough.
        hundredths: Hundredths,
        /// The same hue, dark enough.
        darker: String,
    },
}

/// A number in hundredths, shown as in `4.49`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hundredths(u32);

impl Hundredths {
    /// The last one that is not more than a contrast that is not enough.
    fn below(contrast: f64) -> Self {
        Self((0..450).rev().find(|hundredths| f64::from(*hundredths) / 100.0 <= contrast).unwrap_or(0))
    }
}

impl fmt::Display for Hundredths {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}.{:02}", self.0 / 100, self.0 % 100)
    }
}

impl Default for Accent {
    /// The colours of the mails.
    fn default() -> Self {
        Self { light: Colour([0x0b, 0x66, 0x70]), dark: Colour([0x6f, 0xd0, 0xd0]) }
    }
}

impl Accent {
    /// Parses `#rrggbb`, the colour on light screens, on which white text stands. On dark screens a lighter shade of it
    /// takes its place, under near-black text.
    ///
    /// # Errors
    /// It is not of that form, or white text on it has less contrast than 4.5:1 (WCAG 2.2, 1.4.3).
    pub fn parse(text: &str) -> Result<Self, AccentError> {
        let light = Colour::parse(text).ok_or(AccentError::Malformed)?;
        if light == Self::default().light {
            return Ok(Self::default());
        }
        let contrast = light.contrast(WHITE);
        if contrast < ENOUGH {
            return Err(AccentError::TooLight {
                colour: light.to_string(),
                hundredths: Hundredths::below(contrast),
                darker: light.towards(Colour([0, 0, 0]), |shade| shade.contrast(WHITE) >= ENOUGH).to_string(),
            });
        }
        let dark = light.towards(WHITE, |shade| {
            shade.contrast(DARK_CARD) >= ENOUGH_IN_DARK && shade.contrast(NEAR_BLACK) >= ENOUGH
        });
        Ok(Self { light, dark })
    }
}

impl Colour {
    fn parse(text: &str) -> Option<Self> {
        let digits = text.strip_prefix('#').filter(|digits| digits.len() == 6)?;
        let is_hex = digits.bytes().all(|digit| digit.is_ascii_hexdigit());
        let channel = |at: usize| u8::from_str_radix(digits.get(at..at + 2)?, 16).ok();
        is_hex.then(|| Some(Self([channel(0)?, channel(2)?, channel(4)?]))).flatten()
    }

    /// Relative luminance, WCAG 2.2: from 0 (black) to 1 (white).
    fn luminance(self) -> f64 {
        let linear = self.0.map(|channel| {
            let part = f64::from(channel) / 255.0;
            if part <= 0.04045 { part / 12.92 } else { ((part + 0.055) / 1.055).powf(2.4) }
        });
        0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    }

    /// Contrast ratio, WCAG 2.2: from 1 to 21.
    fn contrast(self, other: Self) -> f64 {
        let (one, two) = (self.luminance(), other.luminance());
        (one.max(two) + 0.05) / (one.min(two) + 0.05)
    }

    /// The first shade on the way to another colour that will do; at the latest that colour.
    fn towards(self, end: Self, will_do: impl Fn(Self) -> bool) -> Self {
        (0..=255_u16).map(|step| self.mixed(end, step)).find(|shade| will_do(*shade)).unwrap_or(end)
    }

    /// `step` of 255 steps on the way to another colour.
    fn mixed(self, end: Self, step: u16) -> Self {
        let mut channels = self.0;
        for (channel, end) in channels.iter_mut().zip(end.0) {
            let sum = u16::from(*channel) * (255 - step) + u16::from(end) * step;
            *channel = u8::try_from(sum / 255).unwrap_or(u8::MAX);
        }
        Self(channels)
    }
}

impl fmt::Display for Colour {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [red, green, blue] = self.0;
        write!(formatter, "#{red:02x}{green:02x}{blue:02x}")
    }
}

/// The stylesheet of all pages (`text/css; charset=utf-8`), with the clinic's colour or, without one, that of the mails.
pub fn style(accent: Option<Accent>) -> String {
    let Accent { light, dark } = accent.unwrap_or_default();
    format!(
        ":root {{ --accent: {light}; --on-accent: {WHITE}; }}\n\
         @media (prefers-color-scheme: dark) {{ :root {{ --accent: {dark}; --on-accent: {NEAR_BLACK}; }} }}\n\
         @media print {{ :root {{ --accent: {light}; --on-accent: {WHITE}; }} }}\n{}",
        include_str!("style.css")
    )
}

/// The picture on a browser's tab (`image/svg+xml`), in the same colour.
pub fn icon(accent: Option<Accent>) -> String {
    let Accent { light, .. } = accent.unwrap_or_default();
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 32 32\"><rect width=\"32\" height=\"32\" rx=\"7\" fill=\"{light}\"/>\
         <path fill=\"{WHITE}\" d=\"M16 6a5 5 0 1 1 0 10 5 5 0 0 1 0-10zM6 26c0-5 4.5-8 10-8s10 3 10 8z\"/></svg>\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn refusal(text: &str) -> String {
        Accent::parse(text).unwrap_err().to_string()
    }

    #[test]
    fn a_colour_that_white_text_cannot_be_read_on_is_refused_with_one_that_will_do() {
        assert_eq!(
            refusal("#FFCC00"),
            "the accent colour #ffcc00 is too light: white text on it has a contrast of 1.51:1, and at least 4.5:1 can be \
             read; #907300 is the nearest darker shade that will do"
        );
        // A shade that misses it by less than a hundredth does not read as if it did not.
        assert!(refusal("#777777").contains("4.47:1"), "{}", refusal("#777777"));
        assert!(Accent::parse("#767676").is_ok());
    }

    #[test]
    fn only_six_hexadecimal_digits_are_a_colour() {
        for text in ["", "#", "0b6670", "#0b667", "#0b66700", "#0b667g", "#+b6670", "teal", "#0b6670;}", "#é6670"] {
            assert_eq!(Accent::parse(text), Err(AccentError::Malformed), "{text:?}");
        }
    }

    #[test]
    fn the_stylesheet_has_the_colours_of_the_mails_unless_a_clinic_has_its_own() {
        assert!(style(None).starts_with(":root { --accent: #0b6670; --on-accent: #ffffff; }"));
        assert_eq!(style(Some(Accent::parse("#0B6670").unwrap())), style(None));
        assert!(style(Some(Accent::parse("#7a1f5c").unwrap())).starts_with(":root { --accent: #7a1f5c;"));
    }

    #[test]
    fn the_card_of_dark_screens_is_the_one_that_is_reckoned_with() {
        assert!(include_str!("style.css").contains(&format!("--card: {DARK_CARD};")));
    }

    fn can_be_read(accent: Accent) -> bool {
        accent.light.contrast(WHITE) >= ENOUGH
            && accent.dark.contrast(NEAR_BLACK) >= ENOUGH
            && accent.dark.contrast(DARK_CARD) >= ENOUGH
    }

    #[test]
    fn the_colours_of_the_mails_can_be_read() {
        assert!(can_be_read(Accent::default()));
    }

    proptest! {
        #[test]
        fn whatever_colour_is_taken_can_be_read_and_what_is_proposed_instead_is_taken(channels in any::<[u8; 3]>()) {
            match Accent::parse(&Colour(channels).to_string()) {
                Ok(accent) => prop_assert!(can_be_read(accent), "{accent:?}"),
                Err(AccentError::TooLight { darker, .. }) => prop_assert!(Accent::parse(&darker).is_ok(), "{darker}"),
                Err(error) => prop_assert!(false, "{error}"),
            }
        }
    }
}
