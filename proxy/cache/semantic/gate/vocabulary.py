"""The words that the gate knows: which may go, which mean the same, and which may never be taken for each other.

Everything not listed here counts as content, which must be the same on both sides. So a word that is missing costs a
hit and never makes a false one.
"""

from typing import Final


def _set(listed: str) -> frozenset[str]:
    return frozenset(listed.split())


ENGLISH: Final = _set(
    "the what how is which with who why where when are does this that should you my and of for was were can could "
    "will would give tell list explain describe write show please recommend suggest draft compare about between "
    "into from"
)
"""A text without any of these is not taken for English, and only the very same text is the same."""

MENTIONS: Final = _set(
    "word words letter letters spell spelling spelled rhyme rhymes rhyming pronounce pronounced pronunciation "
    "translate translation translated say says said sentence phrase grammar rewrite paraphrase rephrase proofread "
    "edit anagram palindrome plural singular vowel vowels syllable syllables characters synonym synonyms antonym "
    "antonyms mean means meaning define definition term idiom acronym abbreviation repeat quote reply respond "
    "answer"
)
"""Words of a text about words: there, no word may stand for another, and politeness may be what it is about."""

PASSING: Final = _set(
    "today tonight tomorrow yesterday now currently current latest recent recently nowadays ongoing breaking "
    "upcoming news weather forecast again another random"
)
"""What a text asks for with one of these is another thing each time."""

AMBIGUOUS: Final = _set(
    "polish turkey china march may august april june apple amazon oracle meta square stripe shell target gap word "
    "excel access outlook windows office python java ruby rust swift go spark hive slack zoom teams chrome safari "
    "bill mark will frank rose grace hope faith joy art jack drew pat rob sue penny dawn earth god job lent nice "
    "reading bath cork lima orange mobile jordan chad georgia mercury pole dane swede hamlet web net basic dart "
    "julia crystal elm us it who aids or in me is no so to at am pm ad act sat can has cat pet mit ram rom led ups "
    "dos mac sim"
)
"""Words that mean something else with capitals."""

FUNCTION_WORDS: Final = ENGLISH | _set(
    "a an i we he she it they them him her his its our your their do did has have had be been being am if or but "
    "not no to in on at by from into onto about as than then there here me us shall may might must just only"
)
"""Words whose capitals say nothing, but for those where a sentence begins or an acronym is meant."""

NUMBERS: Final = {
    "two": "2",
    "three": "3",
    "four": "4",
    "five": "5",
    "six": "6",
    "seven": "7",
    "eight": "8",
    "nine": "9",
    "ten": "10",
    "eleven": "11",
    "twelve": "12",
}

CONTRACTED: Final = {
    "what's": "what is",
    "where's": "where is",
    "how's": "how is",
    "who's": "who is",
    "when's": "when is",
    "why's": "why is",
    "it's": "it is",
    "that's": "that is",
    "there's": "there is",
    "can't": "can not",
    "cannot": "can not",
    "won't": "will not",
    "don't": "do not",
    "doesn't": "does not",
    "didn't": "did not",
    "isn't": "is not",
    "aren't": "are not",
    "wasn't": "was not",
    "weren't": "were not",
    "haven't": "have not",
    "hasn't": "has not",
    "hadn't": "had not",
    "shouldn't": "should not",
    "wouldn't": "would not",
    "couldn't": "could not",
    "mustn't": "must not",
    "i'm": "i am",
    "you're": "you are",
    "we're": "we are",
    "they're": "they are",
    "i've": "i have",
    "we've": "we have",
    "i'll": "i will",
}

SYNONYMS: Final = {
    "an": "a",
    "purchase": "buy",
    "purchasing": "buying",
    "purchased": "bought",
    "repair": "fix",
    "repairing": "fixing",
    "repaired": "fixed",
    "automobile": "car",
    "automobiles": "cars",
    "physician": "doctor",
    "physicians": "doctors",
    "attorney": "lawyer",
    "attorneys": "lawyers",
    "movie": "film",
    "movies": "films",
    "photograph": "photo",
    "photographs": "photos",
    "begin": "start",
    "begins": "starts",
    "beginning": "starting",
    "commence": "start",
    "commences": "starts",
    "large": "big",
    "larger": "bigger",
    "largest": "biggest",
    "quickly": "fast",
    "rapidly": "fast",
    "inexpensive": "cheap",
    "occur": "happen",
    "occurs": "happens",
    "occurred": "happened",
    "e-mail": "email",
    "e-mails": "emails",
    "television": "tv",
    "bike": "bicycle",
    "bikes": "bicycles",
    "fridge": "refrigerator",
    "garbage": "trash",
    "assist": "help",
    "choose": "select",
    "choosing": "selecting",
    "suggest": "recommend",
    "draft": "write",
    "compose": "write",
    "tasty": "delicious",
    "underwater": "under water",
    "percent": "%",
    "ok": "okay",
    "color": "colour",
    "colors": "colours",
    "favorite": "favourite",
    "flavor": "flavour",
    "neighbor": "neighbour",
    "center": "centre",
    "theater": "theatre",
    "tire": "tyre",
    "tires": "tyres",
    "organize": "organise",
    "summarise": "summarize",
    "summarising": "summarizing",
    "analyse": "analyze",
    "optimise": "optimize",
    "behavior": "behaviour",
    "fulfill": "fulfil",
    "aluminum": "aluminium",
    "grey": "gray",
    "whilst": "while",
}
"""One name for what is the same. Words that another sense has a life of its own in ("right", "film of oil") stay out,
unless no text would make sense with both."""

NEGATIONS: Final = _set("not no never none nobody nothing neither nor without n't fail fails except")
QUANTIFIERS: Final = _set(
    "all every each any some most many few several both either half only always usually often sometimes rarely "
    "never exactly least more less everyone anyone someone whole part nearly completely first last top bottom"
)
MODALS: Final = _set(
    "can could may might must shall should will would ought need needs required allowed possible able have has"
)
TENSES: Final = _set("is are was were am be been being do does did has have had")
UNITS: Final = _set(
    "% mg g kg km m cm mm mb gb kb tb ms s min h mph c f k bar psi kilograms kilogram grams gram pounds pound "
    "stones ounces ounce miles mile metres meters feet foot inch inches litres liters gallons gallon pints quarts "
    "cups tablespoons teaspoons minutes seconds hours days weeks months years dollars euros yen celsius fahrenheit "
    "volts watts acres hectares decibels hertz calories kilojoules degrees"
)
DATES: Final = _set(
    "monday tuesday wednesday thursday friday saturday sunday january february march april may june july august "
    "september october november december spring summer autumn winter am pm bc ad noon midnight before after until "
    "since early late weekdays weekends"
)
ASKING: Final = _set(
    "what how why who when where which whose is are was were do does did has have had can could should will would "
    "may  might must shall am any"
)
BE: Final = _set("is are was were can could should will would must may might shall")
MEASURES: Final = _set("old tall long far high big deep heavy wide many much often fast")
QUESTIONS: Final = _set("what how why who when where which")
