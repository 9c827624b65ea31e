"""Tiny vision-language networks with random weights, saved as a user's are, and messages for them."""

import json

import numpy as np
import torch
import transformers
from langchain_core.messages import HumanMessage
from tokenizers import Tokenizer, pre_tokenizers
from tokenizers.models import WordLevel

from som_agent.history import VISIBLE, History, MarkInfo, Trace
from som_agent.lmm.pictures import image_block

_SPECIAL = ["<unk>", "<pad>", "<s>", "</s>", "<image>"]
WORDS = [*_SPECIAL, "USER", ":", "ASSISTANT", "[", "]", "1", "2", "3", "red", "cup"]
QWEN = ["<|im_start|>", "<|im_end|>", "<|vision_start|>", "<|vision_end|>", "<|image_pad|>", "<|video_pad|>"]
SIDE, PATCH = 28, 14
TEXT = {
    "hidden_size": 16,
    "intermediate_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "num_key_value_heads": 2,
}
VISION = {
    "model_type": "clip_vision_model",
    "hidden_size": 16,
    "intermediate_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "image_size": SIDE,
    "patch_size": PATCH,
    "projection_dim": 16,
}
ENDS = {"bos_token_id": 2, "eos_token_id": 3, "pad_token_id": 1}
QWEN_TEMPLATE = (
    "{% for m in messages %}<|im_start|> {{ m['role'] }} "
    "{% if m['content'] is string %}{{ m['content'] }}{% else %}{% for c in m['content'] %}"
    "{% if c['type'] == 'image' %}<|vision_start|><|image_pad|><|vision_end|>"
    "{% else %}{{ c['text'] }}{% endif %}"
    "{% endfor %}{% endif %}<|im_end|> {% endfor %}"
    "{% if add_generation_prompt %}<|im_start|> assistant {% endif %}"
)


def words_tokenizer(words, special, **options):
    """A tokenizer of whole words."""
    vocabulary = Tokenizer(WordLevel({word: i for i, word in enumerate(words)}, unk_token="<unk>"))
    vocabulary.pre_tokenizer = pre_tokenizers.Whitespace()
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=vocabulary,
        unk_token="<unk>",
        pad_token="<pad>",
        additional_special_tokens=special,
        **options,
    )


def shake(model, seed=0, std=0.5):
    """Large weights, so that a reply depends on what is shown."""
    torch.manual_seed(seed)
    for weight in model.parameters():
        torch.nn.init.normal_(weight, std=std)
    return model


def clip_processor():
    return transformers.CLIPImageProcessor(
        size={"shortest_edge": SIDE}, crop_size={"height": SIDE, "width": SIDE}
    )


def save_llava(folder, old_processor=False, reach=128):
    """A LLaVA of two layers in the format of transformers, with a vocabulary of fifteen words."""
    details = (
        {}
        if old_processor
        else {
            "patch_size": PATCH,
            "vision_feature_select_strategy": "default",
            "num_additional_image_tokens": 1,
        }
    )
    processor = transformers.LlavaProcessor(
        image_processor=clip_processor(),
        tokenizer=words_tokenizer(WORDS, ["<image>"], bos_token="<s>", eos_token="</s>"),
        **details,
    )
    config = transformers.LlavaConfig(
        vision_config=VISION,
        text_config={
            "model_type": "llama",
            "vocab_size": len(WORDS),
            "max_position_embeddings": reach,
            "bos_token_id": 2,
            "eos_token_id": 3,
            "pad_token_id": 1,
            **TEXT,
        },
        image_token_index=4,
    )
    model = shake(transformers.LlavaForConditionalGeneration(config))
    model.generation_config.suppress_tokens = [0, 1, 2, 4]  # words alone, so that a reply can be read
    model.save_pretrained(folder)
    processor.save_pretrained(folder)
    return folder


