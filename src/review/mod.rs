//! What is said of manifests before they are merged: `validate`, without a cluster, and `plan`, beside one. The rules are those of the
//! CRDs and of `domain/`.

mod manifest;
mod plan;
mod remark;
mod together;
mod tree;
mod validate;
mod zone;

pub use self::plan::{Options as Plan, main as plan};
pub use self::validate::{Options as Validate, main as validate};
