//! Known faults must yield the known verdicts, follow-ups included.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use store::summary::{Row, rows};
use store::{Metric, Run};

use super::*;
use crate::conditions::CoolDown;
use crate::scenarios::Gauge;
use crate::scenarios::fake::{Fake, reasons, run_campaign, values};
use crate::subject::Allocator;

/// A machine whose memory and heat are scripted; a rest cools it.
#[derive(Clone, Default)]
struct Room {
    footprint: Rc<Cell<f64>>,
    heat: Rc<Cell<f64>>,
}

impl Gauge for Room {
    fn footprint(&self) -> Option<u64> {
        Some((500.0 * MIB + self.footprint.get()) as u64)
    }

    fn disk_read(&self) -> Option<u64> {
        Some(0)
    }

    fn cool_down(&self) -> CoolDown {
        self.heat.set(0.0);
        CoolDown {
            waited: Duration::from_secs(30),
            reached: true,
        }
    }
}

const MIB: f64 = 1_048_576.0;

fn drift(profile: Profile, room: &Room, fresh: impl FnMut(&Epoch) -> Fake) -> (Run, Row) {
    let run = run_campaign((&StateDrift, profile), room, fresh);
    let row = rows(std::slice::from_ref(&run)).remove(0);
    (run, row)
}

/// The verdict of profile quick.
fn verdict(fresh: impl FnMut(&Epoch) -> Fake) -> (Run, String) {
    let (run, row) = drift(Profile::Quick, &Room::default(), fresh);
    (run, row.drift.label)
}

/// The verdict of profile standard.
fn slow_verdict(room: &Room, fresh: impl FnMut(&Epoch) -> Fake) -> (Run, String) {
    let (run, row) = drift(Profile::Standard, room, fresh);
    (run, row.drift.label)
}

fn findings(run: &Run) -> Vec<&str> {
    run.remarks
        .iter()
        .map(|remark| remark.text.as_str())
        .collect()
}

/// A model whose calls take longer by a share that is given for each.
fn slower(mut by: impl FnMut(usize) -> f64 + 'static) -> Fake {
    Fake::seeing().twisted(move |reply, call| {
        reply.stages.total = reply.stages.total.mul_f64(1.0 + by(call));
    })
}

#[test]
fn a_healthy_model_is_stable() {
    let (run, label) = verdict(|_| Fake::seeing());
    assert_eq!(label, "STABLE");
    let compared = 9 + 6 + 4 + 4 + 3;
    assert_eq!(values(&run, Metric::ExactMatch), vec![1.0; compared]);
    assert_eq!(values(&run, Metric::DivergedAt), vec![-1.0; compared]);
    assert_eq!(values(&run, Metric::FreshExactMatch), [1.0; 2]);
    assert_eq!(values(&run, Metric::FreshLogitDelta), [0.0; 4]);
    assert_eq!(values(&run, Metric::CallMemory).len(), 6 + 2 + 1 + 3);
    assert_eq!(reasons(&run), Vec::<&str>::new());
    assert_eq!(findings(&run), Vec::<&str>::new());
}

#[test]
fn memory_and_pace_of_a_healthy_model_are_judged_in_longer_profiles() {
    let (run, row) = drift(Profile::Standard, &Room::default(), |_| {
        Fake::seeing().counting(Allocator {
            active: Some(1 << 30),
            cache: Some(1 << 20),
            ..Allocator::default()
        })
    });
    assert_eq!(row.drift.label, "STABLE");
    let detail = &row.drift.detail;
    assert!(
        detail.contains("; call_memory +0.00 MiB a round"),
        "{detail}"
    );
    assert!(detail.contains("; time +0.0 % per 100 rounds"), "{detail}");
    for metric in [Metric::CallMemory, Metric::CallActive, Metric::CallCache] {
        let sizes: Vec<_> = run
            .sample(metric)
            .unwrap()
            .epochs
            .iter()
            .map(Vec::len)
            .collect();
        assert_eq!(sizes, [100, 25, 16, 30], "{metric}");
    }
}

#[test]
fn the_call_that_drifts_is_named_and_its_history_shortened() {
    let (run, label) = verdict(|_| {
        Fake::seeing().twisted(|reply, call| {
            if call >= 5 {
                reply.output_ids[3] = 99
            }
        })
    });
    assert_eq!(label, "STATE-DRIFT@5");
    let diverged = values(&run, Metric::DivergedCall);
    // The last is of the arm with faults, which count.
    assert_eq!(diverged, [5.0, 6.0, 5.0]);
    let margins = values(&run, Metric::MarginAtDivergence);
    assert_eq!(margins, vec![1.0; diverged.len()]);
    let expected = "fails: [5 x A] · passes: [4 x A]: call 5 about the same picture fails";
    assert_eq!(findings(&run), [expected]);
}

