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
    content: Content,
}

/// What a template takes a message's content for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Content {
    /// A list of pictures and texts, each named as such.
    Parts,
    /// A text, in which pictures stand as the model's own marks.
    Text,
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
            return Self::compile(&path, read_text(&path)?, Tokens::load(dir)?);
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
        Self::compile(&path, source.to_owned(), Tokens::load(dir)?)
    }

    fn compile(path: &Path, source: String, tokens: Tokens) -> Result<Self> {
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
        environment.add_global("bos_token", tokens.bos);
        environment.add_global("eos_token", tokens.eos);
        environment
            .add_template_owned(NAME, source)
            .map_err(|error| {
                format_error(path, format!("chat_template: {}", first_line(&error)))
            })?;
        let mut template = Self {
            environment,
            content: Content::Parts,
        };
        template.content = template.takes();
        Ok(template)
    }

    /// Found out by a question: a template that takes texts prints a list as such, or fails on it.
    fn takes(&self) -> Content {
        const QUESTION: &str = "what is it";
        let asked = [Message::user(QUESTION)];
        let shown = |content| self.fill(asked.iter().map(|message| turn(message, &[], content)));
        match (shown(Content::Parts), shown(Content::Text)) {
            (Ok(parts), _) if parts.contains(QUESTION) && !parts.contains("\"type\"") => {
                Content::Parts
            }
            (_, Ok(text)) if text.contains(QUESTION) => Content::Text,
            _ => Content::Parts,
        }
    }

    /// The prompt for `messages`, ready for the model's answer. The `images` pictures come first in the first turn
    /// of the person, each as one placeholder of the template's choice; where a template knows only texts, as
    /// `mark` of its number, counted from 1.
    ///
    /// # Errors
    /// [`Error::Prompt`] when there is no message, the last is not the person's or is blank, or the template
    /// refuses the conversation.
    pub fn render(
        &self,
        messages: &[Message],
        images: usize,
        mark: impl Fn(usize) -> String,
    ) -> Result<String> {
        last_question(messages)?;
        let first_user = messages
            .iter()
            .position(|message| message.role == Role::User);
        let marks: Vec<_> = (1..=images).map(mark).collect();
        let turns = messages.iter().enumerate().map(|(index, message)| {
            let first = Some(index) == first_user;
            turn(message, if first { &marks } else { &[] }, self.content)
        });
        self.fill(turns).map_err(|error| {
            Error::Prompt(format!("the chat template fails: {}", first_line(&error)))
        })
    }

    fn fill(&self, turns: impl Iterator<Item = Value>) -> Result<String, minijinja::Error> {
        let context = context! {
            messages => turns.collect::<Value>(),
            add_generation_prompt => true,
        };
        self.environment.get_template(NAME)?.render(context)
    }
}

/// The special tokens that templates may ask for, empty where the checkpoint names none.
#[derive(Default)]
struct Tokens {
    bos: String,
    eos: String,
}

impl Tokens {
    fn load(dir: &Path) -> Result<Self> {
        let path = dir.join("tokenizer_config.json");
        if !path.exists() {
            return Ok(Self::default());
        }
        let root: Json = read_json(&path)?;
        let token = |key: &str| {
            let value = root.get(key);
            let text = value.and_then(|v| v.as_str().or_else(|| v.get("content")?.as_str()));
            text.unwrap_or_default().to_owned()
        };
        Ok(Self {
            bos: token("bos_token"),
            eos: token("eos_token"),
        })
    }
}

/// What a conversation ends with, which must be a question.
///
/// # Errors
/// [`Error::Prompt`] when there is no message, or the last is not the person's or is blank.
pub(crate) fn last_question(messages: &[Message]) -> Result<&str> {
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
    Ok(&last.text)
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

/// One message as templates expect it, pictures before its text.
fn turn(message: &Message, marks: &[String], content: Content) -> Value {
    let role = match message.role {
        Role::User => "user",
        Role::Assistant => "assistant",
    };
    let content: Value = match content {
        Content::Text => format!("{}{}", marks.concat(), message.text).into(),
        Content::Parts => {
            let picture = context! { type => "image" };
            let text = context! { type => "text", text => message.text.as_str() };
            std::iter::repeat_n(picture, marks.len())
                .chain([text])
                .collect()
        }
    };
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

    fn mark(number: usize) -> String {
        format!("<{number}>")
    }

    #[test]
    fn templates_of_texts_get_marks_and_start_tokens() {
        let template = "{{ bos_token }}{% for m in messages %}[{{ m.role }}] {{ m['content'] + eos_token }}{% endfor %}";
        let dir = tempfile::tempdir().unwrap();
        let config = serde_json::json!({
            "chat_template": template, "bos_token": "<s>", "eos_token": { "content": "</s>" },
        });
        fs::write(dir.path().join("tokenizer_config.json"), config.to_string()).unwrap();
        let messages = [
            Message::user("a"),
            Message::assistant("b"),
            Message::user("c"),
        ];
        let prompt = ChatTemplate::load(dir.path())
            .unwrap()
            .render(&messages, 2, mark)
            .unwrap();
        assert_eq!(prompt, "<s>[user] <1><2>a</s>[assistant] b</s>[user] c</s>");
    }

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
                .render(&[Message::user("hi")], 0, mark)
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
            .render(&messages, 2, mark)
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
                .render(messages, 0, mark)
                .unwrap_err();
            assert!(matches!(error, Error::Prompt(_)), "{error}");
            assert!(error.to_string().contains(reason), "{error}");
        }
    }
}