def save_qwen(folder, reach=4096, template=QWEN_TEMPLATE):
    """A Qwen2-VL of two layers: pictures of any size, a token for each cell of 28 pixels."""
    words = ["<unk>", "<pad>", *QWEN, *WORDS[5:], "user", "assistant", "system"]
    at = {word: i for i, word in enumerate(words)}
    tokenizer = words_tokenizer(words, QWEN, eos_token="<|im_end|>")
    size = {"shortest_edge": 28 * 28, "longest_edge": 4 * 28 * 28}
    processor = transformers.Qwen2VLProcessor(
        image_processor=transformers.Qwen2VLImageProcessor(size=size),
        tokenizer=tokenizer,
        video_processor=transformers.Qwen2VLVideoProcessor(size=size),
        chat_template=template,
    )
    config = transformers.Qwen2VLConfig(
        text_config={
            "vocab_size": len(words),
            "max_position_embeddings": reach,
            "rope_parameters": {"rope_type": "default", "mrope_section": [1, 1, 2], "rope_theta": 1e4},
            "eos_token_id": at["<|im_end|>"],
            "pad_token_id": 1,
            "bos_token_id": None,
            **TEXT,
        },
        vision_config={
            "depth": 2,
            "embed_dim": 16,
            "hidden_size": 16,
            "num_heads": 2,
            "mlp_ratio": 2,
            "patch_size": 14,
        },
        image_token_id=at["<|image_pad|>"],
        video_token_id=at["<|video_pad|>"],
        vision_start_token_id=at["<|vision_start|>"],
        vision_end_token_id=at["<|vision_end|>"],
    )
    model = shake(transformers.Qwen2VLForConditionalGeneration(config))
    model.generation_config.eos_token_id = at["<|im_end|>"]
    model.generation_config.suppress_tokens = [0, 1, *(at[word] for word in QWEN if word != "<|im_end|>")]
    model.save_pretrained(folder)
    processor.save_pretrained(folder)
    return folder


TEMPLATE = (
    "{% for m in messages %}{{ m['role'] }} {% for c in m['content'] %}"
    "{% if c['type'] == 'image' %}<image>{% else %}{{ c['text'] }}{% endif %}{% endfor %} {% endfor %}"
    "ASSISTANT "
)


def save_llava_next(folder):
    """LLaVA-NeXT, which reads a picture whole and in tiles."""
    words, grid = [*WORDS, "user"], [[SIDE, 2 * SIDE], [2 * SIDE, SIDE]]
    processor = transformers.LlavaNextProcessor(
        transformers.LlavaNextImageProcessor(
            size={"shortest_edge": SIDE},
            crop_size={"height": SIDE, "width": SIDE},
            image_grid_pinpoints=grid,
        ),
        words_tokenizer(words, ["<image>"], bos_token="<s>", eos_token="</s>"),
        patch_size=PATCH,
        vision_feature_select_strategy="default",
        num_additional_image_tokens=1,
        chat_template=TEMPLATE,
    )
    config = transformers.LlavaNextConfig(
        vision_config=VISION,
        text_config={"model_type": "llama", "vocab_size": len(words), **ENDS, **TEXT},
        image_token_index=4,
        image_grid_pinpoints=grid,
    )
    shake(transformers.LlavaNextForConditionalGeneration(config)).save_pretrained(folder)
    processor.save_pretrained(folder)
    return folder


