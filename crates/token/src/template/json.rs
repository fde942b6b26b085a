//! JSON as Python's `json.dumps(value, ensure_ascii=False)` spaces it.
//!
//! Models were trained on that spacing, and never on the HTML escapes that
//! Jinja's own filter writes.

use minijinja::value::ValueKind;
use minijinja::{Error, ErrorKind, Value};

const MAX_DEPTH: usize = 64;

/// Writes a value on one line, or indented by `width` spaces a level.
pub(super) fn write(value: &Value, width: Option<usize>) -> Result<String, Error> {
    let mut writer = Writer { out: String::new(), width: width.map(|width| width.min(16)) };
    writer.value(value, 0)?;
    Ok(writer.out)
}

struct Writer {
    out: String,
    width: Option<usize>,
}

impl Writer {
    fn value(&mut self, value: &Value, depth: usize) -> Result<(), Error> {
        if depth > MAX_DEPTH {
            return Err(Error::new(ErrorKind::InvalidOperation, "value is nested too deeply for JSON"));
        }
        match value.kind() {
            ValueKind::None | ValueKind::Undefined => self.out.push_str("null"),
            ValueKind::Bool => self.out.push_str(if value.is_true() { "true" } else { "false" }),
            ValueKind::Number => self.out.push_str(&value.to_string()),
            ValueKind::Map => self.map(value, depth)?,
            ValueKind::Seq | ValueKind::Iterable => self.list(value, depth)?,
            _ => self.string(&value.to_string()),
        }
        Ok(())
    }

    fn map(&mut self, value: &Value, depth: usize) -> Result<(), Error> {
        self.out.push('{');
        let mut n_items = 0;
        for key in value.try_iter()? {
            self.separate(n_items, depth + 1);
            self.string(&key.to_string());
            self.out.push_str(": ");
            self.value(&value.get_item(&key)?, depth + 1)?;
            n_items += 1;
        }
        self.close('}', n_items, depth);
        Ok(())
    }

    fn list(&mut self, value: &Value, depth: usize) -> Result<(), Error> {
        self.out.push('[');
        let mut n_items = 0;
        for item in value.try_iter()? {
            self.separate(n_items, depth + 1);
            self.value(&item, depth + 1)?;
            n_items += 1;
        }
        self.close(']', n_items, depth);
        Ok(())
    }

    fn separate(&mut self, n_before: usize, depth: usize) {
        if n_before > 0 {
            self.out.push_str(if self.width.is_some() { "," } else { ", " });
        }
        self.break_line(depth);
    }

    fn close(&mut self, bracket: char, n_items: usize, depth: usize) {
        if n_items > 0 {
            self.break_line(depth);
        }
        self.out.push(bracket);
    }

    fn break_line(&mut self, depth: usize) {
        if let Some(width) = self.width {
            self.out.push('\n');
            self.out.extend(std::iter::repeat_n(' ', width * depth));
        }
    }

    fn string(&mut self, text: &str) {
        // For a plain string serde_json writes what Python writes.
        self.out.push_str(&serde_json::Value::from(text).to_string());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use minijinja::context;

    #[test]
    fn spaces_as_python_does_and_escapes_no_html() {
        let value = context! { a => vec![1, 2], b => "<é'&\n\">", c => (), d => Vec::<i32>::new() };
        expect_test::expect![[r#"{"a": [1, 2], "b": "<é'&\n\">", "c": null, "d": []}"#]]
            .assert_eq(&write(&value, None).unwrap());
        expect_test::expect![[r#"
            {
              "a": [
                1,
                2
              ],
              "b": "<é'&\n\">",
              "c": null,
              "d": []
            }"#]]
        .assert_eq(&write(&value, Some(2)).unwrap());
    }
}
