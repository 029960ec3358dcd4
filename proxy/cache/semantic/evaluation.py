"""How alike a question and a kept one are: nothing, where the gate tells them apart."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from gptcache.similarity_evaluation import SimilarityEvaluation

from proxy.cache.semantic.gate import is_same, read


class GateEvaluation(SimilarityEvaluation):
    """See gptcache's SimilarityEvaluation: the cosine of the vectors where the second gate lets them pass, else 0."""

    def evaluation(self, src_dict: Mapping[str, Any], cache_dict: Mapping[str, Any], **_: Any) -> float:
        """See SimilarityEvaluation: `question` and `embedding` of both sides."""
        one, other = read(src_dict["question"]), read(cache_dict["question"])
        if one is None or other is None or not is_same(one, other):
            return 0.0
        return float(np.dot(src_dict["embedding"], cache_dict["embedding"]))

    def range(self) -> tuple[float, float]:
        """See SimilarityEvaluation."""
        return 0.0, 1.0
