//! What the portal makes of HTTP: visitors, forms, cookies, languages, headers and pages that are sent. Who may do what never
//! stands here.

pub mod client;
pub mod cookies;
pub mod form;
pub mod headers;
pub mod language;
pub mod reply;
pub mod visitor;