def save_idefics3(folder):
    """Idefics3, of SmolVLM's kind: rows and columns of tiles with tokens of their own."""
    around = ["<fake_token_around_image>", "<global-img>", "<end_of_utterance>"]
    tiles = [f"<row_{row}_col_{column}>" for row in range(1, 7) for column in range(1, 7)]
    words = [*WORDS, "user", *around, *tiles]
    processor = transformers.Idefics3Processor(
        transformers.Idefics3ImageProcessor(
            size={"longest_edge": 2 * SIDE}, max_image_size={"longest_edge": SIDE}
        ),
        words_tokenizer(words, ["<image>", *around, *tiles], bos_token="<s>", eos_token="</s>"),
        image_seq_len=1,
        chat_template=TEMPLATE,
    )
    vision = {key: value for key, value in VISION.items() if key not in {"model_type", "projection_dim"}}
    config = transformers.Idefics3Config(
        vision_config=vision,
        text_config={"model_type": "llama", "vocab_size": len(words), **ENDS, **TEXT},
        image_token_id=4,
        scale_factor=2,
        pad_token_id=1,
    )
    shake(transformers.Idefics3ForConditionalGeneration(config)).save_pretrained(folder)
    processor.save_pretrained(folder)
    return folder


def picture(seed, h=40, w=60):
    return np.random.default_rng(seed).integers(0, 255, (h, w, 3), dtype=np.uint8)


def ask(*parts):
    """One message: texts, and pictures as arrays or as blocks."""

    def block(part):
        if isinstance(part, str):
            return {"type": "text", "text": part}
        return part if isinstance(part, dict) else image_block(part)

    return [HumanMessage([block(part) for part in parts])]


def train_sentencepiece(folder):
    """A `tokenizer.model` as LLaMA's are: pairs of bytes merged, and bytes for what is unknown."""
    import sentencepiece

    lines = [
        "USER: which cup is red? ASSISTANT: the cup 3 is red, mark [3]",
        "A chat. USER: 1 2 3 ASSISTANT: [1]",
    ]
    corpus = folder / "corpus.txt"
    corpus.write_text("\n".join(lines * 20))
    sentencepiece.SentencePieceTrainer.train(
        input=str(corpus),
        model_prefix=str(folder / "tokenizer"),
        model_type="bpe",
        vocab_size=330,
        byte_fallback=True,
        character_coverage=1.0,
        split_digits=True,
        add_dummy_prefix=True,
        remove_extra_whitespaces=False,
        normalization_rule_name="identity",
        pad_id=-1,
        minloglevel=2,
    )
    corpus.unlink()
    (folder / "tokenizer.vocab").unlink()
    config = {
        "tokenizer_class": "LlamaTokenizer",
        "add_bos_token": True,
        "add_eos_token": False,
        "bos_token": "<s>",
        "eos_token": "</s>",
        "unk_token": "<unk>",
        "pad_token": "<unk>",
        "legacy": False,
        "model_max_length": 2048,
        "padding_side": "right",
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(config))
    return 330


def save_tower(folder, model):
    """The CLIP network that sees for `model`, as its makers publish it: with its half for text."""
    text = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    ends = {"bos_token_id": 8, "eos_token_id": 9}
    clip = transformers.CLIPModel(
        transformers.CLIPConfig(
            text_config={**text, **ends, "vocab_size": 10, "projection_dim": 16},
            vision_config=VISION,
            projection_dim=16,
        )
    )
    vision = model.model.vision_tower.state_dict()
    clip.vision_model.load_state_dict({name.removeprefix("vision_model."): w for name, w in vision.items()})
    clip.save_pretrained(folder)
    clip_processor().save_pretrained(folder)
    return folder


