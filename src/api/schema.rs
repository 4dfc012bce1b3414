//! Schemas that several resources share.
use schemars::{Schema, SchemaGenerator, json_schema};

pub fn instant(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": "string", "format": "date-time", "maxLength": 32})
}
