"""Marks of a text that gives orders to the model that reads it: where a tool or a document says so, nobody asked it to.

These are words and signs, not meanings: what is put otherwise is not found (docs/findings.md says what is known of it).
"""

import re
from collections.abc import Iterator
from typing import Final

from proxy.policy.findings.plain import has_hidden
from proxy.policy.findings.shapes import Expression, Shape, Shapes, Span, Tries

_SOME: Final = r"(?:\S+\s+){0,4}"
_FEW: Final = r"(?:\S+\s+){0,2}"


def _order(verbs: str, about: str, things: str) -> str:
    """`ignore all previous instructions`."""
    return rf"(?i)(?:{verbs})\s+{_FEW}(?:{about})\s+{_SOME}(?:{things})"


def _order_turned(verbs: str, things: str, about: str) -> str:
    """`olvida las instrucciones anteriores`."""
    return rf"(?i)(?:{verbs})\s+{_SOME}(?:{things})\s+{_FEW}(?:{about})"


_OVERRIDES: Final = (
    _order(
        "ignore|ignoring|disregard|forget|override|bypass|discard|do not follow|don't follow|stop following"
        "|pay no attention to",
        "all|any|every|everything|previous|prior|above|earlier|preceding|foregoing|former|past|existing|initial|original"
        "|system|your",
        "instructions?|prompts?|rules|directions|guidelines|directives?|commands|constraints|programming|polic(?:y|ies)"
        "|safeguards",
    ),
    r"(?i)(?:forget|ignore|disregard)\s+(?:everything|anything|all)\s+(?:\S+\s+){0,4}"
    r"(?:above|before|prior|previously|so far)",
    r"(?i)\bnew\s+(?:system\s+)?(?:instructions?|directives?)(?:\s+\S+){0,4}?\s*:",
    _order(
        "ignoriere|ignorieren sie|vergiss|vergessen sie|missachte|missachten sie|übergehe|verwirf",
        r"alle|sämtliche|vorherige[nr]?|bisherige[nr]?|obige[nr]?|vorangegangene[nr]?|frühere[nr]?|vorige[nr]?|deine",
        "anweisungen|instruktionen|vorgaben|regeln|befehle|anordnungen|richtlinien",
    ),
    _order_turned(
        "ignore[zr]?|oublie[zr]?|ne tiens pas compte|ne tenez pas compte|fais abstraction",
        "instructions|consignes|règles|directives|ordres",
        "précédentes?|précédents|antérieures?|ci-dessus|données|initiales?",
    ),
    _order("ignore[zr]?|oublie[zr]?", "toutes|tous", "instructions|consignes|règles|directives|ordres"),
    _order_turned(
        "ignora|ignore|ignorad|olvida|olvide|olvidad|descarta|haz caso omiso de",
        "instrucciones|órdenes|reglas|indicaciones|directrices",
        "anteriores|previas|previos|precedentes|de arriba|iniciales",
    ),
    _order("ignora|ignore|olvida|olvide", "todas|todos", "instrucciones|órdenes|reglas|indicaciones"),
    _order_turned(
        "ignora|ignorate|dimentica|dimenticate|trascura|scorda",
        "istruzioni|regole|indicazioni|direttive|comandi",
        "precedenti|di prima|sopra|iniziali",
    ),
    _order_turned(
        "ignore|ignora|esqueça|esquece|desconsidere|descarte",
        "instruções|regras|ordens|diretrizes|comandos",
        "anteriores|prévias|acima|iniciais",
    ),
    _order(
        "negeer|vergeet|sla",
        "alle|vorige|eerdere|voorgaande|bovenstaande|je|jouw",
        "instructies|opdrachten|regels|aanwijzingen|richtlijnen",
    ),
    _order(
        "zignoruj|ignoruj|zapomnij|pomiń|zlekceważ",
        "wszystkie|wszelkie|poprzednie|poprzednich|wcześniejsze|wcześniejszych|powyższe|powyższych",
        r"instrukcje|instrukcji|polecenia|poleceń|zasady|zasad|wytyczne|wytycznych",
    ),
    _order(
        r"игнорируй\S*|проигнорируй\S*|забудь\S*|отмени\S*|не обращай\S* внимания на",
        "все|всё|всех|предыдущие|предыдущих|прежние|прошлые|вышеуказанные|ранние|свои|твои",
        "инструкции|инструкций|указания|указаний|правила|правил|команды|команд|приказы",
    ),
    _order_turned(
        "تجاهل|تجاهلي|انس|انسى|أهمل",
        r"\S*تعليمات|\S*أوامر|\S*إرشادات|\S*قواعد",
        r"\S*سابقة|\S*أعلاه|\S*السابق",
    ),
    r"(?i)(?:önceki|yukarıdaki|tüm|bütün)\s+(?:\S+\s+){0,3}(?:talimat|komut|kural|yönerge)\S*\s+(?:\S+\s+){0,3}"
    r"(?:yok say|unut|görmezden gel|dikkate alma|göz ardı et)",
    r"(?:忽略|无视|無視|忽視|忘记|忘記|忘掉|不要理会|不要理會)[^。\n]{0,12}(?:之前|以前|先前|前面|上面|以上|上述|所有|全部|系统|系統)"
    r"[^。\n]{0,8}(?:指令|指示|提示|规则|規則|命令|说明|說明|要求)",
    r"(?:以前|これまで|今まで|上記|上|前|すべて|全て|全部)の[^。\n]{0,12}(?:指示|命令|プロンプト|ルール|指令)[^。\n]{0,6}(?:無視|忘れ|従わない)",
    r"(?:이전|위의|앞의|앞선|모든|기존)[^.\n]{0,12}(?:지시|명령|지침|프롬프트|규칙)[^.\n]{0,8}(?:무시|잊어|따르지)",
)
_CHAT_TOKENS: Final = (
    r"<\|(?:im_start|im_end|im_sep|system|user|assistant|endoftext|end_of_text|begin_of_text|start_header_id|end_header_id"
    r"|eot_id|eom_id|channel|message|start|end|return)\|>|\[/?INST\]|<</?SYS>>|<(?:start|end)_of_turn>"
)
_TAGS: Final = (
    r"(?i)</?(?:system|developer)(?:[_\- ]?(?:prompt|messages?|instructions?|reminder|override))?\s*/?>"
    r"|</?(?:tool_results?|function_results?|user_query|tool_response)>"
)
_HEADINGS: Final = (
    r"(?i)(?:^|\n)[ \t>*#\-]*(?:"
    r"\[?(?:begin |new |end )?(?:system|developer|admin(?:istrator)?)[ _]"
    r"(?:message|prompt|override|instructions?|notice|note)\b[^\n:]{0,24}[:\]]"
    r"|#{1,6} ?(?:system|developer|assistant|instructions?)\s*:)|\n\n(?:Human|Assistant): "
    r"|\[(?:begin |new |end )?(?:system|developer|admin)"
    r"(?:[ _](?:message|prompt|override|instructions?|notice|note))?\]"
)
_PERSONA: Final = (
    r"(?i)\byou are (?:now|no longer)\s+(?:\S+\s+){0,3}(?:dan|jailbroken|unrestricted|uncensored|unfiltered|bound by"
    r"|restricted by|limited by|developer mode|god mode|evil)\b"
    r"|\b(?:enter|enable|activate|switch to)\s+(?:\S+\s+){0,2}(?:developer|jailbreak|god|dan|unrestricted) mode\b"
    r"|\bdo anything now\b|\bact as (?:an? )?(?:unrestricted|uncensored|unfiltered|jailbroken)\b"
)
_EXTRACTION: Final = (
    r"(?i)\b(?:reveal|print|repeat|show|output|display|disclose|leak|send|tell me|write out|dump|expose|translate)\s+"
    r"(?:\S+\s+){0,4}(?:your|the|its)\s+(?:\S+\s+){0,2}"
    r"(?:system (?:prompt|message)|(?:initial|hidden|original|secret) (?:prompt|instructions)|developer message)\b"
    r"|\brepeat (?:the words|everything|all(?: the)? text) above\b"
)
_CONCEALMENT: Final = (
    r"(?i)\b(?:do not|don't|never|must not|without)\s+"
    r"(?:tell|inform|mention|reveal|alert|notify|ask|warn|show)(?:ing)?\s+"
    r"(?:\S+\s+){0,4}(?:the (?:end[ \-])?user|the human|the operator|anyone|them about)\b"
    r"|\bkeep (?:this|it) (?:secret|hidden) from (?:the )?(?:user|human|operator)\b"
)
_IMAGES: Final = (
    r"!\[[^\]\n]*\]\(\s*<?(https?://[^\s)>]+)",
    r"(?i)!?\[[^\]\n]*\]:\s*<?(https?://[^\s>]+)",
    r"(?i)<img[^>]*?\ssrc\s*=\s*[\"']?(https?://[^\s\"'>]+)",
)
MARKERS: Final = Shapes(
    [
        *(Shape("instruction_override", expression) for expression in _OVERRIDES),
        Shape("persona_override", _PERSONA),
        Shape("prompt_extraction", _EXTRACTION),
        Shape("concealment", _CONCEALMENT),
        Shape("role_markup", _CHAT_TOKENS),
        Shape("role_markup", _TAGS),
        Shape("role_markup", _HEADINGS),
        *(Shape("exfiltration_image", expression, lambda url: _carries_data(url)) for expression in _IMAGES),
    ]
)
_SLOT: Final = re.compile(
    r"[{<\[$]|%7b|%3c|%5b|\.\.\.|your_|_here\b|base64|placeholder|secret|conversation|summary|prompt", re.IGNORECASE
)
_LONG_VALUE: Final = 48
_UNDRAWN: Final = Expression(
    # Tags; characters without width beside each other; directions turned; selectors in a row.
    r"[\x{E0000}-\x{E007F}]+|[\x{200B}\x{2060}-\x{2064}\x{206A}-\x{206F}\x{FEFF}\x{180E}\x{3164}\x{FFA0}\x{115F}\x{1160}]{2,}"
    r"|[\x{200B}-\x{200F}\x{2060}-\x{2064}\x{FEFF}]{4,}|[\x{202D}\x{202E}]+|[\x{FE00}-\x{FE0F}\x{E0100}-\x{E01EF}]{2,}"
)
_SPLIT_WORD: Final = re.compile(r"(?<=[A-Za-z])[\u200b\u200c\u200d\u2060\ufeff\u00ad]+(?=[A-Za-z])")
_LEAST_SPLITS: Final = 2
_FLAG: Final = "\U0001f3f4"


def find_markers(text: str, tries: Tries) -> Iterator[Span]:
    """Orders, false roles and URLs made to carry data out, in a plain text."""
    return MARKERS.find(text, tries)


def find_hidden(written: str) -> Iterator[Span]:
    """What is in a text without being drawn, in the text as it was written."""
    if not has_hidden(written):
        return
    for found in _UNDRAWN.finditer(written):
        start, end = found.span()
        if not (written[start - 1 : start] == _FLAG and end - start <= 7):
            yield Span(start, end, "hidden_text")
    splits = [found.span() for found in _SPLIT_WORD.finditer(written)]
    if len(splits) >= _LEAST_SPLITS:
        yield from (Span(start, end, "hidden_text") for start, end in splits)


def _carries_data(url: str) -> bool:
    """Whether a URL has a place for data in it, or a long value that may be some."""
    tail = url.partition("://")[2].partition("/")[2]
    path, _, query = tail.partition("?")
    if _SLOT.search(query) or re.search(r"[{<\[$]|%7b", path, re.IGNORECASE):
        return True
    values = [each.partition("=")[2] for each in query.split("&")]
    return any(len(value) >= _LONG_VALUE for value in (*values, *path.split("/")))
