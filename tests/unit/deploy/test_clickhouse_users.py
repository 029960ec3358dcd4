"""ClickHouse's users and row policies on a real engine: what Flyball's may, and that viewers read no foreign row."""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final, NamedTuple
from xml.etree import ElementTree
from xml.etree.ElementTree import Element, SubElement

import pytest

from proxy.cli import main
from proxy.cli.grafana.viewers import quoted, viewer_roles, viewer_user
from proxy.telemetry.migrate import migrations
from tests.unit.deploy.clickhouse_as import ClickHouseAs, Refused

DEPLOY: Final = Path(__file__).parents[3] / "deploy"
USERS: Final = ElementTree.parse(DEPLOY / "clickhouse" / "users.d" / "flyball.xml").getroot()
ROWS: Final = (("acme", "support"), ("acme", "research"), ("globex", "support"), ("acm", "e/support"), ("", ""))
# Whoever may see one org reads these not at all.
WITHHELD: Final = {"audit", "payloads", "schema_migrations"}
OUTWARD: Final = (
    "INSERT INTO flyball.operations (org) VALUES ('acme')",
    "ALTER TABLE flyball.operations DELETE WHERE 1",
    "DROP TABLE flyball.operations",
    "CREATE TABLE flyball.mine (x Int8) ENGINE = Memory",
    "SELECT * FROM file('/etc/passwd', 'LineAsString')",
    "SELECT * FROM url('http://127.0.0.1:1/', 'LineAsString')",
    "SELECT * FROM remote('127.0.0.1', flyball.operations)",
    "SELECT * FROM mergeTreeIndex('flyball', 'operations')",
    "SELECT * FROM system.users",
    "SELECT 1 SETTINGS readonly = 0",
    "SELECT 1 SETTINGS max_memory_usage = 0",
    "SET readonly = 0",
)


class Store(NamedTuple):
    """The store's folder, and its tables and views with their columns."""

    folder: Path
    tables: dict[str, dict[str, str]]

    def lacking(self, *columns: str) -> set[str]:
        """Those without one of these columns."""
        return {name for name, own in self.tables.items() if not own.keys() >= set(columns)}


def profiles() -> Element:
    """Our profiles, less the one word that only a server's own configuration lets in."""
    found = ElementTree.fromstring(ElementTree.tostring(USERS.find("profiles") or Element("none")))
    for constraint in found.iterfind(".//constraints/*"):
        for word in constraint.findall("changeable_in_readonly"):
            constraint.remove(word)
    return found


def user(name: str) -> Element:
    found = USERS.find(f"users/{name}")
    assert found is not None
    return found


def seed(engine: ClickHouseAs) -> Store:
    """The schema, made as Flyball's own user, and rows of several orgs and teams in every table."""
    engine.query("CREATE DATABASE flyball")
    values = {"database": "flyball", **{f"{each}_days": "400" for each in retained()}}
    for step in migrations():
        for statement in step.statements(values):
            engine.query(statement)
    listed = engine.query("SELECT name, engine FROM system.tables WHERE database = 'flyball'")
    # Views too: `flyball.*` takes them in, and they can be asked.
    tables = {name: columns(engine, name) for name, _ in sorted(listed)}
    for table in sorted(name for name, kind in listed if kind != "MaterializedView"):
        if "org" in tables[table]:
            fill(engine, table, tables[table])
    return Store(Path(), tables)


def columns(engine: ClickHouseAs, table: str) -> dict[str, str]:
    asked = f"SELECT name, type FROM system.columns WHERE database = 'flyball' AND table = '{table}'"
    return {name: kind for name, kind in engine.query(asked)}


def fill(engine: ClickHouseAs, table: str, own: dict[str, str]) -> None:
    """A row of each team. Sums drop rows that are nothing but zero, and what is long past is dropped too."""
    more = {name: "now()" for name, kind in own.items() if kind.startswith("Date")}
    more |= {name: "1" for name, kind in own.items() if re.match(r"U?Int|Decimal|Float", kind)}
    whose = [name for name in ("org", "team") if name in own]
    told = ", ".join(f"({', '.join([*map(repr, row[: len(whose)]), *more.values()])})" for row in ROWS)
    engine.query(f"INSERT INTO flyball.{table} ({', '.join([*whose, *more])}) VALUES {told}")


def retained() -> set[str]:
    """What the schema asks to be told the days of."""
    return {found for step in migrations() for found in re.findall(r"\{(\w+)_days\}", step.sql)}


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    folder = tmp_path_factory.mktemp("clickhouse") / "store"
    with ClickHouseAs(folder, user("flyball"), profiles()) as engine:
        return seed(engine)._replace(folder=folder)


def viewer(name: str, tables: Iterable[str]) -> Element:
    """The user that `flyball grafana viewer` makes, in the words of users.xml: every grant, and the policy's filter."""
    kind = name.split(":")[0]
    told = [each for each in viewer_roles() if f"flyball_{kind}_viewer" in each]
    made = Element(re.sub(r"\W", "-", name))
    SubElement(made, "password")
    SubElement(made, "profile").text = "viewer"
    SubElement(made, "quota").text = "default"
    SubElement(SubElement(made, "networks"), "ip").text = "::/0"
    grants = SubElement(made, "grants")
    for each in told:
        if found := re.fullmatch(r"((?:GRANT|REVOKE) .*) (?:TO|FROM) flyball_\w+", each):
            SubElement(grants, "query").text = found[1]
    (policy,) = (each for each in told if "ROW POLICY" in each)
    (condition,) = re.findall(r"ON `flyball`\.\* FOR SELECT\s+USING (.*) TO flyball", policy)
    assert condition.count("currentUser()") == 1
    filters = SubElement(SubElement(made, "databases"), "flyball")
    for table in tables:
        SubElement(SubElement(filters, table), "filter").text = condition.replace("currentUser()", f"'{name}'")
    return made


