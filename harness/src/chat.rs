//! A checkpoint's own chat template: a conversation to the text the model was trained on.

use std::path::Path;

use minijinja::syntax::SyntaxConfig;
use minijinja::value::Value;
use minijinja::{Environment, ErrorKind, context};
use serde_json::Value as Json;

use crate::side_file::{format_error, read_json, read_text};
use crate::subject::{Message, Role};
use crate::{Error, Result};

/// Instructions one rendering may take; a conversation of a thousand turns takes about 40,000.
const FUEL: u64 = 5_000_000;
/// Templates are known by this name in messages; no `.html`, so nothing is escaped.
const NAME: &str = "chat_template";

/// A compiled chat template.
#[derive(Debug)]
pub struct ChatTemplate {
    environment: Environment<'static>,
}

impl ChatTemplate {
    /// Reads the template in `dir`: `chat_template.jinja`, else `chat_template.json`, else the key `chat_template`
    /// of `tokenizer_config.json` (there also a list of named templates, of which `default` is taken).
    ///
    /// # Errors
    /// [`Error::Read`] when none of the three files is there; [`Error::Format`] when the first that is there holds
    /// no template or one that does not compile.
    pub fn load(dir: &Path) -> Result<Self> {
        let path = dir.join("chat_template.jinja");
        if path.exists() {
            return Self::compile(&path, read_text(&path)?);
        }
        let single = dir.join("chat_template.json");
        let path = if single.exists() {
            single
        } else {
            dir.join("tokenizer_config.json")
        };
        let root: serde_json::Value = read_json(&path)?;
        let source = root
            .get("chat_template")
            .and_then(template_text)
            .ok_or_else(|| format_error(&path, "chat_template: missing, or no text"))?;
        Self::compile(&path, source.to_owned())
    }

    fn compile(path: &Path, source: String) -> Result<Self> {
        let mut environment = Environment::new();
        // transformers renders with these two on.
        let syntax = SyntaxConfig::builder()
            .trim_blocks(true)
            .lstrip_blocks(true)
            .build()
            .map_err(|error| {
                format_error(path, format!("chat_template: {}", first_line(&error)))
            })?;
        environment.set_syntax(syntax);
        environment.set_fuel(Some(FUEL));
        environment
            .set_unknown_method_callback(minijinja_contrib::pycompat::unknown_method_callback);
        environment.add_function(
            "raise_exception",
            |reason: String| -> Result<Value, minijinja::Error> {
                Err(minijinja::Error::new(ErrorKind::InvalidOperation, reason))
            },
        );
        environment
            .add_template_owned(NAME, source)
            .map_err(|error| {
                format_error(path, format!("chat_template: {}", first_line(&error)))
            })?;
        Ok(Self { environment })
    }

    /// The prompt for `messages`, ready for the model's answer. The `images` pictures come first in the first turn
    /// of the person, each as one placeholder of the template's choice.
    ///
    /// # Errors
    /// [`Error::Prompt`] when there is no message, the last is not the person's or is blank, or the template
    /// refuses the conversation.
    pub fn render(&self, messages: &[Message], images: usize) -> Result<String> {
        let Some(last) = messages.last() else {
            return Err(Error::Prompt(
                "it is empty: give at least one message".into(),
            ));
        };
        if last.role != Role::User {
            return Err(Error::Prompt(
                "the last message is the model's: end with a question".into(),
            ));
        }
        if last.text.trim().is_empty() {
            return Err(Error::Prompt(
                "the last message is blank: ask something".into(),
            ));
        }
        let first_user = messages
            .iter()
            .position(|message| message.role == Role::User);
        let turns = messages.iter().enumerate().map(|(index, message)| {
            turn(message, if Some(index) == first_user { images } else { 0 })
        });
        let context = context! {
            messages => turns.collect::<Value>(),
            add_generation_prompt => true,
        };
        self.environment
            .get_template(NAME)
            .and_then(|template| template.render(context))
            .map_err(|error| {
                Error::Prompt(format!("the chat template fails: {}", first_line(&error)))
            })
    }
}

