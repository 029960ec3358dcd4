"""The ways in: a one-time link, or an admin token pasted into a form."""

from proxy.admin.console.markup import Html, el
from proxy.admin.console.shell import Place, message, page


def login_page(place: Place, wrong: str = "") -> str:
    """The sign-in form; `wrong` says what was wrong with the last try."""
    return page(
        place,
        "Sign in",
        el(
            "div",
            el("h1", "Sign in"),
            el("p", wrong, class_="alarm", role="alert", id="wrong") if wrong else None,
            el(
                "p",
                "Run ",
                el("code", "flyball console"),
                " on the machine that serves: it opens a link that signs "
                "you in, once, within a minute. Or paste an admin token.",
            ),
            _form(place, bool(wrong)),
            class_="card lone",
        ),
    )


def _form(place: Place, wrong: bool) -> Html:
    return el(
        "form",
        el("label", "Admin token", for_="token"),
        el(
            "input",
            type="password",
            name="token",
            id="token",
            required=True,
            autocomplete="off",
            maxlength=512,
            spellcheck="false",
            aria_describedby="wrong" if wrong else None,
            aria_invalid="true" if wrong else None,
        ),
        el("button", "Sign in", type="submit"),
        method="post",
        action=place.url("login"),
        class_="login",
    )


def opened_page(place: Place) -> str:
    """Sends the browser on from inside the console: the strict cookie then goes along, wherever the link stood."""
    return page(
        place,
        "Signed in",
        el(
            "div",
            el("h1", "Signed in"),
            el("p", el("a", "Go to the console", href=place.url(""))),
            class_="card lone",
        ),
        refresh_to=place.url(""),
    )


def spent_link_page(place: Place) -> str:
    """A one-time link that does not open anything any more."""
    again = el(
        "p",
        "One-time links open once, within a minute. Run ",
        el("code", "flyball console"),
        " for a new one, or ",
        el("a", "sign in with an admin token", href=place.url("login")),
        ".",
    )
    return message(place, "This link is used up", again)