def bounds() -> Element:
    """The settings of the viewers' profile."""
    (told, _) = (each for each in viewer_roles() if "SETTINGS PROFILE" in each)
    found = Element("profiles")
    SubElement(found, "default")
    profile = SubElement(found, "viewer")
    for name, value in re.findall(r"(\w+) = (\d+)", told):
        SubElement(profile, name).text = value
    return found


def test_operators_read_all_orgs_and_change_nothing(store: Store) -> None:
    with ClickHouseAs(store.folder, user("grafana"), profiles()) as engine:
        assert {tuple(row) for row in engine.query("SELECT DISTINCT org, team FROM flyball.operations")} == set(ROWS)
        for sql in OUTWARD:
            if "mergeTreeIndex" not in sql:
                with pytest.raises(Refused, match=r"ACCESS_DENIED|READONLY"):
                    engine.query(sql)


def test_flyballs_own_user_is_kept_to_its_database(store: Store) -> None:
    with ClickHouseAs(store.folder, user("flyball"), profiles()) as engine:
        assert engine.query("SELECT count() FROM flyball.operations") == [[len(ROWS)]]
        for sql in ("CREATE DATABASE other", "CREATE USER x", "SELECT * FROM file('/etc/passwd', 'LineAsString')"):
            with pytest.raises(Refused, match="ACCESS_DENIED"):
                engine.query(sql)


def test_every_statement_is_one_that_clickhouse_reads(store: Store) -> None:
    strange = "it's `a` \\ org"
    told = [*viewer_roles(), *viewer_user("acme", "", "a"), *viewer_user(strange, "t\nt", "b"), *viewer_roles(strange)]
    with ClickHouseAs(store.folder, user("flyball"), profiles()) as engine:
        for statement in told:
            text = statement.replace("\\", "\\\\").replace("'", "\\'")
            ((formatted,),) = engine.query(f"SELECT formatQuerySingleLine('{text}')")
            assert formatted.split()[:2] == statement.split()[:2]
        named = quoted(f"org:{strange}")
        assert engine.query(f"SELECT 1 AS {named} FORMAT JSONCompact") == [[1]]


def test_the_image_starts_with_the_policies_and_the_command_prints_them(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ACME", "a secret")
    shipped = (DEPLOY / "clickhouse" / "initdb" / "viewers.sql").read_text()
    assert re.sub(r"^--.*\n", "", shipped, flags=re.MULTILINE) == "".join(f"{each};\n" for each in viewer_roles())
    assert main(["grafana", "viewer", "--org", "acme", "--team", "support", "--password-env", "ACME"]) == 0
    printed = capsys.readouterr().out
    assert printed == "".join(f"{each};\n" for each in viewer_roles() + viewer_user("acme", "support", "a secret"))
    assert "a secret" not in printed and "`team:acme/support`" in printed
    assert main(["grafana", "viewer", "--org", "a/b", "--password-env", "ACME"]) == 1
    assert main(["grafana", "viewer", "--org", "acme", "--password-env", "NO_SUCH"]) == 1


@pytest.fixture(scope="module", params=["org:acme", "team:acme/support"])
def reader(request: pytest.FixtureRequest, store: Store) -> Iterator[tuple[str, ClickHouseAs]]:
    # The last tests of the file use it: a store has one engine at a time.
    with ClickHouseAs(store.folder, viewer(request.param, store.tables), bounds()) as engine:
        yield request.param, engine


def test_a_viewer_reads_its_own_rows_of_every_table_and_no_other(
    store: Store, reader: tuple[str, ClickHouseAs]
) -> None:
    name, engine = reader
    own = {("acme", "support")} | ({("acme", "research")} if name.startswith("org") else set())
    assert {"operations", "attempts", "decisions", "spend_quarter_hours"} <= store.tables.keys()
    for table in sorted(store.tables.keys() - WITHHELD - store.lacking("org", "team")):
        read = {tuple(row) for row in engine.query(f"SELECT DISTINCT org, team FROM flyball.{table}")}
        assert read == own, table
    if name.startswith("org"):
        for table in sorted(store.lacking("org", "team") - store.lacking("org") - WITHHELD):
            assert engine.query(f"SELECT DISTINCT org FROM flyball.{table}") == [["acme"]], table
    merged = {
        tuple(row) for row in engine.query("SELECT DISTINCT org, team FROM merge('flyball', '^(op|att|dec|sp).*')")
    }
    assert merged == own
    assert engine.query("SELECT count() FROM flyball.operations WHERE org != 'acme'") == [[0]]


def test_a_viewer_reads_nothing_that_is_withheld_or_of_nobody(store: Store, reader: tuple[str, ClickHouseAs]) -> None:
    needed = ("org",) if reader[0].startswith("org") else ("org", "team")
    for table in sorted((WITHHELD & store.tables.keys()) | store.lacking(*needed)):
        for what in ("*", "count()"):
            with pytest.raises(Refused):
                reader[1].query(f"SELECT {what} FROM flyball.{table}")


def test_a_viewer_gets_nowhere_else(reader: tuple[str, ClickHouseAs]) -> None:
    for sql in OUTWARD:
        with pytest.raises(Refused, match=r"ACCESS_DENIED|READONLY"):
            reader[1].query(sql)
