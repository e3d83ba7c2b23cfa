#!/usr/bin/env python3
"""Writes a SmolVLM checkpoint as the two GGUF files that llama.cpp's server reads, in f32.

   smolvlm_gguf.py CHECKPOINT FOLDER      makes FOLDER/text.gguf and FOLDER/mmproj.gguf

Needs the packages gguf and numpy. llama.cpp puts one token of two line feeds before a picture's overview,
which the embedded checkpoint's small vocabulary lacks: a reserved token stands in for it, with the
embedding of one line feed, so that prompts with several tiles are one line feed shorter than ours."""
import json
import os
import struct
import sys

import gguf
import numpy as np

TEXT = {
    "embed_tokens": "token_embd", "input_layernorm": "attn_norm", "post_attention_layernorm": "ffn_norm",
    "self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k", "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output", "mlp.gate_proj": "ffn_gate", "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
}


LINE, BLANK, RESERVED = "\u010a", "\u010a\u010a", "<|reserved_special_token_0|>"


def read_json(folder, name):
    with open(os.path.join(folder, name), encoding="utf-8") as file:
        return json.load(file)


def weights(folder):
    """Names with bfloat16 tensors widened to float32, which is exact."""
    with open(os.path.join(folder, "model.safetensors"), "rb") as file:
        (length,) = struct.unpack("<Q", file.read(8))
        header, data = json.loads(file.read(length)), file.read()
    for name, entry in header.items():
        if name == "__metadata__":
            continue
        if entry["dtype"] != "BF16":
            sys.exit(f"{name}: {entry['dtype']}, only BF16 is read")
        start, end = entry["data_offsets"]
        halves = np.frombuffer(data[start:end], dtype="<u2").astype(np.uint32)
        yield name, (halves << 16).view(np.float32).reshape(entry["shape"])


def interleaved(weight, heads):
    """The checkpoint keeps the two halves of a rotation apart, llama.cpp side by side."""
    rows, columns = weight.shape
    return weight.reshape(heads, 2, rows // heads // 2, columns).swapaxes(1, 2).reshape(rows, columns)


def vocabulary(folder, size):
    tokenizer = read_json(folder, "tokenizer.json")
    tokens = {id: text for text, id in tokenizer["model"]["vocab"].items()}
    special = {token["id"]: token["content"] for token in tokenizer["added_tokens"]}
    tokens.update(special)
    texts = [tokens[id] for id in range(size)]
    if BLANK not in texts:
        stand_in = texts.index(RESERVED)
        texts[stand_in] = BLANK
        del special[stand_in]
    kinds = [gguf.TokenType.CONTROL if id in special else gguf.TokenType.NORMAL for id in range(size)]
    merges = [pair if isinstance(pair, str) else " ".join(pair) for pair in tokenizer["model"]["merges"]]
    return texts, kinds, merges


def finish(writer, tensors):
    for name, tensor in tensors:
        writer.add_tensor(name, np.ascontiguousarray(tensor, dtype=np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def write_text(folder, into):
    config = read_json(folder, "config.json")["text_config"]
    heads, kv_heads = config["num_attention_heads"], config["num_key_value_heads"]
    writer = gguf.GGUFWriter(os.path.join(into, "text.gguf"), "llama")
    writer.add_file_type(gguf.LlamaFileType.ALL_F32)
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(config["hidden_size"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_head_count(heads)
    writer.add_head_count_kv(kv_heads)
    writer.add_rope_freq_base(config["rope_theta"])
    writer.add_rope_dimension_count(config["head_dim"])
    writer.add_layer_norm_rms_eps(config["rms_norm_eps"])
    writer.add_vocab_size(config["vocab_size"])
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("smollm")
    tokens, kinds, merges = vocabulary(folder, config["vocab_size"])
    writer.add_token_list(tokens)
    writer.add_token_types(kinds)
    writer.add_token_merges(merges)
    writer.add_bos_token_id(config["bos_token_id"])
    writer.add_eos_token_id(config["eos_token_id"])
    writer.add_pad_token_id(config["pad_token_id"])
    writer.add_add_bos_token(False)
    writer.add_add_space_prefix(False)
    writer.add_chat_template(read_json(folder, "chat_template.json")["chat_template"])

    def tensors():
        for name, weight in weights(folder):
            if name == "lm_head.weight":
                yield "output.weight", weight
            elif name == "model.text_model.norm.weight":
                yield "output_norm.weight", weight
            elif name.startswith("model.text_model."):
                name = name.removeprefix("model.text_model.").replace("layers.", "blk.")
                if ".q_proj" in name:
                    weight = interleaved(weight, heads)
                elif ".k_proj" in name:
                    weight = interleaved(weight, kv_heads)
                elif name == "embed_tokens.weight" and RESERVED not in tokens:
                    # A vocabulary with the token has it trained; a stand-in has none of its own.
                    weight = weight.copy()
                    weight[tokens.index(BLANK)] = weight[tokens.index(LINE)]
                for theirs, ours in TEXT.items():
                    name = name.replace(theirs, ours)
                yield name, weight

    finish(writer, tensors())


def write_projector(folder, into):
    config, preparation = read_json(folder, "config.json"), read_json(folder, "preprocessor_config.json")
    vision = config["vision_config"]
    writer = gguf.GGUFWriter(os.path.join(into, "mmproj.gguf"), "clip")
    writer.add_type(gguf.GGUFType.MMPROJ)
    writer.add_file_type(gguf.LlamaFileType.ALL_F32)
    writer.add_clip_has_vision_encoder(True)
    writer.add_clip_projector_type(gguf.VisionProjectorType.IDEFICS3)
    writer.add_vision_projection_dim(config["text_config"]["hidden_size"])
    writer.add_vision_image_size(vision["image_size"])
    writer.add_vision_patch_size(vision["patch_size"])
    writer.add_vision_embedding_length(vision["hidden_size"])
    writer.add_vision_feed_forward_length(vision["intermediate_size"])
    writer.add_vision_block_count(vision["num_hidden_layers"])
    writer.add_vision_head_count(vision["num_attention_heads"])
    writer.add_vision_attention_layernorm_eps(vision["layer_norm_eps"])
    writer.add_vision_image_mean(preparation["image_mean"])
    writer.add_vision_image_std(preparation["image_std"])
    writer.add_vision_projector_scale_factor(config["scale_factor"])
    writer.add_vision_preproc_image_size(preparation["size"]["longest_edge"])
    writer.add_vision_use_gelu(True)
    names = gguf.get_tensor_name_map(gguf.MODEL_ARCH.MMPROJ, vision["num_hidden_layers"])
    suffixes = (".weight", ".bias")
    parts = ("model.vision_model.", "model.connector.")
    finish(writer, ((names.get_name(name, try_suffixes=suffixes), weight)
                    for name, weight in weights(folder) if name.startswith(parts)))


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    checkpoint, folder = sys.argv[1:]
    os.makedirs(folder, exist_ok=True)
    write_text(checkpoint, folder)
    write_projector(checkpoint, folder)


if __name__ == "__main__":
    main()
