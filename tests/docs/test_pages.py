"""The pages that show commands with what they print: every one of them is run."""

import pytest

from mlsite.config.schema import ROOT
from tests.docs.pages import PageError, compare, read_page, run_page

PAGES = ("data.md", "features.md")


@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", PAGES)
def test_a_page_does_what_it_says(name: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    page = read_page((ROOT / "docs" / name).read_text())
    assert page.steps
    run_page(page, tmp_path_factory)


def test_a_block_is_run_shown_or_left_out_for_a_reason() -> None:
    page = read_page(
        "<!-- setup\ntouch a\n-->\n```sh\nls\n```\nprose\n```text\na\n```\n```yaml\nx: 1\n```\n"
        "```sh no-run: needs a cluster\nx\n```\n"
    )
    assert [(step.line, step.shell, step.shown) for step in page.steps] == [(1, "touch a\n", None), (4, "ls\n", "a\n")]
    assert page.left_out == {14: "needs a cluster"}


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("```sh no-run\nx\n```\n", "needs its reason"),
        ("```sh maybe\nx\n```\n", "is not known"),
        ("```bash\nx\n```\n", "neither run nor shown"),
        ("```text\nx\n```\n", "output of no"),
        ("```sh\nx\n```\n```text\nx\n```\n```text\nx\n```\n", "output of no"),
    ],
)
def test_a_block_nobody_would_run_is_refused(text: str, why: str) -> None:
    with pytest.raises(PageError, match=why):
        read_page(text)


def test_what_is_shown_is_held_against_what_is_printed() -> None:
    compare(1, "a … c\n…\nend\n", "a b c\nx\ny\nend\n")
    compare(1, f"name {'0' * 64}, 1.2 s\n", f"name {'f' * 64}, 30.4 s\n")
    for shown, printed in (("a\n", "b\n"), ("a\n", "a\nb\n"), ("a\nb\n", "a\n"), ("1.5\n", "1x5\n")):
        with pytest.raises(PageError, match="line 7: the page shows"):
            compare(7, shown, printed)


def test_steps_share_a_folder_and_must_end_as_they_say(tmp_path_factory: pytest.TempPathFactory) -> None:
    good = "```sh\necho 1 > a\n```\n```sh\ncat a\n```\n```text\n1\n```\n"
    run_page(
        read_page(
            good + "```sh exits 2\n.venv/bin/python manage.py datasets none\n```\n```text\nunknown_dataset: …\n```\n"
        ),
        tmp_path_factory,
    )
    with pytest.raises(PageError, match="line 1: ended with 3, not 0"):
        run_page(read_page("```sh\nexit 3\n```\n"), tmp_path_factory)
    with pytest.raises(PageError, match="the page shows"):
        run_page(read_page("```sh\necho 2\n```\n```text\n1\n```\n"), tmp_path_factory)
