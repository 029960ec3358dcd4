"""Microsoft Presidio as one more detector, for what takes a model to see: an optional part, loaded when first used.

What it finds are kinds of their own, `presidio_person` for its entity PERSON, and of the category `pii`.
"""

import logging
import threading
from collections.abc import Iterator
from typing import Any, Final

from proxy.policy.errors import PolicyUnavailable
from proxy.policy.findings.settings import PresidioSettings
from proxy.policy.findings.shapes import Span


class Presidio:
    """Looks for some of Presidio's entities. From any thread, one at a time: its models share what they hold."""

    def __init__(self, settings: PresidioSettings) -> None:
        self.settings: Final = settings
        self.kinds: Final = frozenset(map(kind_of, settings.entities))
        self._lock = threading.Lock()
        self._analyzer: Any = None

    def find(self, text: str) -> Iterator[Span]:
        """What it finds in a text that is not longer than the settings allow.

        Raises:
            PolicyUnavailable: it cannot be loaded, or failed.
        """
        if not text or len(text) > self.settings.max_chars:
            return
        try:
            with self._lock:
                found = self._loaded().analyze(
                    text=text,
                    language=self.settings.language,
                    entities=list(self.settings.entities),
                    score_threshold=self.settings.min_score,
                )
        except PolicyUnavailable:
            raise
        except Exception as error:  # crash boundary: whatever it raises, nobody has looked
            raise PolicyUnavailable(f"Presidio failed: {type(error).__name__}") from error
        for each in found:
            if each.end > each.start:
                yield Span(each.start, each.end, kind_of(each.entity_type))

    def _loaded(self) -> Any:
        if self._analyzer is None:
            if problems := self.settings.missing():
                raise PolicyUnavailable(problems[0])
            analyzer = _made(self.settings)
            known = set(analyzer.get_supported_entities(self.settings.language))
            if unknown := sorted(set(self.settings.entities) - known):
                raise PolicyUnavailable(f"Presidio knows no {unknown[0]} in {self.settings.language!r}")
            self._analyzer = analyzer
        return self._analyzer


def kind_of(entity: str) -> str:
    """What an entity of Presidio's is called here."""
    return f"presidio_{entity.lower()}"


def _made(settings: PresidioSettings) -> Any:
    from presidio_analyzer import AnalyzerEngine, RecognizerRegistry  # noqa: PLC0415 - an optional dependency
    from presidio_analyzer.nlp_engine import NlpEngineProvider, NoOpNlpEngine  # noqa: PLC0415

    logging.getLogger("presidio-analyzer").setLevel(logging.ERROR)
    language, model = settings.language, settings.model
    registry = RecognizerRegistry(supported_languages=[language])
    registry.load_predefined_recognizers(languages=[language])
    if model is None:
        registry.remove_recognizer("SpacyRecognizer")
        engine = NoOpNlpEngine(models=[{"lang_code": language, "model_name": "none"}])
    else:
        models = [{"lang_code": language, "model_name": model}]
        engine = NlpEngineProvider(nlp_configuration={"nlp_engine_name": "spacy", "models": models}).create_engine()
    return AnalyzerEngine(nlp_engine=engine, registry=registry, supported_languages=[language])
