"""The live page: what runs at the moment, for a browser or a phone, beside Optuna's dashboard."""
