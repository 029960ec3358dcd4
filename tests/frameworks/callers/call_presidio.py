"""Looks through texts with Presidio beside the other detectors: `python call_presidio.py`; says what came of it."""

import json
import sys
import time

from proxy.policy.findings import Finder, FindingsSettings, PresidioSettings, Said, edited

SETTINGS = FindingsSettings(
    presidio=PresidioSettings(entities=("CRYPTO", "IP_ADDRESS", "MAC_ADDRESS"), max_chars=20_000)
)
TEXT = "bob@example.com paid 1BoatSLRHtKNngkdXEeobR76b53LETtpyT from 10.0.0.17"


def main() -> dict[str, object]:
    """What was found, what is left after redaction, and what a failure and a long text come to."""
    problems = SETTINGS.contradictions()
    finder = Finder(SETTINGS)
    found = finder.look([Said("user", 0, TEXT), Said("tool", 1, "x" * 20_001)])
    begun = time.process_time()
    Finder(SETTINGS).look([Said("user", 0, "The quick brown fox jumps over the lazy dog. " * 200)])
    return {
        "problems": problems,
        "findings": [[each.kind, each.category, each.index, each.count] for each in found.findings],
        "whole": found.is_whole,
        "pii": edited(TEXT, finder.redactor(["pii"]).edits("user", TEXT)),
        "one": edited(TEXT, finder.redactor(["presidio_crypto"]).edits("user", TEXT)),
        "seconds": time.process_time() - begun,
        "unknown": unknown(),
    }


def unknown() -> str:
    """What an entity comes to that Presidio does not know."""
    finder = Finder(FindingsSettings(presidio=PresidioSettings(entities=("SHOE_SIZE",))))
    try:
        finder.look([Said("user", 0, TEXT)])
    except Exception as error:  # noqa: BLE001  whatever is raised is what is asked for
        return str(error)
    return ""


if __name__ == "__main__":
    print("\ntold:", json.dumps(main()))
    sys.exit(0)
