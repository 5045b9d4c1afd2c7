"""Files of the European Central Bank's reference rates, and what a new one does."""

import io
import logging
import os
import threading
import zipfile
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from resolvers.rates import Rate
from server.rates import CHECK_SECONDS, RatesFile
from server.rates_reading import MAX_BYTES, rate_table
from vendors.errors import ConfigError

# Source: European Central Bank, euro foreign exchange reference rates: eurofxref-hist.xml, eurofxref.csv and eurofxref-hist.csv.
HEAD = (
    '<?xml version="1.0" encoding="UTF-8"?>'
    '<gesmes:Envelope xmlns:gesmes="http://www.gesmes.org/xml/2002-08-01" xmlns="http://www.ecb.int/vocabulary/2002-08-01/eurofxref">'
    "<gesmes:subject>Reference rates</gesmes:subject><gesmes:Sender><gesmes:name>European Central Bank</gesmes:name></gesmes:Sender>"
)
FRIDAY_XML = '<Cube time="2026-11-20"><Cube currency="USD" rate="1.0850"/><Cube currency="JPY" rate="167.42"/></Cube>'
MONDAY_XML = '<Cube time="2026-11-16"><Cube currency="USD" rate="1.0700"/><Cube currency="CYP" rate="0.58231"/></Cube>'


def xml(days: str, head: str = HEAD) -> bytes:
    return f"{head}<Cube>{days}</Cube></gesmes:Envelope>".encode()


