//! Connections that break, servers that are busy, disks that are full.

use std::fs;

use crate::server::Answer;
use crate::{User, WEIGHT_BYTES, check_failed, check_ok, hub, ranges, weights, weights_hub};

#[test]
fn a_dropped_connection_goes_on_where_it_stopped() {
    let drops = [1_000_000, 2_500_000];
    let hub = weights_hub(move |asked, before, right| {
        let cut = drops
            .get(before)
            .map(|at| at - asked.range.unwrap_or(0) as usize);
        Answer { cut, ..right }
    });
    let user = User::new();
    check_ok(&user.fetch(&hub));
    user.check_whole();
    assert_eq!(ranges(&hub), [None, Some(1_000_000), Some(2_500_000)]);
}

#[test]
fn a_download_given_up_is_taken_up_by_the_next_call() {
    let user = User::new();
    let broken = weights_hub(|_, before, right| match before {
        0 => Answer {
            cut: Some(2_000_000),
            ..right
        },
        _ => Answer::status(404).with("X-Error-Code", "EntryNotFound"),
    });
    check_failed(
        &user.fetch(&broken),
        &["model.safetensors: no such file in the repository"],
    );
    user.check_absent();
    let hub = hub();
    let output = user.fetch(&hub);
    check_ok(&output);
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(stderr.contains("2.0 MB here already"), "{stderr}");
    user.check_whole();
    assert_eq!(ranges(&hub), [Some(2_000_000)]);
}

#[test]
fn a_server_that_cannot_go_on_starts_anew() {
    let hub = weights_hub(|_, before, right| {
        let whole = Answer {
            body: weights(),
            ..Answer::status(200)
        };
        match before {
            0 => Answer {
                cut: Some(1_500_000),
                ..right
            },
            _ => whole,
        }
    });
    let user = User::new();
    check_ok(&user.fetch(&hub));
    user.check_whole();
}

#[test]
fn a_body_that_always_ends_early_is_given_up_and_never_named() {
    // Announces less than the listing, so that the connection itself looks complete.
    let hub = weights_hub(|_, _, right| Answer {
        body: right.body[..right.body.len().min(1000)].to_vec(),
        ..right
    });
    let user = User::new();
    check_failed(
        &user.fetch(&hub),
        &["model.safetensors", "1000 bytes", "3145728"],
    );
    user.check_absent();
}

#[test]
fn a_server_that_always_breaks_off_is_given_up() {
    let hub = weights_hub(|_, _, right| Answer {
        cut: Some(0),
        ..right
    });
    let user = User::new();
    check_failed(
        &user.fetch(&hub),
        &["model.safetensors", "gave up after 6 attempts"],
    );
    assert_eq!(ranges(&hub).len(), 6);
    user.check_absent();
}

#[test]
fn a_busy_server_is_given_the_time_it_asks_for() {
    let hub = weights_hub(|_, before, right| match before {
        0 => Answer::status(429).with("Retry-After", 1),
        _ => right,
    });
    let (user, start) = (User::new(), std::time::Instant::now());
    check_ok(&user.fetch(&hub));
    assert!(start.elapsed().as_secs_f64() >= 1.0);
    user.check_whole();

    let hub = weights_hub(|_, _, _| Answer::status(429).with("Retry-After", 4000));
    check_failed(
        &User::new().fetch(&hub),
        &["status 429", "come back in 4000 s"],
    );
    assert_eq!(ranges(&hub).len(), 1);
}

#[test]
fn a_part_of_something_else_is_not_trusted() {
    let (hub, user) = (hub(), User::new());
    fs::create_dir_all(user.folder().join("blobs")).unwrap();
    fs::write(user.partial(), vec![7; WEIGHT_BYTES + 1]).unwrap();
    check_ok(&user.fetch(&hub));
    user.check_whole();
    assert_eq!(ranges(&hub), [None]);
}

#[test]
fn two_processes_do_not_write_one_file() {
    let (hub, user) = (hub(), User::new());
    fs::create_dir_all(user.folder().join("blobs")).unwrap();
    let other = fs::File::create(user.partial()).unwrap();
    other.lock().unwrap();
    check_failed(&user.fetch(&hub), &["another process is fetching it"]);
    drop(other);
    check_ok(&user.fetch(&hub));
    user.check_whole();
}

#[test]
#[cfg(target_os = "linux")]
fn a_full_disk_leaves_nothing_behind() {
    let (hub, user) = (hub(), User::new());
    fs::create_dir_all(user.folder().join("blobs")).unwrap();
    std::os::unix::fs::symlink("/dev/full", user.partial()).unwrap();
    check_failed(
        &user.fetch(&hub),
        &["model.safetensors", "disk is full", "4 MB"],
    );
    user.check_absent();
    assert!(fs::symlink_metadata(user.partial()).is_err());
    check_ok(&user.fetch(&hub));
    user.check_whole();
}
