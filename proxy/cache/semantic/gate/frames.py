"""Ways to ask: what is said around a question without changing it, and questions that are asked in several ways.

A frame is matched against the whole text, in lower case with one space between words; its slots are compared word by
word. A frame that could be read in two ways does not belong here.
"""

import re
from collections.abc import Iterable
from typing import Final

from proxy.cache.semantic.gate.vocabulary import ASKING, BE, MEASURES, QUESTIONS

_OPENINGS: Final = re.compile(
    r"^(?:(?:hi|hello|hey|ok|okay|hi there|hello there|good morning) [,.!] |(?:please|kindly) (?:, )?)+(?=.)"
)
_CLOSINGS: Final = re.compile(
    r"(?:(?: [,.!?])+ (?:please|thanks|thank you|thanks in advance|thank you very much)|(?<! to) please)+$"
)
_PLACED: Final = re.compile(r"^in (\w+) , ((?:what|how|why|when|where|who) [^?]+)(?: \?)?$")
_ASKS: Final = re.compile(
    r"^(?:(?:can|could|would|will) you (?:please )?(?:tell me|explain(?: to me)?|let me know|show me|teach me)"
    r"|please (?:tell me|explain(?: to me)?)|tell me|explain(?: to me)?|show me|let me know|teach me"
    r"|i want to know|i would like to know|i'd like to know|i need to know|do you know|any idea|i am wondering"
    r"|i wonder) (?=(?:what|how|why|who|when|where|which) )"
)
_ORDERS: Final = re.compile(
    r"^(?:can|could|would|will) you (?:please )?"
    r"(?=(?:explain|write|give|list|recommend|describe|summarize|name|provide|generate|compare|calculate) )"
)
_FOR_ME: Final = re.compile(r"^(write|give|list|recommend|show|generate) me (?=\w)")
_TO_ME: Final = re.compile(r"^((?:explain|describe) .+) to me$")
_TO_DO: Final = re.compile(
    r"^(?:how (?:do|can) i|how to|how (?:does|can) one|what (?:are the|are) steps to|what are the steps to"
    r"|what steps do i take to|what is the way to|what should i do to|what do i need to do to|what can i do to) (?=\w)"
)
_DONE_BY_ANYBODY: Final = re.compile(
    r"^how (?:do|can) you (?=(?:tie|cook|bake|boil|install|calculate|convert|delete|remove|build|fix|sharpen|grow"
    r"|export|import|reset|create|configure|compute|peel|fold|fry|roast|knit|sew|clean|replace) )"
)
_WITHOUT_DO: Final = re.compile(r"^(why|how|when|where) do (?=\w)")

