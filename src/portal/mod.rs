//! The portal: where people accept their invitation and sign in.

pub mod accept;
mod contact;
mod records;
