"""Chat templates: the text of transformers, with every character still known."""

import json
import os
import signal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.text import vocabularies

from attnpipe.core.errors import UserError
from attnpipe.text.chat import ChatTemplate, load_chat_template
from attnpipe.text.compose import Composer
from attnpipe.text.rendering import Renderer
from attnpipe.text.sandbox import LONGEST, MEMORY, SECONDS

CHATML = (
    "{% for message in messages %}{% if loop.first and messages[0]['role'] != 'system' %}"
    "{{ '<|im_start|>system\nYou are kind.<|im_end|>\n' }}{% endif %}"
    "{{'<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n'}}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
ZEPHYR = (
    "{% for message in messages %}\n{% if message['role'] == 'user' %}\n"
    "{{ '<|user|>\n' + message['content'] + eos_token }}\n"
    "{% elif message['role'] == 'system' %}\n"
    "{{ '<|system|>\n' + message['content'] + eos_token }}\n{% endif %}\n"
    "{% if loop.last and add_generation_prompt %}\n{{ '<|assistant|>' }}\n{% endif %}\n{% endfor %}"
)
INST = (
    "{{ bos_token }}{% set ns = namespace(system='') %}{% for m in messages %}"
    "{% if m.role == 'system' %}{% set ns.system = '<<SYS>>' ~ m.content ~ '<</SYS>> ' %}"
    "{% else %}[INST] {{ ns.system ~ (m.content | trim) }} [/INST]{% endif %}{% endfor %}"
)
DATED = (
    "{% if strftime_now is defined %}{{ strftime_now('%d %b %Y') }}{% else %}26 Jul 2024"
    "{% endif %} {{ messages[-1].content }}{% generation %}!{% endgeneration %}"
    "{{ {'a': '<é>'} | tojson }}{% for m in messages %}{% break %}{% endfor %}"
)
TOKENS = {"bos_token": "<s>", "eos_token": "</s>"}
PROMPT = (
    Composer().add("instruction", "Think.").add(None, "\n\n").add("question", "What is 7?").done()
)


@pytest.mark.parametrize("source", [CHATML, ZEPHYR, INST])
@pytest.mark.parametrize("system", ["", "You are exact."])
def test_texts_are_those_of_transformers(source, system):
    from transformers import PreTrainedTokenizerFast

    reference = PreTrainedTokenizerFast(
        tokenizer_object=vocabularies.byte_level(), chat_template=source, **TOKENS
    )
    messages = [{"role": "user", "content": PROMPT.text}]
    if system:
        messages.insert(0, {"role": "system", "content": system})
    expected = reference.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
    placed = ChatTemplate(source, TOKENS).place(PROMPT, system)
    assert placed.text == expected
    assert placed.named("instruction") == ["Think."]
    assert placed.named("question") == ["What is 7?"]
    assert placed.named("system") == ([system] if system else [])


@given(st.text(min_size=1, max_size=30), st.text(max_size=30))
def test_any_message_keeps_its_place(message, system):
    prompt = Composer().add("all", message).done()
    placed = ChatTemplate(CHATML, TOKENS).place(prompt, system)
    assert placed.named("all") == [message]
    assert placed.text.endswith(
        f"<|im_start|>user\n{message}<|im_end|>\n<|im_start|>assistant\n",
    )


@pytest.mark.parametrize("message", ["user", "userplaceholder", "x userplaceholderx", "{{ 7 }}"])
def test_a_message_that_looks_like_the_template(message):
    placed = ChatTemplate(CHATML, TOKENS).place(Composer().add("all", message).done())
    (span,) = placed.spans
    assert placed.text[: span.start].endswith("<|im_start|>user\n")
    assert placed.text[span.start : span.end] == message


def test_a_template_that_looks_like_a_placeholder():
    placed = ChatTemplate("userplaceholder {{ messages[0].content }}", {}).place(PROMPT)
    assert placed.text == f"userplaceholder {PROMPT.text}"
    assert placed.named("question") == ["What is 7?"]


def test_no_clock_no_html_and_loop_controls():
    assert ChatTemplate(DATED, {}).place(PROMPT).text == (
        f'26 Jul 2024 {PROMPT.text}!{{"a": "<é>"}}'
    )


@pytest.mark.parametrize(
    ("source", "message", "system"),
    [
        (INST, " What is 7?", ""),
        ("{{ messages[0].content | upper }}", "What?", ""),
        ("{{ messages[0].content }}{{ messages[0].content }}", "What?", ""),
        ("{{ messages[-1].content }}", "What?", "Be kind."),
        ("Hello.", "What?", ""),
        ("{{ messages[1].content }}{{ messages[0].content }}", "What?", "Be kind."),
    ],
)
def test_a_template_that_changes_messages_is_refused(source, message, system):
    with pytest.raises(UserError, match="does not write messages as they are"):
        ChatTemplate(source, TOKENS).place(Composer().add("all", message).done(), system)


@pytest.mark.parametrize(
    "source",
    [
        "{% for",
        "{{ unknown.attribute }}",
        "{{ raise_exception('system role not supported') }}",
        "{{ 1 // 0 }}",
        "{{ messages.append(1) }}",
        "{{ ''.__class__.__mro__[1].__subclasses__() }}",
        "{{ messages.__init__.__globals__ }}",
        "{{ namespace(_x=1) }}",
        "{% set ns = namespace(self=1) %}{% set ns.__class__ = 1 %}",
        "{{ dict.__subclasses__() }}",
        "{{ cycler.__init__.__globals__.os }}",
        "{{ strftime_now('%Y') }}",
        "{% include '/etc/passwd' %}",
        "{{ range(10 ** 9) | list }}",
    ],
)
def test_failing_and_hostile_templates_are_refused(source):
    with pytest.raises(UserError, match=r"chat template cannot write .* set template to raw"):
        ChatTemplate(source, TOKENS).render([{"role": "user", "content": "x"}])


FOR_EVER = [
    "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}",
    "{% macro f(n) %}{{ f(n - 1) if n }}{{ f(n - 1) if n }}{% endmacro %}{{ f(99) }}",
    "{{ 9 ** (9 ** 9) }}",
]
HUGE = [
    "{% set n = namespace(x='a') %}{% for a in range(40) %}{% set n.x = n.x ~ n.x %}{% endfor %}",
    "{{ 'x' * 10 ** 11 }}",
    "{{ '%1000000000d' % 1 }}",
]


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        *((source, f"it takes more than {SECONDS} s") for source in FOR_EVER),
        *((source, f"it takes more than {MEMORY // 1024**2} MiB") for source in HUGE),
        ("{{ 'x' * 5000000 }}", f"it writes more than {LONGEST} characters"),
    ],
)
def test_a_template_that_takes_too_much_is_refused_and_the_next_is_rendered(source, reason):
    before = os.times()
    with pytest.raises(UserError) as refused:
        ChatTemplate(source, TOKENS).render([{"role": "user", "content": "x"}])
    assert str(refused.value) == (
        f"the model's chat template cannot write the prompt ({reason}); set template to raw, or "
        "choose another model"
    )
    after = os.times()
    spent = after.children_user + after.children_system
    assert spent - before.children_user - before.children_system < SECONDS + 2
    assert ChatTemplate(CHATML, TOKENS).place(PROMPT).named("question") == ["What is 7?"]


