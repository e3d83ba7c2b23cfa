//! Vision encode, prefill and one decode step of SmolVLM-500M at full size with random weights.
//!
//! Bounds to read the figures by: a picture of 640 x 480 costs 2,799 GFLOP in the vision tower (13
//! tiles) and 598 GFLOP in the prefill (about 874 positions); a decoded token reads 362 million
//! parameters, 0.72 GB in bf16 as they are stored. `RAYON_NUM_THREADS=2 cargo bench --package harness --bench inference`

use std::time::Duration;

use criterion::{Criterion, criterion_group, criterion_main};
use harness::generate::Engine;
use harness::models::smolvlm::SmolVlm;
use harness::models::{Precision, Vlm};
use harness::source::{Network, WeightsChoice, resolve};
use harness::subject::{Message, Pass, Request, Stop};
use harness::tensor::Tensor;
use harness::tensor::candle::{Candle, On};

/// A picture of smooth colours as a PNG.
fn picture(width: u32, height: u32) -> Vec<u8> {
    let shade = |x: u32, y: u32| {
        image::Rgb([
            (x * 255 / width) as u8,
            (y * 255 / height) as u8,
            ((x ^ y) & 255) as u8,
        ])
    };
    let mut png = std::io::Cursor::new(Vec::new());
    image::RgbImage::from_fn(width, height, shade)
        .write_to(&mut png, image::ImageFormat::Png)
        .expect("an encodable picture");
    png.into_inner()
}

fn inference(c: &mut Criterion) {
    let model = resolve("SmolVLM-500M-Instruct", WeightsChoice::Dummy, Network::Off)
        .expect("a writable cache folder");
    let dir = model.dir.clone();
    let load = move || SmolVlm::<Candle>::load(&dir, &On::cpu(), Precision::Native);
    let engine = Engine::new(load, &model.dir).expect("a checkpoint just made");
    let model = engine.model().expect("loaded");
    let png = picture(640, 480);
    let (images, messages) = ([&png[..]], [Message::user("Describe this image.")]);
    let request = Request {
        images: &images,
        messages: &messages,
        max_new_tokens: 1,
        stop: Stop::AtLimit,
        pass: Pass::Fused,
    };
    let prompt = model.prompt(&request).expect("a picture and a question");

    let mut group = c.benchmark_group("smolvlm-500m");
    group
        .sample_size(10)
        .measurement_time(Duration::from_secs(20))
        .warm_up_time(Duration::from_secs(1));
    group.bench_function("vision encode 640x480", |b| {
        b.iter(|| model.encode(&prompt).expect("features").map(|f| f.dims()))
    });
    let features = model.encode(&prompt).expect("features");
    let capacity = prompt.ids.len() + 4096;
    let fill = |cache: &mut _| {
        model
            .prefill(&prompt, features.as_ref(), cache)
            .expect("logits")
    };
    group.bench_function("prefill", |b| {
        b.iter(|| {
            fill(&mut model.cache(prompt.ids.len()).expect("a cache"))
                .to_f32()
                .expect("logits")
        })
    });
    let mut cache = model.cache(capacity).expect("a cache");
    fill(&mut cache);
    group.bench_function("decode one token", |b| {
        b.iter(|| {
            model
                .step(42, &mut cache)
                .expect("room in the cache")
                .argmax()
                .and_then(|id| id.to_u32())
        })
    });
    group.finish();
}

criterion_group!(benches, inference);
criterion_main!(benches);
