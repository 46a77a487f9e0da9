"""Training procedures: which images a step sees, and the loss on their logits.

Each is one pure function from a `Step` to a `Plan`. The paper compares the first five; the others
are the usual ones for smoothed classifiers, and one that asks for aligned gradients themselves.
"""

from pagjax.training.procedures.attacks import adversarial as adversarial
from pagjax.training.procedures.attacks import smoothadv as smoothadv
from pagjax.training.procedures.confidence import catrs as catrs
from pagjax.training.procedures.easy_images import acr as acr
from pagjax.training.procedures.input_gradients import aligned as aligned
from pagjax.training.procedures.mixing import smoothmix as smoothmix
from pagjax.training.procedures.noise import consistency as consistency
from pagjax.training.procedures.noise import gaussian as gaussian
from pagjax.training.procedures.noise import stability as stability
from pagjax.training.procedures.noise import vanilla as vanilla
from pagjax.training.procedures.plans import Plan as Plan
from pagjax.training.procedures.plans import Procedure as Procedure
from pagjax.training.procedures.plans import Pull as Pull
from pagjax.training.procedures.plans import Step as Step
from pagjax.training.procedures.plans import cross_entropy as cross_entropy
from pagjax.training.procedures.plans import kl_divergence as kl_divergence
from pagjax.training.procedures.plans import noise_of as noise_of
from pagjax.training.procedures.radius import macer as macer

BY_NAME: dict[str, Procedure] = {
    procedure.__name__: procedure
    for procedure in (
        *(vanilla, gaussian, adversarial, smoothadv, stability, consistency, macer),
        *(smoothmix, catrs, acr, aligned),
    )
}
