"""What `train` says of each setting of a training run: groups, units, choices."""

from __future__ import annotations

GROUPS: dict[str, dict[str, str]] = {
    "data": {
        "data": "TFDS name, or a folder of class folders",
        "train_split": "TFDS split, or a folder inside the folder",
        "test_split": "likewise, to evaluate on",
        "image_size": "side of what the network sees, in pixels",
        "evaluate_on_training": "measure accuracies on the training images, for data without "
        "others; the card says so",
    },
    "network": {
        "normalizer": "first layer, such as cifar10, imagenet, half or none",
        "stem": "space_to_depth, space_to_depth_4, cifar or imagenet",
        "block": "basic or bottleneck",
        "stage_sizes": "blocks of each stage (default: 1 2 2)",
        "width": "channels of the first stage",
        "antialias": "strides of blocks see a blurred input (Zhang 2019): less grain in pictures",
        "init": "checkpoint to start from: a shipped name, or a folder",
    },
    "procedure": {
        "procedure": "vanilla, gaussian, adversarial, smoothadv, stability, consistency, macer, "
        "smoothmix, catrs, acr (Sun et al. 2025) or aligned; the last four bring their papers' "
        "settings for CIFAR-10 at sigma 0.25",
        "sigma": "noise level, standard deviation in pixel units of [0, 1]",
        "num_noise": "noise draws of an image in a step",
        "epsilon": "l2 radius of the attack in training, same units",
        "attack_steps": "of the attack, each of length 2 epsilon / steps, or --step-length",
        "step_length": "l2 length of a step of smoothmix's and acr's attack, same units",
        "mix_steps": "smoothmix: attack steps from the image to the clean end of a mixture, 0 or 1 "
        "in the paper",
        "warmup_epochs": "epochs over which epsilon, or smoothmix's second term, rises linearly",
        "weight": "of the second term (lambda of stability, consistency, MACER, catrs and aligned; "
        "eta of smoothmix)",
        "entropy_weight": "of consistency's third term",
        "temperature": "inverse temperature of MACER's second term",
        "margin": "of MACER's second term",
        "teacher": "catrs: checkpoint, trained with Gaussian augmentation, whose smoothed "
        "predictions are targets; a shipped name, or a folder",
        "teacher_draws": "catrs: noise draws of a training image that they come from, before the "
        "first step; an image a draw is one forward pass",
        "select_from": "acr: epoch from which on hard images are left out, and noise is attacked",
        "select_draws": "acr: noise draws of a training image that say whether it is hard",
        "least_share": "acr: share of them in [0, 1) that must be right for the image to stay",
        "weigh_every": "acr: epochs after which images are weighed anew; 0 for equal weights",
        "weigh_draws": "acr: noise draws of a training image that its weight comes from",
        "num_targets": "aligned: target classes of an image and step whose gradients are aligned; "
        "0 for all",
        "statistics": "aligned: class statistics for the Bayes-optimal gradient, a shipped name or "
        "a file of fit_seeds; by default those of the data's classes",
    },
    "augmentation": {
        "crop": "pad (by an eighth of the side), resized (random rectangles) or none",
        "least_area": "smallest share of the image that a resized crop keeps",
        "flip": "mirror images at random (default: yes)",
        "cutout": "side of a square covered at random, in pixels; 0 for none",
    },
    "optimisation": {
        "epochs": "passes over the training images; fractions allowed",
        "batch_size": "images a step, over all devices",
        "optimizer": "sgd (with Nesterov momentum), heavy-ball or adamw",
        "schedule": "one-cycle, or steps: a tenth of the rate from each of --drops on",
        "peak_rate": "largest learning rate",
        "rise": "share of the steps in which the rate rises",
        "drops": "epochs of the schedule steps (default: none)",
        "momentum": "of SGD",
        "weight_decay": "added to the gradient, times the weight; decoupled in adamw",
        "average": "decay per step of the averaged weights, which are kept; 0 keeps the last",
        "average_from": "epoch from which on it takes equal shares instead; 0 for never",
        "average_every": "steps between two of those",
        "precision": "float32 or bfloat16 activations",
        "seed": "of initial weights, order, augmentation and noise",
    },
}
