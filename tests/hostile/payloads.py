"""Values that want to be more than values: each would run something, or become more words, where it is not quoted.

Every payload has `{canary}` where a shell that obeys it makes a file of that name.
"""

from __future__ import annotations

from typing import Final

PAYLOADS: Final = {
    "command substitution": "x$(>{canary})y",
    "back-ticks": "x`>{canary}`y",
    "semicolon": "x; >{canary}; y{canary}",
    "and": "x && >{canary}",
    "or": "x || >{canary}",
    "pipe": "x{canary} | >{canary}",
    "background": "x{canary} & >{canary}",
    "redirection": "x >{canary}",
    "newline": "x{canary}\n>{canary}\ny",
    "carriage return": "x{canary}\r\n>{canary}\r\n",
    "double quote": 'x{canary}"; >{canary}; "y',
    "single quote": "x{canary}'; >{canary}; 'y",
    "both quotes": "x{canary}'\"; >{canary}; \"'y",
    "end of a subshell": "x{canary} ); >{canary}; ( y",
    "end of a group": "x{canary}; }}; >{canary}; {{ y",
    "default value": "x${{unset:-$(>{canary})}}y",
    "default value without a colon": "x${{unset-$(>{canary})}}y",
    "default value in back-ticks": "x${{unset:-`>{canary}`}}y",
    "assigned value": "x${{unset:=$(>{canary})}}y",
    "prompt expansion": "x{canary}${{HOSTILE_PROMPT@P}}y",
    "indirection": "x{canary}${{!HOSTILE_PROMPT}}y",
    "arithmetic": "x$((a[$(>{canary})]))y",
    "process substitution": "x{canary} <(>{canary})",
    "escaped quotes": "x{canary}$'\\x27; >{canary}; \\x27'",
    "here document": "x{canary} <<END\n$(>{canary})\nEND\n",
    "star": "glob*",
    "question mark and range": "glob[0-9]?",
    "tilde": "~root",
    "tilde behind an equals sign": "x=~root",
    "braces": "x{canary}{{1..3}}{{a,b}}",
    "comment": "x{canary} #y",
    "comment at the beginning": "#{canary}",
    "ruby interpolation": "#{{x}}{canary}#$y#@z",
    "trailing backslash": "x{canary}\\",
    "backslashes": "x\\{canary}\\\\n\\t\\$HOME\\",
    "leading dash": "-{canary}",
    "leading dashes": "--{canary}=y",
    "spaces": "  x   {canary}  ",
    "tab": "x\t{canary}\t-y",
    "separators of a field": "x{canary}${{IFS}}y$IFS-z",
    "history": "!!{canary}!x!",
    "percent signs": "%s%n%h%%{canary}",
    "dollar signs": "$x-{canary}$$$?$1$@$",
    "typographic quotes": "\u201cx{canary}\u201d\u2019\uff02",
    "spaces beyond ASCII": "x\u00a0{canary}\u3000\u0085\u2028y",
    "control characters": "x\x01{canary}\x1b[2J\x7f\x81\x88y",
}


def payload(kind: str, canary: str) -> str:
    return PAYLOADS[kind].format(canary=canary)
