//! The published models this program knows by name.

use crate::tensor::DType;

/// A model of the guide.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Published {
    /// Name in tables.
    pub name: &'static str,
    /// Repository on the hub.
    pub repository: &'static str,
    /// Pinned commit, 40 hex digits; none where it is not known to us: then the user names one, or
    /// the commit that the repository's main branch is at is looked up and recorded.
    pub revision: Option<&'static str>,
    /// Where the tokenizer in force is, as repository and pinned commit, if not in the repository
    /// itself.
    pub tokenizer: Option<(&'static str, &'static str)>,
    /// How its tensors are stored.
    pub form: Form,
}

/// How a publication stores a model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Form {
    /// How tensors are named and laid out.
    pub layout: Layout,
    /// Type of what is not quantised, and of scales.
    pub float: DType,
    /// How linear layers and embeddings are quantised, if they are.
    pub affine: Option<Groups>,
}

/// Affine quantisation, see [`crate::tensor::affine`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Groups {
    /// Bits of a code: 4 or 8.
    pub bits: usize,
    /// Codes that share a scale and an offset.
    pub group: usize,
}

/// Tensor names and kernel layout of a publication.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// Hugging Face's names, kernels `[out, in, h, w]`.
    HuggingFace,
    /// MLX's names, kernels `[out, h, w, in]`.
    Mlx,
}

/// Every model that can be named.
pub const PUBLISHED: &[Published] = &[
    Published {
        name: "SmolVLM2-500M-Video-Instruct",
        repository: "mlx-community/SmolVLM2-500M-Video-Instruct-mlx",
        revision: Some("fa57db46815177fbdfd65cc85a2b3416a8332268"),
        tokenizer: None,
        form: Form {
            layout: Layout::Mlx,
            float: DType::BF16,
            affine: None,
        },
    },
    Published {
        name: "SmolVLM-500M-Instruct",
        repository: "HuggingFaceTB/SmolVLM-500M-Instruct",
        revision: Some("a7da5b986cb59b408707209984f360a5f4ad7e47"),
        tokenizer: None,
        form: Form {
            layout: Layout::HuggingFace,
            float: DType::BF16,
            affine: None,
        },
    },
    Published {
        name: "Moondream2",
        repository: "vikhyatk/moondream2",
        revision: Some("6b714b26eea5cbd9f31e4edb2541c170afa935ba"),
        // The tokenizer.json beside these weights is of an older revision; the published code loads
        // this one by name.
        tokenizer: Some((
            "moondream/starmie-v1",
            "35192e10a54e36eabe0a7cc57a2c1aab371cafc5",
        )),
        form: Form {
            layout: Layout::HuggingFace,
            float: DType::BF16,
            affine: None,
        },
    },
    Published {
        name: "Phi-3.5-Vision-Instruct",
        repository: "mlx-community/Phi-3.5-vision-instruct-4bit",
        revision: None,
        tokenizer: None,
        form: MLX_4_BIT,
    },
    Published {
        name: "LLaVA-v1.6-Mistral-7B-MLX",
        repository: "mlx-community/llava-v1.6-mistral-7b-4bit",
        revision: None,
        tokenizer: None,
        form: MLX_4_BIT,
    },
];

/// What mlx-vlm's converter made in 2024: every linear layer and embedding in 4 bits, the rest f16.
const MLX_4_BIT: Form = Form {
    layout: Layout::Mlx,
    float: DType::F16,
    affine: Some(Groups { bits: 4, group: 64 }),
};

/// The model of that name or repository.
#[must_use]
pub fn find(name: &str) -> Option<&'static Published> {
    PUBLISHED
        .iter()
        .find(|model| model.name.eq_ignore_ascii_case(name) || model.repository == name)
}
