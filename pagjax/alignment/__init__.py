"""How well a perturbation is aligned with its target class, by what took no part in making it."""

from __future__ import annotations

from pagjax.alignment.agreement import gradient_agreement as gradient_agreement
from pagjax.alignment.agreement import gradients as gradients
from pagjax.alignment.bayes import bayes_classifier as bayes_classifier
from pagjax.alignment.bayes import bayes_gradient as bayes_gradient
from pagjax.alignment.coherence import correlation_length as correlation_length
from pagjax.alignment.coherence import number_of_features as number_of_features
from pagjax.alignment.judges import Judge as Judge
from pagjax.alignment.judges import PanelOpinion as PanelOpinion
from pagjax.alignment.judges import judge_probabilities as judge_probabilities
from pagjax.alignment.judges import log_odds as log_odds
from pagjax.alignment.judges import panel as panel
from pagjax.alignment.judges import transfer as transfer
from pagjax.alignment.measure import measure as measure
from pagjax.alignment.measurements import Measurements as Measurements

__all__ = (
    "Judge",
    "Measurements",
    "PanelOpinion",
    "bayes_classifier",
    "bayes_gradient",
    "correlation_length",
    "gradient_agreement",
    "gradients",
    "judge_probabilities",
    "log_odds",
    "measure",
    "number_of_features",
    "panel",
    "transfer",
)
