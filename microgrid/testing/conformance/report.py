"""The report on an engine: the laws that it breaks, keeps, or was not asked."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Sequence, Sized
from dataclasses import dataclass
from unittest import SkipTest

from .cases import ERRORS, Engine, error_text, run
from .laws import LAWS, MANNERS, Failure

__all__ = ["Report", "check"]


@dataclass(frozen=True)
class Report:
    """What an engine makes of the laws, by their names.

    `failures` are laws that it breaks: a wrong number, or an error where there is an answer.
    `remarks` are MANNERS that it lacks, which a small engine may do without.

    >>> from microgrid import Value
    >>> len(check(Value).holds) > 50
    True
    """

    engine: str
    failures: dict[str, Failure]
    remarks: dict[str, Failure]
    holds: tuple[str, ...]
    not_offered: tuple[str, ...]

    def as_dict(self) -> dict[str, object]:
        """Return the report in lists, dicts and texts, as JSON has them.

        >>> from microgrid import Value
        >>> check(Value).as_dict()["broken"]
        {}
        """
        groups = {"broken": self.failures, "remarks": self.remarks}
        shown = {
            group: {name: failure.as_dict() for name, failure in failures.items()}
            for group, failures in groups.items()
        }
        kept = {"holds": list(self.holds), "not_offered": list(self.not_offered)}
        return {"engine": self.engine, **shown, **kept}

    def __str__(self) -> str:
        parts = [
            f"{self.engine}: {_count(self.failures, 'law')} broken, {len(self.holds)} kept, "
            f"{len(self.not_offered)} on what it does not offer; {_count(self.remarks, 'remark')}"
        ]
        if self.failures or self.remarks:
            advice = "Fix the first one first: later failures may have the same cause."
            parts.append(f"In each program Value is {self.engine}.\n{advice}")
        parts += [f"BROKEN: {failure}" for failure in self.failures.values()]
        parts += [f"REMARK: {failure}" for failure in self.remarks.values()]
        parts += [_list_of("KEPT", self.holds), _list_of("NOT OFFERED", self.not_offered)]
        return "\n\n".join(parts)


def _list_of(title: str, names: Sequence[str]) -> str:
    short = [re.sub(" (has|have) (its|their|both) derivatives?$", "", name) for name in names]
    return textwrap.fill(f"{title}: {'; '.join(short) or 'none'}", 96, subsequent_indent="  ")


def check(engine: Engine) -> Report:
    """Report which laws an engine keeps and breaks, with the smallest program that breaks each.

    An engine that raises, hangs or recurses without end breaks the law in question and no more.

    Raises:
        TypeError: it is not an engine: not made of a number, or without `data` or `backward`.

    >>> from microgrid import Value
    >>> check(Value).failures
    {}
    """
    _require_engine(engine)
    broken: dict[str, Failure] = {}
    holds: list[str] = []
    not_offered: list[str] = []
    for law in LAWS + MANNERS:
        try:
            failure = law.failure(engine)
        except SkipTest:
            not_offered.append(law.name)
            continue
        if failure:
            broken[law.name] = failure
        else:
            holds.append(law.name)
    failures, remarks = (
        {law.name: broken[law.name] for law in group if law.name in broken}
        for group in (LAWS, MANNERS)
    )
    return Report(_name_of(engine), failures, remarks, tuple(holds), tuple(not_offered))


def _require_engine(engine: Engine) -> None:
    try:
        run(engine, "x = Value(2.0)", "x.data", "x.backward.__call__")
    except ERRORS as error:
        raise TypeError(
            "check needs a class that is made of a number and has data and backward(), "
            f"got {_name_of(engine)}: {error_text(error)}"
        ) from None


def _count(found: Sized, what: str) -> str:
    return f"{len(found)} {what}{'' if len(found) == 1 else 's'}"


def _name_of(engine: Engine) -> str:
    module, name = getattr(engine, "__module__", None), getattr(engine, "__qualname__", None)
    return f"{module}.{name}" if module and name else repr(engine)
