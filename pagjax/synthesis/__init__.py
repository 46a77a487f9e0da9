"""Pictures made by following gradients: the job, its inputs, its run and its results."""