_TWO = r"((?:(?! and | from | to | between ).)+)"
_ONE = r"(.+)"
_FRAMES: Final = (
    ("who wrote", (f"who wrote {_ONE}", f"who (?:is|was) the (?:author|writer) of {_ONE}",
                   f"who was {_ONE} written by", f"{_ONE} was written by who(?:m)?", f"by whom was {_ONE} written")),
    ("who invented", (f"who invented {_ONE}", f"who (?:is|was) the inventor of {_ONE}", f"who was {_ONE} invented by",
                      f"{_ONE} was invented by who(?:m)?", f"by whom was {_ONE} invented")),
    ("who discovered", (f"who discovered {_ONE}", f"who (?:is|was) the discoverer of {_ONE}",
                        f"who was {_ONE} discovered by", f"by whom was {_ONE} discovered")),
    ("who painted", (f"who painted {_ONE}", f"who (?:is|was) the painter of {_ONE}", f"who was {_ONE} painted by",
                     f"{_ONE} was painted by who(?:m)?", f"by whom was {_ONE} painted")),
    ("who composed", (f"who composed {_ONE}", f"who (?:is|was) the composer of {_ONE}")),
    ("who founded", (f"who founded {_ONE}", f"who (?:is|was) the founder of {_ONE}", f"who was {_ONE} founded by")),
    ("population", (f"what is the population of {_ONE}", f"how many people live in {_ONE}",
                    f"how many inhabitants does {_ONE} have", f"how big is the population of {_ONE}")),
    ("height", (f"how tall is {_ONE}", f"what is the height of {_ONE}")),
    ("age", (f"how old is {_ONE}", f"what is the age of {_ONE}")),
    ("length", (f"how long is {_ONE}", f"what is the length of {_ONE}")),
    ("weight", (f"how much does {_ONE} weigh", f"what is the weight of {_ONE}", f"how heavy is {_ONE}")),
    ("price", ("how much does ((?!it ).+) cost", "what does ((?!it ).+) cost",
               f"what is the (?:price|cost) of {_ONE}")),
    ("price of doing", (f"how much does it cost to {_ONE}", f"what does it cost to {_ONE}")),
    ("time", (f"how (?:long|much time) does it take to {_ONE}",)),
    ("distance", (f"how far is {_TWO} from {_TWO}", f"what is the distance from {_TWO} to {_TWO}",
                  f"how far is it from {_TWO} to {_TWO}", f"what is the distance between {_TWO} and {_TWO}")),
    ("difference", (f"what is the difference between {_TWO} and {_TWO}", f"how does {_TWO} differ from {_TWO}",
                    f"how do {_TWO} and {_TWO} differ", f"how is {_TWO} different from {_TWO}",
                    f"how are {_TWO} and {_TWO} different", f"what are the differences between {_TWO} and {_TWO}",
                    f"explain the difference between {_TWO} and {_TWO}")),
    ("stands for", (f"what does {_ONE} stand for", f"what is {_ONE} short for", f"what is the full form of {_ONE}")),
    ("capital", (f"(?:what|which city|what city) is the capital (?:city )?of {_ONE}", f"name the capital of {_ONE}")),
    ("where", ("where is ((?:(?! located).)+)(?: located)?", f"what is the location of {_ONE}")),
    ("function", (f"what does the {_ONE} do", f"what is the function of the {_ONE}")),
    ("causes", (f"what causes {_ONE}", f"why do(?:es)? {_ONE} happen", f"what (?:is|are) the causes? of {_ONE}")),
    ("born", (f"when was {_ONE} born", f"what is the (?:date of birth|birth date) of {_ONE}",
              f"what is {_ONE}'s (?:date of birth|birth date)")),
    ("plot", (f"what is the plot of {_ONE}",)),
    ("works", (f"how do(?:es)? {_ONE} work", "how ((?:(?! works?$).)+) works?")),
    ("better at", (f"what is the best way (?:to|of) {_ONE}",)),
    ("pros", (f"what are the pros and cons of {_ONE}", f"what are the advantages and disadvantages of {_ONE}")),
    ("are there", (f"how many ([a-z]+) (?:are|are there) in {_ONE}", f"how many ([a-z]+) does {_ONE} have")),
    ("summary", (f"summarize {_ONE}", f"give a summary of {_ONE}", f"write a summary of {_ONE}")),
)  # fmt: skip
_COMPILED: Final = tuple((name, tuple(re.compile(way) for way in ways)) for name, ways in _FRAMES)
_POSSESSED_BY: Final = (
    re.compile(
        r"^((?:what|who) is) ([\w-]+)'s ((?:\w+ )?(?:capital|population|president|currency|flag|gdp|height|age|area|"
        r"climate|national anthem|formula|atomic number|boiling point|melting point))$"
    ),
    r"\1 the \3 of \2",
)
_REPHRASED: Final = (
    (re.compile(r"^(what|how|who|where|why|when) exactly (?=\w)"), r"\1 "),
    (re.compile(r" , exactly$"), ""),
    (re.compile(r"^which (?!(?:is|are|was|were|of|one|ones) )(?=[a-z]+ )"), "what "),
    (re.compile(r"^what ([a-z]+(?: on earth)?) is the (\w+est)(?= (?:in|on|of) |$)"), r"what is the \2 \1"),
    (re.compile(r"^what ([a-z]+ [a-z]+) is the (\w+est)$"), r"what is the \2 \1"),
    (re.compile(r"^how come (.+) (is|are|was|were) (\w+)$"), r"why \2 \1 \3"),
    (re.compile(r"^what makes (?=\w+s \w+)"), "why "),
    (re.compile(r"^(?:list|name) the (?=\w+s (?:of|in) )"), "what are the "),
    (re.compile(r"^give (?=some )"), "what are "),
    (re.compile(r"\bquit (?=smoking|drinking)"), "stop "),
    _POSSESSED_BY,
    (re.compile(r"^((?:(?! from | to ).)*) to (\w+) from (\w+)$"), r"\1 from \3 to \2"),
)
"""What is the same in other words, and the words it is put in; one after the other."""


def plain(text: str) -> str:
    """A text without what is said out of politeness: the question or the order itself."""
    text = _PLACED.sub(r"\2 in \1", _CLOSINGS.sub("", _OPENINGS.sub("", text)))
    if text.split(" ", 1)[0] in ASKING:  # elsewhere, `?` makes a question of a statement
        text = text.removesuffix(" ?")
    asked = _ASKS.sub("", text)
    if asked != text:
        text = _as_asked(asked)
    text = _ORDERS.sub("", text)
    return _TO_ME.sub(r"\1", _FOR_ME.sub(r"\1 ", text))


def framed(text: str) -> tuple[str, ...]:
    """The question as its frame and what stands in its slots; the words themselves where no frame is of it."""
    for pattern, words in _REPHRASED:
        text = pattern.sub(words, text)
    for name, ways in _COMPILED:
        for way in ways:
            if found := way.fullmatch(text):
                return (f"<{name}>", *_slots(found.groups()))
    for to_do in (_TO_DO, _DONE_BY_ANYBODY):
        if to_do.match(text):
            return ("<to do>", *to_do.sub("", text).split())
    return tuple(_WITHOUT_DO.sub(r"\1 ", text).split())


def _slots(groups: Iterable[str]) -> list[str]:
    return [word for group in groups for word in (*group.split(), "|")]


def _as_asked(text: str) -> str:
    """`what the capital of france is` as `what is the capital of france`; anything else as it is."""
    words = text.split()
    if words[0] not in QUESTIONS or words[-1] not in BE or BE.intersection(words[1:-1]):
        return text
    head = 2 if words[0] == "how" and len(words) > 3 and words[1] in MEASURES else 1
    return " ".join((*words[:head], words[-1], *words[head:-1]))
