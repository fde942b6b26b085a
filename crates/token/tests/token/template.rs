use expect_test::expect;
use penname_ledger::Timestamp;
use penname_token::{Error, Template};

use crate::toy;

fn template(source: &str) -> Template {
    Template::new(source, &toy::tokenizer()).unwrap()
}

#[track_caller]
fn check(source: &str, expected: &str) {
    let messages = toy::messages(&["s:Be kind.", "u: Hi <b>", "a:Yes"]);
    assert_eq!(template(source).render(&messages, true).unwrap(), expected, "{source}");
}

#[test]
fn jinja_as_transformers_runs_it() {
    check("{% for m in messages %}\n{{ m['role'] }}\n{% endfor %}", "system\nuser\nassistant\n");
    check("  {% if true %}\nx\n  {% endif %}\n", "x\n");
    check("{{ messages[1].content.strip() }}|{{ messages[1]['content'] | trim }}", "Hi <b>|Hi <b>");
    check("{{ messages[::-1][0].content.startswith('Y') }}", "True");
    check("{{ messages[1].content.split('<')[-1] }}", "b>");
    check("{{ messages[1] | tojson }}", r#"{"role": "user", "content": " Hi <b>"}"#);
    check(
        "{% set ns = namespace(n=0) %}{% for m in messages %}{% set ns.n = ns.n + 1 %}{% endfor %}{{ ns.n }}",
        "3",
    );
    check(
        "{% for m in messages %}{% if loop.index0 == 1 %}{% break %}{% endif %}{{ m.role }}{% endfor %}",
        "system",
    );
    check("{{ bos_token }}{{ eos_token }}{{ unk_token }}{{ add_bos_token }}", "<|im_start|><|im_end|>False");
    check(
        "{{ 'tool_calls' in messages[0] }} {{ messages[0].tool_calls is defined }} {{ tools is none }}",
        "False False True",
    );
    check("{{ enable_thinking }} {{ strftime_now is defined }}", "False False");
    check("{% generation %}a{% endgeneration %}{{ messages[2].content }}", "aYes");
}

#[test]
fn errors_name_the_line_and_the_cause() {
    let fail = |source: &str| {
        let messages = toy::messages(&["u:x"]);
        let result = Template::new(source, &toy::tokenizer()).and_then(|t| t.render(&messages, false));
        result.unwrap_err().to_string()
    };
    expect!["chat template, line 2 raised: roles must alternate"]
        .assert_eq(&fail("a\n{{ raise_exception('roles must alternate') }}"));
    expect!["chat template, line 2: syntax error: unexpected end of input, expected end of block"]
        .assert_eq(&fail("a\n{% if x %}\n"));
    expect![
        "chat template, line 1: unknown function: strftime_now is unknown (`strftime_now` has no date pinned)"
    ]
    .assert_eq(&fail("{{ strftime_now('%Y') }}"));
    expect![
        "chat template, line 2: template not found: tried to include non-existing template '/etc/passwd'"
    ]
    .assert_eq(&fail("\n{% include '/etc/passwd' %}"));
}

#[test]
fn hostile_templates_run_out_of_budget() {
    let endless = "{% for a in range(100000) %}{% for b in range(100000) %}{% endfor %}{% endfor %}";
    let long = "{% for a in range(100000) %}{{ 'x' * 1000 }}{% endfor %}";
    let deep = "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}";
    for source in [endless, long, deep] {
        let result = template(source).render(&toy::messages(&["u:x"]), false);
        assert!(matches!(result, Err(Error::Template { .. })), "{source}: {result:?}");
    }
}

#[test]
fn a_date_is_given_not_taken() {
    let source = "{% if strftime_now is defined %}{{ strftime_now('%d %b %Y') }}{% else %}none{% endif %}";
    let messages = toy::messages(&["u:x"]);
    assert_eq!(template(source).render(&messages, false).unwrap(), "none");
    let pinned = template(source).with_date(Timestamp::from_ms(0));
    assert_eq!(pinned.render(&messages, false).unwrap(), "01 Jan 1970");
}

#[test]
fn variables_can_be_set() {
    let thinking = template("{{ enable_thinking }}").with_variable("enable_thinking", true);
    assert_eq!(thinking.render(&toy::messages(&["u:x"]), false).unwrap(), "True");
}

#[test]
fn builtin_templates_write_what_their_names_say() {
    let messages = toy::messages(&["u:Why?", "a:Because.", "u:And?"]);
    let check = |name: &str, expected: expect_test::Expect| {
        let text = Template::builtin(name, &toy::tokenizer()).unwrap().render(&messages, true).unwrap();
        expected.assert_eq(&text);
    };
    check(
        "chatml",
        expect![[r#"
            <|im_start|>user
            Why?<|im_end|>
            <|im_start|>assistant
            Because.<|im_end|>
            <|im_start|>user
            And?<|im_end|>
            <|im_start|>assistant
        "#]],
    );
    check(
        "smollm2",
        expect![[r#"
            <|im_start|>system
            You are a helpful AI assistant named SmolLM, trained by Hugging Face<|im_end|>
            <|im_start|>user
            Why?<|im_end|>
            <|im_start|>assistant
            Because.<|im_end|>
            <|im_start|>user
            And?<|im_end|>
            <|im_start|>assistant
        "#]],
    );
    check(
        "question-answer",
        expect![[r#"
            QUESTION: Why?

            ANSWER: Because.<|im_end|>

            QUESTION: And?

            ANSWER:"#]],
    );
    check(
        "q-a",
        expect![[r#"
            Q: Why?
            A: Because.<|im_end|>

            Q: And?
            A:"#]],
    );
    check("text", expect!["Why?Because.<|im_end|>And?"]);
    let unknown = Template::builtin("alpaca", &toy::tokenizer()).unwrap_err().to_string();
    expect!["unknown template `alpaca`, expected one of chatml, smollm2, qwen3, llama3, harmony, question-answer, q-a, text"]
        .assert_eq(&unknown);
}
