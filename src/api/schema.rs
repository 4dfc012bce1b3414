//! Schemas of single fields that several resources share: shape, bounds and the CEL rules with the messages that people
//! read. Rules about a whole object live in `rules`; what needs a clock or another object never lives here.
use std::ops::RangeInclusive;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde_json::{Value, json};

use super::rules::{forbidden_change, invalid, never_back, unchanged};
use crate::domain::contact::{LONGEST_PHONE, PHONE};
use crate::domain::hidden::{ENDS_WITH_A_JOINER, HIDDEN, IDEOGRAPHS, JOINERS, JOINING, SELECTORS};
use crate::domain::line::{LONGEST_NAME, LONGEST_TITLE};
use crate::domain::links;

/// An address with one `@` and no white space: what the finer rules about its two halves start from.
const ADDRESS: &str = r"self.matches('^[^@\\s]+@[^@\\s]+$')";
const LOCAL_PART: &str = r"self.matches('^[A-Za-z0-9!#$%&\'*+/=?^_`{|}~-]+([.][A-Za-z0-9!#$%&\'*+/=?^_`{|}~-]+)*@') && self.indexOf('@') <= 64";
const DOMAIN: &str =
    r"self.matches('@([A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?[.])+[A-Za-z]([A-Za-z0-9-]{0,61}[A-Za-z0-9])$')";

/// Every day of the years 1900 to 2199, and a 29 February each year.
const DAY: &str = "^(19|20|21)[0-9]{2}-((0[13578]|1[02])-(0[1-9]|[12][0-9]|3[01])|(0[469]|11)-(0[1-9]|[12][0-9]|30)|02-(0[1-9]|[12][0-9]))$";
const LEAP_YEAR: &str = "(int(self.substring(0, 4)) % 4 == 0 && (int(self.substring(0, 4)) % 100 != 0 || int(self.substring(0, 4)) % 400 == 0))";

/// Name of a Kubernetes object, as the API server allows it, at most 63 characters.
pub(super) const OBJECT_NAME: &str = "^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$";
/// The canonical form of a UID, as the API server makes them (RFC 9562).
const UID: &str = "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}";

/// One line of text of at most `max` characters that a person can read.
fn line(max: usize) -> Schema {
    json_schema!({
        "type": "string",
        "maxLength": max,
        "x-kubernetes-validations": [
            invalid(
                &format!("!self.matches('{}')", hidden()),
                "must be one line of text, without control characters, invisible characters or marks that turn the direction of writing",
            ),
            invalid(r"!self.matches('^[\\s\\p{Z}]|[\\s\\p{Z}]$')", "must not begin or end with a space or a line break"),
            invalid(
                r"self.matches('^[\\s\\p{Z}]|[\\s\\p{Z}]$') || self.matches('[\\p{L}\\p{N}]')",
                "must have at least one letter or digit",
            ),
        ],
    })
}

/// The same that a mail or a page may show: nothing in it `reads_as` a link.
fn shown_line(max: usize, reads_as: &str) -> Schema {
    let mut schema = line(max);
    let no_link = invalid(
        &format!("!self.matches('{}')", reads_as.replace('\\', r"\\")),
        "must not hold a link or an address, nor what reads as one; write a space after a dot, as in St. John",
    );
    if let Some(Value::Array(rules)) = schema.get_mut("x-kubernetes-validations") {
        rules.push(json!(no_link));
    }
    schema
}

/// What `domain::hidden::has_hidden` finds, as a regular expression of RE2.
fn hidden() -> String {
    let class = |ranges: &[RangeInclusive<char>]| {
        let range = |range: &RangeInclusive<char>| match (u32::from(*range.start()), u32::from(*range.end())) {
            (first, last) if first == last => format!(r"\\x{{{first:x}}}"),
            (first, last) => format!(r"\\x{{{first:x}}}-\\x{{{last:x}}}"),
        };
        ranges.iter().map(range).collect::<String>()
    };
    let (joiner, selector) = (class(&[JOINERS]), class(&SELECTORS));
    let (joining, ideograph) = (class(&JOINING), class(&IDEOGRAPHS));
    let ends = class(&[ENDS_WITH_A_JOINER..=ENDS_WITH_A_JOINER]);
    format!(
        "[{}]|(^|[^{joining}])[{joiner}]|[^{ends}][{joiner}]($|[^{joining}])|(^|[^{ideograph}])[{selector}]",
        class(&HIDDEN)
    )
}

/// A first or last name, or the name of a clinic or inbox: 1 to 100 characters on one line.
pub fn name(_: &mut SchemaGenerator) -> Schema {
    shown_line(LONGEST_NAME, &format!("{}|{}", links::LINK, links::DOMAIN))
}

/// What somebody does at the clinic: 1 to 100 characters on one line.
pub fn position(_: &mut SchemaGenerator) -> Schema {
    shown_line(LONGEST_NAME, links::LINK)
}

