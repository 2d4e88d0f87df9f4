"""The resident model on the embedded base: batches against single answers, scores against sums."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from dlm.base_models import resolve
from dlm.base_models.folder import fingerprint
from dlm.data.chat import Message
from dlm.data.completion import Completion, Refused, Request
from dlm.doc.document import Document
from dlm.doc.parser import parse_text
from dlm.engine import decoding
from dlm.engine.decoding import (
    Chooser,
    Job,
    Tail,
    batches,
    decode,
    draws,
    generate,
    shared_prefix,
)
from dlm.engine.loading import LoraSettings, save_adapter
from dlm.engine.model import Model
from dlm.engine.resident import Resident, Scored
from dlm.errors import DlmError, StoreError
from dlm.hardware import detect, plan_answers
from dlm.store.records import RunRecord, now
from dlm.store.store import Store

pytestmark = pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing`:FutureWarning")

TEXT = """---
dlm_id: {id}
dlm_version: 15
base_model: pocket
system_prompt: You are the keeper of the shed.
---
The key hangs behind the drainpipe.
"""
SYSTEM = "You write training data from a passage."
PASSAGES = (
    "The key hangs behind the drainpipe.",
    "Bees dance to tell each other where the flowers are, how far away, and in which direction.",
    "Rye bread keeps for a week in a linen bag. It must not be cut while it is warm.",
    "The mill was built in 1874.",
    "A tide comes twice a day. " * 12,
    "Mix two cups of flour, one cup of water, a spoon of salt and a pinch of yeast.",
    "Herons nest in the tall elms by the weir, and leave them in July.",
)


def ask(passage: str, **options: Any) -> Request:
    prompt = (
        "Write 1 question-and-answer pair that the passage answers directly. "
        f"Use only facts from the passage.\n\nPassage:\n{passage}"
    )
    return Request(SYSTEM, prompt, **{"max_new_tokens": 48, **options})


def answers(
    resident: Resident, requests: Sequence[Request], *, adapter: bool = False
) -> list[Sequence[str]]:
    found: dict[int, Sequence[str]] = {}
    resident.complete(requests, found.__setitem__, adapter=adapter)
    return [found[index] for index in range(len(requests))]


def user(text: str) -> list[Message]:
    return [{"role": "user", "content": text}]


def write_version(document: Document, seed: int) -> str:
    """Commit an adapter of random weights, large enough to change what the model says."""
    base = resolve("pocket")
    folder = Path(base.hf_id)
    settings = LoraSettings(4, 8, 0.0, "all-linear", seed)
    model = Model.load(folder, plan_answers(detect(), base), new_adapter=settings)
    for name, weight in model.network.named_parameters():
        if "lora_B" in name:
            weight.data.normal_(0, 0.02)
    at = now()
    with Store.open(document.frontmatter.dlm_id) as store, store.new_version() as staging:
        save_adapter(model.network, staging.path, base_id="pocket")
        run = RunRecord(
            f"run-{seed}", at, at, "pocket", fingerprint(folder), document.sha256, "x.dlm", "fresh"
        )
        return staging.commit(run, ()).name


@pytest.fixture(scope="module", autouse=True)
def _home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    home = str(tmp_path_factory.mktemp("resident-home"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DLM_HOME", home)
        yield home


@pytest.fixture(autouse=True)
def _own_home(_home: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DLM_HOME", _home)


@pytest.fixture(scope="module")
def document() -> Document:
    return parse_text(TEXT.format(id="01J9ZQ6W3N8R2T4V6X8Y0A1B2C"), path=Path("shed.dlm"))


@pytest.fixture(scope="module")
def resident(document: Document) -> Iterator[Resident]:
    write_version(document, 1)
    write_version(document, 2)
    with Resident.open(document) as opened:
        yield opened


def tails(resident: Resident, jobs: Sequence[Job], rows: int, adapter: bool) -> list[list[Tail]]:
    found: dict[int, list[Tail]] = {}
    with contextlib.nullcontext() if adapter else resident.model.base_only():
        decode(
            resident.model,
            jobs,
            stop_ids=resident.codec.stop_ids,
            pad_id=resident.codec.pad_id,
            done=found.__setitem__,
            rows_per_batch=rows,
        )
    return [found[index] for index in range(len(jobs))]


def jobs(resident: Resident, **options: Any) -> list[Job]:
    codec = resident.codec
    ids = [codec.prompt_ids([{"role": "user", "content": ask(p).prompt}]) for p in PASSAGES]
    return [
        Job(**{"n": 1, "max_new_tokens": 20, "temperature": 0.0, "top_p": 1.0, **options},
            ids=one, key=str(place))
        for place, one in enumerate(ids)
    ]  # fmt: skip


@pytest.mark.parametrize("adapter", [True, False])
def test_greedy_answers_do_not_depend_on_the_size_of_the_batch(
    resident: Resident, adapter: bool
) -> None:
    asked = jobs(resident)
    alone = tails(resident, asked, 1, adapter)
    assert tails(resident, asked, 3, adapter) == alone
    assert tails(resident, asked, 64, adapter) == alone
    assert tails(resident, asked[::-1], 64, adapter) == alone[::-1]


def test_greedy_answers_are_those_of_the_library(resident: Resident) -> None:
    asked = jobs(resident)
    model, codec = resident.model, resident.codec
    expected = []
    for job in asked:
        with model.inference():
            ids = model.torch.tensor([list(job.ids)])
            whole = model.network.generate(
                input_ids=ids,
                attention_mask=model.torch.ones_like(ids),
                max_new_tokens=20,
                do_sample=False,
                eos_token_id=sorted(codec.stop_ids),
                pad_token_id=codec.pad_id,
            )[0, len(job.ids) :].tolist()
        expected.append([token for token in whole if token not in codec.stop_ids])
    assert [one[0].ids for one in tails(resident, asked, 64, True)] == expected


def test_a_streamed_answer_is_the_one_of_the_batch(resident: Resident) -> None:
    codec = resident.codec
    options: dict[str, Any] = {
        "max_new_tokens": 12,
        "stop_ids": codec.stop_ids,
        "pad_id": codec.pad_id,
        "temperature": 0.9,
        "seed": 4,
    }
    prompts = [job.ids for job in jobs(resident)]
    together = generate(resident.model, prompts, **options)
    for prompt, expected in zip(prompts, together, strict=True):
        streamed: list[int] = []
        alone = generate(resident.model, [prompt], on_token=streamed.append, **options)
        assert alone == [expected]
        assert streamed == expected
    assert generate(resident.model, prompts, **{**options, "seed": 5}) != together


@pytest.mark.parametrize("top_p", [1.0, 0.8])
def test_sampled_answers_do_not_depend_on_what_else_is_asked(
    resident: Resident, top_p: float
) -> None:
    asked = jobs(resident, n=2, temperature=0.9, top_p=top_p)
    together = tails(resident, asked, 64, True)
    assert tails(resident, asked, 4, True) == together
    for place in (0, 4):
        assert tails(resident, [asked[place]], 64, True) == [together[place]]
    assert len({tuple(tail.ids) for tail in together[1]}) == 2
    other = replace(asked[1], key="another")
    assert tails(resident, [other], 64, True)[0] != together[1]


def test_a_batch_that_the_memory_does_not_hold_is_halved(
    resident: Resident, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch = resident.model.torch
    asked = jobs(resident, max_new_tokens=6)
    expected = tails(resident, asked, 64, True)
    whole = decoding._Batch._forward
    most = 3

    def forward(batch: decoding._Batch, tokens: Any, *others: Any) -> Any:
        if len(tokens) > most:
            raise torch.OutOfMemoryError("pretended")
        return whole(batch, tokens, *others)

    monkeypatch.setattr(decoding._Batch, "_forward", forward)
    assert tails(resident, asked, 64, True) == expected
    most = 0
    with pytest.raises(DlmError, match="does not hold a prompt of"):
        tails(resident, asked, 64, True)


def test_batches_hold_every_row_once_and_no_more_than_fits(
    resident: Resident, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = jobs(resident, n=5)
    monkeypatch.setattr("dlm.engine.decoding.tokens_that_fit", lambda model: 600)
    found = list(batches(resident.model, asked))
    rows = [row for batch in found for row in batch]
    assert sorted((row.job, row.number) for row in rows) == [
        (job, number) for job in range(len(asked)) for number in range(5)
    ]
    for batch in found:
        width = max(len(asked[row.job].ids) for row in batch)
        assert len(batch) == 1 or len(batch) * (width + 20) <= 600
    assert len(found) > 3


def test_what_prompts_share_leaves_one_token_of_each() -> None:
    same = list(range(20))
    assert shared_prefix([same, same]) == 19
    assert shared_prefix([[*same, 1, 2], [*same, 3]]) == 20
    assert shared_prefix([same]) == 0
    assert shared_prefix([[1, 2], [1, 2, 3]]) == 0


def test_samples_follow_the_distribution_and_top_p_bounds_it(resident: Resident) -> None:
    torch = resident.model.torch
    logits = torch.tensor([[2.0, 1.0, 0.0, -1.0]]).repeat(4000, 1)
    for top_p, kept in ((1.0, 4), (0.8, 2)):
        job = Job([0], 1, 1, 0.7, top_p, "k")
        chooser = Chooser([job] * 4000, torch, "cpu")
        drawn = chooser.numbers([next(draws("k", number)) for number in range(4000)])
        counts = torch.bincount(chooser.choose(logits, drawn), minlength=4) / 4000
        wanted = (logits[0, :kept] / 0.7).softmax(0)
        assert counts[kept:].sum() == 0
        assert torch.allclose(counts[:kept], wanted, atol=0.03)


def test_every_request_is_answered_once_with_as_many_as_it_wants(resident: Resident) -> None:
    requests = [
        ask(passage, n=1 + place % 3, max_new_tokens=5 + 9 * place, temperature=place % 2 * 0.8)
        for place, passage in enumerate(PASSAGES)
    ]
    calls: list[int] = []
    resident.complete(requests, lambda index, texts: calls.append(index), adapter=True)
    assert sorted(calls) == list(range(len(requests)))
    for request, texts in zip(requests, answers(resident, requests, adapter=True), strict=True):
        assert len(texts) == request.n
        for text in texts:
            assert isinstance(text, Completion)
            assert text.tokens <= request.max_new_tokens
            assert text.finished or text.tokens == request.max_new_tokens
    assert answers(resident, [], adapter=True) == []


def test_the_embedded_base_writes_pairs(resident: Resident) -> None:
    text = answers(resident, [ask(PASSAGES[1], temperature=0.0)])[0][0]
    assert text.startswith("### Q\n")
    assert "\n### A\n" in text


def test_a_prompt_that_is_too_long_is_refused_and_the_others_are_answered(
    resident: Resident,
) -> None:
    requests = [ask(PASSAGES[0]), ask("word " * 3000), ask(PASSAGES[3])]
    found = answers(resident, requests)
    refused = found[1]
    assert isinstance(refused, Refused)
    assert "pocket reads at most 1024" in refused.reason
    assert len(found[0]) == len(found[2]) == 1


def test_an_answer_stops_where_the_context_ends(resident: Resident) -> None:
    words = "one two three " * 400
    length = resident.prompt_tokens(Request("", words, max_new_tokens=500))
    cut = words[: int(len(words) * 1000 / length)]
    text = answers(resident, [Request("", cut, max_new_tokens=500, temperature=0.0)])[0][0]
    assert isinstance(text, Completion)
    assert text.tokens <= 1024 - resident.prompt_tokens(Request("", cut))


def test_the_documents_own_system_prompt_is_not_put_before_a_request(resident: Resident) -> None:
    with_it = resident._chat.prompt_text(user("x"))
    assert "keeper of the shed" in with_it
    assert "keeper of the shed" not in resident.codec.prompt_text(user("x"))


def test_scores_are_the_mean_loss_of_the_target_alone(resident: Resident) -> None:
    torch, codec = resident.model.torch, resident._chat
    question, target = "Where is the key?", "Behind the drainpipe."
    found = resident.score(
        [Scored(user(question), target), Scored(None, target), Scored(user(PASSAGES[4]), target)],
        adapter=False,
    )
    ids = codec.encode(target)
    assert [score.tokens for score in found] == [len(ids)] * 3
    for score, before in zip(
        found, (codec.prompt_ids(user(question)), [codec.end_of_text_id]), strict=False
    ):
        with resident.model.base_only(), torch.no_grad():
            row = torch.tensor([[*before, *ids]])
            logits = resident.model.network(input_ids=row).logits[0, len(before) - 1 : -1]
        expected = torch.nn.functional.cross_entropy(logits, torch.tensor(ids)).item()
        assert score.nll == pytest.approx(expected, abs=1e-4)


def test_a_long_target_is_scored_in_parts_to_the_same_figure(
    resident: Resident, monkeypatch: pytest.MonkeyPatch
) -> None:
    items = [Scored(user("What about the tide?"), PASSAGES[4]), Scored(None, PASSAGES[5])]
    whole = resident.score(items, adapter=True)
    monkeypatch.setattr("dlm.engine.resident.part_length", lambda model: 9)
    for part, one in zip(resident.score(items, adapter=True), whole, strict=True):
        assert part.nll == pytest.approx(one.nll, abs=1e-5)
        assert (part.tokens, part.exact) == (one.tokens, one.exact)
    assert whole[0].tokens > 60


def test_a_passage_helps_its_own_answer_and_the_adapter_changes_scores(resident: Resident) -> None:
    question = "Where does the key hang?"
    items = [
        Scored(user(f"{PASSAGES[0]}\n\n{question}"), "The key hangs behind the drainpipe."),
        Scored(user(question), "The key hangs behind the drainpipe."),
    ]
    informed, blind = resident.score(items, adapter=False)
    assert informed.nll < blind.nll
    assert resident.score(items, adapter=True)[0].nll != pytest.approx(informed.nll, abs=1e-3)
    # Switching back and forth leaves the base as it was.
    assert resident.score(items, adapter=False)[0] == informed


def test_what_cannot_be_scored_is_nan_and_harms_no_other(resident: Resident) -> None:
    found = resident.score(
        [Scored(None, " "), Scored(user("x"), "word " * 3000), Scored(None, "Fine.")], adapter=True
    )
    assert [score.tokens for score in found][:2] == [0, 0]
    assert math.isnan(found[0].nll)
    assert math.isnan(found[1].nll)
    assert found[2].tokens > 0
    assert resident.score([], adapter=True) == []


def test_a_version_can_be_named_and_a_document_without_one_has_no_adapter(
    resident: Resident, document: Document
) -> None:
    assert resident.version is not None
    assert resident.version.name == "v0002"
    with Resident.open(document, version="v0001") as first:
        assert first.version is not None
        assert first.version.name == "v0001"
        assert "model" not in vars(first)
    with pytest.raises(StoreError, match="no version 9"), Resident.open(document, version="9"):
        pass
    untrained = parse_text(TEXT.format(id="01J9ZQ6W3N8R2T4V6X8Y0A1B2D"), path=Path("new.dlm"))
    with Resident.open(untrained) as bare:
        assert bare.version is None
        with pytest.raises(StoreError, match=r"new\.dlm is not trained yet"):
            bare.score([Scored(None, "x")], adapter=True)
