"""Filters of Snakemake's messages."""

from __future__ import annotations

import logging

import pytest
from snakemake.common import NOTHING_TO_BE_DONE_MSG

from vfm_fusion.workflow.console import JobsOnce, OutcomeToo


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def logger(said: list[str]) -> logging.Logger:
    class Kept(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            said.append(record.getMessage())

    logger = logging.Logger("snakemake's")
    logger.addHandler(Kept())
    return logger


def test_a_table_of_jobs_is_said_once_in_a_row(logger: logging.Logger, said: list[str]) -> None:
    logger.addFilter(JobsOnce())
    for message, stats in (("table", {"all": 1}), ("else", None), ("table", {"all": 1}), ("new", {"all": 2})):
        logger.info(message, extra={} if stats is None else {"stats": stats})
    assert said == ["table", "else", "new"]


def test_the_outcome_follows_the_message_that_nothing_is_to_be_done(
    logger: logging.Logger, said: list[str]
) -> None:
    texts = iter(["outcome", ""])
    logger.addFilter(OutcomeToo(lambda: next(texts)))
    logger.info("Building DAG of jobs...")
    logger.info(NOTHING_TO_BE_DONE_MSG)
    logger.info(NOTHING_TO_BE_DONE_MSG)
    assert said == [
        "Building DAG of jobs...",
        f"{NOTHING_TO_BE_DONE_MSG}\noutcome",
        NOTHING_TO_BE_DONE_MSG,
    ]
