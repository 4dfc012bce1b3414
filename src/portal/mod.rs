//! The portal: where people accept their invitation and sign in.

pub mod accept;
pub mod contact;
pub mod records;
