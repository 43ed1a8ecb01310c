"""Plotly figures of a study, for the report and for the dashboard."""
