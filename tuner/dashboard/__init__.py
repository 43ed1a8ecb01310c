"""The Optuna dashboard over our studies, with what it cannot know by itself."""