#[test]
fn a_second_picture_that_raises_is_an_error_at_its_call() {
    let (run, label) = verdict(|_| {
        let mut pictures = std::collections::BTreeSet::new();
        let mut seeing = Fake::seeing();
        Fake::new(move |request, _| {
            pictures.insert(request.images[0].to_vec());
            match pictures.len() {
                1 => Ok(seeing.ask(request)?.text),
                _ => Err("input operand has more dimensions than allowed".into()),
            }
        })
    });
    assert_eq!(label, "ERROR@2");
    let reasons = reasons(&run);
    assert!(
        reasons[0].starts_with("call 2: input operand"),
        "{reasons:?}"
    );
    assert!(reasons[0].ends_with("(inputs a, b)"), "{reasons:?}");
    let expected = "fails: [A, B] · passes: [B], [A]: the second picture call fails";
    assert_eq!(findings(&run), [expected]);
}

#[test]
fn errors_in_between_are_survived_or_named() {
    // Refuses what is too long and goes on.
    let refusing = |broken: bool| {
        move |_: &Epoch| {
            let (mut seeing, mut refused) = (Fake::seeing(), false);
            Fake::new(move |request, _| {
                if request.messages[0].text.len() > 100_000 {
                    refused = true;
                    return Err("140000 positions, room for 8192".into());
                }
                match refused && broken {
                    true => Err("the cache is in use".into()),
                    false => Ok(seeing.ask(request)?.text),
                }
            })
        }
    };
    let (run, label) = verdict(refusing(false));
    assert_eq!((label.as_str(), reasons(&run).len()), ("STABLE", 0));
    let (run, label) = verdict(refusing(true));
    assert_eq!(label, "ERROR@3");
    let expected = "fails: [over-long, A] · passes: [A]: a call after an over-long prompt fails";
    assert_eq!(findings(&run), [expected]);
}

#[test]
fn an_answer_cut_off_that_is_remembered_is_drift() {
    let (run, label) = verdict(|_| {
        let mut cut = false;
        Fake::seeing().twisted(move |reply, _| {
            if cut {
                reply.output_ids[0] = 98;
            }
            cut |= reply.output_ids.len() < 16;
        })
    });
    assert_eq!(label, "STATE-DRIFT@5");
    let found = findings(&run)[0].to_owned();
    assert!(
        found.starts_with("fails: [cut-off, A] · passes: [A]"),
        "{found}"
    );
    assert!(
        found.ends_with("a call after an answer that was cut off fails"),
        "{found}"
    );
}

#[test]
fn what_does_not_fail_again_is_no_matter_of_the_calls() {
    let (run, label) = verdict(|epoch| {
        let once = epoch.arm == "same";
        Fake::seeing().twisted(move |reply, call| {
            if once && call == 3 {
                reply.output_ids[0] = 98;
            }
        })
    });
    assert_eq!(label, "STATE-DRIFT@3");
    assert!(findings(&run)[0].starts_with("failed once: [A, A, A]; "));
}

#[test]
fn fresh_processes_that_differ_are_not_drift() {
    let mut process = 0;
    let (run, label) = verdict(|_| {
        process += 1;
        let shift = process;
        Fake::seeing().twisted(move |reply, _| reply.output_ids[1] = shift)
    });
    assert_eq!(label, "NONDETERMINISTIC");
    assert_eq!(
        findings(&run),
        Vec::<&str>::new(),
        "there is nothing to search for"
    );
}

#[test]
fn sampling_that_sets_in_after_the_first_call_is_drift() {
    let mut process = 0;
    let (_, label) = verdict(|_| {
        process += 1;
        let shift = process;
        Fake::seeing().twisted(move |reply, call| {
            if call > 1 {
                reply.output_ids[0] = shift;
                reply.first_logits[0] += shift as f32;
            }
        })
    });
    assert_eq!(label, "STATE-DRIFT@2");
}

