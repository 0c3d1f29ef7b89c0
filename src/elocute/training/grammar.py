"""Grammars of spoken commands: every sentence that a recording with known slots can hold.

The syntax is that of Picovoice's speech-to-intent contexts (YAML): `[a, b]` is a choice, `(a, b)` a choice that may be
left out, `$type:variable` one of the values of a slot type, `@name` one of the phrases of a macro; choices nest.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from elocute.errors import ConfigError

MAX_TEMPLATES = 100_000
_TOKEN = re.compile(r"[\[\](),]|[$@][^\s\[\](),]*|[^\s\[\](),$@]+")
_CLOSING = {"[": "]", "(": ")"}


@dataclass(frozen=True, slots=True)
class Slot:
    """A place in a template that a value of a slot type fills."""

    type: str
    variable: str


Template = tuple[str | Slot, ...]
"""A sentence in words, with slots."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Grammar:
    """All templates of each intent, and all values of each slot type."""

    templates: Mapping[str, tuple[Template, ...]]
    slots: Mapping[str, tuple[str, ...]]

    def matching(self, intent: str, values: Mapping[str, str]) -> list[Template]:
        """Templates of an intent that name exactly the variables of `values`, each once.

        Raises:
            ConfigError: the grammar has no such intent, or no sentence with these variables and values.
        """
        if intent not in self.templates:
            raise ConfigError(f"intent is {intent!r}; the grammar has {', '.join(sorted(self.templates))}")
        wanted = sorted(values)
        found = [
            template
            for template in self.templates[intent]
            if sorted(item.variable for item in slots_of(template)) == wanted
            and all(values[item.variable] in self.slots[item.type] for item in slots_of(template))
        ]
        if not found:
            raise ConfigError(f"no sentence of intent {intent!r} has the slots {dict(values)}; check the label")
        return found


def slots_of(template: Template) -> list[Slot]:
    """The slots of a template in order."""
    return [item for item in template if isinstance(item, Slot)]


def fill(template: Template, values: Mapping[str, str]) -> str:
    """The sentence that a template becomes with these values of its variables."""
    return " ".join(values[item.variable] if isinstance(item, Slot) else item for item in template)


def read_grammar(path: Path) -> Grammar:
    """Read a grammar in YAML.

    Raises:
        ConfigError: it is no YAML, has no expressions, or one of them breaks the syntax.
    """
    import yaml

    try:
        context = yaml.safe_load(Path(path).read_text(encoding="utf-8"))["context"]
        expressions = {str(intent): [str(x) for x in lines] for intent, lines in context["expressions"].items()}
        slots, macros = (
            {str(name): tuple(_clean(str(x)) for x in values) for name, values in (context.get(key) or {}).items()}
            for key in ("slots", "macros")
        )
    except (yaml.YAMLError, UnicodeDecodeError, KeyError, TypeError, AttributeError) as error:
        raise ConfigError(
            f"{path} is no grammar ({type(error).__name__}: {error}); expected context: expressions: intent: lines"
        ) from error
    return Grammar(
        templates={
            intent: tuple(dict.fromkeys(t for line in lines for t in expand(line, slots, macros)))
            for intent, lines in expressions.items()
        },
        slots=slots,
    )


def expand(
    expression: str, slots: Mapping[str, Sequence[str]], macros: Mapping[str, Sequence[str]] | None = None
) -> list[Template]:
    """All templates of one expression, in the order in which its choices are written.

    Raises:
        ConfigError: a bracket is not closed, a slot type or macro is unknown, or there are too many templates.
    """
    try:
        parser = _Parser(tokens=_TOKEN.findall(expression), slots=slots, macros=macros or {})
        templates = parser.sequence(())
    except ConfigError as error:
        raise ConfigError(f"expression {expression!r}: {error}") from error
    return list(dict.fromkeys(templates))


def _clean(text: str) -> str:
    return " ".join(text.split())


@dataclass(slots=True)
class _Parser:
    """Recursive descent over the tokens of an expression; macros in macros are refused when they turn in circles."""

    tokens: list[str]
    slots: Mapping[str, Sequence[str]]
    macros: Mapping[str, Sequence[str]]
    inside: tuple[str, ...] = ()
    at: int = 0

    def sequence(self, stops: Sequence[str]) -> list[Template]:
        """Templates of the items up to one of `stops`, or to the end if there are none."""
        templates: list[Template] = [()]
        while self.at < len(self.tokens) and self.tokens[self.at] not in stops:
            choices = self._item()
            if len(templates) * len(choices) > MAX_TEMPLATES:
                raise ConfigError(f"it has more than {MAX_TEMPLATES} sentences; split it")
            templates = [(*head, *tail) for head in templates for tail in choices]
        if stops and self.at == len(self.tokens):
            raise ConfigError(f"expected {' or '.join(stops)} before its end")
        return templates

    def _item(self) -> list[Template]:
        token = self.tokens[self.at]
        self.at += 1
        if token in _CLOSING:
            return self._choice(_CLOSING[token])
        if token in "]),":
            raise ConfigError(f"unexpected {token!r}; brackets must match, commas stand within them")
        if token[0] == "$":
            return [(self._slot(token),)]
        return self._macro(token[1:]) if token[0] == "@" else [(token,)]

    def _choice(self, closing: str) -> list[Template]:
        choices: list[Template] = []
        while True:
            choices += self.sequence((",", closing))
            self.at += 1
            if self.tokens[self.at - 1] == closing:
                break
        if closing == "]" and () in choices:
            raise ConfigError("a choice in [] is empty; write (a, b) for what may be left out")
        return choices if closing == "]" else [*choices, ()]

    def _slot(self, token: str) -> Slot:
        kind, colon, variable = token[1:].partition(":")
        if not colon or not variable or kind not in self.slots:
            raise ConfigError(f"slot {token!r} is not $type:variable with a type of {', '.join(self.slots) or 'none'}")
        return Slot(kind, variable)

    def _macro(self, name: str) -> list[Template]:
        if name not in self.macros or name in self.inside:
            why = "refers to itself" if name in self.inside else f"is not one of {', '.join(self.macros) or 'none'}"
            raise ConfigError(f"macro @{name} {why}")
        return [
            template
            for phrase in self.macros[name]
            for template in _Parser(
                tokens=_TOKEN.findall(phrase), slots=self.slots, macros=self.macros, inside=(*self.inside, name)
            ).sequence(())
        ]
