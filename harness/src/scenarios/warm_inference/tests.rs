//! Scripted engines must yield the figures that they were scripted to.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use store::summary::rows;
use store::{RemarkKind, Run};

use super::passes::FIXED;
use super::*;
use crate::measure::Bandwidth;
use crate::scenarios::Gauge;
use crate::scenarios::fake::{Fake, reasons, run_campaign, run_cell, run_epochs, shown, values};
use crate::subject::{Allocator, Reply, Request};

/// What only a server has.
const SERVED: &[Metric] = &[
    Metric::TextHash,
    Metric::ServerPrefill,
    Metric::ServerDecode,
];

/// Only of weights that no cache keeps.
const LARGE: &[Metric] = &[Metric::MemoryBandwidth, Metric::BandwidthShare];

/// Filled in by the parent.
const SEEN: &[Metric] = &[
    Metric::InferPeak,
    Metric::DeviceMemory,
    Metric::BackgroundCpu,
    Metric::SwappedOut,
    Metric::ThermalLevel,
    Metric::PerformanceCores,
    Metric::Trial,
    Metric::TrialBackgroundCpu,
    Metric::TrialSwappedIn,
    Metric::TrialSwappedOut,
    Metric::TrialThermalLevel,
    Metric::Overhead,
];

/// A model whose reply to each call, counted from 1, takes so many times longer. At most 1.8: stages
/// must stay below what passes outside.
fn paced(factor: impl Fn(usize) -> f64 + 'static) -> Fake {
    Fake::seeing().twisted(move |reply, call| slow(reply, factor(call)))
}

fn slow(reply: &mut Reply, factor: f64) {
    let stages = &mut reply.stages;
    let marks = stages.vision.iter_mut().chain(&mut stages.prefill);
    for mark in marks.chain(&mut stages.tokens).chain([&mut stages.total]) {
        *mark = mark.mul_f64(factor);
    }
}

fn trials(run: &Run) -> Vec<usize> {
    let sample = run.sample(Metric::Inference);
    let epochs = sample.map(|sample| sample.epochs.as_slice());
    epochs.unwrap_or_default().iter().map(Vec::len).collect()
}

fn standard(fresh: impl FnMut(&Epoch) -> Fake) -> Run {
    let epochs = MEDIUM.epochs(Profile::Standard);
    run_epochs((&MEDIUM, &epochs[..2]), &[], fresh)
}

fn advisories(run: &Run) -> Vec<(&str, u32)> {
    let kept = run
        .remarks
        .iter()
        .filter(|remark| remark.kind == RemarkKind::Advisory);
    kept.map(|remark| (remark.text.as_str(), remark.count))
        .collect()
}

#[test]
fn a_healthy_model_yields_every_metric_and_no_void() {
    let counters = Allocator {
        peak: Some(3000),
        ..Allocator::default()
    };
    let run = run_cell(&MEDIUM, &[], |_| Fake::seeing().counting(counters));
    assert_eq!(reasons(&run), Vec::<&str>::new());
    assert_eq!(advisories(&run), []);
    for &metric in MEDIUM.metrics() {
        let epochs = run.sample(metric).map_or(0, |sample| sample.epochs.len());
        let elsewhere = [SEEN, SERVED, LARGE, &energy::METRICS]
            .concat()
            .contains(&metric);
        let expected = if elsewhere { 0 } else { 2 };
        assert_eq!(epochs, expected, "{metric}");
    }
    assert_eq!(trials(&run), [5, 5]);
    assert_eq!(values(&run, Metric::WarmUp).len(), 2 * 2);
    assert_eq!(values(&run, Metric::ImagePrep).len(), 2 * 3);
    assert_eq!(values(&run, Metric::RepeatedInference).len(), 2 * 2);
    assert_eq!(values(&run, Metric::InterToken).len(), 10 * (FIXED - 1));
    assert_eq!(run.answers.len(), 2);
}

#[test]
fn figures_are_what_was_scripted() {
    let fake = || Fake::seeing().twisted(|reply, _| reply.tiles = 4);
    let run = run_cell(&MEDIUM, &[], |_| fake());
    let check = |metric, expected: f64| {
        let found = values(&run, metric)[0];
        assert!((found / expected - 1.0).abs() < 1e-6, "{metric} {found}");
    };
    check(Metric::Ttft, 60e-6);
    check(Metric::ModelTtft, 50e-6);
    check(Metric::Decode, 1e6);
    check(Metric::WeightBandwidth, 1e9);
    check(Metric::VisionEncode, 20e-6);
    check(Metric::VisionPerTile, 5e-6);
    check(Metric::Prefill, 40.0 / 20e-6);
    check(Metric::ImageTokens, 16.0);
    check(Metric::PromptTokens, 40.0);
    check(Metric::MappedResident, 700.0);
    assert_eq!(values(&run, Metric::BarrierOverhead), [0.0; 2]);
    assert_eq!(values(&run, Metric::ImageCacheGain), [0.0; 2]);
}

