"""Hand a trained model over: export it as a checked folder, then predict and evaluate from that folder alone."""
