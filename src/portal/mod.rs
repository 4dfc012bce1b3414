//! The portal's side: what people do by the links that were mailed to them. It writes the `acceptance` block of accounts and
//! nothing else. The pages come later; what they will call is here.

pub mod accept;