@pytest.mark.parametrize(
    "source", ["{{ " + "(" * 9999 + "1" + ")" * 9999 + " }}", "{% if x %}" * 9999]
)
def test_a_template_of_any_depth_is_refused_in_one_sentence(source):
    with pytest.raises(UserError, match="chat template cannot write") as refused:
        ChatTemplate(source, TOKENS).render([])
    assert "\n" not in str(refused.value)


def test_a_long_reason_is_cut_to_one_line():
    source = "{{ raise_exception('no\n system ' * 100000) }}"
    with pytest.raises(UserError) as refused:
        ChatTemplate(source, {}).place(PROMPT)
    assert "\n" not in str(refused.value)
    assert "(no system no system " in str(refused.value)
    assert len(str(refused.value)) < 600


def test_texts_of_any_characters_arrive_as_they_are():
    text = "é \u2028 \ud800 \x85 💥 \x00\r\n"
    assert ChatTemplate("{{ messages[0].content }}", {}).render([{"content": text}]) == text


def test_an_answer_that_nobody_waited_for_is_not_taken_for_the_next(monkeypatch):
    """As after Ctrl-C: the question is asked, its answer not read."""
    asked = Renderer()

    def interrupted(question):
        asked._process.stdin.write(question + "\n")
        asked._process.stdin.flush()
        raise KeyboardInterrupt

    assert asked.render("a", {}) == "a"
    with monkeypatch.context() as patch:
        patch.setattr(asked, "_ask", interrupted)
        with pytest.raises(KeyboardInterrupt):
            asked.render("b", {})
    assert asked.render("c", {}) == "c"
    asked.close()


def test_ctrl_c_does_not_end_the_process_that_renders():
    asked = Renderer()
    assert asked.render("a", {}) == "a"
    asked._process.send_signal(signal.SIGINT)
    assert asked.render("b", {}) == "b"
    assert asked.close() == -signal.SIGKILL


def test_the_reason_of_a_template_is_shown():
    source = "{{ raise_exception('no system role') }}"
    with pytest.raises(UserError, match=r"\(no system role\)"):
        ChatTemplate(source, {}).place(PROMPT)


class TestFolders:
    def write(self, folder, config, template=None):
        (folder / "tokenizer_config.json").write_text(json.dumps(config))
        if template is not None:
            (folder / "chat_template.jinja").write_text(template)
        return load_chat_template(folder)

    def test_a_file_of_its_own_goes_first(self, tmp_path):
        config = {"chat_template": "old", "bos_token": "<s>", "add_bos_token": True}
        assert self.write(tmp_path, config, CHATML) == ChatTemplate(CHATML, {"bos_token": "<s>"})

    def test_tokens_may_be_objects_and_templates_a_list(self, tmp_path):
        named = [{"name": "tool", "template": "t"}, {"name": "default", "template": "d"}]
        config = {"chat_template": named, "eos_token": {"content": "</s>", "lstrip": False}}
        assert self.write(tmp_path, config) == ChatTemplate("d", {"eos_token": "</s>"})

    @pytest.mark.parametrize(
        "config",
        [
            {},
            {"chat_template": None},
            {"chat_template": []},
            {"chat_template": [[0], "x", None, {"name": "default"}, {"template": "t"}]},
        ],
    )
    def test_none_is_refused(self, tmp_path, config):
        with pytest.raises(UserError, match="has no chat template; set template to raw"):
            self.write(tmp_path, config)

    def test_an_empty_folder_and_a_damaged_file(self, tmp_path):
        with pytest.raises(UserError, match="has no chat template"):
            load_chat_template(tmp_path)
        for damaged in ("{", "[" * 100_000):
            (tmp_path / "tokenizer_config.json").write_text(damaged)
            with pytest.raises(UserError, match="cannot read"):
                load_chat_template(tmp_path)
        (tmp_path / "tokenizer_config.json").unlink()
        (tmp_path / "chat_template.jinja").write_bytes(b"\xff")
        with pytest.raises(UserError, match=r"cannot read '.*chat_template.jinja'"):
            load_chat_template(tmp_path)
