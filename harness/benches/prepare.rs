//! What the host does before the model starts: a picture to frames, a conversation to ids.

use std::hint::black_box;
use std::path::{Path, PathBuf};

use criterion::{Criterion, criterion_group, criterion_main};
use harness::chat::ChatTemplate;
use harness::models::smolvlm::image::{ImageConfig, prepare};
use harness::models::smolvlm::prompt::{Grid, expand};
use harness::photographs::Photographs;
use harness::picture::{Filter, Normaliser, Picture};
use harness::subject::Message;
use harness::tokenizer::Tokenizer;

/// SmolVLM-500M's published settings.
const PUBLISHED: ImageConfig = ImageConfig {
    longest_edge: 2048,
    tile: 512,
    split: true,
    normaliser: Normaliser {
        mean: [0.5; 3],
        std: [0.5; 3],
        rescale: 1.0 / 255.0,
    },
    filter: Filter::Lanczos,
};

/// A gradient with some texture, so that no pass works on constants.
fn picture(width: usize, height: usize) -> Picture {
    let rgb = (0..3 * width * height)
        .map(|i| (i / 3 % width + i * i % 31) as u8)
        .collect();
    Picture { width, height, rgb }
}

fn images(criterion: &mut Criterion) {
    let picture = picture(640, 480);
    criterion.bench_function("prepare 640x480, edge 2048, tiles 512", |bencher| {
        bencher.iter(|| prepare(black_box(&picture), &PUBLISHED));
    });
    criterion.bench_function("resize 640x480 to 2048x1536, Lanczos", |bencher| {
        bencher.iter(|| black_box(&picture).resize(2048, 1536, Filter::Lanczos));
    });
}

/// What a trial's picture costs before its request: overhead of the harness, outside all clocks.
fn novel(criterion: &mut Criterion) {
    let photographs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../datasets/photographs");
    let photographs = Photographs::load(&photographs).expect("photographs");
    let mut seed = 0;
    criterion.bench_function("draw a new scene of 448x448", |bencher| {
        bencher.iter(|| {
            seed += 1;
            harness::scenes::novel((448, 448), seed)
        });
    });
    criterion.bench_function("make a new photograph", |bencher| {
        bencher.iter(|| {
            seed += 1;
            photographs.novel(seed)
        });
    });
}

/// 874 ids with the published tokenizer (a folder in `VLM_BENCH_TOKENIZERS`), 875 with the embedded one, whose
/// vocabulary has no token for two newlines.
fn prompts(criterion: &mut Criterion) {
    let embedded = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../datasets/checkpoints/tiny-smolvlm-500m-instruct");
    let published = std::env::var_os("VLM_BENCH_TOKENIZERS")
        .map(|folder| PathBuf::from(folder).join("smolvlm"));
    let template = ChatTemplate::load(&embedded).expect("the embedded checkpoint has a template");
    let tokenizer = Tokenizer::load(published.as_ref().unwrap_or(&embedded))
        .expect("the folder has a tokenizer");
    let messages = [Message::user("Describe this image.")];
    let build = || {
        let prompt = template.render(black_box(&messages), 1, |_| String::new())?;
        tokenizer.encode(&expand(&prompt, &[Grid { rows: 3, cols: 4 }], 64)?)
    };
    let count = build().expect("the prompt can be built").len();
    criterion.bench_function(&format!("prompt of {count} ids"), |bencher| {
        bencher.iter(build)
    });
}

criterion_group!(prepare_inputs, images, novel, prompts);
criterion_main!(prepare_inputs);
