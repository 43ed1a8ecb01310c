"""The settings of a search as validated data: recipe, search space, hyperparameters and objectives."""