/// Asks with these seeds (by epoch) and keeps the pictures, which never hold a word.
fn asked_about(epochs: usize) -> Vec<Vec<u8>> {
    let seen = Rc::new(RefCell::new(Vec::new()));
    let epochs = vec![MEDIUM.epochs(Profile::Quick)[0].clone(); epochs];
    run_epochs((&MEDIUM, &epochs), &[], |_| {
        let seen = Rc::clone(&seen);
        Fake::new(move |request: &Request<'_>, _| {
            seen.borrow_mut().push(request.images[0].to_vec());
            Ok("shapes".to_owned())
        })
    });
    seen.take()
}

#[test]
fn only_the_repeating_arm_sees_a_picture_twice_and_a_seed_draws_the_same() {
    let pictures = asked_about(2);
    let different: BTreeSet<_> = pictures.iter().collect();
    // Two epochs of two repeats.
    assert_eq!(pictures.len() - different.len(), 4);
    assert_eq!(asked_about(1), pictures[..pictures.len() / 2]);
}

#[test]
fn an_epoch_ends_early_when_narrow_and_goes_on_when_wide() {
    assert_eq!(trials(&standard(|_| Fake::seeing())), [10, 10]);
    let wide = standard(|_| paced(|call| 1.0 + 0.1 * (call % 7) as f64));
    assert_eq!(trials(&wide), [20, 20]);
    assert_eq!(values(&wide, Metric::WarmUp).len(), 2 * 8);
}

#[test]
fn the_first_calls_are_kept_in_order() {
    let run = run_cell(&MEDIUM, &[], |_| {
        paced(|call| [1.8, 1.4, 1.0, 1.0][call.min(4) - 1])
    });
    let curve = values(&run, Metric::WarmUp);
    assert_eq!(curve.len(), 2 * 4);
    let shares: Vec<_> = curve[..4].iter().map(|total| total / curve[3]).collect();
    for (found, expected) in shares.iter().zip([1.8, 1.4, 1.0, 1.0]) {
        assert!((found - expected).abs() < 0.01, "{shares:?}");
    }
    // None of them is among the figures.
    assert!(
        values(&run, Metric::Inference)
            .iter()
            .all(|&total| total < 1.1 * curve[3])
    );
}

#[test]
fn more_epochs_follow_while_figures_are_wide_up_to_a_cap() {
    let check = |(scenario, profile): (&WarmInference, _), epochs, spread: f64, expected| {
        let of = |epoch: usize| -> BTreeMap<_, _> {
            let value = 1.0 + spread * (epoch % 2) as f64;
            let judged = [Metric::Inference, Metric::Ttft, Metric::Decode];
            judged.map(|metric| (metric, vec![value])).into()
        };
        let done = vec![MEDIUM.epochs(Profile::Standard)[0].clone(); epochs];
        let values: Vec<_> = (0..epochs).map(of).collect();
        let so_far = SoFar {
            epochs: &done,
            values: &values,
            voids: &[],
            replays: &[],
        };
        let more = scenario.follow_up(profile, &so_far).is_some();
        assert_eq!(more, expected, "{} {epochs} {spread}", scenario.name());
    };
    check((&MEDIUM, Profile::Standard), 5, 0.0, false);
    check((&MEDIUM, Profile::Standard), 5, 0.2, true);
    check((&MEDIUM, Profile::Standard), 7, 0.2, true);
    check((&MEDIUM, Profile::Standard), 8, 0.2, false);
    check((&MEDIUM, Profile::Full), 9, 0.2, true);
    check((&MEDIUM, Profile::Full), 10, 0.2, false);
    check((&MEDIUM, Profile::Quick), 2, 0.2, false);
    check((&SMALL, Profile::Standard), 3, 0.2, false);
}