def save_both_formats(root, inside=False, safe=False, seed=0):
    """One LLaVA in the original format, with its CLIP network beside it, and in that of transformers.

    Args:
        root: where `original`, `clip` and `transformers` are made.
        inside: store the CLIP network in the original's files, too; `clip` then holds other weights.
        safe: the original in safetensors.
        seed: of the weights.
    """
    original = root / "original"
    original.mkdir()
    vocabulary = train_sentencepiece(original)
    text = {
        **TEXT,
        "vocab_size": vocabulary,
        "max_position_embeddings": 2048,
        "bos_token_id": 1,
        "eos_token_id": 2,
    }
    config = transformers.LlavaConfig(
        vision_config=VISION,
        text_config={"model_type": "llama", **text, "vocab_size": vocabulary + 1},
        image_token_index=vocabulary,
    )
    model = shake(transformers.LlavaForConditionalGeneration(config), seed)
    save_tower(
        root / "clip", shake(transformers.LlavaForConditionalGeneration(config), 7) if inside else model
    )

    language, projector = model.model.language_model, model.model.multi_modal_projector
    weights = {f"model.{name}": w for name, w in language.state_dict().items()}
    weights["lm_head.weight"] = model.lm_head.weight
    for name in ("model.embed_tokens.weight", "lm_head.weight"):
        weights[name] = weights[name].data[:vocabulary].clone()
    weights["model.layers.0.self_attn.rotary_emb.inv_freq"] = torch.ones(4)
    for at, layer in ((0, projector.linear_1), (2, projector.linear_2)):
        weights |= {f"model.mm_projector.{at}.{name}": w for name, w in layer.state_dict().items()}
    if inside:
        weights |= {
            "model.vision_tower.vision_tower.vision_model." + name.removeprefix("vision_model."): w
            for name, w in model.model.vision_tower.state_dict().items()
        }
    _save_shards(original, weights, safe)
    (original / "config.json").write_text(
        json.dumps(
            {
                "_name_or_path": "vicuna",
                "architectures": ["LlavaLlamaForCausalLM"],
                "model_type": "llava",
                "hidden_act": "silu",
                "image_aspect_ratio": "pad",
                "mm_hidden_size": 16,
                "mm_projector_type": "mlp2x_gelu",
                "mm_use_im_patch_token": False,
                "mm_use_im_start_end": False,
                "mm_vision_select_feature": "patch",
                "mm_vision_select_layer": -2,
                "mm_vision_tower": str(root / "clip"),
                "pad_token_id": 0,
                "rms_norm_eps": config.text_config.rms_norm_eps,
                "tie_word_embeddings": False,
                "torch_dtype": "float32",
                "use_cache": True,
                **text,
            }
        )
    )

    tokenizer = transformers.LlamaTokenizer.from_pretrained(original, legacy=True)
    tokenizer.add_tokens(["<image>"], special_tokens=True)
    model.save_pretrained(root / "transformers")
    transformers.LlavaProcessor(
        clip_processor(), tokenizer, PATCH, "default", num_additional_image_tokens=1
    ).save_pretrained(root / "transformers")
    return original, root / "transformers"


def _save_shards(folder, weights, safe):
    """In two files and an index, as early versions of transformers did."""
    from safetensors.torch import save_file

    begin, end = ("model", "safetensors") if safe else ("pytorch_model", "bin")
    names = sorted(weights)
    shards = {
        f"{begin}-00001-of-00002.{end}": names[: len(names) // 2],
        f"{begin}-00002-of-00002.{end}": names[len(names) // 2 :],
    }
    for file, held in shards.items():
        tensors = {name: weights[name].detach().clone() for name in held}
        (save_file if safe else torch.save)(tensors, folder / file)
    index = {"metadata": {}, "weight_map": {name: file for file, held in shards.items() for name in held}}
    (folder / f"{begin}.{end}.index.json").write_text(json.dumps(index))


def short_history():
    """Two frames of 60×40 with one mark."""
    trace = Trace(
        frames=np.arange(2, dtype=np.int32),
        times=np.arange(2) / 10,
        states=np.full(2, VISIBLE, np.int8),
        boxes=np.tile(np.float32([1, 1, 9, 9]), (2, 1)),
        areas=np.full(2, 64, np.int32),
        anchors=np.full((2, 2), 5, np.float32),
        scores=np.ones(2, np.float32),
        colors=np.zeros((2, 11), np.uint8),
        rles=["", ""],
    )
    return History(
        (60, 40), trace.frames, trace.times, {1: MarkInfo(1, "1", (0, 0, 0))}, {1: trace}, "labels:masks"
    )
