//! What each license opens. The one table of it; the source is the clinic rule "User type, type classification".

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The license of a Standard practitioner.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub enum License {
    /// "CHR Lite".
    CHRLite,
    /// "CHR Lite + VV".
    CHRLiteVV,
    /// "CHR Plus".
    CHRPlus,
}

/// Every feature that some license opens, with the lowest license that opens it. "Virtual care" and "virtual visits" are
/// one feature, so each license contains the ones below it. What a Locum or a Clinical trainee may use is not stated by
/// the source, so it is not here.
pub const FEATURES: [(&str, License); 12] = [
    ("scheduling", License::CHRLite),
    ("record-keeping", License::CHRLite),
    ("questionnaires", License::CHRLite),
    ("patient messaging", License::CHRLite),
    ("eBooking", License::CHRLite),
    ("appointment reminders", License::CHRLite),
    ("advanced analytics", License::CHRLite),
    ("CHR Connect app", License::CHRLite),
    ("virtual visits", License::CHRLiteVV),
    ("labs", License::CHRPlus),
    ("prescriptions", License::CHRPlus),
    ("provincial billing integration", License::CHRPlus),
];

impl License {
    /// The features that this license opens.
    pub fn features(self) -> impl Iterator<Item = &'static str> {
        FEATURES.iter().filter(move |(_, lowest)| *lowest <= self).map(|(feature, _)| *feature)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_license_contains_the_one_below_and_adds_what_the_source_lists() {
        let count = |license: License| license.features().count();
        assert_eq!((count(License::CHRLite), count(License::CHRLiteVV), count(License::CHRPlus)), (8, 9, 12));
        assert!(License::CHRLiteVV.features().any(|feature| feature == "virtual visits"));
        assert!(!License::CHRLiteVV.features().any(|feature| feature == "labs"));
    }
}
