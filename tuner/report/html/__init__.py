"""The report as one HTML file that needs no network: template, style sheet and script are files of this package."""