/// The text of a `chat_template` value: a string, or the default one of a list of named templates.
fn template_text(value: &Json) -> Option<&str> {
    match value {
        Json::String(text) => Some(text),
        Json::Array(list) => list
            .iter()
            .find(|entry| entry.get("name").and_then(Json::as_str) == Some("default"))
            .and_then(|entry| entry.get("template")?.as_str()),
        _ => None,
    }
}

/// One message with its content as typed items, which is what the templates of vision models expect.
fn turn(message: &Message, images: usize) -> Value {
    let role = match message.role {
        Role::User => "user",
        Role::Assistant => "assistant",
    };
    let picture = context! { type => "image" };
    let text = context! { type => "text", text => message.text.as_str() };
    let content: Value = std::iter::repeat_n(picture, images).chain([text]).collect();
    context! { role => role, content => content }
}

fn first_line(error: &minijinja::Error) -> String {
    error
        .to_string()
        .lines()
        .next()
        .unwrap_or_default()
        .to_owned()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn load(file: &str, text: &str) -> Result<ChatTemplate> {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join(file), text).unwrap();
        ChatTemplate::load(dir.path())
    }

    #[test]
    fn all_three_files_are_read() {
        let template =
            "{{ messages[0].role | capitalize }}|{{ messages[0].content[0].text.upper() }}";
        let json = serde_json::json!({ "chat_template": template }).to_string();
        let named = serde_json::json!({ "chat_template": [
            { "name": "tool_use", "template": "no" },
            { "name": "default", "template": template },
        ]});
        for (file, text) in [
            ("chat_template.jinja", template),
            ("chat_template.json", &json),
            ("tokenizer_config.json", &json),
            ("tokenizer_config.json", &named.to_string()),
        ] {
            let prompt = load(file, text)
                .unwrap()
                .render(&[Message::user("hi")], 0)
                .unwrap();
            assert_eq!(prompt, "User|HI", "{file}");
        }
    }

    #[test]
    fn pictures_go_to_the_first_turn_of_the_person() {
        let template = "{% for m in messages %}{{ m.role }}:{% for c in m.content %}{{ c.type }},{% endfor %} {% endfor %}";
        let messages = [
            Message::assistant("a"),
            Message::user("b"),
            Message::user("c"),
        ];
        let prompt = load("chat_template.jinja", template)
            .unwrap()
            .render(&messages, 2)
            .unwrap();
        assert_eq!(prompt, "assistant:text, user:image,image,text, user:text, ");
    }

    #[test]
    fn broken_templates_are_one_line() {
        for (file, text) in [
            ("chat_template.jinja", "{% for %}"),
            ("chat_template.json", "{}"),
            ("chat_template.json", r#"{"chat_template": 3}"#),
            ("tokenizer_config.json", "not json"),
        ] {
            let error = load(file, text).unwrap_err();
            assert!(matches!(error, Error::Format { .. }), "{error}");
            assert_eq!(error.to_string().lines().count(), 1, "{error}");
        }
        let nothing = tempfile::tempdir().unwrap();
        assert!(matches!(
            ChatTemplate::load(nothing.path()),
            Err(Error::Read { .. })
        ));
    }

    #[test]
    fn prompts_that_cannot_be_built_say_why() {
        let refuse = "{{ raise_exception('roles must alternate') }}";
        let endless =
            "{% for a in range(9999) %}{% for b in range(9999) %}x{% endfor %}{% endfor %}";
        let hello = [Message::user("hello")];
        for (template, messages, reason) in [
            ("x", &[][..], "it is empty"),
            ("x", &[Message::user(" \n")], "is blank"),
            (
                "x",
                &[Message::user("a"), Message::assistant("b")],
                "end with a question",
            ),
            (refuse, &hello, "roles must alternate"),
            (endless, &hello, "fuel"),
        ] {
            let error = load("chat_template.jinja", template)
                .unwrap()
                .render(messages, 0)
                .unwrap_err();
            assert!(matches!(error, Error::Prompt(_)), "{error}");
            assert!(error.to_string().contains(reason), "{error}");
        }
    }
}
