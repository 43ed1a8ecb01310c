"""How good predictions are, and which models to average. Works on arrays; knows no model, study or file."""
