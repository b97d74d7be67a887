"""What is printed to be pasted must work when it is pasted."""

import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from kassa.cli import banner
from kassa.cli.trying import FACES
from kassa.settings import Settings


def commands(printed: str) -> list[list[str]]:
    """The lines that are commands, as a shell would read them."""
    lines = [line.strip() for line in printed.splitlines()]
    return [shlex.split(line) for line in lines if " --data-dir " in line]


def test_there_is_one_command_for_each_interface_and_it_names_the_data_directory(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    directory = tmp_path / "a shop's data"

    banner.show(Settings(demo=True, data_dir=str(directory)))

    show, *tries = commands(capsys.readouterr().out)
    assert show[-4:] == ["demo", "--json", "--data-dir", str(directory)]
    assert {line[-3] for line in tries} == set(FACES)
    assert all(line[-4] == "try" and line[-1] == str(directory) for line in tries)


def test_a_pasted_command_runs_in_another_directory(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    banner.show(Settings(demo=True, data_dir=str(tmp_path / "none")))
    command = commands(capsys.readouterr().out)[0]

    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)

    assert done.returncode == 2
    assert "there is no demo in" in done.stderr


def test_without_the_script_the_module_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", ["pytest"])
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python3"))
    monkeypatch.setenv("PATH", str(tmp_path))

    banner.show(Settings(demo=True, data_dir=str(tmp_path)))

    assert commands(capsys.readouterr().out)[0][:3] == [
        str(tmp_path / "python3"),
        "-m",
        "kassa.cli",
    ]


def test_the_simulators_page_is_named_where_there_is_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    banner.show(Settings(demo=True, simulator_port=8090, data_dir=str(tmp_path)))
    with_it = capsys.readouterr().out
    banner.show(Settings(simulator_port=8090, data_dir=str(tmp_path)))
    without = capsys.readouterr().out

    assert "simulator       http://127.0.0.1:8090/ " in with_it
    assert "8090" not in without


def test_without_the_demo_there_is_nothing_to_try(capsys: pytest.CaptureFixture[str]) -> None:
    banner.show(Settings(base_url="https://pay.example.org", host="0.0.0.0"))

    printed = capsys.readouterr().out
    assert "https://pay.example.org   (listening on 0.0.0.0:8080)" in printed
    assert not commands(printed)