/// A short form of address such as `Dr.`: 1 to 60 characters on one line.
pub fn title(_: &mut SchemaGenerator) -> Schema {
    shown_line(LONGEST_TITLE, links::LINK)
}

/// An email address (RFC 5321 dot-atom, ASCII): at most 64 characters before the `@`, at most 254 in all.
pub fn email(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "string",
        "maxLength": 254,
        "x-kubernetes-validations": [
            invalid(r"!self.matches('\\s')", "must be the address alone, such as ana@maple.example, without spaces or line breaks"),
            invalid(
                r"self.matches('\\s') || self.matches('^[^@]+@[^@]+$')",
                "must have one @ with a name before it and a domain after it, such as ana@maple.example",
            ),
            invalid(
                &format!("!{ADDRESS} || {LOCAL_PART}"),
                "the part before the @ must be 1 to 64 letters without accents, digits or !#$%&'*+-/=?^_`{|}~, with single dots between them",
            ),
            invalid(
                &format!("!{ADDRESS} || {DOMAIN}"),
                "the part after the @ must be a domain name such as clinic.example (write an accented domain in its xn-- form)",
            ),
        ],
    })
}

/// A telephone number as people write it: at most 40 characters.
pub fn phone(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "string",
        "maxLength": LONGEST_PHONE,
        "x-kubernetes-validations": [
            invalid(
                &format!("self.matches('{PHONE}')"),
                "must be one telephone number of digits, spaces and ( ) . / -, such as +1 416-555-0199 or 416-555-0199 ext. 12",
            ),
        ],
    })
}

/// The number under which a practitioner bills: 1 to 32 letters, digits and hyphens.
pub fn billing_number(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "string",
        "maxLength": 32,
        "x-kubernetes-validations": [
            invalid("self.matches('^[A-Za-z0-9-]+$')", "must be letters, digits and hyphens only, in quotes, such as \"012345\""),
        ],
    })
}

/// A calendar day of the years 1900 to 2199, `YYYY-MM-DD`. Not `format: date`, whose message does not say how to write one.
pub fn day(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "string",
        "maxLength": 32,
        "x-kubernetes-validations": [
            invalid(
                &format!("self.matches('{DAY}')"),
                "must be a day as year-month-day, such as 2027-06-30, that is in the calendar, between 1900 and 2199",
            ),
            invalid(
                &format!("!self.matches('{DAY}') || !self.endsWith('-02-29') || {LEAP_YEAR}"),
                "there is no 29 February in this year",
            ),
        ],
    })
}

/// A day that the operator worked out, `YYYY-MM-DD`.
pub fn shown_day(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": "string", "format": "date", "maxLength": 10})
}

/// An instant, RFC 3339 in UTC.
pub fn instant(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": "string", "format": "date-time", "maxLength": 32})
}

/// `metadata.name` of a `ClinicUser`.
pub fn member_name(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "string",
        "maxLength": 63,
        "x-kubernetes-validations": [
            invalid(
                &format!("self.matches('{OBJECT_NAME}')"),
                "must be the metadata.name of a ClinicUser (lower case letters, digits, hyphens and dots), such as ana, not an email address or a display name",
            ),
        ],
    })
}

/// `metadata.name` of an object that the operator names itself.
pub fn object_name(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": "string", "minLength": 1, "maxLength": 253, "pattern": OBJECT_NAME})
}

/// At most 20 names of objects.
pub fn object_names(generator: &mut SchemaGenerator) -> Schema {
    set(20, &object_name(generator))
}

/// UID of an object.
pub fn uid(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": "string", "maxLength": 36, "pattern": format!("^{UID}$")})
}

/// Name of a `ClinicAccount`, which never changes where it stands.
pub fn account_name(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "string",
        "maxLength": 38,
        "x-kubernetes-validations": [
            invalid(&format!("self.matches('^a-{UID}$')"), "must be a- and the UID of a ClinicUser"),
            unchanged("never changes once set"),
        ],
    })
}

/// A set of at most 32 role names.
pub fn roles(_: &mut SchemaGenerator) -> Schema {
    set(32, &line(64))
}

/// A set of at most 100 permission names.
pub fn permissions(_: &mut SchemaGenerator) -> Schema {
    set(100, &line(64))
}

/// A name or form of address in a record: what was taken once, under whichever rule, is never refused, or a backup could not come back.
pub fn recorded_text(_: &mut SchemaGenerator) -> Schema {
    recorded(LONGEST_NAME)
}

/// The same of a set of role names.
pub fn recorded_roles(_: &mut SchemaGenerator) -> Schema {
    set(32, &recorded(64))
}

/// The same of a set of permission names.
pub fn recorded_permissions(_: &mut SchemaGenerator) -> Schema {
    set(100, &recorded(64))
}

fn recorded(max: usize) -> Schema {
    json_schema!({"type": "string", "maxLength": max})
}

/// A set of at most 16 UIDs.
pub fn uids(generator: &mut SchemaGenerator) -> Schema {
    set(16, &uid(generator))
}

