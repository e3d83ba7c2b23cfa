//! Known faults of memory must yield the known verdicts.

use super::*;
use crate::scenarios::fake::{Fake, reasons, run_epochs, values};
use store::summary::{Verdict, rows};

const ARMS: [Metric; 6] = [
    Metric::ContextDirect,
    Metric::ContextAtTwo,
    Metric::ContextRetained,
    Metric::ContextAtEight,
    Metric::ContextTextOnly,
    Metric::ContextChance,
];

fn judged(profile: Profile, fresh: impl Fn() -> Fake) -> (store::Run, Verdict) {
    let epochs = Context.epochs(profile);
    let run = run_epochs((&Context, &epochs), &[], |_| fresh());
    let verdict = rows(std::slice::from_ref(&run))[0].context.clone();
    (run, verdict)
}

fn verdict(fresh: impl Fn() -> Fake) -> (store::Run, String) {
    let (run, verdict) = judged(Profile::Standard, fresh);
    (run, verdict.label)
}

/// Values of each arm: their number, and how many of them are 1.
fn counts(run: &store::Run) -> [(usize, usize); 6] {
    ARMS.map(|metric| {
        let values = values(run, metric);
        let right = values.iter().filter(|&&value| value == 1.0);
        (values.len(), right.count())
    })
}

/// A model that holds no more messages than this.
fn short_of_room(messages: usize) -> Fake {
    let mut seeing = Fake::seeing();
    Fake::new(move |request, _| match request.messages.len() {
        held if held > messages => {
            let text = "900 positions with the answer, it has room for 800";
            Err(crate::Error::NotOffered(text.to_owned()).into())
        }
        _ => Ok(seeing.ask(request)?.text),
    })
}

#[test]
fn a_remembering_model_retains() {
    let (run, label) = verdict(Fake::seeing);
    assert_eq!(label, "RETAINS");
    let all = (12, 12);
    assert_eq!(counts(&run), [all, all, all, all, all, (12, 0)]);
    assert_eq!(reasons(&run), Vec::<&str>::new());
}

#[test]
fn a_short_epoch_asks_again_at_turn_four_about_a_few() {
    let (run, verdict) = judged(Profile::Quick, Fake::seeing);
    let few = (4, 4);
    assert_eq!(counts(&run), [few, (0, 0), few, (0, 0), few, (4, 0)]);
    let detail = verdict.detail;
    assert!(
        detail.starts_with(
            "retention 100 % [100, 100] at turn 4 (n=4); text memory 100 % [100, 100] (n=4);"
        ),
        "{detail}"
    );
}

#[test]
fn a_model_that_forgets_late_shows_when() {
    let late = || {
        let mut seeing = Fake::seeing();
        Fake::new(move |request, _| match request.messages.len() {
            ..8 => Ok(seeing.ask(request)?.text),
            _ => Ok("what?".to_owned()),
        })
    };
    let (run, verdict) = judged(Profile::Standard, late);
    let (all, none) = ((12, 12), (12, 0));
    assert_eq!(counts(&run), [all, all, all, none, all, none]);
    assert_eq!(verdict.label, "RETAINS");
    assert!(
        verdict
            .detail
            .contains("100 % [100, 100] at turn 2, 0 % [0, 0] at turn 8;"),
        "{}",
        verdict.detail
    );
}

#[test]
fn a_turn_that_the_model_has_no_room_for_is_not_offered() {
    let (run, label) = verdict(|| short_of_room(14));
    let all = (12, 12);
    assert_eq!(label, "RETAINS");
    assert_eq!(counts(&run), [all, all, all, (0, 0), all, (12, 0)]);
    let told = "unsupported by design: 900 positions with the answer, it has room for 800";
    assert_eq!(reasons(&run), [told]);
    assert!(run.voids().iter().all(store::Void::is_by_design));
    let (run, label) = verdict(|| short_of_room(4));
    assert_eq!(label, "n/a (not offered)");
    assert_eq!(counts(&run)[..3], [all, all, (0, 0)]);
    assert!(run.voids().iter().all(store::Void::is_by_design));
}

#[test]
fn history_holds_the_models_own_answers() {
    let (run, _) = verdict(Fake::seeing);
    let later = run
        .answers
        .iter()
        .find(|answer| answer.arm == "turn 4")
        .unwrap();
    assert_eq!(later.prompt.matches("Assistant").count(), 3);
    assert!(
        later.prompt.contains("Assistant: red\n"),
        "{}",
        later.prompt
    );
    let told = run
        .answers
        .iter()
        .find(|answer| answer.arm == "text only")
        .unwrap();
    assert!(
        told.prompt.contains("Assistant: It is red\n"),
        "{}",
        told.prompt
    );
    assert!(!told.prompt.contains("<image>"), "{}", told.prompt);
}

#[test]
fn a_model_that_forgets_loses() {
    let forgetful = || {
        let mut seeing = Fake::seeing();
        Fake::new(move |request, _| match request.messages.len() {
            1 => Ok(seeing.ask(request)?.text),
            _ => Ok("what?".to_owned()),
        })
    };
    assert_eq!(verdict(forgetful).1, "LOSES");
}

#[test]
fn a_template_that_drops_the_assistant_is_void() {
    let dropping = || {
        Fake::seeing().twisted(|reply, _| {
            let kept = reply
                .prompt
                .lines()
                .filter(|line| !line.starts_with("Assistant"));
            reply.prompt = kept.collect::<Vec<_>>().join("\n");
        })
    };
    let (run, label) = verdict(dropping);
    assert_eq!((counts(&run), label.as_str()), ([(0, 0); 6], "void"));
    assert_eq!(reasons(&run)[0], "I2: turn 2 is not in the rendered prompt");
    assert!(run.answers.iter().all(|answer| match answer.arm.as_str() {
        "between" => answer.right.is_some() != answer.prompt.contains("\nUser"),
        _ => answer.right.is_none(),
    }));
}

#[test]
fn a_model_without_earlier_turns_is_stateless() {
    let (run, label) = verdict(|| Fake::seeing().stateless());
    assert_eq!(label, "n/a (stateless)");
    let (all, none) = ((12, 12), (0, 0));
    assert_eq!(counts(&run), [all, none, none, none, none, (12, 0)]);
    assert!(run.voids().iter().all(store::Void::is_by_design));
    let row = &rows(std::slice::from_ref(&run))[0];
    let line = store::summary::verdict_line(row).unwrap();
    assert!(
        line.contains("context n/a (stateless) (direct 12/12, chance 0/12;"),
        "{line}"
    );
}

#[test]
fn a_stateless_model_without_text_answers_has_no_chance() {
    let picture_only = || {
        let mut seeing = Fake::seeing();
        Fake::new(move |request, _| match request.images {
            [] => Err(crate::Error::NotOffered("no picture".to_owned()).into()),
            _ => Ok(seeing.ask(request)?.text),
        })
        .stateless()
    };
    let (run, label) = verdict(picture_only);
    assert_eq!(label, "n/a (stateless)");
    assert_eq!(values(&run, Metric::ContextDirect), [1.0; 12]);
    let last = reasons(&run).pop();
    assert_eq!(last, Some("unsupported by design: no picture"));
}

#[test]
fn whole_words_tell() {
    let history = [
        Message::user("Is it red?"),
        Message::assistant("A bored, blue cat."),
    ];
    let turn = |text: &str| Turn {
        ask: String::new(),
        answer: crate::probes::Accepted(vec![text.to_owned()]),
    };
    assert!(told(&history, &turn("Blue")));
    assert!(!told(&history, &turn("red")));
}
