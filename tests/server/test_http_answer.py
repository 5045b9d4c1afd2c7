"""An answer is written whatever text a vendor sent."""

import json

from server.http.answer import Answer, response_from_answer


def test_half_a_surrogate_pair_does_not_cost_the_answer() -> None:
    answer = Answer({"data": {"title": "broken \ud83d emoji", "other": "Zielińska"}}, ran=True)

    response = response_from_answer(answer, "application/json", status_partial_294=False)

    assert response.status_code == 200
    assert json.loads(bytes(response.body)) == answer.body