#[test]
fn an_engine_that_keeps_pictures_shows_a_gain() {
    let run = run_cell(&MEDIUM, &[], |_| {
        let known = Rc::new(RefCell::new((BTreeSet::new(), false)));
        let looked = Rc::clone(&known);
        let look = move |request: &Request<'_>, _| {
            let (seen, again) = &mut *looked.borrow_mut();
            *again = !seen.insert(request.images[0].to_vec());
            Ok(shown(request.images[0]))
        };
        Fake::new(look).twisted(move |reply, _| {
            if !known.borrow().1 {
                slow(reply, 1.5);
            }
        })
    });
    for gain in values(&run, Metric::ImageCacheGain) {
        assert!((gain - 1.0 / 3.0).abs() < 0.01, "{gain}");
    }
    // The phases are those of a picture that is new.
    assert!(
        values(&run, Metric::VisionEncode)
            .iter()
            .all(|&vision| vision > 30e-6)
    );
}

#[test]
fn costly_barriers_and_unexplained_time_are_marked_once_an_epoch() {
    let run = run_cell(&MEDIUM, &[], |_| {
        Fake::seeing().twisted(|reply, _| {
            if reply.stages.prefill.is_some() {
                reply.stages.total = reply.stages.total.mul_f64(1.2);
            }
        })
    });
    let marks = advisories(&run);
    assert_eq!(marks.len(), 2, "{marks:?}");
    // They are of processes: no trial is counted.
    assert!(marks.iter().all(|(_, count)| *count == 0), "{marks:?}");
    assert_eq!(reasons(&run), Vec::<&str>::new());
}

#[test]
fn short_answers_are_short() {
    let epochs = &PHOTO_SHORT.epochs(Profile::Standard)[..1];
    let run = run_epochs((&PHOTO_SHORT, epochs), &[], |_| {
        Fake::new(|request: &Request<'_>, _| {
            assert!(request.max_new_tokens == 16 && request.messages[0].text.contains("few words"));
            Ok("a circle, a square and many other things".to_owned())
        })
    });
    assert_eq!(values(&run, Metric::OutputTokens), [16.0; 10]);
    assert_eq!(values(&run, Metric::InterToken).len(), 10 * 15);
    assert!(PHOTO_SHORT.epochs(Profile::Quick).is_empty());
}

/// A model with a fault has no `Inference`, and all of its reasons begin so.
fn check_void(fresh: impl Fn() -> Fake, reason: &str) {
    let run = run_cell(&MEDIUM, &[], |_| fresh());
    assert_eq!(values(&run, Metric::Inference), [0.0; 0]);
    let found = reasons(&run);
    assert!(
        found.iter().all(|found| found.starts_with(reason)),
        "{found:?}"
    );
}

#[test]
fn faults_leave_no_figures() {
    check_void(|| Fake::constant(""), "I3: 1 ids of output");
    check_void(
        || Fake::constant("Error: input operand has more dimensions"),
        "I3: the answer is an error message",
    );
    check_void(
        || Fake::seeing().twisted(|reply, _| reply.image_tokens = 0),
        "I1",
    );
    check_void(
        || Fake::seeing().twisted(|reply, _| reply.weights_read = 4096),
        "I7: 4096 bytes of weights were read during the request",
    );
    let echo = || {
        let say = |request: &Request<'_>, _| {
            let role = request.messages[0].role;
            Ok(format!("{role:?}: describe, describe, describe"))
        };
        Fake::new(say).twisted(|reply, _| {
            let said = reply.text.clone();
            reply.prompt.push_str(&said);
        })
    };
    check_void(echo, "I3: the answer repeats the prompt");
}

#[test]
fn one_answer_to_all_pictures_leaves_no_figure_of_its_process() {
    let reason = "I4: one answer to 5 different pictures";
    let constant = || Fake::constant("a person standing outdoors");
    check_void(constant, reason);
    let run = run_cell(&MEDIUM, &[], |_| constant());
    assert_eq!((run.samples(), run.answers.len()), (&[][..], 2));
    let row = &rows(std::slice::from_ref(&run))[0];
    assert_eq!(row.vision.label, "BLIND-SUSPECT");
    assert_eq!(
        (row.vision.detail.as_str(), row.status.rule.as_str()),
        (reason, "R1")
    );
    // One process of two.
    let mut processes = [constant(), Fake::seeing()].into_iter();
    let run = run_cell(&MEDIUM, &[], |_| processes.next().unwrap());
    assert_eq!((trials(&run), reasons(&run)[0]), (vec![5], reason));
}

