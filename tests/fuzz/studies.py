"""Composed configs and folders of models, nearly right."""

import json
import random
import shlex
import shutil
from collections.abc import Callable
from pathlib import Path

from tests.fuzz.mutate import ODD, mutated, other_values

CONFIG = Path(__file__).parents[2] / "config"
STUDIES = ("geomagnetic", "steering", "induction", "ground_truth", "prompts", "encoder", "csv")
REQUIRED = {"csv": ["data.path=x", "data.features=[a]", "data.target=a",
                "analysis.contrast.accuracy_threshold=1"]}  # fmt: skip
SPLIT = {"config.json": 6, "tokenizer.json": 3, "tokenizer_config.json": 6, "model.safetensors": 2}
"""File of a model → how often it is the damaged one."""
TEMPLATE = (
    "{% set ns = namespace(n=0) %}{% for m in messages %}{% for i in range(2) %}"
    "{% set ns.n = ns.n * 9 + 2 ** i %}{% endfor %}{{ '<|' ~ m.role ~ '|>' }}{{ m['content'] }}"
    "{{ eos_token if loop.last else '\\n' * 3 }}{% endfor %}{{ '<|assistant|>' }}"
)


def study_attempt(name: str, folder: Path) -> Callable[[int], object]:
    """Return what tries one number: a `config`, or the folder of a `model`."""
    return {"config": _config, "model": _model}[name](folder)


def _config(folder: Path) -> Callable[[int], object]:
    from attnpipe.pipeline.config import load_study

    keys = {study: _keys(study) for study in STUDIES}

    def attempt(number: int) -> object:
        generator = random.Random(number)
        study = generator.choice(STUDIES)
        given = [_override(keys[study], generator) for _ in range(generator.choice([1, 1, 2, 3]))]
        overrides = " ".join(given)
        if generator.random() < 0.2:
            overrides = mutated(overrides.encode(), generator, b"=[]{}'\"+~@,. $:!").decode(
                "utf-8", "replace"
            )
        return load_study(CONFIG, {"study": study, "overrides": overrides})

    return attempt


def _override(keys: list[str], generator: random.Random) -> str:
    key = generator.choice(keys)
    if generator.random() < 0.1:
        return f"~{key}"
    value = generator.choice([*ODD, "${oc.env:HOME}", "???", [1, "x"], {"b": [1]}, 12, 2e-3])
    sign = generator.choice(["", "", "", "+", "++"])
    text = f"{sign}{key}={json.dumps(value, ensure_ascii=False)}"
    return shlex.quote(text) if generator.random() < 0.5 else text.replace(" ", "")


def _keys(study: str) -> list[str]:
    """Return dotted keys of the composed config of a study, and of groups."""
    from attnpipe.pipeline.compose import compose_container

    found: list[str] = ["data", "model@models.x", "figure", "scale", "study", "nothing"]

    def walk(node: object, at: str) -> None:
        if at:
            found.append(at)
        if isinstance(node, dict):
            for key, value in node.items():
                walk(value, f"{at}.{key}" if at else str(key))

    walk(compose_container(CONFIG, study, "quick", REQUIRED.get(study, ())), "")
    return found


def _model(folder: Path) -> Callable[[int], object]:
    from tests.pretrained import tiny

    from attnpipe.pretrained.folder import take_folder
    from attnpipe.pretrained.load import load_model
    from attnpipe.text.chat import load_chat_template
    from attnpipe.text.compose import Composer
    from attnpipe.text.tokens import load_tokenizer

    sizes = {"hidden_size": 16, "intermediate_size": 16, "num_attention_heads": 2}
    whole = tiny.llama(num_hidden_layers=1, num_key_value_heads=1, **sizes)
    tiny.write_folder(folder / "whole", whole)
    tiny.edit_json(folder / "whole" / "tokenizer_config.json", chat_template=TEMPLATE)
    prompt = Composer().add("question", "What is 7?").done()
    files = [name for name, times in SPLIT.items() for _ in range(times)]

    def attempt(number: int) -> object:
        generator = random.Random(number)
        origin, target = folder / "origin", folder / "target"
        for path in (origin, target):
            shutil.rmtree(path, ignore_errors=True)
        shutil.copytree(folder / "whole", origin)
        target.mkdir()
        path = origin / generator.choice(files)
        if path.name == "tokenizer_config.json" and generator.random() < 0.5:
            source = mutated(TEMPLATE.encode(), generator, b"{}%'()*~[]._ 0123456789|-+")
            tiny.edit_json(path, chat_template=source.decode("utf-8", "replace"))
        elif path.suffix == ".json" and generator.random() < 0.8:
            document = other_values(json.loads(path.read_text()), generator)
            path.write_text(json.dumps(document))
        else:
            path.write_bytes(mutated(path.read_bytes(), generator, b'{}[],:"0123456789'))
        task = generator.choice(["causal_lm", "causal_lm", "encoder"])
        take_folder(origin, target, task)
        load_tokenizer(target)
        load_chat_template(target).place(prompt)
        return load_model(target, task)

    return attempt
