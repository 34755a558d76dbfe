"""Small prompts: words are tokens, behind a special one."""

from dataclasses import dataclass, field

import numpy as np

EXAMPLES = [(3, 4), (10, 5), (8, 9)]


@dataclass
class Text:
    """One prompt: words with the spans they belong to."""

    item: int
    question: int
    variant: str
    operands: tuple[int, int]
    words: list[str] = field(default_factory=lambda: ["<s>"])
    names: list[list[str]] = field(default_factory=lambda: [[]])

    @property
    def shots(self):
        return int(self.variant[0]) if self.variant.endswith("_shot") else 0

    def add(self, words, *names, each=None):
        for place, word in enumerate(words.split()):
            own = (each or {}).get(place)
            self.words.append(word)
            self.names.append([*names, *([own] if own else [])])
        return self

    @property
    def offsets(self):
        ends = np.cumsum([len(word) + 1 for word in self.words[1:]]) - 1
        return [None, *((e - len(w), e) for w, e in zip(self.words[1:], ends, strict=True))]

    def spans(self):
        """Name → list of lists of token places, one per occurrence."""
        found: dict[str, list[list[int]]] = {}
        for place, names in enumerate(self.names):
            for name in names:
                runs = found.setdefault(name, [])
                keyword = name.startswith("keyword")
                if runs and not keyword and runs[-1][-1] == place - 1:
                    runs[-1].append(place)
                else:
                    runs.append([place])
        return found


def make_text(item, question, variant, operands):
    text = Text(item, question, variant, operands)
    if variant == "sentences":
        return text.add("The cat sat on the " + "mat " * (1 + question % 2))
    if variant == "cot":
        text.add("Let us think .", "instruction")
    for shot in range(1, text.shots + 1):
        a, b = EXAMPLES[shot - 1]
        text.add("Q:").add(f"What is {a} plus {b} ?", f"shot_{shot}_question")
        text.add("A:").add(f"{a + b}", f"shot_{shot}_answer")
    if text.shots:
        text.add("Q:")
    each = {2: "operand_1", 3: "operator", 4: "operand_2"}
    text.add("What is {} plus {} ?".format(*operands), "question", each=each)
    if text.shots:
        text.add("A:", "answer_cue")
    for word, names in zip(text.words, text.names, strict=True):
        names += [f"keyword: {k}" for k in ("plus", *map(str, operands)) if word == str(k)]
    return text


def is_right(text):
    if text.variant == "sentences":
        return None
    return text.variant == "cot" or text.question % 2 == 0
