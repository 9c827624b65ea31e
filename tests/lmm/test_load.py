import subprocess
import sys

import pytest
from langchain_core.language_models import FakeListChatModel

from som_agent.errors import AnswererError, MissingExtraError
from som_agent.lmm import lmm_names, load_lmm


@pytest.fixture(autouse=True)
def _no_keys(monkeypatch):
    for name in ("OPENAI_API_KEY", "OPENAI_ADMIN_KEY", "ANTHROPIC_API_KEY"):
        monkeypatch.delenv(name, raising=False)


def one_line(caught):
    message = str(caught.value)
    assert "\n" not in message
    return message


def test_known_names():
    ours = ["attributes", "llava:REPO_OR_DIR", "hf:REPO_OR_DIR", "replay:TRACE.jsonl"]
    assert list(lmm_names()) == [*ours, "PROVIDER:MODEL"]


def test_ready_model_is_handed_back():
    model = FakeListChatModel(responses=["hello"])
    assert load_lmm(model) is model


@pytest.mark.parametrize("name", ["nope:x", "atributes", "", "openai:"])
def test_unknown_lists_the_known(name):
    with pytest.raises(AnswererError, match="unknown model") as caught:
        load_lmm(name)
    message = one_line(caught)
    assert repr(name) in message
    for form in lmm_names():
        assert form in message


def test_unknown_provider_lists_the_providers():
    with pytest.raises(AnswererError, match=r"providers: .*anthropic.*openai"):
        load_lmm("nope:x")


def test_key_that_is_missing_is_named():
    with pytest.raises(AnswererError, match="OPENAI_API_KEY") as caught:
        load_lmm("openai:gpt-4o")
    one_line(caught)


def test_openai_with_a_key(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "none")
    model = load_lmm("openai:gpt-4o")
    assert model.model_name == "gpt-4o"
    assert model.max_retries == 0  # whoever asks retries


def test_provider_that_knows_no_retries_is_told_of_none(monkeypatch):
    told = []

    def make(name, **options):
        told.append(options)
        return FakeListChatModel(responses=["hello"])

    monkeypatch.setattr("langchain.chat_models.init_chat_model", make)
    assert load_lmm("ollama:llava").responses == ["hello"]
    assert told == [{}]


def test_package_of_an_extra_that_is_missing(monkeypatch):
    def refuse(name):
        raise ImportError(
            "Initializing ChatOpenAI requires the langchain-openai package. Please install it with ..."
        )

    monkeypatch.setattr("langchain.chat_models.init_chat_model", refuse)
    with pytest.raises(MissingExtraError, match=r'pip install "som-agent\[openai\]"'):
        load_lmm("openai:gpt-4o")


def test_package_of_another_provider_that_is_missing():
    with pytest.raises(AnswererError, match="pip install langchain-anthropic") as caught:
        load_lmm("anthropic:claude-sonnet-4-5")
    one_line(caught)


def test_embedded_answerer_is_no_chat_model():
    with pytest.raises(AnswererError, match="no chat model"):
        load_lmm("attributes")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("llava:", "write llava:REPO_OR_DIR"),
        ("llava:/no/where", "no folder"),
        ("hf:", "write hf:REPO_OR_DIR"),
        ("hf:/no/where", "no folder"),
    ],
)
def test_local_without_a_model(name, expected):
    with pytest.raises(AnswererError, match=expected):
        load_lmm(name)


def test_what_is_no_model():
    with pytest.raises(AnswererError, match="not int"):
        load_lmm(3)


def test_import_is_light():
    code = (
        "import sys\n"
        "from som_agent.lmm import lmm_names, load_lmm\n"
        "lmm_names()\n"
        "heavy = {'torch', 'transformers', 'langchain', 'langchain_core', 'openai'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
