//! What a dialect reads in a request.

use firedrill_provider::{Dialect, Form, Incoming};

use crate::cases::{self, TOKEN};

#[test]
fn the_token_is_found_where_it_stands_and_shown_nowhere() {
    for dialect in Dialect::ALL {
        for ask in cases::asks(dialect) {
            let question = ask.read(dialect).expect("a question");
            assert_eq!(question.token, TOKEN, "{dialect:?} {}", ask.name);
            assert!(!format!("{question:?}").contains(TOKEN));
            assert_eq!(question.stream, ask.name.contains("stream"), "{dialect:?} {}", ask.name);
            // Ten bytes.
            assert_eq!(question.llm_tokens, 3, "{dialect:?} {}", ask.name);
        }
    }
}

#[test]
fn a_signature_names_the_token_by_its_access_key() {
    let signed = "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20261123/us-east-1/bedrock/aws4_request, \
                  SignedHeaders=host;x-amz-date, Signature=5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7";
    let headers = vec![("authorization".to_owned(), signed.to_owned())];
    let body = cases::asks(Dialect::Bedrock)[0].body.as_bytes();
    let incoming = Incoming { method: "POST", path: "/model/m/converse", query: "", headers: &headers, body };
    assert_eq!(Dialect::Bedrock.read(&incoming).expect("a question").token, "AKIDEXAMPLE");
}

#[test]
fn a_model_in_the_path_is_decoded() {
    let headers = vec![("authorization".to_owned(), format!("Bearer {TOKEN}"))];
    let body = cases::asks(Dialect::Bedrock)[0].body.as_bytes();
    let path = "/model/arn%3Aaws%3Abedrock%3A%3A1%3Ainference-profile%2Fx/converse-stream";
    let incoming = Incoming { method: "POST", path, query: "", headers: &headers, body };
    let question = Dialect::Bedrock.read(&incoming).expect("a question");
    assert_eq!(question.model, "arn:aws:bedrock::1:inference-profile/x");
    assert_eq!((question.form, question.stream), (Form::Converse, true));
}

#[test]
fn an_azure_deployment_needs_an_api_version_and_wins_over_the_body() {
    let ask = &cases::asks(Dialect::Azure)[0];
    assert_eq!(ask.read(Dialect::Azure).expect("a question").model, "mine");
    let headers = ask.headers();
    let incoming =
        Incoming { method: "POST", path: ask.path, query: "", headers: &headers, body: ask.body.as_bytes() };
    assert_eq!(Dialect::Azure.read(&incoming).expect_err("no version").status.code(), 404);
    let v1 = Incoming { path: "/openai/v1/chat/completions", ..incoming };
    assert_eq!(Dialect::Azure.read(&v1).expect("a question").model, "m-1");
}

#[test]
fn a_most_that_is_no_whole_number_of_at_least_1_is_an_error() {
    let headers = cases::asks(Dialect::OpenAi)[0].headers();
    for most in ["0", "-1", "1.5", "\"9\"", "[]", "99999999999999999999999"] {
        let body = format!(r#"{{"model":"m","messages":[{{"content":"x"}}],"max_tokens":{most}}}"#);
        let (path, body) = ("/v1/chat/completions", body.as_bytes());
        let incoming = Incoming { method: "POST", path, query: "", headers: &headers, body };
        let reply = Dialect::OpenAi.read(&incoming).expect_err(most);
        assert_eq!(reply.status.code(), 400, "{most}");
    }
}

#[test]
fn pictures_and_roles_are_not_counted() {
    let headers = cases::asks(Dialect::OpenAi)[0].headers();
    let body = br#"{"model":"m","messages":[{"role":"a very long role","content":[
        {"type":"text","text":"12345678"},{"type":"image_url","image_url":{"url":"data:image/png;base64,AAAAAAAAAAAA"}}]}]}"#;
    let path = "/v1/chat/completions";
    let incoming = Incoming { method: "POST", path, query: "", headers: &headers, body };
    assert_eq!(Dialect::OpenAi.read(&incoming).expect("a question").llm_tokens, 2);
}
