//! CEL rules offline: compiled once, evaluated by kube's CEL. Which rule is asked when never lives here.

use std::cell::LazyCell;
use std::sync::Arc;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::ValidationRule;
use kube::core::cel::KubeCelExt;
use kube::core::cel::cel::extractors::This;
use kube::core::cel::cel::objects::{Key, Map};
use kube::core::cel::cel::{Context, ExecutionError, FunctionContext, Program, Value};

use super::finding::{Finding, Problem};
use super::patterns::{Patterns, compiled};
use super::trail::Trail;

/// A rule or a pattern of a schema that says nothing.
#[derive(Clone, Debug, thiserror::Error)]
pub enum RuleError {
    /// A rule.
    #[error("failed to compile the rule {rule}: {reason}")]
    Rule {
        /// The expression.
        rule: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A pattern.
    #[error("failed to compile a pattern: {0}")]
    Pattern(#[from] regex::Error),
}

/// A compiled rule.
pub(super) struct Rule {
    program: Program,
    /// The same, where it is about the patterns of a text alone.
    patterns: Option<Patterns>,
    message: String,
    problem: Problem,
    field_path: Option<String>,
    of_changes: bool,
}

impl Rule {
    pub(super) fn compile(rule: &ValidationRule) -> Result<Self, RuleError> {
        let failed = |reason: String| RuleError::Rule { rule: rule.rule.clone(), reason };
        let program = Program::compile(&rule.rule).map_err(|error| failed(error.to_string()))?;
        Ok(Self {
            patterns: Patterns::of(program.expression()),
            program,
            message: rule.message.clone().ok_or_else(|| failed("it has no message".to_owned()))?,
            problem: match rule.reason.as_deref() {
                Some("FieldValueRequired") => Problem::Required,
                Some("FieldValueForbidden") => Problem::Forbidden,
                Some(_) | None => Problem::Invalid,
            },
            field_path: rule.field_path.clone(),
            of_changes: rule.rule.contains("oldSelf"),
        })
    }
}

/// Evaluates rules.
pub(super) struct Evaluator {
    context: Context<'static>,
}

impl Evaluator {
    pub(super) fn new() -> Self {
        let mut context = Context::default().with_all();
        // The library's own compiles the expression at each call, which takes longer than everything else.
        context.add_function("matches", matches);
        Self { context }
    }

    /// Asks the rules that stand on the value at the end of `trail`.
    pub(super) fn ask(
        &self,
        rules: &[Rule],
        trail: &Trail<'_>,
        value: &Value,
        before: Option<&Value>,
        findings: &mut Vec<Finding>,
    ) {
        let scope = LazyCell::new(|| {
            let mut scope = self.context.new_inner_scope();
            scope.add_variable_from_value("self", value.clone());
            if let Some(before) = before {
                scope.add_variable_from_value("oldSelf", before.clone());
            }
            scope
        });
        for rule in rules.iter().filter(|rule| !rule.of_changes || before.is_some()) {
            let answer = match (&rule.patterns, value) {
                (Some(patterns), Value::String(text)) => Ok(Value::Bool(patterns.hold(text))),
                (_, _) => rule.program.execute(&scope),
            };
            let (problem, message) = match answer {
                Ok(Value::Bool(true)) => continue,
                Ok(Value::Bool(false)) => (rule.problem, rule.message.clone()),
                Ok(_) => (Problem::Invalid, "its rule says neither true nor false".to_owned()),
                Err(error) => (Problem::Invalid, format!("its rule could not be evaluated: {error}")),
            };
            let path = trail.path().along(rule.field_path.as_deref().unwrap_or_default());
            findings.push(Finding { path, problem, message });
        }
    }
}

/// A map as rules read it.
pub(super) fn map(fields: Vec<(String, Value)>) -> Value {
    let map = fields.into_iter().map(|(name, value)| (Key::String(Arc::new(name)), value)).collect();
    Value::Map(Map { map: Arc::new(map) })
}

#[expect(clippy::needless_pass_by_value, reason = "CEL passes values")]
fn matches(
    function: &FunctionContext,
    This(text): This<Arc<String>>,
    pattern: Arc<String>,
) -> Result<bool, ExecutionError> {
    match compiled(&pattern) {
        Ok(regex) => Ok(regex.is_match(&text)),
        Err(error) => Err(function.error(error.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::api::crds::crds;

    /// Every rule of the CRDs about the patterns of a text.
    fn rules_of_patterns() -> Vec<Rule> {
        fn collect(schema: &serde_json::Value, expressions: &mut Vec<String>) {
            expressions.extend(schema.get("rule").and_then(|rule| rule.as_str()).map(str::to_owned));
            let fields = schema.as_object().into_iter().flat_map(|fields| fields.values());
            fields.chain(schema.as_array().into_iter().flatten()).for_each(|below| collect(below, expressions));
        }
        let mut expressions = Vec::new();
        collect(&json!(crds()), &mut expressions);
        expressions.sort();
        expressions.dedup();
        let compiled = expressions.into_iter().map(|rule| {
            let message = Some(String::new());
            Rule::compile(&ValidationRule { rule, message, ..ValidationRule::default() }).unwrap()
        });
        compiled.filter(|rule| rule.patterns.is_some()).collect()
    }

    proptest! {
        #[test]
        fn patterns_say_what_cel_says(text in r"[a-z0-9@. \-é\u{200b}]{0,12}|a@b[.]cd|20[0-9]{2}-0[1-9]-[0-3]9|\PC{0,8}") {
            thread_local!(static RULES: (Evaluator, Vec<Rule>) = (Evaluator::new(), rules_of_patterns()));
            RULES.with(|(evaluator, rules)| {
                prop_assert!(rules.len() >= 8, "{}", rules.len());
                let mut scope = evaluator.context.new_inner_scope();
                scope.add_variable_from_value("self", text.as_str());
                for Rule { program, patterns, .. } in rules {
                    let held = patterns.as_ref().map(|patterns| Value::Bool(patterns.hold(&text)));
                    prop_assert_eq!(held, program.execute(&scope).ok(), "{:?}", program);
                }
                Ok(())
            })?;
        }
    }
}
