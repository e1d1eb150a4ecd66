//! Which values are taken for what, the schemas that say so, and JSON.

use firedrill_yaml::{Entries, Source, Spanned, Whole};
use schemars::{JsonSchema, schema_for};
use serde::Deserialize;

#[derive(Debug, Deserialize, JsonSchema)]
struct One<T> {
    v: T,
}

#[track_caller]
fn check<T>(value: &str, expected: Result<T, &str>)
where
    T: serde::de::DeserializeOwned + std::fmt::Debug + PartialEq,
{
    let read = Source::new("v", format!("v: {value}")).parse::<One<T>>("a value");
    let read = read.map(|one| one.v).map_err(|problem| problem.message().to_owned());
    assert_eq!(read, expected.map_err(str::to_owned), "{value}");
}

#[test]
fn whole_numbers_are_written_in_digits() {
    check("0", Ok(Whole(0)));
    check("18446744073709551615", Ok(Whole(u64::MAX)));
    check("'3'", Err::<Whole, _>("expected a whole number, found the text `3`"));
    check("three", Err::<Whole, _>("expected a whole number, found `three`"));
    check("-3", Err::<Whole, _>("expected a whole number, 0 or more, found `-3`"));
    check("-0.5", Err::<Whole, _>("expected a whole number, 0 or more, found `-0.5`"));
    check("2.9", Err::<Whole, _>("expected a whole number, found `2.9`"));
    check("3.0", Err::<Whole, _>("expected a whole number, found `3.0`"));
    check("1e3", Err::<Whole, _>("expected a whole number, found `1e3`"));
    check("1e30", Err::<Whole, _>("expected a whole number up to 18446744073709551615, found `1e30`"));
    check("true", Err::<Whole, _>("expected a whole number, found `true`"));
    check("~", Err::<Whole, _>("expected a whole number, found nothing"));
    check("", Err::<Whole, _>("expected a whole number, found nothing"));
    check("{}", Err::<Whole, _>("expected a whole number, found a map"));
    check("~", Ok(None::<Whole>));
}

#[test]
fn only_true_and_false_are_booleans() {
    check("true", Ok(true));
    check("False", Ok(false));
    check("yes", Err::<bool, _>("expected `true` or `false`, found `yes`"));
    check("0", Err::<bool, _>("expected `true` or `false`, found `0`"));
    check("n", Ok("n".to_owned()));
    check("off", Ok("off".to_owned()));
}

#[test]
fn text_that_looks_like_something_else_needs_quotes() {
    check("'3'", Ok("3".to_owned()));
    check("99ms", Ok("99ms".to_owned()));
    check("2026-11-23", Ok("2026-11-23".to_owned()));
    check("3", Err::<String, _>("expected text, found `3`"));
    check("0x1f", Err::<String, _>("expected text, found `0x1f`"));
    check("1e3", Err::<String, _>("expected text, found `1e3`"));
    check("null", Err::<String, _>("expected text, found nothing"));
    check("true", Err::<Spanned<String>, _>("expected text, found `true`"));
}

#[test]
fn schemas_say_what_is_read() {
    #[track_caller]
    fn check<T: JsonSchema>(expected: &str) {
        let schema = schema_for!(One<T>);
        let expected: serde_json::Value = serde_json::from_str(expected).expect("it is JSON");
        assert_eq!(schema.as_value()["properties"]["v"], expected);
    }
    check::<Whole>(r#"{"type":"integer","minimum":0}"#);
    check::<Spanned<Whole>>(r#"{"type":"integer","minimum":0}"#);
    check::<Spanned<String>>(r#"{"type":"string"}"#);
    check::<Option<Spanned<String>>>(r#"{"type":["string","null"]}"#);
    check::<Entries<String, Whole>>(
        r#"{"type":"object","additionalProperties":{"type":"integer","minimum":0}}"#,
    );
}
