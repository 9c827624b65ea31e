import inspect
import pickle

import pytest

from som_agent import errors

CLASSES = [kind for _, kind in inspect.getmembers(errors, inspect.isclass)]


@pytest.mark.parametrize("kind", [kind for kind in CLASSES if issubclass(kind, errors.SomError)])
def test_an_error_of_another_process_says_the_same(kind):
    given = ["what", "extra"] if kind is errors.MissingExtraError else ["what"]
    error = kind(*given)
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is kind
    assert str(again) == str(error) != ""
