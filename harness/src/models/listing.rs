//! Which tensors a publication of a model consists of: the twin of [`crate::weights::Weights`] that
//! writes names and sizes down where that one reads them.

use std::fmt::Display;

use crate::models::published::{Form, Groups, Layout};
use crate::tensor::DType;
use crate::weights::Bias;

/// One stored tensor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// Full name.
    pub name: String,
    /// Sizes.
    pub dims: Vec<usize>,
    /// Stored type.
    pub dtype: DType,
    /// What it is for.
    pub content: Content,
}

/// What a tensor is for, which decides how its values are spread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Content {
    /// Factors of a norm, around 1.
    Norm,
    /// One axis: biases and learned vectors, around 0.
    Vector,
    /// Matrices, kernels and tables, around 0.
    Matrix,
    /// Packed codes of a quantised matrix, see [`crate::tensor::affine`].
    Codes,
    /// Its scales, one a group of codes.
    Scales(Groups),
    /// Its offsets, likewise.
    Biases(Groups),
}

/// Tensors listed so far.
#[derive(Clone, Debug)]
pub struct Listing {
    form: Form,
    all: Vec<Stored>,
}

impl Listing {
    /// An empty list for a publication of that form.
    #[must_use]
    pub const fn new(form: Form) -> Self {
        let all = Vec::new();
        Self { form, all }
    }

    /// A place in the tree of names; the root for an empty `prefix`.
    pub fn at(&mut self, prefix: impl Display) -> Place<'_> {
        let prefix = prefix.to_string();
        let Self { form, all } = self;
        Place {
            form: *form,
            all,
            prefix,
        }
    }

    /// All of them: wider types first, else by name, as safetensors' own writer orders them.
    #[must_use]
    pub fn finish(mut self) -> Vec<Stored> {
        let wider = |s: &Stored| std::cmp::Reverse(s.dtype.size());
        self.all
            .sort_by(|a, b| (wider(a), &a.name).cmp(&(wider(b), &b.name)));
        self.all
    }
}

/// A place in the tree of names, where tensors are written down.
#[derive(Debug)]
pub struct Place<'a> {
    form: Form,
    all: &'a mut Vec<Stored>,
    prefix: String,
}

impl Place<'_> {
    /// The place one step, or several joined by dots, below; the same place for an empty one.
    pub fn at(&mut self, step: impl Display) -> Place<'_> {
        let step = step.to_string();
        let prefix = match step.as_str() {
            "" => self.prefix.clone(),
            step => self.name(step),
        };
        Place {
            form: self.form,
            all: self.all,
            prefix,
        }
    }

    /// How tensors are named and laid out.
    #[must_use]
    pub const fn layout(&self) -> Layout {
        self.form.layout
    }

    /// Floats of exactly this name.
    pub fn tensor(&mut self, name: &str, dims: &[usize]) {
        let content = match dims {
            [_] => Content::Vector,
            _ => Content::Matrix,
        };
        self.add(name, dims, self.form.float, content);
    }

    /// `name.weight` `[n]` of a norm.
    pub fn norm(&mut self, name: &str, n: usize) {
        let weight = format!("{name}.weight");
        self.add(&weight, &[n], self.form.float, Content::Norm);
    }

    /// `name.weight` and `name.bias` `[n]` of a norm.
    pub fn norm_biased(&mut self, name: &str, n: usize) {
        self.norm(name, n);
        self.tensor(&format!("{name}.bias"), &[n]);
    }

    /// `name.weight` `[n, k]`; codes, scales and biases where the publication is quantised and its
    /// groups divide `k` (MLX quantises every linear layer and embedding that allows it).
    pub fn linear(&mut self, name: &str, n: usize, k: usize) {
        let weight = format!("{name}.weight");
        let groups = self.form.affine.filter(|g| k.is_multiple_of(g.group));
        let Some(groups) = groups else {
            return self.tensor(&weight, &[n, k]);
        };
        let packed = k * groups.bits / 32;
        self.add(&weight, &[n, packed], DType::U32, Content::Codes);
        for (part, content) in [
            ("scales", Content::Scales(groups)),
            ("biases", Content::Biases(groups)),
        ] {
            let dims = [n, k / groups.group];
            self.add(&format!("{name}.{part}"), &dims, self.form.float, content);
        }
    }

    /// The same with `name.bias` `[n]`, which is never quantised.
    pub fn biased(&mut self, name: &str, n: usize, k: usize) {
        self.linear(name, n, k);
        self.tensor(&format!("{name}.bias"), &[n]);
    }

    /// A table of `n` rows: stored as a linear layer is.
    pub fn embedding(&mut self, name: &str, n: usize, k: usize) {
        self.linear(name, n, k);
    }

    /// A convolution of `n` kernels over square patches of RGB, which is never quantised.
    pub fn patch_embedding(&mut self, name: &str, n: usize, patch: usize, bias: Bias) {
        let kernel = match self.form.layout {
            Layout::HuggingFace => [n, 3, patch, patch],
            Layout::Mlx => [n, patch, patch, 3],
        };
        self.tensor(&format!("{name}.weight"), &kernel);
        if bias == Bias::Stored {
            self.tensor(&format!("{name}.bias"), &[n]);
        }
    }

    fn name(&self, name: &str) -> String {
        match self.prefix.as_str() {
            "" => name.to_owned(),
            prefix => format!("{prefix}.{name}"),
        }
    }

    fn add(&mut self, name: &str, dims: &[usize], dtype: DType, content: Content) {
        let (name, dims) = (self.name(name), dims.to_vec());
        self.all.push(Stored {
            name,
            dims,
            dtype,
            content,
        });
    }
}
