//! The difference of two JSON documents as a merge patch (RFC 7386): a field that went away is sent as null, one that
//! stayed is not sent at all.

use serde_json::{Map, Value};

/// The merge patch that makes `wanted` of `read`; `None` if they are equal. Neither may contain null.
pub fn merge_difference(read: &Value, wanted: &Value) -> Option<Value> {
    if read == wanted {
        return None;
    }
    let (Value::Object(read), Value::Object(wanted)) = (read, wanted) else {
        return Some(wanted.clone());
    };
    let mut patch = Map::new();
    for (name, value) in wanted {
        match read.get(name) {
            Some(before) => {
                if let Some(difference) = merge_difference(before, value) {
                    patch.insert(name.clone(), difference);
                }
            }
            None => {
                patch.insert(name.clone(), value.clone());
            }
        }
    }
    for name in read.keys().filter(|name| !wanted.contains_key(*name)) {
        patch.insert(name.clone(), Value::Null);
    }
    Some(Value::Object(patch))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn documents() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            any::<bool>().prop_map(Value::from),
            (0..3).prop_map(Value::from),
            "[ab]".prop_map(Value::from)
        ];
        leaf.prop_recursive(3, 24, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
                prop::collection::btree_map("[abc]", inner, 0..4)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn applying_the_difference_gives_what_was_wanted(read in documents(), wanted in documents()) {
            let mut document = read.clone();
            if let Some(patch) = merge_difference(&read, &wanted) {
                json_patch::merge(&mut document, &patch);
            }
            prop_assert_eq!(document, wanted);
        }
    }

    #[test]
    fn a_field_that_went_away_is_sent_as_null_and_one_that_stayed_not_at_all() {
        let patch = merge_difference(&json!({"a": 1, "b": 2, "c": {"d": 1}}), &json!({"a": 1, "c": {"d": 2}}));
        assert_eq!(patch, Some(json!({"b": null, "c": {"d": 2}})));
    }
}