def zipped(**files: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return out.getvalue()


HIST_XML = xml(FRIDAY_XML + MONDAY_XML)
HIST_CSV = b"Date,USD,JPY,CYP,\n2026-11-20,1.0850,167.42,N/A,\n2026-11-16,1.0700,N/A,0.58231,\n"
DAILY_XML = (
    b'<?xml version="1.0" encoding="UTF-8"?>\n<gesmes:Envelope xmlns:gesmes="http://www.gesmes.org/xml/2002-08-01">\n\t<Cube>\n'
    b"\t\t<Cube time='2026-11-20'>\n\t\t\t<Cube currency='USD' rate='1.0850'/>\n\t\t</Cube>\n\t</Cube>\n</gesmes:Envelope>"
)
DAILY_CSV = b"Date, USD, JPY, \n20 November 2026, 1.0850, 167.42, \n"
FRIDAY, MONDAY = date(2026, 11, 20), date(2026, 11, 16)


@pytest.mark.parametrize(
    "content",
    [
        HIST_XML,
        HIST_CSV,
        HIST_CSV.replace(b"\n", b"\r\n"),
        HIST_CSV.replace(b",\n", b"\n"),
        b"\xef\xbb\xbf" + HIST_CSV + b"\n\n",
        b"\xef\xbb\xbf" + HIST_XML,
        zipped(**{"eurofxref-hist.csv": HIST_CSV}),
        zipped(anything=HIST_XML),
        zipped(**{"rates/": b"", "rates/eurofxref-hist.csv": HIST_CSV}),
    ],
    ids=["xml", "csv", "csv of windows", "csv without last commas", "csv with a mark", "xml with a mark", "zip", "zip of xml", "folder"],
)
def test_what_a_history_holds_is_told_by_its_content(content: bytes) -> None:
    table = rate_table(content)

    assert table.latest == FRIDAY
    assert table.rate("EUR", "USD") == Rate(Decimal("1.0850"), FRIDAY)
    assert table.rate("EUR", "USD", date(2026, 11, 19)) == Rate(Decimal("1.0700"), MONDAY)
    assert table.rate("EUR", "JPY", MONDAY) is None
    assert table.rate("EUR", "CYP") == Rate(Decimal("0.58231"), MONDAY)


@pytest.mark.parametrize("content", [DAILY_XML, DAILY_CSV, zipped(**{"eurofxref.csv": DAILY_CSV})], ids=["xml", "csv", "zip"])
def test_a_daily_file_has_one_day(content: bytes) -> None:
    table = rate_table(content)

    assert table.rate("EUR", "USD") == Rate(Decimal("1.0850"), FRIDAY)
    assert table.rate("EUR", "USD", date(2026, 11, 19)) is None


@pytest.mark.parametrize("month", ["January", "May", "September", "December"])
def test_the_date_of_a_daily_csv_is_english(month: str) -> None:
    table = rate_table(DAILY_CSV.replace(b"20 November", f"3 {month}".encode()))

    assert table.latest == date(2026, {"January": 1, "May": 5, "September": 9, "December": 12}[month], 3)


def test_a_day_without_any_rate_does_not_count() -> None:
    assert rate_table(HIST_CSV + b"2026-11-21,N/A,,N/A,\n").latest == FRIDAY


def test_a_file_of_many_pieces_is_read_whole() -> None:
    days = [date.fromordinal(date(1999, 1, 4).toordinal() + number) for number in range(3000)]
    table = rate_table(xml("".join(FRIDAY_XML.replace("2026-11-20", str(day)).replace("1.0850", f"1.{day:%y%j}") for day in days)))

    assert [table.rate("EUR", "USD", day) for day in days] == [Rate(Decimal(f"1.{day:%y%j}"), day) for day in days]


XML_MISTAKES = [
    (HIST_XML[:-20], "is wrong in line 1: it is no well-formed XML; download the file again"),
    (b"\n" + HIST_XML, "is wrong in line 2: it is no well-formed XML; download the file again"),
    (b"<html><body>Not found</body></html>", "is no file of the European Central Bank's reference rates; download"),
    (b"<!DOCTYPE html><html></html>", "is wrong in line 1: a document type has no place in such a file; download the file again"),
    (xml(""), "has no day with rates; download the file again"),
    (xml('<Cube time="2026-11-20"/>'), "has no day with rates; download the file again"),
    (xml('<Cube time="20.11.2026"/>'), "is wrong in line 1: the date must be a day, written like 2026-11-20"),
    (xml('<Cube time="2026-02-30"/>'), "is wrong in line 1: the date must be a day, written like 2026-11-20"),
    (xml('<Cube time="20261120"/>'), "is wrong in line 1: the date must be a day, written like 2026-11-20"),
    (xml(FRIDAY_XML * 2), "is wrong in line 1: the day 2026-11-20 stands there twice; keep one of them"),
    (xml(f'<Cube time="2026-11-16">{FRIDAY_XML}</Cube>'), "is wrong in line 1: a <Cube> with a time stands in another one;"),
    (xml('<Cube currency="USD" rate="1"/>'), 'is wrong in line 1: a <Cube> with a currency must stand in one with a time="2026-11-20";'),
    (
        xml(FRIDAY_XML.replace('rate="1.0850"', "")),
        'is wrong in line 1, day 2026-11-20: a <Cube> must have a currency="USD" and a rate="1.0850";',
    ),
    (xml(FRIDAY_XML.replace("JPY", "USD")), "is wrong in line 1, day 2026-11-20: USD stands there twice; keep one of them"),
    (
        xml(FRIDAY_XML.replace("JPY", "EUR")),
        "is wrong in line 1, day 2026-11-20: a currency must be three capital letters, and not EUR, which the rates are based on",
    ),
    (xml(FRIDAY_XML.replace("JPY", "yen")), "is wrong in line 1, day 2026-11-20: a currency must be three capital letters"),
    *(
        (
            xml(FRIDAY_XML.replace("1.0850", rate)),
            "is wrong in line 1, day 2026-11-20: the rate of USD must be a number above 0, written like 1.0850, with at most 18 digits",
        )
        for rate in (
            "",
            "N/A",
            "0",
            "0.000",
            "-1.0850",
            "1,0850",
            "1e3",
            "NaN",
            "Infinity",
            "1.",
            ".5",
            "\u0661",
            "1" * 19,
            "0." + "1" * 19,
        )
    ),
]
CSV_MISTAKES = [
    (b"", "is no file of the European Central Bank's reference rates; download eurofxref-hist.zip, eurofxref-hist.xml or a daily one"),
    (b"password = hunter2", "is no file of the European Central Bank's reference rates;"),
    (b"Date\n2026-11-20\n", "is no file of the European Central Bank's reference rates;"),
    (HIST_CSV.replace(b",", b";"), "is no file of the European Central Bank's reference rates;"),
    (b"\xff\xfe" + HIST_CSV, "is no file of the European Central Bank's reference rates;"),
    (HIST_CSV[:18], "has no day with rates; download the file again"),
    (HIST_CSV.replace(b"CYP", b"USD"), "is wrong in line 1: a currency stands there twice; keep one of its columns"),
    (HIST_CSV.replace(b"CYP", b"EUR"), "is wrong in line 1: a currency must be three capital letters, and not EUR"),
    (HIST_CSV.replace(b"CYP", b"C\xc3\x9cP"), "is wrong in line 1: a currency must be three capital letters, and not EUR"),
    (HIST_CSV[:-20], "is wrong in line 3: there are 0 values for the 3 currencies of line 1; download the file again"),
    (HIST_CSV.replace(b"-16", b"-31"), "is wrong in line 3: the date must be a day, written like 2026-11-20"),
    (HIST_CSV.replace(b"-16", b"-20"), "is wrong in line 3: the day 2026-11-20 stands there twice; keep one of them"),
    (HIST_CSV.replace(b"167.42", b"many"), "is wrong in line 2: the rate of JPY must be a number above 0, written like 1.0850"),
    (DAILY_CSV.replace(b"November", b"Novembre"), "is wrong in line 2: the date must be a day, written like 2026-11-20"),
    (DAILY_CSV.replace(b"20 Nov", b"31 Nov"), "is wrong in line 2: the date must be a day, written like 2026-11-20"),
]
ZIP_MISTAKES = [
    (zipped(), "is a zip of 0 files instead of one; download the file again, or unpack it and name the one with the rates"),
    (zipped(a=HIST_CSV, b=HIST_CSV), "is a zip of 2 files instead of one;"),
    (zipped(a=HIST_CSV)[:-9], "is a zip that cannot be unpacked; download the file again"),
    (zipped(a=HIST_CSV).replace(b"\x08\x00", b"\x63\x00"), "is a zip that cannot be unpacked; download the file again"),
    (zipped(a=zipped(b=HIST_CSV)), "is no file of the European Central Bank's reference rates;"),
    (zipped(a=b"Date, USD\n" + b"\n" * MAX_BYTES), "is larger than 32 MB; download the file again"),
]


@pytest.mark.parametrize(("content", "mistake"), [*XML_MISTAKES, *CSV_MISTAKES, *ZIP_MISTAKES])
def test_a_malformed_file_is_told_by_its_place_and_what_to_mend(content: bytes, mistake: str) -> None:
    with pytest.raises(ConfigError) as caught:
        rate_table(content)

    assert str(caught.value).startswith(mistake)


def test_an_entity_is_neither_fetched_nor_expanded(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("1.0850")
    declared = f'<!DOCTYPE x [<!ENTITY rate SYSTEM "{tmp_path.as_uri()}/secret">]>'
    days = FRIDAY_XML.replace("1.0850", "&rate;")

    with pytest.raises(ConfigError, match="a document type has no place in such a file"):
        rate_table(xml(days, HEAD.replace("<gesmes:Envelope", f"{declared}<gesmes:Envelope")))
    with pytest.raises(ConfigError, match="no well-formed XML"):
        rate_table(xml(days))


class Runs:
    """A file of rates, its clock, and the readings that it has started."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.seconds = 1000.0
        self.started: list[Callable[[], None]] = []
        self.writes = 0
        self.write(HIST_CSV)
        self.rates = RatesFile(file, clock=lambda: self.seconds, start=self.started.append)

    def write(self, content: bytes) -> None:
        """Replace the file, at a time of its own."""
        self.writes += 1
        self.file.write_bytes(content)
        os.utime(self.file, (self.writes, self.writes))

    def usd(self) -> Decimal:
        rate = self.rates().rate("EUR", "USD")
        assert rate is not None
        return rate.value

    def next_minute(self) -> None:
        """Let a minute go by, and end the reading that its first use starts."""
        self.seconds += CHECK_SECONDS
        self.rates()
        while self.started:
            self.started.pop()()


@pytest.fixture
def runs(tmp_path: Path) -> Runs:
    return Runs(tmp_path / "eurofxref-hist.csv")


def test_a_new_file_is_taken_over_after_a_minute(runs: Runs) -> None:
    runs.write(HIST_CSV.replace(b"1.0850", b"1.2000"))
    runs.seconds += CHECK_SECONDS - 1
    before = runs.usd(), list(runs.started)

    runs.next_minute()

    assert before == (Decimal("1.0850"), [])
    assert runs.usd() == Decimal("1.2000")


def test_the_former_rates_hold_while_a_new_file_is_read_once(runs: Runs) -> None:
    runs.write(HIST_CSV.replace(b"1.0850", b"1.2000"))
    runs.seconds += CHECK_SECONDS
    assert runs.usd() == Decimal("1.0850")
    runs.seconds += CHECK_SECONDS
    assert runs.usd() == Decimal("1.0850")

    [read] = runs.started
    read()

    assert runs.usd() == Decimal("1.2000")


def test_a_file_that_stays_is_not_read_again(runs: Runs) -> None:
    runs.seconds += CHECK_SECONDS
    runs.rates()

    assert runs.started == []


@pytest.mark.parametrize("change", ["broken", "away"])
def test_a_file_that_cannot_be_used_leaves_the_former_rates_and_is_told_once(
    runs: Runs, change: str, caplog: pytest.LogCaptureFixture
) -> None:
    if change == "away":
        runs.file.unlink()
    else:
        runs.write(HIST_CSV.replace(b"1.0850", b"much"))

    runs.next_minute()
    runs.next_minute()

    assert runs.usd() == Decimal("1.0850")
    what = "cannot be read (No such file or directory)" if change == "away" else "is wrong in line 2: the rate of USD must be"
    [told] = [record for record in caplog.records if record.levelno == logging.WARNING]
    assert told.getMessage().startswith(f"the exchange rates of 2026-11-20 are kept, because {runs.file} now {what}")


def test_a_file_that_was_mended_is_taken_over(runs: Runs) -> None:
    runs.write(b"")
    runs.next_minute()
    runs.write(HIST_XML.replace(b"1.0850", b"1.3000"))

    runs.next_minute()

    assert runs.usd() == Decimal("1.3000")


def test_a_new_file_is_read_in_a_thread_of_its_own(runs: Runs) -> None:
    rates = RatesFile(runs.file, clock=lambda: runs.seconds)
    runs.write(HIST_CSV.replace(b"1.0850", b"1.2000"))
    runs.seconds += CHECK_SECONDS

    rates()
    for thread in threading.enumerate():
        if thread.name == "exchange rates":
            thread.join(10)

    assert rates().rate("EUR", "USD") == Rate(Decimal("1.2000"), FRIDAY)


@pytest.mark.parametrize("path", ["absent.csv", ".", "a\0b"])
def test_a_file_that_is_not_there_is_a_mistake(tmp_path: Path, path: str) -> None:
    with pytest.raises(ConfigError, match=r"^cannot be read \("):
        RatesFile(tmp_path / path)


def test_a_file_that_never_ends_is_not_read_to_its_end() -> None:
    with pytest.raises(ConfigError, match=r"^is larger than 32 MB"):
        RatesFile(Path("/dev/zero"))
