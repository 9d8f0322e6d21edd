"""Ctrl-C at any line: what is called again and again is interrupted one line later each time."""

import itertools
import sys


def interrupted(function, line, is_watched):
    """Call a function with Ctrl-C at the n-th line that it runs in watched code, if there is one.

    `is_watched` tells of a code object whether its lines count.
    """
    lines = itertools.count()

    def trace(frame, event, _):
        if not is_watched(frame.f_code):
            return None
        if event == "line" and next(lines) == line:
            sys.settrace(None)
            raise KeyboardInterrupt
        return trace

    outer = sys.gettrace()
    sys.settrace(trace)
    try:
        return function()
    finally:
        sys.settrace(outer)
