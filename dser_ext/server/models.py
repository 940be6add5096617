"""ListModels and GetModel: what the service recognises with."""

from __future__ import annotations

import json
from typing import Any

from dser_ext.messages import GetModelResponse, ListModelsResponse
from dser_ext.server.call import Call
from dser_ext.transfer import model_message


async def list_models(call: Call) -> Any:
    """Answer one call of ListModels."""
    return ListModelsResponse(
        models=[model_message(recognizer.bundle.info) for recognizer in call.resources.recognizers.values()]
    )


async def get_model(call: Call) -> Any:
    """Answer one call of GetModel."""
    recognizer = call.recognizer(call.request.name, field="name")
    card = json.dumps(recognizer.bundle.card, ensure_ascii=False)
    return GetModelResponse(model=model_message(recognizer.bundle.info), card=card, device=recognizer.device)
