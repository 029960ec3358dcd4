"""deploy/Dockerfile: two stages, locked by hashes, nothing fetched but by pip, and run by nobody in particular."""

import fnmatch
import json
import re
import tomllib

from tests.unit.deploy.composed import ROOT, SERVICES, Instruction, dockerfile

BUILD, IMAGE = dockerfile()


def told(stage: list[Instruction], word: str) -> list[str]:
    return [rest for each, rest in stage if each == word]


def test_both_stages_are_of_one_pinned_python() -> None:
    bases = [told(stage, "FROM")[0].split()[0] for stage in (BUILD, IMAGE)]
    assert bases[0] == bases[1] and re.fullmatch(r"python:3\.\d+\.\d+-slim-\w+", bases[0])
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    assert bases[0].startswith("python:" + project["project"]["requires-python"].removeprefix(">="))


def test_what_is_installed_is_locked_by_hashes() -> None:
    installs = [each for each in told(BUILD, "RUN") if "pip install" in each]
    assert len(installs) == 2
    for wanted in ("--require-hashes", "--no-deps", "--only-binary=:all:", "requirements/image.txt"):
        assert wanted in installs[0]
    for wanted in ("--no-index", "--no-build-isolation", "--no-deps"):
        assert wanted in installs[1]
    locked = (ROOT / "requirements" / "image.txt").read_text()
    # Versions and hashes; the image's clients may want a package on Pythons that runtime.txt does not.
    pinned = re.compile(r"^[\w.\[\]-]+==[^\s;]+|--hash=\S+", re.MULTILINE)
    assert set(pinned.findall((ROOT / "requirements" / "runtime.txt").read_text())) <= set(pinned.findall(locked))
    assert re.search(r"^redis==", locked, re.MULTILINE) and re.search(r"^opa-python-client==", locked, re.MULTILINE)
    assert re.search(r"^opentelemetry-sdk==", locked, re.MULTILINE)
    words = {word for stage in (BUILD, IMAGE) for word, _ in stage}
    assert "ADD" not in words and "VOLUME" not in words
    assert not re.search(r"curl|wget|apt-get|git ", " ".join(rest for stage in (BUILD, IMAGE) for _, rest in stage))


def test_the_image_has_no_source_and_no_secret() -> None:
    assert told(IMAGE, "COPY") == ["--from=build /opt/flyball /opt/flyball"]
    assert not any("pip" in each for each in told(IMAGE, "RUN")) and not told(IMAGE, "ARG")
    assert not re.search(r"TOKEN|PASSWORD|SECRET|API_KEY", " ".join(told(IMAGE, "ENV")))


def test_it_is_run_by_a_user_without_rights_and_any_other_of_its_group() -> None:
    (user,) = told(IMAGE, "USER")
    assert user == SERVICES["proxy"]["user"] == SERVICES["demo"]["user"]
    number, group = user.split(":")
    assert int(number) >= 10000 and group == "0"
    (made,) = told(IMAGE, "RUN")
    assert f"--uid {number} --gid 0" in made and f"install -d -o {number} -g 0 -m 0770 /var/lib/flyball" in made
    environment = dict(each.split("=", 1) for each in told(IMAGE, "ENV")[0].split())
    assert environment["FLYBALL_HOME"] == "/var/lib/flyball" and environment["PYTHONDONTWRITEBYTECODE"] == "1"
    assert "flyball-state:/var/lib/flyball" in SERVICES["proxy"]["volumes"]


def test_it_serves_and_says_whether_it_lives() -> None:
    assert json.loads(told(IMAGE, "ENTRYPOINT")[0]) == ["flyball"] and json.loads(told(IMAGE, "CMD")[0]) == ["serve"]
    assert told(IMAGE, "EXPOSE") == ["4000 4001"]
    options, _, command = told(IMAGE, "HEALTHCHECK")[0].partition(" CMD ")
    python, flag, code = json.loads(command)
    assert (python, flag) == ("python", "-c") and "http://127.0.0.1:4000/healthz" in code
    assert "--interval=" in options
    compile(code, "healthcheck", "exec")


def test_the_builder_is_sent_what_the_image_is_made_of_and_no_more() -> None:
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    patterns = [line for line in lines if line and not line.startswith("#")]
    assert patterns[0] == "*"
    sent = {pattern[1:] for pattern in patterns if pattern.startswith("!")}
    copied = {name for each in told(BUILD, "COPY") for name in each.split()[:-1]}
    assert {name.split("/")[0] for name in copied} == sent
    assert all((ROOT / name).exists() for name in copied)
    dropped = [pattern.removeprefix("**/") for pattern in patterns if pattern.startswith("**/")]
    assert any(fnmatch.fnmatch("__pycache__", pattern) for pattern in dropped)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    shipped = {name.split(".")[0] for name in project["tool"]["setuptools"]["packages"]["find"]["include"]}
    assert shipped | {"pyproject.toml", "README.md", "LICENSE", "NOTICE"} <= copied