#[test]
fn one_answer_is_no_fault_where_it_may_be_true() {
    let check = |scenario: &'static WarmInference, fresh: &dyn Fn() -> Fake| {
        let epochs = &scenario.epochs(Profile::Standard)[..1];
        let run = run_epochs((scenario, epochs), &[], |_| fresh());
        assert_eq!(reasons(&run), [""; 0], "{}", scenario.name());
        assert!(!values(&run, Metric::Inference).is_empty());
    };
    let constant = || Fake::constant("three shapes");
    for scenario in [&PHOTO, &SMALL_SHORT, &MEDIUM_SHORT, &PHOTO_SHORT] {
        check(scenario, &constant);
    }
    // Two answers, in whatever order, are two.
    let two = || {
        Fake::new(|request: &Request<'_>, _| {
            let large = shown(request.images[0]).ends_with(|last| last > '7');
            Ok(format!("a scene {large}"))
        })
    };
    for scenario in [&SMALL, &MEDIUM] {
        check(scenario, &two);
    }
}

#[test]
fn rates_that_cannot_be_are_no_rates() {
    let simultaneous = |reply: &mut Reply, _| {
        let first = reply.stages.tokens[0];
        reply.stages.tokens.fill(first);
    };
    let check = |fresh: &dyn Fn() -> Fake| {
        let run = run_cell(&MEDIUM, &[], |_| fresh());
        for metric in [Metric::Decode, Metric::WeightBandwidth] {
            assert_eq!(values(&run, metric), [0.0; 0]);
        }
        assert_eq!(values(&run, Metric::InterToken), [0.0; 0]);
        assert_eq!(values(&run, Metric::Inference).len(), 10);
    };
    check(&|| Fake::seeing().twisted(simultaneous));
    // 1e6 tokens a second, of 1 GB each, where memory gives 1e10 bytes.
    check(&|| Fake::seeing().with(|loaded| loaded.read_bytes = 1_000_000_000));
}

/// A GPU whose memory gives 2e15 bytes a second.
struct Rated;

impl Gauge for Rated {
    fn footprint(&self) -> Option<u64> {
        None
    }

    fn disk_read(&self) -> Option<u64> {
        Some(0)
    }

    fn bandwidth(&self) -> Option<Bandwidth> {
        Some(Bandwidth::Rated(2e15))
    }
}

#[test]
fn weights_are_told_as_a_share_of_what_memory_delivers() {
    let shares = |read_bytes: u64| {
        let fresh = |_: &Epoch| Fake::seeing().with(|loaded| loaded.read_bytes = read_bytes);
        let run = run_campaign((&MEDIUM, Profile::Quick), &Rated, fresh);
        let delivered = values(&run, Metric::MemoryBandwidth);
        (delivered, values(&run, Metric::BandwidthShare))
    };
    // A million ids a second.
    let (delivered, shares_of) = shares(1_000_000_000);
    assert_eq!(delivered, [2e15; 2]);
    assert!(shares_of.len() == 2 && shares_of.iter().all(|share| (share - 0.5).abs() < 1e-6));
    assert_eq!(
        shares(1_000),
        (Vec::new(), Vec::new()),
        "a cache keeps them"
    );
}

#[test]
fn a_text_is_timed_without_a_picture() {
    let asked = Rc::new(RefCell::new(BTreeSet::new()));
    let run = run_cell(&TEXT, &[], |_| {
        let asked = Rc::clone(&asked);
        Fake::new(move |request: &Request<'_>, _| {
            assert_eq!(request.images.len(), 0);
            asked.borrow_mut().insert(request.messages[0].text.clone());
            Ok("once upon a time".to_owned())
        })
    });
    assert_eq!(reasons(&run), Vec::<&str>::new());
    assert_eq!(trials(&run), [5, 5]);
    // Two to warm up, five as a user would ask, five of a fixed length, three with barriers, in two processes.
    assert_eq!(asked.borrow().len(), 2 * (2 + 5 + 5 + 3));
    let near = |metric, expected: f64| {
        let found = values(&run, metric)[0];
        assert!((found / expected - 1.0).abs() < 1e-6, "{metric} {found}");
    };
    near(Metric::Ttft, 60e-6);
    near(Metric::Decode, 1e6);
    near(Metric::Prefill, 40.0 / 40e-6);
    for metric in [
        Metric::ModelTtft,
        Metric::VisionEncode,
        Metric::ImageTokens,
        Metric::RepeatedInference,
        Metric::ImageCacheGain,
    ] {
        assert_eq!(run.sample(metric), None, "{metric}");
    }
}

#[test]
fn a_model_that_answers_about_pictures_alone_has_no_text_to_time() {
    let refuse = |_: &Request<'_>, _| Err(crate::Error::NotOffered("no picture".to_owned()).into());
    let run = run_cell(&TEXT, &[], |_| Fake::new(refuse));
    assert_eq!(run.samples(), []);
    assert!(run.voids().iter().all(store::Void::is_by_design));
    assert_eq!(reasons(&run), ["unsupported by design: no picture"]);
}