#[test]
fn a_flip_within_the_noise_is_a_near_tie() {
    let mut process = 0;
    let (run, label) = verdict(|_| {
        process += 1;
        let shift = 0.01 * process as f32;
        Fake::seeing().twisted(move |reply, call| {
            reply.first_logits[0] += shift;
            reply.margins.fill(0.001);
            if call == 3 {
                reply.output_ids[9] = 98;
            }
        })
    });
    assert_eq!(label, "NEAR-TIE");
    assert_eq!(
        findings(&run),
        Vec::<&str>::new(),
        "a near tie is no failure"
    );
}

#[test]
fn a_mebibyte_a_call_leaks() {
    let room = Room::default();
    let (_, label) = slow_verdict(&room, |_| {
        let held = Rc::clone(&room.footprint);
        held.set(0.0);
        Fake::seeing().twisted(move |_, _| held.set(held.get() + MIB))
    });
    assert_eq!(label, "LEAK");
}

#[test]
fn one_late_allocation_is_a_plateau() {
    let room = Room::default();
    let (_, label) = slow_verdict(&room, |_| {
        let held = Rc::clone(&room.footprint);
        held.set(0.0);
        Fake::seeing().twisted(move |_, call| {
            if call == 60 {
                held.set(64.0 * MIB);
            }
        })
    });
    assert_eq!(label, "PLATEAU");
}

#[test]
fn one_percent_a_call_that_a_fresh_process_has_not_is_a_slowdown_by_state() {
    let (run, label) = slow_verdict(&Room::default(), |_| slower(|call| 0.01 * call as f64));
    assert_eq!(label, "SLOWDOWN(state)");
    assert!(values(&run, Metric::SecondInference).len() > 20);
    assert_eq!(values(&run, Metric::FreshInference).len(), EXTRA as usize);
    let rested = run.sample(Metric::RestedInference).unwrap();
    assert_eq!(rested.epochs[0].len(), EXTRA as usize);
}

#[test]
fn a_course_that_a_second_process_has_not_is_the_machine() {
    let (run, label) = slow_verdict(&Room::default(), |epoch| {
        let step = if epoch.arm == "same" { 0.01 } else { 0.0 };
        slower(move |call| step * call as f64)
    });
    assert_eq!(label, "SLOWDOWN(machine)");
    assert!(values(&run, Metric::SecondInference).len() > 20);
}

#[test]
fn what_a_rest_takes_away_is_heat() {
    let room = Room::default();
    let heat = Rc::clone(&room.heat);
    let (_, label) = slow_verdict(&room, |_| {
        let heat = Rc::clone(&heat);
        slower(move |_| {
            heat.set(heat.get() + 0.01);
            heat.get()
        })
    });
    assert_eq!(label, "SLOWDOWN(thermal)");
}

#[test]
fn what_a_fresh_process_has_too_is_the_machine() {
    let calls = Rc::new(Cell::new(0.0));
    let (_, label) = slow_verdict(&Room::default(), |epoch| {
        let long = epoch.arm == "same" || epoch.arm.starts_with("again");
        let calls = Rc::clone(&calls);
        slower(move |_| {
            calls.set(calls.get() + if long { 0.01 } else { 0.0 });
            calls.get()
        })
    });
    assert_eq!(label, "SLOWDOWN(machine)");
}

#[test]
fn a_model_that_never_answers_fails_the_cell() {
    let (run, label) = verdict(|_| Fake::new(|_, _| Err("out of memory".into())));
    assert_eq!(label, "ERROR");
    assert!(matches!(run.outcome, store::Outcome::Failed { .. }));
}

#[test]
fn logits_that_are_no_numbers_are_void() {
    let (run, _) = verdict(|_| {
        Fake::seeing()
            .twisted(|reply, call| reply.first_logits[0] = if call > 1 { f32::NAN } else { 0.5 })
    });
    let reasons = reasons(&run);
    assert!(reasons.contains(&"not a finite number"), "{reasons:?}");
}

#[test]
fn every_arm_of_every_profile_is_known() {
    for epoch in Profile::ALL
        .into_iter()
        .flat_map(|profile| StateDrift.epochs(profile))
    {
        assert!(Arm::of(&epoch.arm).is_some(), "{epoch:?}");
    }
    let calls = ["a", "over-long", "b"].map(str::to_owned);
    let arm = Arm::of(&arm::replay(&calls).arm);
    assert_eq!(
        arm,
        Some(Arm::Replay(vec![Input::A, Input::OverLong, Input::B]))
    );
    assert_eq!(Arm::of("replay a x"), None);
    assert_eq!(Arm::of("fresh"), None);
}
