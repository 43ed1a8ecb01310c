"""Tables and files that tell people and programs what a study found."""