fn set(max: u32, items: &Schema) -> Schema {
    json_schema!({"type": "array", "maxItems": max, "x-kubernetes-list-type": "set", "items": items})
}

/// An IANA time zone name. Whether the zone exists is for the controller to say.
pub fn time_zone(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "string",
        "maxLength": 64,
        "x-kubernetes-validations": [
            invalid(
                "self.matches('^(UTC|[A-Z][A-Za-z_]+(/[A-Za-z0-9_+-]+){1,2})$')",
                "must be an IANA time zone name such as America/Toronto, or UTC; abbreviations such as EST and offsets such as -05:00 do not say when clocks change",
            ),
        ],
    })
}

/// Days for which an invitation link works: 1 to 30.
pub fn validity_days(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": "integer", "format": "int32", "minimum": 1, "maximum": 30})
}

/// Mails an hour: 1 to 1000.
pub fn per_hour(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": "integer", "format": "int32", "minimum": 1, "maximum": 1000})
}

/// A count from 0 up.
pub fn count(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": "integer", "format": "int64", "minimum": 0, "maximum": u32::MAX})
}

/// A count from 0 up that only grows.
pub fn growing_count(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "integer",
        "format": "int64",
        "minimum": 0,
        "maximum": u32::MAX,
        "x-kubernetes-validations": [never_back("this counter never goes back")],
    })
}

/// Something encrypted, in base64, which never changes: at most 8192 characters.
pub fn sealed(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "string",
        "minLength": 1,
        "maxLength": 8192,
        "pattern": "^[A-Za-z0-9_-]+$",
        "x-kubernetes-validations": [unchanged("never changes once set")],
    })
}

/// A 30-second step of time that only grows.
pub fn growing_step(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "integer",
        "format": "int64",
        "minimum": 0,
        "x-kubernetes-validations": [never_back("a code of an earlier time never counts again")],
    })
}

/// Which of ten codes were used.
pub fn spent_codes(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "array",
        "maxItems": 10,
        "x-kubernetes-list-type": "set",
        "items": {"type": "integer", "format": "int32", "minimum": 0, "maximum": 9},
        "x-kubernetes-validations": [
            forbidden_change("oldSelf.all(code, code in self)", "a recovery code that was used is used for good"),
        ],
    })
}

/// A `metadata.generation`; -1 says that nobody has looked yet.
pub fn generation(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": "integer", "format": "int64", "minimum": -1})
}

/// One word of a state machine, such as `EmailConflict`. Not an enumeration, so that an older schema does not refuse the
/// status of a newer operator.
pub fn state(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": "string", "maxLength": 32, "pattern": "^[A-Za-z]{1,32}$"})
}

/// Text of at most 201 characters that the operator took from checked fields.
pub fn shown_text(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": "string", "maxLength": 201})
}

/// A value copied from an annotation, or an identifier that the operator made: at most 256 characters.
pub fn token(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": "string", "maxLength": 256})
}

/// A Message-ID with its angle brackets (RFC 5322 §3.6.4).
pub fn message_id(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": "string", "minLength": 3, "maxLength": 320})
}

/// SHA-256 in lower case hex; empty for a mail without a link.
pub fn digest(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": "string", "maxLength": 64, "pattern": "^([0-9a-f]{64})?$"})
}

/// SMTP reply code (RFC 5321 §4.2) and enhanced status code (RFC 3463); loose, since relays make up codes of their own and a
/// refused outcome would be a lost one.
pub fn reply_code(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": "string", "maxLength": 16, "pattern": "^[0-9]{3}( [0-9]{1,3}(\\.[0-9]{1,3}){2})?$"})
}

/// `type` of a condition.
pub fn condition_type(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": "string", "minLength": 1, "maxLength": 316, "pattern": "^[A-Za-z][A-Za-z0-9]*$"})
}

/// `reason` of a condition.
pub fn condition_reason(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": "string", "minLength": 1, "maxLength": 1024, "pattern": "^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$"})
}

/// `message` of a condition.
pub fn condition_message(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": "string", "maxLength": 32768})
}

/// The schema of a field that may be absent, but never null; its description is the field's own.
pub fn present<T: JsonSchema>(generator: &mut SchemaGenerator) -> Schema {
    generator.subschema_for::<T>()
}

/// A list that is written as a whole, with at most `max` elements.
pub(super) fn atomic_list<T: JsonSchema>(generator: &mut SchemaGenerator, max: usize) -> Schema {
    let items: Value = generator.subschema_for::<T>().into();
    json_schema!({"type": "array", "maxItems": max, "x-kubernetes-list-type": "atomic", "items": items})
}

/// A list whose elements are told apart by `keys`, with at most `max` of them.
pub(super) fn keyed_list<T: JsonSchema>(generator: &mut SchemaGenerator, max: u32, keys: &[&str]) -> Schema {
    let items: Value = generator.subschema_for::<T>().into();
    json_schema!({
        "type": "array",
        "maxItems": max,
        "x-kubernetes-list-type": "map",
        "x-kubernetes-list-map-keys": keys,
        "items": items,
    })
}
